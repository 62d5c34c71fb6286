"""A copy of the project in which mutants are planted and tests run."""

from __future__ import annotations

import compileall
import contextlib
import importlib
import json
import os
import py_compile
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NOT_COPIED = {".git", ".venv", "_build", "node_modules", "__pycache__", ".hypothesis", ".mypy_cache", ".ruff_cache", ".ipynb_checkpoints"}
MEMORY = 16 << 30  # address space of a test process: a mutant may ask for without end
# Loaded once and shared by all test processes, which are forks: nothing of the book's own.
PRELOADED = ("numpy", "scipy.integrate", "scipy.optimize", "scipy.stats", "sympy", "mpmath", "matplotlib.pyplot", "torch",
             "sklearn.datasets", "lightning_fabric", "safetensors.torch", "ipywidgets", "anywidget", "IPython",
             "hypothesis.strategies")  # fmt: skip
# the folders that only this command needs, and the original of the library: out of sight of the tests
ROOT = Path(__file__).resolve().parents[1]
OWN = {str(ROOT / "tools"), str(ROOT / "lib"), str(ROOT / "_build" / "mutants" / "packages")}


def preload() -> None:
    """Load what every test process needs, before the first fork."""
    for name in PRELOADED:
        importlib.import_module(name)


class Copy:
    """A copy of the project in which mutants are planted and tests run; the working tree is only read."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.root = folder.resolve()
        self.home = self.root / "home"
        if self.root.exists():
            shutil.rmtree(self.root)
        shutil.copytree(root, self.root, ignore=lambda _, names: [n for n in names if n in NOT_COPIED], symlinks=True)
        # read by content, not by date: a mutant that is planted within the same second is seen
        compileall.compile_dir(str(self.root / "lib"), quiet=2, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
        self.home.mkdir()

    def log(self) -> str:
        """What the last tests said."""
        return (self.home / "tests.log").read_text("utf8", "replace")

    def seconds(self) -> dict[str, float]:
        """The processor time of each of the last tests."""
        found: dict[str, float] = json.loads((self.home / "seconds.json").read_text("utf8"))
        return found

    @contextlib.contextmanager
    def planting(self, file: Path, text: str) -> Iterator[None]:
        """The copy with another text of one file."""
        place = self.root / file
        before = place.read_bytes()
        try:
            place.write_text(text, "utf8")
            yield
        finally:
            place.write_bytes(before)

    def run(self, words: list[str], *, cpu: float, wall: float, writing: bool = False) -> tuple[int, str, bool]:
        """pytest in a fork, stopped at its first failure.

        Args:
            words: for pytest.
            cpu: its processor time in seconds.
            wall: its time by the clock.
            writing: let Python keep the compiled tests.

        Returns:
            The exit status, the first test that failed, and whether it was stopped at a limit.
        """
        (self.home / "failed.txt").write_text("")
        child = os.fork()
        if child == 0:
            status = 70
            try:
                status = _child(self.root, words, int(cpu) + 1, writing=writing)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        end = time.monotonic() + wall
        status = -signal.SIGXCPU
        while time.monotonic() < end:
            done, code = os.waitpid(child, os.WNOHANG)
            if done:
                status = os.waitstatus_to_exitcode(code)
                break
            time.sleep(0.02)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)  # the tests' own children too
        if time.monotonic() >= end:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)
        return status, (self.home / "failed.txt").read_text("utf8").strip(), status == -signal.SIGXCPU


def _child(root: Path, words: list[str], cpu: int, *, writing: bool) -> int:
    """Within the fork: only the copy is seen, no registry is asked, time and memory are bounded."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it may be ignored, and the tests of Ctrl-C with it
    home = root / "home"
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    used = sum(os.times()[:2])
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + cpu, int(used) + cpu + 5))
    log = os.open(home / "tests.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(root)
    env = {"HOME": str(home), "TMPDIR": str(home), "PYTHONPATH": str(root / "lib"), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    offline = {"PIP_NO_INDEX": "1", "UV_OFFLINE": "1", "npm_config_offline": "true"}
    os.environ.update({**env, **offline})
    os.environ.pop("KEXUE_DATA", None)
    sys.dont_write_bytecode = not writing
    sys.path[:] = [str(root / "lib"), *(p for p in sys.path if p not in OWN)]
    for name in [n for n in sys.modules if n.partition(".")[0] in ("kexue", "conftest")]:
        del sys.modules[name]  # of the original, where the parent had a use for it
    import pytest

    options = ["-x", "-q", "-n", "0", "--hypothesis-seed=0", "--tb=short", "--rootdir", str(root)]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # what is loaded before the fork is the same in all of them
    return int(pytest.main([*options, *words], plugins=[Notes(home)]))


class Notes:
    """Tells the parent which test failed first, and what each took."""

    def __init__(self, home: Path) -> None:
        self.home, self.seconds, self.start = home, dict[str, float](), 0.0

    def pytest_runtest_logstart(self, nodeid: str, location: object) -> None:
        self.start = sum(os.times()[:4])

    def pytest_runtest_logfinish(self, nodeid: str, location: object) -> None:
        self.seconds[nodeid] = round(sum(os.times()[:4]) - self.start, 3)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            (self.home / "failed.txt").write_text(report.nodeid, "utf8")

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            (self.home / "failed.txt").write_text(report.nodeid, "utf8")

    def pytest_sessionfinish(self, session: object) -> None:
        (self.home / "seconds.json").write_text(json.dumps(self.seconds), "utf8")
