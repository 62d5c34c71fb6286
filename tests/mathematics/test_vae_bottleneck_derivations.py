"""Each derivation of the chapter holds, and what it proves is what the library computes."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import sympy as sp
import torch

from kexue.derivation import Derivation, DerivationError
from kexue.mathematics import vae_bottleneck_derivations as derivations
from kexue.mathematics import vae_bottleneck_information as ib
from kexue.mathematics import vae_bottleneck_linear as linear
from kexue.mathematics import vae_bottleneck_proofs as proofs
from kexue.mathematics.vae_bottleneck_paths import expected_norm

F64 = torch.float64


@pytest.mark.parametrize("build", derivations.DERIVATIONS, ids=lambda f: f.__name__)
def test_every_step_is_verified(build: Callable[[], Derivation]) -> None:
    report = build().verify()
    assert set(report.kinds) <= {"given", "symbolic", "digits"}
    assert report.digits is None or report.digits >= 30


def test_names_are_unique() -> None:
    names = [build().name for build in derivations.DERIVATIONS]
    assert len(set(names)) == len(names) == 12


def value(chain: Derivation, step: str, /, **numbers: float) -> float:
    expression = next(s for s in chain.steps if s.name == step).value
    return float(expression.subs({symbol: numbers[symbol.name] for symbol in expression.free_symbols}))


def test_the_linear_optimum_is_the_librarys() -> None:
    d = proofs.linear_vae()
    at = {"lambda": 3.0, "v": 0.5, "beta": 1.6}
    filling = linear.water_filling(torch.tensor([3.0], dtype=F64), 0.8)
    assert value(d, "rate", **at) == pytest.approx(filling.rate.item(), rel=1e-12)
    assert value(d, "distortion", **at) == pytest.approx(filling.distortion.item(), rel=1e-12)
    height = torch.tensor(3.0, dtype=F64)
    best = linear.coordinate_loss(linear.linear_optimum(height, 0.8), height, beta=1.6, noise=0.5).item()
    assert value(d, "value", **at) == pytest.approx(best, rel=1e-12)


def test_the_linear_loss_is_the_librarys() -> None:
    code = linear.LinearCode(*(torch.tensor(v, dtype=F64) for v in (0.3, -0.7, 0.9)))
    ours = linear.coordinate_loss(code, torch.tensor(2.0, dtype=F64), beta=1.1, noise=0.4).item()
    theirs = proofs.LOSS.subs({proofs.A: 0.3, proofs.W: -0.7, proofs.S: 0.9, proofs.LAM: 2, proofs.BETA: 1.1, proofs.V: 0.4})
    assert ours == pytest.approx(float(theirs), rel=1e-12)


def test_curve_norm_hinge_and_rotation_are_the_librarys() -> None:
    curve = ib.gaussian_curve(torch.tensor(0.7, dtype=F64), 0.8).item()
    assert value(proofs.gaussian_bottleneck(), "curve", rho=0.8, I=0.7) == pytest.approx(curve, rel=1e-12)
    kept = ib.vector_gaussian_bottleneck(torch.tensor([0.64], dtype=F64), 5.0)[0].item()
    optimum = next(s for s in proofs.gaussian_bottleneck().steps if s.name == "optimum").statement.rhs
    assert float(optimum.subs({s: {"rho": 0.8, "b": 5.0}[s.name] for s in optimum.free_symbols})) == pytest.approx(kept, rel=1e-12)
    assert value(derivations.norm(), "mean", d=7) == pytest.approx(expected_norm(7), rel=1e-12)
    assert value(derivations.hinge(), "price", c=0.6) == pytest.approx(0.8 / math.pi, rel=1e-12)
    turn = torch.tensor([[math.cos(0.5), -math.sin(0.5)], [math.sin(0.5), math.cos(0.5)]], dtype=F64)
    price = linear.rotation_price(torch.tensor([3.0, 1.0], dtype=F64), turn).item()
    assert value(proofs.rotation(), "price", lambda1=3.0, lambda2=1.0, phi=0.5) == pytest.approx(price, rel=1e-12)


def test_a_wrong_water_level_is_caught() -> None:
    d = Derivation("wrong", "Wrong", domain=proofs.BOX, where=[proofs.LAM > proofs.D])
    wrong = {proofs.A: proofs.OPTIMUM[proofs.A], proofs.W: sp.sqrt(proofs.LAM - proofs.V), proofs.S: proofs.OPTIMUM[proofs.S]}
    d.stationary(wrong, of=proofs.LOSS, reason="the decoder's variance in the place of the level")
    with pytest.raises(DerivationError, match="is false"):
        d.verify()
