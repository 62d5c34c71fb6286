"""Build the site: data, execution, mathematics, pages, inspection. Called by make.py in the project's environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "_build"


def step(title: str, *command: str, allow: tuple[int, ...] = (0,)) -> float:
    """Run one step; stop the build with its exit status when it fails."""
    start = time.time()
    print(f"--- {title}", flush=True)
    status = subprocess.run(command, cwd=ROOT).returncode
    if status not in allow:
        print(f"The build stopped: {title} failed (exit {status}).", file=sys.stderr)
        sys.exit(status or 1)
    return time.time() - start


def pages(site: Path, *processes: str) -> list[str]:
    """The command that writes the pages into the folder ``site``, from the chapters' execution cached beside it."""
    return [sys.executable, "tools/pages.py", str(site), *processes]


def put(new: Path, site: Path) -> None:
    """Let the new site take the place of the old one, which stays as it is until the new one is whole."""
    old = site.with_name("html.old")
    shutil.rmtree(old, ignore_errors=True)
    if site.exists():
        site.rename(old)
    new.rename(site)
    shutil.rmtree(old, ignore_errors=True)


def main() -> None:
    python = sys.executable
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    BUILD.mkdir(exist_ok=True)
    times: dict[str, float] = {
        # matplotlib writes a font cache on its first start and says so: not into a chapter
        "fonts": step("fonts", python, "-c", "import matplotlib.font_manager"),
        "data": step("data sets", python, "-m", "kexue", "data"),
        "mathematics": step("derivations", python, "tools/mathematics.py"),
        "chapters": step("chapters", python, "tools/execute.py"),
    }
    new = BUILD / "html.new"
    times["pages"] = step("pages", *pages(new))
    times["inspection"] = step("inspection", python, "tools/inspect_site.py", str(new))
    put(new, BUILD / "html")
    path = BUILD / "times.json"
    measured = json.loads(path.read_text("utf8"))["pages"]  # written by the step of the chapters
    path.write_text(json.dumps({"steps": {k: round(v, 2) for k, v in times.items()}, "pages": measured}, indent=1), "utf8")
    print("built in " + ", ".join(f"{k} {v:.0f} s" for k, v in times.items()), flush=True)


if __name__ == "__main__":
    main()
