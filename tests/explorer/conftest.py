from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np
import pytest

from kexue.explorer import Explorer
from kexue.explorer import panels as p

X = np.linspace(0.0, 1.0, 40)


def decaying(tau: float, shift: float, mode: str) -> dict[str, Any]:
    """Three outputs, each of which depends on other controls."""
    return {
        "curve": np.exp(-X / tau) if mode == "soft" else (tau > X).astype(float),
        "line": X + shift,
        "area": tau * shift,
        "count": round(10 * tau),
        "word": "slow" if tau > 1 else "fast",
    }


def declaration(**changes: Any) -> dict[str, Any]:
    """A declaration that is in order; ``changes`` replace its arguments."""
    return {
        "controls": {
            "tau": w.FloatLogSlider(value=1.0, base=10, min=-1, max=1, step=0.05, description="τ", readout_format=".2f"),
            "shift": w.FloatSlider(value=0.5, min=0.0, max=1.0, step=0.25),
            "mode": w.ToggleButtons(options=["soft", "hard"]),
        },
        "grid": {"tau": 5},
        "panels": [p.Curves("curve", "line", x=X), p.Text([("area", "{area:.3f}"), ("pace", "{word}")])],
        "sentence": "At τ = {tau:.2f} and {mode} the area is {area:.2f}.",
        "presets": {"short": {"tau": 0.2}},
        "marks": {"tau": {0.5: "one half"}},
        "title": "Decay",
        "name": "decay",
        "alt": "An exponential decay that slows down with τ.",
        **changes,
    }


@pytest.fixture
def make() -> Callable[..., Explorer]:
    def build(f: Any = decaying, **changes: Any) -> Explorer:
        return Explorer(f, **declaration(**changes))

    return build


@pytest.fixture
def decay() -> Callable[..., dict[str, Any]]:
    return decaying
