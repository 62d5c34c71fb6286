"""environment.yml installs what the lock says, and the package asks for nothing that the lock does not satisfy."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import warnings
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version


def pinned(path: Path) -> dict[str, set[tuple[str, str]]]:
    """Each package of a requirements file with its (version, marker) pairs; hashes, comments and options are passed over."""
    found: dict[str, set[tuple[str, str]]] = {}
    for line in path.read_text("utf8").splitlines():
        text = line.split(" #")[0].rstrip("\\ ").strip()
        if text and not text.startswith(("#", "-")):
            requirement = Requirement(text)
            (specifier,) = requirement.specifier
            assert specifier.operator == "==", f"{path.name}: {text} is not pinned"
            found.setdefault(canonicalize_name(requirement.name), set()).add((specifier.version, str(requirement.marker or "")))
    return found


@pytest.fixture(scope="module")
def environment(request: pytest.FixtureRequest) -> dict[str, object]:
    root: Path = request.getfixturevalue("root")
    loaded: dict[str, object] = yaml.safe_load((root / "environment.yml").read_text("utf8"))
    return loaded


def pip_part(environment: dict[str, object]) -> list[str]:
    entries = environment["dependencies"]
    assert isinstance(entries, list)
    (part,) = [entry["pip"] for entry in entries if isinstance(entry, dict)]
    return list(part)


def test_pins_are_the_lock_without_hashes(root: Path) -> None:
    lock, pins = pinned(root / "requirements/lock.txt"), pinned(root / "requirements/pins.txt")
    assert len(lock) > 100
    assert pins == lock
    assert "--hash" not in (root / "requirements/pins.txt").read_text("utf8")


def test_every_entry_of_the_locks_has_a_hash(root: Path) -> None:
    for name in ("lock.txt", "test.txt", "uv.txt"):
        text = re.sub(r"\\\n", "", (root / "requirements" / name).read_text("utf8"))
        entries = [line for line in text.splitlines() if "==" in line and not line.lstrip().startswith("#")]
        assert entries
        assert not [line.split("==")[0] for line in entries if "--hash=sha256:" not in line], name


def test_locks_agree_where_they_overlap(root: Path) -> None:
    lock, test = pinned(root / "requirements/lock.txt"), pinned(root / "requirements/test.txt")
    apart = {name: (lock[name], test[name]) for name in lock.keys() & test.keys() if lock[name] != test[name]}
    assert not apart


def test_environment_says_what_the_commands_install(environment: dict[str, object]) -> None:
    assert environment["name"] == "kexue"
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    entries = environment["dependencies"]
    assert isinstance(entries, list)
    assert [entry for entry in entries if isinstance(entry, str)] == ["python=3.11", "pip"]
    assert pip_part(environment) == ["-r requirements/pins.txt", "-r requirements/torch.txt", "-e ."]


def test_python_of_the_environment_is_one_that_the_project_takes(root: Path, environment: dict[str, object]) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf8"))["project"]
    assert Requirement("python" + project["requires-python"]).specifier.contains("3.11.0")
    assert "python=3.11" in environment["dependencies"]  # type: ignore[operator]


def test_the_package_asks_for_nothing_outside_the_lock(root: Path) -> None:
    """``-e .`` comes last and must find all of its dependencies satisfied, else pip would bring others in."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf8"))["project"]
    versions = {**pinned(root / "requirements/pins.txt"), **pinned(root / "requirements/torch.txt")}
    for text in project["dependencies"]:
        requirement = Requirement(text)
        held = versions.get(canonicalize_name(requirement.name))
        assert held, f"{text} is asked for and not locked"
        assert all(requirement.specifier.contains(Version(version)) for version, _ in held), f"{text} against {held}"


def test_this_environment_is_the_lock(root: Path) -> None:
    """The environment that runs the tests holds the versions that environment.yml names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of packages whose metadata is old-fashioned
        held = {canonicalize_name(d.metadata["Name"]): d.version.split("+")[0] for d in metadata.distributions()}
    wanted = {**pinned(root / "requirements/pins.txt"), **pinned(root / "requirements/torch.txt")}
    apart = {name: (held[name], pairs) for name, pairs in wanted.items() if name in held and held[name] not in {v for v, _ in pairs}}
    assert not apart
    here = {name for name, pairs in wanted.items() if any(not marker for _, marker in pairs)}
    assert here <= held.keys(), here - held.keys()


@pytest.mark.slow
def test_rehearsal(root: Path, environment: dict[str, object]) -> None:
    """The pip part, written beside environment.yml and run the way conda runs it, finds nothing left to install here."""
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode:
        pytest.skip("this environment was made without pip")
    file = root / "condaenv.rehearsal.requirements.txt"
    file.write_text("\n".join(line for line in pip_part(environment) if not line.startswith("-e")) + "\n", "utf8")
    try:
        words = ["install", "--dry-run", "-q", "--disable-pip-version-check", "-U", "-r", file.name]
        done = subprocess.run([sys.executable, "-m", "pip", *words], cwd=root, capture_output=True, text=True, check=False)
    finally:
        file.unlink()
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Would install" not in done.stdout
