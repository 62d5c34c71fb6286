"""What the tests of the data sets share: an empty data folder, tiny archives, and a tiny declaration whose sources are stand-ins."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kexue.datasets import loading, store
from kexue.datasets.archives import Archive
from kexue.datasets.clients import SourceError
from kexue.datasets.spec import Info, Spec

FILES = {"numbers.bin": bytes(range(10)), "texts.txt": "春\n眠不\n\nabc\n覺".encode()}


def tar_bytes(files: dict[str, bytes], mode: str = "w:gz", prefix: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:  # type: ignore[call-overload]
        folder = tarfile.TarInfo(prefix.rstrip("/") or ".")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, raw in files.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(raw)
            tar.addfile(member, io.BytesIO(raw))
    return out.getvalue()


def deb_bytes(members: dict[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, raw in members.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(raw):<10}".encode() + b"`\n" + raw + b"\n" * (len(raw) % 2)
    return out


def idx_gz(array: np.ndarray) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return gzip.compress(head + array.astype(np.uint8).tobytes())


def decode(archive: Archive) -> dict[str, object]:
    numbers, texts = archive.read("numbers.bin", "texts.txt")
    return {"labels": np.frombuffer(numbers, np.uint8).astype(np.int64).reshape(5, 2), "texts": texts.decode("utf8").split("\n")}


class Stand:
    """A source that gives what a function writes, and counts how often it is asked."""

    root, local, archived = "inside", False, True
    files: tuple[str, ...] = ("tiny.tgz",)
    by_hand = "tiny.tgz   (from the test)"

    def __init__(self, write: Callable[[Path], Path], name: str = "stand") -> None:
        self.write, self.name, self.asked = write, name, 0

    def __str__(self) -> str:
        return self.name

    def fetch(self, folder: Path, tick: Callable[[int], None]) -> Path:
        self.asked += 1
        tick(50)
        return self.write(folder)

    def check(self, path: Path) -> None:
        pass


def good(folder: Path) -> Path:
    (folder / "tiny.tgz").write_bytes(tar_bytes(FILES, prefix="inside/"))
    return folder / "tiny.tgz"


def bad(folder: Path) -> Path:
    (folder / "tiny.tgz").write_bytes(tar_bytes({**FILES, "numbers.bin": bytes(10)}, prefix="inside/"))
    return folder / "tiny.tgz"


def offline(folder: Path) -> Path:
    raise SourceError("getaddrinfo ENOTFOUND")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder."""
    path = tmp_path / "data"
    monkeypatch.setenv("KEXUE_DATA", str(path))
    return path


@pytest.fixture
def tiny(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Spec]:
    """Declare the set "tiny" with the given stand-ins as sources, and make it the only one."""
    columns = {"labels": np.arange(10).reshape(5, 2), "texts": ["春", "眠不", "", "abc", "覺"]}
    info = Info(
        name="tiny", title="Tiny", what="numbers and words", count=5, shape=(2,), splits={"train": 3, "test": 2}, split_rule="by hand",
        classes=(), registry="npm", package="tiny", version="1", licence="none", origin="this test", citation="", rights="", duplicates="",
        bytes=0, download=100, sha256=store.content_hash(store.pack(columns)),
    )  # fmt: skip

    def declare(*sources: object, **changes: object) -> Spec:
        spec = Spec(replace(info, **changes), sources, decode)  # type: ignore[arg-type]
        monkeypatch.setattr(loading, "SPECS", {"tiny": spec})
        return spec

    return declare


@pytest.fixture
def make() -> type[Make]:
    return Make


class Make:
    """The helpers of this file, for tests that are imported each on its own."""

    files = FILES
    tar, deb, idx = staticmethod(tar_bytes), staticmethod(deb_bytes), staticmethod(idx_gz)
    good, bad, offline, stand = staticmethod(good), staticmethod(bad), staticmethod(offline), Stand
