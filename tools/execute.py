"""Execute every chapter whose cells, library or lock changed, a few at a time, into the cache that the book build reads.

jupyter-book would execute them one after the other and knows no library: its cache key is the cells alone. Here a chapter's
cache also depends on the modules of ``kexue`` that it may import (its own part and the ground floor), so that a change of
one chapter's code re-executes that chapter and not the other 35.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
from jupyter_cache.executors.utils import single_nb_execution
from myst_nb.core.read import myst_nb_reader_plugin

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "_build"
PARTS = ("mathematics", "representations", "generative", "sequences", "applications", "training")


def notebooks() -> list[Path]:
    """The pages of the table of contents that hold code cells."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    names: list[str] = [toc["root"]]

    def walk(entry: Any) -> None:
        if isinstance(entry, dict):
            names.extend([entry["file"]] if "file" in entry else [])
            for value in entry.values():
                walk(value)
        elif isinstance(entry, list):
            for value in entry:
                walk(value)

    walk(toc.get("parts", []))
    paths = [ROOT / f"{name}.md" for name in names]
    return [p for p in paths if p.is_file() and "{code-cell}" in p.read_text("utf8")]


def depends(chapter: Path) -> list[Path]:
    """The files whose change must re-execute a page: the ground floor, the modules its cells name, the lock."""
    lib = ROOT / "lib" / "kexue"
    text = chapter.read_text("utf8")
    files = [p for p in lib.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    chosen = [p for p in files if (rel := p.relative_to(lib)).parts[0] not in PARTS or len(rel.parts) == 1]
    own = chapter.stem.replace("-", "_")
    for p in files:
        rel = p.relative_to(lib)
        if p in chosen or len(rel.parts) < 2:
            continue
        module = rel.parts[1].removesuffix(".py")
        run = module == "runs" and rel.parts[2].startswith(chapter.stem)
        named = module != "__init__" and module in text  # imported by name, whichever part it is of
        if (module.startswith(own) and rel.parts[0] == chapter.parent.name) or run or named:
            chosen.append(p)
    return sorted(chosen) + sorted((ROOT / "requirements").glob("*.txt"))


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
    if keys.get(chapter.relative_to(ROOT).as_posix()) == key(chapter):
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

    def one(item: tuple[Path, Any, str]) -> tuple[Path, Any, str, Any]:
        path, notebook, digest = item
        return path, notebook, digest, single_nb_execution(notebook, cwd=str(path.parent), timeout=timeout, allow_errors=False)

    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        for path, notebook, digest, result in pool.map(one, todo):
            name = path.relative_to(ROOT).as_posix()
            if result.err is None:
                data = {"execution_seconds": result.time}
                cache.cache_notebook_bundle(CacheBundleIn(notebook, str(path), data=data), check_validity=False, overwrite=True)
                keys[name] = digest
                store.write_text(json.dumps(keys, indent=1, sort_keys=True), "utf8")
            else:
                failed[path] = str(result.exc_string)
            print(f"{'failed' if result.err else 'executed'} {name} in {result.time:.1f} s", flush=True)
    return failed


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    start = time.time()
    failed = execute([p for p in notebooks() if not sys.argv[1:] or p.stem in sys.argv[1:]])
    print(f"chapters ready in {time.time() - start:.0f} s", flush=True)
    for path, text in failed.items():
        print(f"--- {path.relative_to(ROOT)}\n{text}", file=sys.stderr)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
