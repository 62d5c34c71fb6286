"""Decoders of texts: from the files of their packages to strings, with splits that keep copies on one side."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .archives import Archive, ArchiveError
from .spec import Column

__all__ = ["bare", "distinct", "near_copies", "newsgroups", "peoples_daily", "reviews", "split_groups"]

Columns = dict[str, Column]
RUN = 12  # characters in common, in one run, that make two reviews near copies
REVIEW_SPLITS = {"train": 11_320, "validation": 2_000, "test": 4_000}


def bare(text: str) -> str:
    """A text's letters and figures alone, full-width forms made plain, small letters: what makes two texts the same.

    >>> bare("２、性价比 高！ OK")
    '2性价比高ok'
    """
    return "".join(c for c in unicodedata.normalize("NFKC", text).lower() if c.isalnum())


def distinct(texts: Sequence[str], labels: Sequence[int]) -> tuple[list[str], list[int]]:
    """Each text once, in alphabetical order, without those that have two labels or no letter at all.

    Two texts are the same if :func:`bare` of them is; the first in alphabetical order stands for all.

    >>> distinct(["好。", "好", "差", "差！", "……", "一般"], [1, 1, 0, 1, 0, 0])
    (['一般', '好'], [0, 1])
    """
    known: dict[str, tuple[str, set[int]]] = {}
    for text, label in sorted(zip(texts, labels, strict=True)):
        known.setdefault(bare(text), (text, set()))[1].add(label)
    kept = [(text, found) for key, (text, found) in known.items() if key and len(found) == 1]
    return [text for text, _ in kept], [next(iter(found)) for _, found in kept]


def near_copies(texts: Sequence[str], *, run: int = RUN) -> list[int]:
    """For each text a number that it shares with its near copies, and with theirs: the least index of the group.

    Near copies have `run` characters in a row in common, letters and figures alone being looked at (:func:`bare`).

    >>> near_copies(["abcd1", "xyz", "2abcd, 3", "d3!"], run=2)
    [0, 1, 0, 0]
    """
    parent = list(range(len(texts)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    owner: dict[str, int] = {}
    for i, text in enumerate(texts):
        plain = bare(text)
        for at in range(len(plain) - run + 1):
            a, b = sorted((root(owner.setdefault(plain[at : at + run], i)), root(i)))
            parent[b] = a
    return [root(i) for i in range(len(texts))]


def split_groups(texts: Sequence[str], groups: Sequence[int], sizes: Mapping[str, int]) -> NDArray[np.int64]:
    """The rows in an order that is as good as shuffled, splits one after the other, no group in two of them.

    Groups are taken by the SHA-256 of their first text, the same on every machine; each goes to the last of the splits that still
    has room for all of it.

    Args:
        texts: n strings.
        groups: n numbers, equal for texts that must stay together.
        sizes: rows of each split, in their order; the sum is n.

    Raises:
        ValueError: the sizes do not add up, or a group is too large for what is left.
    """
    if sum(sizes.values()) != len(texts):
        raise ValueError(f"the splits have {sum(sizes.values())} rows together, expected {len(texts)}")
    key = [hashlib.sha256(text.encode("utf8")).digest() for text in texts]
    members: dict[int, list[int]] = {}
    for i, group in enumerate(groups):
        members.setdefault(group, []).append(i)
    rows: dict[str, list[int]] = {name: [] for name in sizes}
    for together in sorted(members.values(), key=lambda group: key[group[0]]):
        fitting = [name for name in sizes if len(rows[name]) + len(together) <= sizes[name]]
        if not fitting:
            raise ValueError(f"no split has room for a group of {len(together)} rows")
        rows[fitting[-1]] += together
    return np.array([i for part in rows.values() for i in sorted(part, key=key.__getitem__)], np.int64)


def reviews(archive: Archive) -> Columns:
    """Chinese reviews, 1 for praise and 0 for blame: copies dropped, near copies in one split."""
    praise, blame = (raw.decode("utf8").split("\n") for raw in archive.read("sentiment/pos.txt", "sentiment/neg.txt"))
    lines = [line.strip() for line in [*praise, *blame]]
    texts, labels = distinct(lines, [1] * len(praise) + [0] * len(blame))
    order = split_groups(texts, near_copies(texts), REVIEW_SPLITS)
    return {"texts": [texts[i] for i in order], "labels": np.array(labels, np.int64)[order]}


def peoples_daily(archive: Archive) -> Columns:
    """Lines of the newspaper in their order: the words of a line parted by blanks, and as many tags parted by blanks.

    Raises:
        ArchiveError: a word without a tag.
    """
    (raw,) = archive.read("tag/199801.txt")
    texts, tags = [], []
    for number, line in enumerate(raw.decode("utf8").split("\n"), 1):
        pairs = [token.rpartition("/") for token in line.split()]
        if not all(word and tag for word, _, tag in pairs):
            raise ArchiveError(f"line {number} of tag/199801.txt has a word without a tag")
        if pairs:
            texts.append(" ".join(word for word, _, _ in pairs))
            tags.append(" ".join(tag for _, _, tag in pairs))
    return {"texts": texts, "tags": tags}


def newsgroups(archive: Archive, classes: Sequence[str]) -> Columns:
    """Letters to twenty news groups, the official training part first; lines without a text are left out.

    Raises:
        ValueError: a group that is not among `classes`.
    """
    texts, labels = [], []
    for raw in archive.read("20newsgroups-train.tab", "20newsgroups-test.tab"):
        for line in raw.decode("utf8").split("\n")[3:]:  # names, types and roles of the columns
            group, _, text = line.partition("\t")
            if text.strip():
                texts.append(text.strip())
                labels.append(classes.index(group))
    return {"texts": texts, "labels": np.array(labels, np.int64)}
