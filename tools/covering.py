"""Which tests run through a line: measured once without a mutant, so that a mutant first meets the tests that are likely to find it."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mutant_copies import Copy


@dataclass(frozen=True)
class Covering:
    """The tests of a unit.

    Attributes:
        seconds: each test's processor time.
        lines: file -> line -> the tests that ran it; the test ``""`` is the import.
    """

    seconds: dict[str, float]
    lines: dict[str, dict[int, list[str]]]

    def tests(self, file: Path, text: str, line: int) -> tuple[list[str], list[str]]:
        """All tests, the quickest first: those that run through the statement at a line of a file's text, and the others.

        The others count too: a shared fixture or a kept value is computed in one test and used in the next, and a process of its own is
        out of sight.
        """
        reached: set[str] = set()
        for number in statement(text, line):
            reached.update(self.lines.get(file.as_posix(), {}).get(number, []))
        ordered = sorted(self.seconds, key=self.seconds.__getitem__)
        return [t for t in ordered if t in reached], [t for t in ordered if t not in reached]


def statement(text: str, line: int) -> range:
    """The lines of the innermost statement at a line; of a compound one, those of its head."""
    best = range(line, line + 1)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            first = min((d.lineno for d in getattr(node, "decorator_list", [])), default=node.lineno)
            last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno or node.lineno
            if first <= line <= last and (len(best) == 1 or last - first < len(best)):
                best = range(first, last + 1)
    return best


def measure(copy: Copy, name: str, paths: Iterable[Path], marks: str, folder: Path) -> Covering:
    """Run some tests without a mutant and note who runs what; kept in ``folder`` until the library or the tests change.

    Raises:
        RuntimeError: there are no tests, or they fail.
    """
    words = [str(p) for p in paths]
    total = hashlib.sha256(marks.encode())
    for path in sorted([*(copy.root / "lib").rglob("*.py"), *(copy.root / w for w in words), *(copy.root / "tests").rglob("conftest.py")]):
        total.update(path.as_posix().encode() + path.read_bytes())
    kept = folder / f"{name}.json"
    if kept.is_file() and (found := json.loads(kept.read_text("utf8")))["key"] == total.hexdigest():
        return Covering(found["seconds"], {f: {int(n): t for n, t in rows.items()} for f, rows in found["lines"].items()})
    settings, data = copy.home / "coverage.ini", copy.home / "coverage.data"
    settings.write_text(f"[run]\nsource = lib/kexue\ndata_file = {data}\n", "utf8")
    cover = ["--cov", f"--cov-config={settings}", "--cov-context=test", "--cov-report="]
    status, failed, _ = copy.run(["-m", marks, *cover, *words], cpu=3600, wall=3600, writing=True)
    if status == 5:
        raise RuntimeError("it has no tests")
    if status:
        raise RuntimeError(f"its tests fail without any mutant, at {failed or f'status {status}'}:\n{copy.log()[-2000:]}")
    made = Covering(copy.seconds(), _lines(copy.root, data))
    folder.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps({"key": total.hexdigest(), "seconds": made.seconds, "lines": made.lines}), "utf8")
    return made


def _lines(root: Path, data: Path) -> dict[str, dict[int, list[str]]]:
    from coverage import CoverageData

    held = CoverageData(str(data))
    held.read()
    found: dict[str, dict[int, list[str]]] = {}
    for file in held.measured_files():
        rows = {n: sorted({name.rpartition("|")[0] for name in names}) for n, names in held.contexts_by_lineno(file).items()}
        found[Path(file).relative_to(root).as_posix()] = rows
    return found
