"""Word vectors of two corpora by five ways: ``kexue train minimum-entropy/words-tied``, ``minimum-entropy/newsgroups-tied``.

The vocabulary is the most frequent words of the training texts, as the corpus cuts them; the table counts pairs within a window. All ways
get the same table and the same dimension. The rate is the best of four in short runs of seed 0, judged on the validation lines of
People's Daily, and happened to be the same for all ways; on validation texts, too, the best weights of each run and the scale of the
decomposition's products are chosen. The window of five was never varied. The test texts are looked at once.

20 Newsgroups, the second corpus, has the settings of the first; none was chosen for it. It differs in three things that it lacks: it has
no stops, so that a window reaches across the ends of sentences, a letter being one; no tags, so that its words have no kind; and no
validation part, which the last tenth of each group's training letters becomes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import compress
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor, nn

from kexue import datasets
from kexue.mathematics import minimum_entropy_words as words
from kexue.mathematics.minimum_entropy import conditional_entropy, distance_logits, pmi, sgns_loss
from kexue.training import Experiment, fit, register
from kexue.training.rates import half_cosine

if TYPE_CHECKING:
    from kexue.training import Run

WAYS = {
    "tied": "one vector a word, inner products",
    "untied": "two vectors a word, inner products",
    "distance": "one vector a word, distances",
    "sgns": "two vectors a word, negative sampling",
    "svd": "positive PMI, decomposed",
}
#: data sets, and what their runs are called
CORPORA = {"peoples-daily": "words", "20-newsgroups": "newsgroups"}
OFTEN = 50  # times that a pair must be seen for its PMI to be compared
ASKED, NEIGHBOURS, ASSOCIATES = 1000, 10, 50  # most frequent words asked, neighbours of each, associates of each
SCALES = tuple(k / 8 for k in range(1, 17))  # of the decomposition's products


# --8<-- [start:experiment]
@dataclass(frozen=True)
class Words(Experiment):
    """Vectors of words trained on the pair counts of a corpus.

    Attributes:
        way: a key of ``WAYS``.
        data_set: name of the data set.
        size: words in the vocabulary.
        n: dimension of the vectors.
        window: words on either side that count as near.
        negatives: k of negative sampling; its loss takes their expectation.
        epochs: passes through the rows of the table.
        batch: rows, that is words, in a batch.
        rate: peak learning rate of Adam, lowered to a fiftieth along a half cosine.
        spread: standard deviation of the first vectors' entries.
        precision: of the training.
    """

    way: str = "untied"
    data_set: str = "peoples-daily"
    size: int = 10_000
    n: int = 64
    window: int = 5
    negatives: float = 5.0
    epochs: int = 100
    batch: int = 250
    rate: float = 4e-2
    spread: float = 0.1
    precision: str = "32-true"
    # --8<-- [end:experiment]

    tolerance: ClassVar[Mapping[str, float]] = {"*": 0.01}

    def __post_init__(self) -> None:
        if self.way not in WAYS:
            raise ValueError(f"the way must be one of {', '.join(WAYS)}, got {self.way!r}")

    @property
    def title(self) -> str:
        return f"vectors of {self.size:,} words of {datasets.info(self.data_set).title}: {WAYS[self.way]}"

    def small(self) -> Self:
        return dataclasses.replace(self, size=4000, epochs=30)

    def data(self) -> dict[str, Any]:
        about = datasets.info(self.data_set)
        used = ", ".join(f"{len(_texts(self.data_set, split)['texts']):,} texts for {split}" for split in ("train", "validation", "test"))
        return about.in_a_record(used)

    def table(self, split: str) -> Tensor:
        """Pair counts ``(N, N)`` of a split, over the vocabulary of the training lines."""
        return _table(self.data_set, split, self.size, self.window)

    def vocabulary(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The words, the most frequent first, and their kinds."""
        return _vocabulary(self.data_set, self.size)

    def train(self, run: Run) -> dict[str, Tensor]:
        """The vectors, with the words that they are of and the logarithms of the words' shares, which the laws of PMI need."""
        counts = self.table("train")
        names = {"words": words.encoded(self.vocabulary()[0]), "log_popularity": (counts.sum(0) / counts.sum()).log()}
        return (self._decomposed() if self.way == "svd" else self._trained(run)) | names

    def _trained(self, run: Run) -> dict[str, Tensor]:
        counts, held_out = run.to_device(self.table("train"), self.table("validation"))
        popularity = counts.sum(0) / counts.sum()
        bare = Vectors(self.size, self.n, tied=self.way in ("tied", "distance"), spread=self.spread, seed=run.seed)
        model, optimizer = run.setup(bare, torch.optim.Adam(bare.parameters(), lr=self.rate, fused=True))
        batches = run.batches(self.size, self.batch)
        rows_of = batches.by_step(counts.device)
        steps = self.epochs * batches.per_epoch
        part = counts.sum() * (self.batch // run.world) / self.size  # pairs in a batch, on average

        # --8<-- [start:step]
        def step(number: int) -> dict[str, Tensor]:
            rows = rows_of(number)
            scores, seen = model(self.way, rows), counts[rows]  # (B, N) each
            if self.way == "sgns":
                loss = sgns_loss(seen, scores, negatives=self.negatives, noise=popularity) * seen.sum() / part
            else:
                loss = words.row_cost(seen, scores) / part
            optimizer.param_groups[0]["lr"] = self.rate * half_cosine(number, steps, end=0.02)
            optimizer.zero_grad()
            run.fabric.backward(loss)
            optimizer.step()
            return {"loss": loss}

        # --8<-- [end:step]

        def judge(number: int) -> dict[str, float]:
            return {"val_cost": words.mean_cost(held_out, self.law(bare.state_dict(), popularity))}

        parts = {"model": bare, "optimizer": optimizer}
        fit(run, step, steps=steps, parts=parts, judge=judge, judge_every=max(1, steps // 15), keep_best="val_cost", bound=1e4)
        return dict(bare.state_dict())

    def _decomposed(self) -> dict[str, Tensor]:
        """The baseline's vectors, and the scale of their products that costs least on the validation lines."""
        counts, held_out = self.table("train"), self.table("validation")
        popularity = counts.sum(0) / counts.sum()
        left, right = words.svd_vectors(words.positive_pmi(counts), self.n)
        found = {"vectors": left, "contexts": right}
        cost = {a: words.mean_cost(held_out, self.law(found | {"scale": torch.tensor(a)}, popularity)) for a in SCALES}
        return found | {"scale": torch.tensor(min(cost, key=lambda a: cost[a]))}

    def law(self, weights: Mapping[str, Tensor], popularity: Tensor) -> words.Law:
        """What the vectors predict; those that stand for PMI are given the popularity of the second word."""
        given = popularity if self.way in ("sgns", "svd") else None
        scale = float(weights.get("scale", torch.tensor(1.0)))
        return words.law_of_vectors(self.way, weights["vectors"], contexts_of(weights), popularity=given, scale=scale)

    def evaluate(self, weights: Mapping[str, Tensor], run: Run) -> dict[str, float]:
        """Costs in nats a pair; what neighbours are; how well products follow PMI and norms follow rarity."""
        found = {name: w.to(run.fabric.device) for name, w in weights.items()}
        counts, test = run.to_device(self.table("train"), self.table("test"))
        popularity = counts.sum(0) / counts.sum()
        law = self.law(found, popularity)
        alone = words.law_of_vectors("", torch.zeros_like(found["vectors"]), torch.zeros_like(found["vectors"]), popularity=popularity)
        metrics = {
            "pairs": float(counts.double().sum()) / 2,
            "train_cost": words.mean_cost(counts, law),
            "cost": words.mean_cost(test, law),
            "popularity_cost": words.mean_cost(test, alone),
            "floor": float(conditional_entropy((counts / counts.sum()).double())),
        }
        norm = contexts_of(found).norm(dim=1)
        metrics["norm_rarity"] = words.pearson(norm, -popularity.log())
        if self.way == "distance":
            metrics |= words.entrance(found["vectors"], popularity)
        metrics |= self._products(found, counts)
        return metrics | self._neighbours(found["vectors"])

    def _products(self, weights: Mapping[str, Tensor], counts: Tensor) -> dict[str, float]:
        """Products of frequent pairs against PMI: the correlation, and the mean of what the products lack."""
        i, j = (counts >= min(OFTEN, float(counts.max()))).nonzero().T
        score = words.row_logits(self.way, weights["vectors"], contexts_of(weights), torch.arange(len(counts), device=counts.device))[i, j]
        truth = pmi(counts / counts.sum())[i, j]
        return {"pmi_correlation": words.pearson(score, truth), "pmi_lack": float((truth - score).double().mean())}

    def _neighbours(self, vectors: Tensor) -> dict[str, float]:
        """Of the nearest ten of each frequent word the shares among its associates of either order, never seen near it, and of its kind."""
        first, second = _associates(self.data_set, self.size, self.window)
        asked = torch.arange(len(first), device=vectors.device)
        near, asked = self.neighbours(vectors, asked, min(NEIGHBOURS, self.size - 1)).cpu(), asked.cpu()
        kinds = self.vocabulary()[1]
        return {
            "first_order": words.share_within(near, first),
            "second_order": words.share_within(near, second),
            "never_met": words.share_unseen(near, asked, self.table("train")),
        } | ({"same_kind": words.share_of_kind(near, asked, kinds)} if any(kinds) else {})

    def neighbours(self, vectors: Tensor, rows: Tensor, count: int) -> Tensor:
        """The words nearest to some words, ``(B, count)``: of least distance, or of least angle where products were trained."""
        score = distance_logits(vectors[rows], vectors) if self.way == "distance" else words.cosines(vectors, rows)
        return words.nearest(score, rows, count)


class Vectors(nn.Module):
    """One vector a word, or two."""

    def __init__(self, size: int, n: int, *, tied: bool, spread: float, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.vectors = nn.Parameter(spread * torch.randn(size, n, generator=generator))
        self.contexts = None if tied else nn.Parameter(spread * torch.randn(size, n, generator=generator))

    def forward(self, way: str, rows: Tensor) -> Tensor:
        """Scores ``(B, N)`` of all words near some."""
        return words.row_logits(way, self.vectors, self.vectors if self.contexts is None else self.contexts, rows)


def contexts_of(weights: Mapping[str, Tensor]) -> Tensor:
    """The second vector of each word: the first itself where they are tied."""
    return weights.get("contexts", weights["vectors"])


def _texts(data_set: str, split: str) -> Mapping[str, Sequence[str]]:
    """The texts of a split, with their tags if they have any; see the module for the validation part of a corpus that has none."""
    official = datasets.info(data_set).splits
    ours = split != "test" and "validation" not in official
    found = datasets.load(data_set, split="train" if ours else split)
    columns = {"texts": found.texts} | ({"tags": found.tags} if "tags" in found.columns else {})
    if not ours:
        return columns
    kept = words.held_out(found.labels) == (split == "validation")
    return {name: list(compress(column, kept.tolist())) for name, column in columns.items()}


@cache
def _sentences(data_set: str, split: str) -> list[words.Sentence]:
    found = _texts(data_set, split)
    return words.sentences(found["texts"], found["tags"]) if "tags" in found else words.untagged(found["texts"])


@cache
def _vocabulary(data_set: str, size: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    corpus = _sentences(data_set, "train")
    found = words.vocabulary(corpus, size)
    return found, words.kinds(corpus, found)


@cache
def _table(data_set: str, split: str, size: int, window: int) -> Tensor:
    """Kept: the runs of one process share it and none writes to it."""
    return words.pair_counts(_sentences(data_set, split), _vocabulary(data_set, size)[0], window)


@cache
def _associates(data_set: str, size: int, window: int) -> tuple[Tensor, Tensor]:
    """Associates of first and second order of the most frequent words, in the training lines."""
    counts = _table(data_set, "train", size, window)
    rows = torch.arange(min(ASKED, size))
    count = min(ASSOCIATES, size - 1)
    return words.associates(counts, rows, count, order=1), words.associates(counts, rows, count, order=2)


EXPERIMENTS = register(
    *(Words(f"minimum-entropy/{run}-{way}", way=way, data_set=data_set) for data_set, run in CORPORA.items() for way in WAYS)
)
