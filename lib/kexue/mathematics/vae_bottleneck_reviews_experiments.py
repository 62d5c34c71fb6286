"""The post's experiment with a fair baseline: five readers of Chinese reviews, five seeds each.

``kexue train vae-bottleneck/reviews-vib`` trains one of them. Sizes, batch, epochs and the price λ = 0.1 are the post's; characters take
the place of its 5,000 English words. Everything but the piece named by the reader is the same. The validation reviews choose the moment
whose weights are kept, twice an epoch, in the same way for all; the test reviews choose nothing. No near copy of a test review is among
the others. On a CPU fewer filters look at shorter reviews, for one epoch less; the full settings wait for a GPU.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor

from kexue import datasets
from kexue.mathematics.vae_bottleneck_reviews import FIRST, READERS, Encoded, ReviewNet, by_length, encode, judge, vocabulary
from kexue.training import Experiment, fit, register

if TYPE_CHECKING:
    from kexue.records import Record
    from kexue.training import Run

DATA = "reviews-zh"
JUDGED = 2000  # training reviews judged for the gap between training and test


# --8<-- [start:experiment]
@dataclass(frozen=True)
class Reviews(Experiment):
    """A reader of reviews.

    Attributes:
        reader: key of ``vae_bottleneck_reviews.READERS``.
        length: characters that are read of a review.
        least: occurrences in the training reviews that make a character known.
        embedding: numbers of a character.
        filters: of the convolution.
        code: coordinates of the code.
        batch: reviews in a step.
        epochs: passes over the training reviews.
        points: validations, equally far apart.
        rate: learning rate of Adam.
    """

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    reader: str = "vib"
    length: int = 200
    least: int = 2
    embedding: int = 50
    filters: int = 250
    code: int = 128
    batch: int = 32
    epochs: int = 5
    points: int = 10
    rate: float = 1e-3
    # --8<-- [end:experiment]

    tolerance: ClassVar[Mapping[str, float]] = {"*": 0.002, "loss": 0.01, "rate": 0.05}

    def __post_init__(self) -> None:
        if self.reader not in READERS:
            raise ValueError(f"the reader must be one of {', '.join(READERS)}, got {self.reader!r}")

    @property
    def title(self) -> str:
        return f"praise or blame in Chinese reviews, {READERS[self.reader].title}"

    def small(self) -> Self:
        return dataclasses.replace(self, length=128, filters=100, epochs=4)

    def data(self) -> dict[str, Any]:
        about = datasets.info(DATA)
        train, validation, test = about.splits.values()
        used = f"{train:,} for training, {validation:,} for validation, {test:,} for the test"
        return about.in_a_record(used)

    def model(self, generator: torch.Generator | None = None) -> ReviewNet:
        """The network with fresh weights."""
        sizes = {"embedding": self.embedding, "filters": self.filters, "code": self.code}
        return ReviewNet(READERS[self.reader], FIRST + len(known(self.least)), **sizes, generator=generator or torch.Generator())

    def texts(self, split: str) -> tuple[Encoded, Tensor]:
        """The reviews of a split as numbers, and their labels."""
        return _encoded(split, self.least, self.length)

    def train(self, run: Run) -> dict[str, Tensor]:
        if run.world > 1:
            raise ValueError("these networks are smaller than a message between processes: train them in one")
        (characters, lengths), labels = self._on_device(run, "train")
        held_out = self._on_device(run, "validation")
        model = self.model(run.generator)
        optimizer = torch.optim.Adam(model.parameters(), lr=self.rate, fused=True)
        batches = run.batches(len(labels), self.batch)
        rows_of = batches.by_step(lengths.device, arranged=lambda rows: by_length(rows, lengths))

        # --8<-- [start:step]
        def step(number: int) -> dict[str, Tensor]:
            rows = rows_of(number)
            loss = model.loss(characters[rows], lengths[rows], labels[rows], run.generator)
            optimizer.zero_grad()
            run.fabric.backward(loss)
            optimizer.step()
            return {"loss": loss}

        # --8<-- [end:step]

        def watch(number: int) -> dict[str, float]:
            found = judge(model, *held_out)
            return {"val_error": 1 - found["accuracy"], "val_loss": found["loss"]}

        steps, parts = self.epochs * batches.per_epoch, {"model": model, "optimizer": optimizer}
        fit(run, step, steps=steps, parts=parts, judge=watch, judge_every=max(1, steps // self.points), keep_best="val_error")
        return dict(model.state_dict())

    def evaluate(self, weights: Mapping[str, Tensor], run: Run) -> dict[str, float]:
        model = self.restore(weights).to(run.fabric.device)
        found = judge(model, *self._on_device(run, "test"))
        (characters, lengths), labels = self._on_device(run, "train")
        fitted = judge(model, Encoded(characters[:JUDGED], lengths[:JUDGED]), labels[:JUDGED])
        return found | {"val_accuracy": judge(model, *self._on_device(run, "validation"))["accuracy"], "train_accuracy": fitted["accuracy"]}

    def restore(self, weights: Mapping[str, Tensor]) -> ReviewNet:
        """The network with given weights, for use."""
        model = self.model()
        model.load_state_dict({name: w.float() for name, w in weights.items()})
        return model.eval().requires_grad_(False)

    def _on_device(self, run: Run, split: str) -> tuple[Encoded, Tensor]:
        texts, labels = self.texts(split)
        characters, lengths, labels = run.to_device(*texts, labels)
        return Encoded(characters, lengths), labels


@cache
def known(least: int) -> dict[str, int]:
    """The characters of the training reviews; kept, for the runs of one process share them and none changes them."""
    return vocabulary(datasets.load(DATA, split="train").texts, least=least)


@cache
def _encoded(split: str, least: int, length: int) -> tuple[Encoded, Tensor]:
    data = datasets.load(DATA, split=split)
    return encode(data.texts, known(least), length=length), data.labels


EXPERIMENTS = register(*(Reviews(f"vae-bottleneck/reviews-{key}", reader=key) for key in READERS))


# ------------------------------------------------------------------------------------------------------------ for the chapter's page
@dataclass(frozen=True)
class Row:
    """One reader in the comparison; each measure is mean and standard deviation over the seeds.

    Attributes:
        reader: key of ``READERS``.
        title: in words.
        accuracy: share of right verdicts on the test reviews.
        val_accuracy: the same on the validation reviews.
        train_accuracy: the same on training reviews.
        loss: cross-entropy of the test reviews, in nats.
        rate: nats of a review's code; none where it has no noise.
    """

    reader: str
    title: str
    accuracy: tuple[float, float]
    val_accuracy: tuple[float, float]
    train_accuracy: tuple[float, float]
    loss: tuple[float, float]
    rate: tuple[float, float] | None


def comparison(records: Sequence[Record]) -> list[Row]:
    """The readers of several runs, in the order of :data:`READERS`."""

    def measure(record: Record, name: str) -> tuple[float, float] | None:
        metric = record.metrics.get(name)
        return None if metric is None else (metric.mean, metric.std)

    by_reader = {str(record.settings["reader"]): record for record in records}
    names = ("accuracy", "val_accuracy", "train_accuracy", "loss", "rate")
    rows = [(key, READERS[key].title, *(measure(by_reader[key], name) for name in names)) for key in READERS if key in by_reader]
    return [Row(*row) for row in rows]  # type: ignore[arg-type]


def gain(record: Record, baseline: Record, metric: str = "accuracy") -> tuple[float, float]:
    """How much better a run is than another, seed by seed: mean of the differences and the standard error of that mean.

    Raises:
        ValueError: if the two were not trained with the same seeds, at least two.
    """
    if record.seeds != baseline.seeds or len(record.seeds) < 2:
        raise ValueError(f"a gain needs the same seeds, at least two; got {record.seeds} and {baseline.seeds}")
    differences = [a - b for a, b in zip(record.metrics[metric].seeds, baseline.metrics[metric].seeds, strict=True)]
    return fmean(differences), stdev(differences) / len(differences) ** 0.5


def curve(record: Record, metric: str = "val_error") -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Epochs, and the mean over the seeds of ``val_error``, ``val_loss`` or the training's own ``loss``."""
    per_epoch = datasets.info(DATA).splits["train"] // int(record.settings["batch"])
    return tuple(step / per_epoch for step in record.curve.steps), record.curve.mean(metric)


def restore(record: Record) -> ReviewNet:
    """The network of a shipped run, with its weights."""
    from kexue.training.experiment import with_settings

    experiment = with_settings(Reviews(record.name), record.settings)
    assert isinstance(experiment, Reviews)
    return experiment.restore(record.weights())
