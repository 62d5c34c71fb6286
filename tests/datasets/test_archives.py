"""Archive readers on archives made here by other means: tarfile, zipfile, and a .deb written byte by byte (and by dpkg-deb where it is)."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from kexue.datasets import archives
from kexue.datasets.archives import ArchiveError, deb_data, open_archive

CONTENT = {"a/one.txt": b"one", "a/b/two.bin": bytes(range(256)), "three": b""}


def test_tar_of_each_compression(tmp_path: Path, make: Any) -> None:
    for ending, mode in ((".tgz", "w:gz"), (".tar.gz", "w:gz"), (".tar.xz", "w:xz"), (".tar.bz2", "w:bz2"), (".tar", "w")):
        path = tmp_path / f"x{ending}"
        path.write_bytes(make.tar(CONTENT, mode, "./package/"))
        assert dict(open_archive(path, "package").items()) == CONTENT


@pytest.mark.parametrize("ending", [".whl", ".zip"])
def test_wheel(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x{ending}"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("pkg/", b"")
        for name, raw in CONTENT.items():
            z.writestr("pkg/" + name, raw)
    assert dict(open_archive(path, "/pkg/").items()) == CONTENT


@pytest.mark.parametrize("mode", ["w:xz", "w:gz"])
def test_deb_written_byte_by_byte(tmp_path: Path, make: Any, mode: str) -> None:
    path = tmp_path / "x_1_all.deb"
    data = make.tar(CONTENT, mode, "./usr/share/x/")
    # an odd length before the data member: the padding byte must be stepped over
    path.write_bytes(make.deb({"debian-binary": b"2.0\n", "control.tar.gz": b"odd", "data.tar." + mode[2:]: data}))
    assert deb_data(path) == data
    assert dict(open_archive(path, "usr/share/x").items()) == CONTENT


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb as an independent writer")
@pytest.mark.parametrize("kind", ["xz", "gzip", "zstd"])
def test_deb_written_by_dpkg(tmp_path: Path, kind: str) -> None:
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text("Package: x\nVersion: 1\nArchitecture: all\nMaintainer: t <t@t.org>\nDescription: t\n")
    (tree / "usr").mkdir()
    (tree / "usr" / "f").write_bytes(b"hello")
    done = subprocess.run(["dpkg-deb", f"-Z{kind}", "-b", str(tree), str(tmp_path / "x.deb")], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"this dpkg-deb does not write {kind}")
    assert dict(open_archive(tmp_path / "x.deb", "usr").items()) == {"f": b"hello"}


def test_zstandard_without_dpkg(tmp_path: Path, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(make.deb({"debian-binary": b"2.0\n", "data.tar.zst": b"??"}))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ArchiveError, match="Zstandard"):
        deb_data(path)
    monkeypatch.setattr(shutil, "which", lambda name: "false")
    with pytest.raises(ArchiveError, match="dpkg-deb can't read"):
        deb_data(path)


def test_zstandard_by_dpkg(tmp_path: Path, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path, script = tmp_path / "x.deb", tmp_path / "dpkg-deb"
    path.write_bytes(make.deb({"data.tar.zst": b"??"}))
    (tmp_path / "out.tar").write_bytes(make.tar(CONTENT, "w"))
    script.write_text(f'#!/bin/sh\ncat "{tmp_path}/out.tar"\n')
    script.chmod(0o755)
    monkeypatch.setattr(archives.shutil, "which", lambda name: str(script))
    assert dict(open_archive(path).items()) == CONTENT


def test_folder(tmp_path: Path) -> None:
    for name, raw in CONTENT.items():
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).write_bytes(raw)
    archive = open_archive(tmp_path, "root")
    assert archive.names() == sorted(CONTENT)
    assert archive.read("three", "a/one.txt") == [b"", b"one"]
    assert [name for name, _ in archive.items(lambda n: n.startswith("a/"))] == ["a/b/two.bin", "a/one.txt"]


def test_missing_member_is_named(tmp_path: Path, make: Any) -> None:
    path = tmp_path / "x.tgz"
    path.write_bytes(make.tar(CONTENT, prefix="package/"))
    with pytest.raises(ArchiveError, match=r"x\.tgz holds no package/four"):
        open_archive(path, "package").read("three", "four")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"<html>not found</html>", "does not begin with the mark"),
        (b"!<arch>\n" + b"x" * 60, "gives no length"),
        (b"!<arch>\n", "holds no data.tar"),
        (b"!<arch>\n" + b"data.tar.xz".ljust(48) + b"99".ljust(10) + b"`\nshort", "cut off: data.tar.xz should have 99"),
    ],
)
def test_damaged_deb(tmp_path: Path, raw: bytes, words: str) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(raw)
    with pytest.raises(ArchiveError, match=words):
        open_archive(path).names()


@pytest.mark.parametrize("ending", [".tgz", ".tar.xz", ".whl"])
def test_a_cut_or_spoilt_archive_is_an_archive_error(tmp_path: Path, make: Any, ending: str) -> None:
    path = tmp_path / f"x{ending}"
    if ending == ".whl":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
            z.writestr("f", bytes(range(256)) * 40)
        whole = path.read_bytes()
    else:
        noise = b"".join(hashlib.sha256(bytes([i])).digest() for i in range(256)) * 3  # does not compress: the middle is the member's
        whole = make.tar({"f": noise}, {".tgz": "w:gz", ".tar.xz": "w:xz"}[ending])
    middle = len(whole) // 2
    for spoilt in (b"", b"nonsense", whole[: len(whole) // 2], whole[:middle] + bytes(b ^ 255 for b in whole[middle:])):
        path.write_bytes(spoilt)
        with pytest.raises(ArchiveError, match=r"x\."):
            dict(open_archive(path).items())


def test_an_error_of_the_caller_is_not_disguised(tmp_path: Path, make: Any) -> None:
    path = tmp_path / "x.tgz"
    path.write_bytes(make.tar(CONTENT))

    def match(name: str) -> bool:
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        list(open_archive(path).items(match))


def test_unknown_ending(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"x\.rar is no archive that is known here"):
        open_archive(tmp_path / "x.rar")
