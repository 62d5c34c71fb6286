"""Records and files, where planted errors showed that nothing looked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import kexue
from kexue.records import Metric, Record, files
from kexue.records import record as record_module
from kexue.records.table import ProvenanceTable


def rows(**changes: Any) -> dict[str, str]:
    """The rows of a record's table."""
    values: dict[str, Any] = {
        "name": "tiny/one", "title": "a run", "experiment": "tests:Tiny", "settings": {}, "seeds": (0,), "versions": {"torch": "2"},
        "data": {"name": "digits", "title": "Digits", "version": "1", "sha256": "0123456789abcdef" * 4},
        "device": {"kind": "cpu", "name": "a processor", "count": 1}, "steps": 1, "wall_time_s": (1.0,), "throughput": 1.0,
        "metrics": {"loss": Metric((1.0,))}, "curve": record_module.Curve((1,), {"loss": ((1.0,),)}), "weights_seed": 0,
        "weights_sha256": "fedcba9876543210" * 4, "weights_bytes": 1_234_567, "metrics_of_weights": {"loss": 1.0},
        "tolerance": {"loss": 0.1}, "made": "2026-11-21",
    }  # fmt: skip
    return dict(ProvenanceTable(Record(**(values | changes))).rows())


@pytest.mark.parametrize(("device", "shown"), [
    ({"kind": "cuda", "name": "a GPU", "count": 2}, "a GPU × 2"), ({"kind": "cuda", "name": "a GPU", "count": 1}, "a GPU"),
    ({"kind": "cuda", "name": "a GPU"}, "a GPU")])  # fmt: skip
def test_several_devices_are_counted_and_one_is_not(device: dict[str, Any], shown: str) -> None:
    assert rows(device=device)["device"] == shown


def test_hashes_are_shown_by_their_first_twelve_digits() -> None:
    assert rows()["data"] == "Digits (SHA-256 0123456789ab…)"
    assert rows()["weights"] == "seed 0, 1.23 MB, SHA-256 fedcba987654…"
    assert rows(weights_bytes=1_125_000)["weights"].startswith("seed 0, 1.12 MB,")  # a tie goes to the even digit


def test_shipped_runs_are_those_beneath_the_package() -> None:
    assert record_module.PACKAGE.samefile(Path(kexue.__file__).parent)


def test_the_first_error_is_told_even_if_the_part_has_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def swept(source: Path, target: Path) -> None:
        os.unlink(source)
        raise OSError("the disk is full")

    monkeypatch.setattr(files.os, "replace", swept)
    with pytest.raises(OSError, match="the disk is full"):
        files.write_atomic(tmp_path / "a", b"1")
    assert list(tmp_path.iterdir()) == []
