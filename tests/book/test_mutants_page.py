"""The colophon's table of planted errors, and what it says of a library that has changed since."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book" / "_extensions"))

from kexuebook import mutants  # noqa: E402


def unit(root: Path, **changes: Any) -> dict[str, Any]:
    file = root / "lib" / "a.py"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"x = 1\n")
    source = hashlib.sha256(b"lib/a.py\0x = 1\n\0").hexdigest()[:16]
    found = {"planted": 20, "killed": 17, "survived": 3, "equivalent": 1, "timeouts": 0, "interval": [0.64, 0.948], "whole": False}
    return {**found, "files": ["lib/a.py"], "source": source, **changes}


def test_a_row_says_share_and_interval(tmp_path: Path) -> None:
    assert mutants.row("a", unit(tmp_path), tmp_path) == ("<code>kexue.a</code>", "=20", "=17", "=85%", "=64% to 95%", "=3", "=1")
    assert mutants.row("a", unit(tmp_path, interval=None), tmp_path)[4] == "=all planted"


def test_a_part_that_has_changed_is_marked(tmp_path: Path) -> None:
    old = unit(tmp_path)
    (tmp_path / "lib" / "a.py").write_text("x = 2\n")
    assert mutants.row("a", old, tmp_path)[0] == "<code>kexue.a</code> *"
    (tmp_path / "lib" / "a.py").unlink()
    assert not mutants.present(old, tmp_path)


def test_the_section_holds_a_line_for_each_part(tmp_path: Path) -> None:
    path = tmp_path / "mutants.json"
    assert mutants.section(path, tmp_path) == []
    path.write_text(json.dumps({"format": 1, "tool": "planter 1", "units": {"a": unit(tmp_path), "b": unit(tmp_path, killed=20)}}))
    title, text, shown = mutants.section(path, tmp_path)
    assert title.astext() == mutants.TITLE
    assert "planter 1 plants" in text.astext()
    assert "asterisk" not in text.astext()
    assert shown.astext().count("<tr>") == 3
    (tmp_path / "lib" / "a.py").write_text("")
    assert "asterisk" in mutants.section(path, tmp_path)[1].astext()


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mutants.json"
    path.write_text('{"format": 2}')
    with pytest.raises(ValueError, match="format 1 is expected"):
        mutants.scores(path)


def test_the_book_s_own_result_adds_up() -> None:
    for name, found in mutants.scores().get("units", {}).items():
        assert found["planted"] == found["killed"] + found["survived"] > 0, name
        assert found["survived"] == len(found["survivors"])
        assert found["equivalent"] == sum("equivalent" in s for s in found["survivors"])
        assert found["timeouts"] <= found["killed"]
        assert found["whole"] == (found["interval"] is None)
