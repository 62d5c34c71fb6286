"""Decoders of the picture sets: from the files of their packages to arrays in a fixed order."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .archives import Archive, ArchiveError

__all__ = ["digits", "fashion_mnist", "hash_order", "idx", "mnist_10k", "split_by_hash"]

Columns = dict[str, NDArray[Any] | list[str]]


def idx(raw: bytes) -> NDArray[np.uint8]:
    """Read an IDX file of bytes, the format of MNIST and its like: two zeros, a type, the number of axes, their lengths, the data.

    >>> idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]))
    array([7, 8, 9], dtype=uint8)

    Raises:
        ArchiveError: another type, or not as long as the header says.
    """
    if len(raw) < 4 or raw[:3] != b"\0\0\x08":
        raise ArchiveError(f"no IDX file of bytes: it begins with {raw[:4].hex()}, expected 000008")
    axes = raw[3]
    shape = tuple(int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(axes))
    data = np.frombuffer(raw, np.uint8, offset=min(4 + 4 * axes, len(raw)))
    if data.size != np.prod(shape, dtype=np.int64):
        raise ArchiveError(f"IDX file of shape {shape} should hold {np.prod(shape, dtype=np.int64)} bytes and holds {data.size}")
    return data.reshape(shape)


def hash_order(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows ordered by the SHA-256 of pixels and label: as good as shuffled, and the same on every machine for ever."""
    pairs = zip(images, labels, strict=True)
    keys = [hashlib.sha256(image.tobytes() + int(label).to_bytes(8, "little")).digest() for image, label in pairs]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int64)


def split_by_hash(images: NDArray[np.uint8], labels: NDArray[np.int64], test: int) -> Columns:
    """Order rows by content hash, test rows last, each class with its share of the `test` rows.

    Exact copies are dropped first. The share of class :math:`c` is :math:`t\\, n_c / n` rounded by largest remainder, so that the
    shares add up to :math:`t`. Neither the order of the rows nor any random generator enters.

    Args:
        images: ``(N, H, W)``.
        labels: ``(N,)``.
        test: how many rows the test split shall have, t.

    Returns:
        Columns ``images`` and ``labels``, training rows first.

    Raises:
        ValueError: more test rows than distinct rows.
    """
    order = hash_order(images, labels)
    images, labels = images[order], labels[order]
    first = np.sort(np.unique(images.reshape(len(images), -1), axis=0, return_index=True)[1])  # of each set of copies
    images, labels = images[first], labels[first]
    if not 0 <= test <= len(labels):
        raise ValueError(f"test must be between 0 and the number of distinct rows, {len(labels)}; it is {test}")
    classes, counts = np.unique(labels, return_counts=True)
    exact = test * counts / counts.sum()
    share = np.floor(exact).astype(np.int64)
    share[np.argsort(share - exact, kind="stable")[: test - share.sum()]] += 1
    in_test = np.zeros(len(labels), bool)
    for cls, size in zip(classes, share, strict=True):
        in_test[np.flatnonzero(labels == cls)[:size]] = True
    rows = np.concatenate([np.flatnonzero(~in_test), np.flatnonzero(in_test)])
    return {"images": images[rows], "labels": labels[rows]}


def digits(archive: Archive) -> Columns:
    """The 8×8 digits of scikit-learn: 64 counts from 0 to 16, then the label, in each line."""
    (raw,) = archive.read("digits.csv.gz")
    table = np.loadtxt(gzip.decompress(raw).decode("ascii").splitlines(), delimiter=",")
    images = table[:, :-1].astype(np.uint8).reshape(-1, 8, 8)
    return split_by_hash(images, table[:, -1].astype(np.int64), test=360)


def mnist_10k(archive: Archive) -> Columns:
    """MNIST digits, a JSON file of k/255 a class. The numbers are rounded to three decimals; rounding 255 x gives k back exactly."""
    files = archive.read(*(f"{digit}.json" for digit in range(10)))
    parts = [np.rint(255 * np.array(json.loads(raw)["data"])).astype(np.uint8).reshape(-1, 28, 28) for raw in files]
    labels = np.repeat(np.arange(10, dtype=np.int64), [len(part) for part in parts])
    return split_by_hash(np.concatenate(parts), labels, test=len(labels) // 5)


def fashion_mnist(archive: Archive) -> Columns:
    """Fashion-MNIST, four gzipped IDX files; the official order and splits are kept."""
    names = [f"{split}-{part}-ubyte.gz" for split in ("train", "t10k") for part in ("images-idx3", "labels-idx1")]
    train_x, train_y, test_x, test_y = (idx(gzip.decompress(raw)) for raw in archive.read(*names))
    return {"images": np.concatenate([train_x, test_x]), "labels": np.concatenate([train_y, test_y]).astype(np.int64)}
