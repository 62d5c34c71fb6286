"""The best energy on a line against least squares, SciPy and enumeration; the rule of pits; the flows against their exact laws."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import energy_distance, norm

from kexue.generative import energy_gan as eg

F64 = torch.float64
FIVE = torch.tensor([-3.0, -1.0, 0.5, 2.0, 4.0], dtype=F64)
DATA, FAKES = eg.Normals((-2.0, 2.0), (0.7, 0.7)), eg.Normals((0.0,), (2.5,))


def least_squares(mass: torch.Tensor, r: torch.Tensor, lam: float, h: float) -> torch.Tensor:
    """The slopes of the minimiser of mass·U + λ Σ r (ΔU/h)² h, by a dense linear solve, no formula of the chapter in it."""
    step = torch.eye(len(mass), dtype=F64).diff(dim=0) / h
    matrix = 2 * lam * h * step.T @ (r[:, None] * step)
    free = torch.linalg.solve(matrix[1:, 1:], -mass[1:])
    return torch.cat([free.new_zeros(1), free]).diff() / h


@pytest.mark.parametrize("where", ["fake", "mixture", "uniform"])
def test_slope_and_value_against_least_squares(where: str) -> None:
    x, lam = torch.linspace(-8, 8, 401, dtype=F64), 0.7
    h = float(x[1] - x[0])
    fakes = eg.Normals((0.0,), (2.0,))
    mass = h * (DATA.density(x) - fakes.density(x))
    mass -= mass.mean()
    middle = (x[1:] + x[:-1]) / 2
    r = eg.place_density(where, DATA.density(middle), fakes.density(middle), length=16.0)
    solved = least_squares(mass, r, lam, h)
    gap = mass.cumsum(0)[:-1]
    torch.testing.assert_close(eg.critic_slope(gap, torch.zeros_like(gap), r, lam), solved, rtol=0, atol=1e-8)
    loss = -(gap * solved).sum() * h + lam * (r * solved**2).sum() * h
    torch.testing.assert_close(-lam * (r * solved**2).sum() * h, loss, rtol=0, atol=1e-10)  # the value identity
    f_p, f_q = DATA.cdf(middle), fakes.cdf(middle)
    torch.testing.assert_close(eg.critic_value(middle, f_p, f_q, r, lam), loss, rtol=3e-3, atol=0)  # h = 0.04


def test_landscape_is_the_integral_of_the_slope() -> None:
    x = torch.linspace(0, 2, 2001, dtype=F64)
    torch.testing.assert_close(eg.landscape(x, 3 * x**2), x**3, rtol=0, atol=1e-5)
    assert eg.landscape(x, x)[0] == 0


def test_uniform_value_is_the_energy_distance() -> None:
    generator = torch.Generator().manual_seed(0)
    real, fake = torch.randn(30, generator=generator, dtype=F64), 1 + torch.randn(40, generator=generator, dtype=F64)
    places = torch.cat([real, fake]).sort().values
    gap = (eg.points_cdf(real, places) - eg.points_cdf(fake, places))[:-1]
    assert -float(gap**2 @ places.diff()) / (4 * 0.3) == pytest.approx(-(energy_distance(real, fake) ** 2) / (8 * 0.3), rel=1e-12)
    fine = torch.linspace(-6, 7, 200_001, dtype=F64)
    value = eg.critic_value(fine, eg.points_cdf(real, fine), eg.points_cdf(fake, fine), torch.ones_like(fine), 0.3)
    assert float(value) == pytest.approx(-(energy_distance(real, fake) ** 2) / (8 * 0.3), rel=1e-3)  # trapezia across the jumps


def test_slope_at_infinity_and_where_nothing_pulls() -> None:
    slope = eg.critic_slope(torch.tensor([1.0, 0.5]), torch.tensor([0.0, 0.5]), torch.zeros(2), 1.0)
    assert slope.tolist() == [float("inf"), 0.0]


# --- laws ----------------------------------------------------------------------------------------------------------------------------


def test_normals_against_scipy() -> None:
    law = eg.Normals((-1.0, 2.0), (0.5, 1.5), (0.3, 0.7))
    x = torch.linspace(-4, 6, 50, dtype=F64)
    cdf = 0.3 * norm.cdf(x, -1, 0.5) + 0.7 * norm.cdf(x, 2, 1.5)
    pdf = 0.3 * norm.pdf(x, -1, 0.5) + 0.7 * norm.pdf(x, 2, 1.5)
    torch.testing.assert_close(law.cdf(x), torch.as_tensor(cdf), rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(law.density(x), torch.as_tensor(pdf), rtol=1e-12, atol=1e-15)
    ranks = law.cdf(law.quantiles(9))
    torch.testing.assert_close(ranks, (torch.arange(9, dtype=F64) + 0.5) / 9, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("means", "stds", "weights"), [((), (), ()), ((0.0,), (0.0,), ()), ((0.0, 1.0), (1.0,), ()), ((0.0, 1.0), (1.0, 1.0), (0.5, 0.6))]
)
def test_normals_refuse(means: tuple[float, ...], stds: tuple[float, ...], weights: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"one length|positive"):
        eg.Normals(means, stds, weights)


def test_points_cdf_counts() -> None:
    got = eg.points_cdf(torch.tensor([2.0, 0.0, 2.0, 1.0]), torch.tensor([[-1.0, 0.0], [1.5, 2.0]]))
    assert got.tolist() == [[0.0, 0.25], [0.5, 1.0]]


def test_interpolates_of_two_atoms_are_uniform() -> None:
    x = torch.tensor([-0.1, 0.0, 1.0, 2.9, 3.1], dtype=F64)
    density = eg.interpolate_density(x, torch.tensor([3.0], dtype=F64), torch.tensor([0.0], dtype=F64))
    torch.testing.assert_close(density, torch.tensor([0, 1 / 3, 1 / 3, 1 / 3, 0], dtype=F64))
    slope = eg.critic_slope(torch.ones(1, dtype=F64), torch.zeros(1, dtype=F64), density[2:3], 0.5)
    assert float(slope) == pytest.approx(3 / (2 * 0.5))


def test_interpolates_against_sampling() -> None:
    generator = torch.Generator().manual_seed(3)
    real, fake = torch.randn(4, generator=generator, dtype=F64), 2 + torch.randn(5, generator=generator, dtype=F64)
    i, j = (torch.randint(n, (200_000,), generator=generator) for n in (4, 5))
    draws = real[i] + torch.rand(200_000, generator=generator, dtype=F64) * (fake[j] - real[i])
    edges = torch.linspace(-1, 4, 11, dtype=F64)
    counts = torch.histogram(draws, edges).hist / 200_000
    fine = torch.linspace(-1, 4, 10_001, dtype=F64)[:-1] + 2.5e-4
    mass = eg.interpolate_density(fine, real, fake).reshape(10, 1000).mean(1) * 0.5
    torch.testing.assert_close(mass, counts, rtol=0, atol=5e-3)


# --- pits ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mean", "std", "expected"), [(-9.0, 0.5, []), (0.0, 1.0, [-3.0, 4.0]), (0.5, 2.4, [-3.0, -1.0, 0.5, 2.0, 4.0])])
def test_the_five_points(mean: float, std: float, expected: list[float]) -> None:
    order = torch.tensor([3, 0, 4, 2, 1])  # any order will do
    cdf = eg.Normals((mean,), (std,)).cdf(FIVE[order])
    assert FIVE[order][eg.pits(FIVE[order], cdf)].sort().values.tolist() == expected


@given(st.floats(-5, 5), st.floats(0.3, 4), st.sampled_from(["fake", "mixture", "uniform"]), st.floats(0.1, 10))
@settings(max_examples=40, deadline=None)
def test_pits_are_the_minima_of_the_landscape(mean: float, std: float, where: str, lam: float) -> None:
    """The rule against the sign of the slope on either side of each point, whatever r and λ."""
    law = eg.Normals((mean,), (std,))
    near = 1e-6
    left, right = FIVE - near, FIVE + near
    f_l, f_r = eg.points_cdf(FIVE, left), eg.points_cdf(FIVE, right)
    r_l, r_r = (eg.place_density(where, torch.ones_like(x), law.density(x) + 1e-9, length=5.0) for x in (left, right))
    down = eg.critic_slope(f_l, law.cdf(left), r_l, lam) < 0
    up = eg.critic_slope(f_r, law.cdf(right), r_r, lam) > 0
    f_q = law.cdf(FIVE)
    clear = ((f_q * 5 - (f_q * 5).round()).abs() > 1e-4) | (f_q < 1e-12)  # not within rounding of a step
    assert torch.equal((down & up)[clear], eg.pits(FIVE, f_q)[clear])


def test_pits_with_ties_and_least_mass() -> None:
    real = torch.tensor([0.0, 0.0, 1.0])
    assert eg.pits(real, torch.tensor([0.5, 0.5, 0.5])).tolist() == [True, True, False]
    assert eg.pits(torch.tensor([0.0]), torch.tensor([1e-9])).tolist() == [True]
    assert eg.pits(torch.tensor([0.0]), torch.tensor([1e-9]), least=1e-6).tolist() == [False]


@given(st.floats(-4, 5), st.floats(0.2, 4))
@settings(max_examples=30, deadline=None)
def test_basins_are_fair(mean: float, std: float) -> None:
    law = eg.Normals((mean,), (std,))
    edges = eg.basin_edges(FIVE, law)
    torch.testing.assert_close(law.cdf(edges), eg.points_cdf(FIVE, edges), rtol=0, atol=1e-9)
    inner = eg.pits(FIVE, law.cdf(FIVE))
    assert abs(int(inner.sum()) - (len(edges) + 1)) <= 2  # a crest between any two pits; the ends may be floors instead of pits


def test_basins_of_all_five() -> None:
    law = eg.Normals((0.5,), (2.4,))
    shares = torch.cat([torch.zeros(1, dtype=F64), law.cdf(eg.basin_edges(FIVE, law)), torch.ones(1, dtype=F64)]).diff()
    torch.testing.assert_close(shares, torch.full((5,), 0.2, dtype=F64), rtol=0, atol=1e-12)


# --- flows ---------------------------------------------------------------------------------------------------------------------------


def test_penalty_on_fakes_relaxes_exponentially() -> None:
    start, lam = FAKES.quantiles(600), 0.5
    path = eg.particle_flow(start, DATA, "fake", lam, time=3.0, steps=150)
    x = torch.linspace(-7, 7, 200, dtype=F64)
    for k in range(0, 151, 25):
        exact = eg.relaxed_cdf(DATA.cdf(x), FAKES.cdf(x), lam, k * 0.02)
        assert (eg.points_cdf(path[k], x) - exact).abs().max() < 0.02
    assert torch.equal(path, eg.particle_flow(start, DATA, "fake", lam, time=3.0, steps=150))


@pytest.mark.parametrize("where", ["mixture", "uniform"])
def test_other_places_bring_the_fakes_nearer(where: str) -> None:
    start = FAKES.quantiles(300)
    path = eg.particle_flow(start, DATA, where, 0.5, time=2.0, steps=200, length=14.0)
    gap = [(DATA.cdf(now) - DATA.cdf(DATA.quantiles(300))).abs().max() for now in (path[0], path[-1])]
    assert gap[1] < 0.5 * gap[0]


def test_penalty_on_data_keeps_its_law_while_it_can_be_followed() -> None:
    """Within reach of the data, ranks among the data relax at 1/2λ; in a gap, fakes are thrown away."""
    data, start = eg.Normals((0.0,), (1.0,)), eg.Normals((0.3,), (0.9,)).quantiles(200)
    inner = slice(10, 190)
    path = eg.particle_flow(start, data, "real", 0.5, time=1.0, steps=4000)
    rank = (torch.arange(200, dtype=F64) + 0.5) / 200
    exact = eg.relaxed_cdf(rank, data.cdf(start), 0.5, 1.0)
    torch.testing.assert_close(data.cdf(path[-1])[inner], exact[inner], rtol=0, atol=2e-3)  # Euler
    thrown = eg.particle_flow(FAKES.quantiles(600), DATA, "real", 0.5, time=0.05, steps=5)[-1]
    assert int((~(thrown.abs() < 100)).sum()) > 5


def test_relaxed_law_ends() -> None:
    f_p, f_0 = torch.tensor([0.2]), torch.tensor([0.8])
    assert float(eg.relaxed_cdf(f_p, f_0, 1.0, 0.0)) == pytest.approx(0.8)
    assert float(eg.relaxed_cdf(f_p, f_0, 1.0, 2.0)) == pytest.approx(0.2 + 0.6 * 0.36787944117144233)


ONES, X3 = torch.ones(3), torch.tensor([0.0, 1.0, 2.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: eg.critic_slope(ONES, ONES, ONES, 0.0), "penalty must be above 0"),
        (lambda: eg.critic_slope(ONES, ONES, -ONES, 1.0), "cannot be negative"),
        (lambda: eg.landscape(X3.flip(0), ONES), "rising places"),
        (lambda: eg.critic_value(X3, torch.ones(2), torch.ones(2), torch.ones(2), 1.0), "rising places"),
        (lambda: eg.points_cdf(torch.empty(0), X3), "at least one"),
        (lambda: eg.interpolate_density(X3, X3, X3), "coincide"),
        (lambda: eg.pits(X3, torch.ones(2)), "one shape"),
        (lambda: eg.pits(X3, X3, least=-1.0), "least be at least 0"),
        (lambda: eg.basin_edges(ONES, FAKES), "coincide"),
        (lambda: eg.place_density("nowhere", ONES, ONES), "place of the penalty"),
        (lambda: eg.particle_flow(X3.flip(0), DATA, "fake", 1.0, time=1.0, steps=1), "rising order"),
        (lambda: eg.particle_flow(X3, DATA, "fake", 1.0, time=0.0, steps=1), "above 0"),
    ],
)
def test_refusals(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
