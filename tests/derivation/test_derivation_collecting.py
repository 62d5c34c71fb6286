"""Derivations are found by the names of their modules."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
import sympy as sp

from kexue.derivation import Derivation, collect, report
from kexue.derivation import collecting as module

x = sp.Symbol("x", real=True)


def one() -> Derivation:
    d = Derivation("one", "The first")
    d.given((x + 1) ** 2, "a square")
    d.equal(x**2 + 2 * x + 1, "expand")
    return d


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    fake = ModuleType("kexue.part.pretend_derivations")
    monkeypatch.setitem(sys.modules, fake.__name__, fake)
    monkeypatch.setattr(module, "_modules", lambda: [fake.__name__])
    return fake


def test_rows_of_a_chapter(pretend: ModuleType) -> None:
    pretend.DERIVATIONS = (one,)  # type: ignore[attr-defined]
    (row,) = report(collect("part.pretend"))
    assert (row.chapter, row.name, row.title, row.steps, row.kinds, row.digits) == (
        "part.pretend", "one", "The first", 2, {"given": 1, "symbolic": 1}, None,
    )  # fmt: skip
    with pytest.raises(ValueError, match="no derivations"):
        collect("part.absent")


def test_faulty_modules_are_named(pretend: ModuleType) -> None:
    with pytest.raises(ValueError, match="pretend_derivations must have a tuple"):
        collect()
    pretend.DERIVATIONS = (one, one)  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="share a name"):
        collect()


def test_the_book_is_found() -> None:
    chapters = {item.chapter for item in collect()}
    assert "mathematics.rope_curve" in chapters
    assert collect("mathematics.rope_curve")[0].derivation.steps
