"""The activation functions, their slopes and Gaussian moments, against PyTorch, closed forms and mpmath."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import mpmath
import pytest
import torch
from scipy.special import lambertw
from torch import Tensor
from torch.nn import functional

from kexue.mathematics import activations as act

X = torch.linspace(-30, 30, 1201, dtype=torch.float64)

# the table of the chapter: E f, E f^2, E f', E f'^2, gain, chi
TABLE = {
    "sigmoid": (0.500000, 0.293379, 0.206621, 0.044836, 1.846229, 0.15283),
    "tanh": (0.0, 0.394294, 0.605706, 0.464403, 1.592537, 1.17781),
    "relu": (0.398942, 0.5, 0.5, 0.5, 1.414214, 1.0),
    "leaky-relu": (0.319154, 0.52, 0.6, 0.52, 1.386750, 1.0),
    "elu": (0.160521, 0.644945, 0.761578, 0.668102, 1.245198, 1.03590),
    "swish": (0.206621, 0.355776, 0.5, 0.379482, 1.676532, 1.06663),
    "gelu": (0.282095, 0.425221, 0.5, 0.455851, 1.533530, 1.07203),
    "mish": (0.240404, 0.452342, 0.563748, 0.479084, 1.486848, 1.05912),
    "su": (0.261578, 0.542625, 0.624214, 0.585251, 1.357532, 1.07855),
    "tanhexp": (0.262132, 0.529094, 0.614386, 0.561171, 1.374782, 1.06063),
}
THEIRS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": functional.relu,
    "leaky-relu": lambda x: functional.leaky_relu(x, 0.2),
    "elu": functional.elu,
    "swish": functional.silu,
    "gelu": functional.gelu,
    "mish": functional.mish,
    "su": lambda x: x * torch.exp(x).clamp(max=1.0),
    "tanhexp": lambda x: x * torch.tanh(torch.exp(x)),
    "relu2": lambda x: x.clamp(min=0.0) ** 2,
    "centred-sigmoid": lambda x: torch.sigmoid(x) - 0.5,
}


@pytest.mark.parametrize("name", act.ACTIVATIONS)
def test_functions_are_those_of_an_independent_formula(name: str) -> None:
    f = act.ACTIVATIONS[name]
    assert f.name == name
    torch.testing.assert_close(f(X), THEIRS[name](X), rtol=1e-12, atol=1e-14)
    single = X.float()
    torch.testing.assert_close(f(single), f(X).float(), rtol=2e-6, atol=2e-7)


@pytest.mark.parametrize("name", act.ACTIVATIONS)
def test_slopes_pass_a_finite_difference(name: str) -> None:
    away = torch.tensor([-5.0, -1.3, -0.4, 0.3, 1.7, 6.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(act.ACTIVATIONS[name].function, (away,))


@pytest.mark.parametrize("name", act.ACTIVATIONS)
def test_no_slope_is_nan_even_far_out(name: str) -> None:
    for dtype in (torch.float32, torch.float64):
        far = torch.tensor([-1e4, -900.0, -100.0, -89.0, 0.0, 89.0, 100.0, 900.0, 1e4], dtype=dtype)
        assert torch.isfinite(act.slope(act.ACTIVATIONS[name], far)).all()


def test_at_a_kink_the_slope_is_that_of_pytorch() -> None:
    zero = torch.zeros(1, dtype=torch.float64)
    slopes = {"relu": 0.0, "leaky-relu": 0.2, "elu": 1.0, "su": 1.0, "relu2": 0.0}
    assert {n: act.slope(act.ACTIVATIONS[n], zero).item() for n in slopes} == pytest.approx(slopes)


def test_the_registry_is_complete_and_knows_its_kinks() -> None:
    assert list(act.ACTIVATIONS) == [
        "sigmoid", "centred-sigmoid", "tanh", "relu", "leaky-relu", "elu", "swish", "gelu", "mish", "su", "tanhexp", "relu2",
    ]  # fmt: skip
    labels = "sigmoid|sigmoid − ½|tanh|ReLU|LeakyReLU 0.2|ELU|Swish|GELU|Mish|Su|TanhExp|ReLU²"
    assert "|".join(a.label for a in act.ACTIVATIONS.values()) == labels
    assert {a.name for a in act.ACTIVATIONS.values() if a.kinks == (0.0,)} == {"relu", "leaky-relu", "elu", "su", "relu2"}
    assert all(a.kinks in ((), (0.0,)) for a in act.ACTIVATIONS.values())
    assert act.activation("silu") is act.ACTIVATIONS["swish"]
    assert act.activation("telu") is act.ACTIVATIONS["tanhexp"]
    assert act.activation("relu") is act.ACTIVATIONS["relu"]
    with pytest.raises(ValueError, match=re.escape("unknown activation 'swosh': expected one of sigmoid, ") + ".*, relu2, silu, telu$"):
        act.activation("swosh")


# ---------------------------------------------------------------------------------------------------------------- Su's function
def test_three_forms_of_sus_function_are_one() -> None:
    torch.testing.assert_close(act.su_by_relu(X), act.su(X), rtol=1e-14, atol=4e-15)  # it subtracts: half an ulp of x
    torch.testing.assert_close(act.su_naive(X), act.su(X), rtol=1e-15, atol=0)


def test_the_second_safe_form_cancels_far_left() -> None:
    x = torch.tensor([-18.0])
    exact = -18 * math.exp(-18)
    assert act.su(x).item() == pytest.approx(exact, rel=1e-6)
    assert act.su_by_relu(x).item() == 0.0


def test_the_naive_form_has_a_nan_slope_where_the_exponential_overflows() -> None:
    x = torch.tensor([80.0, 88.7, 88.8, 100.0])
    assert torch.equal(act.su_naive(x), x)
    assert torch.isnan(act.slope(act.su_naive, x)).tolist() == [False, False, True, True]
    far = torch.tensor([-1e4, 0.0, 100.0, 1e4])
    for safe in (act.su, act.su_by_relu):
        assert act.slope(safe, far).tolist() == [0.0, 1.0, 1.0, 1.0]
    assert torch.isnan(act.slope(act.su_naive, torch.tensor([710.0], dtype=torch.float64))).item()
    assert act.slope(act.su_naive, torch.tensor([709.0], dtype=torch.float64)).item() == 1.0


def test_su_is_once_but_not_twice_differentiable() -> None:
    def second(x: float) -> float:
        leaf = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        (first,) = torch.autograd.grad(act.su(leaf), leaf, create_graph=True)
        return float(torch.autograd.grad(first, leaf)[0]) if first.requires_grad else 0.0

    near = torch.tensor([-1e-9, 1e-9], dtype=torch.float64)
    assert act.slope(act.su, near).tolist() == pytest.approx([1, 1], abs=1e-8)
    assert second(-1e-9) == pytest.approx(2, abs=1e-7)
    assert second(1e-9) == 0


def test_minima() -> None:
    w = float(lambertw(math.exp(-1)).real)
    minima = {
        "swish": (-(1 + w), -w), "su": (-1.0, -1 / math.e), "tanhexp": (-1.078860, -0.3532858),
        "gelu": (-0.751792, -0.1699712), "mish": (-1.192431, -0.3088434),
    }  # fmt: skip
    for name, (at, value) in minima.items():
        x = torch.tensor(at, dtype=torch.float64)
        f = act.ACTIVATIONS[name]
        assert f(x).item() == pytest.approx(value, abs=1e-7)
        assert act.slope(f, x).item() == pytest.approx(0, abs=1e-6)
    assert -w == pytest.approx(-0.2784645, abs=1e-7)


def test_beta_moves_the_dip_and_ends_in_relu() -> None:
    x = torch.tensor([-2.0, -0.5, 1.5], dtype=torch.float64)
    for f in (act.su, act.swish, act.tanhexp):
        torch.testing.assert_close(f(x, 3.0), f(3 * x) / 3, rtol=1e-14, atol=0)
        torch.testing.assert_close(f(x, 1e4), torch.relu(x), rtol=1e-12, atol=1e-12)
    # exercise 3: a dip as deep as GELU's
    beta = 1 / (math.e * 0.1699712)
    assert beta == pytest.approx(2.164, abs=1e-3)
    assert act.su(torch.tensor(-1 / beta, dtype=torch.float64), beta).item() == pytest.approx(-0.1699712, abs=1e-9)


@pytest.mark.parametrize("name", ["swish", "gelu", "mish", "su", "tanhexp", "elu", "relu"])
def test_limits(name: str) -> None:
    f = act.ACTIVATIONS[name]
    far = torch.tensor([-60.0, 60.0], dtype=torch.float64)
    left, right = f(far).tolist()
    assert right / 60 == pytest.approx(1, abs=1e-12)
    assert left == pytest.approx(-1.0 if name == "elu" else 0.0, abs=1e-20)
    assert left <= 0


# --------------------------------------------------------------------------------------------------------------------- quadrature
@pytest.mark.parametrize("name", TABLE)
def test_the_moment_table(name: str) -> None:
    m = act.moments(name)
    assert (m.mean, m.square, m.slope, m.slope_square, m.gain, m.chi) == pytest.approx(TABLE[name], abs=6e-6)
    assert act.gain(name) == m.gain


def test_moments_against_mpmath() -> None:
    def reference(f: Callable[[mpmath.mpf], mpmath.mpf], q: float) -> float:
        def integrand(z: mpmath.mpf) -> mpmath.mpf:
            return f(mpmath.sqrt(q) * z) * mpmath.npdf(z)

        return float(mpmath.quad(integrand, [-mpmath.inf, -2, 0, 2, mpmath.inf]))

    for q in (0.01, 1.0, 25.0):
        got = act.moments("swish", q=q)
        assert got.mean == pytest.approx(reference(lambda x: x / (1 + mpmath.exp(-x)), q), rel=1e-12)
        assert got.square == pytest.approx(reference(lambda x: (x / (1 + mpmath.exp(-x))) ** 2, q), rel=1e-12)
        got = act.moments("tanh", q=q)
        assert got.square == pytest.approx(reference(lambda x: mpmath.tanh(x) ** 2, q), rel=1e-12)
        assert got.slope_square == pytest.approx(reference(lambda x: mpmath.sech(x) ** 4, q), rel=1e-12)


def test_su_moments_in_closed_form() -> None:
    closed, numeric = act.su_moments(), act.moments("su")
    for field in ("mean", "square", "slope", "slope_square", "gain", "chi"):
        assert getattr(numeric, field) == pytest.approx(getattr(closed, field), rel=1e-13)


def test_steins_lemma_holds_for_every_function() -> None:
    for f in act.ACTIVATIONS.values():
        product = float(act.gaussian_mean(lambda x, f=f: x * f(x), kinks=f.kinks))
        assert product == pytest.approx(act.moments(f).slope, rel=1e-12)
    assert act.moments("swish").mean == pytest.approx(act.moments("sigmoid").slope, rel=1e-13)


def test_gaussian_mean_of_powers_with_any_mean_and_scale() -> None:
    scale, mean = torch.tensor([[0.5], [2.0]]), torch.tensor([-1.0, 0.0, 3.0], dtype=torch.float64)
    got = act.gaussian_mean(lambda x: x**2, scale=scale, mean=mean)
    assert got.shape == (2, 3)
    assert got.dtype == torch.float64
    torch.testing.assert_close(got, scale.double() ** 2 + mean**2, rtol=1e-13, atol=0)
    torch.testing.assert_close(act.gaussian_mean(lambda x: x**4), torch.tensor(3.0, dtype=torch.float64), rtol=1e-13, atol=0)
    assert float(act.gaussian_mean(torch.ones_like, scale=0.0)) == pytest.approx(1, rel=1e-14)
    with pytest.raises(ValueError, match=re.escape("scale is a standard deviation and can't be negative, the least is -0.5")):
        act.gaussian_mean(torch.tanh, scale=torch.tensor([1.0, -0.5]))


def test_kinks_may_lie_anywhere() -> None:
    """The mean of |x - k| is known; without the kink the rule misses it, with it only the rounding is left."""
    for k, mean, scale in ((0.3, 0.0, 1.0), (-1.7, 0.4, 2.5), (40.0, 0.0, 1.0)):
        t = (mean - k) / scale
        truth = scale * (2 * math.exp(-(t**2) / 2) / math.sqrt(2 * math.pi) + t * math.erf(t / math.sqrt(2)))
        got = float(act.gaussian_mean(lambda x, k=k: (x - k).abs(), mean=mean, scale=scale, kinks=(k,)))
        assert got == pytest.approx(truth, rel=1e-13)
    blind = float(act.gaussian_mean(lambda x: (x - 0.3).abs()))
    seeing = float(act.gaussian_mean(lambda x: (x - 0.3).abs(), kinks=(0.3,)))
    assert 1e-8 < abs(blind - seeing) < 1e-3
    box = act.moments(lambda x: x.clamp(-1.0, 2.0), kinks=(-1.0, 2.0))
    assert box.slope == pytest.approx((math.erf(2**0.5) + math.erf(0.5**0.5)) / 2, rel=1e-13)


def test_homogeneous_functions_have_the_same_chi_for_every_q() -> None:
    for name in ("relu", "leaky-relu"):
        for q in (1e-6, 0.3, 50.0):
            m = act.moments(name, q=q)
            assert m.slope_square * q / m.square == pytest.approx(1, rel=1e-13)
            assert m.chi == pytest.approx(1 / q, rel=1e-13)
    assert act.moments("swish", q=1e-8).slope_square == pytest.approx(0.25, rel=1e-6)


def test_moments_refuse_a_variance_that_is_none() -> None:
    for q in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match=f"q is a variance and must be positive, got {q}"):
            act.moments("relu", q=q)


def test_gain_is_cached_and_hes_for_relu() -> None:
    assert act.gain("relu") == pytest.approx(math.sqrt(2), rel=1e-14)
    assert act.gain("silu") == act.gain("swish") == pytest.approx(1.676532470331112, rel=1e-13)
    assert act.gain("relu2") == pytest.approx(math.sqrt(2 / 3), rel=1e-13)
    assert act.gain("centred-sigmoid") == pytest.approx(4.801313, abs=1e-6)


def test_gated_unit_has_the_energy_of_its_gate() -> None:
    """Exercise: independent content u and gate v; and tied, it is Swish."""
    m = act.moments("sigmoid")
    assert m.square == pytest.approx(0.293379, abs=1e-6)
    u, v = torch.randn(2, 400_000, generator=torch.Generator().manual_seed(2))
    sampled = (u * torch.sigmoid(v)).pow(2)
    assert abs(sampled.mean().item() - m.square) < 4 * sampled.std().item() / 400_000**0.5
    torch.testing.assert_close(u * torch.sigmoid(u), act.swish(u))
