"""Weights of networks as data sets: the shipped ones, and the reader of PyTorch's files."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kexue import datasets
from kexue.datasets import store, weights
from kexue.datasets.archives import ArchiveError, open_archive
from kexue.datasets.catalogue import SPECS


def saved(content: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    torch.save(content, out, **options)
    return out.getvalue()


def test_content() -> None:
    data = datasets.load("efficientnet-lite0")
    about = data.info
    assert len(data) == about.count == sum(w.numel() for w in data.weights.values())
    assert about.bytes == 4 * about.count
    assert all(w.dtype == torch.float32 and bool(torch.isfinite(w).all()) for w in data.weights.values())
    assert all(bool((w >= 0).all()) for name, w in data.weights.items() if name.endswith("running_var"))
    assert data.weights["_fc.weight"].shape == (1000, 1280)
    assert "numbers" in about.unit
    data.weights["_fc.bias"].zero_()  # a caller may change what it has
    assert datasets.load("efficientnet-lite0").weights["_fc.bias"].abs().max() > 0


def test_neither_splits_nor_pictures() -> None:
    with pytest.raises(ValueError, match="no split 'train'; its splits: none"):
        datasets.load("efficientnet-lite0", split="train")
    with pytest.raises(AttributeError, match="no tensor 'images'"):
        _ = datasets.load("efficientnet-lite0").images
    with pytest.raises(AttributeError, match="'digits' holds items, not the weights of a network"):
        _ = datasets.load("digits").weights


@pytest.mark.parametrize("zipped", [True, False])
def test_reading_what_pytorch_saved(zipped: bool) -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    want = model.state_dict()
    found = weights.state_dict(saved(want, _use_new_zipfile_serialization=zipped))
    assert set(found) == set(want) - {"1.num_batches_tracked"}
    assert all(np.array_equal(np.asarray(found[name]), want[name].numpy()) for name in found)


class Harm:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (Path("harm-done"), "")


@pytest.mark.parametrize(
    ("raw", "match"),
    [
        (b"", "no weights can be read: the file ends too early"),
        (b"PK\x03\x04 cut off", "no weights can be read"),
        (saved({"a": torch.zeros(3)})[:-40], "no weights can be read"),
        (pickle.dumps({"a": Harm()}, protocol=2), "no weights can be read"),
        (saved({"a": Harm()}), "no weights can be read"),
        (saved([torch.zeros(3)]), "holds list, expected tensors by name"),
        (saved({"a": 1.0}), "holds dict, expected tensors by name"),
    ],
)
def test_files_that_are_no_weights(raw: bytes, match: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code inside a file is not run."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArchiveError, match=match):
        weights.state_dict(raw)
    assert list(tmp_path.iterdir()) == []


def test_the_wheel(tmp_path: Path) -> None:
    """The decoder reads the one file of the package's folder; without it the error names what is missing."""
    spec = SPECS["efficientnet-lite0"]
    (source,) = spec.sources
    want = {"a.weight": torch.arange(6.0).view(2, 3)}
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as wheel:
        wheel.writestr(f"{source.root}/efficientnet-lite0-57934424.pth", saved(want))
    columns = spec.decode(open_archive(tmp_path / "x.whl", source.root))
    assert store.content_hash(store.pack(columns)) == store.content_hash({"a.weight": want["a.weight"].numpy()})
    with pytest.raises(ArchiveError, match="holds no elsewhere/"):
        spec.decode(open_archive(tmp_path / "x.whl", "elsewhere"))
