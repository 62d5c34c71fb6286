"""One training step of the energy chapter's runs: dig with the energy, then let the same fakes jump."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from kexue.generative.energy_gan_losses import LOSSES, dig, gradient_penalty, jump, reconstruction_loss
from kexue.generative.energy_gan_networks import Energy, Generator, Recovery
from kexue.training import Experiment, fit
from kexue.training.averaging import Ema

if TYPE_CHECKING:
    from kexue.training import Run


# --8<-- [start:settings]
@dataclass(frozen=True)
class EnergyGAN(Experiment):
    """Settings of an energy, a generator and their training, and the training itself.

    Attributes:
        data_set: name of the data set.
        loss: key of ``energy_gan_losses.LOSSES``.
        penalty_real: weight of the mean squared slope on data, the post's λ.
        penalty_fake: weight of the mean squared slope on fakes.
        entropy: weight of the error with which the code, k numbers, is recovered from a fake, per coordinate of the code.
        noise: standard deviation of the noise on the fakes before the code is recovered, in grey values of [-1, 1].
        code: size k of the code.
        width: of the generator, half its channels at 7 × 7 places.
        energy_width: of the energy, likewise.
        steps: of each network.
        batch: images, and codes, in a batch.
        rate: learning rate of both networks; falls to a tenth along the second half.
        momentum: β₁ of Adam.
        decay: of the average of the generator's weights, which draws all images that are shown or judged.
        validation: images held out of the training split.
        precision: of the training.
    """

    data_set: str = "mnist-10k"
    loss: str = "softplus"
    penalty_real: float = 1.0
    penalty_fake: float = 0.0
    entropy: float = 0.0
    noise: float = 0.3
    code: int = 64
    width: int = 64
    energy_width: int = 64
    steps: int = 12_000
    batch: int = 128
    rate: float = 5e-4
    momentum: float = 0.0
    decay: float = 0.999
    validation: int = 1000
    precision: str = "32-true"
    # --8<-- [end:settings]

    average_energy: ClassVar[bool] = False  #: whether the energy that is kept is an average, too

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise ValueError(f"the loss must be one of {', '.join(LOSSES)}, got {self.loss!r}")
        if min(self.penalty_real, self.penalty_fake, self.entropy, self.noise) < 0:
            raise ValueError("penalties, the entropy's weight and the noise must be at least 0")

    @property
    def colours(self) -> int:
        """Channels of an image."""
        return 1

    def networks(self, generator: torch.Generator | None = None) -> tuple[Generator, Energy, Recovery]:
        """Generator, energy and recovering network with fresh weights."""
        return (
            Generator(code=self.code, width=self.width, colours=self.colours, generator=generator),
            Energy(width=self.energy_width, colours=self.colours, generator=generator),
            Recovery(code=self.code, width=max(1, self.energy_width // 2), colours=self.colours, generator=generator),
        )

    def rate_at(self, step: int) -> float:
        """Learning rate at a step: level along the first half, then on a straight line to a tenth."""
        return self.rate * (1 - 0.9 * max(0.0, 2 * step / self.steps - 1))

    def real(self, images: Tensor, rows: Tensor, run: Run) -> Tensor:
        """The training images of a batch, ``(B, colours, 28, 28)`` in [-1, 1], from all ``images`` and the rows of the batch."""
        return images[rows]

    def play(self, run: Run, images: Tensor, held_out: Tensor) -> tuple[Generator, Energy]:
        """Train on images and return the averaged generator and the energy, averaged likewise if ``average_energy`` says so.

        Args:
            run: device, generator, progress and state.
            images: all training images, on the run's device.
            held_out: images ``(N, colours, 28, 28)`` whose energy is watched.
        """
        game = Game(self, run)
        rows_of = run.batches(len(images), self.batch).by_step(images.device)

        def step(number: int) -> dict[str, Tensor]:
            return game.step(number, self.real(images, rows_of(number), run))

        def watch(number: int) -> dict[str, float]:
            with torch.no_grad():
                return {"val_energy": float(game.energy(held_out).mean())}

        fit(run, step, steps=self.steps, parts=game.parts(), judge=watch, judge_every=max(1, self.steps // 40), bound=1e4)
        return game.average.module, game.level.module if game.level else game.bare_energy


class Game:
    """Networks, optimisers and average of one training.

    Args:
        settings: of the training.
        run: device, generator and seed.
    """

    def __init__(self, settings: EnergyGAN, run: Run) -> None:
        self.settings, self.run = settings, run
        self.bare_generator, self.bare_energy, bare_recovery = settings.networks(torch.Generator().manual_seed(run.seed))
        self.generator, self.jumper = self._set_up(self.bare_generator)
        self.energy, self.digger = self._set_up(self.bare_energy)
        # the compiler cannot differentiate a gradient again: the slope is then that of the energy as it is
        self.slopes = self.energy if run.compile == "off" else self.bare_energy
        self.recovery, self.recoverer = self._set_up(bare_recovery) if settings.entropy else (bare_recovery, None)
        self.average = Ema(self.bare_generator, settings.decay, warm_up=10.0)
        self.level = Ema(self.bare_energy, settings.decay, warm_up=10.0) if settings.average_energy else None

    def _set_up(self, network: torch.nn.Module) -> tuple[Any, ...]:
        betas = (self.settings.momentum, 0.99)
        return self.run.setup(network, torch.optim.Adam(network.parameters(), lr=self.settings.rate, betas=betas, fused=True))

    def parts(self) -> Mapping[str, Any]:
        """All that changes with training."""
        found = {"generator": self.bare_generator, "energy": self.bare_energy, "average": self.average}
        found |= {"jumper": self.jumper, "digger": self.digger}
        if self.level is not None:
            found["level"] = self.level
        if self.recoverer is not None:
            found |= {"recovery": self.recovery, "recoverer": self.recoverer}
        return found

    def noise(self, count: int, *shape: int) -> Tensor:
        """Normal numbers ``(count, …)`` for this process's part of a batch: drawn for the whole of it, so that several processes
        have the noise of one."""
        run = self.run
        return run.share(torch.randn(run.world * count, *shape, generator=run.shared, device=run.fabric.device))

    # --8<-- [start:step]
    def step(self, number: int, real: Tensor) -> dict[str, Tensor]:
        """One step of the energy, then one of the generator with the same fakes.

        Args:
            number: of the step.
            real: images ``(B, colours, 28, 28)``.

        Returns:
            Mean energies of data and fakes, penalties without their weights, the recovering error per coordinate.
        """
        options, count = self.settings, len(real)
        z = self.noise(count, options.code)
        fake = self.generator(z)
        seen = {}

        # dig: the fakes are frozen
        energies = self.energy(torch.cat([real, fake.detach()])).float()
        seen["real"], seen["fake"] = energies[:count].mean(), energies[count:].mean()
        loss = dig(energies[:count], energies[count:], options.loss)
        for name, weight, points in (("slope_real", options.penalty_real, real), ("slope_fake", options.penalty_fake, fake)):
            if weight > 0:
                seen[name] = gradient_penalty(self.slopes, points)
                loss = loss + weight * seen[name]
        self._descend(self.digger, loss, number)

        # jump: the landscape is frozen, only the generator (and the recovering network) moves
        self.bare_energy.requires_grad_(False)
        loss = jump(self.energy(fake).float(), options.loss)
        if options.entropy > 0:
            error = reconstruction_loss(self.recovery, z, fake + options.noise * self.noise(*fake.shape))
            seen["unrecovered"] = error / options.code
            loss = loss + options.entropy * seen["unrecovered"]
        self._descend(self.jumper, loss, number, self.recoverer)
        self.bare_energy.requires_grad_(True)
        self.average.update()
        if self.level is not None:
            self.level.update()
        return seen

    # --8<-- [end:step]

    def _descend(self, optimizer: Any, loss: Tensor, number: int, other: Any = None) -> None:
        """One step of one optimiser, or of two with one loss."""
        movers = [optimizer] if other is None else [optimizer, other]
        for mover in movers:
            mover.zero_grad()
            mover.param_groups[0]["lr"] = self.settings.rate_at(number)
        self.run.fabric.backward(loss)
        for mover in movers:
            mover.step()


@torch.no_grad()
def sample(network: Generator, count: int, *, generator: torch.Generator, chunk: int = 1000) -> Tensor:
    """Images ``(N, colours, 28, 28)`` in [0, 1] of codes drawn on the CPU, so that a GPU shows the same ones."""
    device = next(network.parameters()).device
    z = torch.randn(count, network.code, generator=generator)
    return torch.cat([network(part.to(device)).float() for part in torch.split(z, chunk)]).add(1).div(2)
