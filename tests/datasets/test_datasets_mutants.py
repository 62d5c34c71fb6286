"""Data sets, where planted errors showed that nothing looked."""

from __future__ import annotations

import dataclasses
import errno
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kexue import datasets
from kexue.datasets import catalogue, loading, store
from kexue.datasets.archives import ArchiveError
from kexue.datasets.images import idx
from kexue.datasets.sources import Source


def header(*shape: int) -> bytes:
    return bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (1, 70_001, 1), (1, 1, 70_000), (2, 2, 2, 3)])
def test_idx_reads_each_length_from_its_four_bytes(shape: tuple[int, ...]) -> None:
    want = (np.arange(np.prod(shape, dtype=np.int64)) % 251).astype(np.uint8).reshape(shape)
    found = idx(header(*shape) + want.tobytes())
    assert found.dtype == np.uint8
    assert found.shape == shape
    np.testing.assert_array_equal(found, want)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"\0\0\x08", "no IDX file of bytes: it begins with 000008, expected 000008"),
        (b"\0\0\x09\x01" + bytes(8), "it begins with 00000901, expected 000008"),
        (b"\x01\0\x08\x01" + bytes(8), "it begins with 01000801"),
        (header(2, 3) + bytes(5), r"IDX file of shape \(2, 3\) should hold 6 bytes and holds 5"),
        (header(2, 3) + bytes(7), r"should hold 6 bytes and holds 7"),
        (header(2, 3)[:8] + b"\1", r"IDX file of shape \(2, 1\) should hold 2 bytes and holds 0"),  # cut within the header
    ],
)
def test_idx_of_another_kind_or_length(raw: bytes, words: str) -> None:
    with pytest.raises(ArchiveError, match=words):
        idx(raw)


def test_every_source_of_the_book_offers_what_a_source_must() -> None:
    members = {name: member for name, member in vars(Source).items() if not name.startswith("_")}
    properties = {name for name, member in members.items() if isinstance(member, property)}
    assert properties == {"root", "files", "by_hand"}
    assert {name for name, member in members.items() if callable(member)} == {"fetch", "check"}
    sources = [source for spec in catalogue.SPECS.values() for source in spec.sources]
    assert len(sources) > 5
    for source in sources:
        assert isinstance(source.root, str)
        assert isinstance(source.files, tuple)
        assert all(isinstance(name, str) and name for name in source.files)
        assert isinstance(source.by_hand, str)
        assert {source.local, source.archived} <= {True, False}
        assert source.local == (not source.by_hand)  # what comes over a network can also be put there by hand


def test_the_bar_counts_in_megabytes_and_vanishes(
    tiny: Any, make: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tiny(make.stand(make.good, "npm package tiny 1"))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with loading._bar(spec.info, spec.sources[0], True) as tick:
        tick(spec.info.download)
        tick(spec.info.download + 10)  # more than was announced: the bar stays full
    shown = capsys.readouterr().err
    assert f"{spec.info.download}/{spec.info.download}" in shown.replace(".0", "")
    assert "B/s" in shown
    assert shown.endswith("\r")  # nothing is left on the line
    big = type(spec.info)(**{**vars(spec.info), "download": 30_000_000})
    with loading._bar(big, spec.sources[0], True) as tick:
        tick(15_000_000)
    assert "15.0M/30.0M" in capsys.readouterr().err
    assert datasets.info("tiny").download == spec.info.download


def test_declarations_and_sources_cannot_be_changed_and_can_be_compared() -> None:
    for spec in catalogue.SPECS.values():
        for thing in (spec, spec.info, *spec.sources):
            assert dataclasses.is_dataclass(thing)
            assert thing == dataclasses.replace(thing)  # type: ignore[type-var]
            field = dataclasses.fields(thing)[0].name
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(thing, field, getattr(thing, field))


@pytest.mark.parametrize(("age", "left"), [(0.0, True), (24 * 3600 - 60.0, True), (24 * 3600 + 60.0, False)])
def test_what_a_killed_process_left_is_cleared_away_after_a_day(tmp_path: Path, age: float, left: bool) -> None:
    stale, other = tmp_path / ".part-digits-1", tmp_path / "part-of-mine"
    for folder in (stale, other):
        folder.mkdir()
        (folder / "file").write_text("x")
        os.utime(folder, (time.time() - age, time.time() - age))
    store._sweep(tmp_path)
    assert (stale.is_dir(), other.is_dir()) == (left, True)


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "is full"), (errno.EDQUOT, "is full"), (errno.EROFS, "can't be written to"), (errno.EACCES, "can't be written to"),
     (errno.EPERM, "can't be written to"), (errno.EIO, "can't be used")],
)  # fmt: skip
def test_an_error_of_the_disk_is_told_by_its_kind(tmp_path: Path, number: int, words: str) -> None:
    told = store._disk_error(OSError(number, "the reason"), tmp_path)
    assert told.startswith(("The disk that holds", "The data folder"))
    assert words in told
    assert "the reason" in told
    assert "KEXUE_DATA" in told
