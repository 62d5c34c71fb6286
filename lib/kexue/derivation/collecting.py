"""All derivations of the book, found by the names of their modules."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass

import kexue
from kexue.derivation.chain import Derivation

__all__ = ["Collected", "Row", "collect", "report"]


@dataclass(frozen=True)
class Collected:
    """A derivation and the chapter it belongs to, such as ``mathematics.rope_curve``."""

    chapter: str
    derivation: Derivation


@dataclass(frozen=True)
class Row:
    """A line of the page on how the mathematics is checked.

    ``kinds`` counts the steps by kind; ``digits`` is the least number of digits of a numerical check, None where there is none.
    """

    chapter: str
    name: str
    title: str
    steps: int
    kinds: dict[str, int]
    digits: int | None


def collect(chapter: str | None = None) -> tuple[Collected, ...]:
    """The derivations of all modules ``kexue.PART.NAME_derivations``, in the order of their tuples ``DERIVATIONS``.

    Args:
        chapter: only those of one chapter, ``PART.NAME``.

    Raises:
        ValueError: a module has no tuple ``DERIVATIONS``, two derivations of a chapter share a name, or the chapter has none.
    """
    found: list[Collected] = []
    for name in _modules():
        slug = name.removeprefix("kexue.").removesuffix("_derivations")
        if chapter is not None and slug != chapter:
            continue
        module = importlib.import_module(name)
        makers = getattr(module, "DERIVATIONS", None)
        if not isinstance(makers, tuple):
            raise ValueError(f"{name} must have a tuple DERIVATIONS of functions that each return a Derivation")
        derivations = [maker() for maker in makers]
        names = [d.name for d in derivations]
        if len(set(names)) < len(names):
            raise ValueError(f"two derivations of {slug} share a name: {sorted(names)}")
        found += [Collected(slug, derivation) for derivation in derivations]
    if chapter is not None and not found:
        raise ValueError(f"no derivations for the chapter {chapter!r}")
    return tuple(found)


def _modules() -> list[str]:
    names = []
    for part in pkgutil.iter_modules(kexue.__path__, "kexue."):
        if part.ispkg:
            package = importlib.util.find_spec(part.name)
            paths = package.submodule_search_locations if package is not None else None
            names += [m.name for m in pkgutil.iter_modules(paths, part.name + ".") if m.name.endswith("_derivations")]
    return sorted(names)


def report(collected: Iterable[Collected]) -> list[Row]:
    """A row for each derivation; verifies them all.

    Raises:
        DerivationError: a step is wrong.
    """
    rows = []
    for item in collected:
        outcome = item.derivation.verify()
        derivation = item.derivation
        rows.append(Row(item.chapter, derivation.name, derivation.title, len(outcome.steps), outcome.kinds, outcome.digits))
    return rows
