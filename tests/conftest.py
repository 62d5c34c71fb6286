"""What all tests share: the paths, two threads at most, the built book and a browser where a test asks for them."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from torch import Tensor

    from kexue.records import Record
    from kexue.training.runner import Comparison

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "book" / "_extensions")]
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def site() -> Path:
    """The built site. ``make.py test`` builds it before the tests start."""
    path = ROOT / "_build" / "html"
    if not (path / "index.html").is_file():
        pytest.fail("The book is not built: run python3 make.py html first (python3 make.py test does it by itself).")
    return path


@pytest.fixture
def in_place_of_pictures(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that puts pictures and labels, by split, in the place of those of every data set that experiments train on."""

    def put(made: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        monkeypatch.setattr("kexue.training.pictures.kept", lambda data_set, split: made[split])

    return put


@pytest.fixture
def honest_record() -> Callable[..., Record]:
    """A function that holds a shipped record against its experiment and returns it."""
    from kexue import records, training
    from kexue.training.experiment import with_settings

    def held(name: str, *, most_bytes: float, rounding: float | None = None) -> Record:
        """Check settings, data, seeds and size; and that rounding the weights moved no metric of the first seed by more than `rounding`."""
        record, experiment = records.load(name), training.find(name)
        assert record.settings in (experiment.settings(), experiment.small().settings())
        assert record.waiting_for_gpu == (record.settings != experiment.settings())
        assert record.data == with_settings(experiment, record.settings).data()
        assert record.seeds == experiment.seeds
        assert record.weights_bytes < most_bytes
        for key, value in record.metrics_of_weights.items() if rounding is not None else ():
            assert value == pytest.approx(record.metrics[key].seeds[0], abs=rounding), key
        return record

    return held


@pytest.fixture
def changeable() -> Callable[[str], set[str]]:
    """A function that names the dataclasses of the modules ``kexue.NAME…`` that are not frozen."""

    def found(name: str) -> set[str]:
        package, _, start = f"kexue.{name}".rpartition(".")
        folder = Path(str(importlib.import_module(package).__path__[0]))
        files = [f for place in folder.glob(f"{start}*") for f in ([place] if place.suffix == ".py" else place.rglob("*.py"))]
        modules = [".".join((package, *f.relative_to(folder).with_suffix("").parts)) for f in files if f.stem != "__main__"]
        own = [c for m in modules for c in vars(importlib.import_module(m)).values() if isinstance(c, type) and c.__module__ == m]
        classes = [c for c in own if "__dataclass_params__" in vars(c)]
        assert classes
        return {c.__name__ for c in classes if not vars(c)["__dataclass_params__"].frozen}

    return found


@pytest.fixture
def disagreeing() -> Callable[[str], list[Comparison]]:
    """A function that evaluates shipped weights anew and returns the metrics that are off by more than their tolerance."""
    from kexue import records, training

    def found(name: str) -> list[Comparison]:
        compared = training.evaluate(records.load(name))
        assert compared
        return [c for c in compared if not c.agrees]

    return found


@pytest.fixture(scope="module")
def browser():
    """An installed Chromium, headless. Of each module anew: its event loop must not stand in the way of other tests."""
    path = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if path is None and os.environ.get("CI"):
        pytest.fail("no Chromium is installed, and CI must not leave its tests out")
    if path is None:
        pytest.skip("no Chromium is installed (Debian and Ubuntu: sudo apt install chromium)")
    playwright = pytest.importorskip("playwright.sync_api")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    with playwright.sync_playwright() as pw:
        chromium = pw.chromium.launch(executable_path=path, args=arguments)
        yield chromium
        chromium.close()
