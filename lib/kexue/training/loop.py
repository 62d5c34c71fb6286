"""The training loop of all chapters: steps, metrics, states, and an end that is clear whatever happens."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from kexue.training import processes
from kexue.training.averaging import Ema
from kexue.training.callbacks import Callback, Moment
from kexue.training.experiment import differences
from kexue.training.interrupt import InterruptFlag
from kexue.training.loading import explained
from kexue.training.outputs import Means
from kexue.training.run import Run

Step = Callable[[int], Mapping[str, Tensor]]
Judge = Callable[[int], Mapping[str, float]]
CHECK_EVERY = 20  # steps between two looks at the losses: each look makes the CPU wait for the GPU


class DivergedError(RuntimeError):
    """A loss that is not a finite number, or beyond the bound given; or a weight that is not finite."""


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
    callbacks: Sequence[Callback]
    step: int = 0
    ended: bool = False
    means: Means = field(default_factory=Means)
    best: float = math.inf
    best_step: int = 0
    best_parts: dict[str, Any] = field(default_factory=dict)
    pending: list[Mapping[str, Tensor]] = field(default_factory=list)
    saved_step: int | None = None

    # ---- metrics -------------------------------------------------------------------------------------------------------------
    def collect(self, metrics: Mapping[str, Tensor]) -> None:
        """Keep a step's metrics on the device; they are looked at together."""
        self.pending.append({name: value.detach() for name, value in metrics.items()})

    def check(self, bound: float) -> None:
        """Look at the metrics since the last look; stop at the first that is not finite or too large."""
        steps = range(self.step - len(self.pending) + 1, self.step + 1)
        places = [(step, name) for step, metrics in zip(steps, self.pending, strict=True) for name in metrics]
        if places:
            stacked = torch.stack([value.double().reshape(()) for metrics in self.pending for value in metrics.values()])
            for (step, name), value in zip(places, processes.mean(stacked).tolist(), strict=True):
                if not math.isfinite(value) or abs(value) > bound:
                    raise DivergedError(self._diverged(f"{name} is {value:g}", step))
                self.means.add({name: value})
        self.pending.clear()

    def check_weights(self) -> None:
        """Stop if a weight is not finite: the last step may have spoilt it with a loss that was still finite."""
        named = [(f"{part}.{name}", p) for part, m in self.parts.items() if isinstance(m, nn.Module) for name, p in m.named_parameters()]
        if not named:
            return
        finite = torch.stack([p.detach().isfinite().all().to(named[0][1].device) for _, p in named]).tolist()
        if not all(finite):
            raise DivergedError(self._diverged(f"the weights {named[finite.index(False)][0]} are not finite", self.step))

    def _diverged(self, what: str, step: int) -> str:
        where = "" if self.saved_step is None else f"; the last good state is {self.run.state_file}, of step {self.saved_step}"
        return f"{self.run.label or 'the training'} diverged at step {step}: {what}{where}"

    def judge(self, judge: Judge | None) -> dict[str, float]:
        """Add a point to the curve, and keep the weights if they are the best so far."""
        begin = time.monotonic()
        point = self.means.take() | (dict(judge(self.step)) if judge else {})
        self.run.judging += time.monotonic() - begin
        for name, value in point.items():
            if not math.isfinite(value):
                raise DivergedError(self._diverged(f"{name} is {value:g}", self.step))
        self.run.curve.append((self.step, point))
        if self.keep_best is not None:
            if self.keep_best not in point:
                raise ValueError(f"keep_best names {self.keep_best!r}, which is not among the metrics {', '.join(point)}")
            if point[self.keep_best] < self.best:
                self.best, self.best_step = point[self.keep_best], self.step
                self.best_parts = {k: _copy(p.state_dict()) for k, p in self.parts.items() if isinstance(p, (nn.Module, Ema))}
        return point

    def advance(self, step: Step, *, steps: int, judge: Judge | None, every: int, bound: float) -> dict[str, float] | None:
        """Do one step; look at the losses if it is time; return a point of the curve if one is due."""
        metrics = step(self.step + 1)
        self.step += 1
        self.collect(metrics)
        due = self.step % every == 0 or self.step == steps
        if due or self.step % CHECK_EVERY == 0:
            self.check(bound)
        point = self.judge(judge) if due else None
        moment = Moment(self.step, steps, point)
        # All are called, also behind one that ends the training.
        self.ended = any([bool(callback(moment)) for callback in self.callbacks])
        if self.ended:
            self.check(bound)
        return point

    def finish(self, bound: float, steps: int, *, stopped: bool) -> None:
        """Save the state if Ctrl-C came before the end; else give the models their best weights."""
        run = self.run
        run.steps = self.step
        if stopped and self.step < steps and not self.ended:
            self.check(bound)
            raise Interrupted(f"stopped at step {self.step} of {steps}{self._where(self.save())}")
        run.best_step = self.best_step or self.step
        for name, best in self.best_parts.items():
            self.parts[name].load_state_dict(best)

    # ---- state ---------------------------------------------------------------------------------------------------------------
    def save(self) -> bool:
        """Save the state, unless the weights are bad."""
        self.check_weights()
        safe = self.run.save_state(self.state())
        if safe and self.run.state_file is not None:
            self.saved_step = self.step
        return safe

    def _where(self, safe: bool) -> str:
        file = self.run.state_file
        if file is None:
            return ""
        if safe:
            return f"; the state is saved in {file}, the same command goes on"
        step = self.saved_step
        kept = "nothing is saved" if step is None else f"that of step {step} is kept, the same command goes on from it"
        return f"; its state could not be saved in {file}: {kept}"

    def state(self) -> dict[str, Any]:
        run = self.run
        return {
            "settings": run.conditions,
            "step": self.step,
            "ended": self.ended,
            "means": self.means.state_dict(),
            "curve": [[s, m] for s, m in run.curve],
            "wall_time": run.wall_time,
            "judging": run.judging,
            "best": [self.best if math.isfinite(self.best) else None, self.best_step],
            "best_parts": self.best_parts,
            "shared": run.shared.get_state(),
            "generators": processes.gather(run.generator.get_state(), run.fabric.device),
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
            "callbacks": [c.state_dict() if hasattr(c, "state_dict") else None for c in self.callbacks],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        run = self.run
        if changed := differences(state["settings"], run.conditions):
            lines = "\n  ".join(changed)
            raise SettingsChangedError(
                f"{run.state_file} was made with other settings:\n  {lines}\nDelete it to begin anew, or give the old settings."
            )
        for name, part in self.parts.items():
            part.load_state_dict(state["parts"][name])
        for callback, kept in zip(self.callbacks, state["callbacks"], strict=True):
            if kept is not None:
                callback.load_state_dict(kept)  # type: ignore[attr-defined]
        run.shared.set_state(state["shared"])
        run.generator.set_state(state["generators"][run.rank])
        self.step = self.saved_step = state["step"]
        self.ended = state["ended"]
        self.means.load_state_dict(state["means"])
        run.curve = [(step, metrics) for step, metrics in state["curve"]]
        run.started, run.judging = state["wall_time"], state["judging"]
        best, self.best_step = state["best"]
        self.best, self.best_parts = math.inf if best is None else best, state["best_parts"]


def _copy(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {k: _copy(v) for k, v in tree.items()}
    return tree.detach().clone() if isinstance(tree, Tensor) else tree


def _advance(loop: _Loop, step: Step, judge: Judge | None, *, steps: int, every: int, bound: float) -> bool:
    """Do the steps that are left, and save the state now and then; return whether Ctrl-C ended them."""
    run = loop.run
    with run.progress(steps, loop.step) as progress, InterruptFlag() as interrupt, explained():
        saved, stopped = time.monotonic(), False
        while loop.step < steps and not loop.ended and not stopped:
            point = loop.advance(step, steps=steps, judge=judge, every=every, bound=bound)
            progress.update(loop.step, point)
            # The state is saved only right after a look at the losses, so that a bad state is never saved; several processes agree then.
            looked = not loop.pending
            due = looked and (time.monotonic() - saved >= run.save_every or loop.step == steps or loop.ended)
            if looked or run.world == 1:
                due, stopped = processes.any_of([due, interrupt.raised], run.fabric.device)
            if due:
                loop.save()
                saved = time.monotonic()
    return stopped


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
    callbacks: Sequence[Callback] = (),
) -> None:
    """Train: call ``step`` for each number from 1 to ``steps``, from where a saved state left off.

    A step does all of one optimisation step, with whatever models and optimisers it wants, and must depend on its number,
    on ``parts`` and on the run's generators alone: then a resumed training equals an unbroken one to the last bit on a CPU.

    Args:
        run: where to train, and where the state is.
        step: takes the number of the step; returns its metrics as tensors of one element (they are not looked at every time,
            which would make the CPU wait for the GPU).
        steps: number of steps.
        parts: models, optimisers, schedules, averages: all that has ``state_dict`` and ``load_state_dict`` and changes with training.
        judge: takes the number of the step; returns validation metrics.
        judge_every: steps between two points of the curve; a hundredth of the training if 0. The last step is always one.
        keep_best: a metric; at the end the models, and the averages of them, have the weights of the point where it was least.
        bound: a metric beyond ± this stops the training too.
        callbacks: called after each step with a :class:`~kexue.training.callbacks.Moment`; a true answer ends the training there.

    Raises:
        DivergedError: if a metric is not finite or beyond the bound, or a weight not finite; names the step and what it is, and the
            last good state.
        SettingsChangedError: if the state was made with other settings; shows the difference.
        Interrupted: on Ctrl-C, after the state was saved.
        LoaderError: if a worker that loads data has died; says of what.
        StateError: if the state is damaged or of another format.
        ValueError: if ``steps`` is less than 1.
    """
    if steps < 1:
        raise ValueError(f"a training needs at least one step, got {steps}")
    loop = _Loop(run, parts, keep_best, callbacks)
    if (state := run.read_state()) is not None:
        loop.restore(state)
    every = judge_every or max(1, steps // 100)
    run.start_clock()
    if state is None:
        loop.save()  # what cannot be saved, and where, is said before the work and not after it
    stopped = _advance(loop, step, judge, steps=steps, every=every, bound=bound)
    loop.finish(bound, steps, stopped=stopped)
