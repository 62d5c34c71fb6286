"""What the findings on words say of runs, and that they are those of the shipped ones."""

from __future__ import annotations

import math
import statistics
from types import SimpleNamespace
from typing import Any

import pytest

from kexue.mathematics import minimum_entropy_corpora as corpora
from kexue.mathematics.minimum_entropy_corpora import FINDINGS, Finding, difference, findings, neighbours_of, runs
from kexue.mathematics.minimum_entropy_experiments import CORPORA, WAYS
from kexue.records import ClaimError, Metric


def made_up(**metrics: tuple[float, ...]) -> dict[str, Any]:
    """Runs with some metrics, which all ways share, or which belong to one if they are named ``way__metric``."""
    found: dict[str, Any] = {way: SimpleNamespace(metrics={}) for way in WAYS}
    for name, seeds in metrics.items():
        way, _, key = name.rpartition("__")
        for run in [found[way]] if way else found.values():
            run.metrics[key] = Metric(seeds)
    return found


def test_a_finding_holds_if_every_seed_is_within_its_bar() -> None:
    finding = Finding("products", lambda ways: ways["sgns"].metrics["x"], 0.5, 2.0)
    assert finding.holds(made_up(x=(0.6, 1.9)))
    for seeds in ((0.5, 0.6), (0.6, 2.0), (0.6, -3.0)):
        assert not finding.holds(made_up(x=seeds))
    assert finding.bar == "0.5 to 2"
    assert finding.cell(made_up(x=(0.75, 1.25))) == "1.000 ± 0.354 ✓"
    assert finding.cell(made_up(x=(-2.5, -2.5))) == "-2.500 ± 0.000 ✗"
    assert finding.cell(made_up(y=(1.0,))) == "–"


def test_claims_are_of_the_mean_and_of_the_bar() -> None:
    finding = Finding("products", lambda ways: ways["sgns"].metrics["x"], -0.5, 1.5)
    made = finding.claim("test-products", made_up(x=(0.25, 1.25)), of="a corpus")
    assert repr(made) == "✓ a corpus: products: 0.750 ≈ 0.5 (within 1.0)"
    open_ended = Finding("products", lambda ways: ways["sgns"].metrics["x"], 0.5)
    assert repr(open_ended.claim("test-open", made_up(x=(0.75,)), of="a corpus")) == "✓ a corpus: products: 0.750 > 0.5"
    for wrong in (-0.75, 1.75):
        with pytest.raises(ClaimError, match="a corpus: products"):
            finding.claim("test-wrong", made_up(x=(wrong,)), of="a corpus")
    with pytest.raises(ClaimError, match="a corpus: products"):
        open_ended.claim("test-wrong", made_up(x=(0.5,)), of="a corpus")


def test_differences_are_taken_seed_by_seed() -> None:
    assert difference(Metric((1.0, 4.0)), Metric((3.0, 1.0))).seeds == (-2.0, 3.0)
    with pytest.raises(ValueError, match="zip"):
        difference(Metric((1.0, 4.0)), Metric((3.0,)))


@pytest.mark.parametrize(
    ("name", "metrics", "expected"),
    [
        ("pmi", {"sgns__pmi_correlation": 0.9, "untied__pmi_correlation": 0.1}, 0.9),
        ("lack", {"sgns__pmi_lack": math.log(5) + 0.25}, 0.25),
        ("rarity", {"distance__norm_rarity": 0.7, "sgns__norm_rarity": 0.1}, 0.7),
        ("slope", {"distance__slope": -0.75, "distance__slope_law": -0.5}, -0.25),
        ("saved", {"untied__cost": 6.0, "popularity_cost": 6.5}, 0.5),
        ("svd", {"svd__cost": 6.25, "untied__cost": 6.0}, 0.25),
        ("tying", {"tied__cost": 6.25, "untied__cost": 6.0}, 0.25),
        ("distance", {"distance__cost": 6.25, "svd__cost": 6.0}, 0.25),
        ("beside", {"tied__first_order": 0.75, "untied__first_order": 0.5}, 0.25),
        ("met", {"untied__never_met": 0.75, "tied__never_met": 0.5}, 0.25),
        ("kind", {"untied__same_kind": 0.75, "tied__same_kind": 0.5}, 0.25),
    ],
)
def test_what_each_finding_measures(name: str, metrics: dict[str, float], expected: float) -> None:
    found = FINDINGS[name].measure(made_up(**{k: (v,) for k, v in metrics.items()}))
    assert found.mean == pytest.approx(expected)


def test_rows_of_the_table() -> None:
    shipped = {name: runs(name) for name in CORPORA}
    rows = findings(shipped)
    assert [row[0] for row in rows] == [f.text for f in FINDINGS.values()]
    assert all(len(row) == 4 for row in rows)
    assert {key for key, row in zip(FINDINGS, rows, strict=True) if row[3] == "–"} == {"kind"}  # the second corpus has no tags
    assert not any(row[2] == "–" for row in rows)
    news = {way: run.metrics["cost"].seeds for way, run in shipped["20-newsgroups"].items()}
    saved = statistics.fmean(a - b for a, b in zip(news["svd"], news["untied"], strict=True))
    assert rows[list(FINDINGS).index("svd")][3].startswith(f"{saved:.3f} ± ")


def test_the_newspaper_meets_its_own_bars_and_the_letters_all_but_one() -> None:
    paper, news = runs("peoples-daily"), runs("20-newsgroups")
    assert all(finding.holds(paper) for finding in FINDINGS.values())
    assert [name for name, finding in FINDINGS.items() if name != "kind" and not finding.holds(news)] == ["saved"]


def test_neighbours_need_no_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the corpus was read")

    monkeypatch.setattr("kexue.datasets.load", refuse)
    near = neighbours_of(corpora.runs("20-newsgroups")["untied"], "car", 5)
    assert len(set(near)) == 5
    assert "car" not in near
    with pytest.raises(ValueError, match="'zzz' is not among the 4,000 words"):
        neighbours_of(corpora.runs("20-newsgroups")["untied"], "zzz")
