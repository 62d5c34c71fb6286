"""The chapter's findings on words, held against two corpora by their shipped runs.

A finding is a number and a bar. The bars are those that People's Daily had been held to; they stood before any vector of 20 Newsgroups
was trained. A finding holds if every seed is within the bar.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from kexue.mathematics import minimum_entropy_words as words
from kexue.mathematics.minimum_entropy_experiments import CORPORA, NEIGHBOURS, WAYS, Words
from kexue.records import Claim, Metric, Record, claim, load
from kexue.training.experiment import with_settings

__all__ = ["FINDINGS", "Finding", "Ways", "difference", "experiment_of", "findings", "neighbours_of", "runs"]

Ways = Mapping[str, Record]  # key of WAYS -> its run


def runs(data_set: str) -> dict[str, Record]:
    """The shipped runs of a corpus, by their way."""
    return {way: load(f"minimum-entropy/{CORPORA[data_set]}-{way}") for way in WAYS}


def difference(one: Metric, other: Metric | float) -> Metric:
    """One metric less another, seed by seed.

    >>> difference(Metric((3.0, 5.0)), Metric((1.0, 1.0))).seeds, difference(Metric((3.0, 5.0)), 1).seeds
    ((2.0, 4.0), (2.0, 4.0))
    """
    others = other.seeds if isinstance(other, Metric) else (other,) * len(one.seeds)
    return Metric(tuple(a - b for a, b in zip(one.seeds, others, strict=True)))


@dataclass(frozen=True)
class Finding:
    """A number of the shipped runs of a corpus, and where it must lie.

    Attributes:
        text: what is measured, in words.
        measure: runs by way -> the number, by seed.
        low: bound from below, exclusive.
        high: bound from above, exclusive.
    """

    text: str
    measure: Callable[[Ways], Metric]
    low: float
    high: float = math.inf

    @property
    def bar(self) -> str:
        """The bounds in signs.

        >>> Finding("a", lambda ways: Metric((1.0,)), 0.5).bar, Finding("a", lambda ways: Metric((1.0,)), -0.5, 0.5).bar
        ('> 0.5', '± 0.5')
        """
        if self.high == math.inf:
            return f"> {self.low:g}"
        return f"± {self.high:g}" if self.low == -self.high else f"{self.low:g} to {self.high:g}"

    def holds(self, ways: Ways) -> bool:
        """Whether every seed is within the bounds."""
        return all(self.low < value < self.high for value in self.measure(ways).seeds)

    def cell(self, ways: Ways) -> str:
        """The number with its spread, to three places, and whether the finding holds; a dash where the corpus cannot tell."""
        try:
            found = self.measure(ways)
        except KeyError:
            return "–"
        return f"{found.mean:.3f} ± {found.std:.3f} {'✓' if self.holds(ways) else '✗'}"

    def claim(self, name: str, ways: Ways, *, of: str) -> Claim:
        """Assert that the mean over the seeds is within the bounds, and give it to the prose.

        Args:
            name: of the claim.
            ways: runs of a corpus.
            of: the corpus, for the text of the claim.

        Raises:
            ClaimError: if it is not.
        """
        value, text = self.measure(ways).mean, f"{of}: {self.text}"
        if self.high == math.inf:
            return claim(name, value, ">", self.low, text=text)
        return claim(name, value, "≈", (self.low + self.high) / 2, abs=(self.high - self.low) / 2, text=text)


def _metric(way: str, key: str) -> Callable[[Ways], Metric]:
    return lambda ways: ways[way].metrics[key]


def _over(way: str, other: str, key: str) -> Callable[[Ways], Metric]:
    return lambda ways: difference(ways[way].metrics[key], ways[other].metrics[key])


FINDINGS = {
    "pmi": Finding("negative sampling: correlation of products with PMI", _metric("sgns", "pmi_correlation"), 0.8),
    "lack": Finding(
        "negative sampling: what products lack of PMI, less log 5",
        lambda ways: difference(ways["sgns"].metrics["pmi_lack"], math.log(5)),
        -0.15,
        0.15,
    ),
    "rarity": Finding("distances: correlation of |v| with −log p", _metric("distance", "norm_rarity"), 0.5),
    "slope": Finding(
        "distances: slope of log p in |v|², less 2σ² − 1",
        lambda ways: difference(ways["distance"].metrics["slope"], ways["distance"].metrics["slope_law"]),
        -0.05,
        0.05,
    ),
    "saved": Finding(
        "unseen: nats that two vectors save over popularity",
        lambda ways: difference(ways["untied"].metrics["popularity_cost"], ways["untied"].metrics["cost"]),
        0.3,
    ),
    "svd": Finding("unseen: nats that two vectors save over the decomposition", _over("svd", "untied", "cost"), 0.05),
    "tying": Finding("unseen: nats that one vector costs more than two", _over("tied", "untied", "cost"), 0),
    "distance": Finding("unseen: nats that distances cost more than the decomposition", _over("distance", "svd", "cost"), 0),
    "beside": Finding("neighbours beside the word, one vector less two", _over("tied", "untied", "first_order"), 0.1),
    "met": Finding("neighbours never seen near the word, two vectors less one", _over("untied", "tied", "never_met"), 0),
    "kind": Finding("neighbours of the word’s part of speech, two vectors less one", _over("untied", "tied", "same_kind"), 0.03),
}


def findings(corpora: Mapping[str, Ways]) -> list[list[str]]:
    """Rows of a table: what is measured, its bar, and for each corpus the number and whether it is within."""
    return [[f.text, f.bar, *(f.cell(ways) for ways in corpora.values())] for f in FINDINGS.values()]


# ------------------------------------------------------------------------------------------------------------------------ neighbours
def experiment_of(record: Record) -> Words:
    """The experiment of a shipped run, with the settings that it was trained with."""
    experiment = with_settings(Words(record.name), record.settings)
    assert isinstance(experiment, Words)
    return experiment


def neighbours_of(record: Record, word: str, count: int = NEIGHBOURS) -> tuple[str, ...]:
    """The words nearest to a word, by a shipped run; its weights hold its words, so that no corpus is read.

    Raises:
        ValueError: if the word is not in the vocabulary.
    """
    weights = record.weights()
    known = words.decoded(weights["words"])
    if word not in known:
        raise ValueError(f"{word!r} is not among the {len(known):,} words of the vocabulary")
    near = experiment_of(record).neighbours(weights["vectors"].float(), torch.tensor([known.index(word)]), count)
    return tuple(known[k] for k in near[0].tolist())
