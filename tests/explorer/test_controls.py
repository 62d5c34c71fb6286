from __future__ import annotations

import ipywidgets as w
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexue.explorer.controls import distinct, fine_positions, read


def test_a_small_slider_gives_all_its_steps():
    control = read("k", w.IntSlider(value=2, min=0, max=4))
    assert control.values == (0, 1, 2, 3, 4)
    assert all(isinstance(v, int) for v in control.values)


def test_a_count_spreads_over_the_widgets_own_scale():
    control = read("tau", w.FloatLogSlider(value=1.0, base=10, min=-2, max=2), grid=5)
    assert np.allclose(control.values, [0.01, 0.1, 1, 10, 100], rtol=1e-12)
    assert control.scale == "log"


def test_a_list_the_start_and_the_values_to_keep_are_on_the_grid():
    control = read("x", w.FloatSlider(value=0.4, min=0, max=1, step=0.1), grid=[0.0, 0.25, 1.0], keep=[0.7])
    assert control.values == (0.0, 0.25, 0.4, 0.7, 1.0)


def test_without_a_grid_a_long_slider_gives_sixteen_values_and_its_start():
    control = read("x", w.FloatSlider(value=0.123, min=0, max=1, step=0.001))
    assert len(control.values) == 17
    assert 0.123 in control.values


def test_options_keep_values_and_labels():
    control = read("m", w.Dropdown(options=[("first", 1), ("second", 2.5)], value=2.5))
    assert (control.labels, control.values, control.start) == (("first", "second"), (1, 2.5), 1.0)
    assert control.coordinate("first") == 0.0
    assert control.coordinate(2.5) == 1.0
    assert control.value(1.0) == 2.5
    assert read("m", w.SelectionSlider(options={"a": 0.1, "b": 0.2}, value=0.2)).coordinate(0.1) == 0.0


def test_a_checkbox_has_two_states():
    control = read("on", w.Checkbox(value=True))
    assert (control.values, control.start, control.limits) == ((False, True), 1.0, (0.0, 1.0))
    assert control.coordinate(False) == 0.0


@given(st.floats(0.011, 99.0))
def test_value_undoes_coordinate(value):
    control = read("tau", w.FloatLogSlider(value=1.0, base=10, min=-2, max=2), grid=3)
    assert control.value(control.coordinate(value)) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("widget", "grid", "message"),
    [
        (w.Text(), None, "Text is not a control"),
        (w.Checkbox(), 3, "takes no grid"),
        (w.FloatSlider(min=0, max=1), 1, "at least 2"),
        (w.FloatSlider(min=0, max=1), "abc", "count or a list"),
        (w.FloatSlider(min=0, max=1), [0.5], "at least 2 values"),
        (w.FloatSlider(min=0, max=1), [0.5, 3.0], "outside"),
        (w.FloatSlider(min=0, max=1), [0.5, float("nan")], "finite"),
        (w.FloatLogSlider(min=-1, max=1), [-1.0, 1.0], "positive"),
        (w.FloatSlider(min=1, max=1), None, "min < max"),
        (w.Dropdown(options=[]), None, "at least one option"),
    ],
)
def test_what_cannot_be_read_is_refused(widget, grid, message):
    with pytest.raises(ValueError, match=message):
        read("x", widget, grid)


def test_an_option_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"'third' is none of its options \['first', 'second'\]"):
        read("m", w.Dropdown(options=["first", "second"])).coordinate("third")


def test_fine_positions_hold_every_step_and_every_grid_point():
    control = read("x", w.FloatSlider(value=0.5, min=0, max=1, step=0.1), grid=[0.0, 0.33, 1.0])
    positions = fine_positions(control)
    assert set(control.coordinates) <= set(positions)
    assert len(positions) == 12
    long = fine_positions(read("x", w.FloatSlider(value=0.0, min=0, max=1, step=1e-5)))
    assert 400 <= len(long) <= 420
    assert fine_positions(read("k", w.IntSlider(value=0, min=0, max=900), grid=4))[:3] == (0.0, 1.0, 2.0)


def test_near_duplicates_are_one():
    assert distinct([0.1 + 0.2, 0.3, 1.0, 0.0]) == (0.0, 0.3, 1.0)
