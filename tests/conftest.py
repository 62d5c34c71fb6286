"""What all tests share: the paths, two threads at most, and the built book where a test asks for it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

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
