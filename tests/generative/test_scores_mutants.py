"""Scores, where planted errors showed that nothing looked."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from kexue.generative import feature_tables, features, neighbours, scores
from kexue.generative.scores import image_scores, kid


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mean_of_blocks(x: Tensor, y: Tensor, block: int) -> tuple[float, float]:
    """The oracle: pairs one by one in each block."""

    def kernel(a: Tensor, b: Tensor) -> float:
        return float((a @ b / len(a) + 1) ** 3)

    values = []
    for start in range(0, min(len(x), len(y)) - block + 1, block):
        a, b, places = x[start : start + block], y[start : start + block], range(block)
        within = sum(kernel(s[i], s[j]) for s in (a, b) for i in places for j in places if i != j) / (block * (block - 1))
        values.append(within - 2 * sum(kernel(a[i], b[j]) for i in places for j in places) / block**2)
    found = torch.tensor(values, dtype=torch.float64)
    return float(found.mean()), float(found.std()) / math.sqrt(len(found))


@pytest.mark.parametrize(("n", "m", "block"), [(8, 8, 2), (8, 8, 4), (9, 8, 4), (9, 13, 4), (10, 10, 3), (4, 5, 2)])
def test_blocks_from_two_rows_to_half_of_the_smaller_sample(n: int, m: int, block: int) -> None:
    x, y = drawn(1, n, 3), drawn(2, m, 3)
    assert kid(x, y, block=block) == pytest.approx(mean_of_blocks(x, y, block), abs=1e-12)


@pytest.mark.parametrize(("n", "m", "block", "most"), [(8, 8, 1, 4), (8, 8, 5, 4), (9, 20, 5, 4), (4, 4, 3, 2), (4, 4, -2, 2)])
def test_blocks_beyond(n: int, m: int, block: int, most: int) -> None:
    with pytest.raises(ValueError, match=f"between 2 and {most} rows, half of the smaller sample, got {block}"):
        kid(drawn(1, n, 3), drawn(2, m, 3), block=block)


def test_scores_of_many_pictures_compare_neighbours_within_five_thousand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six pictures suffice; above 5000 the neighbours are sought among the first 5000 of each kind, as the features stand."""
    seen: dict[str, list[int]] = {}

    def noted(name: str, answer: Any) -> Any:
        def call(real: Tensor, fake: Tensor) -> Any:
            seen[name] = [len(real), len(fake)]
            return answer

        return call

    monkeypatch.setattr(features, "image_features", lambda images, data_set: images.flatten(1)[:, :1].double())
    answers = {"kid": (1.0, 2.0), "precision_recall": (3.0, 4.0), "density_coverage": (5.0, 6.0), "frechet_distance": 7.0}
    for name, answer in answers.items():
        monkeypatch.setattr(scores, name, noted(name, answer))
    keys = ("kid", "kid_se", "precision", "recall", "density", "coverage", "frechet")
    for real, fake in ((5002, 5003), (5002, 5001), (6, 7)):
        draw = torch.Generator().manual_seed(0)
        found = image_scores(torch.rand(real, 1, 2), torch.rand(fake, 1, 2), data_set="any", generator=draw)
        count = min(real, fake)
        assert [found[key] for key in keys] == [1, 2, 3, 4, 5, 6, 7]
        assert found["count"] == count
        assert seen["kid"] == seen["frechet_distance"] == [count, count]
        assert seen["precision_recall"] == seen["density_coverage"] == [min(count, 5000)] * 2


def test_neighbours_by_default() -> None:
    x, y = drawn(3, 40, 2), drawn(4, 40, 2) + 0.7
    assert neighbours.precision_recall(x, y) == neighbours.precision_recall(x, y, k=3) != neighbours.precision_recall(x, y, k=4)
    assert neighbours.density_coverage(x, y) == neighbours.density_coverage(x, y, k=5) != neighbours.density_coverage(x, y, k=6)


def test_neighbours_on_a_line() -> None:
    """Reals at 0, 1, 2, 3 with k = 1: balls of radius 1. A fake on a ball's rim lies in it; one a hair beyond does not."""
    real = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    fake = torch.tensor([[4.0], [4.001], [1.5], [-9.0]])
    precision, _ = neighbours.precision_recall(real, fake, k=1)
    assert precision == 2 / 4
    density, coverage = neighbours.density_coverage(real, fake, k=1)
    # 4 lies in the ball of 3; 1.5 in those of 1 and 2; the others in none
    assert (density, coverage) == (3 / 4, 3 / 4)
    density, coverage = neighbours.density_coverage(real, fake, k=2)  # radii 2, 1, 1, 2
    assert (density, coverage) == pytest.approx(((1 + 1 + 4) / 4 / 2, 1.0))
    assert neighbours.precision_recall(real, real, k=3) == (1.0, 1.0)  # four rows and three neighbours are enough


def test_copies_are_neighbours_at_no_distance() -> None:
    real = torch.tensor([[0.0], [0.0], [5.0], [5.0]])
    assert neighbours._radii(real.double(), 1).tolist() == [0, 0, 0, 0]
    assert neighbours._radii(real.double(), 2).tolist() == [5, 5, 5, 5]
    hit = torch.tensor([[0.0], [0.1], [5.0], [9.0]])
    assert neighbours.precision_recall(real, hit, k=1)[0] == 0.5


@pytest.mark.parametrize(("rows", "at_least"), [(2, 2), (3, 3), (7, 2)])
def test_tables_with_just_enough_rows(rows: int, at_least: int) -> None:
    given = torch.ones(rows, 1, dtype=torch.float16, requires_grad=True)
    table = feature_tables.checked(given, "x", at_least)
    assert (table.dtype, table.requires_grad, tuple(table.shape)) == (torch.float64, False, (rows, 1))
    with pytest.raises(ValueError, match=f"^x must have at least {rows + 1} rows, got {rows}$"):
        feature_tables.checked(given, "x", rows + 1)


def test_one_row_is_no_table_unless_it_is_asked_for() -> None:
    with pytest.raises(ValueError, match=r"^x must have at least 2 rows, got 1$"):
        feature_tables.checked(torch.ones(1, 3), "x")
    with pytest.raises(ValueError, match=r"^x must be a table \(n, d\), got shape \(2, 3, 4\)$"):
        feature_tables.checked(torch.ones(2, 3, 4), "x")
    with pytest.raises(ValueError, match=r"^x must be a table \(n, d\), got shape \(3, 0\)$"):
        feature_tables.checked(torch.ones(3, 0), "x")
    with pytest.raises(ValueError, match=r"^x hold numbers that are not finite$"):
        feature_tables.checked(torch.tensor([[1.0, 2.0], [3.0, math.inf]]), "x")
    with pytest.raises(ValueError, match=r"^both samples must have features of one width, got 2 and 3$"):
        feature_tables.pair(torch.ones(4, 2), torch.ones(4, 3), 2)
    with pytest.raises(ValueError, match=r"^the second features must have at least 5 rows, got 4$"):
        feature_tables.pair(torch.ones(5, 2), torch.ones(4, 2), 5)


@pytest.mark.parametrize(
    ("score", "options", "least"),
    [
        (scores.frechet_distance, {}, 2),
        (kid, {}, 3),
        (kid, {"block": 2}, 4),
        (neighbours.precision_recall, {"k": 1}, 2),
        (neighbours.precision_recall, {"k": 4}, 5),
        (neighbours.density_coverage, {"k": 1}, 2),
        (neighbours.density_coverage, {"k": 4}, 5),
    ],
)
def test_the_smallest_samples_that_can_be_compared(score: Callable[..., Any], options: dict[str, int], least: int) -> None:
    few, many = drawn(1, least, 3), drawn(2, 9, 3)
    for pair in ((few, few + 1), (few, many), (many, few)):
        found = score(*pair, **options)
        assert all(map(math.isfinite, found if isinstance(found, tuple) else (found,)))
    words = rf"must have at least {least} rows, got {least - 1}$"
    for pair in ((few[1:], few), (few, few[1:]), (few[1:], many), (many, few[1:])):
        with pytest.raises(ValueError, match=words):
            score(*pair, **options)
