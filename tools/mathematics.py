"""Refresh _build/mutations.json, the counts of planted errors that the page "How the mathematics is checked" reports.

The counts belong to one state of the derivations and of the checker: they are made again when either changes.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from kexue.derivation.mutate import mutation_report

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "_build" / "mutations.json"
STAMP = ROOT / "_build" / "mutations.stamp"


def digest() -> str:
    """A digest of all that the counts depend on: the checker and the chapters' modules."""
    lib = ROOT / "lib" / "kexue"
    files = [*(lib / "derivation").rglob("*.py"), *lib.glob("*/*.py"), *lib.glob("*/*/*.py"), ROOT / "requirements" / "lock.txt"]
    total = hashlib.sha256()
    for path in sorted(set(files)):
        total.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def main() -> None:
    want = digest()
    if TARGET.is_file() and STAMP.is_file() and STAMP.read_text("utf8") == want:
        return
    TARGET.parent.mkdir(exist_ok=True)
    report = mutation_report()
    TARGET.write_text(json.dumps(report, indent=1), "utf8")
    STAMP.write_text(want, "utf8")
    print({key: value for key, value in report.items() if isinstance(value, int)})


if __name__ == "__main__":
    main()
