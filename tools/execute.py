"""Execute every chapter whose cells, library or lock changed, a few at a time, into the cache that the book build reads.

jupyter-book would execute them one after the other and knows no library: its cache key is the cells alone. Here a chapter's
cache also depends on the modules of ``kexue`` that it may import (the ground floor, its own modules, and those that it or they
name), so that a change of one chapter's code re-executes that chapter and not the other 35.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
from myst_nb.core.read import myst_nb_reader_plugin
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

from inspect_site import toc_files

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "book" / "_extensions"))

from kexuebook import cache as executions  # noqa: E402
from kexuebook.chapters import parts  # noqa: E402

BUILD = ROOT / "_build"
TIMES = BUILD / "times.json"


@dataclass(frozen=True)
class Ran:
    """A notebook that was executed: with its outputs, its seconds and those of the processor, the kernel's greatest memory in bytes."""

    notebook: Any
    seconds: float
    processor: float
    peak: int
    error: str = ""


def greatest_memory(pid: int) -> int:
    """The most memory in bytes that a running process has held; where the system does not tell, what it holds now."""
    status = Path(f"/proc/{pid}/status")
    if status.is_file():
        line = next(line for line in status.read_text("utf8").splitlines() if line.startswith("VmHWM:"))
        return 1024 * int(line.split()[1])
    held = psutil.Process(pid).memory_info()
    return int(getattr(held, "peak_wset", held.rss))


def run(notebook: Any, folder: Path, timeout: int = 300) -> Ran:
    """Run all cells of a notebook in a fresh kernel that starts in ``folder``; stop at the first that fails."""
    peak, processor, error = 0, 0.0, ""

    def look(**_: Any) -> None:
        nonlocal peak, processor
        kernel = client.km.provisioner.pid
        peak, used = max(peak, greatest_memory(kernel)), psutil.Process(kernel).cpu_times()
        processor = used.user + used.system

    where = {"metadata": {"path": str(folder)}}
    # without timing: it would stand in the cells' metadata, by which the cache knows them
    client = NotebookClient(notebook, timeout=timeout, resources=where, record_timing=False, on_cell_executed=look)
    start = time.perf_counter()
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError):
        error = traceback.format_exc()
    return Ran(notebook, time.perf_counter() - start, processor, peak, error)


def notebooks() -> list[Path]:
    """The pages of the table of contents that hold code cells."""
    paths = [ROOT / f"{name}.md" for name in toc_files()]
    return [p for p in paths if p.is_file() and "{code-cell}" in p.read_text("utf8")]


def depends(chapter: Path) -> list[Path]:
    """The files whose change must re-execute a page: the ground floor, the lock, its own modules and runs, and those that these name."""
    lib = ROOT / "lib" / "kexue"
    rooms = {part.slug for part in parts()} - {"training"}  # the chapters of that part teach the ground floor's own trainer
    own, page = chapter.stem.replace("-", "_"), chapter.read_text("utf8")
    chosen: list[Path] = []
    modules: dict[str, list[Path]] = {}
    found: set[str] = set()
    for path in (p for p in lib.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        room, *rest = path.relative_to(lib).parts
        if not rest or room not in rooms:
            chosen.append(path)
        elif rest[0] == "runs":
            chosen += [path] * (rest[1].startswith(chapter.stem) or rest[1] in page)
        else:
            module = rest[0].removesuffix(".py")
            modules.setdefault(module, []).append(path)
            found |= {module} if module.startswith(own) and room == chapter.parent.name else set()
    modules.pop("__init__", None)
    waiting = [page, *(_text(modules[name]) for name in found)]
    while waiting:
        words = set(re.findall(r"\w+", waiting.pop()))
        new = (modules.keys() & words) - found
        found |= new
        waiting += [_text(modules[name]) for name in new]
    return sorted(chosen + [p for name in found for p in modules[name]]) + sorted((ROOT / "requirements").glob("*.txt"))


def _text(paths: list[Path]) -> str:
    return "\n".join(p.read_text("utf8") for p in paths if p.suffix == ".py")


def key(chapter: Path) -> str:
    total = hashlib.sha256()
    for p in depends(chapter):
        total.update(p.relative_to(ROOT).as_posix().encode() + b"\0" + hashlib.sha256(p.read_bytes()).digest())
    return total.hexdigest()


def stale(chapter: Path, cache: JupyterCacheAbstract, keys: dict[str, str]) -> bool:
    notebook = myst_nb_reader_plugin(str(chapter))
    try:
        record = cache.match_cache_notebook(notebook)
    except KeyError:
        return True
    if keys.get(chapter.relative_to(ROOT).as_posix()) == key(chapter) and "peak_bytes" in record.data:
        return False
    cache.remove_cache(record.pk)
    return True


def execute(paths: list[Path], jobs: int | None = None, timeout: int = 300) -> dict[Path, str]:
    """Execute what is stale; return ``{path: traceback}`` of the pages that failed."""
    BUILD.mkdir(exist_ok=True)
    cache = get_cache(BUILD / ".jupyter_cache")
    store = BUILD / "execution-keys.json"
    keys: dict[str, str] = json.loads(store.read_text("utf8")) if store.is_file() else {}
    todo = [(p, myst_nb_reader_plugin(str(p)), key(p)) for p in paths if stale(p, cache, keys)]
    failed: dict[Path, str] = {}

    def one(item: tuple[Path, Any, str]) -> tuple[Path, str, Ran]:
        path, notebook, digest = item
        return path, digest, run(notebook, path.parent, timeout)

    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        for path, digest, ran in pool.map(one, todo):
            name = path.relative_to(ROOT).as_posix()
            if ran.error:
                failed[path] = ran.error
            else:
                data = {"execution_seconds": ran.seconds, "processor_seconds": ran.processor, "peak_bytes": ran.peak}
                cache.cache_notebook_bundle(CacheBundleIn(ran.notebook, str(path), data=data), check_validity=False, overwrite=True)
                keys[name] = digest
                store.write_text(json.dumps(keys, indent=1, sort_keys=True), "utf8")
            cost = f"{ran.seconds:.1f} s ({ran.processor:.1f} s of the processor), {ran.peak / 1e9:.2f} GB"
            print(f"{'failed' if ran.error else 'executed'} {name} in {cost}", flush=True)
    return failed


def note_times(paths: list[Path]) -> None:
    """Write seconds and greatest memory of each page's last run into ``times.json``, beside the steps of the last build."""
    found = executions.runs(BUILD, ROOT)
    names = [p.relative_to(ROOT).with_suffix("").as_posix() for p in paths]
    pages = {n: {k: getattr(found[n], k) for k in ("seconds", "processor_seconds", "peak_bytes")} for n in names if n in found}
    steps = json.loads(TIMES.read_text("utf8")).get("steps", {}) if TIMES.is_file() else {}
    TIMES.write_text(json.dumps({"steps": steps, "pages": pages}, indent=1), "utf8")


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    start = time.time()
    failed = execute([p for p in notebooks() if not sys.argv[1:] or p.stem in sys.argv[1:]])
    note_times(notebooks())
    print(f"chapters ready in {time.time() - start:.0f} s", flush=True)
    for path, text in failed.items():
        print(f"--- {path.relative_to(ROOT)}\n{text}", file=sys.stderr)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
