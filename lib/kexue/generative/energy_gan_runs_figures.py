"""Figures and tables of the energy chapter's shipped runs; their alternative texts say what the records say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from kexue import datasets, figures
from kexue.generative.energy_gan_experiments import SAMPLE_SEED, LeftOut, Stacked, Variant
from kexue.generative.energy_gan_training import sample
from kexue.training.experiment import with_settings

if TYPE_CHECKING:
    from torch import Tensor

    from kexue.generative.energy_gan_networks import Energy, Generator
    from kexue.records import Metric, Record

__all__ = [
    "CLEARLY",
    "TITLES",
    "anomaly_bars",
    "energy_gaps",
    "floor",
    "found",
    "modes_table",
    "restore",
    "sample_grid",
    "stacked_grid",
    "variants_table",
]

CLEARLY = 1.5  # an area under the curve counts as clearly above the prevalence from this many times its size
TITLES = {"linear": "linear", "softplus": "softplus", "r1r2": "softplus, R1 + R2", "hinge": "hinge", "entropy": "softplus + entropy term"}
SHORT = TITLES | {"r1r2": "R1 + R2", "entropy": "entropy"}  # beside images
LOW_IS_GOOD = ("kid", "frechet")


def _variant(record: Record) -> str:
    return record.name.rsplit("-", 1)[1]


def _titles(records: Sequence[Record]) -> list[str]:
    return [TITLES[_variant(record)] for record in records]


def restore(record: Record) -> tuple[Generator, Energy]:
    """Generator and energy of a shipped run, with its weights."""
    kind = {"Variant": Variant, "LeftOut": LeftOut, "Stacked": Stacked}[record.experiment.rsplit(":", 1)[1]]
    experiment = with_settings(kind(record.name), record.settings)
    assert isinstance(experiment, (Variant, LeftOut, Stacked))
    return experiment.restore(record.weights())


def drawn(record: Record, count: int) -> Tensor:
    """The first images that a run's scores are computed from, ``(count, colours, 28, 28)`` in [0, 1]."""
    return sample(restore(record)[0], count, generator=torch.Generator().manual_seed(SAMPLE_SEED))


def best(records: Sequence[Record], metric: str) -> Record:
    """The run with the best mean of a metric."""
    sign = -1 if metric in LOW_IS_GOOD else 1
    return max(records, key=lambda record: sign * record.metrics[metric].mean)


def spread(metric: Metric, digits: int = 2, factor: float = 1.0) -> str:
    """Mean ± standard deviation over the seeds, both times a factor."""
    return f"{factor * metric.mean:.{digits}f} ± {factor * metric.std:.{digits}f}".replace("-", "−")


# --------------------------------------------------------------------------------------------------------------------------- variants
def sample_grid(records: Sequence[Record], *, name: str, caption: str, count: int = 12) -> figures.Shown:
    """A row of images for each variant, all from the same codes; nothing is picked out."""
    rows = np.stack([drawn(record, count)[:, 0].numpy() for record in records])
    near, far = best(records, "frechet"), max(records, key=lambda record: record.metrics["frechet"].mean)
    alt = (
        f"{count} images of each of {len(records)} variants of one training. By Fréchet distance {TITLES[_variant(near)]} comes nearest "
        f"to the test images ({near.metrics['frechet'].mean:.1f}) and {TITLES[_variant(far)]} stays farthest "
        f"({far.metrics['frechet'].mean:.1f})."
    )
    return figures.image_grid(rows, name=name, alt=alt, caption=caption, row_labels=[SHORT[_variant(r)] for r in records], limits=(0, 1))


def floor(data_set: str, count: int = 2000) -> dict[str, float]:
    """The scores of real images: training images in the place of samples, against as many test images."""
    from kexue.generative.scores import image_scores

    train, test = (datasets.load(data_set, split=split) for split in ("train", "test"))
    draw = torch.Generator().manual_seed(SAMPLE_SEED)
    scores = image_scores(test.images[:count], train.images[:count], data_set=data_set, generator=draw)
    share = train.labels[:count].bincount(minlength=10).double() / min(count, len(train.labels))
    return scores | {"class_entropy": float(torch.special.entr(share).sum())}


def variants_table(records: Sequence[Record], *, name: str, caption: str, real: Mapping[str, float] | None = None) -> figures.Shown:
    """Scores of the variants of one data set, mean ± standard deviation over the seeds.

    Args:
        records: of one data set.
        name: of the table.
        caption: of the table.
        real: scores of real images, such as :func:`floor`, for a last row.
    """
    header = ["loss", "KID × 100", "Fréchet distance", "precision", "recall", "class entropy (ln 10 = 2.30)"]
    columns = {"kid": (100, 1), "frechet": (1, 1), "precision": (1, 2), "recall": (1, 2), "class_entropy": (1, 2)}
    rows = []
    for record, title in zip(records, _titles(records), strict=True):
        rows.append([title, *(spread(record.metrics[key], digits, factor) for key, (factor, digits) in columns.items())])
    if real is not None:
        values = (f"{factor * real[key]:.{digits}f}".replace("-", "−") for key, (factor, digits) in columns.items())
        rows.append(["training images", *values])
    return figures.table(rows, header=header, name=name, caption=caption)


def energy_gaps(records: Sequence[Record], *, name: str, caption: str) -> figures.Shown:
    """Mean energy of the fakes above that of the data, along the training."""
    gaps = {}
    for record, title in zip(records, _titles(records), strict=True):
        gaps[title] = np.asarray(record.curve["fake"]) - np.asarray(record.curve["real"])  # (seeds, points)
    last = {title: float(values[:, -1].mean()) for title, values in gaps.items()}
    wide, narrow = max(last, key=lambda t: last[t]), min(last, key=lambda t: last[t])
    alt = (
        f"How much higher fakes lie than data, by step. At the end {wide} keeps them {last[wide]:.2f} apart, the most, "
        f"and {narrow} {last[narrow]:.2f}, the least."
    )
    words = {"xlabel": "step", "ylabel": "mean energy of fakes − of data"}
    return figures.curves(gaps, records[0].curve.steps, name=name, alt=alt, caption=caption, yscale="log", **words)


# ------------------------------------------------------------------------------------------------------------------- left-out digits
def found(records: Sequence[Record], metric: str = "auprc", *, factor: float = CLEARLY) -> int:
    """On how many left-out digits a score's area under the curve is at least ``factor`` times the prevalence."""
    return sum(record.metrics[metric].mean >= factor * record.metrics["prevalence"].mean for record in records)


def anomaly_bars(records: Sequence[Record], *, name: str, caption: str) -> figures.Shown:
    """Area under the precision-recall curve for each left-out digit: the energy, the prevalence, and two plain scores beside it."""
    at = np.arange(len(records))
    mean = {key: np.array([record.metrics[key].mean for record in records]) for key in records[0].metrics}
    with figures.axes("text", 3.4) as (fig, ax):
        ax.bar(at, mean["auprc"], 0.6, color=figures.colour("one"), label="energy U")
        for place, record in zip(at, records, strict=True):
            values = record.metrics["auprc"].seeds
            if len(values) > 1:
                ax.plot([place] * len(values), values, ".", color=figures.colour("fg"), markersize=4)
        ax.plot(at, mean["auprc_nearest"], "D", color=figures.colour("two"), label="distance to the nearest training image")
        ax.plot(at, mean["auprc_components"], "s", color=figures.colour("three"), label="residual of principal components")
        ax.hlines(mean["prevalence"], at - 0.4, at + 0.4, color=figures.colour("fg"), linestyles="--", label="prevalence")
        ax.set_xticks(at, [str(record.settings["left_out"]) for record in records])
        ax.set(xlabel="digit left out of training", ylabel="area under precision-recall", ylim=(0, 1))
        ax.legend(ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.18))
        nearest = int((mean["auprc_nearest"] > mean["auprc"]).sum())
        alt = (
            f"The energy's area is at least {CLEARLY} times the prevalence on {found(records)} of {len(records)} left-out digits "
            f"(mean {mean['auprc'].mean():.2f}, prevalence {mean['prevalence'].mean():.2f}); the distance to the nearest training image "
            f"does better than the energy on {nearest} (mean {mean['auprc_nearest'].mean():.2f})."
        )
        return figures.show(fig, name=name, alt=alt, caption=caption)


# --------------------------------------------------------------------------------------------------------------------- stacked digits
def modes_table(records: Mapping[str, Record], *, name: str, caption: str) -> figures.Shown:
    """Modes of the stacked digits that occur, and how unequal their shares are.

    Args:
        records: by what stands in the first column.
        name: of the table.
        caption: of the table.
    """
    rows = [[title, spread(r.metrics["modes"], 0), spread(r.metrics["divergence"])] for title, r in records.items()]
    return figures.table(rows, header=["training", "modes of 1,000", "divergence, nats"], name=name, caption=caption)


def stacked_grid(records: Mapping[str, Record], *, name: str, caption: str, count: int = 12) -> figures.Shown:
    """The three colours of stacked digits below one another, for each training."""
    rows, labels = [], []
    for title, record in records.items():
        images = drawn(record, count).numpy()  # (count, 3, 28, 28)
        rows += [images[:, colour] for colour in range(3)]
        labels += [title, "", ""]
    modes = ", ".join(f"{record.metrics['modes'].mean:.0f} with {title}" for title, record in records.items())
    alt = f"{count} stacked digits of each training, one colour a row; modes found out of 1,000: {modes}."
    return figures.image_grid(np.stack(rows), name=name, alt=alt, caption=caption, row_labels=labels, limits=(0, 1))
