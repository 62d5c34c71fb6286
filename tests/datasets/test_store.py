"""The cache: the hash against one written out by hand, writing whole or not at all, the folder's choice, broken disks."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexue.datasets import DataError, store


def test_content_hash_is_the_documented_bytes() -> None:
    arrays = {"b": np.array([[1, 2, 3]], np.int16), "a": np.array([], np.float32)}
    want = hashlib.sha256(b"a <f4 0\n" + b"b <i2 1x3\n" + bytes([1, 0, 2, 0, 3, 0])).hexdigest()
    assert store.content_hash(arrays) == want


def test_content_hash_does_not_see_memory_layout() -> None:
    x = np.arange(12, dtype=np.int32).reshape(3, 4)
    same = [x, np.asfortranarray(x), x.astype(">i4"), np.repeat(x, 2, axis=1)[:, ::2]]
    assert len({store.content_hash({"x": y}) for y in same}) == 1
    other = [x.T, x.astype(np.int64), x + 1, x.reshape(4, 3)]
    assert len({store.content_hash({"x": y}) for y in [x, *other]}) == 5


@given(st.lists(st.text()))
def test_texts_come_back(texts: list[str]) -> None:
    kept = [t.encode("utf8", "replace").decode("utf8") for t in texts]
    arrays = store.pack({"texts": kept, "n": np.arange(3)})
    back = store.unpack(arrays)
    assert back["texts"] == tuple(kept)
    assert list(back["n"]) == [0, 1, 2]
    assert set(back) == {"texts", "n"}


def test_tables_of_different_lengths_come_back() -> None:
    tables = [np.arange(4.0).reshape(2, 2), np.zeros((0, 2)), np.array([[7.0, 8.0]], ">f8")]
    arrays = store.pack({"pairs": tables, "texts": ["a"], "n": np.arange(3, dtype=">i4")})
    assert {name: array.dtype.str for name, array in arrays.items()} == {
        "n": "<i4", "pairs": "<f8", "pairs.stops": "<i8", "texts": "|u1", "texts.ends": "<i8"
    }  # fmt: skip
    assert arrays["pairs.stops"].tolist() == [2, 2, 3]
    back = store.unpack(arrays)
    assert list(back) == ["n", "pairs", "texts"]
    assert [table.tolist() for table in back["pairs"]] == [[[0, 1], [2, 3]], [], [[7, 8]]]
    assert back["texts"] == ("a",)


def test_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, root: Path) -> None:
    monkeypatch.setenv("KEXUE_DATA", "~/somewhere")
    assert store.folder() == Path.home() / "somewhere"
    monkeypatch.delenv("KEXUE_DATA")
    assert store.folder() == root / ".data"
    monkeypatch.setattr(store, "__file__", str(tmp_path / "a/b/c/store.py"))  # the library installed away from the project
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert store.folder() == tmp_path / "kexue"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert store.folder() == Path.home() / ".cache" / "kexue"


def test_written_then_read(tiny: Any, make: Any) -> None:
    spec = tiny()
    arrays = {"labels": np.arange(10).reshape(5, 2), **store.pack({"texts": ["春", "眠不", "", "abc", "覺"]})}
    with store.scratch("tiny") as part:
        path = store.write(spec.info, arrays, part)
        assert part.is_dir()
    assert list(store.folder().iterdir()) == [path]
    assert path.name == f"tiny-{spec.info.sha256[:16]}.safetensors"
    back = store.read(spec.info)
    assert all(np.array_equal(back[k], arrays[k]) and back[k].dtype == arrays[k].dtype for k in arrays)


@pytest.mark.parametrize("spoil", ["cut", "flip", "other", "empty", "metadata"])
def test_damage_is_named_with_file_and_hash(tiny: Any, spoil: str) -> None:
    spec = tiny()
    arrays = {"labels": np.arange(10).reshape(5, 2), **store.pack({"texts": ["春", "眠不", "", "abc", "覺"]})}
    with store.scratch("tiny") as part:
        path = store.write(spec.info, arrays, part)
    raw = path.read_bytes()
    flipped = raw[:-1] + bytes([raw[-1] ^ 1])
    path.write_bytes({"cut": raw[:-3], "flip": flipped, "other": b"<html>", "empty": b"", "metadata": b"\xff" * 8 + raw[8:]}[spoil])
    with pytest.raises(DataError, match="damaged") as error:
        store.read(spec.info)
    assert str(path) in str(error.value)
    if spoil == "flip":
        assert f"expected {spec.info.sha256}" in str(error.value)


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.ENOSPC, "is full"), (errno.EROFS, "can't be written to"), (errno.EACCES, "can't be written to"), (errno.EIO, "can't be used")],
)
def test_a_broken_disk_leaves_nothing(tiny: Any, monkeypatch: pytest.MonkeyPatch, code: int, words: str) -> None:
    spec = tiny()

    def fail(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DataError, match=words) as error, store.scratch("tiny") as part:
        store.write(spec.info, {"labels": np.arange(3)}, part)
    assert "KEXUE_DATA" in str(error.value)
    assert list(store.folder().iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("KEXUE_DATA", str(tmp_path / "file" / "data"))
    with pytest.raises(DataError, match="can't be used"), store.scratch("tiny"):
        pytest.fail("the folder can't be there")
    assert (tmp_path / "file").read_text() == "in the way"


def test_old_scratch_folders_are_swept(cache: Path) -> None:
    old, young = cache / ".part-x-1-a", cache / ".part-x-2-b"
    for folder in (old, young):
        folder.mkdir(parents=True)
    os.utime(old, (time.time() - 10 * 24 * 3600,) * 2)
    with store.scratch("tiny"):
        assert not old.exists()
        assert young.exists()
