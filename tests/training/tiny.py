"""A tiny experiment with everything a large one has: noise, momentum, a schedule, a part that is no network."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from kexue.training import Experiment, Run, fit

INPUTS = torch.linspace(-1, 1, 24 * 3).view(24, 3)
TARGETS = INPUTS @ torch.tensor([[1.0], [-2.0], [0.5]])


class Mean(nn.Module):
    """A running mean, changed by each step."""

    value: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("value", torch.zeros(()))


@dataclass(frozen=True)
class Tiny(Experiment):
    name: str = "tiny/line"
    seeds: tuple[int, ...] = (0, 1)
    steps: int = 60
    batch: int = 8
    rate: float = 0.05
    hidden: tuple[int, ...] = (4,)
    explode_at: int = 0
    interrupt_at: int = 0
    kill_at: int = 0

    tolerance: ClassVar[Mapping[str, float]] = {"loss": 0.01}

    def small(self) -> Self:
        return dataclasses.replace(self, steps=20)

    def data(self) -> dict[str, Any]:
        return {"name": "line", "title": "A line", "version": "1", "sha256": "00" * 32}

    def settings(self) -> dict[str, Any]:
        hidden = ("explode_at", "interrupt_at", "kill_at")
        return {k: v for k, v in super().settings().items() if k not in hidden}

    def model(self, seed: int = 0) -> nn.Sequential:
        model = nn.Sequential(nn.Linear(3, self.hidden[0]), nn.Tanh(), nn.Linear(self.hidden[0], 1))
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_(0, 0.3, generator=generator)
        return model

    def train(self, run: Run) -> dict[str, Tensor]:
        bare = self.model(run.seed)
        model, optimizer = run.setup(bare, torch.optim.Adam(bare.parameters(), lr=self.rate))
        mean, batches = Mean(), run.batches(len(INPUTS), self.batch)

        def step(number: int) -> dict[str, Tensor]:
            epoch, place = divmod(number - 1, batches.per_epoch)
            rows = batches.epoch(epoch)[place]
            noise = torch.randn(len(rows), 1, generator=run.generator)
            optimizer.param_groups[0]["lr"] = self.rate / number**0.5
            loss = (model(INPUTS[rows]) - TARGETS[rows] - 0.1 * noise - 0.01 * mean.value).square().mean()
            if number == self.explode_at:
                loss = loss * float("nan")
            mean.value.mul_(0.9).add_(0.1 * loss.detach().clamp(-1, 1))
            optimizer.zero_grad()
            run.fabric.backward(loss)
            if number == self.interrupt_at:
                os.kill(os.getpid(), signal.SIGINT)  # Ctrl-C in the middle of a step
            optimizer.step()
            if number == self.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return {"loss": loss}

        def judge(number: int) -> dict[str, float]:
            with torch.no_grad():
                return {"val_loss": float((bare(INPUTS) - TARGETS).square().mean())}

        parts = {"model": bare, "optimizer": optimizer, "mean": mean}
        fit(run, step, steps=self.steps, parts=parts, judge=judge, judge_every=7, keep_best="val_loss")
        return dict(bare.state_dict()) | {"mean": mean.value.clone()}

    def evaluate(self, weights: Mapping[str, Tensor], run: Run) -> dict[str, float]:
        model = self.model()
        model.load_state_dict({k: v for k, v in weights.items() if k != "mean"})
        with torch.no_grad():
            return {"loss": float((model(INPUTS) - TARGETS).square().mean())}
