"""The cache: one file a data set, with the hash of its content in its name, written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .spec import Column, DataError, Info

__all__ = ["content_hash", "file_hash", "folder", "pack", "path_of", "read", "scratch", "unpack", "write"]

Arrays = Mapping[str, NDArray[Any]]
_ENDS = ".ends"  # a column of texts is stored as its UTF-8 bytes and the places where each text ends
_STOPS = ".stops"  # a column of tables, likewise: their rows one after the other and the places where each table ends
_STALE = 24 * 3600.0  # seconds after which a scratch folder must belong to a process that was killed


def folder() -> Path:
    """The cache folder: ``$KEXUE_DATA``, else ``.data`` in the project, else a folder of the user's cache."""
    if chosen := os.environ.get("KEXUE_DATA"):
        return Path(chosen).expanduser()
    root = Path(__file__).resolve().parents[3]
    if (root / "make.py").is_file():
        return root / ".data"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kexue"


def path_of(info: Info) -> Path:
    """Where the content of a data set lies in the cache."""
    return folder() / f"{info.name}-{info.sha256[:16]}.safetensors"


def pack(columns: Mapping[str, Column]) -> dict[str, NDArray[Any]]:
    """Turn columns into arrays, names in alphabetical order.

    Texts become their UTF-8 bytes and the places where each ends; tables of different lengths become one, and the places where each ends.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for name, column in columns.items():
        if isinstance(column, np.ndarray):
            arrays[name] = _little(column)
        elif column and isinstance(column[0], np.ndarray):
            arrays[name] = _little(np.concatenate(column))
            arrays[name + _STOPS] = np.cumsum([len(table) for table in column], dtype=np.int64)
        else:
            encoded = [str(text).encode("utf8") for text in column]
            arrays[name] = np.frombuffer(b"".join(encoded), np.uint8)
            arrays[name + _ENDS] = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    return dict(sorted(arrays.items()))


def _little(array: NDArray[Any]) -> NDArray[Any]:
    """The array in one piece and little-endian, as it is stored and hashed."""
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))


def unpack(arrays: Arrays) -> dict[str, NDArray[Any] | tuple[str, ...] | tuple[NDArray[Any], ...]]:
    """The inverse of :func:`pack`, with tuples in place of lists."""
    columns: dict[str, NDArray[Any] | tuple[str, ...] | tuple[NDArray[Any], ...]] = {}
    for name, array in arrays.items():
        if name.endswith((_ENDS, _STOPS)):
            continue
        if name + _ENDS in arrays:
            raw, ends = array.tobytes(), [int(end) for end in arrays[name + _ENDS]]
            columns[name] = tuple(raw[a:b].decode("utf8") for a, b in zip([0, *ends][:-1], ends, strict=True))
        elif name + _STOPS in arrays:
            columns[name] = tuple(np.split(array, arrays[name + _STOPS][:-1]))
        else:
            columns[name] = array
    return columns


def content_hash(arrays: Arrays) -> str:
    """SHA-256 of the canonical bytes of a content.

    For each array, by name: a line ``name type shape``, then its elements in C order, little-endian. The hash does not depend on
    the source, the archive, the order of its files, or the library that wrote the cache.

    >>> content_hash({"labels": np.array([1, 2], np.int64)})[:16]
    '6d7cbdaccf480774'
    """
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = _little(arrays[name])
        total.update(f"{name} {array.dtype.str} {'x'.join(map(str, array.shape))}\n".encode())
        total.update(array.data.cast("B") if array.size else b"")
    return total.hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(info: Info) -> dict[str, NDArray[Any]]:
    """Read a data set's content from the cache and check its hash.

    Raises:
        FileNotFoundError: it is not there.
        DataError: it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path = path_of(info)
    raw = path.read_bytes()
    try:
        arrays: dict[str, NDArray[Any]] = load(raw)
    except (SafetensorError, ValueError, KeyError) as error:
        raise DataError(f"{path} is damaged: {error}") from error
    found = content_hash(arrays)
    if found != info.sha256:
        raise DataError(f"{path} is damaged: the SHA-256 of its content is {found}, expected {info.sha256}")
    return arrays


def write(info: Info, arrays: Arrays, scratch_folder: Path) -> Path:
    """Write a content into the cache, whole or not at all.

    The file is written under another name, flushed to the disk, and renamed. Two processes that do so at once rename the same
    content to the same name, so that either order is right.
    """
    from safetensors.numpy import save

    part, path = scratch_folder / "content", path_of(info)
    with part.open("wb") as file:
        file.write(save(dict(arrays), metadata={"sha256": info.sha256}))
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return path


@contextlib.contextmanager
def scratch(name: str) -> Iterator[Path]:
    """A folder of one's own inside the cache, gone afterwards; a full or read-only disk becomes a clear error.

    Raises:
        DataError: the cache can't be written to.
    """
    cache = folder()
    part = cache / f".part-{name}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        part.mkdir(parents=True)
        _sweep(cache)
        yield part
    except OSError as error:
        raise DataError(_disk_error(error, cache)) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _sweep(cache: Path) -> None:
    """Remove what killed processes left behind."""
    for stale in cache.glob(".part-*"):
        with contextlib.suppress(OSError):
            if time.time() - stale.stat().st_mtime > _STALE:
                shutil.rmtree(stale, ignore_errors=True)


def _disk_error(error: OSError, cache: Path) -> str:
    remedy = "Nothing half-written was left. Make room, or name another folder in the environment variable KEXUE_DATA."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk that holds the data folder {cache} is full ({error.strerror}). {remedy}"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"The data folder {cache} can't be written to ({error.strerror}). {remedy}"
    return f"The data folder {cache} can't be used ({error}). {remedy}"
