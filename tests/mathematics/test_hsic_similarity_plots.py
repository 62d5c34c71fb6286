"""The figures draw what they were given."""

from __future__ import annotations

import re

import torch

from kexue.mathematics import hsic_similarity_plots as plots
from kexue.mathematics.hsic_similarity_study import ChanceRow, Moved
from kexue.records import Metric

WORDS = {"name": "fig-hsic-test", "alt": "a picture for a test", "caption": "A caption."}


def html(shown: object) -> str:
    return str(shown._repr_mimebundle_()["text/html"])  # type: ignore[attr-defined]


def test_a_map_has_a_picture_and_a_ring_for_each_row() -> None:
    maps = {"one": torch.eye(3), "other": torch.full((3, 3), 0.5)}
    drawn = html(plots.map_figure(maps, "across", "up", **WORDS))
    assert drawn.count("<image") == 3  # two maps and the scale
    more = html(plots.map_figure({"one": torch.eye(5), "other": torch.eye(5)}, "across", "up", **WORDS))
    assert more.count("<use") > drawn.count("<use")
    assert "a picture for a test" in drawn


def test_cautions_draw_every_line_and_each_known_limit() -> None:
    rows = [ChanceRow(n, 0.9, 0.8, 0.3, 0.0, 0.31) for n in (10, 100)]
    known = Moved("linear", 1, (0.1, 1.0), (1.0, 0.5), 0.1)
    unknown = Moved("gaussian", 1, (0.1, 1.0), (1.0, 0.9), None)
    both, one = (html(plots.caution_figure(rows, lines, **WORDS)) for lines in ([known, unknown], [unknown]))
    assert both.count("<path") > one.count("<path") + 1
    assert "a picture for a test" in both


def test_the_table_has_mean_and_deviation_of_every_measure() -> None:
    found = {"cka": (Metric((0.5, 1.0)), Metric((0.25, 0.25))), "svcca": (Metric((0.0, 0.0)), Metric((1.0, 1.0)))}
    drawn = html(plots.found_table(found, name="tab-hsic-test", caption="A caption."))
    cells = re.findall(r"<t[dh][^>]*>(?:<[^>]*>)*([^<]*)", drawn)
    assert cells[3:] == ["CKA, unbiased", "0.75 ± 0.35", "0.25 ± 0.00", "canonical correlations", "0.00 ± 0.00", "1.00 ± 0.00"]
