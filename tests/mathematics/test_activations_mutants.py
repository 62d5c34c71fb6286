"""The activations chapter's modules, where planted errors showed that nothing looked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from kexue import figures
from kexue.explorer import Explorer
from kexue.mathematics import activations as act
from kexue.mathematics import activations_depth as deep
from kexue.mathematics import activations_figures as explorers
from kexue.mathematics import activations_plots as plots

NEAR_ONE = ("centred-sigmoid", "tanh", "relu", "elu", "swish", "gelu", "mish", "su", "tanhexp")


def test_settings_and_results_cannot_be_changed(changeable: Callable[[str], set[str]]) -> None:
    assert changeable("mathematics.activations") == set()


def test_the_plane_holds_every_function_with_its_name_and_is_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dots are the functions' chi and slope, span most of the picture, and no word runs out of it or over a dot."""
    drawn: list[Figure] = []
    monkeypatch.setattr(figures, "show", lambda figure, **words: drawn.append(figure))
    plots.design_plane(NEAR_ONE, name="fig-act-x", alt="what it shows", caption="what it shows")
    (axes,) = drawn[0].axes
    dots = np.array([line.get_xydata()[0] for line in axes.lines if line.get_marker() == "o"])
    slopes = [float(deep.q_slope(name, 1.0, weight=1 / act.moments(name).square)) for name in NEAR_ONE]
    np.testing.assert_allclose(dots, np.stack([[act.moments(name).chi for name in NEAR_ONE], slopes], 1))
    places = axes.transData.transform(dots)
    box = axes.get_window_extent()
    assert (np.ptp(places, 0) > [0.7 * box.width, 0.8 * box.height]).all()
    words = {text.get_text(): text.get_window_extent() for text in axes.texts}
    assert {act.ACTIVATIONS[name].label for name in NEAR_ONE} < set(words)
    for text, extent in words.items():
        assert box.x0 <= extent.x0 < extent.x1 <= box.x1, text
        assert box.y0 <= extent.y0 < extent.y1 <= box.y1, text
        assert not any(extent.contains(*place) for place in places), text
        assert extent.count_overlaps(list(words.values())) == 1, text  # its own


@pytest.mark.parametrize("make", [explorers.shape, explorers.branching])
def test_pictures_side_by_side_are_equally_high(make: Callable[[], Explorer]) -> None:
    rows: list[list[dict[str, Any]]] = []
    for panel in make().figure.spec["panels"]:
        if not rows or sum(p["width"] for p in rows[-1]) + panel["width"] > 1.0001:
            rows.append([])
        rows[-1].append(panel)
    assert len(rows) == 2
    for row in rows:
        assert sum(panel["width"] for panel in row) == pytest.approx(1)
        assert len({panel["height"] for panel in row if panel["kind"] != "text"}) == 1
