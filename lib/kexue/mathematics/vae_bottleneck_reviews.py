r"""The post's reader of reviews, with and without a bottleneck: characters, one convolution, the maximum over places, a verdict.

Each character becomes a vector; a window of three characters gives one number a filter; the largest over all places goes on. Then the
networks differ, and :data:`READERS` names them: the post's own baseline answers from there at once, the fair one has the layer that a
bottleneck needs, without its noise and its price, and a rival drops half of the features at random.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from kexue.mathematics.vae_bottleneck import gaussian_kl, sample_code, vib_loss
from kexue.mathematics.vae_bottleneck_forgetting import dropped, linear

__all__ = ["READERS", "Encoded", "Reader", "ReviewNet", "by_length", "encode", "judge", "vocabulary"]

PAD, UNKNOWN, FIRST = 0, 1, 2  # places of no character, of a rare one, and of the most frequent one
WINDOW = 3  # characters that a filter sees


# --8<-- [start:readers]
@dataclass(frozen=True)
class Reader:
    """What stands between the features and the verdict.

    Attributes:
        title: in words.
        layer: whether there is a linear layer to a code.
        weight: price of a nat of the code's rate, λ; ``None`` for a code without noise.
        dropout: share of the features left out at random in each step.
    """

    title: str
    layer: bool = True
    weight: float | None = None
    dropout: float = 0.0


READERS: Mapping[str, Reader] = {
    "post": Reader("no layer: the post's baseline", layer=False),
    "linear": Reader("linear layer: the fair baseline"),
    "dropout": Reader("linear layer, dropout 0.5", dropout=0.5),
    "vib": Reader("VIB, λ = 0.1, as in the post", weight=0.1),
    "vib-low": Reader("VIB, λ = 0.01", weight=0.01),
}
# --8<-- [end:readers]


# --------------------------------------------------------------------------------------------------------------------------- the texts
def vocabulary(texts: Sequence[str], *, least: int = 2) -> dict[str, int]:
    """Numbers of the characters that occur at least so often, the most frequent first, equals by code point.

    >>> vocabulary(["好好看", "不好看"])
    {'好': 2, '看': 3}
    """
    count = Counter(character for text in texts for character in text)
    kept = sorted((-n, character) for character, n in count.items() if n >= least)
    return {character: FIRST + i for i, (_, character) in enumerate(kept)}


class Encoded(NamedTuple):
    """Texts as numbers ``(N, length)``, padded at the end, and how many characters each has ``(N,)``."""

    characters: Tensor
    lengths: Tensor


def encode(texts: Sequence[str], known: Mapping[str, int], *, length: int) -> Encoded:
    """Texts as numbers of their characters; what is beyond `length` is cut off.

    Raises:
        ValueError: for an empty text.

    >>> encode(["好看", "看不懂吗"], {"好": 2, "看": 3}, length=3)
    Encoded(characters=tensor([[2, 3, 0],
            [3, 1, 1]]), lengths=tensor([2, 3]))
    """
    rows = [[known.get(character, UNKNOWN) for character in text[:length]] for text in texts]
    if not all(rows):
        raise ValueError(f"a text must have at least one character; number {[bool(row) for row in rows].index(False)} has none")
    padded = torch.tensor([row + [PAD] * (length - len(row)) for row in rows]).view(-1, length)
    return Encoded(padded, torch.tensor([len(row) for row in rows]))


def by_length(batches: Tensor, lengths: Tensor, *, together: int = 16) -> Tensor:
    """Batches of rows that are about equally long, so that little of a batch is padding.

    The rows of `together` batches are put in order of their length and cut into batches anew; these come in the order of their first
    rows' numbers, which is as good as random.

    Args:
        batches: numbers of rows, ``(batches, size)``.
        lengths: of all rows, ``(N,)``.
        together: batches that are put in order together.

    Returns:
        The same rows, ``(batches, size)``.
    """
    found = []
    for group in torch.split(batches, together):
        rows = group.flatten()
        ordered = rows[lengths[rows].argsort(stable=True)].view_as(group)
        found.append(ordered[ordered[:, 0].argsort()])
    return torch.cat(found)


# ------------------------------------------------------------------------------------------------------------------------- the network
# --8<-- [start:network]
class ReviewNet(nn.Module):
    """Characters to a verdict; see :class:`Reader` for what lies between.

    Args:
        reader: what stands between the features and the verdict.
        characters: how many are known, padding and unknown included.
        embedding: numbers of a character.
        filters: of the convolution.
        code: coordinates of the code.
        generator: source of the first weights.
    """

    def __init__(
        self, reader: Reader, characters: int, *, embedding: int = 50, filters: int = 250, code: int = 128, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.reader = reader
        first = torch.empty(characters, embedding, device=generator.device).uniform_(-0.05, 0.05, generator=generator)
        self.embedding = nn.Embedding(characters, embedding, _weight=first)
        self.filters = linear(WINDOW * embedding, filters, generator)
        if reader.layer:
            self.mean = linear(filters, code, generator)
        if reader.weight is not None:
            self.log_variance = linear(filters, code, generator)
        self.answer = linear(code if reader.layer else filters, 2, generator)

    def features(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """The greatest answer of each filter over a text's places, at least 0, ``(B, filters)``."""
        characters = characters[:, : int(lengths.max())]
        outside = torch.arange(characters.shape[1], device=characters.device) >= lengths[:, None]  # (B, L)
        vectors = self.embedding(characters).masked_fill(outside[:, :, None], 0)
        beside = functional.pad(vectors, (0, 0, 1, 1))  # (B, L + 2, E)
        windows = torch.cat([beside[:, :-2], beside[:, 1:-1], beside[:, 2:]], 2)  # (B, L, 3 E)
        found: Tensor = self.filters(windows).masked_fill(outside[:, :, None], -math.inf).max(1).values
        return found.relu()

    def law(self, characters: Tensor, lengths: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor | None]:
        """Mean of the code, and its log-variance if it is noisy; a generator switches dropout on."""
        x = self.features(characters, lengths)
        if self.reader.dropout and generator is not None:
            x = dropped(x, self.reader.dropout, generator)
        mean = self.mean(x) if self.reader.layer else x
        return mean, None if self.reader.weight is None else self.log_variance(x)

    def loss(self, characters: Tensor, lengths: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """What training lowers, in nats."""
        mean, log_variance = self.law(characters, lengths, generator)
        if log_variance is None or self.reader.weight is None:
            return functional.cross_entropy(self.answer(mean), labels)
        z = sample_code(mean, log_variance, generator=generator)
        return vib_loss(self.answer(z), labels, mean, log_variance, self.reader.weight)[0]

    def forward(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """Logits of blame and praise, ``(B, 2)``, from the mean of the code."""
        answer: Tensor = self.answer(self.law(characters, lengths)[0])
        return answer


# --8<-- [end:network]


@torch.no_grad()
def judge(model: ReviewNet, texts: Encoded, labels: Tensor, *, batch: int = 250) -> dict[str, float]:
    """Share of right verdicts, cross-entropy in nats, and the rate of the codes if they are noisy: means over the texts."""
    order = texts.lengths.argsort(stable=True)
    totals: dict[str, float] = defaultdict(float)
    for rows in torch.split(order, batch):
        part = texts.characters[rows], texts.lengths[rows]
        mean, log_variance = model.law(*part)
        logits = model.answer(mean)
        totals["accuracy"] += int((logits.argmax(1) == labels[rows]).sum())
        totals["loss"] += float(functional.cross_entropy(logits.double(), labels[rows], reduction="sum"))
        if log_variance is not None:
            totals["rate"] += float(gaussian_kl(mean.double(), log_variance.double()).sum())
    return {name: total / len(labels) for name, total in totals.items()}
