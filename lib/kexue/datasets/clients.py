"""Running the clients of package registries, and fetching plain addresses; whatever goes wrong becomes a reason in one line."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

__all__ = ["SourceError", "Tick", "download", "find_program", "run_client"]

Tick = Callable[[int], None]
"""Told how many bytes have come so far."""

_POLL = 0.2  # seconds between two looks at how much a client has fetched
_PATIENCE = 1800.0  # seconds after which a client that has not ended is stopped
_TIMEOUT = 30.0  # seconds without an answer after which an address is given up
_CHUNK = 1 << 16
_CODE = re.compile(r"npm err(or|!) (code|syscall|errno|type) ", re.IGNORECASE)
_NETWORK = re.compile(r"connect|resolv|ENOTFOUND|EAI_AGAIN|ECONN|refused|unreachable|timed out|getaddrinfo|Name or service", re.IGNORECASE)


class SourceError(Exception):
    """A source gave nothing; the message is the reason in a line."""

    def __init__(self, reason: str, *, damaged: bool = False) -> None:
        super().__init__(reason)
        self.damaged = damaged

    @property
    def network(self) -> bool:
        """Whether the reason sounds like a missing network."""
        return bool(_NETWORK.search(str(self)))


def download(url: str, path: Path, done: int, tick: Tick) -> int:
    """Write what an address holds to a file; return `done` plus its size."""
    request = urllib.request.Request(url, headers={"User-Agent": "kexue-book"})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer, path.open("wb") as file:
            expected = answer.headers.get("Content-Length")
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                tick(done)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the connection
        raise SourceError(_line(f"{path.name}: {getattr(error, 'reason', error)}")) from error
    if expected is not None and path.stat().st_size != int(expected):
        raise SourceError(f"{path.name} is cut off: {path.stat().st_size} bytes of {expected}", damaged=True)
    return done


def find_program(name: str) -> str:
    """The path of a client: the one beside this interpreter first, then the one on PATH."""
    found = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if found is None:
        raise SourceError(f"{name} is not on this machine")
    return found


def run_client(command: list[str], folder: Path, tick: Tick) -> None:
    """Run a registry's client in a folder, telling how much has come; its last words become the reason if it fails."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # npm is a script that asks for node
    log = folder / "client.log"
    started = time.monotonic()
    with log.open("wb") as out:
        try:
            process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, "LC_ALL": "C", "PATH": path}
            )
        except OSError as error:
            raise SourceError(_line(f"{Path(command[0]).name} can't be started: {error}")) from error
        try:
            while process.poll() is None:
                if time.monotonic() - started > _PATIENCE:
                    raise SourceError(f"{Path(command[0]).name} has not ended after {_PATIENCE / 60:.0f} minutes")
                time.sleep(_POLL)
                tick(_size(folder))
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode:
        raise SourceError(_reason(log.read_text("utf8", "replace"), process.returncode))


def _reason(log: str, code: int) -> str:
    """The most telling line of a client's complaint: apt's last, which sums up; else the first that is more than a code."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    if summary := [line for line in lines if line.startswith("E:")]:
        return _line(summary[0] if len(summary) == 1 or "fetch" in summary[0].lower() else summary[-1])
    errors = [line for line in lines if line.lower().startswith(("npm err", "error", "fatal"))]
    telling = [line for line in errors if not _CODE.match(line)]
    return _line((telling or errors or lines or [f"ended with code {code}"])[0])


def _line(text: str) -> str:
    return " ".join(text.split())[:240]


def _size(folder: Path) -> int:
    """Bytes in a folder, files that vanish meanwhile left out."""
    total = 0
    for base, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(base, name)).st_size
            except OSError:
                continue
    return total
