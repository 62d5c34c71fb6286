"""The simulations: exact rates on small cases, the limits that the chapter claims, seeds."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from kexue.mathematics import hsic, hsic_laws
from kexue.mathematics import hsic_power as power
from kexue.mathematics.hsic_independence import HsicTest
from kexue.mathematics.hsic_relatives import benjamini_hochberg


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


def test_discoveries_are_those_of_the_tests_one_by_one() -> None:
    pairs = [torch.stack([normal(size, seed=size), normal(size, seed=size) + spread * normal(size, seed=1)], 1)
             for size, spread in ((30, 0.5), (22, 2.0), (40, 1.0), (22, 0.1))]  # fmt: skip
    found = power.discoveries(pairs, "distance", n=25, permutations=19, rate=0.3, seed=5)
    generator = torch.Generator().manual_seed(5)
    p_values = torch.empty(2, 4)
    for i, pair in enumerate(pairs):
        x, y = pair[torch.randperm(len(pair), generator=generator)[:25]].T
        test = HsicTest("distance", permutations=19, seed=5)
        p_values[:, i] = torch.tensor([test(x, y).p_value, test(x, y[torch.randperm(len(y), generator=generator)]).p_value])
    expected = benjamini_hochberg(p_values.flatten(), rate=0.3).view(2, 4)
    assert torch.equal(torch.stack([found.real, found.shuffled]), expected)
    assert found.real.any()


@pytest.mark.parametrize(("real", "shuffled", "rate", "level"), [(80, 4, 0.05, 1e-3), (99, 0, 0.05, 0.5), (3, 1, 0.2, 1e-6)])
def test_the_largest_false_share_is_a_binomial_quantile(real: int, shuffled: int, rate: float, level: float) -> None:
    draw = power.Discoveries(torch.arange(99) < real, torch.arange(99) < shuffled)
    for draws in (1, 3):
        findings = draws * (real + shuffled)
        count = stats.binom.ppf(1 - level, draws * 99, rate * (real + shuffled) / 198)
        assert power.largest_false_share([draw] * draws, rate=rate, level=level) == count / findings
    assert power.largest_false_share([draw]) == power.largest_false_share([draw], rate=0.05, level=1e-3)


def test_the_promise_holds_where_all_real_pairs_are_found() -> None:
    """Uniform p-values for the shuffled, nought for the real: the mean share is the promised one, the quantile is nearly kept."""
    draw = torch.Generator().manual_seed(0)
    shares, beyond = [], 0
    for _ in range(2000):
        p_values = torch.cat([torch.zeros(99), torch.rand(99, generator=draw)])
        found = power.Discoveries(*benjamini_hochberg(p_values).view(2, -1))
        shares.append(found.shuffled.sum().item() / (found.real.sum() + found.shuffled.sum()).item())
        beyond += shares[-1] > power.largest_false_share([found], level=0.05)
    assert abs(sum(shares) / 2000 - 0.025) < 4 * 0.016 / 2000**0.5
    assert 0.03 * 2000 < beyond < 0.065 * 2000  # a false finding raises R, and with it the bar for the others


def test_no_findings_have_no_share() -> None:
    none = torch.zeros(5, dtype=torch.bool)
    with pytest.raises(ValueError, match="nothing was found"):
        power.largest_false_share([power.Discoveries(none, none)])


@pytest.mark.parametrize("name", sorted(power.TESTS))
def test_every_test_of_the_table_has_a_known_kernel(name: str) -> None:
    kernel, times = power.TESTS[name]
    assert kernel in hsic.KERNELS
    assert times > 0
