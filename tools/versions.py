#!/usr/bin/env python3
"""The library's quick tests on other versions: the oldest supported and the newest torch, Python 3.11 to 3.13.

    python3 make.py versions                  all of them
    python3 make.py versions 3.12 3.13        of these Pythons
    python3 make.py versions --list           what is found, without a test
    python3 make.py versions --largest 1000   fetch builds of torch of up to 1000 MB, which are CUDA builds, and their libraries: 3 GB each
    python3 make.py versions --only oldest    this torch alone: oldest, book or newest

Each runs in an environment of its own under ``_build/versions``, made from the book's lock. Pythons are those found on this machine: on the
path, with pyenv, with uv. Builds of torch come by pip, so from wherever pip is set up to look on this machine; one that is larger than the
limit is refused before it is fetched. The registry's builds for Linux on x86-64 are CUDA builds of 500 to 900 MB, which import only with
their CUDA libraries, whether there is a GPU or not; a CPU build of another version needs a pip that is told where one is. Where no build of
torch can be had for a Python, what needs none is tested on it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "_build" / "versions"
PYTHONS = ("3.11", "3.12", "3.13")
BOOK = "the book's"
UNITS = {"kB": 1e-3, "MB": 1.0, "GB": 1e3}
MORE = " (--largest takes it, and its CUDA libraries)"
QUICK = "not slow and not book and not browser and not exhaustive"


def say(text: str) -> None:
    print(text, flush=True)


# --- what there is -----------------------------------------------------------------------------------------------------


def candidates(version: str) -> Iterator[Path]:
    """Where a Python of this version may stand."""
    for name in (f"python{version}", "python3"):
        found = shutil.which(name)
        if found:
            yield Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    yield from sorted(pyenv.glob(f"{version}*/bin/python"), reverse=True)
    if uv := _uv():
        done = subprocess.run([uv, "python", "find", "--no-python-downloads", version], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            yield Path(done.stdout.strip())


def interpreter(version: str) -> Path | None:
    """A Python of this version that runs, or None."""
    code = "import sys; print('.'.join(map(str, sys.version_info[:2])), sys.executable)"
    for path in candidates(version):
        try:
            done = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            continue
        found, _, place = done.stdout.strip().partition(" ")
        if done.returncode == 0 and found == version:
            return Path(place)  # itself, where what was found is a stand-in of pyenv
    return None


def oldest(root: Path = ROOT) -> str:
    """The oldest torch that ``pyproject.toml`` takes."""
    asked = tomllib.loads((root / "pyproject.toml").read_text("utf8"))["project"]["dependencies"]
    (bound,) = (re.fullmatch(r"torch\s*>=\s*([\d.]+)", text) for text in asked if re.match(r"torch\b", text))
    if bound is None:
        raise ValueError("pyproject.toml must ask for torch as torch>=X.Y")
    return bound[1]


def pinned(root: Path = ROOT) -> str:
    """The torch of the book's own environment."""
    return (root / "requirements" / "torch.txt").read_text("utf8").partition("==")[2].split()[0]


@dataclass(frozen=True)
class Refused:
    """Why a build of torch is not there."""

    reason: str


def size_of(line: str) -> tuple[str, float] | None:
    """What a line of pip tells of a wheel of torch: its version and its size in MB.

    >>> size_of("Downloading torch-2.5.1-cp311-cp311-manylinux1_x86_64.whl (906.5 MB)")
    ('2.5.1', 906.5)
    """
    found = re.search(r"\btorch-([\w.+!]+)-\S+\.whl \(([\d.]+) (kB|MB|GB)\)", line)
    return (found[1], float(found[2]) * UNITS[found[3]]) if found else None


def fetch(asked: str, python: str, largest: float, folder: Path) -> Path | Refused:
    """A wheel of torch, or why there is none. The size is read from pip's first line; a larger file is stopped at once.

    Args:
        asked: what pip is asked for, such as ``torch==2.5.*``.
        python: the Python that it must suit.
        largest: the size above which nothing is fetched, in MB.
        folder: where the wheel goes.
    """
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--progress-bar=off", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--python-version", python, "--dest", str(folder), asked]
    said: list[str] = []
    found: tuple[str, float] | None = None
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        assert pip.stdout is not None
        watch = threading.Timer(900, pip.kill)
        watch.start()
        try:
            for line in pip.stdout:
                said.append(line.strip())
                found = size_of(line)
                if found and found[1] > largest:
                    pip.kill()
                    break
        finally:
            watch.cancel()
    if found and found[1] > largest:
        shutil.rmtree(folder, ignore_errors=True)
        return Refused(f"torch {found[0]} for Python {python} is {found[1]:.0f} MB, more than {largest:.0f}: not fetched{MORE}")
    wheels = list(folder.glob("torch-*.whl"))
    if not wheels:
        return Refused(f"no build of {asked} for Python {python}: {said[-1] if said else 'pip was stopped'}")
    if wheels[0].stat().st_size > largest * 1e6:  # a file of this machine, which pip copies without a word
        size = wheels[0].stat().st_size / 1e6
        shutil.rmtree(folder)
        return Refused(f"{wheels[0].name} is {size:.0f} MB, more than {largest:.0f}: not taken{MORE}")
    return wheels[0]


# --- one environment ---------------------------------------------------------------------------------------------------


def _uv() -> str | None:
    beside = Path(sys.executable).parent / ("uv.exe" if os.name == "nt" else "uv")
    return str(beside) if beside.is_file() else shutil.which("uv")


def companions(wheel: Path, python: str) -> list[str]:
    """The libraries without which a CUDA build of torch does not import; none for a CPU build.

    Args:
        wheel: the build.
        python: the version of Python that will run it.
    """
    from packaging.requirements import Requirement

    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if re.fullmatch(r"torch-[^/]+\.dist-info/METADATA", n))
        head = archive.read(name).decode("utf8").partition("\n\n")[0]
    asked = [Requirement(line.partition(":")[2].strip()) for line in head.splitlines() if line.startswith("Requires-Dist:")]
    here = [r for r in asked if r.marker is None or r.marker.evaluate({"python_version": python, "extra": ""})]
    chosen = [r for r in here if r.name.startswith(("nvidia-", "cuda-", "triton"))]
    return [f"{r.name}{'[' + ','.join(sorted(r.extras)) + ']' if r.extras else ''}{r.specifier}" for r in chosen]


def make(folder: Path, python: Path, wheel: Path | None, version: str) -> Path:
    """An environment of the book's lock with this torch, or with none; return its Python."""
    uv, made = _uv() or "uv", folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    subprocess.run([uv, "venv", "-q", "--clear", "--python", python, folder], check=True)
    base = [uv, "pip", "install", "-q", "--python", str(made), "--no-deps"]
    for lock in ("lock.txt", "test.txt"):
        subprocess.run([*base, "--require-hashes", "-r", str(ROOT / "requirements" / lock)], check=True)
    if wheel is not None:
        subprocess.run([*base, str(wheel)], check=True)
        if libraries := companions(wheel, version):  # by pip, which looks where this machine tells it to
            pip = [sys.executable, "-m", "pip", "--python", str(made), "install", "-q", "--disable-pip-version-check"]
            subprocess.run([*pip, *libraries], check=True)
    return made


def counts(text: str) -> dict[str, int]:
    """The numbers of pytest's last line.

    >>> counts("...\\n3 failed, 1200 passed, 14 skipped, 2 errors in 61.00s (0:01:01)")
    {'failed': 3, 'passed': 1200, 'skipped': 14, 'errors': 2}
    """
    last = text.strip().splitlines()[-1] if text.strip() else ""
    return {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped|errors?)\b", last)}


def test(python: Path, *, torch: bool) -> tuple[int, dict[str, int], str]:
    """The quick tests: exit status, counts, and the last lines. The test of the lock itself is left out: this is another environment."""
    env = dict(os.environ, OMP_NUM_THREADS="1", PYTHONPATH=os.pathsep.join([str(ROOT / "lib"), str(ROOT / "tools")]), PYTHONHASHSEED="0")
    env["PATH"] = str(python.parent) + os.pathsep + env.get("PATH", "")
    command = [str(python), "-m", "pytest", "-q", "-n", "2", "-m", QUICK, "--ignore=tests/test_environment.py"]
    command += [] if torch else ["-p", "without_torch"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    return done.returncode, counts(done.stdout), done.stdout[-3000:] + done.stderr[-1000:]


# --- the command -------------------------------------------------------------------------------------------------------


def plan(pythons: Sequence[str]) -> list[tuple[str, str, str]]:
    """What is tested: Python, the name of the row's torch, and what pip is asked for. All three of torch on the first Python."""
    book = f"torch=={pinned()}"
    first = [(pythons[0], "oldest", f"torch=={oldest()}.*"), (pythons[0], BOOK, book), (pythons[0], "newest", "torch")]
    return first + [(version, BOOK, book) for version in pythons[1:]]


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make.py versions", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", nargs="*", help=f"versions of Python; {', '.join(PYTHONS)} when none is named")
    parser.add_argument("--largest", type=float, default=500, metavar="MB", help="the largest build of torch that is fetched (500)")
    parser.add_argument("--only", choices=("oldest", "book", "newest"), action="append", help="this torch alone; may be given again")
    parser.add_argument("--list", action="store_true", help="say what is found and stop")
    given = parser.parse_args(words)
    if not _uv():
        sys.exit("uv is needed, which this environment was made without: pip install uv")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it may be ignored, and the tests of Ctrl-C with it
    WORK.mkdir(parents=True, exist_ok=True)
    result: list[dict[str, object]] = []
    wanted = [BOOK if word == "book" else word for word in given.only or ("oldest", "book", "newest")]
    for version, name, asked in (row for row in plan(given.python or PYTHONS) if row[1] in wanted):
        say(f"Python {version}, {name} torch ({asked})")
        row = _row(version, name, asked, given.largest, tests=not given.list)
        result.append(row)
        say(f"  {row['result']}")
    if not given.list:
        (WORK / "result.json").write_text(json.dumps(result, indent=1) + "\n", "utf8")
    return int(any(row["failed"] for row in result))


def _row(version: str, name: str, asked: str, largest: float, *, tests: bool) -> dict[str, object]:
    """Find, make and test one combination. Where the book's own torch cannot be had, what needs none is tested."""
    row: dict[str, object] = {"python": version, "torch": asked, "failed": False}
    python = interpreter(version)
    if python is None:
        return row | {"result": f"Python {version} was not found on this machine"}
    folder = WORK / f"{version}-{name.replace(' ', '-')}"
    wheel = fetch(asked, version, largest, folder.with_name(folder.name + ".wheel"))
    if isinstance(wheel, Refused) and name != BOOK:
        return row | {"result": wheel.reason}
    there = wheel.name if isinstance(wheel, Path) else f"{wheel.reason}; without torch"
    if not tests:
        return row | {"result": there}
    start = time.monotonic()
    try:
        made = make(folder, python, wheel if isinstance(wheel, Path) else None, version)
    except subprocess.CalledProcessError as error:
        return row | {"failed": True, "result": f"the environment could not be made: {error}"}
    status, found, tail = test(made, torch=isinstance(wheel, Path))
    if status:
        say(tail)
    told = ", ".join(f"{n} {word}" for word, n in found.items()) or f"pytest ended with status {status}"
    return row | {"failed": status != 0, "counts": found, "result": f"{there}: {told} in {time.monotonic() - start:.0f} s"}


if __name__ == "__main__":
    sys.exit(main())
