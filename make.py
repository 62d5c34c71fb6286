#!/usr/bin/env python3
"""The one entry of the book. Needs nothing but Python 3.11 or newer; makes its own environment in .venv.

python3 make.py book             make everything, serve the book on a free local port, open it
python3 make.py test             pass every test (add --lib for the library's tests alone; further words go to pytest)
python3 make.py html             build the book into _build/html, without a server
python3 make.py lab              open the chapters in JupyterLab
python3 make.py data [NAME ...]  fetch the data sets
python3 make.py train NAME ...   train an experiment (the words go to: kexue train)
python3 make.py bench            measure speed and size, side by side with peers
python3 make.py mutants [UNIT]   plant errors in the library and count those that its tests find
python3 make.py versions         the library's tests on other versions of Python and torch, where they can be had
python3 make.py zip              the built site as one file, _build/kexue-book.zip
python3 make.py clean            remove what was built (add --all for the environment and the data too)
python3 make.py lock             write the lock files again (for maintainers)
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PY = BIN / ("python.exe" if os.name == "nt" else "python")
REQUIREMENTS = ROOT / "requirements"
LOCK, TEST_LOCK, TORCH, UV = (REQUIREMENTS / n for n in ("lock.txt", "test.txt", "torch.txt", "uv.txt"))
BUILD = ROOT / "_build"
SITE = BUILD / "html"
# What the pages are made from: a build whose stamp holds the digest of all this has nothing to do.
SOURCES = ("_config.yml", "_toc.yml", "book", "chapters", "lib", "tools", "requirements")
WRITTEN = ROOT / "book" / "library"  # by the build itself, from lib


def say(text: str) -> None:
    print(text, flush=True)


def run(*command: object, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(c) for c in command], check=True, cwd=ROOT, **options)


def digest(*names: str | Path) -> str:
    """A digest of files and folders: names and bytes, bytecode left out."""
    found: list[Path] = []
    for name in names:
        path = ROOT / name
        found += sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path] * path.is_file()
    total = hashlib.sha256()
    for path in found:
        if "__pycache__" in path.parts or WRITTEN in path.parents:
            continue
        if not any(part.startswith(".") for part in path.relative_to(ROOT).parts):
            total.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, "utf8")
    part.replace(path)


# --- the environment ---------------------------------------------------------------------------------------------------


def make_venv() -> list[object]:
    """Make .venv; return the pip that installs into it."""
    if VENV.exists():
        shutil.rmtree(VENV)
    try:
        run(sys.executable, "-m", "venv", VENV, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        pip: list[object] = [PY, "-m", "pip"]
    except subprocess.CalledProcessError:  # Debian and Ubuntu without python3-venv: the module is there, ensurepip is not
        shutil.rmtree(VENV, ignore_errors=True)
        try:
            run(sys.executable, "-m", "venv", "--without-pip", VENV)
            run(sys.executable, "-m", "pip", "--python", PY, "--version", stdout=subprocess.DEVNULL)
        except subprocess.CalledProcessError:
            sys.exit("This Python has neither venv nor pip. Debian, Ubuntu: sudo apt install python3-venv. Then run it again.")
        pip = [sys.executable, "-m", "pip", "--python", PY]
    return [*pip, "--disable-pip-version-check", "-qq"]


def install(pip: list[object], lock: Path) -> None:
    """Install a hashed lock: by uv, about ten times faster, else by pip. No dependency is followed: the lock names all but torch.

    The packages are compiled at once, as pip does: where Python may write no bytecode, every process would compile them anew.
    """
    try:
        if not any(BIN.glob("uv*")):
            run(*pip, "install", "--require-hashes", "-r", UV)
        options = ["-q", "--python", PY, "--no-deps", "--require-hashes", "--compile-bytecode"]
        run(BIN / "uv", "pip", "install", *options, "-r", lock)
    except (subprocess.CalledProcessError, OSError):
        run(*pip, "install", "--no-deps", "--require-hashes", "-r", lock)


def setup(*, tests: bool = False) -> None:
    """The environment of the lock in .venv; nothing to do when it is already that."""
    if sys.version_info < (3, 11):  # noqa: UP036 - the one file that an older Python may be asked to run
        sys.exit(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}. Use a newer one: python3.12 make.py ...")
    stamp, test_stamp = VENV / "book.stamp", VENV / "test.stamp"
    want = digest(LOCK, TORCH) + " " + sys.version.split()[0]
    if not (stamp.is_file() and stamp.read_text("utf8") == want):
        start = time.time()
        say("Making the environment in .venv (once; about a minute and 1.5 GB) ...")
        try:
            pip = make_venv()
            install(pip, LOCK)
            # by pip and without a hash: it takes the machine's own build of torch where pip is set up for one
            run(*pip, "install", "-r", TORCH)
        except subprocess.CalledProcessError as error:
            failed = " ".join(map(str, error.cmd[:6]))
            sys.exit(f"The environment could not be made ({failed} ... failed, see above). With no network: connect once, run it again.")
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        purelib = run(PY, "-c", code, capture_output=True, text=True).stdout.strip()
        write(Path(purelib, "kexue-book.pth"), str(ROOT / "lib") + "\n")
        write(stamp, want)
        say(f"Environment ready in {time.time() - start:.0f} s.")
    want = digest(TEST_LOCK)
    if tests and not (test_stamp.is_file() and test_stamp.read_text("utf8") == want):
        install([PY, "-m", "pip", "--disable-pip-version-check", "-qq"], TEST_LOCK)
        write(test_stamp, want)


def environment() -> dict[str, str]:
    """What every step runs in: this environment first on the path, one thread a kernel, our Jupyter settings."""
    env = dict(os.environ, PYTHONHASHSEED="0", JUPYTER_PLATFORM_DIRS="1", PYTHONUTF8="1")
    env.setdefault("OMP_NUM_THREADS", "1")
    env.pop("MPLBACKEND", None)
    env["JUPYTER_CONFIG_PATH"] = os.pathsep.join([str(ROOT / "jupyter"), *filter(None, [env.get("JUPYTER_CONFIG_PATH")])])
    env["PATH"] = str(BIN) + os.pathsep + env.get("PATH", "")
    return env


def python(*command: object) -> None:
    run(PY, *command, env=environment())


# --- the commands ------------------------------------------------------------------------------------------------------


def html(*options: str) -> Path:
    """Build the site if anything that it is made from has changed; return its first page."""
    stamp, want = BUILD / "site.stamp", digest(*SOURCES)
    first = SITE / "index.html"
    if "--force" in options or not (first.is_file() and stamp.is_file() and stamp.read_text("utf8") == want):
        stamp.unlink(missing_ok=True)
        python("tools/build.py")
        write(stamp, want)
    return first


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal holds the address."""


@contextlib.contextmanager
def server(folder: Path, port: int = 8000) -> Iterator[str]:
    """Serve a folder on the first free port from `port` on; yield its address."""
    handler = functools.partial(Quiet, directory=str(folder))
    for candidate in [*range(port, port + 50), 0]:
        with contextlib.suppress(OSError):
            httpd = http.server.ThreadingHTTPServer(("127.0.0.1", candidate), handler)
            break
    else:  # pragma: no cover - port 0 asks the system for any free one
        sys.exit("No free port could be had on 127.0.0.1.")
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{httpd.server_address[1]}/"
    finally:
        httpd.shutdown()


def book(*options: str) -> None:
    html(*[o for o in options if o == "--force"])
    with server(SITE) as address:
        say(f"\nThe book: {address}   (Ctrl-C ends the server; the pages also open from disk: {(SITE / 'index.html').relative_to(ROOT)})")
        if "--no-browser" not in options and not os.environ.get("CI") and sys.stdout.isatty():
            with contextlib.suppress(webbrowser.Error):
                webbrowser.open(address)
        while True:
            time.sleep(3600)


def test(*words: str) -> None:
    """All tests on the built book, with style, types and branch coverage; or the library's quick tests alone."""
    rest = [w for w in words if w != "--lib"]
    python("-m", "kexue", "data")
    # the long tests stand side by side in few files: a process that has nothing left takes half of what waits at the other
    two = ("-n", "2", "--dist", "worksteal")
    if "--lib" in words:
        python("-m", "pytest", *two, "-m", "not slow and not book and not browser", *rest)
        return
    html()
    python("-m", "ruff", "check", ".")
    python("-m", "mypy")
    python("-m", "pytest", *two, *([] if rest else ["--cov", "--cov-report=term"]), *rest)


def beside(name: str) -> Path:
    """Packages that stand beside the environment, which holds none of them: requirements/NAME.txt in _build/NAME/packages."""
    asked, packages, stamp = REQUIREMENTS / f"{name}.txt", BUILD / name / "packages", BUILD / name / "packages.stamp"
    want = digest(asked)
    if not (stamp.is_file() and stamp.read_text("utf8") == want):
        shutil.rmtree(packages, ignore_errors=True)
        uv = [*BIN.glob("uv"), *BIN.glob("uv.exe")]
        pip: list[object] = [uv[0], "pip", "install", "--python", PY] if uv else [PY, "-m", "pip", "install"]
        run(*pip, "-q", "--target", packages, "--no-deps", "--require-hashes", "-r", asked)
        write(stamp, want)
    return packages


def mutants(*words: str) -> None:
    """Plant errors in the library."""
    packages = beside("mutants")
    python("-m", "kexue", "data")
    run(PY, "tools/mutants.py", *words, env=environment() | {"PYTHONPATH": str(packages)})


def bench(*words: str) -> None:
    """Measure; the peer of a chapter stands beside the environment."""
    if "hsic" in words or "--only" not in words:
        beside("peers")
    python("benchmarks/run.py", *words)


def lab(*options: str) -> None:
    with socket.socket() as probe:  # Jupyter tries the next port by itself; asked only to say it in one line
        busy = probe.connect_ex(("127.0.0.1", 8888)) == 0
    if busy:
        say("Port 8888 is in use: JupyterLab takes the next free one.")
    python("-m", "jupyter", "lab", f"--notebook-dir={ROOT}", *options)


def clean(*options: str) -> None:
    for path in [BUILD, WRITTEN, *([VENV, ROOT / ".data"] if "--all" in options else [])]:
        if path.exists():
            say(f"removing {path.relative_to(ROOT)}")
            shutil.rmtree(path)


def lock() -> None:
    """Write the locks: torch stays out of them (see requirements/overrides.txt)."""
    options = ["--override", "requirements/overrides.txt", "--universal", "--python-version", "3.11"]
    options += ["--no-header", "--no-annotate", "--upgrade"]
    uv = [BIN / "uv", "pip", "compile", "-q"]
    run(*uv, "requirements/base.in", "-o", LOCK, "--generate-hashes", *options)
    run(*uv, "requirements/base.in", "-o", REQUIREMENTS / "pins.txt", "-c", LOCK, *options[:-1])
    run(*uv, "requirements/test.in", "-o", TEST_LOCK, "-c", LOCK, "--generate-hashes", *options)
    for beside_it in ("mutants", "peers"):
        asked = REQUIREMENTS / f"{beside_it}.txt"
        run(*uv, f"requirements/{beside_it}.in", "-o", asked, "-c", LOCK, "-c", TEST_LOCK, "--generate-hashes", *options)


def main(command: str = "--help", *words: str) -> None:
    if command in ("-h", "--help", "help"):
        say(__doc__ or "")
    elif command == "clean":
        clean(*words)
    elif command in ("book", "html", "lab", "test", "data", "train", "bench", "mutants", "versions", "zip", "lock"):
        setup(tests=command in ("test", "bench", "mutants", "versions"))
        if command == "book":
            book(*words)
        elif command == "html":
            say(f"The book: {html(*words).relative_to(ROOT)}")
        elif command == "lab":
            lab(*words)
        elif command == "test":
            test(*words)
        elif command in ("data", "train"):
            python("-m", "kexue", command, *words)
        elif command == "bench":
            bench(*words)
        elif command == "mutants":
            mutants(*words)
        elif command == "versions":
            python("tools/versions.py", *words)
        elif command == "zip":
            html()
            python("tools/pack.py")
        else:
            lock()
    else:
        sys.exit(f"No command '{command}'.\n{__doc__}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
    except KeyboardInterrupt:
        say("\nStopped.")
