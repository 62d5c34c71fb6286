"""Chapter 01, the explorer's states against the library's own solvers, and the still figures."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch

from kexue.figures import Shown
from kexue.mathematics import rope_curve as rc
from kexue.mathematics import rope_curve_figures as explorer
from kexue.mathematics import rope_curve_plots as plots

HELD = rc.Spin(length=2.0, span=1.0)


# --- the explorer --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("omega", "attach"), [(2.5, 0.0), (4.0, 0.0), (10.0, 0.0), (12.0, 0.05), (9.0, 0.2), (7.31, 0.1)])
def test_pole_states_are_the_ropes_of_the_accurate_solver(omega: float, attach: float) -> None:
    ropes = rc.pole_ropes(omega, attach=attach)
    x, _ = explorer._ropes(omega, attach)
    tips = [rope.tip for rope in ropes] + ([0.0] if attach == 0.0 else [])
    np.testing.assert_allclose(sorted(x[:, 0]), sorted(tips), atol=2e-4)  # a linear step on a grid of 800 free ends
    state = explorer.pole_states(omega, attach)
    assert state["shapes"] == len(tips)
    if ropes:
        main = next(rope for rope in ropes if rope.nodes == 0)
        np.testing.assert_allclose(np.asarray(state["pole_x"])[0], main.tip, atol=2e-4)
        np.testing.assert_allclose(np.asarray(state["pole_y"])[0], main.y[0], atol=2e-3)
    np.testing.assert_allclose(np.asarray(state["pole_x"])[-1], attach, atol=2e-4)


def test_skip_state_is_the_troposkein() -> None:
    state = explorer.skip_state(2.0)
    assert state["k"] == pytest.approx(0.7239868281104244, rel=1e-13)
    assert state["apex_over_span"] == pytest.approx(0.8114138298103436, rel=1e-13)
    x, pull = np.asarray(state["skip_x"]), np.asarray(state["skip_pull"])
    assert x.max() == pytest.approx(0.5 * 0.8114138298103436, rel=1e-12)
    tension = float(state["skip_top"]) - 0.5 * x**2
    np.testing.assert_allclose(np.hypot(pull, float(state["skip_axial"])), tension, rtol=1e-10)
    assert pull[0] < 0 < pull[-1]  # from one end to the other the pull across the axis turns round


def test_message_one_speed_changes_the_tension_alone() -> None:
    figure = explorer.spin_the_rope()
    before = figure.values()
    figure.controls["omega"].value = 12.0
    after = figure.values()
    np.testing.assert_array_equal(before["x"], after["x"])
    np.testing.assert_allclose(4 * before["tension"], after["tension"], rtol=1e-12)
    np.testing.assert_allclose(before["scaled_top"], after["scaled_top"], rtol=1e-12)
    assert "another speed would change the tension alone" in figure.say()


def test_message_two_thresholds() -> None:
    figure = explorer.spin_the_rope()
    figure.controls["mode"].value = 1
    reached = {}
    for omega in (3.5, 4.0, 8.5, 8.75):
        figure.controls["omega"].value = omega
        reached[omega] = (float(figure.values()["far"]), figure.say())
    assert reached[3.5][0] == pytest.approx(0.0, abs=1e-9)
    assert "one shape is in equilibrium, the straight one included" in reached[3.5][1]
    assert reached[4.0][0] > 0.4
    assert "2 shapes" in reached[8.5][1]
    assert "3 shapes" in reached[8.75][1]


def test_tension_of_the_page_is_the_tension_of_the_solver() -> None:
    figure = explorer.spin_the_rope()
    figure.controls["mode"].value, figure.controls["omega"].value = 1, 10.0
    assert float(figure.values()["top"]) == pytest.approx(rc.pole_ropes(10.0)[0].tension[-1], rel=1e-3)


def test_explorer_is_light_and_speaks() -> None:
    figure = explorer.spin_the_rope()
    assert figure.data_bytes < 300_000
    markup = figure.html()
    assert "kexue-explorer" in markup
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', markup, re.S)[1])  # type: ignore[index]
    marks = {label for control in data["controls"] for *_, label in control.get("marks", [])}
    assert {"ω₁", "ω₂"} <= marks


def test_branch_points_hold_all_shapes() -> None:
    tips = explorer.branch_points(0.0)["tips"].reshape(explorer.SPEEDS.size, -1)
    found = np.sum(np.isfinite(tips), axis=1)
    expected = 1 + np.sum(rc.critical_speeds(2)[:, None] < explorer.SPEEDS, axis=0)
    np.testing.assert_array_equal(found, expected)


# --- the still figures ---------------------------------------------------------------------------------------------------------------


def _cheap() -> dict[str, Shown]:
    chains = {n: rc.descend(rc.sine_start(n, HELD), HELD, steps=30) for n in (10, 20)}
    ratios = np.linspace(1.1, 3.0, 5)
    return {
        "fig-rope-descent": plots.descent_figure(chains, HELD),
        "fig-rope-saddle": plots.saddle_figure(chains[10], HELD, {"two lobes": -0.07, "one lobe": -0.27}),
        "fig-rope-fits": plots.fits_figure(ratios, {kind: [rc.fit_error(kind, r) for r in ratios] for kind in rc.FITS}),
    }


def _dear() -> dict[str, Shown]:
    true = rc.integrate_rope((1.0, 0.0), (-2.0, 0.0), 0.5, omega=2.0, gravity=3.0, samples=501)
    return {
        "fig-rope-shapes": plots.shapes_figure(),
        "fig-rope-branches": plots.pole_figure({9.0: rc.pole_ropes(9.0)}),
        "fig-rope-posted": plots.posted_figure(rc.posted_curve(), rc.posted_curve(swapped=False), true, 2.0, 3.0),
    }


def test_figures_say_what_they_show() -> None:
    for name, shown in {**_cheap(), **_dear()}.items():
        assert f'id="{name}"' in shown.markup
        assert len(re.search(r"<title[^>]*>([^<]*)</title>", shown.markup)[1]) > 40  # type: ignore[index]
        assert len(shown.markup) < 150_000
        # every line is drawn in a colour of the palette, so that dark pages recolour it
        assert set(re.findall(r"stroke: ?(#[0-9a-f]{6})", shown.markup)) == set()


def test_same_figure_twice() -> None:
    first, second = _cheap(), _cheap()
    assert {name: shown.markup for name, shown in first.items()} == {name: shown.markup for name, shown in second.items()}


def test_saddle_figure_draws_the_whole_history() -> None:
    run = rc.descend(rc.sine_start(12, HELD), HELD, steps=40)
    assert run.history.shape == (40,)
    assert float(run.history[-1]) < float(run.history[0]) + 1.0
    again = rc.descend(run.theta, HELD, force=run.force, steps=1)
    torch.testing.assert_close(again.history[0], rc.chain_energy(run.theta, HELD))
