"""Files that are either whole or not there, and that are known by their hash."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path


class DamagedFileError(RuntimeError):
    """A file whose content is not what its hash says."""


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
    path.parent.mkdir(parents=True, exist_ok=True)
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
