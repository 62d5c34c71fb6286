"""Each derivation of the chapter holds, and what it proves is what the library computes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sympy as sp
import torch

from kexue.derivation import Derivation
from kexue.mathematics import hsic
from kexue.mathematics import hsic_derivations as derivations
from kexue.mathematics import hsic_laws as laws


@pytest.mark.parametrize("build", derivations.DERIVATIONS, ids=lambda f: f.__name__)
def test_every_step_is_verified(build: Callable[[], Derivation]) -> None:
    report = build().verify()
    assert set(report.kinds) <= {"given", "symbolic", "digits", "refuted"}
    assert report.digits is None or report.digits >= 30


def test_names_are_unique() -> None:
    names = [build().name for build in derivations.DERIVATIONS]
    assert len(set(names)) == len(names) == 9


def _step(name: str, build: Callable[[], Derivation]) -> sp.Expr:
    return next(step.statement for step in build().steps if step.name == name)


def test_the_proved_closed_form_is_that_of_the_library() -> None:
    r, q = sp.Symbol("r", real=True), sp.Symbol("sigma", positive=True)
    proved = _step("closed", derivations.normal_pair).subs({r: sp.Rational(3, 5), q: sp.Rational(4, 5)})
    value = laws.normal_hsic(torch.tensor(0.6, dtype=torch.float64), bandwidth=(0.8, 0.8))
    assert abs(float(proved) - float(value)) < 1e-15


def test_the_proved_bias_is_that_of_the_library() -> None:
    proved = _step("value", derivations.bias).subs(sp.Symbol("n", positive=True), 50)
    mean = laws.gaussian_mean_kernel(1.0, 0.5**0.5)
    assert abs(float(proved) - laws.bias_under_independence(mean, mean, 50, ddof=1)) < 1e-15


def test_the_proved_table_is_that_of_the_library() -> None:
    p, q, r = sp.symbols("p11 p12 p21", positive=True)
    proved = _step("sum", derivations.two_by_two).subs({p: 0.4, q: 0.1, r: 0.2})
    table = torch.tensor([[0.4, 0.1], [0.2, 0.3]], dtype=torch.float64)
    assert abs(float(proved) - float(laws.table_hsic(table))) < 1e-15


def test_kernels_collect_all_squared_covariances() -> None:
    """What the derivation shows for two eigenfunctions and two values, with more of both: the library's number is the weighted sum."""
    draw = torch.Generator().manual_seed(0)
    x, y = (torch.randn(40, size, generator=draw, dtype=torch.float64) for size in (3, 4))  # values of eigenfunctions
    alpha, beta = (torch.rand(size, generator=draw, dtype=torch.float64) for size in (3, 4))
    covariance = (x - x.mean(0)).T @ (y - y.mean(0)) / 40
    collected = hsic.hsic_biased((x * alpha) @ x.T, (y * beta) @ y.T)
    assert abs(float(collected - alpha @ covariance.square() @ beta)) < 1e-12
