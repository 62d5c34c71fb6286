#!/usr/bin/env python3
"""Do the tests bite? Plants errors in the library, one at a time, and counts how many its tests find.

    python3 make.py mutants                     20 mutants of each unit, drawn with seed 0
    python3 make.py mutants derivation figures  of these units alone (a pattern is taken too: 'mathematics.*')
    python3 make.py mutants --sample 100 --seed 7
    python3 make.py mutants --all cli           every mutant
    python3 make.py mutants --list              the units and their files

cosmic-ray makes the mutants. A unit is a package or module of the ground floor, or the modules of one chapter; a mutant is tried in a copy
of the project under ``_build/mutants``, against the unit's own tests alone: first those that run through its line, then the others. The
result goes to ``book/mutants.json``, from which the colophon is made.

A mutant that does not compile, or is the same program (a change within an annotation, which is never evaluated), is no mutant: the next one
of the shuffled list takes its place, for a sample and for the whole alike. A mutant that takes five times the processor time of the same
tests without it, and twenty seconds, counts as found, and is counted apart.
"""

from __future__ import annotations

import argparse
import ast
import fnmatch
import hashlib
import json
import math
import os
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from covering import Covering, measure
from mutant_copies import Copy, preload
from planting import change, drawn, mutants

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "_build" / "mutants"
KILLERS = WORK / "killers.json"
RESULT = ROOT / "book" / "mutants.json"
EQUIVALENT = ROOT / "tools" / "equivalent_mutants.toml"
GROUND = ("datasets", "derivation", "explorer", "records", "training")
SLACK = 20  # seconds of processor time beside five times the usual
MARKS = "not book and not browser and not exhaustive"


# --- units and their tests ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Unit:
    """What one row of the table speaks of: some modules of the library, and the tests that speak of them; paths beneath the root."""

    name: str
    files: tuple[Path, ...]
    tests: tuple[Path, ...]


def units(root: Path) -> dict[str, Unit]:
    """The units of the library, by name: ``derivation``, ``cli``, ``mathematics.rope_curve``."""
    import yaml

    parts = yaml.safe_load((root / "book" / "chapters.yml").read_text("utf8"))["parts"]
    slugs = {p["slug"]: sorted((c["slug"].replace("-", "_") for c in p["chapters"]), key=len, reverse=True) for p in parts}
    library, tests = root / "lib" / "kexue", root / "tests"
    files: dict[str, list[Path]] = {}
    alone: set[str] = set()
    for path in sorted(library.rglob("*.py")):
        first, *rest = path.relative_to(library).with_suffix("").parts
        chapter = next((s for s in slugs.get(first, ()) if rest and rest[0].startswith(s)), "")
        # a part's module that belongs to no chapter stands for itself and its own, but where the part's package is of the ground floor
        name = f"{first}.{chapter or rest[0]}" if chapter or (rest and first in slugs and first not in GROUND) else first
        if not chapter and "." in name:
            name = next((n for n in sorted(alone) if name.startswith(n + "_")), name)
            alone.add(name)
        if not name.endswith("__"):
            files.setdefault(name, []).append(path.relative_to(root))
    return {name: Unit(name, tuple(f), tuple(t.relative_to(root) for t in _tests(tests, name, library))) for name, f in files.items()}


def _tests(tests: Path, name: str, library: Path) -> list[Path]:
    folder, _, stem = name.partition(".")
    if stem:
        # tests that bear its name; else those that import it, for what several chapters share is tested where it is used
        own, all_of_part = (sorted((tests / folder).glob(pattern)) for pattern in (f"test_{stem}*.py", "test_*.py"))
        return own or [t for t in all_of_part if _imports(t, name)]
    if (library / folder).is_dir():
        # its own folder, and what speaks of it by name among the tests of the parts
        return sorted({*(tests / folder).glob("test_*.py"), *tests.glob(f"*/test_{folder}_*.py")})
    return sorted(tests.glob(f"test_{folder}*.py"))


def _imports(test: Path, name: str) -> bool:
    """Whether a file imports the module ``PART.NAME`` of the library or something out of it."""
    part, _, stem = f"kexue.{name}".rpartition(".")
    for node in ast.walk(ast.parse(test.read_text("utf8"))):
        if isinstance(node, ast.Import) and any(alias.name == f"{part}.{stem}" for alias in node.names):
            return True
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.module == f"{part}.{stem}" or (node.module == part and any(alias.name == stem for alias in node.names)):
            return True
    return False


def chosen(names: Iterable[str], known: dict[str, Unit]) -> list[Unit]:
    """The units that the words name.

    Raises:
        ValueError: a word names no unit.
    """
    found: list[Unit] = []
    for word in names:
        pattern = word.removeprefix("kexue.").replace("/", ".").removesuffix(".py")
        here = [u for n, u in known.items() if fnmatch.fnmatchcase(n, pattern)]
        if not here:
            raise ValueError(f"no unit is called {word!r}; there are {', '.join(known)}")
        found += [u for u in here if u not in found]
    return found or list(known.values())


# --- one unit ----------------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """What became of a unit's mutants."""

    planted: int = 0
    killed: int = 0
    timeouts: int = 0
    survivors: list[dict[str, str]] = field(default_factory=list)

    def row(self, possible: int, size: int | None, seed: int) -> dict[str, Any]:
        """What is kept of a unit."""
        whole = size is None or self.planted < size
        row: dict[str, Any] = {"planted": self.planted, "killed": self.killed, "survived": len(self.survivors), "timeouts": self.timeouts}
        row |= {"equivalent": sum("equivalent" in s for s in self.survivors), "of": possible, "whole": whole}
        row |= {"seed": None if whole else seed, "interval": None if whole else list(interval(self.killed, self.planted))}
        return row | {"survivors": self.survivors}


def interval(killed: int, planted: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n), to three digits."""
    if not planted:
        return 0.0, 1.0
    share, extra = killed / planted, z * z / planted
    middle, half = share + extra / 2, z * math.sqrt(share * (1 - share) / planted + extra / (4 * planted))
    return round((middle - half) / (1 + extra), 3), round(min(1.0, (middle + half) / (1 + extra)), 3)


def source(root: Path, unit: Unit) -> str:
    """A digest of the unit's files: it tells whether a score is that of the present text."""
    total = hashlib.sha256()
    for file in unit.files:
        total.update(file.as_posix().encode() + b"\0" + (root / file).read_bytes() + b"\0")
    return total.hexdigest()[:16]


def equivalents(path: Path = EQUIVALENT) -> dict[tuple[str, str, str], str]:
    """The mutants that were looked at and change nothing that can be observed, each with the reason why."""
    entries = tomllib.loads(path.read_text("utf8")).get("mutant", []) if path.is_file() else []
    return {(e["file"], e["was"], e["became"]): e["reason"] for e in entries}


def judge(copy: Copy, covering: Covering, near: list[str], far: list[str], hint: str) -> tuple[str, str]:
    """Whether the tests find the mutant now planted, and which one: that of last time, those that run through its line, all others."""
    for asked in ([hint] if hint in covering.seconds else [], near, far):
        if asked:
            cpu = 5 * sum(covering.seconds[n] for n in asked) + SLACK
            status, killer, stopped = copy.run(asked, cpu=cpu, wall=20 * cpu)
            if stopped:
                return "timeout", ""
            if status:
                return "killed", killer
    return "survived", ""


def try_unit(unit: Unit, copy: Copy, size: int | None, seed: int) -> dict[str, Any]:
    """Plant and test a unit's mutants; return its row.

    Raises:
        RuntimeError: it has no tests, or they fail without any mutant.
    """
    if not unit.tests:
        raise RuntimeError("it has no tests")
    covering = measure(copy, unit.name, unit.tests + unit.files, MARKS, WORK / "covering")
    say(f"{unit.name}: {len(covering.seconds)} tests, {sum(covering.seconds.values()):.0f} s of processor time without a mutant")
    tally, reasons, killers = Tally(), equivalents(), _killers()
    listed = mutants(copy.root, unit.files)
    for mutant, text in drawn(listed, size, f"{seed} {unit.name}"):
        line, was, became = change(mutant.before, text)
        key, order = mutant.key, covering.tests(mutant.file, mutant.before, line)
        with copy.planting(mutant.file, text):
            outcome, killer = judge(copy, covering, *order, killers.get(key, ""))
        tally.planted += 1
        reason = reasons.get((mutant.file.as_posix(), was, became))
        if outcome == "survived":
            entry = {"where": f"{mutant.file.as_posix()}:{line}", "was": was, "became": became}
            tally.survivors.append({**entry, "equivalent": reason} if reason else entry)
            outcome += " (equivalent)" * bool(reason)
        else:
            tally.killed += 1
            tally.timeouts += outcome == "timeout"
            killers[key] = killer
            write(KILLERS, json.dumps(killers))
        say(f"{tally.planted:5d} {outcome} {mutant.file}:{line}\n      - {was}\n      + {became}" + f"\n      by {killer}" * bool(killer))
    return tally.row(len(listed), size, seed) | {"files": [f.as_posix() for f in unit.files], "source": source(copy.root, unit)}


def _killers() -> dict[str, str]:
    """Which test found a mutant last time: it is asked first."""
    known: dict[str, str] = json.loads(KILLERS.read_text("utf8")) if KILLERS.is_file() else {}
    return known


# --- the command -------------------------------------------------------------------------------------------------------


def say(text: str) -> None:
    print(text, flush=True)


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, "utf8")
    part.replace(path)


def keep(name: str, row: dict[str, Any], known: Iterable[str], path: Path = RESULT) -> None:
    """Write a unit's row into the result, beside the others'; rows of units that are no more are dropped."""
    from importlib.metadata import version

    rows = json.loads(path.read_text("utf8"))["units"] if path.is_file() else {}
    rows = {n: r for n, r in sorted({**rows, name: row}.items()) if n in set(known)}
    result = {"format": 1, "tool": f"cosmic-ray {version('cosmic-ray')}", "units": rows}
    write(path, json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def summary(rows: dict[str, dict[str, Any]]) -> str:
    """The scores as text, a line each."""
    lines = [f"{'unit':32} {'planted':>7} {'killed':>7} {'share':>7}  95 %         timeouts  survived, of these equivalent"]
    for name, r in rows.items():
        bounds = "whole" if r["interval"] is None else f"{r['interval'][0]:.0%} to {r['interval'][1]:.0%}"
        share = r["killed"] / max(1, r["planted"])
        first = f"{name:32} {r['planted']:7} {r['killed']:7} {share:7.0%}"
        lines.append(f"{first}  {bounds:12} {r['timeouts']:8}  {r['survived']}, {r['equivalent']}")
    return "\n".join(lines)


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make.py mutants", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("unit", nargs="*", help="units; all when none is named")
    parser.add_argument("--sample", type=int, default=20, metavar="N", help="mutants drawn of each unit (20)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed of the draw (0)")
    parser.add_argument("--all", action="store_true", help="every mutant instead of a sample: hours")
    parser.add_argument("--list", action="store_true", help="show the units and stop")
    given = parser.parse_args(words)
    if given.sample < 1:
        parser.error("--sample must be at least 1")
    known = units(ROOT)
    try:
        asked = chosen(given.unit, known)
    except ValueError as error:
        parser.error(str(error))
    if given.list:
        say("\n".join(f"{u.name:32} {len(u.files)} files, {len(u.tests)} test files" for u in asked))
        return 0
    if not hasattr(os, "fork"):
        sys.exit("Mutants are tested in forks, which this system does not have: Linux or macOS is needed.")
    preload()
    WORK.mkdir(parents=True, exist_ok=True)
    done = {}
    for name in (u.name for u in asked):
        with tempfile.TemporaryDirectory(dir=WORK, prefix="copy-", ignore_cleanup_errors=True) as folder:
            copy = Copy(Path(folder), ROOT)
            try:
                done[name] = try_unit(units(copy.root)[name], copy, None if given.all else given.sample, given.seed)
            except RuntimeError as error:
                say(f"{name}: not tried, {error}")
                continue
        keep(name, done[name], known)
    say("\n" + summary(done))
    return 0 if len(done) == len(asked) else 1


if __name__ == "__main__":
    sys.exit(main())
