"""The Gaussian and the finite bottleneck, and the roads between codes, against closed forms and enumeration."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from kexue.mathematics import vae_bottleneck_fits as fits
from kexue.mathematics import vae_bottleneck_information as ib
from kexue.mathematics import vae_bottleneck_paths as paths

F64 = torch.float64
SQUARED = torch.tensor([0.81, 0.49, 0.25, 0.09], dtype=F64)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# -------------------------------------------------------------------------------------------------------------------------- information
def test_information_of_a_table() -> None:
    assert ib.mutual_information(torch.tensor([[0.25, 0.25], [0.25, 0.25]])).item() == pytest.approx(0, abs=1e-7)
    p = torch.tensor([[0.4, 0.1, 0.0], [0.0, 0.2, 0.3]], dtype=F64)
    by_hand = sum(v * math.log(v / (p[i].sum() * p[:, j].sum())) for i, row in enumerate(p.tolist()) for j, v in enumerate(row) if v)
    assert ib.mutual_information(p).item() == pytest.approx(float(by_hand), rel=1e-12)
    assert ib.entropy(torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])).tolist() == pytest.approx([math.log(2), 0.0])


@pytest.mark.parametrize("bad", [torch.tensor([1.0]), torch.tensor([[1]]), torch.tensor([[1.2, -0.2]]), torch.tensor([[0.6, 0.6]])])
def test_a_table_is_a_distribution(bad: Tensor) -> None:
    with pytest.raises(ValueError, match=r"joint must be a table \(x, y\) of numbers that are not negative and sum to 1"):
        ib.mutual_information(bad)


def test_information_of_normals() -> None:
    pair = torch.tensor([[1.0, 0.8], [0.8, 1.0]], dtype=F64)
    assert ib.gaussian_information(pair, 1).item() == pytest.approx(-0.5 * math.log(0.36), rel=1e-12)
    joint = fits.canonical_joint(SQUARED.sqrt(), generator=rng(1))
    assert ib.gaussian_information(joint, 4).item() == pytest.approx(-0.5 * torch.log1p(-SQUARED).sum().item(), rel=1e-10)
    for bad, size in ((pair, 0), (pair, 2), (pair[:1], 1), (pair[0], 1)):
        with pytest.raises(ValueError, match=r"joint must be \(n, n\) with 0 < size < n"):
            ib.gaussian_information(bad, size)


# ------------------------------------------------------------------------------------------------------------------------------ normals
def test_scalar_curve_ends_and_slope() -> None:
    kept = torch.tensor([0.0, 1e-6, 50.0], dtype=F64)
    told = ib.gaussian_curve(kept, 0.8)
    assert told[0].item() == 0.0
    assert (told[1] / kept[1]).item() == pytest.approx(0.64, rel=1e-5)
    assert told[2].item() == pytest.approx(-0.5 * math.log(0.36), rel=1e-12)
    assert torch.equal(ib.gaussian_curve(kept, -0.8), told)
    for rho in (1.0, -1.0):
        with pytest.raises(ValueError, match="rho must lie strictly between -1 and 1"):
            ib.gaussian_curve(kept, rho)
    with pytest.raises(ValueError, match="kept information must not be negative"):
        ib.gaussian_curve(-kept, 0.8)


def test_scalar_curve_is_a_channels() -> None:
    """t = x + noise has the two informations of the curve."""
    for variance in (0.1, 1.0, 7.0):
        joint = torch.tensor([[1 + variance, 1, 0.6], [1, 1, 0.6], [0.6, 0.6, 1]], dtype=F64)  # t, x, y
        kept, told = (ib.gaussian_information(joint[[[0], [j]], [[0, j]]], 1) for j in (1, 2))
        assert ib.gaussian_curve(kept, 0.6).item() == pytest.approx(told.item(), rel=1e-12)


@pytest.mark.parametrize("multiplier", [1.0, 1.2, 2.0, 3.0, 8.0, 40.0])
def test_vector_bottleneck_is_the_scalar_one_in_each_direction(multiplier: float) -> None:
    kept, told = ib.vector_gaussian_bottleneck(SQUARED, multiplier)
    for i, s in enumerate(SQUARED):
        torch.testing.assert_close(told[i], ib.gaussian_curve(kept[i], math.sqrt(s)))
        grid = torch.linspace(0, 6, 60_001, dtype=F64)
        best = grid[(grid - multiplier * ib.gaussian_curve(grid, math.sqrt(s))).argmin()]
        assert kept[i].item() == pytest.approx(best.item(), abs=1e-4)
    assert (kept > 0).tolist() == (multiplier > ib.critical_multipliers(SQUARED)).tolist()


def test_vector_curve_is_the_bottleneck_at_its_multiplier() -> None:
    for multiplier in (1.5, 3.0, 20.0):
        kept, told = ib.vector_gaussian_bottleneck(SQUARED, multiplier)
        assert ib.vector_gaussian_curve(SQUARED, kept.sum().item()).item() == pytest.approx(told.sum().item(), rel=1e-10)
    with pytest.raises(ValueError, match=r"squared correlations must lie in \[0, 1\)"):
        ib.vector_gaussian_bottleneck(torch.tensor([1.0]), 2.0)
    with pytest.raises(ValueError, match=r"squared correlations must lie in \[0, 1\)"):
        ib.vector_gaussian_bottleneck(torch.tensor([-0.1]), 2.0)
    with pytest.raises(ValueError, match=r"multiplier must be at least 1 .* got 0.5"):
        ib.vector_gaussian_bottleneck(SQUARED, 0.5)
    assert ib.vector_gaussian_bottleneck(torch.tensor([0.0]), 1.0)[0].tolist() == [0.0]


def test_squared_correlations_do_not_depend_on_the_bases() -> None:
    joint = fits.canonical_joint(SQUARED.sqrt(), generator=rng(4))
    found = ib.squared_correlations(joint[:4, :4], joint[:4, 4:], joint[4:, 4:])
    torch.testing.assert_close(found, SQUARED)
    matrix = torch.linalg.solve(joint[:4, :4], joint[:4, 4:]) @ torch.linalg.solve(joint[4:, 4:], joint[4:, :4])
    assert torch.linalg.eigvals(matrix).real.sort(descending=True).values.tolist() == pytest.approx(SQUARED.tolist(), rel=1e-9)
    for xx, xy, yy in ((torch.eye(2), torch.ones(2, 2), torch.ones(2, 3)), (torch.ones(2, 3), torch.ones(2, 2), torch.eye(2)),
                       (torch.eye(2), torch.ones(3, 2), torch.eye(2))):  # fmt: skip
        with pytest.raises(ValueError, match=r"expected \(n, n\), \(n, m\) and \(m, m\)"):
            ib.squared_correlations(xx, xy, yy)
    for bad in (torch.tensor([[0.5]]), torch.tensor([1.0]), torch.tensor([-0.1])):
        with pytest.raises(ValueError, match=r"vector of numbers in \[0, 1\)"):
            fits.canonical_joint(bad)


def test_canonical_joint_has_its_correlations_in_scaled_random_bases() -> None:
    joint = fits.canonical_joint(SQUARED[:2].sqrt(), generator=rng(7))
    torch.testing.assert_close(joint, joint.T)
    scales = torch.linalg.eigvalsh(joint[:2, :2]).sqrt()
    assert bool(((scales > 0.5) & (scales < 1.5)).all())
    assert not torch.equal(joint[:2, :2], joint[2:, 2:])
    assert abs(joint[0, 1].item()) > 1e-3
    assert torch.equal(joint, fits.canonical_joint(SQUARED[:2].sqrt(), generator=rng(7)))
    zero = fits.canonical_joint(torch.zeros(2, dtype=F64), generator=rng(7))
    assert zero[:2, 2:].abs().max().item() == 0


def test_one_step_of_the_bottleneck_from_small_draws() -> None:
    joint = fits.canonical_joint(SQUARED[:2].sqrt(), generator=rng(7))
    start = 0.1 * torch.randn(3, 2, generator=rng(9), dtype=F64)
    fit = fits.fit_gaussian_bottleneck(joint, 2, [3.0], size=3, steps=1, generator=rng(9))
    assert (fit.encoder[0] - start).abs().flatten().tolist() == pytest.approx([0.02] * 6, rel=1e-2)
    assert fit.variance[0].tolist() == pytest.approx([math.exp(-0.02)] * 3, abs=0.05)


def test_trained_bottlenecks_lie_on_the_curve() -> None:
    joint = fits.canonical_joint(SQUARED[:3].sqrt(), generator=rng(1))
    fit = fits.fit_gaussian_bottleneck(joint, 3, [2.0, 8.0], size=3, steps=900, batch=256, generator=rng(2))
    assert fit.encoder.shape == (2, 3, 3)
    for i, worth in enumerate([2.0, 8.0]):
        assert abs(fit.told[i].item() - ib.vector_gaussian_curve(SQUARED[:3], fit.kept[i].item()).item()) < 0.01
        kept, told = ib.vector_gaussian_bottleneck(SQUARED[:3], worth)
        assert fit.kept[i].item() == pytest.approx(kept.sum().item(), abs=0.15)
        assert fit.told[i].item() == pytest.approx(told.sum().item(), abs=0.05)
        noisy = fit.encoder[i] @ joint[:3, :3] @ fit.encoder[i].T + fit.variance[i].diag()
        assert fit.kept[i].item() == pytest.approx(0.5 * (torch.logdet(noisy) - fit.variance[i].log().sum()).item(), rel=1e-10)


# -------------------------------------------------------------------------------------------------------------------------- finite tables
FLIP = torch.tensor([[0.45, 0.05], [0.05, 0.45]], dtype=F64)
START = torch.tensor([[0.6, 0.4], [0.4, 0.6]], dtype=F64)


@pytest.mark.parametrize("multiplier", [1.2, 1.6, 2.0, 5.0, 30.0])
def test_iteration_lies_on_the_exact_curve_of_a_bit(multiplier: float) -> None:
    found = ib.discrete_bottleneck(FLIP, multiplier, START, sweeps=1500)
    assert found.told.item() == pytest.approx(ib.binary_curve(found.kept, 0.1).item(), abs=1e-9)
    assert bool((found.objective.diff() <= 1e-12).all())
    assert found.objective[-1].item() == pytest.approx((found.kept - multiplier * found.told).item(), abs=1e-12)
    assert len(found.objective) == 1501
    assert (found.kept > 1e-4).item() == (multiplier > 1 / 0.8**2)  # the squared correlation of the two bits is 0.64
    torch.testing.assert_close(found.encoder.sum(1), torch.ones(2, dtype=F64))


def test_iteration_on_a_table_with_empty_cells() -> None:
    joint = torch.tensor([[0.3, 0.0], [0.2, 0.0], [0.0, 0.5]], dtype=F64)
    start = torch.rand(3, 2, generator=rng(2), dtype=F64) + 0.1
    found = ib.discrete_bottleneck(joint, 20.0, start, sweeps=200)
    assert found.told.item() == pytest.approx(math.log(2), abs=1e-6)
    assert found.kept.item() == pytest.approx(math.log(2), abs=1e-6)  # rows 0 and 1 are one and the same to the target: merged
    torch.testing.assert_close(found.encoder[0], found.encoder[1], atol=1e-6, rtol=0)


def test_iteration_stops_at_a_fixed_point() -> None:
    """One more sweep after convergence changes nothing, and satisfies the self-consistent equation."""
    found = ib.discrete_bottleneck(FLIP, 3.0, START, sweeps=2000)
    again = ib.discrete_bottleneck(FLIP, 3.0, found.encoder, sweeps=1)
    torch.testing.assert_close(again.encoder, found.encoder, atol=1e-9, rtol=0)
    unscaled = ib.discrete_bottleneck(FLIP, 3.0, 7 * START, sweeps=5)
    torch.testing.assert_close(unscaled.encoder, ib.discrete_bottleneck(FLIP, 3.0, START, sweeps=5).encoder)


@pytest.mark.parametrize("encoder", [START[0], START[:1], torch.tensor([[1.0, 0.0], [0.5, 0.5]], dtype=F64)])
def test_iteration_is_checked_at_the_door(encoder: Tensor) -> None:
    with pytest.raises(ValueError, match=r"encoder must be \(x, t\) with positive entries"):
        ib.discrete_bottleneck(FLIP, 2.0, encoder)


def test_every_input_occurs() -> None:
    with pytest.raises(ValueError, match="every x must occur"):
        ib.discrete_bottleneck(torch.tensor([[1.0, 0.0], [0.0, 0.0]], dtype=F64), 2.0, START)


def test_exact_curve_of_a_bit_at_its_ends() -> None:
    told = ib.binary_curve(torch.tensor([0.0, math.log(2)], dtype=F64), 0.1)
    full = math.log(2) + 0.1 * math.log(0.1) + 0.9 * math.log(0.9)
    assert told.tolist() == pytest.approx([0.0, full], abs=1e-12)
    for kept, flip in ((torch.tensor(-0.1), 0.1), (torch.tensor(0.8), 0.1), (torch.tensor(0.1), 0.0), (torch.tensor(0.1), 1.0)):
        with pytest.raises(ValueError, match=r"flip must lie in \(0, 1\)"):
            ib.binary_curve(kept, flip)


# -------------------------------------------------------------------------------------------------------------------------------- roads
T = torch.tensor([0.0, 0.25, 0.5, 1.0], dtype=F64)


def test_roads_begin_and_end_at_the_codes() -> None:
    a, b = (torch.randn(3, 5, generator=rng(s), dtype=F64) for s in (1, 2))
    for road in (paths.straight_path, paths.circle_path, paths.great_arc):
        way = road(a, b, T)
        assert way.shape == (4, 3, 5)
        torch.testing.assert_close(way[0], a)
        torch.testing.assert_close(way[-1], b)
        with pytest.raises(ValueError, match=r"the ends must share a shape \(\.\.\., d\)"):
            road(a, b[0], T)
    with pytest.raises(ValueError, match=r"got \(\) and \(\)"):
        paths.straight_path(a[0, 0], b[0, 0], T)


def test_variance_along_the_roads() -> None:
    a, b = torch.randn(2, 400_000, generator=rng(3), dtype=F64)
    for circle, road in ((False, paths.straight_path), (True, paths.circle_path)):
        measured = road(a, b, T).var(1)
        assert measured.tolist() == pytest.approx(paths.mixed_variance(T, circle=circle).tolist(), rel=0.01)
    assert paths.mixed_variance(T, circle=False).tolist() == [1.0, 0.625, 0.5, 1.0]
    assert paths.mixed_variance(T, circle=True).tolist() == pytest.approx([1.0] * 4, rel=1e-12)


def test_great_arc_keeps_equal_norms_and_is_the_circle_for_right_angles() -> None:
    a, b = torch.tensor([3.0, 0.0], dtype=F64), torch.tensor([1.8, 2.4], dtype=F64)
    assert paths.great_arc(a, b, T).norm(dim=-1).tolist() == pytest.approx([3.0] * 4, rel=1e-12)
    assert (paths.straight_path(a, b, T).norm(dim=-1)[1:3] < 2.95).all()
    right = torch.tensor([0.0, 2.0], dtype=F64)
    torch.testing.assert_close(paths.great_arc(a, right, T), paths.circle_path(a, right, T))
    for other in (2 * a, -a):
        with pytest.raises(ValueError, match="neither parallel nor opposite"):
            paths.great_arc(a, other, T)


@pytest.mark.parametrize(
    ("dimension", "length"), [(1, math.sqrt(2 / math.pi)), (2, 1.2533), (3, 2 * math.sqrt(2 / math.pi)), (128, 11.2916)]
)
def test_mean_length(dimension: int, length: float) -> None:
    assert paths.expected_norm(dimension) == pytest.approx(length, abs=5e-5)
    assert paths.expected_norm(dimension) / math.sqrt(2) == pytest.approx(length / math.sqrt(2), abs=5e-5)


def test_mean_length_needs_a_dimension() -> None:
    with pytest.raises(ValueError, match="dimension must be at least 1, got 0"):
        paths.expected_norm(0)
