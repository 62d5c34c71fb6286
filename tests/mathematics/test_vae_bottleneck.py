"""Rates, bounds and hinges of the bottleneck against PyTorch's distributions, closed forms and enumeration."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.integrate import quad
from scipy.special import k0
from torch import Tensor
from torch.distributions import Independent, Normal, kl_divergence

from kexue.mathematics import vae_bottleneck as vb

F64 = torch.float64


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def codes(*shape: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    g = rng(seed)
    return torch.randn(*shape, generator=g, dtype=F64), torch.randn(*shape, generator=g, dtype=F64)


# ------------------------------------------------------------------------------------------------------------------------- the rate
def test_rate_is_torchs_divergence() -> None:
    mean, log_variance = codes(5, 3)
    code = Independent(Normal(mean, (0.5 * log_variance).exp()), 1)
    prior = Independent(Normal(torch.zeros_like(mean), torch.ones_like(mean)), 1)
    torch.testing.assert_close(vb.gaussian_kl(mean, log_variance), kl_divergence(code, prior))


def test_rate_of_the_prior_is_zero_and_tiny_rates_keep_their_digits() -> None:
    zero = torch.zeros(4)
    assert vb.gaussian_kl(zero, zero).item() == 0.0
    tiny = torch.full((1,), 1e-5)  # single precision: exp(x) - 1 - x would be noise
    assert vb.gaussian_kl(torch.zeros(1, dtype=F64), tiny.double()).item() == pytest.approx(1e-10 / 4, rel=1e-4)
    assert vb.gaussian_kl(torch.tensor([2.0]), torch.zeros(1)).item() == 2.0


def test_rate_has_the_right_derivative() -> None:
    mean, log_variance = codes(2, 3)
    assert torch.autograd.gradcheck(vb.gaussian_kl, (mean.requires_grad_(), log_variance.requires_grad_()))


@pytest.mark.parametrize(
    ("mean", "log_variance", "words"),
    [
        (torch.zeros(2), torch.zeros(3), r"share a shape \(\.\.\., d\), got \(2,\) and \(3,\)"),
        (torch.zeros(()), torch.zeros(()), r"share a shape \(\.\.\., d\), got \(\) and \(\)"),
        (torch.zeros(3, 0), torch.zeros(3, 0), r"got \(3, 0\)"),
        (torch.zeros(2, dtype=torch.long), torch.zeros(2), r"floating-point tensors, got torch.int64 and torch.float32"),
        (torch.zeros(2), torch.zeros(2, dtype=torch.long), r"got torch.float32 and torch.int64"),
    ],
)
def test_codes_are_checked_at_the_door(mean: Tensor, log_variance: Tensor, words: str) -> None:
    for function in (vb.gaussian_kl, vb.sample_code, vb.code_information):
        with pytest.raises(ValueError, match=words):
            function(mean, log_variance)


# ------------------------------------------------------------------------------------------------------------------------- sampling
def test_draws_have_the_law_and_the_gradient_of_their_parameters() -> None:
    mean = torch.tensor([1.0, -2.0], dtype=F64).expand(200_000, 2).clone().requires_grad_()
    log_variance = torch.tensor([0.0, math.log(9.0)], dtype=F64).expand(200_000, 2)
    z = vb.sample_code(mean, log_variance, generator=rng())
    assert z.mean(0).tolist() == pytest.approx([1, -2], abs=0.03)
    assert z.std(0).tolist() == pytest.approx([1, 3], rel=0.01)
    z.sum().backward()
    assert mean.grad is not None
    assert bool((mean.grad == 1).all())


def test_draws_honour_the_seed_and_the_type() -> None:
    mean, log_variance = codes(4, 2)
    one, same, other = (vb.sample_code(mean, log_variance, generator=rng(s)) for s in (3, 3, 4))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert one.dtype == F64


# ------------------------------------------------------------------------------------------------------------------------ objective
def test_vib_loss_adds_its_parts() -> None:
    logits = torch.tensor([[0.0, 0.0], [2.0, 0.0]], dtype=F64)
    labels = torch.tensor([0, 0])
    mean, log_variance = torch.tensor([[1.0], [3.0]], dtype=F64), torch.zeros(2, 1, dtype=F64)
    loss, cross_entropy, rate = vb.vib_loss(logits, labels, mean, log_variance, 0.1)
    assert cross_entropy.item() == pytest.approx((math.log(2) + math.log1p(math.exp(-2))) / 2, rel=1e-12)
    assert rate.item() == 2.5
    assert loss.item() == pytest.approx(cross_entropy.item() + 0.25, rel=1e-12)
    assert vb.vib_loss(logits, labels, mean, log_variance, 0)[0].item() == cross_entropy.item()


def test_vib_loss_refuses_what_does_not_fit() -> None:
    logits, mean = torch.zeros(2, 3), torch.zeros(2, 1)
    with pytest.raises(ValueError, match=r"weight must be a finite number of at least 0, got -0\.1"):
        vb.vib_loss(logits, torch.tensor([0, 1]), mean, mean, -0.1)
    with pytest.raises(ValueError, match="at least 0, got nan"):
        vb.vib_loss(logits, torch.tensor([0, 1]), mean, mean, math.nan)
    with pytest.raises(ValueError, match=r"one label each: got \(2, 1\), \(2, 3\), \(3,\)"):
        vb.vib_loss(logits, torch.tensor([0, 1, 1]), mean, mean, 0.1)
    with pytest.raises(ValueError, match=r"one label each: got \(1, 1\), \(2, 3\), \(2,\)"):
        vb.vib_loss(logits, torch.tensor([0, 1]), mean[:1], mean[:1], 0.1)


def test_relevance_bound_is_reached_by_the_true_posterior() -> None:
    """Codes 0 … 3, two labels: with the true p(y|z) the bound is the information, with any other it is below."""
    joint = torch.tensor([[3, 1], [2, 2], [0, 4], [4, 0]])  # counts of (code, label)
    code = torch.arange(4).repeat_interleave(4)
    label = torch.cat([torch.tensor([0] * int(a) + [1] * int(b)) for a, b in joint])
    truth = (joint / 4).to(F64)
    p = joint.to(F64) / 16
    information = (torch.special.xlogy(p, p / (p.sum(0) * p.sum(1, keepdim=True)))).sum()
    best = vb.relevance_bound(truth[code].clamp_min(1e-300).log(), label)
    assert best.item() == pytest.approx(information.item(), rel=1e-12)
    worse = vb.relevance_bound((0.9 * truth + 0.05)[code].log(), label)
    assert worse < best - 1e-3


def test_relevance_counts_labels_that_never_occur() -> None:
    even = torch.full((4, 3), -math.log(3))
    assert vb.relevance_bound(even, torch.tensor([0, 1, 0, 1])).item() == pytest.approx(math.log(2) - math.log(3), rel=1e-6)
    for log_q, labels in ((even[0], torch.tensor([0])), (even, torch.tensor([0])), (even[:0], torch.tensor([], dtype=torch.long))):
        with pytest.raises(ValueError, match=r"log_q must be \(N, c\) and labels \(N,\) with N > 0"):
            vb.relevance_bound(log_q, labels)


# ---------------------------------------------------------------------------------------------------------------------- information
def test_log_density_is_scipys() -> None:
    mean, log_variance = codes(6, 2)
    z = torch.randn(6, 2, generator=rng(9), dtype=F64)
    expected = Normal(mean, (0.5 * log_variance).exp()).log_prob(z).sum(-1)
    torch.testing.assert_close(vb.gaussian_log_density(z, mean, log_variance), expected)


def test_information_of_far_and_of_equal_codes() -> None:
    far = 100.0 * torch.arange(8, dtype=F64)[:, None]
    value, error = vb.code_information(far, torch.zeros_like(far), draws=4, generator=rng())
    assert value.item() == pytest.approx(math.log(8), abs=1e-9)
    assert error.item() < 1e-9
    value, error = vb.code_information(0 * far, 0 * far, draws=4, generator=rng())
    assert value.item() == pytest.approx(0, abs=1e-12)
    assert error.item() < 1e-12


def test_information_of_two_codes_is_the_integral() -> None:
    """Two codes at -1 and 1 with unit noise: information by quadrature."""

    def integrand(z: float) -> float:
        return math.exp(-((z - 1) ** 2) / 2) / math.sqrt(2 * math.pi) * (math.log(2) - math.log1p(math.exp(-2 * z)))

    truth = quad(integrand, -12, 12)[0]
    mean = torch.tensor([[-1.0], [1.0]], dtype=F64)
    value, error = vb.code_information(mean, torch.zeros_like(mean), draws=20_000, generator=rng(1))
    assert abs(value.item() - truth) < 4 * error.item()
    assert error.item() == pytest.approx(0.5 / math.sqrt(40_000), rel=0.4)


def test_rate_is_never_below_the_information() -> None:
    """A Gaussian channel on a grid of inputs: the rate exceeds the information by the prior's misfit."""
    mean = torch.linspace(-1, 3, 200, dtype=F64)[:, None]
    log_variance = torch.full_like(mean, math.log(0.3))
    value, error = vb.code_information(mean, log_variance, draws=5, generator=rng(2))
    rate = vb.gaussian_kl(mean, log_variance).mean()
    assert rate.item() > value.item() + 5 * error.item()


def test_information_needs_two_ratios() -> None:
    one = torch.zeros(1, 2)
    with pytest.raises(ValueError, match=r"at least two in all, got \(1, 2\) and draws=1"):
        vb.code_information(one, one)
    with pytest.raises(ValueError, match="draws=0"):
        vb.code_information(torch.zeros(3, 2), torch.zeros(3, 2), draws=0)
    with pytest.raises(ValueError, match=r"\(N, d\)"):
        vb.code_information(torch.zeros(3), torch.zeros(3))
    assert vb.code_information(one, one, draws=2)[0].item() == 0


# ---------------------------------------------------------------------------------------------------------------------------- hinge
RHO = 0.8
KEPT = -0.5 * math.log(1 - RHO**2)


def ratios(count: int = 400_000) -> Tensor:
    g = rng(5)
    x, e = (torch.randn(count, generator=g, dtype=F64) for _ in range(2))
    return vb.gaussian_log_ratio(x, RHO * x + 0.6 * e, RHO)


def product_hinge(threshold: float) -> float:
    """Mean excess over a threshold of a product of two standard normals, whose density is K0(|u|) / pi."""
    return float(quad(lambda u: (u - threshold) * k0(u) / math.pi, threshold, 40)[0])


def test_log_ratio_is_that_of_the_densities() -> None:
    x, z = torch.tensor([0.3, -1.0], dtype=F64), torch.tensor([0.9, 0.4], dtype=F64)
    conditional, marginal = Normal(RHO * x, 0.6), Normal(0 * x, 1.0)
    torch.testing.assert_close(vb.gaussian_log_ratio(x, z, RHO), conditional.log_prob(z) - marginal.log_prob(z))


@pytest.mark.parametrize("times", [1.0, 2.0])
def test_hinge_inside_the_mean_has_the_price_of_the_derivation(times: float) -> None:
    sample = ratios()
    expected = RHO * product_hinge((times - 1) * KEPT / RHO)
    assert vb.mean_of_hinge(sample, times * KEPT).item() == pytest.approx(expected, abs=4e-3)
    assert expected == pytest.approx({1.0: RHO / math.pi, 2.0: 0.108326}[times], abs=1e-4)


def test_hinges_on_three_numbers() -> None:
    sample = torch.tensor([0.0, 1.0, 5.0])
    assert vb.mean_of_hinge(sample, 2.0).item() == 1.0
    assert vb.hinge_of_mean(sample, 2.0).item() == 0.0
    assert vb.hinge_of_mean(sample, 1.5).item() == 0.5
    assert vb.mean_of_hinge(sample, 0.0).item() == vb.hinge_of_mean(sample, 0.0).item() == 2.0


def test_log_ratio_is_checked_at_the_door() -> None:
    x = torch.zeros(3)
    for rho in (1.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="rho must lie strictly between -1 and 1"):
            vb.gaussian_log_ratio(x, x, rho)
    with pytest.raises(ValueError, match=r"share a shape, got \(3,\) and \(2,\)"):
        vb.gaussian_log_ratio(x, x[:2], 0.5)


def test_dual_price_settles_where_the_budget_is_met() -> None:
    """For a coordinate of height 4 and noise 1 the rate is log(4 / weight) / 2: the price must settle at 4 exp(-2 budget)."""
    weight = 0.5
    for _ in range(400):
        weight = vb.dual_step(weight, rate=0.5 * math.log(4 / max(weight, 1e-9)), budget=0.4, step=0.2)
    assert weight == pytest.approx(4 * math.exp(-0.8), rel=1e-6)
    assert vb.dual_step(0.0, rate=1.0, budget=3.0, step=1.0) == 0.0
    with pytest.raises(ValueError, match="weight must be a finite number of at least 0, got -1"):
        vb.dual_step(-1, rate=1.0, budget=1.0, step=1.0)
    with pytest.raises(ValueError, match="step must be a finite number of at least 0, got inf"):
        vb.dual_step(1, rate=1.0, budget=1.0, step=math.inf)
