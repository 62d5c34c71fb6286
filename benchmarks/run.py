"""Measure speed and size, side by side with peers. Called by: python3 make.py bench [--build] [--only NAME ...]

Prints one table and writes it to _build/benchmarks.json. A group that is not measured now keeps its rows of an earlier run there.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "lib")]

from benchmarks import dependence, library, site, training  # noqa: E402
from benchmarks.table import Row, as_json, as_text, machine, merge  # noqa: E402

GROUPS: dict[str, Callable[[], list[Row]]] = {
    "imports": library.imports,
    "gumbel-softmax": library.gumbel_softmax,
    "troposkein": library.troposkein,
    "hsic": dependence.hsic,
    "reading": library.reading,
    "training": training.gan,
    "running": site.running,
    "pages": site.weights,
    "redraw": site.redraw,
    "build": site.building,
}
NEEDS_SITE = ("running", "pages", "redraw")


def measure(names: list[str]) -> list[Row]:
    """The rows of the named groups, in their order."""
    rows: list[Row] = []
    for name in names:
        if name in NEEDS_SITE and not (site.SITE / "index.html").is_file():
            print(f"{name}: the book is not built, nothing to measure (python3 make.py html).", file=sys.stderr)
            continue
        print(f"measuring: {name} ...", file=sys.stderr, flush=True)
        rows += GROUPS[name]()
    return rows


def main() -> None:
    words = argparse.ArgumentParser(prog="python3 make.py bench", description=(__doc__ or "").splitlines()[0])
    words.add_argument("--build", action="store_true", help="measure building the book too, in a copy: minutes")
    words.add_argument("--only", nargs="+", choices=list(GROUPS), metavar="NAME", help=f"measure these alone: {', '.join(GROUPS)}")
    chosen = words.parse_args()
    names = chosen.only or [name for name in GROUPS if name != "build" or chosen.build]
    rows = measure(names)
    target = ROOT / "_build" / "benchmarks.json"
    target.parent.mkdir(exist_ok=True)
    part = target.with_name(target.name + ".part")
    part.write_text(as_json(merge(target.read_text("utf8") if target.is_file() else "", rows)), "utf8")
    part.replace(target)
    print(as_text(rows))
    print(f"\n{', '.join(f'{k} {v}' for k, v in machine().items())}; written to {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
