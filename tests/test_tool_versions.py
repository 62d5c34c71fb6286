"""The command that tests other versions: what it looks for, what it refuses, what it makes of pytest's words."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import versions  # noqa: E402


def test_the_oldest_torch_is_the_one_that_the_package_asks_for() -> None:
    assert Version(versions.oldest()) < Version(versions.pinned())
    assert f"torch {versions.oldest()}" in (ROOT / "README.md").read_text("utf8")


def test_a_bound_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["torchvision>=1", "torch==2.1"]\n')
    with pytest.raises(ValueError, match=r"torch>=X\.Y"):
        versions.oldest(tmp_path)


def test_every_python_that_is_tested_is_one_that_the_package_takes() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]["requires-python"]
    assert all(version in SpecifierSet(asked) for version in versions.PYTHONS)
    assert "3.10" not in SpecifierSet(asked)


def test_the_plan_has_three_torches_on_the_first_python_and_the_book_s_on_all() -> None:
    rows = versions.plan(["3.11", "3.12", "3.13"])
    assert [(version, name) for version, name, _ in rows] == [
        ("3.11", "oldest"), ("3.11", versions.BOOK), ("3.11", "newest"), ("3.12", versions.BOOK), ("3.13", versions.BOOK)]  # fmt: skip


@pytest.mark.parametrize(("line", "found"), [
    ("Downloading torch-2.5.1-cp311-cp311-manylinux1_x86_64.whl (906.5 MB)", ("2.5.1", 906.5)),
    ("  Downloading https://host/a/b/torch-2.15.0-cp313-cp313-manylinux_2_28_x86_64.whl (1.2 GB)", ("2.15.0", 1200.0)),
    ("Downloading torch-2.5.1-cp311-cp311-manylinux1_x86_64.whl.metadata (28 kB)", None),
    ("Downloading pytorch-2.5.1-py3-none-any.whl (900 MB)", None),
])  # fmt: skip
def test_the_size_is_read_before_the_file_is(line: str, found: tuple[str, float] | None) -> None:
    assert versions.size_of(line) == found


def pip(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A pip that does what a line of Python does; ``dest`` is the folder it is asked to fill."""
    real = subprocess.Popen

    def popen(command: list[str], **options: object) -> object:
        head = f"import pathlib; dest = pathlib.Path({command[command.index('--dest') + 1]!r}); dest.mkdir(parents=True)\n"
        return real([sys.executable, "-u", "-c", head + script], **options)  # type: ignore[call-overload]

    monkeypatch.setattr(versions.subprocess, "Popen", popen)


def test_a_large_build_is_stopped_at_its_first_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = "Downloading torch-2.9.0-cp312-cp312-manylinux_2_28_x86_64.whl (899.8 MB)"
    pip(monkeypatch, f"print({line!r})\nimport time; time.sleep(60); (dest / 'torch-2.9.0.whl').touch()")
    found = versions.fetch("torch==2.9.0", "3.12", 500, tmp_path / "w")
    assert found == versions.Refused("torch 2.9.0 for Python 3.12 is 900 MB, more than 500: not fetched" + versions.MORE)
    assert not (tmp_path / "w").exists()


def test_a_small_build_is_taken_and_a_large_one_of_this_machine_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip(monkeypatch, "(dest / 'torch-2.9.0+cpu-cp311.whl').write_bytes(bytes(2_000_000))")
    assert versions.fetch("torch", "3.11", 500, tmp_path / "w") == tmp_path / "w" / "torch-2.9.0+cpu-cp311.whl"
    refused = versions.fetch("torch", "3.11", 1, tmp_path / "w")
    assert refused == versions.Refused("torch-2.9.0+cpu-cp311.whl is 2 MB, more than 1: not taken" + versions.MORE)
    assert not (tmp_path / "w").exists()


def test_what_cannot_be_had_is_told_in_pip_s_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip(monkeypatch, "print('ERROR: No matching distribution found'); raise SystemExit(1)")
    found = versions.fetch("torch==9", "3.11", 500, tmp_path / "w")
    assert found == versions.Refused("no build of torch==9 for Python 3.11: ERROR: No matching distribution found")


@pytest.mark.parametrize(("lines", "python", "found"), [
    ("Requires-Dist: sympy==1.13.1\nRequires-Dist: filelock", "3.11", []),
    (
        'Requires-Dist: nvidia-cudnn-cu12 (==9.1.0.70) ; platform_system == "Linux"\nRequires-Dist: triton==3.1 ; python_version < "3.13"\n'
        'Requires-Dist: nvidia-none ; platform_system == "None"\nRequires-Dist: nvidia-more ; extra == "more"',
        "3.12", ["nvidia-cudnn-cu12==9.1.0.70", "triton==3.1"],
    ),
    ('Requires-Dist: triton==3.1 ; python_version < "3.13"\nRequires-Dist: cuda-toolkit[nvrtc,cudart]==13', "3.13",
     ["cuda-toolkit[cudart,nvrtc]==13"]),
])  # fmt: skip
def test_a_cuda_build_comes_with_its_libraries(tmp_path: Path, lines: str, python: str, found: list[str]) -> None:
    wheel = tmp_path / "torch-2.5.1-cp311-cp311-linux_x86_64.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("torch-2.5.1.dist-info/METADATA", f"Name: torch\n{lines}\n\nRequires-Dist: nvidia-of-the-text\n")
        archive.writestr("torch/other.dist-info/METADATA", "Requires-Dist: nvidia-other\n\n")
    assert versions.companions(wheel, python) == found


def test_one_torch_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tried: list[tuple[str, str]] = []

    def row(version: str, name: str, asked: str, largest: float, *, tests: bool) -> dict[str, object]:
        tried.append((version, name))
        return {"failed": False, "result": f"{asked} {largest:g} {tests}"}

    monkeypatch.setattr(versions, "_row", row)
    monkeypatch.setattr(versions, "WORK", tmp_path)
    monkeypatch.setattr(versions, "_uv", lambda: "uv")
    assert versions.main(["3.12", "3.13", "--only", "oldest", "--largest", "900"]) == 0
    assert tried == [("3.12", "oldest")]
    assert f"torch=={versions.oldest()}.* 900 True" in capsys.readouterr().out
    tried.clear()
    versions.main(["3.12", "3.13", "--only", "book", "--only", "newest", "--list"])
    assert tried == [("3.12", versions.BOOK), ("3.12", "newest"), ("3.13", versions.BOOK)]
    assert "False" in capsys.readouterr().out


def test_this_python_is_found_and_one_that_does_not_exist_is_not() -> None:
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = versions.interpreter(here)
    assert found is not None
    assert found.is_file()
    assert versions.interpreter("3.99") is None


@pytest.mark.parametrize(("text", "found"), [
    ("..\n12 passed in 3.02s\n", {"passed": 12}), ("1 failed, 2 passed, 1 error in 1s", {"failed": 1, "passed": 2, "error": 1}), ("", {}),
    ("ERROR: usage\n", {})])  # fmt: skip
def test_counts_are_those_of_the_last_line(text: str, found: dict[str, int]) -> None:
    assert versions.counts(text) == found


def test_without_torch_what_needs_it_is_skipped_and_the_rest_runs(tmp_path: Path) -> None:
    files = {
        "test_module.py": "import torch\n\ndef test_never():\n    assert False\n",
        "test_inside.py": "def test_inside():\n    import torch.nn\n    assert False\n\ndef test_free():\n    assert True\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "without_torch", f"--rootdir={tmp_path}", str(tmp_path)]
    env = {"PYTHONPATH": str(ROOT / "tools"), "PATH": ""}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert versions.counts(done.stdout) == {"passed": 1, "skipped": 2}
