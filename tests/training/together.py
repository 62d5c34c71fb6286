"""What two processes do that ``torchrun`` started: ``torchrun --standalone --nproc-per-node 2 together.py FOLDER``.

With a single process (``python together.py FOLDER``) the same trainings on the same global batches.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch
from kill_target import digest
from safetensors.torch import save_file
from tiny import INPUTS, TARGETS, Tiny
from tiny_gan import TinyGan
from torch import Tensor

from kexue.training import DivergedError, Ema, Interrupted, Run, SettingsChangedError, fit, runner


@dataclass(frozen=True)
class Shared(Tiny):
    """A line with noise that is made for the whole batch."""

    name: str = "tiny/shared"
    seeds: tuple[int, ...] = (1,)
    explode_alone: int = 0

    def settings(self) -> dict[str, Any]:
        return {k: v for k, v in super().settings().items() if k != "explode_alone"}

    def train(self, run: Run) -> dict[str, Tensor]:
        bare = self.model(run.seed)
        model, optimizer = run.setup(bare, torch.optim.SGD(bare.parameters(), lr=self.rate, momentum=0.9))
        batches, average = run.batches(len(INPUTS), self.batch), Ema(bare, 0.9)

        def step(number: int) -> dict[str, Tensor]:
            epoch, place = divmod(number - 1, batches.per_epoch)
            rows = batches.epoch(epoch)[place]
            noise = run.share(torch.randn(self.batch, 1, generator=run.shared))
            loss = (model(INPUTS[rows]) - TARGETS[rows] - 0.1 * noise).square().mean()
            optimizer.zero_grad()
            run.fabric.backward(loss)
            optimizer.step()
            average.update()
            if number == self.interrupt_at and run.rank == run.world - 1:  # one process alone gets the signal
                os.kill(os.getpid(), 2)
            if number == self.explode_alone and run.rank == run.world - 1:
                loss = loss * float("inf")
            return {"loss": loss}

        def judge(number: int) -> dict[str, float]:
            with torch.no_grad():
                return {"val_loss": float((bare(INPUTS) - TARGETS).square().mean())}

        parts = {"model": bare, "optimizer": optimizer, "average": average}
        fit(run, step, steps=self.steps, parts=parts, judge=judge, judge_every=7, keep_best="val_loss")
        return dict(bare.state_dict()) | {f"average.{k}": v for k, v in average.module.state_dict().items()}

    def evaluate(self, weights: Any, run: Run) -> dict[str, float]:
        return Tiny.evaluate(self, {k: v for k, v in weights.items() if not k.startswith("average")} | {"mean": None}, run)


def own_noise(run: Run) -> list[float]:
    """Draws of this process and of all, after a step that a state was saved and read behind."""
    return [float(torch.randn((), generator=g)) for g in (run.generator, run.shared)]


def main(folder: Path) -> None:
    shared = Shared()
    run = Run(seed=1)
    found: dict[str, Any] = {"world": run.world}
    weights = shared.train(run)
    found["curve"] = run.curve
    found["bits"] = digest(weights)
    found["draws"] = own_noise(run)
    found["means"] = run.mean(torch.tensor([float(run.rank)])).tolist()

    def go(experiment: Any, settings: Any) -> str:
        try:
            again = Run(seed=1, state_file=folder / "state", settings=settings, save_every=0.0)
            result = digest(experiment.train(again))
            found["resumed"], found["resumed_curve"], found["resumed_draws"] = result, again.curve, own_noise(again)
        except (Interrupted, DivergedError, SettingsChangedError) as error:
            return f"{type(error).__name__}: {error}"
        return ""

    found["stopped"] = go(dataclasses.replace(shared, interrupt_at=23), shared.settings())
    found["changed"] = go(shared, shared.settings() | {"rate": 0.5})
    found["again"] = go(shared, shared.settings())
    try:
        dataclasses.replace(shared, explode_alone=4).train(Run(seed=1))
    except DivergedError as error:
        found["diverged"] = str(error)
    gan = TinyGan().train(Run(seed=2))
    found["gan"] = digest(gan)
    record = runner.train(shared, folder / "runs", device="cpu", quiet=True)
    found["record"] = [record.metrics_of_weights["loss"], record.folder is not None]
    (folder / f"found{run.rank}.json").write_text(json.dumps(found))
    if run.rank == 0:
        save_file({k: v.contiguous() for k, v in weights.items()}, folder / "weights.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
