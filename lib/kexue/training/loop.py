"""The training loop of all chapters: steps, metrics, states, and an end that is clear whatever happens."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from kexue.training.experiment import differences
from kexue.training.interrupt import InterruptFlag
from kexue.training.run import Run

Step = Callable[[int], Mapping[str, Tensor]]
Judge = Callable[[int], Mapping[str, float]]
CHECK_EVERY = 20  # steps between two looks at the losses: each look makes the CPU wait for the GPU


class DivergedError(RuntimeError):
    """A loss that is not a finite number, or beyond the bound given."""


class SettingsChangedError(RuntimeError):
    """A state that was made with other settings."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, after the state was saved."""


@dataclass
class _Loop:
    """The state of the loop that is not in the modules: step, running means, best weights."""

    run: Run
    parts: Mapping[str, Any]
    keep_best: str | None
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    count: int = 0
    best: float = math.inf
    best_step: int = 0
    best_parts: dict[str, Any] = field(default_factory=dict)
    pending: list[Mapping[str, Tensor]] = field(default_factory=list)

    # ---- metrics -------------------------------------------------------------------------------------------------------------
    def collect(self, metrics: Mapping[str, Tensor]) -> None:
        """Keep a step's metrics on the device; they are looked at together."""
        self.pending.append({name: value.detach() for name, value in metrics.items()})

    def check(self, bound: float) -> None:
        """Look at the metrics since the last look; stop at the first that is not finite or too large."""
        if not self.pending:
            return
        names = list(self.pending[0])
        values = torch.stack([torch.stack([m[n].double() for n in names]) for m in self.pending]).cpu()  # (steps, metrics)
        first = self.step - len(self.pending) + 1
        for row, step in zip(values.tolist(), range(first, self.step + 1), strict=True):
            for name, value in zip(names, row, strict=True):
                if not math.isfinite(value) or abs(value) > bound:
                    raise DivergedError(self._diverged(name, value, step))
                self.sums[name] = self.sums.get(name, 0.0) + value
            self.count += 1
        self.pending.clear()

    def _diverged(self, name: str, value: float, step: int) -> str:
        where = f"; the last good state is {self.run.state_file}" if self.run.state_file and self.run.state_file.exists() else ""
        return f"{self.run.label or 'the training'} diverged at step {step}: {name} is {value:g}{where}"

    def means(self) -> dict[str, float]:
        """Means of the metrics since they were last taken."""
        taken = {name: total / max(self.count, 1) for name, total in self.sums.items()}
        self.sums, self.count = {}, 0
        return taken

    def judge(self, judge: Judge | None) -> dict[str, float]:
        """Add a point to the curve, and keep the weights if they are the best so far."""
        begin = time.monotonic()
        point = self.means() | (dict(judge(self.step)) if judge else {})
        self.run.judging += time.monotonic() - begin
        for name, value in point.items():
            if not math.isfinite(value):
                raise DivergedError(self._diverged(name, value, self.step))
        self.run.curve.append((self.step, point))
        if self.keep_best is not None:
            if self.keep_best not in point:
                raise ValueError(f"keep_best names {self.keep_best!r}, which is not among the metrics {', '.join(point)}")
            if point[self.keep_best] < self.best:
                self.best, self.best_step = point[self.keep_best], self.step
                self.best_parts = {k: _copy(p.state_dict()) for k, p in self.parts.items() if isinstance(p, torch.nn.Module)}
        return point

    def advance(self, step: Step, *, steps: int, judge: Judge | None, every: int, bound: float) -> dict[str, float] | None:
        """Do one step; look at the losses if it is time; return a point of the curve if one is due."""
        metrics = step(self.step + 1)
        self.step += 1
        self.collect(metrics)
        due = self.step % every == 0 or self.step == steps
        if due or self.step % CHECK_EVERY == 0:
            self.check(bound)
        return self.judge(judge) if due else None

    def finish(self, bound: float, steps: int, *, stopped: bool) -> None:
        """Save the state if Ctrl-C came before the end; else give the models their best weights."""
        run = self.run
        run.steps = self.step
        if stopped and self.step < steps:
            self.check(bound)
            run.save_state(self.state())
            where = f"; the state is saved in {run.state_file}, the same command goes on" if run.state_file else ""
            raise Interrupted(f"stopped at step {self.step} of {steps}{where}")
        run.best_step = self.best_step or self.step
        for name, best in self.best_parts.items():
            self.parts[name].load_state_dict(best)

    # ---- state ---------------------------------------------------------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        run = self.run
        return {
            "settings": {**run.settings, "seed": run.seed},
            "step": self.step,
            "sums": self.sums,
            "count": self.count,
            "curve": [[s, m] for s, m in run.curve],
            "wall_time": run.wall_time,
            "judging": run.judging,
            "best": [self.best if math.isfinite(self.best) else None, self.best_step],
            "best_parts": self.best_parts,
            "generator": run.generator.get_state(),
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        run = self.run
        if changed := differences(state["settings"], {**run.settings, "seed": run.seed}):
            lines = "\n  ".join(changed)
            raise SettingsChangedError(
                f"{run.state_file} was made with other settings:\n  {lines}\nDelete it to begin anew, or give the old settings."
            )
        for name, part in self.parts.items():
            part.load_state_dict(state["parts"][name])
        run.generator.set_state(state["generator"])
        self.step, self.sums, self.count = state["step"], state["sums"], state["count"]
        run.curve = [(step, metrics) for step, metrics in state["curve"]]
        run.started, run.judging = state["wall_time"], state["judging"]
        best, self.best_step = state["best"]
        self.best, self.best_parts = math.inf if best is None else best, state["best_parts"]


def _copy(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v.detach().clone() if isinstance(v, Tensor) else v for k, v in tree.items()}


def fit(
    run: Run,
    step: Step,
    *,
    steps: int,
    parts: Mapping[str, Any],
    judge: Judge | None = None,
    judge_every: int = 0,
    keep_best: str | None = None,
    bound: float = math.inf,
) -> None:
    """Train: call ``step`` for each number from 1 to ``steps``, from where a saved state left off.

    A step does all of one optimisation step, with whatever models and optimisers it wants, and must depend on its number,
    on ``parts`` and on ``run.generator`` alone: then a resumed training equals an unbroken one to the last bit on a CPU.

    Args:
        run: where to train, and where the state is.
        step: takes the number of the step; returns its metrics as tensors of one element (they are not looked at every time,
            which would make the CPU wait for the GPU).
        steps: number of steps.
        parts: models, optimisers, schedules: all that has ``state_dict`` and ``load_state_dict`` and changes with training.
        judge: takes the number of the step; returns validation metrics.
        judge_every: steps between two points of the curve; a hundredth of the training if 0. The last step is always one.
        keep_best: a metric; at the end the models have the weights of the point where it was least.
        bound: a metric beyond ± this stops the training too.

    Raises:
        DivergedError: if a metric is not finite or beyond the bound; names the step and the metric.
        SettingsChangedError: if the state was made with other settings; shows the difference.
        Interrupted: on Ctrl-C, after the state was saved.
        ValueError: if ``steps`` is less than 1.
    """
    if steps < 1:
        raise ValueError(f"a training needs at least one step, got {steps}")
    loop = _Loop(run, parts, keep_best)
    if (state := run.read_state()) is not None:
        loop.restore(state)
    every = judge_every or max(1, steps // 100)
    run.start_clock()
    with run.progress(steps, loop.step) as progress, InterruptFlag() as interrupt:
        saved = time.monotonic()
        while loop.step < steps and not interrupt.raised:
            point = loop.advance(step, steps=steps, judge=judge, every=every, bound=bound)
            progress.update(loop.step, point)
            # The state is saved only right after a look at the losses, so that a bad state is never saved.
            if not loop.pending and (time.monotonic() - saved >= run.save_every or loop.step == steps):
                run.save_state(loop.state())
                saved = time.monotonic()
    loop.finish(bound, steps, stopped=interrupt.raised)

