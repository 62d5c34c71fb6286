"""What too few pictures add to CKA, and what moved points take from it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from kexue.mathematics import hsic
from kexue.mathematics import hsic_similarity_study as study
from kexue.mathematics.hsic_similarity import layer_grams, moved_far


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_chance_shrinks_with_the_pictures_and_the_unbiased_estimate_has_none() -> None:
    common = normal(300, 20)
    x, y = (common + normal(300, 20, seed=s) for s in (1, 2))
    rows = study.chance_study(x, y, (10, 40, 300), repeats=40, generator=torch.Generator().manual_seed(0))
    assert [row.n for row in rows] == [10, 40, 300]
    for row in rows:
        assert row.unpaired_biased == pytest.approx(row.chance, rel=0.1)
        assert abs(row.unpaired_unbiased) < 0.07
        assert row.paired_biased > row.paired_unbiased
        assert row.paired_unbiased == pytest.approx(rows[-1].paired_unbiased, abs=0.08)
    assert rows[0].chance > 0.5 > 0.2 > rows[1].chance / 2 > rows[2].chance
    again = study.chance_study(x, y, (10, 40, 300), repeats=40, generator=torch.Generator().manual_seed(0))
    assert again == rows
    whole = rows[-1]  # all pictures: the order of the draw does not matter
    assert whole.paired_biased == pytest.approx(float(hsic.cka(*layer_grams([x, y]))), abs=1e-12)
    assert whole.paired_unbiased == pytest.approx(float(hsic.cka(*layer_grams([x, y]), unbiased=True)), abs=1e-12)


def test_the_readout_does_not_see_where_points_move() -> None:
    features, readout = normal(30, 8), normal(3, 8, seed=1)
    along = study.unseen(readout)
    assert along.norm().item() == pytest.approx(1)
    assert (readout @ along).abs().max() < 1e-12
    chosen = torch.arange(30) == 4
    moved = study.move(features, chosen, along, 50.0)
    assert torch.allclose(moved @ readout.T, features @ readout.T)
    assert torch.equal(moved[~chosen], features[~chosen])
    assert (moved[4] - features[4]).norm().item() == pytest.approx(50)
    with pytest.raises(ValueError, match="need not ignore"):
        study.unseen(normal(3, 3))


def test_cka_falls_from_one_to_its_limit_and_with_a_bounded_kernel_hardly() -> None:
    features, readout = normal(60, 8), normal(3, 8, seed=1)
    found = study.moved_study(features, readout, (1, 6), (0.0, 1.0, 1e6))
    assert [(line.kernel, line.count) for line in found] == [("linear", 1), ("linear", 6), ("gaussian", 1), ("gaussian", 6)]
    for line in found:
        assert line.cka[0] == pytest.approx(1)
        assert line.cka[0] > line.cka[1] > line.cka[2]
        assert line.distance == (0.0, 1.0, 1e6)
    for line, chosen in zip(found[:2], (torch.arange(60) < 1, torch.arange(60) < 6), strict=True):
        assert line.limit == pytest.approx(moved_far(features, chosen).item())
        assert line.cka[2] == pytest.approx(line.limit, abs=1e-4)
    far = study.move(features, torch.arange(60) < 1, study.unseen(readout), hsic.median_bandwidth(features))
    assert found[0].cka[1] == pytest.approx(hsic.linear_cka(features, far).item())
    assert found[0].cka[2] < 0.1
    assert found[2].cka[2] > 0.95
    assert found[2].limit is None
