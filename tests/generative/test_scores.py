from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg
from torch import Tensor
from torch.nn import functional as F

from kexue import datasets
from kexue.generative import feature_tables, neighbours, scores
from kexue.generative.scores import Statistics, fit_statistics, frechet_distance, image_scores, kid, precision_recall

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def drawn(seed: int, n: int, d: int, shift: float = 0.0) -> Tensor:
    return shift + torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# ---------------------------------------------------------------------------------------------------------------- Fréchet distance
def by_sqrtm(x: np.ndarray, y: np.ndarray) -> float:
    a, b = np.atleast_2d(np.cov(x, rowvar=False)), np.atleast_2d(np.cov(y, rowvar=False))
    root = linalg.sqrtm(a @ b)
    return float(np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(a + b - 2 * np.real(root)))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**20), st.integers(1, 6), st.integers(12, 40), st.integers(12, 40))
def test_frechet_against_the_root_of_a_matrix(seed: int, d: int, n: int, m: int) -> None:
    mix = drawn(seed + 2, d, d)
    x, y = drawn(seed, n, d) @ mix, drawn(seed + 1, m, d, 0.3)
    want = by_sqrtm(x.numpy(), y.numpy())
    assert frechet_distance(x, y) == pytest.approx(want, rel=1e-8, abs=1e-8)
    assert frechet_distance(y, x) == pytest.approx(want, rel=1e-8, abs=1e-8)


def test_frechet_of_normal_laws_in_closed_form() -> None:
    """Covariances that commute: the sum of (σ − τ)² and the squared shift."""
    turn, _ = torch.linalg.qr(drawn(5, 4, 4))
    sigma, tau = torch.tensor([1.0, 2.0, 0.5, 0.0]).double(), torch.tensor([3.0, 2.0, 0.25, 1.0]).double()
    shift = torch.tensor([1.0, 0.0, -2.0, 0.5]).double()
    one = Statistics(10, torch.zeros(4).double(), turn @ sigma.square().diag() @ turn.T)
    two = Statistics(10, shift, turn @ tau.square().diag() @ turn.T)
    assert frechet_distance(one, two) == pytest.approx(float(shift.square().sum() + (sigma - tau).square().sum()), rel=1e-12)


def test_frechet_keeps_its_digits_where_covariances_are_singular() -> None:
    """Features in a plane of a space of 60 dimensions, from 20 rows: the distance is that in the plane."""
    into, _ = torch.linalg.qr(drawn(1, 60, 3))
    x, y = drawn(2, 20, 3), drawn(3, 20, 3, 1.0)
    assert frechet_distance(x @ into.T, y @ into.T) == pytest.approx(frechet_distance(x, y), rel=1e-9)
    assert frechet_distance(x @ into.T, x @ into.T) < 1e-12


def test_frechet_properties() -> None:
    x, y = drawn(1, 50, 5), drawn(2, 60, 5, 0.5)
    turn, _ = torch.linalg.qr(drawn(3, 5, 5))
    value = frechet_distance(x, y)
    assert value > 0
    assert frechet_distance(x @ turn + 7, y @ turn + 7) == pytest.approx(value, rel=1e-9)
    assert frechet_distance(3 * x, 3 * y) == pytest.approx(9 * value, rel=1e-9)
    assert frechet_distance(fit_statistics(x), y) == value
    assert frechet_distance(x, x) < 1e-12
    assert frechet_distance(x, x + 2) == pytest.approx(5 * 4, rel=1e-9)


@pytest.mark.parametrize("rows", [1, 7, 50, 1000])
def test_statistics_do_not_depend_on_the_blocks(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "ROWS", rows)
    x = drawn(4, 50, 3) * 5 + 100
    found = fit_statistics(x)
    assert found.count == 50
    assert torch.allclose(found.mean, x.mean(0), rtol=1e-12)
    assert torch.allclose(found.covariance, x.T.cov(), rtol=1e-9)


def test_frechet_is_biased_by_the_sample_size_and_the_kernel_distance_is_not() -> None:
    """Equal laws: the Fréchet distance falls like 1/n, so that doubling n halves it; the kernel distance has mean 0 throughout."""
    repeats, sizes = 60, (100, 200, 400)
    means = []
    for n in sizes:
        pairs = [(drawn(2 * i, n, 6), drawn(2 * i + 1, n, 6)) for i in range(1000, 1000 + repeats)]
        means.append(np.mean([frechet_distance(x, y) for x, y in pairs]))
        kernel = np.array([kid(x, y)[0] for x, y in pairs])
        assert abs(kernel.mean()) < 4 * kernel.std(ddof=1) / math.sqrt(repeats)
        assert (kernel < 0).mean() > 0.3
    # the standard error of each ratio is about 5 per cent; higher orders of 1/n add a few per cent
    assert means[0] / means[1] == pytest.approx(2, abs=0.3)
    assert means[1] / means[2] == pytest.approx(2, abs=0.3)
    # first order for the unit normal law: 2 d / n of the means, d (d + 1) / 4 (1/n + 1/n) of the covariances
    d, n = 6, sizes[-1]
    assert means[-1] == pytest.approx((2 * d + d * (d + 1) / 2) / n, rel=0.15)


# ----------------------------------------------------------------------------------------------------------------- kernel distance
def kid_by_hand(x: Tensor, y: Tensor) -> float:
    def k(a: Tensor, b: Tensor) -> float:
        return (float(a @ b) / len(a) + 1) ** 3

    def within(z: Tensor) -> float:
        return sum(k(a, b) for i, a in enumerate(z) for j, b in enumerate(z) if i != j) / (len(z) * (len(z) - 1))

    return within(x) + within(y) - 2 * sum(k(a, b) for a in x for b in y) / (len(x) * len(y))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**20), st.integers(3, 9), st.integers(3, 9), st.integers(1, 4))
def test_kid_and_its_jackknife_by_hand(seed: int, n: int, m: int, d: int) -> None:
    x, y = drawn(seed, n, d), drawn(seed + 1, m, d, 0.5)
    value, error = kid(x, y)
    assert value == pytest.approx(kid_by_hand(x, y), rel=1e-9, abs=1e-10)
    squares = 0.0
    without_x = [kid_by_hand(torch.cat([x[:i], x[i + 1 :]]), y) for i in range(n)]
    without_y = [kid_by_hand(x, torch.cat([y[:j], y[j + 1 :]])) for j in range(m)]
    for left in (np.array(without_x), np.array(without_y)):
        squares += (len(left) - 1) / len(left) * np.sum((left - left.mean()) ** 2)
    assert error == pytest.approx(math.sqrt(squares), rel=1e-6, abs=1e-9)


def test_kid_in_blocks_of_rows_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = drawn(1, 50, 4), drawn(2, 40, 4)
    want = kid(x, y)
    monkeypatch.setattr(scores, "ROWS", 7)
    assert kid(x, y) == pytest.approx(want, rel=1e-9)
    assert kid(y, x) == pytest.approx(want, rel=1e-9)


def test_kid_by_blocks_is_the_mean_of_blocks() -> None:
    x, y = drawn(1, 23, 3), drawn(2, 31, 3, 0.4)
    parts = np.array([kid_by_hand(x[i : i + 5], y[i : i + 5]) for i in range(0, 20, 5)])  # rows that fill no block are left out
    value, error = kid(x, y, block=5)
    assert value == pytest.approx(parts.mean(), rel=1e-9)
    assert error == pytest.approx(parts.std(ddof=1) / 2, rel=1e-9)
    first, again, other = (kid(x, y, block=5, generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert first == again
    assert first != other
    assert first[0] != value


@pytest.mark.parametrize(
    ("block", "shift", "low", "high"), [(20, 0.0, 0.85, 1.15), (None, 0.0, 1.2, 1.65), (20, 0.6, 0.85, 1.15), (None, 0.6, 0.85, 1.15)]
)
def test_standard_errors_are_as_large_as_they_should_be(block: int | None, shift: float, low: float, high: float) -> None:
    """Ratio of the mean standard error (root of the mean square) to the true one, over 300 draws: itself known to about 5 per cent."""
    draws = np.array([kid(drawn(2 * i, 160, 4), drawn(2 * i + 1, 160, 4, shift), block=block) for i in range(5000, 5300)])
    assert low < math.sqrt(np.mean(draws[:, 1] ** 2)) / draws[:, 0].std(ddof=1) < high
    if shift == 0:
        assert abs(draws[:, 0].mean()) < 4 * draws[:, 0].std(ddof=1) / math.sqrt(300)


def test_kid_of_laws_with_known_moments() -> None:
    """One dimension, points at ±1 against a point at 0: E k is (8 + 0)/2 = 4 within the first, 1 in the second, and 1 across."""
    signs = torch.ones(1000, 1).double()
    signs[::2] = -1
    value, error = kid(signs, torch.zeros(1000, 1))
    assert value == pytest.approx(4 + 1 - 2, abs=0.01)
    assert error < 0.01


# ---------------------------------------------------------------------------------------------------------------------- neighbours
def prdc_by_hand(real: np.ndarray, fake: np.ndarray, k: int) -> tuple[float, float, float, float]:
    def far(a: np.ndarray, b: np.ndarray) -> float:
        return math.dist(a, b)

    def radii(z: np.ndarray) -> list[float]:
        return [sorted(far(a, b) for j, b in enumerate(z) if j != i)[k - 1] for i, a in enumerate(z)]

    def share(points: np.ndarray, centres: np.ndarray) -> float:
        return float(np.mean([any(far(p, c) <= r for c, r in zip(centres, radii(centres), strict=True)) for p in points]))

    held = [[far(f, c) <= r for f in fake] for c, r in zip(real, radii(real), strict=True)]
    return share(fake, real), share(real, fake), float(np.sum(held)) / (k * len(fake)), float(np.mean(np.any(held, axis=1)))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**20), st.integers(5, 14), st.integers(5, 14), st.integers(1, 4), st.booleans())
def test_neighbour_scores_by_hand(seed: int, n: int, m: int, k: int, lattice: bool) -> None:
    """Also on points of a lattice, where copies and equal distances abound."""
    real, fake = drawn(seed, n, 2), drawn(seed + 1, m, 2, 0.5)
    if lattice:
        real, fake = real.round(), fake.round()
    found = (*precision_recall(real, fake, k=k), *neighbours.density_coverage(real, fake, k=k))
    assert found == pytest.approx(prdc_by_hand(real.numpy(), fake.numpy(), k), abs=1e-12)
    assert precision_recall(fake, real, k=k) == found[1::-1]


@pytest.mark.parametrize("rows", [1, 9, 64])
def test_neighbour_scores_in_blocks(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = drawn(1, 60, 3), drawn(2, 45, 3, 0.7)
    want = precision_recall(real, fake), neighbours.density_coverage(real, fake)
    monkeypatch.setattr(neighbours, "ROWS", rows)
    assert (precision_recall(real, fake), neighbours.density_coverage(real, fake)) == want


def test_precision_and_recall_tell_two_faults_apart() -> None:
    one, two = drawn(1, 200, 2), drawn(2, 200, 2, 50.0)
    both = torch.cat([one, two])
    # fakes of one mode alone: all of them good, half of the real ones never made
    precision, recall = precision_recall(both, drawn(3, 200, 2))
    assert precision > 0.9
    assert 0.4 < recall < 0.5
    # fakes of both, where only one is real: half of them bad, nothing missing
    precision, recall = precision_recall(one, torch.cat([drawn(3, 200, 2), two]))
    assert 0.4 < precision < 0.5
    assert recall > 0.9
    assert precision_recall(one, two) == (0.0, 0.0)
    assert precision_recall(one, one.clone()) == (1.0, 1.0)


def test_one_stray_point_moves_recall_and_not_coverage() -> None:
    """A single fake far off has a ball over everything; coverage looks at the balls of the real points alone."""
    real = drawn(1, 300, 2)
    stray = torch.full((1, 2), 30.0).double()
    corner = real[(real - stray).norm(dim=1).argmax()]
    poor = torch.cat([corner + 1e-3 * drawn(2, 99, 2), stray])
    assert precision_recall(real, poor)[1] > 0.99
    assert neighbours.density_coverage(real, poor)[1] < 0.1


def test_density_and_coverage_of_equal_laws() -> None:
    k = 3
    found = np.array([neighbours.density_coverage(drawn(2 * i, 300, 3), drawn(2 * i + 1, 300, 3), k=k) for i in range(20)])
    assert found[:, 0].mean() == pytest.approx(1, abs=0.05)
    assert found[:, 1].mean() == pytest.approx(1 - 2**-k, abs=0.02)


# -------------------------------------------------------------------------------------------------------------- what goes in and out
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_types_and_devices(dtype: torch.dtype, device: str) -> None:
    x, y = drawn(1, 40, 3).to(device, dtype), drawn(2, 40, 3, 1).to(device, dtype)
    exact = x.double().cpu(), y.double().cpu()
    x.requires_grad_(True)
    for function in (frechet_distance, kid, precision_recall):
        assert function(x, y) == pytest.approx(function(*exact), rel=1e-9)  # type: ignore[operator]
    assert fit_statistics(x).covariance.device.type == device
    assert type(frechet_distance(x, y)) is float
    assert [type(v) for v in (*kid(x, y), *precision_recall(x, y))] == [float] * 4


GOOD = torch.zeros(9, 2)
BAD: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], str]] = [
    (frechet_distance, (torch.zeros(9), GOOD), {}, r"table \(n, d\), got shape \(9,\)"),
    (frechet_distance, (torch.zeros(9, 0), GOOD), {}, r"got shape \(9, 0\)"),
    (frechet_distance, (GOOD[:1], GOOD), {}, "at least 2 rows, got 1"),
    (frechet_distance, (GOOD, torch.zeros(9, 3)), {}, "one width, got 2 and 3"),
    (frechet_distance, (GOOD, GOOD + torch.inf), {}, "not finite"),
    (kid, (GOOD[:2], GOOD), {}, "first features must have at least 3 rows, got 2"),
    (kid, (GOOD, GOOD * torch.nan), {}, "second features hold numbers that are not finite"),
    (kid, (GOOD, GOOD), {"block": 1}, "between 2 and 4 rows, half of the smaller sample, got 1"),
    (kid, (GOOD, GOOD), {"block": 5}, "between 2 and 4 rows"),
    (precision_recall, (GOOD, GOOD), {"k": 0}, "k must be at least 1, the nearest neighbour, got 0"),
    (precision_recall, (GOOD, GOOD[:3]), {"k": 3}, "second features must have at least 4 rows, got 3"),
    (neighbours.density_coverage, (GOOD[:5], GOOD), {}, "at least 6 rows, got 5"),
    (feature_tables.alike, (torch.zeros(2), torch.zeros(2, device="meta")), {}, "on one device, got cpu and meta"),
]


@pytest.mark.parametrize(("function", "args", "options", "match"), BAD)
def test_bad_input(function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        function(*args, **options)


# ------------------------------------------------------------------------------------------------------------------------ pictures
def blurred(images: Tensor, width: float) -> Tensor:
    line = torch.exp(-(torch.arange(-6, 7.0) ** 2) / (2 * width**2))
    line /= line.sum()
    rows = F.conv2d(images[:, None], line.view(1, 1, 1, -1), padding=(0, 6))
    return F.conv2d(rows, line.view(1, 1, -1, 1), padding=(6, 0))[:, 0].clamp(0, 1)


def noisy(images: Tensor, width: float) -> Tensor:
    return (images + width * torch.randn(images.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    """Two halves of 1200 held-out digits."""
    images = datasets.load("mnist-10k", split="test").images[:1200]
    return images[:600], images[600:]


def scored(real: Tensor, fake: Tensor, seed: int = 0) -> dict[str, float]:
    return image_scores(real, fake, data_set="mnist-10k", generator=torch.Generator().manual_seed(seed))


def test_equal_digits_score_about_nought(digits: tuple[Tensor, Tensor]) -> None:
    found = scored(*digits)
    assert abs(found["kid"]) < 3 * found["kid_se"]
    assert found["frechet"] < 2  # from the sample size alone; the smallest damage below gives more
    assert min(found["precision"], found["recall"]) > 0.75
    assert found["count"] == 600


@pytest.mark.parametrize("damage", [blurred, noisy])
def test_damage_raises_the_scores(digits: tuple[Tensor, Tensor], damage: Callable[[Tensor, float], Tensor]) -> None:
    real, other = digits
    steps = (0.5, 0.75, 1.0, 2.0) if damage is blurred else (0.15, 0.25, 0.4, 0.8)
    found = [scored(real, other), *(scored(real, damage(other.float() / 255, width)) for width in steps)]
    for key in ("kid", "frechet"):
        values = [f[key] for f in found]
        assert values == sorted(values)
        assert values[1] > 2 * values[0]
    assert all(f["kid"] > 5 * f["kid_se"] for f in found[1:])
    assert found[-1]["precision"] < 0.2 * found[0]["precision"]
    assert found[-1]["recall"] < 0.2 * found[0]["recall"]


def test_a_missing_digit_is_seen_in_recall() -> None:
    test = datasets.load("mnist-10k", split="test")
    images, labels = test.images[:1200], test.labels[:1200]
    real, fake = images[:600], images[600:][labels[600:] > 4]
    found, whole = scored(real, fake), scored(real, images[600 : 600 + len(fake)])
    assert found["kid"] > 5 * found["kid_se"]
    assert found["recall"] < whole["recall"] - 0.2
    assert found["precision"] > whole["precision"] - 0.1
    assert found["coverage"] < whole["coverage"] - 0.2


def test_image_scores_cut_down_the_larger_sample(digits: tuple[Tensor, Tensor]) -> None:
    real, other = digits
    one, same, another = (scored(real, other[:100], seed) for seed in (0, 0, 1))
    assert one == same
    assert one["count"] == 100
    assert one["kid"] != another["kid"]  # another choice of the real ones
    with pytest.raises(ValueError, match="at least six pictures of each kind, got 600 real and 5 generated"):
        scored(real, other[:5])
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\], got -1 to 1"):
        scored(real, other / 127.5 - 1)
