"""Each derivation of the chapter holds, and its statements are those that the library computes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sympy as sp
import torch

from kexue.derivation import Derivation, DerivationError
from kexue.mathematics import minimum_entropy as me
from kexue.mathematics import minimum_entropy_derivations as derivations


@pytest.mark.parametrize("build", derivations.DERIVATIONS, ids=lambda f: f.__name__)
def test_every_step_is_verified(build: Callable[[], Derivation]) -> None:
    report = build().verify()
    assert set(report.kinds) <= {"symbolic", "digits"}
    assert report.digits is None or report.digits >= 30


def test_names_are_unique() -> None:
    names = [build().name for build in derivations.DERIVATIONS]
    assert len(set(names)) == len(names) == 10


def test_the_proved_gradients_are_those_of_the_library() -> None:
    steps = {step.name: step for step in derivations.gradients().steps}
    joint = torch.rand(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    joint /= joint.sum()
    v = torch.tensor([[0.3], [-0.8], [0.5]], dtype=torch.float64)
    for name, score, gradient in (("dot", me.dot_logits, me.dot_gradient), ("distance", me.distance_logits, me.distance_gradient)):
        m = me.pull(joint, score(v))
        values = {f"M{i + 1}{j + 1}": m[i, j].item() for i in range(3) for j in range(3)} | {f"v{i + 1}": v[i].item() for i in range(3)}
        values |= {f"N1{j + 1}": m[0, j].item() + m[j, 0].item() for j in (1, 2)}
        statement = steps[name].value
        proved = statement.subs({s: values[s.name] for s in statement.free_symbols})
        assert float(proved) == pytest.approx(gradient(joint, v)[0].item(), abs=1e-14)


def test_the_proved_optimum_is_that_of_the_library() -> None:
    steps = {step.name: step for step in derivations.sgns_road().steps}
    counts = torch.tensor([[9.0, 3.0], [2.0, 7.0]], dtype=torch.float64)
    values = {"n": 3.0, "a": 12.0, "b": 10.0, "T": 21.0, "k": 5.0}
    right = steps["optimum"].rhs
    proved = float(right.subs({s: values[s.name] for s in right.free_symbols}))
    assert proved == pytest.approx(me.sgns_optimum(counts, negatives=5)[0, 1].item(), abs=1e-14)


def test_the_post_s_sign_is_refuted() -> None:
    x = sp.Symbol("x", real=True)
    d = Derivation("wrong", "The smaller the inner product the closer")
    d.differentiates(sp.Integer(2), of=2 - 2 * x, wrt=x, reason="the distance would grow with the inner product")
    with pytest.raises(DerivationError, match="is false"):
        d.verify()
