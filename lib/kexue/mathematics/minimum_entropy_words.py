r"""Word vectors by least entropy, from counts: a sentence is a reader, and two words near each other in it are two books of one visit.

Everything needed of a corpus is the table of pair counts, ``counts[i, j]``: how often word j stood within a window around word i. It is
symmetric, and its diagonal is nought, for no word predicts itself here. Vectors are trained on batches of the table's *rows*; a row is one
word with all that was ever seen near it, so that an epoch costs N² inner products however long the corpus is.

Associates of *first order* stand beside a word (bread, butter), those of *second order* stand in its place (bread, cake).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from kexue.mathematics.minimum_entropy import distance_logits, dot_logits, pmi
from kexue.mathematics.minimum_entropy_readers import STOPS, frequent

__all__ = [
    "associates",
    "cosines",
    "decoded",
    "encoded",
    "entrance",
    "held_out",
    "kinds",
    "law_of_vectors",
    "mean_cost",
    "nearest",
    "pair_counts",
    "pearson",
    "positive_pmi",
    "row_cost",
    "row_logits",
    "sentences",
    "share_of_kind",
    "share_unseen",
    "share_within",
    "svd_vectors",
    "untagged",
    "vocabulary",
    "without_row_selves",
]

Sentence = list[tuple[str, str]]  # words with their tags
Law = Callable[[Tensor], Tensor]  # numbers of words (B,) to log q(j | i) (B, N)
MARK = "w"  # tag of punctuation
CHUNK = 500  # rows at a time where a whole table is looked at


# ------------------------------------------------------------------------------------------------------------------------ the corpus
def sentences(texts: Iterable[str], tags: Iterable[str]) -> list[Sentence]:
    """Sentences as lists of (word, tag), without punctuation and without empty ones.

    Args:
        texts: lines of words separated by blanks.
        tags: the tags of the same words, likewise.

    >>> sentences(["天 晴 。 好 ！"], ["n a w a w"])
    [[('天', 'n'), ('晴', 'a')], [('好', 'a')]]
    """
    found: list[Sentence] = []
    for text, tag_line in zip(texts, tags, strict=True):
        current: Sentence = []
        for word, tag in zip(text.split(" "), tag_line.split(" "), strict=True):
            if tag != MARK:
                current.append((word, tag))
            elif word in STOPS:
                found.append(current)
                current = []
        found.append(current)
    return [s for s in found if s]


def untagged(texts: Iterable[str]) -> list[Sentence]:
    """Texts that have neither stops nor tags: each is one sentence, the tags of its words are empty.

    >>> untagged(["the sky is", " ", "clear"])
    [[('the', ''), ('sky', ''), ('is', '')], [('clear', '')]]
    """
    found = ([(word, "") for word in text.split()] for text in texts)
    return [s for s in found if s]


def held_out(labels: Tensor, *, share: int = 10) -> Tensor:
    """Which of some texts are kept for validation, ``(N,)``: of each class the last n // share, by place.

    >>> held_out(torch.tensor([0, 0, 1, 1, 1, 0]), share=3).tolist()
    [False, False, False, False, True, True]
    """
    kept = torch.zeros(len(labels), dtype=torch.bool)
    for label in sorted(set(labels.tolist())):
        places = (labels == label).nonzero()[:, 0]
        kept[places[len(places) - len(places) // share :]] = True
    return kept


def vocabulary(corpus: Iterable[Sentence], size: int) -> tuple[str, ...]:
    """The `size` most frequent words, the most frequent first; words of equal count in the order of their characters.

    Raises:
        ValueError: if the corpus has fewer words.
    """
    words = frequent(([word for word, _ in sentence] for sentence in corpus), size)
    if size < 2 or len(words) < size:
        raise ValueError(f"a vocabulary has at least 2 words, and the corpus has {len(words)} of those asked for, got {size}")
    return tuple(words)


def kinds(corpus: Iterable[Sentence], words: Sequence[str]) -> tuple[str, ...]:
    """The kind of each word: the first letter of its most frequent tag (of two equally frequent ones the earlier in the alphabet).

    Of words without a tag the kind is empty.
    """
    count: dict[str, Counter[str]] = {word: Counter() for word in words}
    for sentence in corpus:
        for word, tag in sentence:
            if word in count:
                count[word][tag[:1]] += 1
    return tuple(min(count[word], key=lambda kind: (-count[word][kind], kind)) for word in words)


def encoded(words: Iterable[str]) -> Tensor:
    """Words as bytes, one a line, to stand beside their vectors in a file of tensors: uint8 ``(M,)``."""
    return torch.frombuffer(bytearray("\n".join(words).encode("utf8")), dtype=torch.uint8)


def decoded(lines: Tensor) -> tuple[str, ...]:
    """The words of :func:`encoded`.

    >>> decoded(encoded(["晴", "sky"]))
    ('晴', 'sky')
    """
    return tuple(bytes(lines.tolist()).decode("utf8").split("\n"))


# --8<-- [start:counts]
def pair_counts(corpus: Iterable[Sentence], words: Sequence[str], window: int) -> Tensor:
    """How often word j stood at most `window` words before or behind word i, in the same sentence: float32 ``(N, N)``.

    Words that are not in the list are left out before the distances are counted. The table is symmetric; its diagonal is nought.
    """
    if window < 1:
        raise ValueError(f"window must be at least 1, got {window}")
    number = {word: i for i, word in enumerate(words)}
    rows = [np.array([number[word] for word, _ in sentence if word in number], dtype=np.int64) for sentence in corpus]
    ids = np.concatenate([np.zeros(0, np.int64), *rows])
    reader = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    size = len(words)
    places = [np.zeros(0, np.int64)]
    for gap in range(1, min(window, len(ids) - 1) + 1):
        same = reader[gap:] == reader[:-gap]
        places.append(ids[:-gap][same] * size + ids[gap:][same])
    counts = torch.from_numpy(np.bincount(np.concatenate(places), minlength=size * size)).view(size, size).float()
    return (counts + counts.T).fill_diagonal_(0)


# --8<-- [end:counts]


# ------------------------------------------------------------------------------------------------------------- cost, rows at a time
def row_logits(model: str, vectors: Tensor, contexts: Tensor, rows: Tensor) -> Tensor:
    """Scores ``(B, N)`` of all words near the words `rows`: inner products, or minus squared distances for ``"distance"``."""
    score = distance_logits if model == "distance" else dot_logits
    return without_row_selves(score(vectors[rows], contexts), rows)


def without_row_selves(logits: Tensor, rows: Tensor) -> Tensor:
    """The same scores ``(B, N)`` with minus infinity where word ``rows[b]`` would predict itself."""
    return logits.scatter(1, rows[:, None], -math.inf)


# --8<-- [start:row-cost]
def row_cost(counts: Tensor, logits: Tensor) -> Tensor:
    r"""Nats that some rows of the table cost, :math:`-\sum_{ij}\#(i,j)\log q(j\mid i)`.

    Over all rows, and divided by the sum of the counts, this is :func:`kexue.mathematics.minimum_entropy.entropy`.
    """
    log_q = logits.log_softmax(1)
    return -(counts * log_q.masked_fill(counts == 0, 0)).sum()


# --8<-- [end:row-cost]


@torch.no_grad()
def mean_cost(counts: Tensor, law: Law) -> float:
    """Mean cost of a pair in nats under a law, ``-sum counts * log q / sum counts``; held-out counts may have empty rows."""
    total = 0.0
    for rows in torch.split(torch.arange(len(counts), device=counts.device), CHUNK):
        total += float(row_cost(counts[rows], law(rows)).double())
    return total / float(counts.double().sum())


def law_of_vectors(model: str, vectors: Tensor, contexts: Tensor, *, popularity: Tensor | None = None, scale: float = 1.0) -> Law:
    r"""The law that vectors predict, :math:`q(j\mid i)\propto p(j)\,e^{\alpha s_{ij}}`; without popularity p is the same for all.

    Vectors that stand for PMI (of negative sampling, of a decomposed table) need the popularity of the second word; a softmax learns it.

    Args:
        model: ``"distance"``, or any other name for inner products.
        vectors: ``(N, n)``.
        contexts: ``(N, n)``, the same as the vectors if they are tied.
        popularity: shares p ``(N,)``.
        scale: :math:`\alpha`.
    """
    bias = 0.0 if popularity is None else popularity.log()
    return lambda rows: (scale * row_logits(model, vectors, contexts, rows) + bias).log_softmax(1)


def entrance(vectors: Tensor, popularity: Tensor) -> dict[str, float]:
    r"""What distances predict of popularity, and what they find.

    Readers who stand about the origin with variance :math:`\sigma^2` in every coordinate see a word at v with
    :math:`\log p=(2\sigma^2-1)\lVert v\rVert^2+` const.

    Args:
        vectors: of a distance model, ``(N, n)``.
        popularity: shares p of the words, ``(N,)``; a reader stands at word j with probability p(j).

    Returns:
        ``sigma2``, the mean over the coordinates of :math:`\sum_jp(j)v_j^2`; ``slope_law``, :math:`2\sigma^2-1`; and ``slope``, that of
        :math:`\log p` in :math:`\lVert v\rVert^2` by least squares over the words.
    """
    square = vectors.square()
    sigma2 = float((popularity @ square).mean())
    length = square.sum(1).double()
    slope = torch.cov(torch.stack([length, popularity.double().log()]))[0, 1] / length.var()
    return {"sigma2": sigma2, "slope_law": 2 * sigma2 - 1, "slope": float(slope)}


# ------------------------------------------------------------------------------------------------------- the baseline: a decomposition
def positive_pmi(counts: Tensor) -> Tensor:
    """PMI where it is positive, 0 elsewhere, ``(N, N)``, of a table of counts."""
    return pmi(counts / counts.sum()).clamp_min(0)


def svd_vectors(table: Tensor, n: int) -> tuple[Tensor, Tensor]:
    r"""The best rank-n factors :math:`U\sqrt\Sigma` and :math:`V\sqrt\Sigma` of a table ``(N, N)``, each ``(N, n)``, largest first."""
    from scipy.sparse.linalg import svds

    u, s, vt = svds(table.double().cpu().numpy(), k=n, v0=np.ones(len(table)))
    order = np.argsort(-s)
    root = np.sqrt(s[order])
    left, right = u[:, order] * root, vt[order].T * root
    return torch.from_numpy(left.copy()).to(table), torch.from_numpy(right.copy()).to(table)


# ------------------------------------------------------------------------------------------------------------------------ neighbours
def cosines(vectors: Tensor, rows: Tensor) -> Tensor:
    """Cosines ``(B, N)`` of the angles between the vectors of some rows and all vectors; 0 for a vector of nought."""
    unit = vectors / vectors.norm(dim=1, keepdim=True).clamp_min(1e-12)
    angles: Tensor = unit[rows] @ unit.T
    return angles


def nearest(score: Tensor, rows: Tensor, count: int) -> Tensor:
    """The `count` words of the highest score ``(B, N)`` for each row, itself left out, the highest first: ``(B, count)``."""
    if not 1 <= count < score.shape[1]:
        raise ValueError(f"count must be between 1 and {score.shape[1] - 1}, got {count}")
    return without_row_selves(score, rows).topk(count).indices


def associates(counts: Tensor, rows: Tensor, count: int, *, order: int, seen: int = 5) -> Tensor:
    """The strongest associates of some words, ``(B, count)``.

    Args:
        counts: the table, ``(N, N)``.
        rows: numbers of words, ``(B,)``.
        count: associates of each.
        order: 1 for those beside it: the highest PMI among the words seen near it at least `seen` times (the others follow behind);
            2 for those in its place: the highest cosine of the rows of positive PMI.
        seen: see above.

    Raises:
        ValueError: for another order.
    """
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order!r}")
    table = pmi(counts / counts.sum())
    if order == 1:
        return nearest(torch.where(counts[rows] >= seen, table[rows], -1e9), rows, count)
    return nearest(cosines(table.clamp_min(0), rows), rows, count)


def share_within(neighbours: Tensor, lists: Tensor) -> float:
    """Share of the neighbours ``(B, k)`` that stand in the lists ``(B, m)`` of their words.

    >>> share_within(torch.tensor([[1, 2], [3, 4]]), torch.tensor([[2, 9, 1], [5, 6, 4]]))
    0.75
    """
    return float((neighbours[:, :, None] == lists[:, None, :]).any(2).double().mean())


def share_of_kind(neighbours: Tensor, rows: Tensor, of: Sequence[str]) -> float:
    """Share of the neighbours ``(B, k)`` that are of the same kind as their word.

    >>> share_of_kind(torch.tensor([[1, 2]]), torch.tensor([0]), "nnv")
    0.5
    """
    letters = sorted(set(of))
    code = torch.tensor([letters.index(kind) for kind in of])
    return float((code[neighbours.cpu()] == code[rows.cpu()][:, None]).double().mean())


def share_unseen(neighbours: Tensor, rows: Tensor, counts: Tensor) -> float:
    """Share of the neighbours ``(B, k)`` that were never seen near their word, by the table ``(N, N)``.

    >>> share_unseen(torch.tensor([[1, 2]]), torch.tensor([0]), torch.tensor([[0, 3, 0], [3, 0, 0], [0, 0, 0]]))
    0.5
    """
    return float((counts[rows[:, None], neighbours] == 0).double().mean())


def pearson(x: Tensor, y: Tensor) -> float:
    """Pearson's correlation of two sequences ``(M,)``.

    >>> pearson(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 4.0, 6.0]))
    1.0
    """
    if x.shape != y.shape or x.ndim != 1 or len(x) < 2:
        raise ValueError(f"two sequences of the same length, at least 2, are correlated, got {tuple(x.shape)} and {tuple(y.shape)}")
    return float(torch.corrcoef(torch.stack([x.double(), y.double()]))[0, 1])
