"""Write the pages of the book: jupyter-book's configuration, handed to Sphinx with a process for each core.

A page whose text has not changed since the last build is not read again: what was read of it stands in ``.doctrees`` beside the site.
That holds only while all else that the reading depends on is the same (``basis``) and the last build ended well; otherwise every page
is read anew. Every page is written anew in each build.
"""

from __future__ import annotations

import gc
import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def jobs() -> int:
    """Processes at work; one where the system does not fork them safely."""
    return max(2, len(os.sched_getaffinity(0))) if sys.platform == "linux" else 1


def shared() -> Iterator[Path]:
    """The files that the reading of any page may depend on, beside its own text and what its cells gave."""
    yield from (Path(__file__).resolve(), ROOT / "_config.yml", ROOT / "_toc.yml", ROOT / "book" / "chapters.yml")
    yield from (*sorted((ROOT / "book").glob("*.bib")), *sorted((ROOT / "requirements").glob("*.txt")))
    for folder in (ROOT / "lib", ROOT / "book" / "_extensions"):
        yield from sorted(folder.rglob("*.py"))


def basis() -> str:
    """A digest of what all pages are read with: configuration, contents, library, extension, versions."""
    total = hashlib.sha256(sys.version.encode() + platform.platform().encode())
    for path in shared():
        total.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def write(site: Path, processes: int) -> bool:
    """Write the site into a new folder, from the chapters' execution that is kept beside it; tell whether no warning was given."""
    from jupyter_book.sphinx import build_sphinx

    trees, executed = site.parent / ".doctrees", site.parent / "jupyter_execute"
    stamp, want = trees / "basis", basis()
    if not (executed.is_dir() and stamp.is_file() and stamp.read_text("utf8") == want):
        shutil.rmtree(trees, ignore_errors=True)
    stamp.unlink(missing_ok=True)  # a warning is given when a page is read: after a failure all are read again
    shutil.rmtree(site, ignore_errors=True)
    settings = {"external_toc_path": str(ROOT / "_toc.yml"), "latex_individualpages": False, "nitpicky": True}
    status = build_sphinx(
        ROOT, site, noconfig=True, path_config=ROOT / "_config.yml", confoverrides=settings, doctreedir=trees, warningiserror=True,
        keep_going=True, jobs=processes,
    )  # fmt: skip
    if status != 0:
        return False
    stamp.write_text(want, "utf8")
    return True


def main(site: str, processes: str = "") -> None:
    # the trees of the pages are millions of objects that live to the end: the collector would walk through them again and again
    gc.set_threshold(200_000, 50, 100)
    sys.exit(not write(Path(site).resolve(), int(processes or jobs())))


if __name__ == "__main__":
    main(*sys.argv[1:])
