"""Files that are either whole or not there, and that are known by their hash."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO


class DamagedFileError(RuntimeError):
    """A file whose content is not what its hash says."""


class BusyError(RuntimeError):
    """A folder in which another process is at work."""


def sha256(data: bytes) -> str:
    """The SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` so that a crash at any moment leaves the old file or the new one, never a part.

    The bytes go to a temporary file in the same folder, are flushed to the disk, and take the name in one step; then the
    folder itself is flushed, so that the new name survives a power cut too.

    Args:
        path: where the file shall be; its folder is made if it is missing.
        data: the content.

    Raises:
        OSError: if the folder is read-only or the disk is full; no part of the file is left behind.
    """
    _make_folder(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)  # mkstemp makes files that only their owner reads
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, each flushed into the one that holds it."""
    missing = [folder, *folder.parents][: [p.is_dir() for p in (folder, *folder.parents)].index(True)]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        _flush_folder(made.parent)


def remove_leftovers(path: Path) -> None:
    """Delete the temporary files of writes of ``path`` that were killed; only where no other process can be writing it."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with contextlib.suppress(OSError):
            part.unlink()


@contextlib.contextmanager
def exclusive(path: Path, *, held: bool = True) -> Iterator[None]:
    """Hold a lock file; the system releases it however the process ends, also by ``kill -9``.

    Where a lock cannot be had at all (a read-only folder, a system without ``flock``) nothing is locked.

    Args:
        path: the lock file; it is deleted at the end.
        held: whether this process needs the lock; without it the context does nothing.

    Raises:
        BusyError: if another process holds it.
    """
    stream = _lock(path) if held else None
    try:
        yield
    finally:
        if stream is not None:
            with contextlib.suppress(OSError):
                path.unlink()
            stream.close()


def _lock(path: Path) -> IO[bytes] | None:
    try:
        import fcntl

        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            stream = path.open("ab")
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                stream.close()
                raise BusyError(f"another process is at work in {path.parent}: wait for it, or choose another folder") from error
            if os.path.exists(path) and os.path.samestat(os.fstat(stream.fileno()), os.stat(path)):
                return stream
            stream.close()  # its holder has just deleted it: what was locked is no longer what others would lock
    except (ImportError, OSError):
        return None


def _flush_folder(folder: Path) -> None:
    """Flush a folder's list of names to the disk, on the systems that know how."""
    with contextlib.suppress(OSError):  # Windows cannot open folders; the file itself is safe already
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_checked(path: Path, digest: str, remedy: str) -> bytes:
    """Read a file and compare it with its hash.

    Args:
        path: the file.
        digest: the SHA-256 that it must have.
        remedy: what to do if it has another, for the error.

    Returns:
        The content.

    Raises:
        FileNotFoundError: if there is no such file.
        DamagedFileError: if the hash differs.
    """
    data = path.read_bytes()
    found = sha256(data)
    if found != digest:
        raise DamagedFileError(f"{path} is damaged: its SHA-256 is {found}, expected {digest}. {remedy}")
    return data
