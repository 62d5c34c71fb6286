"""Figures and tables: what is drawn is what was given."""

from __future__ import annotations

import re

import torch

from kexue.mathematics import hsic_plots as plots
from kexue.mathematics.hsic_independence import Pairs
from kexue.mathematics.hsic_power import BiasRow
from kexue.records import Metric

WORDS = {"name": "fig-hsic-test", "alt": "a picture for a test", "caption": "A caption."}
TABLE = {"name": "tab-hsic-test", "caption": "A caption."}


def html(shown: object) -> str:
    return str(shown._repr_mimebundle_()["text/html"])  # type: ignore[attr-defined]


def cells(shown: object) -> list[str]:
    return re.findall(r"<t[dh][^>]*>(?:<[^>]*>)*([^<]*)", html(shown))


def test_power_table_rounds_to_two_digits() -> None:
    found = cells(plots.power_table({"line": {"HSIC": 0.126, "Pearson": 1.0}, "circle": {"HSIC": 0.5, "Pearson": 0.0}}, **TABLE))
    assert found == ["dependence", "HSIC", "Pearson", "line", "0.13", "1.00", "circle", "0.50", "0.00"]


def test_methods_table_has_the_mean() -> None:
    found = cells(plots.methods_table({"a": [0.5, 0.75], "b": [1.0, 0.0]}, **TABLE))
    assert found == ["layers", "seed 0", "seed 1", "mean", "a", "0.500", "0.750", "0.625", "b", "1.000", "0.000", "0.500"]


def test_settings_table_marks_what_was_chosen() -> None:
    found = {"a": {(10, 64): 0.25, (20, 64): 0.5}, "b": {(10, 64): 0.875, (20, 64): 0.75}}
    chosen = {"a": {"epochs": 20, "batch": 64}, "b": {"epochs": 10, "batch": 64}}
    drawn = cells(plots.settings_table(found, chosen, **TABLE))
    assert drawn == ["epochs", "batch", "a", "b", "10", "64", "0.2500", "0.8750 ←", "20", "64", "0.5000 ←", "0.7500"]


def test_bias_figure_names_both_estimates() -> None:
    rows = [BiasRow(10, 0.03, 0.001, 0.0001, 0.001), BiasRow(100, 0.003, 0.0001, -0.0001, 0.0001)]
    drawn = html(plots.bias_figure(rows, 0.3, **WORDS))
    assert "a picture for a test" in drawn
    assert "A caption." in drawn
    assert drawn.count("<svg") == 1


def test_scatter_has_one_path_for_all_points() -> None:
    x = torch.linspace(0, 1, 200)
    drawn = html(plots.scatter_pair([(x, x**2, "across", "up"), (x, -x, "across", "up")], **WORDS))
    assert len(drawn) < 60_000
    few = html(plots.scatter_pair([(x[:2], x[:2], "across", "up"), (x[:2], x[:2], "across", "up")], **WORDS))
    assert len(drawn) > len(few) + 2000


def test_dot_matrix_draws_findings_and_edges() -> None:
    p = torch.full((3, 3), 0.5)
    p[0, 1] = p[1, 0] = 1e-8
    nothing, one = torch.zeros(3, 3, dtype=torch.bool), p < 0.01
    edges = torch.tensor([[False, False, True], [False, False, False], [True, False, False]])
    full = html(plots.dot_matrix(["a", "b", "c"], Pairs(p, p, one), Pairs(p, p, one), edges, ("first", "second"), **WORDS))
    empty = html(plots.dot_matrix(["a", "b", "c"], Pairs(p, p, nothing), Pairs(p, p, nothing), edges & False, ("first", "second"), **WORDS))
    assert full.count("<use") == empty.count("<use") + 2  # the two rings
    assert "a picture for a test" in full
    assert full != empty


def test_depth_figure_needs_every_method() -> None:
    metric = {depth: Metric((0.5 + depth / 100, 0.5)) for depth in (1, 2, 10)}
    methods = {"hsic": metric, "backprop": metric, "random": metric}
    drawn = html(plots.depth_figure({"one": methods, "two": methods}, methods, methods, **WORDS))
    assert drawn.count("<svg") == 1
    assert "A caption." in drawn
