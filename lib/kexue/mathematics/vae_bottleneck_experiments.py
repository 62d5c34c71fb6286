"""The trained runs of the bottleneck chapter, on digits: ``kexue train vae-bottleneck/rate-distortion``.

One run trains a network for each price of a nat, side by side on the same batches with the same noise. The last images of the training
split are held out; they chose rates, sizes and lengths of the small settings in a handful of short runs of seed 0. The test split chose
nothing. The full settings (convolutions, wider codes, many more epochs) are meant for a GPU and have not been tried on one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor, nn

from kexue import datasets
from kexue.mathematics.vae_bottleneck import vib_loss
from kexue.mathematics.vae_bottleneck_linear import pca
from kexue.mathematics.vae_bottleneck_training import (
    Autoencoder,
    Bank,
    BottleneckClassifier,
    LinearCodes,
    fgsm,
    judge_autoencoder,
    judge_bottleneck,
    least_lead,
    relabelled,
)
from kexue.training import Experiment, fit, register
from kexue.training.pictures import parted, told
from kexue.training.rates import half_cosine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kexue.records import Record
    from kexue.training import Run

JUDGE_SEED = 20181127  # of the noise and the false labels
CLASSES = 10
ABOVE = 5.0  # nats: rates from here on are compared with the linear codes


@dataclass(frozen=True)
class Digits(Experiment):
    """What the runs of this chapter share: digits, several networks at once, Adam along a half cosine.

    Attributes:
        data_set: name of the data set.
        prices: the price of a nat of each network: β of an autoencoder, λ of a bottleneck.
        hidden: widths of an encoder's layers.
        epochs: passes through the training images.
        batch: images in a batch.
        rate: peak learning rate of Adam; rises along the first twentieth of the steps and falls to a fiftieth along a half cosine.
        validation: images held out of the training split.
        draws: codes for each image for judging.
        precision: of the training.
    """

    data_set: str = "mnist-10k"
    prices: tuple[float, ...] = ()
    hidden: tuple[int, ...] = ()
    epochs: int = 100
    batch: int = 100
    rate: float = 1e-3
    validation: int = 1000
    draws: int = 4
    precision: str = "32-true"

    def __post_init__(self) -> None:
        if not self.prices or min(self.prices) < 0 or len(set(self.prices)) < len(self.prices):
            raise ValueError(f"prices must be different numbers of at least 0, at least one, got {self.prices}")

    def data(self) -> dict[str, Any]:
        return told(self.data_set, self.validation)

    def images(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Rows of 784 grey values in [0, 1] with labels: ``train``, ``validation``, ``test``."""
        parts = parted(self.data_set, self.validation)
        return {name: (images.flatten(1).float() / 255, labels) for name, (images, labels) in parts.items()}

    def rate_at(self, step: int, steps: int) -> float:
        """Learning rate at a step of so many."""
        return self.rate * min(1.0, 20 * step / steps) * half_cosine(step, steps, end=0.02)

    def members(self, generator: torch.Generator | None = None) -> Sequence[nn.Module]:
        """The networks with fresh weights, one for each price."""
        raise NotImplementedError

    def restore(self, weights: Mapping[str, Tensor]) -> Bank:
        """The networks with given weights, for evaluation or play; ``members[k]`` is that of the k-th price."""
        bank = Bank(self.members())
        bank.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
        return bank.eval().requires_grad_(False)


@cache
def _linear(data_set: str, validation: int) -> LinearCodes:
    """The linear codes that runs on a data set are compared with, on its test images."""
    images = Digits("of/images", data_set=data_set, prices=(1.0,), validation=validation).images()
    return LinearCodes.fitted(images["train"][0], images["test"][0])


def _named(metric: str, price: float) -> str:
    return f"{metric}_{price:g}"


# ------------------------------------------------------------------------------------------------------------- rate against distortion
# --8<-- [start:rate-distortion]
@dataclass(frozen=True)
class RateDistortion(Digits):
    r"""β-VAEs of several prices, each begun as the best linear code of its water level :math:`D=\beta\sigma^2`.

    Attributes:
        noise: the decoder's variance :math:`\sigma^2` of a pixel.
        latents: of a code.
        channels: of the two convolutions; empty for hidden layers.
    """

    prices: tuple[float, ...] = (1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0)
    hidden: tuple[int, ...] = ()
    epochs: int = 60
    rate: float = 4e-3
    noise: float = 0.1
    latents: int = 48
    channels: tuple[int, ...] = (32, 32)
    # --8<-- [end:rate-distortion]

    tolerance: ClassVar[Mapping[str, float]] = {"*": 0.05}

    @property
    def title(self) -> str:
        return f"β-VAEs of {len(self.prices)} prices on {datasets.info(self.data_set).title}"

    def small(self) -> Self:
        return dataclasses.replace(self, channels=(), hidden=(128, 64), epochs=20)

    def level(self, price: float) -> float:
        """The water level of a price, in squared grey values."""
        return price * self.noise

    def members(self, generator: torch.Generator | None = None) -> Sequence[Autoencoder]:
        size = {"hidden": self.hidden, "channels": self.channels, "generator": generator}
        return [Autoencoder(self.latents, **size) for _ in self.prices]  # type: ignore[arg-type]

    def train(self, run: Run) -> dict[str, Tensor]:
        images = self.images()
        train, held_out = run.to_device(images["train"][0], images["validation"][0])
        members = self.members(torch.Generator().manual_seed(run.seed))
        mean, heights, directions = pca(images["train"][0].double())
        for price, member in zip(self.prices, members, strict=True):
            member.begin(mean, heights, directions, self.level(price))
        bare = Bank(members)
        bank, optimizer = run.setup(bare, torch.optim.Adam(bare.parameters(), lr=self.rate, fused=True))
        batches = run.batches(len(train), self.batch)
        rows_of = batches.by_step(train.device)
        steps = self.epochs * batches.per_epoch
        prices = torch.tensor(self.prices, device=train.device)

        # --8<-- [start:rd-step]
        def step(number: int) -> dict[str, Tensor]:
            x = train[rows_of(number)]
            noise = run.share(torch.randn(self.batch, self.latents, generator=run.shared, device=x.device))
            rate, error = torch.stack(bank(x, noise)).float().mean(-1).T  # (prices,) each
            loss = (error / (2 * self.noise) + prices * rate).sum()
            optimizer.param_groups[0]["lr"] = self.rate_at(number, steps)
            optimizer.zero_grad()
            run.fabric.backward(loss)
            optimizer.step()
            return {"loss": loss}

        # --8<-- [end:rd-step]

        def judge(number: int) -> dict[str, float]:
            found = {}
            for price, member in zip(self.prices, members, strict=True):
                found[_named("val_rate", price)], found[_named("val_error", price)] = judge_autoencoder(member, held_out, seed=JUDGE_SEED)
            return found

        parts = {"bank": bare, "optimizer": optimizer}
        fit(run, step, steps=steps, parts=parts, judge=judge, judge_every=max(1, steps // 25), bound=1e6)
        return dict(bare.state_dict())

    def evaluate(self, weights: Mapping[str, Tensor], run: Run) -> dict[str, float]:
        """Rate, error, and the error of the linear code of that rate, by price; the least lead over linear codes beyond 5 nats.

        ``lead`` is over linear codes fitted to the training images as the networks are; ``lead_fitted`` over any linear code, even one
        that was fitted to the test images themselves.
        """
        (test,) = run.to_device(self.images()["test"][0])
        linear = _linear(self.data_set, self.validation)
        metrics: dict[str, float] = {}
        points = []
        for price, member in zip(self.prices, self.restore(weights).to(run.fabric.device).members, strict=True):
            assert isinstance(member, Autoencoder)
            rate, error = judge_autoencoder(member, test, draws=self.draws, seed=JUDGE_SEED)
            points.append((rate, error))
            metrics |= {_named("rate", price): rate, _named("error", price): error, _named("linear", price): linear.error_at(rate)}
        metrics["lead"] = least_lead(points, linear.error_at, above=ABOVE)
        metrics["lead_fitted"] = least_lead(points, linear.least_error, above=ABOVE)
        return metrics


# ------------------------------------------------------------------------------------------------------------------------- bottleneck
# --8<-- [start:vib]
@dataclass(frozen=True)
class Vib(Digits):
    """Classifiers of digits through a normal code, one for each price λ of a nat.

    Attributes:
        code: numbers in a code.
        random: share of the training labels that are replaced by random ones.
        attack: how far the attack moves each pixel, in grey values.
    """

    prices: tuple[float, ...] = (0.0, 1e-4, 1e-3, 1e-2, 0.1, 0.3, 1.0)
    hidden: tuple[int, ...] = (512, 256)
    draws: int = 12
    code: int = 64
    random: float = 0.0
    attack: float = 0.1
    # --8<-- [end:vib]

    tolerance: ClassVar[Mapping[str, float]] = {"*": 0.01, **{_named("rate", p): 0.5 for p in (0.0, 1e-4)}}

    @property
    def title(self) -> str:
        told = f", {self.random:.0%} of the labels random" if self.random else ""
        return f"bottleneck classifiers of {datasets.info(self.data_set).title} with {self.code} numbers in the code{told}"

    def small(self) -> Self:
        return dataclasses.replace(self, hidden=(256, 128), code=min(self.code, 32), epochs=30 if self.random else 20)

    def members(self, generator: torch.Generator | None = None) -> Sequence[BottleneckClassifier]:
        return [BottleneckClassifier(self.code, CLASSES, hidden=self.hidden, generator=generator) for _ in self.prices]

    def given(self) -> Tensor:
        """The labels of the training images as they are trained on."""
        return relabelled(self.images()["train"][1], CLASSES, self.random, seed=JUDGE_SEED)

    def train(self, run: Run) -> dict[str, Tensor]:
        images = self.images()
        train, given, held_out, truth = run.to_device(images["train"][0], self.given(), *images["validation"])
        members = self.members(torch.Generator().manual_seed(run.seed))
        bare = Bank(members)
        bank, optimizer = run.setup(bare, torch.optim.Adam(bare.parameters(), lr=self.rate, fused=True))
        batches = run.batches(len(train), self.batch)
        rows_of = batches.by_step(train.device)
        steps = self.epochs * batches.per_epoch

        # --8<-- [start:vib-step]
        def step(number: int) -> dict[str, Tensor]:
            rows = rows_of(number)
            noise = run.share(torch.randn(self.batch, self.code, generator=run.shared, device=train.device))
            found = bank(train[rows], noise)
            parts = zip(self.prices, found, strict=True)
            losses = [vib_loss(a.float(), given[rows], m.float(), v.float(), price)[0] for price, (a, m, v) in parts]
            loss = torch.stack(losses).sum()
            optimizer.param_groups[0]["lr"] = self.rate_at(number, steps)
            optimizer.zero_grad()
            run.fabric.backward(loss)
            optimizer.step()
            return {"loss": loss}

        # --8<-- [end:vib-step]

        def judge(number: int) -> dict[str, float]:
            metrics: dict[str, float] = {}
            for price, member in zip(self.prices, members, strict=True):
                found = judge_bottleneck(member, held_out, truth, draws=1, seed=JUDGE_SEED)
                metrics |= {_named(f"val_{key}", price): found[key] for key in ("rate", "error_mean")}
            return metrics

        parts = {"bank": bare, "optimizer": optimizer}
        fit(run, step, steps=steps, parts=parts, judge=judge, judge_every=max(1, steps // 20), bound=1e5)
        return dict(bare.state_dict())

    def evaluate(self, weights: Mapping[str, Tensor], run: Run) -> dict[str, float]:
        """By price, on the test images: what :func:`judge_bottleneck` finds; ``fit`` to the labels trained on; errors under attack.

        ``error_attacked`` is under the network's own gradient, ``error_transferred`` under that of the network of the first price:
        a network may hide its gradient without being any safer.
        """
        images = self.images()
        test, truth, train, given = run.to_device(*images["test"], images["train"][0], self.given())
        members = [m for m in self.restore(weights).to(run.fabric.device).members if isinstance(m, BottleneckClassifier)]
        foreign = fgsm(members[0].surely, test, truth, self.attack)
        metrics: dict[str, float] = {}
        for price, member in zip(self.prices, members, strict=True):
            found = judge_bottleneck(member, test, truth, draws=self.draws, seed=JUDGE_SEED)
            found["fit"] = float((member.surely(train).argmax(-1) == given).double().mean())
            own = fgsm(member.surely, test, truth, self.attack)
            for name, attacked in (("error_attacked", own), ("error_transferred", foreign)):
                found[name] = float((member.surely(attacked).argmax(-1) != truth).double().mean())
            metrics |= {_named(key, price): value for key, value in found.items()}
        return metrics


EXPERIMENTS = register(
    RateDistortion("vae-bottleneck/rate-distortion"),
    Vib("vae-bottleneck/vib"),
    Vib("vae-bottleneck/vib-plane", prices=(1e-3, 1e-2, 0.1), code=2),
    Vib("vae-bottleneck/vib-random", prices=(0.0, 1e-3, 1e-2, 0.1), random=1.0),
)


# ------------------------------------------------------------------------------------------------------------ for the chapter's page
def experiment_of(record: Record) -> RateDistortion | Vib:
    """The experiment of a shipped run, with the settings that it was trained with."""
    from kexue.training.experiment import with_settings
    from kexue.training.registry import find

    experiment = with_settings(find(record.name), record.settings)
    assert isinstance(experiment, (RateDistortion, Vib))
    return experiment


def restore(record: Record) -> dict[float, nn.Module]:
    """The networks of a shipped run by their price."""
    experiment = experiment_of(record)
    return dict(zip(experiment.prices, experiment.restore(record.weights()).members, strict=True))


def by_price(record: Record, metric: str) -> dict[float, tuple[float, float]]:
    """Mean and standard deviation over the seeds of a metric, by price."""
    return {price: (m.mean, m.std) for price in experiment_of(record).prices for m in [record.metrics[_named(metric, price)]]}


def linear_codes(record: Record) -> LinearCodes:
    """The linear codes that a run on these images is compared with, on its test images."""
    experiment = experiment_of(record)
    return _linear(experiment.data_set, experiment.validation)
