"""Build the site: data, execution, mathematics, pages, inspection. Called by make.py in the project's environment."""

from __future__ import annotations

import json
import os
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


def main() -> None:
    python = sys.executable
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    BUILD.mkdir(exist_ok=True)
    times = {
        # matplotlib writes a font cache on its first start and says so: not into a chapter
        "fonts": step("fonts", python, "-c", "import matplotlib.font_manager"),
        "data": step("data sets", python, "-m", "kexue", "data"),
        "mathematics": step("derivations", python, "tools/mathematics.py"),
        "chapters": step("chapters", python, "tools/execute.py"),
        "pages": step("pages", str(Path(python).with_name("jupyter-book")), "build", "-W", "-n", "--keep-going", "."),
        "inspection": step("inspection", python, "tools/inspect_site.py"),
    }
    (BUILD / "times.json").write_text(json.dumps({k: round(v, 2) for k, v in times.items()}, indent=1), "utf8")
    print("built in " + ", ".join(f"{k} {v:.0f} s" for k, v in times.items()), flush=True)


if __name__ == "__main__":
    main()
