"""The simulations: exact rates on small cases, the limits that the chapter claims, seeds."""

from __future__ import annotations

import math

import pytest
import torch

from kexue.mathematics import hsic, hsic_laws
from kexue.mathematics import hsic_power as power
from kexue.mathematics.hsic_independence import HsicTest


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_bias_study_is_the_mean_over_its_samples() -> None:
    rows = power.bias_study({8: 3, 12: 40}, 0.7, generator=torch.Generator().manual_seed(4))
    generator = torch.Generator().manual_seed(4)
    found = []
    for _ in range(3):
        x, y = torch.randn((2, 8), generator=generator, dtype=torch.float64)
        k, m = hsic.gaussian_gram(x, 0.7), hsic.gaussian_gram(y, 0.7)
        found.append((float(hsic.hsic_biased(k, m, ddof=1)), float(hsic.hsic_unbiased(k, m))))
    values = torch.tensor(found, dtype=torch.float64)
    assert [row.n for row in rows] == [8, 12]
    assert math.isclose(rows[0].biased, values[:, 0].mean(), rel_tol=1e-12)
    assert math.isclose(rows[0].unbiased, values[:, 1].mean(), rel_tol=1e-12)
    assert math.isclose(rows[0].biased_error, values[:, 0].std() / 3**0.5, rel_tol=1e-12)
    assert math.isclose(rows[0].unbiased_error, values[:, 1].std() / 3**0.5, rel_tol=1e-12)
    mean = hsic_laws.gaussian_mean_kernel(1.0, 0.7)
    assert abs(rows[1].biased - hsic_laws.bias_under_independence(mean, mean, 12, ddof=1)) < 4 * rows[1].biased_error


def test_dependences_are_what_they_are_called() -> None:
    x, e, f = normal(3, 20_000)
    made = {name: make(x, e, f) for name, make in power.DEPENDENCES.items()}
    line, circle, wave, spread, nothing = made.values()
    assert torch.equal(line[1], 0.3 * x + e)
    assert abs((circle[0] ** 2 + circle[1] ** 2).mean() - 1.02) < 0.01
    assert abs((circle[0] * circle[1]).mean()) < 0.01
    assert torch.equal(wave[1], torch.sin(3 * x) + 0.3 * e)
    assert torch.equal(spread[1], x * e)
    assert torch.equal(nothing[0], x)
    assert torch.equal(nothing[1], e)


def test_power_study_counts_rejections() -> None:
    rates = power.power_study(40, repeats=4, permutations=19, tests=("HSIC, median", "Pearson"), seed=2)
    assert list(rates) == list(power.DEPENDENCES)
    generator = torch.Generator().manual_seed(2001)
    found = {"HSIC, median": 0, "Pearson": 0}
    for repeat in range(4):
        x, y = power.DEPENDENCES["circle, noise 0.1"](*torch.randn((3, 40), generator=generator, dtype=torch.float64))
        for name, kernel in (("HSIC, median", "gaussian"), ("Pearson", "linear")):
            found[name] += HsicTest(kernel, permutations=19, seed=2 + repeat)(x, y).p_value <= 0.05
    assert rates["circle, noise 0.1"] == {name: count / 4 for name, count in found.items()}
    everything = power.power_study(40, repeats=1, permutations=19, level=1.0)
    assert all(rate == 1.0 for row in everything.values() for rate in row.values())
    assert set(everything["independent"]) == set(power.TESTS)
    assert rates == power.power_study(40, repeats=4, permutations=19, tests=("HSIC, median", "Pearson"), seed=2)


def test_a_wide_kernel_is_pearsons_test() -> None:
    rates = power.power_study(50, repeats=5, permutations=39, tests=("median × 100", "Pearson"))
    assert all(abs(row["median × 100"] - row["Pearson"]) <= 0.2 for row in rates.values())


def test_discoveries_among_real_and_shuffled_pairs() -> None:
    pairs = [torch.stack([normal(60, seed=s), normal(60, seed=s) + 0.01 * normal(60, seed=s + 50)], 1) for s in range(6)]
    found = power.discoveries(pairs, "gaussian", n=40, permutations=99, rate=0.1, seed=3)
    assert found.real.tolist() == [True] * 6
    assert found.shuffled.sum() <= 2
    again = power.discoveries(pairs, "gaussian", n=40, permutations=99, rate=0.1, seed=3)
    assert torch.equal(again.shuffled, found.shuffled)
    nothing = [normal(60, 2, seed=s) for s in range(6)]
    assert power.discoveries(nothing, "linear", n=40, permutations=99).real.sum() <= 1


@pytest.mark.parametrize("name", sorted(power.TESTS))
def test_every_test_of_the_table_has_a_known_kernel(name: str) -> None:
    kernel, times = power.TESTS[name]
    assert kernel in hsic.KERNELS
    assert times > 0
