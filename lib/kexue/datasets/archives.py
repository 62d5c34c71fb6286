"""Readers of the archives that packages come in: Debian ``.deb``, npm ``.tgz``, Python wheel and sdist, plain folders and files.

Nothing is unpacked to the disk: a reader hands out the bytes of the members that are asked for, in one pass. A member's name can
therefore never lead outside a folder.
"""

from __future__ import annotations

import contextlib
import io
import lzma
import shutil
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["Archive", "ArchiveError", "deb_data", "open_archive"]

_AR_MAGIC = b"!<arch>\n"
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, OSError)
_AR_HEADER = 60  # bytes: name 16, date 12, owner 6, group 6, mode 8, size 10, end 2


class ArchiveError(ValueError):
    """A file is not the archive that its name says, or lacks a member."""


class Archive:
    """The members of one archive below a folder of it.

    Args:
        path: the archive on disk; it is named in errors.
        members: a function that walks the archive and yields ``(name, read)``, where ``read()`` gives the member's bytes.
        root: the folder inside the archive that names are relative to.
    """

    def __init__(self, path: Path, members: Callable[[], Iterator[tuple[str, Callable[[], bytes]]]], root: str = "") -> None:
        self.path = path
        self._members = members
        self._root = root.strip("/") + "/" if root.strip("/") else ""

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        """Whatever a broken archive makes the readers of the standard library say becomes an ArchiveError that names the file."""
        try:
            yield
        except _BROKEN as error:
            raise ArchiveError(f"{self.path.name} is damaged or can't be read ({error})") from error

    def _walk(self) -> Iterator[tuple[str, Callable[[], bytes]]]:
        for name, read in self._members():
            plain = name.removeprefix("./")
            if plain.startswith(self._root):
                yield plain[len(self._root) :], read

    def names(self) -> list[str]:
        """The names of all files below the root, sorted."""
        with self._guard():
            return sorted(name for name, _ in self._walk())

    def items(self, match: Callable[[str], bool] = lambda name: True) -> Iterator[tuple[str, bytes]]:
        """Yield ``(name, bytes)`` of the files whose name passes `match`, in the archive's order and one pass."""
        with self._guard():
            for name, read in self._walk():
                if match(name):
                    yield name, read()

    def read(self, *names: str) -> list[bytes]:
        """The bytes of the named files, in the order of the arguments.

        Raises:
            ArchiveError: a file is not there.
        """
        found = dict(self.items(set(names).__contains__))
        missing = [name for name in names if name not in found]
        if missing:
            raise ArchiveError(f"{self.path.name} holds no {self._root}{missing[0]}")
        return [found[name] for name in names]


def open_archive(path: Path, root: str = "") -> Archive:
    """Open an archive by the ending of its name.

    Args:
        path: a ``.deb``, a tar (``.tgz``, ``.tar.gz``, ``.tar.xz``, ...), a ``.whl`` or ``.zip``, or a folder.
        root: the folder inside it that member names are relative to.

    Raises:
        ArchiveError: no reader for such a name.
    """
    name = path.name.lower()
    if path.is_dir():
        return Archive(path, lambda: _folder(path), root)
    if name.endswith(".deb"):
        return Archive(path, lambda: _tar(io.BytesIO(deb_data(path))), root)
    if name.endswith((".tgz", ".tar", ".tar.gz", ".tar.xz", ".tar.bz2")):
        return Archive(path, lambda: _tar(path), root)
    if name.endswith((".whl", ".zip")):
        return Archive(path, lambda: _zip(path), root)
    raise ArchiveError(f"{path.name} is no archive that is known here: expected .deb, .tgz, .tar.*, .whl, .zip or a folder")


def deb_data(path: Path) -> bytes:
    """The data tar of a Debian package, still compressed.

    A ``.deb`` is an ``ar`` archive: an eight-byte mark, then members with a sixty-byte text header, each padded to even length.
    One of them is ``data.tar`` with the ending of its compression. Zstandard, which some derivatives of Debian use, is left to
    ``dpkg-deb``.

    Raises:
        ArchiveError: no ``ar`` archive, or no data member, or cut off.
    """
    raw = path.read_bytes()
    if not raw.startswith(_AR_MAGIC):
        raise ArchiveError(f"{path.name} is no Debian package: it does not begin with the mark of an ar archive")
    at = len(_AR_MAGIC)
    while at + _AR_HEADER <= len(raw):
        name = raw[at : at + 16].decode("ascii", "replace").strip(" /")
        length = raw[at + 48 : at + 58].strip()
        if not length.isdigit():
            raise ArchiveError(f"{path.name} is damaged: the header at byte {at} gives no length")
        body = raw[at + _AR_HEADER : at + _AR_HEADER + int(length)]
        if len(body) < int(length):
            raise ArchiveError(f"{path.name} is cut off: {name} should have {int(length)} bytes and has {len(body)}")
        if name == "data.tar.zst":
            return _dpkg_data(path)
        if name.startswith("data.tar"):
            return body
        at += _AR_HEADER + int(length) + int(length) % 2
    raise ArchiveError(f"{path.name} holds no data.tar")


def _dpkg_data(path: Path) -> bytes:
    """The data tar of a package compressed by Zstandard, for which Python has no reader before 3.14."""
    dpkg = shutil.which("dpkg-deb")
    if dpkg is None:
        raise ArchiveError(f"{path.name} is compressed by Zstandard and there is no dpkg-deb to read it")
    done = subprocess.run([dpkg, "--fsys-tarfile", str(path)], capture_output=True, check=False)
    if done.returncode:
        raise ArchiveError(f"dpkg-deb can't read {path.name}: {done.stderr.decode('utf8', 'replace').strip()}")
    return done.stdout


def _tar(source: Path | io.BytesIO) -> Iterator[tuple[str, Callable[[], bytes]]]:
    with tarfile.open(source) if isinstance(source, Path) else tarfile.open(fileobj=source) as tar:
        for member in tar:
            if member.isfile():
                yield member.name, lambda member=member: _all(tar, member)  # type: ignore[misc]


def _all(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    assert file is not None  # only folders and devices have none
    return file.read()


def _zip(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if not name.endswith("/"):
                yield name, lambda name=name: archive.read(name)  # type: ignore[misc]


def _folder(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    for file in sorted(path.rglob("*")):
        if file.is_file():
            yield file.relative_to(path).as_posix(), file.read_bytes
