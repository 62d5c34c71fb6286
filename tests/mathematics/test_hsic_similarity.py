"""Maps of CKA against the one-pair functions, the floor by enumeration, rivals against scikit-learn, a limit against large numbers."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from sklearn.cross_decomposition import CCA
from sklearn.linear_model import LinearRegression
from torch import Tensor

from kexue.mathematics import hsic
from kexue.mathematics import hsic_similarity as similarity


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def layers(n: int = 12, seed: int = 0) -> list[Tensor]:
    """Three layers of other sizes that share something."""
    common = normal(n, 3, seed=99)
    return [common @ normal(3, d, seed=seed + d) + 0.5 * normal(n, d, seed=seed + 10 * d) for d in (2, 4, 5)]


# -------------------------------------------------------------------------------------------------------------------- Gram matrices
def test_layers_become_gram_matrices_of_mean_diagonal_one() -> None:
    picture = normal(6, 2, 3, 3).float()
    grams = similarity.layer_grams([picture, 7 * picture, normal(6, 4).float()])
    assert grams.dtype == torch.float64
    assert torch.allclose(grams[0], grams[1])
    flat = picture.flatten(1).double()
    assert torch.allclose(grams[0], flat @ flat.T / flat.square().sum(1).mean(), atol=1e-6)
    wide = similarity.layer_grams([picture], "gaussian")[0]
    assert torch.allclose(wide, hsic.gaussian_gram(flat, hsic.median_bandwidth(flat)), atol=1e-5)


# ---------------------------------------------------------------------------------------------------------------------------- maps
def test_u_centred_matrices_have_inner_products_that_are_the_unbiased_hsic() -> None:
    a, b = (similarity.layer_grams(layers(seed=s)) for s in (0, 50))
    u, v = similarity.u_centre(a), similarity.u_centre(b)
    assert torch.allclose((u * v).sum((-2, -1)) / (12 * 9), hsic.hsic_unbiased(a, b))
    assert u.sum(-1).abs().max() < 1e-12
    assert not u.diagonal(dim1=-2, dim2=-1).any()


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("kernel", ["linear", "gaussian"])
def test_a_map_holds_the_cka_of_every_pair(unbiased: bool, kernel: str) -> None:
    a, b = similarity.layer_grams(layers(), kernel), similarity.layer_grams(layers(seed=50)[:2], kernel)
    found = similarity.cka_map(a, b, unbiased=unbiased)
    expected = [[float(hsic.cka(k, l, unbiased=unbiased)) for l in b] for k in a]  # noqa: E741
    assert found.tolist() == [pytest.approx(row, abs=1e-12) for row in expected]
    assert torch.allclose(similarity.cka_map(a, a, unbiased=unbiased).diagonal(), torch.ones(3, dtype=torch.float64))
    assert torch.allclose(similarity.cka_map(b, a, unbiased=unbiased), found.T)


def test_maps_of_other_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="same n samples"):
        similarity.cka_map(similarity.layer_grams(layers(12)), similarity.layer_grams(layers(11)))
    with pytest.raises(ValueError, match="n >= 4"):
        similarity.cka_map(similarity.layer_grams(layers(3)), similarity.layer_grams(layers(3)))


# -------------------------------------------------------------------------------------------------------------------------- chance
@pytest.mark.parametrize("kernel", ["linear", "gaussian"])
def test_chance_is_the_mean_over_all_pairings(kernel: str) -> None:
    k, l = similarity.layer_grams(layers(6)[:2], kernel)  # noqa: E741
    every = [hsic.cka(k, l[list(order)][:, list(order)]) for order in itertools.permutations(range(6))]
    assert math.isclose(similarity.cka_by_chance(k, l), torch.stack(every).mean(), rel_tol=1e-12)
    fair = [hsic.hsic_unbiased(k, l[list(order)][:, list(order)]) for order in itertools.permutations(range(6))]
    assert abs(torch.stack(fair).mean()) < 1e-12


def test_effective_dimension_counts_equal_directions() -> None:
    x = torch.linalg.qr(torch.cat([torch.ones(9, 1, dtype=torch.float64), normal(9, 4)], 1)).Q[:, 1:]  # centred, orthonormal
    assert math.isclose(similarity.effective_dimension(x @ x.T), 4, rel_tol=1e-12)
    stretched = x * torch.tensor([1.0, 1.0, 1.0, 100.0])
    assert 1 < similarity.effective_dimension(stretched @ stretched.T) < 1.001
    assert similarity.effective_dimension(torch.stack([x @ x.T] * 2)).shape == (2,)


# -------------------------------------------------------------------------------------------------------------------------- rivals
def test_bases_span_the_principal_components_that_are_needed() -> None:
    x = normal(40, 3) * torch.tensor([10.0, 1.0, 0.01]) + 5
    for share, kept in ((0.5, 1), (0.99, 1), (0.999, 2), (1.0, 3)):
        (basis,) = similarity.bases((x @ x.T)[None], share)
        left = torch.linalg.svd(x - x.mean(0), full_matrices=False).U[:, :kept]
        assert basis.shape == (40, kept), share
        assert torch.allclose(basis @ basis.T, left @ left.T, atol=1e-8)


def test_canonical_correlations_are_those_of_scikit_learn() -> None:
    x, y = layers(200)[1], layers(200, seed=50)[0]
    found = similarity.canonical_map(*(similarity.bases((z @ z.T)[None], 1.0) for z in (x, y)))
    a, b = CCA(n_components=2, max_iter=5000, tol=1e-12).fit_transform(x.numpy(), y.numpy())
    expected = [abs(np.corrcoef(a[:, i], b[:, i])[0, 1]) for i in range(2)]
    assert found.tolist() == [[pytest.approx(np.mean(expected), abs=1e-6)]]
    assert torch.allclose(similarity.canonical_map(*[similarity.bases((x @ x.T)[None], 1.0)] * 2), torch.ones(1, 1, dtype=torch.float64))


def test_regression_is_that_of_scikit_learn() -> None:
    some, others = layers(30), layers(30, seed=50)
    grams = torch.stack([x @ x.T for x in some])
    found = similarity.regression_map(grams, similarity.bases(torch.stack([y @ y.T for y in others]), 1.0))
    for i, j in itertools.product(range(3), range(3)):
        x, y = some[i].numpy(), others[j].numpy()
        rest = x - LinearRegression().fit(y, x).predict(y)
        assert found[i, j].item() == pytest.approx(1 - (rest**2).sum() / ((x - x.mean(0)) ** 2).sum(), abs=1e-9)


def test_with_fewer_pictures_than_features_anything_explains_everything() -> None:
    """Kornblith et al. 2019: what is invariant under all invertible linear maps sees nothing there; CKA does."""
    x, y = normal(20, 50), normal(20, 60, seed=1)
    grams = torch.stack([x @ x.T]), torch.stack([y @ y.T])
    u, v = (similarity.bases(g, 1.0) for g in grams)
    assert similarity.regression_map(grams[0], v).item() == pytest.approx(1, abs=1e-9)
    assert similarity.canonical_map(u, v).item() == pytest.approx(1, abs=1e-9)
    assert abs(similarity.cka_map(*grams).item()) < 0.3


def test_identified_counts_rows_and_columns() -> None:
    assert similarity.identified(torch.eye(4)) == 1
    assert similarity.identified(torch.eye(4).flip(0)) == 0
    assert similarity.identified(torch.tensor([[3.0, 0, 0], [4, 1, 0], [0, 0, 1]])) == pytest.approx(4 / 6)
    with pytest.raises(ValueError, match="square map"):
        similarity.identified(torch.ones(2, 3))


# --------------------------------------------------------------------------------------------------------------------------- moved
@pytest.mark.parametrize("count", [1, 4, 11])
def test_the_limit_of_moving_points_far_away(count: int) -> None:
    x, chosen = normal(12, 5), torch.arange(12) < count
    far = x + 1e7 * chosen[:, None] * normal(5, seed=3)
    assert similarity.moved_far(x, chosen).item() == pytest.approx(hsic.linear_cka(x, far).item(), abs=1e-6)
    assert math.isclose(similarity.moved_far(x, chosen), similarity.moved_far(x, ~chosen), rel_tol=1e-9)
