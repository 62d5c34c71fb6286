"""A tiny GAN: two models, two optimisers, an average of the generator's weights. The pattern of the chapters on GANs."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kexue.training import Experiment, Run, fit
from kexue.training.averaging import Ema

REAL = torch.tensor([[1.5, -0.5], [0.5, 0.5], [1.0, -1.5], [1.0, 1.5], [2.0, 0.0], [0.0, 0.0]])


def bits(weights: dict[str, Tensor]) -> dict[str, list[Any]]:
    """Weights in a form that is equal when, and only when, every bit is."""
    return {name: [str(w.dtype), list(w.shape), w.contiguous().numpy().tobytes()] for name, w in weights.items()}


@dataclass(frozen=True)
class TinyGan(Experiment):
    name: str = "tiny/gan"
    steps: int = 40
    batch: int = 6
    rate: float = 0.05
    decay: float = 0.9
    keep_best: bool = False
    interrupt_at: int = 0

    def settings(self) -> dict[str, Any]:
        return {k: v for k, v in super().settings().items() if k != "interrupt_at"}

    @staticmethod
    @torch.no_grad()
    def distance(generator: nn.Module) -> float:
        z = torch.randn(64, 2, generator=torch.Generator().manual_seed(9))
        return float((generator(z).mean(0) - REAL.mean(0)).norm())

    def train(self, run: Run) -> dict[str, Tensor]:
        bare_g, bare_c = nn.Linear(2, 2), nn.Linear(2, 1)
        seeded = torch.Generator().manual_seed(run.seed)
        with torch.no_grad():
            for parameter in [*bare_g.parameters(), *bare_c.parameters()]:
                parameter.normal_(0, 0.5, generator=seeded)
        generator, opt_g = run.setup(bare_g, torch.optim.Adam(bare_g.parameters(), lr=self.rate, betas=(0.5, 0.9)))
        critic, opt_c = run.setup(bare_c, torch.optim.RMSprop(bare_c.parameters(), lr=self.rate))
        average = Ema(bare_g, self.decay, warm_up=2)

        def step(number: int) -> dict[str, Tensor]:
            (real,) = run.to_device(REAL)
            z = torch.randn(len(real), 2, generator=run.generator, device=real.device)
            gap = critic(real).mean() - critic(generator(z).detach()).mean() - 0.1 * critic(real).square().mean()
            opt_c.zero_grad()
            run.fabric.backward(-gap)
            opt_c.step()
            loss = -critic(generator(z)).mean()
            opt_g.zero_grad()
            run.fabric.backward(loss)
            if number == self.interrupt_at:
                os.kill(os.getpid(), signal.SIGINT)
            opt_g.step()
            average.update()
            return {"gap": gap, "loss": loss}

        def judge(number: int) -> dict[str, float]:
            return {"distance": self.distance(average.module)}

        parts = {"generator": bare_g, "critic": bare_c, "opt_g": opt_g, "opt_c": opt_c, "average": average}
        keep = "distance" if self.keep_best else None
        fit(run, step, steps=self.steps, parts=parts, judge=judge, judge_every=4, keep_best=keep)
        models = {"generator": bare_g, "critic": bare_c, "average": average.module}
        return {f"{part}.{name}": w.detach().clone() for part, model in models.items() for name, w in model.state_dict().items()}
