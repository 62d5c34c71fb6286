"""The linear beta-VAE: closed form against search, training, scikit-learn and the numbers of the real digits."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.optimize import minimize
from sklearn.decomposition import PCA
from torch import Tensor

from kexue import datasets
from kexue.mathematics import vae_bottleneck_fits as fits
from kexue.mathematics import vae_bottleneck_linear as linear
from kexue.mathematics.vae_bottleneck import gaussian_kl

F64 = torch.float64


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def digits() -> Tensor:
    return datasets.load("digits").images.flatten(1).to(F64) / 16


@pytest.fixture(scope="module")
def heights(digits: Tensor) -> Tensor:
    return linear.pca(digits)[1]


# ---------------------------------------------------------------------------------------------------------------------- one coordinate
@pytest.mark.parametrize(("height", "beta", "noise"), [(3.0, 2.0, 0.5), (1.4, 0.3, 0.8), (0.9, 1.0, 1.2), (2.0, 4.0, 0.5)])
def test_optimum_is_what_a_search_finds(height: float, beta: float, noise: float) -> None:
    def loss(p: object) -> float:
        a, w, log_s = torch.tensor(p, dtype=F64)
        return float(linear.coordinate_loss(linear.LinearCode(a, w, log_s.exp()), torch.tensor(height, dtype=F64), beta=beta, noise=noise))

    found = minimize(loss, [0.4, 0.5, -0.2], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13, "maxiter": 4000})
    code = linear.linear_optimum(torch.tensor(height, dtype=F64), beta * noise)
    assert loss([code.a, code.w, code.s.log()]) == pytest.approx(found.fun, abs=1e-9)
    assert [float(abs(code.a)), float(code.w), float(code.s)] == pytest.approx(
        [abs(found.x[0]), abs(found.x[1]), math.exp(found.x[2])], abs=2e-3 if height == beta * noise else 1e-5
    )


def test_coordinate_loss_by_hand() -> None:
    code = linear.LinearCode(torch.tensor(0.5), torch.tensor(1.0), torch.tensor(2.0))
    value = linear.coordinate_loss(code, torch.tensor(4.0), beta=3.0, noise=0.25)
    assert value.item() == pytest.approx((0.25 * 4 + 4) / 0.5 + 3 * 0.5 * (1 + 4 - 1 - math.log(4)), rel=1e-6)


def test_the_water_line_itself_is_silent() -> None:
    code = linear.linear_optimum(torch.tensor([1.0, 0.5, 4.0]), 1.0)
    assert code.a.tolist() == [0.0, 0.0, pytest.approx(math.sqrt(3) / 4)]
    assert code.w.tolist() == [0.0, 0.0, pytest.approx(math.sqrt(3))]
    assert code.s.tolist() == [1.0, 1.0, 0.5]


def test_optimum_has_the_rate_and_error_of_the_filling_and_the_priors_variance() -> None:
    height = torch.tensor([5.0, 2.0, 0.7, 0.1], dtype=F64)
    level = 0.6
    code, filling = linear.linear_optimum(height, level), linear.water_filling(height, level)
    mean, log_variance = (code.a * height.sqrt())[:, None], 2 * code.s.log()[:, None]
    torch.testing.assert_close(gaussian_kl(mean, log_variance), filling.rates)
    error = (1 - code.a * code.w).square() * height + (code.w * code.s).square()
    torch.testing.assert_close(error, filling.distortions)
    torch.testing.assert_close(code.a.square() * height + code.s.square(), torch.ones(4, dtype=F64))
    assert filling.active.tolist() == [True, True, True, False]


# ------------------------------------------------------------------------------------------------------------------------- the filling
def test_filling_by_hand_and_over_several_levels() -> None:
    height = torch.tensor([4.0, 1.0, 0.25])
    filling = linear.water_filling(height, torch.tensor([0.25, 1.0, 8.0]))
    assert filling.coded.tolist() == [2, 1, 0]
    assert filling.rate.tolist() == pytest.approx([0.5 * math.log(64), 0.5 * math.log(4), 0.0])
    assert filling.distortion.tolist() == pytest.approx([0.75, 2.25, 5.25])
    assert linear.water_filling(torch.tensor([2.0, 0.0]), 1).rates.tolist() == pytest.approx([0.5 * math.log(2), 0.0])


def test_slope_of_the_curve_is_read_off_the_level(heights: Tensor) -> None:
    level = torch.tensor([0.0301, 0.0699], dtype=F64)
    for d in level:
        near = linear.water_filling(heights, torch.stack([d * (1 - 1e-6), d * (1 + 1e-6)]))
        slope = near.rate.diff() / near.distortion.diff()
        assert slope.item() == pytest.approx(-1 / (2 * d.item()), rel=1e-5)


@pytest.mark.parametrize("rate", [0.05, 1.0, 6.931471805599453, 60.0])
def test_level_for_rate_inverts_the_filling(heights: Tensor, rate: float) -> None:
    level = linear.level_for_rate(heights, rate)
    assert linear.water_filling(heights, level).rate.item() == pytest.approx(rate, rel=1e-12)


def test_level_for_rate_on_equal_and_on_zero_heights() -> None:
    assert linear.level_for_rate(torch.tensor([0.0, 2.0, 2.0]), 2 * math.log(2)) == pytest.approx(0.5, rel=1e-12)
    assert linear.level_for_rate(torch.tensor([1.0, 9.0]), math.log(3)) == pytest.approx(1.0, rel=1e-7)
    for rate in (0.0, -1.0, math.inf):
        with pytest.raises(ValueError, match="rate must be a positive finite number of nats"):
            linear.level_for_rate(torch.tensor([1.0]), rate)
    with pytest.raises(ValueError, match="at least one height must be positive"):
        linear.level_for_rate(torch.zeros(3), 1.0)


@pytest.mark.parametrize(
    ("level", "count", "rate", "error"),
    [
        (0.005, 46, 48.255, 0.2448),
        (0.02, 30, 21.676, 0.7920),
        (0.05, 18, 10.647, 1.4863),
        (0.1, 12, 5.479, 2.2106),
        (0.2, 7, 2.286, 3.1023),
    ],
)
def test_filling_of_the_real_digits(heights: Tensor, level: float, count: int, rate: float, error: float) -> None:
    filling = linear.water_filling(heights, level)
    assert int(filling.coded) == count
    assert filling.rate.item() == pytest.approx(rate, abs=6e-4)
    assert filling.distortion.item() == pytest.approx(error, abs=6e-5)
    assert heights.sum().item() == pytest.approx(4.69328, abs=5e-6)
    assert linear.level_for_rate(heights, 10 * math.log(2)) == pytest.approx(0.0793169, abs=5e-8)


@pytest.mark.parametrize("level", [0.0, -1.0, math.nan, math.inf])
def test_a_level_is_positive(level: float) -> None:
    for function in (linear.water_filling, linear.linear_optimum):
        with pytest.raises(ValueError, match="water level must be positive and finite"):
            function(torch.ones(2), level)


@pytest.mark.parametrize("bad", [torch.tensor([1]), torch.tensor([-1e-9]), torch.tensor([math.nan])])
def test_heights_are_not_negative(bad: Tensor) -> None:
    with pytest.raises(ValueError, match="heights must be a floating-point tensor of finite numbers that are not negative"):
        linear.water_filling(bad, 1.0)


def test_heights_are_a_vector() -> None:
    with pytest.raises(ValueError, match=r"heights must have shape \(n,\), got \(\)"):
        linear.water_filling(torch.tensor(1.0), 1.0)


# --------------------------------------------------------------------------------------------------------------------------- real data
def test_pca_is_scikit_learns(digits: Tensor) -> None:
    mean, heights, directions = linear.pca(digits)
    reference = PCA(10).fit(digits.numpy())
    assert heights[:10].tolist() == pytest.approx((reference.explained_variance_ * 1796 / 1797).tolist(), rel=1e-10)
    overlap = torch.tensor(reference.components_) @ directions[:, :10]
    torch.testing.assert_close(overlap.abs(), torch.eye(10, dtype=F64), atol=1e-7, rtol=0)
    torch.testing.assert_close(mean, torch.tensor(reference.mean_))
    torch.testing.assert_close(directions.T @ directions, torch.eye(64, dtype=F64), atol=1e-10, rtol=0)
    assert bool((directions.gather(0, directions.abs().argmax(0, keepdim=True)) > 0).all())
    assert bool((heights >= 0).all())
    for bad in (digits[0], digits[:1]):
        with pytest.raises(ValueError, match=r"data must be \(N, n\) with at least two rows"):
            linear.pca(bad)


def test_likelihood_is_scikit_learns_up_to_its_divisor(digits: Tensor, heights: Tensor) -> None:
    value = linear.probabilistic_pca_log_likelihood(heights, 18).item()
    assert value == pytest.approx(25.839960, abs=1e-6)
    assert PCA(18).fit(digits.numpy()).score(digits.numpy()) == pytest.approx(25.839955, abs=1e-6)  # covariance over N - 1
    one = linear.probabilistic_pca_log_likelihood(torch.tensor([3.0, 3.0]), 0).item()
    assert one == pytest.approx(-math.log(2 * math.pi * 3) - 1, rel=1e-6)
    for count in (-1, 64):
        with pytest.raises(ValueError, match=f"count must lie between 0 and 63, got {count}"):
            linear.probabilistic_pca_log_likelihood(heights, count)


def test_best_elbo_is_the_likelihood(heights: Tensor) -> None:
    """A code of 18 coordinates with the mean of the discarded eigenvalues as noise: minus the loss is the likelihood."""
    noise = heights[18:].mean()
    code = linear.linear_optimum(heights[:18], noise)
    loss = linear.coordinate_loss(code, heights[:18], beta=1.0, noise=noise.item()).sum() + heights[18:].sum() / (2 * noise)
    elbo = -loss - 32 * torch.log(2 * math.pi * noise)
    assert elbo.item() == pytest.approx(linear.probabilistic_pca_log_likelihood(heights, 18).item(), rel=1e-12)


# ------------------------------------------------------------------------------------------------------------------------ the rotation
def test_price_of_a_rotation_is_what_the_best_diagonal_encoder_loses() -> None:
    height, level, angle = torch.tensor([4.0, 1.5], dtype=F64), 0.5, 0.6
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]], dtype=F64)
    decoder = (height - level).sqrt().diag() @ turn.T  # (n, k)
    best = _best_encoder(decoder, height.diag(), beta=1.0, noise=level)
    straight = linear.coordinate_loss(linear.linear_optimum(height, level), height, beta=1.0, noise=level).sum()
    assert best - straight.item() == pytest.approx(linear.rotation_price(height, turn).item(), abs=1e-9)
    assert linear.rotation_price(height, turn).item() == pytest.approx(
        0.5 * math.log1p((4 - 1.5) ** 2 * math.sin(2 * angle) ** 2 / (4 * 4 * 1.5)), rel=1e-12
    )
    assert linear.rotation_price(torch.tensor([2.0, 2.0], dtype=F64), turn).item() == pytest.approx(0, abs=1e-12)


def _best_encoder(decoder: Tensor, covariance: Tensor, *, beta: float, noise: float) -> float:
    leaves = [torch.zeros(decoder.T.shape, dtype=F64, requires_grad=True), torch.zeros(len(decoder.T), dtype=F64, requires_grad=True)]
    optimiser = torch.optim.LBFGS(leaves, max_iter=300, tolerance_grad=1e-12, tolerance_change=1e-16, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        rates, error = fits.linear_parts(leaves[0], decoder, leaves[1], covariance)
        loss = error / (2 * noise) + beta * rates.sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    return float(closure().detach())


def test_a_rotation_is_orthogonal() -> None:
    with pytest.raises(ValueError, match=r"rotation must be an orthogonal matrix \(2, 2\), got shape \(3, 3\)"):
        linear.rotation_price(torch.ones(2), torch.eye(3))
    with pytest.raises(ValueError, match=r"orthogonal matrix \(2, 2\), got shape \(2, 2\)"):
        linear.rotation_price(torch.ones(2), 2 * torch.eye(2))


# ---------------------------------------------------------------------------------------------------------------------------- collapse
def test_a_coordinate_wakes_at_the_level() -> None:
    assert linear.collapse_threshold(beta=2.0, noise=0.3) == pytest.approx(0.6, abs=1e-3)
    assert linear.collapse_threshold(beta=0.5, noise=0.3, halvings=0) == pytest.approx(0.15 * math.sqrt(0.75), rel=1e-9)


@pytest.mark.parametrize("height", [0.55, 0.7, 2.0])
def test_settling_reaches_the_optimum(height: float) -> None:
    code = linear.settle(height, beta=2.0, noise=0.3)
    best = linear.linear_optimum(torch.tensor(height, dtype=F64), 0.6)
    assert [float(v) for v in code] == pytest.approx([float(v) for v in best], abs=2e-5)
    with pytest.raises(ValueError, match="positive and finite"):
        linear.settle(1.0, beta=0.0, noise=0.3)


# ---------------------------------------------------------------------------------------------------------------------------- training
def test_linear_parts_are_the_means_of_the_sampled_ones() -> None:
    g = rng(1)
    data = torch.randn(400, 3, generator=g, dtype=F64) @ torch.randn(3, 3, generator=g, dtype=F64)
    data = data - data.mean(0)
    encoder, decoder = torch.randn(2, 3, generator=g, dtype=F64), torch.randn(3, 2, generator=g, dtype=F64)
    log_variance = torch.tensor([-0.5, 0.3], dtype=F64)
    rates, error = fits.linear_parts(encoder, decoder, log_variance, data.T @ data / 400)
    draws = torch.stack([torch.stack(fits.sampled_parts(encoder, decoder, log_variance, data, generator=g)) for _ in range(400)])
    assert draws[:, 0].mean().item() == pytest.approx(rates.sum().item(), rel=1e-10)
    standard = draws[:, 1].std().item() / 20
    assert abs(draws[:, 1].mean().item() - error.item()) < 4 * standard
    assert standard < 0.01 * error.item()


def test_training_finds_the_filling() -> None:
    """Six directions, four above water: rate, error, axes and the loss of the closed form."""
    height = torch.tensor([3.0, 1.5, 0.8, 0.4, 0.15, 0.05], dtype=F64)
    fit = fits.fit_linear_vae(height.diag(), [1.0, 4.0], size=6, noise=0.2, generator=rng(3))
    filling = linear.water_filling(height, 0.2)
    assert fit.rates[0].sum().item() == pytest.approx(filling.rate.item(), rel=1e-5)
    assert fit.distortion[0].item() == pytest.approx(filling.distortion.item(), rel=1e-5)
    assert int((fit.rates[0] > 0.01).sum()) == 4
    loudest = fit.rates[0].argsort(descending=True)[:4]
    axes = fit.encoder[0, loudest].abs()
    torch.testing.assert_close(axes.argmax(1), torch.arange(4))
    assert (axes / axes.max(1, keepdim=True).values).sort(1).values[:, -2].max() < 0.01
    expected = linear.coordinate_loss(linear.linear_optimum(height, 0.2), height, beta=1.0, noise=0.2).sum()
    assert fit.history[-1, 0].item() == pytest.approx(expected.item(), rel=1e-5)
    assert fit.history.shape == (3000, 2)
    assert fit.history[0, 0] > 2 * fit.history[-1, 0]
    deep = linear.water_filling(height, 0.8)
    assert fit.rates[1].sum().item() == pytest.approx(deep.rate.item(), rel=1e-3)
    assert fit.distortion[1].item() == pytest.approx(deep.distortion.item(), rel=1e-3)
    again = fits.fit_linear_vae(height.diag(), [1.0], size=6, noise=0.2, steps=20, generator=rng(3))  # alone: the same way
    torch.testing.assert_close(again.history[:10, 0], fit.history[:10, 0])


def test_training_starts_from_small_draws_of_the_generator() -> None:
    g = rng(8)
    encoder, decoder = 0.1 * torch.randn(2, 3, generator=g, dtype=F64), 0.1 * torch.randn(3, 2, generator=g, dtype=F64)
    covariance = torch.tensor([[2.0, 0.3, 0.0], [0.3, 1.0, 0.1], [0.0, 0.1, 0.5]], dtype=F64)
    rates, error = fits.linear_parts(encoder, decoder, torch.zeros(2, dtype=F64), covariance)
    fit = fits.fit_linear_vae(covariance, [0.5, 2.0], size=2, noise=0.25, steps=1, generator=rng(8))
    assert fit.history[0].tolist() == pytest.approx([(2 * error + beta * rates.sum()).item() for beta in (0.5, 2.0)], rel=1e-6)
    # the first step of Adam moves every number by the rate
    assert (fit.encoder - encoder).abs().flatten().tolist() == pytest.approx([0.01] * 12, rel=1e-3)
    slow = fits.fit_linear_vae(covariance, [0.5], size=2, noise=0.25, steps=1, learning_rate=0.002, generator=rng(8))
    assert (slow.decoder - decoder).abs().flatten().tolist() == pytest.approx([0.002] * 6, rel=1e-3)


def test_the_rate_of_learning_falls_in_the_last_fifth() -> None:
    leaf = torch.zeros(1)
    optimiser, schedule = fits._adam([leaf], 0.5, 10)
    rates = []
    for _ in range(10):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    assert rates == pytest.approx([0.5] * 9 + [0.25])
    assert optimiser.param_groups[0]["lr"] == 0.0
    assert leaf.requires_grad


def test_training_refuses_what_it_cannot_train() -> None:
    for covariance, size in ((torch.eye(2), 0), (torch.ones(2, 3), 1), (torch.ones(2), 1)):
        with pytest.raises(ValueError, match=r"covariance must be \(n, n\) and size at least 1"):
            fits.fit_linear_vae(covariance, [1.0], size=size, noise=1.0)
    with pytest.raises(ValueError, match="positive and finite"):
        fits.fit_linear_vae(torch.eye(2), [1.0], size=1, noise=-1.0)
