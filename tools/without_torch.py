"""A pytest plugin for an environment without torch: what imports it is skipped and says so; everything else runs."""

from __future__ import annotations

import sys
from collections.abc import Generator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest


class Absent:
    """A finder that stands before all others and skips whoever asks for torch."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name.partition(".")[0] in ("torch", "lightning_fabric"):
            pytest.skip("needs torch", allow_module_level=True)
        return None


def pytest_configure(config: pytest.Config) -> None:
    sys.meta_path.insert(0, Absent())


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Forget the modules that a skipped file had begun to import: pytest leaves them behind half made."""
    before = set(sys.modules)
    report = yield
    if report.outcome == "skipped":
        for name in set(sys.modules) - before:
            if name.partition(".")[0] == "kexue":
                del sys.modules[name]
    return report
