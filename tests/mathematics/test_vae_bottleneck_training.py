"""The networks begin as what theory says, and every judge is compared with sums by hand or a closed form."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kexue.mathematics import vae_bottleneck_training as module
from kexue.mathematics.vae_bottleneck import gaussian_kl
from kexue.mathematics.vae_bottleneck_linear import linear_optimum, pca, water_filling
from kexue.mathematics.vae_bottleneck_training import (
    Autoencoder,
    Bank,
    BottleneckClassifier,
    LinearCodes,
    fgsm,
    judge_autoencoder,
    judge_bottleneck,
    least_lead,
    noise_for,
    relabelled,
)

SIZES: tuple[dict[str, Any], ...] = ({"hidden": (12, 7)}, {"channels": (3, 4)})


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 60, seed: int = 0) -> Tensor:
    """Rows of 784 numbers that lie near a plane of four directions."""
    draw = generator(seed)
    plane = torch.randn(4, 784, generator=generator(99)) * torch.tensor([0.1, 0.07, 0.04, 0.02])[:, None]
    return 0.4 + torch.randn(count, 4, generator=draw) @ plane + 0.001 * torch.randn(count, 784, generator=draw)


@cache
def principal(count: int) -> tuple[Tensor, Tensor, Tensor]:
    return pca(pictures(count).double())


def begun(x: Tensor, level: float, latents: int = 6, **size: Any) -> tuple[Autoencoder, tuple[Tensor, Tensor, Tensor]]:
    model = Autoencoder(latents, generator=generator(), **size)
    found = principal(len(x))
    model.begin(*found, level)
    return model, found


# ----------------------------------------------------------------------------------------------------------------------- autoencoder
@pytest.mark.parametrize("size", SIZES)
def test_an_autoencoder_begins_as_the_best_linear_code(size: dict[str, Any]) -> None:
    x, level = pictures(), 0.5
    model, (mean, heights, directions) = begun(x, level, **size)
    code = linear_optimum(heights[:6], level)
    assert 0 < int((heights > level).sum()) < 6  # some directions are coded, some forgotten
    with torch.no_grad():
        found, log_variance = model.encode(x)
        expected = ((x.double() - mean) @ directions[:, :6]) * code.a
        assert torch.allclose(found.double(), expected, atol=2e-5)
        assert torch.allclose(log_variance[3].double(), 2 * code.s.log(), atol=1e-6)
        z = torch.randn(5, 6, generator=generator(1))
        again = mean + (z.double() * code.w) @ directions[:, :6].T
        assert torch.allclose(model.decode(z).double(), again, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_networks_that_begin_silent_learn_all_the_same(size: dict[str, Any]) -> None:
    x = pictures(20)
    model, _ = begun(x, 0.5, **size)
    noise = torch.randn(20, 6, generator=generator(2))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(30):
        rate, error = model(x, noise).mean(1)
        loss = error / 2 + 0.5 * rate
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.98 * losses[0]
    assert all(p.grad is not None and float(p.grad.abs().max()) > 0 for p in model.parameters())


def test_rate_and_error_by_hand() -> None:
    x = pictures(20)[:3]
    model, _ = begun(pictures(20), 0.2, hidden=(5,))
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.01 * torch.randn(p.shape, generator=generator(5)))
        noise = torch.randn(3, 6, generator=generator(4))
        mean, log_variance = model.encode(x)
        again = model.decode(mean + noise * torch.exp(log_variance / 2))
        rate, error = model(x, noise)
    assert torch.equal(rate, gaussian_kl(mean, log_variance))
    assert torch.allclose(error, (x - again).pow(2).sum(1))


def test_the_encoder_sees_centred_and_enlarged_pixels() -> None:
    model = Autoencoder(1, hidden=())
    model.pixel_mean.fill_(0.25)
    layer = model.encoder[0]
    assert isinstance(layer, nn.Linear)
    with torch.no_grad():
        layer.weight.fill_(0.0)
        layer.weight[0, 0] = 1.0
        layer.weight[1, 1] = 3.0
        mean, log_variance = model.encode(torch.full((1, 784), 0.75))
    assert (mean.item(), log_variance.item()) == (1.0, 3.0)  # 2 · (0.75 − 0.25)


def test_hidden_layers_and_channels() -> None:
    plain, turned = Autoencoder(2, hidden=(5, 3)), Autoencoder(2, channels=(3, 4))
    widths = [m.out_features for net in (plain.encoder, plain.decoder) for m in net if isinstance(m, nn.Linear)]
    assert widths == [5, 3, 4, 3, 5, 784]
    channels = [m.out_channels for net in (turned.encoder, turned.decoder) for m in net if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))]
    assert channels == [3, 4, 3, 1]
    assert turned.decode(torch.zeros(7, 2)).shape == (7, 784)


def test_first_weights() -> None:
    one, two, other = (BottleneckClassifier(3, 10, hidden=(200,), generator=generator(s)).state_dict() for s in (1, 1, 2))
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not torch.equal(one["answer.weight"], other["answer.weight"])
    first = one["encoder.0.weight"]
    assert float(first.abs().max()) == pytest.approx(1 / 28, rel=1e-3)  # 784 inputs, 156,800 draws
    assert float(first.std()) == pytest.approx(1 / 28 / math.sqrt(3), rel=0.01)
    assert float(one["encoder.0.bias"].abs().max()) == 0
    layer = nn.Sequential(nn.ConvTranspose2d(32, 9, 4, stride=2), nn.Conv2d(5, 40, 4))
    module._initialise(layer, generator())
    assert layer[0].weight.abs().max().item() == pytest.approx(1 / math.sqrt(32 * 4), rel=0.01)  # type: ignore[operator, union-attr]
    assert layer[1].weight.abs().max().item() == pytest.approx(1 / math.sqrt(5 * 16), rel=0.01)  # type: ignore[operator, union-attr]


@pytest.mark.parametrize("level", [0.05, 0.5])
def test_judge_agrees_with_the_closed_form_for_linear_codes(level: float) -> None:
    train, held_out = pictures(), pictures(50, 1)
    model, _ = begun(train, level)
    rate, error = judge_autoencoder(model, held_out, draws=400, seed=3)
    expected = LinearCodes.fitted(train, held_out).point(level)
    assert rate == pytest.approx(expected[0], abs=1e-4)  # no noise in it
    assert error == pytest.approx(expected[1], rel=0.01)


def test_judge_takes_the_mean_over_its_draws() -> None:
    x = pictures(20)[:10]
    model, _ = begun(pictures(20), 0.1)
    each = [judge_autoencoder(model, x, seed=s)[1] for s in (5, 6, 7)]
    assert judge_autoencoder(model, x, draws=3, seed=5)[1] == pytest.approx(sum(each) / 3, rel=1e-6)
    assert len(set(each)) == 3
    assert judge_autoencoder(model, x) == judge_autoencoder(model, x, draws=1, seed=0)


def test_noise_is_that_of_the_seed_in_the_type_of_the_pictures() -> None:
    x = torch.zeros(4, 784, dtype=torch.float64)
    assert noise_for(x, 3, 7).dtype == torch.float64
    assert torch.equal(noise_for(x, 3, 7).float(), torch.randn(4, 3, generator=generator(7)))


# ----------------------------------------------------------------------------------------------------------------------- linear codes
def test_linear_codes_on_their_own_pictures_are_the_water_filling() -> None:
    x = pictures()
    codes = LinearCodes.fitted(x, x)
    assert torch.allclose(codes.held, codes.heights, atol=1e-12)
    covariance = np.cov(x.double().numpy().T, bias=True)
    assert codes.own[:4].tolist() == pytest.approx(np.linalg.eigvalsh(covariance)[::-1][:4].tolist(), rel=1e-9)
    for level in (0.01, 0.3, 2.0):
        filling = water_filling(codes.heights, level)
        assert codes.point(level) == pytest.approx((float(filling.rate), float(filling.distortion)), rel=1e-9)
        assert codes.least_error(float(filling.rate)) == pytest.approx(float(filling.distortion), rel=1e-9)
        assert codes.error_at(float(filling.rate)) == pytest.approx(float(filling.distortion), rel=1e-9)


def test_error_at_a_rate_turns_the_curve_round_and_is_never_below_the_least_error() -> None:
    codes = LinearCodes.fitted(pictures(), pictures(50, 1))
    for level in (0.01, 0.1, 1.0):
        rate, error = codes.point(level)
        assert codes.error_at(rate) == pytest.approx(error, rel=1e-9)
        assert codes.least_error(rate) < error
    lowest = math.exp(math.log(float(codes.heights.max())) - math.log(1e9))
    top = codes.point(lowest)[0]
    assert codes.error_at(top) == pytest.approx(codes.point(lowest)[1], rel=1e-6)
    for rate in (0.0, -1.0, 1.001 * top):
        with pytest.raises(ValueError, match=r"above 0 and at most [\d.]+ nats, got"):
            codes.error_at(rate)


def test_least_lead_by_hand() -> None:
    points = [(10.0, 2.0), (2.0, 10.0), (4.0, 6.0)]  # a broken line: 10 → 6 → 2

    def line(rate: float) -> float:
        return 14 - 2 * rate if rate <= 4 else 6 - (rate - 4) * 2 / 3

    assert least_lead(points, lambda rate: line(rate) + 1, above=2.0) == pytest.approx(1.0)
    # the lead shrinks with the rate and is least at the last point
    assert least_lead(points, lambda rate: line(rate) + 11 - rate, above=3.0) == pytest.approx(1.0)
    # only rates above the limit count: below it the curve is far under the line
    steep = lambda rate: line(rate) + (1.0 if rate >= 5 else -100.0)  # noqa: E731
    assert least_lead(points, steep, above=5.0) == pytest.approx(1.0)
    assert least_lead(points, steep, above=4.9) == pytest.approx(-100.0)
    # a dip between points is seen, on a fine enough net
    dip = lambda rate: line(rate) + abs(rate - 7)  # noqa: E731
    assert least_lead(points, dip, above=4.0, count=3) == pytest.approx(0.0)
    # the points themselves are looked at, whatever the net
    notch = lambda rate: line(rate) + (1.0 if abs(rate - 4.0) > 1e-9 else 0.25)  # noqa: E731
    assert least_lead(points, notch, above=3.0, count=2) == pytest.approx(0.25)


@pytest.mark.parametrize("points", [[(6.0, 1.0)], [(5.5, 2.0), (6.0, 1.0)], [(1.0, 2.0), (5.0, 1.0)]])
def test_least_lead_needs_points_on_both_sides(points: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match=r"rates on both sides of 5, got"):
        least_lead(points, lambda rate: 1.0, above=5.0)


# ------------------------------------------------------------------------------------------------------------------------ bottleneck
def test_a_bottleneck_by_hand() -> None:
    model = BottleneckClassifier(2, 3, hidden=(4,), generator=generator())
    x, noise = torch.rand(5, 784, generator=generator(1)), torch.randn(5, 2, generator=generator(2))
    with torch.no_grad():
        logits, mean, log_variance = model(x, noise)
        hidden = torch.relu((2 * x - 1) @ model.encoder[0].weight.T)  # type: ignore[operator, union-attr]
        out = hidden @ model.encoder[2].weight.T  # type: ignore[operator, union-attr]
        assert torch.allclose(mean, out[:, :2], atol=1e-6)
        assert torch.allclose(log_variance, out[:, 2:] - 5.0, atol=1e-6)
        assert torch.allclose(logits, (mean + noise * (log_variance / 2).exp()) @ model.answer.weight.T, atol=1e-6)
        assert torch.allclose(model.surely(x), mean @ model.answer.weight.T, atol=1e-6)


def test_members_of_a_bank_share_nothing() -> None:
    made = [BottleneckClassifier(2, 3, hidden=(4,), generator=generator(s)) for s in (0, 1)]
    x, noise = torch.rand(5, 784, generator=generator(1)), torch.randn(5, 2, generator=generator(2))
    both = Bank(made)(x, noise)
    sum(answers[0].square().sum() for answers in both).backward()  # type: ignore[union-attr]
    for member, answers in zip(made, both, strict=True):
        together = [p.grad.clone() for p in member.parameters() if p.grad is not None]
        member.zero_grad()
        alone = member(x, noise)
        assert torch.equal(alone[0], answers[0])
        alone[0].square().sum().backward()
        assert all(torch.equal(g, p.grad) for g, p in zip(together, member.parameters(), strict=True) if p.grad is not None)


def certain(model: BottleneckClassifier, means: Tensor, log_variance: float) -> None:
    """Make a model answer with its code itself, whose mean is a picture's row of a table."""
    model.encode = lambda x: (means[: len(x)], torch.full_like(means[: len(x)], log_variance))  # type: ignore[method-assign]
    with torch.no_grad():
        model.answer.weight.copy_(torch.eye(2))
        model.answer.bias.zero_()


def test_judge_of_certain_codes() -> None:
    model, x, labels = BottleneckClassifier(2, 2, hidden=(4,)), torch.zeros(4, 784), torch.tensor([0, 1, 0, 1])
    means = torch.tensor([[9.0, 0], [0, 9.0], [0, 9.0], [0, 9.0]])  # the third answer is wrong
    certain(model, means, -40.0)
    found = judge_bottleneck(model, x, labels, draws=2)
    assert found["error_one"] == found["error_averaged"] == found["error_mean"] == 0.25
    assert found["rate"] == pytest.approx(0.5 * (81 + 2 * (40 - 1)), abs=1e-4)
    right, wrong = -math.log1p(math.exp(-9)), -9 - math.log1p(math.exp(-9))
    assert found["relevance"] == pytest.approx(math.log(2) + (3 * right + wrong) / 4, abs=1e-5)


def test_averaging_over_codes_mends_what_single_codes_get_wrong() -> None:
    count = 400
    model, x, labels = BottleneckClassifier(2, 2, hidden=(4,)), torch.zeros(count, 784), torch.zeros(count, dtype=torch.long)
    certain(model, torch.tensor([[1.0, 0.0]]).expand(count, 2), 0.0)
    found = judge_bottleneck(model, x, labels, draws=30, seed=1)
    # the difference of both numbers of a code is normal with mean 1 and variance 2
    assert found["error_one"] == pytest.approx(0.5 * math.erfc(0.5), abs=0.01)
    assert found["error_averaged"] < 0.01
    assert found["error_mean"] == 0
    single = judge_bottleneck(model, x, labels, draws=1, seed=1)
    assert single["error_one"] == single["error_averaged"]
    assert judge_bottleneck(model, x, labels) == judge_bottleneck(model, x, labels, draws=12, seed=0)


def test_fgsm_climbs_the_gradient_of_a_linear_classifier() -> None:
    weight = torch.tensor([[1.0, -2.0, 0.0], [-1.0, 1.0, 0.0]])
    x, labels = torch.tensor([[0.5, 0.5, 0.5], [0.02, 0.99, 0.5]]), torch.tensor([0, 1])
    moved = fgsm(lambda rows: rows @ weight.T, x, labels, 0.1)
    # the cross-entropy grows along the weights of the wrong class minus those of the right one
    assert torch.allclose(moved, torch.tensor([[0.4, 0.6, 0.5], [0.12, 0.89, 0.5]]), atol=1e-6)
    assert torch.allclose(fgsm(lambda rows: rows @ weight.T, x, labels, 0.6)[1], torch.tensor([0.62, 0.39, 0.5]))
    assert torch.allclose(fgsm(lambda rows: rows @ weight.T, x, labels, 0.6)[0], torch.tensor([0.0, 1.0, 0.5]))  # kept in [0, 1]
    assert torch.equal(fgsm(lambda rows: rows @ weight.T, x, labels, 0.0), x)
    assert not moved.requires_grad
    with pytest.raises(ValueError, match=r"step must be at least 0, got -0.1"):
        fgsm(lambda rows: rows, x, labels, -0.1)


def test_relabelled() -> None:
    labels = torch.arange(10).repeat(1000)
    half = relabelled(labels, 10, 0.5, seed=3)
    assert float((half == labels).double().mean()) == pytest.approx(1 - 0.5 * 0.9, abs=0.02)
    every = relabelled(labels, 10, 1.0, seed=3)
    assert float((every == labels).double().mean()) == pytest.approx(0.1, abs=0.02)
    assert every.bincount().tolist() == pytest.approx([1000] * 10, abs=150)
    assert torch.equal(relabelled(labels, 10, 0.5, seed=3), half)
    assert not torch.equal(relabelled(labels, 10, 0.5, seed=4), half)
    assert torch.equal(relabelled(labels, 10, 0.0, seed=3), labels)
    for share in (-0.1, 1.1):
        with pytest.raises(ValueError, match="share must lie between 0 and 1, got"):
            relabelled(labels, 10, share, seed=0)
