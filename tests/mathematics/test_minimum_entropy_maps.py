"""Records made from distances, the cost of a map and its gradient, against scikit-learn, autograd and loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import squareform
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.manifold import _t_sne
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from kexue.mathematics import minimum_entropy as me
from kexue.mathematics import minimum_entropy_maps as maps

F64 = torch.float64
KINDS = [(math.inf, "row"), (1.0, "row"), (1.0, "all"), (2.5, "all"), (math.inf, "all")]


def points(n: int = 12, d: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=F64)


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    x, y = load_digits(return_X_y=True)
    return torch.tensor(x[:200], dtype=F64), torch.tensor(y[:200])


def row_entropies(c: Tensor) -> Tensor:
    return -torch.special.xlogy(c, c).sum(1)


# ----------------------------------------------------------------------------------------------------------------- the records
def test_squared_distances() -> None:
    x = points()
    assert torch.allclose(maps.squared_distances(x), torch.cdist(x, x).square(), atol=1e-12)
    far = 1e6 + points()
    assert maps.squared_distances(far).diagonal().abs().max() == 0
    assert maps.squared_distances(far).min() >= 0


@pytest.mark.parametrize("perplexity", [2.0, 30.0, 150.0])
def test_every_row_has_the_entropy_that_was_asked_for(digits: tuple[Tensor, Tensor], perplexity: float) -> None:
    c = maps.neighbours(digits[0], perplexity)
    assert (row_entropies(c) - math.log(perplexity)).abs().max() < 1e-10
    assert c.diagonal().abs().max() == 0
    assert torch.allclose(c.sum(1), torch.ones(200, dtype=F64), atol=1e-13)
    # rows are Gaussian: log-odds are in proportion to differences of squared distances
    d2, logs = maps.squared_distances(digits[0])[0], c[0].log()
    beta = -(logs[2] - logs[1]) / (d2[2] - d2[1])
    assert beta > 0
    assert logs[7] - logs[1] == pytest.approx(float(-beta * (d2[7] - d2[1])), abs=1e-9)


def test_the_records_are_those_of_scikit_learn(digits: tuple[Tensor, Tensor]) -> None:
    c = maps.neighbours(digits[0], 30.0)
    d2 = maps.squared_distances(digits[0]).numpy().astype(np.float32)
    theirs = squareform(_t_sne._joint_probabilities(d2, 30, 0))
    assert np.abs(theirs - maps.records(c, "all").numpy()).max() < 1e-6


def test_records_of_both_kinds() -> None:
    c = maps.neighbours(points(), 4.0)
    assert torch.equal(maps.records(c), maps.records(c, "row"))
    assert torch.allclose(maps.records(c).sum(1), torch.full((12,), 1 / 12, dtype=F64))
    both = maps.records(c, "all")
    assert torch.equal(both, both.T)
    assert both.sum().item() == pytest.approx(1, abs=1e-14)
    assert both[2, 5].item() == pytest.approx(float(c[2, 5] + c[5, 2]) / 24, abs=1e-16)
    assert me.conditional_entropy(maps.records(c)).item() == pytest.approx(math.log(4), abs=1e-11)


def test_scale_does_not_matter_and_single_precision_works() -> None:
    c = maps.neighbours(points(), 4.0)
    assert torch.allclose(maps.neighbours(1000 * points() + 5, 4.0), c, atol=1e-8)
    single = maps.neighbours(points().float(), 4.0)
    assert single.dtype == torch.float32
    assert (row_entropies(single) - math.log(4)).abs().max() < 1e-4


def test_a_far_outlier_still_has_its_neighbours() -> None:
    x = points()
    x[0] += 1e4
    c = maps.neighbours(x, 3.0)
    assert bool(torch.isfinite(c).all())
    assert (row_entropies(c) - math.log(3)).abs().max() < 1e-6


@pytest.mark.parametrize("perplexity", [1.0, 11.0, 0.5])
def test_a_perplexity_that_cannot_be(perplexity: float) -> None:
    with pytest.raises(ValueError, match=rf"perplexity between 1 and N - 1, got shape \(12, 3\) and {perplexity}"):
        maps.neighbours(points(), perplexity)
    with pytest.raises(ValueError, match=r"got shape \(12,\)"):
        maps.neighbours(torch.zeros(12), 3.0)


# --------------------------------------------------------------------------------------------------------------------- the maps
def test_the_kernel_between_student_and_gauss() -> None:
    t = torch.tensor([0.0, 0.5, 3.0], dtype=F64)
    assert torch.allclose(maps.log_kernel(t, 1.0).exp(), 1 / (1 + t), atol=1e-15)
    assert torch.equal(maps.log_kernel(t, math.inf), -t)
    assert torch.allclose(maps.log_kernel(t, 1e9), -t, atol=1e-6)
    assert torch.allclose(maps.log_kernel(t, 2.0).exp(), (1 + t / 2) ** -2, atol=1e-15)
    with pytest.raises(ValueError, match=r"alpha must be above 0, got 0\.0"):
        maps.log_kernel(t, 0.0)


@pytest.mark.parametrize(("alpha", "kind"), KINDS)
def test_the_cost_of_a_map_against_a_loop(alpha: float, kind: maps.Normaliser) -> None:
    n, z = 6, points(6, 2, 1)
    joint = maps.records(maps.neighbours(points(6), 3.0), kind)
    weight = [
        [0.0 if i == j else math.exp(float(maps.log_kernel((z[i] - z[j]).square().sum(), alpha))) for j in range(n)] for i in range(n)
    ]
    rows = [sum(w) for w in weight]
    value = 0.0
    for i in range(n):
        for j in range(n):
            if i != j:
                value -= float(joint[i, j]) * math.log(weight[i][j] / (rows[i] if kind == "row" else sum(rows)))
    assert maps.map_entropy(joint, z, alpha=alpha, normaliser=kind).item() == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(("alpha", "kind"), KINDS)
def test_the_gradient_of_a_map_against_autograd(alpha: float, kind: maps.Normaliser) -> None:
    joint, z = maps.records(maps.neighbours(points(), 4.0), kind), points(12, 2, 1).requires_grad_()
    (slope,) = torch.autograd.grad(maps.map_entropy(joint, z, alpha=alpha, normaliser=kind), z)
    assert torch.allclose(maps.map_gradient(joint, z.detach(), alpha=alpha, normaliser=kind), slope, atol=1e-14, rtol=0)


def test_sne_is_the_default_and_its_cost_is_the_distance_model() -> None:
    joint, z = maps.records(maps.neighbours(points(), 4.0)), points(12, 2, 1)
    same = me.entropy(joint, me.without_self(me.distance_logits(z)))
    assert maps.map_entropy(joint, z).item() == pytest.approx(same.item(), abs=1e-13)
    assert torch.allclose(maps.map_gradient(joint, z), maps.map_gradient(joint, z, alpha=math.inf, normaliser="row"))


def test_cost_and_gradient_of_scikit_learn(digits: tuple[Tensor, Tensor]) -> None:
    """Its KL is our cost minus the entropy of the records, its gradient ours."""
    joint = maps.records(maps.neighbours(digits[0], 30.0), "all")
    z = maps.principal_plane(digits[0]) / 10
    packed = squareform(joint.numpy(), checks=False)
    kl, slope = _t_sne._kl_divergence(z.numpy().ravel(), packed, 1, 200, 2)
    floor = -torch.special.xlogy(joint, joint).sum().item()
    assert maps.map_entropy(joint, z, alpha=1.0, normaliser="all").item() - floor == pytest.approx(kl, rel=1e-9)
    assert maps.map_gradient(joint, z, alpha=1.0, normaliser="all").numpy() == pytest.approx(slope.reshape(-1, 2), abs=1e-9)


def test_an_unknown_normaliser_is_refused() -> None:
    for call in (maps.map_entropy, maps.map_gradient):
        with pytest.raises(ValueError, match="normaliser must be 'row' or 'all', got 'column'"):
            call(torch.eye(3) / 3, points(3), normaliser="column")  # type: ignore[operator]
    with pytest.raises(ValueError, match="normaliser must be 'row' or 'all', got 'column'"):
        maps.records(torch.eye(3), "column")  # type: ignore[arg-type]


def test_the_principal_plane_is_that_of_scikit_learn(digits: tuple[Tensor, Tensor]) -> None:
    z = maps.principal_plane(digits[0])
    theirs = PCA(2, svd_solver="full").fit_transform(digits[0].numpy())
    theirs *= np.sign((theirs * z.numpy()).sum(0))
    assert z.numpy() == pytest.approx(theirs, abs=1e-9)
    assert bool((z.max(0).values >= -z.min(0).values).all())
    assert maps.principal_plane(digits[0], 3).shape == (200, 3)


def test_descent_lowers_the_cost_and_separates_the_digits(digits: tuple[Tensor, Tensor]) -> None:
    x, labels = digits
    joint = maps.records(maps.neighbours(x, 15.0), "all")
    start = maps.principal_plane(x) / 1000
    z = maps.draw_map(joint, start, alpha=1.0, normaliser="all", steps=200, rate=1.0)
    cost = [maps.map_entropy(joint, m, alpha=1.0, normaliser="all").item() for m in (start, z)]
    assert cost[1] < cost[0] - 1
    assert cost[0] == pytest.approx(math.log(200 * 199), abs=0.05)  # all in one place: every pair alike
    assert maps.same_class(z, labels) > 0.93 > 0.75 > maps.same_class(start, labels)
    assert torch.equal(z, maps.draw_map(joint, start, alpha=1.0, normaliser="all", steps=200, rate=1.0))


def test_the_first_step_of_a_descent_has_the_first_rate() -> None:
    joint, start = maps.records(maps.neighbours(points(), 4.0)), points(12, 2, 1)
    slope = maps.map_gradient(joint, start)
    moved = maps.draw_map(joint, start, steps=1, rate=0.25)
    assert torch.allclose(start - moved, 0.25 * slope.sign(), atol=1e-4)
    default = maps.draw_map(joint, start, steps=1)
    assert torch.allclose(start - default, 0.1 * slope.sign(), atol=1e-4)
    two = maps.draw_map(joint, start, steps=2, rate=0.25) - start
    assert two.abs().max() < 0.25 * 1.55  # the second step has half the rate


def test_same_class_is_leave_one_out_nearest_neighbour(digits: tuple[Tensor, Tensor]) -> None:
    z, labels = maps.principal_plane(digits[0]), digits[1]
    guesses = []
    for i in range(200):
        rest = np.arange(200) != i
        guesses.append(KNeighborsClassifier(1).fit(z[rest].numpy(), labels[rest].numpy()).predict(z[i : i + 1].numpy())[0])
    assert maps.same_class(z, labels) == pytest.approx(np.mean(np.array(guesses) == labels.numpy()), abs=1e-12)


def test_a_descent_is_adam_with_a_rate_along_half_a_cosine() -> None:
    joint, z = maps.records(maps.neighbours(points(), 4.0)), points(12, 2, 1)
    start, steps, rate = z.clone(), 7, 0.3
    first, second = torch.zeros_like(z), torch.zeros_like(z)
    for t in range(steps):
        slope = maps.map_gradient(joint, z, alpha=2.0)
        first, second = 0.8 * first + 0.2 * slope, 0.99 * second + 0.01 * slope**2
        size = rate * 0.5 * (1 + math.cos(math.pi * t / steps))
        z = z - size * (first / (1 - 0.8 ** (t + 1))) / ((second / (1 - 0.99 ** (t + 1))).sqrt() + 1e-8)
    found = maps.draw_map(joint, start, alpha=2.0, steps=steps, rate=rate)
    assert torch.allclose(found, z, atol=1e-10)
    assert torch.equal(start, points(12, 2, 1))


def test_defaults() -> None:
    joint, z = maps.records(maps.neighbours(points(), 4.0)), points(12, 2, 1)
    assert torch.equal(maps.draw_map(joint, z), maps.draw_map(joint, z, alpha=math.inf, normaliser="row", steps=500, rate=0.1))
    assert not torch.equal(maps.draw_map(joint, z), maps.draw_map(joint, z, steps=501))
    assert maps.principal_plane(points(), 2).shape == maps.principal_plane(points()).shape == (12, 2)


def test_a_perplexity_at_either_end() -> None:
    for perplexity in (1.001, 10.999):
        assert (row_entropies(maps.neighbours(points(), perplexity)) - math.log(perplexity)).abs().max() < 1e-9
    loose = maps.neighbours(points(), 4.0, tolerance=0.1)
    assert 1e-6 < (row_entropies(loose) - math.log(4)).abs().max() < 0.1
