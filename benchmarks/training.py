"""Speed of the book's training loop beside the plainest loop that trains the same networks: images a second of an energy GAN."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.table import Row, in_turns

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from kexue.generative.energy_gan_training import EnergyGAN

EXPERIMENT = "energy-gan/mnist-softplus"
SEED = 0


class Ours:
    """The chapter's step in ``kexue.training.fit``, as ``kexue train`` calls it: losses looked at, state on disk, weights averaged.

    Args:
        settings: of the training.
        images: training images ``(N, 1, 28, 28)``.
        folder: for the states.
        switches: of the run: ``device``, ``compile``, ``channels_last``.
    """

    def __init__(self, settings: EnergyGAN, images: Tensor, folder: Path, **switches: Any) -> None:
        from kexue.generative.energy_gan_training import Game
        from kexue.training import Run

        self.settings, self.folder = settings, folder
        self.run = Run(seed=SEED, **switches)
        self.game = Game(settings, self.run)
        (self.images,) = self.run.to_device(images)
        self.order = self.run.batches(len(images), settings.batch).epoch(0).to(self.images.device)
        self.calls = 0

    def train(self, steps: int) -> None:
        """Some steps with the first batches, from the weights as they are."""
        from kexue.training import fit

        self.calls += 1
        self.run.state_file = self.folder / f"{id(self)}-{self.calls}.state"

        def step(number: int) -> dict[str, Tensor]:
            return self.game.step(number, self.images[self.order[(number - 1) % len(self.order)]])

        fit(self.run, step, steps=steps, parts=self.game.parts(), judge_every=steps, bound=1e4)

    @property
    def weights(self) -> list[Tensor]:
        return [p.detach() for p in (*self.game.average.module.parameters(), *self.game.bare_energy.parameters())]


class Plain:
    """The same networks, losses, batches, noise and average in a loop without anything else, as one writes it for oneself.

    Args:
        settings: of the training.
        images: training images ``(N, 1, 28, 28)``.
        device: where it runs.
        fused: whether Adam works on all weights in one go, as the book's does; as PyTorch comes, it does not.
    """

    def __init__(self, settings: EnergyGAN, images: Tensor, device: str, *, fused: bool) -> None:
        import torch

        from kexue.training.batches import Batches

        self.settings, self.images = settings, images.to(device)
        made = settings.networks(torch.Generator().manual_seed(SEED))
        self.generator, self.energy = (network.to(device) for network in made[:2])
        self.average = copy.deepcopy(self.generator)
        self.jumper, self.digger = (self.adam(network, fused=fused) for network in (self.generator, self.energy))
        self.order = Batches(len(images), settings.batch, SEED).epoch(0).to(device)
        self.draw, self.updates = torch.Generator(device).manual_seed(SEED), 0

    def adam(self, network: torch.nn.Module, *, fused: bool) -> torch.optim.Adam:
        import torch

        return torch.optim.Adam(network.parameters(), lr=self.settings.rate, betas=(self.settings.momentum, 0.99), fused=fused or None)

    def train(self, steps: int) -> None:
        """Some steps with the first batches, from the weights as they are; the average's warm-up is that of the book."""
        import torch

        from kexue.generative.energy_gan_losses import dig, gradient_penalty, jump

        options = self.settings
        for number in range(1, steps + 1):
            for group in (*self.digger.param_groups, *self.jumper.param_groups):
                group["lr"] = options.rate_at(number)
            real = self.images[self.order[(number - 1) % len(self.order)]]
            fake = self.generator(torch.randn(len(real), options.code, generator=self.draw, device=real.device))
            energies = self.energy(torch.cat([real, fake.detach()]))
            loss = dig(energies[: len(real)], energies[len(real) :], options.loss)
            loss = loss + options.penalty_real * gradient_penalty(self.energy, real)
            self.digger.zero_grad()
            loss.backward()
            self.digger.step()
            self.energy.requires_grad_(False)
            loss = jump(self.energy(fake), options.loss)
            self.jumper.zero_grad()
            loss.backward()
            self.jumper.step()
            self.energy.requires_grad_(True)
            self.updates += 1
            decay = min(options.decay, self.updates / (self.updates + 10.0))
            with torch.no_grad():
                for kept, new in zip(self.average.parameters(), self.generator.parameters(), strict=True):
                    kept.lerp_(new, 1 - decay)
        float(loss.detach())  # a GPU works on while Python returns

    @property
    def weights(self) -> list[Tensor]:
        return [p.detach() for p in (*self.average.parameters(), *self.energy.parameters())]


def apart(one: list[Tensor], two: list[Tensor]) -> float:
    """The greatest difference of two lists of weights."""
    return max(float((a - b).abs().max()) for a, b in zip(one, two, strict=True))


def operations(train: Callable[[int], None], steps: int = 1) -> float:
    """Floating-point operations of one step: those of the matrix products and convolutions, forwards and backwards."""
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import flop_registry

    class Counter(TorchDispatchMode):
        """PyTorch's own counter follows modules too, for which a gradient of a gradient is too much."""

        total = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            found = func(*args, **(kwargs or {}))
            if (count := flop_registry.get(func._overloadpacket)) is not None:
                self.total += count(*args, **(kwargs or {}), out_val=found)
            return found

    with Counter() as counter:
        train(steps)
    return counter.total / steps


def roof(device: str, size: int) -> float:
    """Floating-point operations a second of a product of two square matrices in float32: what the machine gives at best."""
    import torch

    matrix = torch.randn(size, size, generator=torch.Generator().manual_seed(0)).to(device)

    def product() -> None:
        float((matrix @ matrix)[0, 0])

    return 2 * size**3 / in_turns([product])[0]


def gan() -> list[Row]:
    """Images a second in training, in turns: the book's loop with and without its switches, and the plain loop; one thread on a CPU."""
    import torch

    from kexue import datasets
    from kexue.training import find

    torch.set_num_threads(1)
    images = datasets.load("mnist-10k", split="train").images[:-1000, None].float() / 127.5 - 1
    experiment = find(EXPERIMENT)
    rows = on("cpu", experiment.small(), images, steps=100)  # type: ignore[arg-type]
    return rows + (on("cuda", experiment, images, steps=200) if torch.cuda.is_available() else [])  # type: ignore[arg-type]


def on(device: str, settings: EnergyGAN, images: Tensor, *, steps: int, repeats: int = 7) -> list[Row]:
    """The rows of one device.

    Args:
        device: ``cpu`` or ``cuda``.
        settings: of the training.
        images: training images ``(N, 1, 28, 28)``.
        steps: in a round.
        repeats: rounds.
    """
    from kexue.training.speed import why_not_compile

    reason = why_not_compile(device)
    switches: dict[str, dict[str, Any]] = {"": {}, ", --channels-last": {"channels_last": True}}
    if not reason:
        switches |= {", --compile default": {"compile": "default"}}
    with tempfile.TemporaryDirectory() as folder:
        ours = [Ours(settings, images, Path(folder), device=device, **given) for given in switches.values()]
        plain = [Plain(settings, images, device, fused=fused) for fused in (True, False)]
        trainers: list[Ours | Plain] = [*ours, *plain]
        seconds = in_turns([lambda t=t: t.train(steps) for t in trainers], repeats=repeats)  # type: ignore[misc]
        away = [apart(t.weights, plain[0].weights) for t in trainers]
        done = operations(plain[0].train)
    speeds = [steps * settings.batch / s for s in seconds]
    theirs, as_it_comes = speeds[-2:]
    group = f"training an energy GAN on {device}, batch {settings.batch}, images a second (ratio above one: quicker)"
    peer = "plain eager loop"
    after = f"after {steps * (repeats + 2):,} steps"
    rows = [
        Row(group, f"book's loop{name}", speed, "images/s", peer, theirs, f"weights apart by {off:.0e} {after}")
        for name, speed, off in zip(switches, speeds, away, strict=False)
    ]
    rows.append(Row(group, "book's loop", speeds[0], "images/s", peer + ", Adam not fused", as_it_comes))
    if reason:
        rows[0] = Row(**{**vars(rows[0]), "note": rows[0].note + f"; torch.compile does not work here: {reason}"})
    most = roof(device, 1024 if device == "cpu" else 8192)
    rate = done * speeds[0] / settings.batch / 1e9
    note = "of matrix products and convolutions"
    rows.append(Row(group, "arithmetic of the book's loop", rate, "GFLOP/s", "matrix product, float32", most / 1e9, note))
    return rows
