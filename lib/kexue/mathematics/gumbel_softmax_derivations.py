"""The derivations of the chapter on Gumbel-softmax: the Gumbel law, the relaxation and its temperature.

Those about continuous draws are in :mod:`kexue.mathematics.gumbel_softmax_gradients`, those about estimators with one-hot draws in
:mod:`kexue.mathematics.gumbel_softmax_proofs`; ``DERIVATIONS`` lists all of them in the chapter's order.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from kexue.derivation import Derivation
from kexue.mathematics.gumbel_softmax_gradients import sine_race, square_variances, two_gradients
from kexue.mathematics.gumbel_softmax_proofs import (
    leave_one_out,
    rao_blackwell,
    reinmax_quadratic,
    straight_through_linear,
)

__all__ = [
    "DERIVATIONS",
    "concrete_density",
    "gumbel_max",
    "leave_one_out",
    "max_stability",
    "rao_blackwell",
    "reinmax_quadratic",
    "relaxed_bit",
    "sine_race",
    "square_variances",
    "straight_through_linear",
    "temperature_law",
    "two_gradients",
]


def gumbel_max() -> Derivation:
    """The Gumbel-max theorem by conditioning on the winner's uniform, and how far the competitors are from independent."""
    u, p1, p2, pj = sp.symbols("u p1 p2 p_j", positive=True)
    d = Derivation(
        "gumbel-max",
        "The largest perturbed logit is an exact draw",
        domain={u: (0.05, 0.95), p1: (0.1, 0.6), p2: (0.1, 0.35), pj: (0.1, 0.9)},
        where=[p1 + p2 < 1],
    )
    p3 = 1 - p1 - p2
    d.equal(
        sp.log(pj) - sp.log(-sp.log(u ** (pj / p1))),
        to=sp.log(p1) - sp.log(-sp.log(u)),
        name="tie",
        reason="Class 1 drew the uniform $u$. Class $j$ ties with it at the uniform $u^{p_j/p_1}$, so it loses with probability "
        "$u^{p_j/p_1}$",
    )
    d.equal(
        u ** (1 / p1 - 1),
        to=u ** (p2 / p1) * u ** (p3 / p1),
        name="all-lose",
        reason="Given $u$ the competitors are independent: multiply, and the exponents add up (three classes shown, $p_3=1-p_1-p_2$)",
    )
    d.integrates(
        p1,
        u ** (1 / p1 - 1),
        (u, 0, 1),
        name="theorem",
        reason="Average over $u$, which is uniform: class 1 wins with probability $p_1$",
    )
    d.integrates(
        p1 / (p1 + p2),
        u ** (p2 / p1),
        (u, 0, 1),
        name="one-competitor",
        reason="The same average for class 2 alone: in a duel class 1 wins with probability $p_1/(p_1+p_2)$",
    )
    d.equal(
        p1 * p2 * p3 / ((p1 + p2) * (p1 + p3)),
        to=p1 - p1 / (p1 + p2) * p1 / (p1 + p3),
        name="not-independent",
        reason="Without conditioning, the two duels are positively correlated: their covariance never vanishes",
    )
    return d


def max_stability() -> Derivation:
    """The maximum of shifted Gumbel draws is a shifted Gumbel draw, independent of where it is attained."""
    m = sp.Symbol("m", real=True)
    phi = sp.symbols("phi1:4", real=True)
    d = Derivation("max-stability", "The maximum, and who attains it", domain={m: (-2, 3), **{p: (-1.5, 1.5) for p in phi}})
    total = sum(sp.exp(p) for p in phi)
    cdf = [sp.exp(-sp.exp(-(m - p))) for p in phi]
    top = sp.log(total)
    d.equal(
        sp.exp(-sp.exp(-(m - top))),
        to=sp.Mul(*cdf),
        name="maximum",
        reason="All three lie below $m$: the exponents add, and the result is again a Gumbel law, shifted to the log-sum-exp",
    )
    joint = sp.exp(-(m - phi[0])) * sp.Mul(*cdf)
    factored = sp.exp(phi[0]) / total * sp.exp(-(m - top)) * sp.exp(-sp.exp(-(m - top)))
    d.differentiates(
        sp.exp(-(m - phi[0])) * cdf[0],
        of=cdf[0],
        wrt=m,
        name="density",
        reason="The density of the first value at $m$",
    )
    d.equal(
        factored,
        to=joint,
        name="independence",
        reason="The first value is $m$ and the others lie below: a probability times a density of $m$, so who wins and by what "
        "value are independent",
    )
    t = sp.Symbol("t", positive=True)
    d.integrates(
        sp.exp(phi[0]) / total,
        sp.exp(phi[0]) / total * sp.exp(-t),
        (t, 0, sp.oo),
        name="winner",
        reason="Integrate over $m$, in $t=e^{-m}\\sum e^{\\phi_j}$: what is left is the softmax, a second proof of the Gumbel-max theorem",
    )
    return d


def concrete_density() -> Derivation:
    """The density of a Gumbel-softmax draw on the simplex, for three classes."""
    tau, c, size, product, y1, y2, y3 = sp.symbols("tau c S Q y1 y2 y3", positive=True)
    w = sp.symbols("pi1:4", positive=True)
    box = {symbol: (0.3, 2) for symbol in (tau, c, size, product, *w)} | {y: (0.1, 0.45) for y in (y1, y2, y3)}
    d = Derivation("concrete-density", "The density of a relaxed draw", domain=box)
    y = (y1, y2, y3)
    clocks = [p * at ** (-tau) * c for p, at in zip(w, y, strict=True)]
    d.equal(
        tau * (sp.log(y1) - sp.log(y2)),
        to=sp.log(w[0] / clocks[0]) - sp.log(w[1] / clocks[1]),
        name="clocks",
        reason="Write each Gumbel draw as $-\\log E_i$ with an exponential $E_i$. A draw $y$ fixes them up to one factor $c$: "
        "$E_i=\\pi_iy_i^{-\\tau}c$ has the right differences",
    )
    logs = sp.Matrix([-tau * sp.log(at) + sp.log(c) for at in (y1, y2, 1 - y1 - y2)])
    d.equal(
        tau**2 / (c * y1 * y2 * (1 - y1 - y2)),
        to=logs.jacobian([y1, y2, c]).det(),
        name="jacobian",
        reason="The Jacobian determinant of $(y_1,y_2,c)\\mapsto(\\log E_1,\\log E_2,\\log E_3)$, with $y_3=1-y_1-y_2$",
    )
    d.equal(
        tau**2 * c**2 * w[0] * w[1] * w[2] * (y1 * y2 * y3) ** (-tau - 1),
        to=sp.Mul(*clocks) * tau**2 / (c * y1 * y2 * y3),
        name="volume",
        reason="For the $E_i$ themselves multiply by $E_1E_2E_3$",
    )
    d.integrates(
        sp.gamma(3) * tau**2 * product / size**3,
        tau**2 * c**2 * product * sp.exp(-c * size),
        (c, 0, sp.oo),
        name="density",
        reason="The exponentials have joint density $e^{-\\sum E_i}=e^{-cS}$ with $S=\\sum\\pi_iy_i^{-\\tau}$. "
        "Integrate the unseen $c$ out, with $Q=\\prod\\pi_iy_i^{-\\tau-1}$: the density is $\\Gamma(k)\\tau^{k-1}S^{-k}Q$",
    )
    big, q1, q2, v = sp.symbols("A q1 q2 v", positive=True)
    noise = tau * sp.log(v / (1 - v)) - sp.log(big)
    d.differentiates(
        tau / (v * (1 - v)),
        of=noise,
        wrt=v,
        name="bit-slope",
        reason="With two classes it is quicker. A relaxed bit is $v=\\sigma((a+\\ell)/\\tau)$ with logistic $\\ell$; as a function of $v$, "
        "with $A=e^a$, this $\\ell$ has the slope",
    )
    odds = big * q1 / q2
    d.equal(
        tau * big * q1 * q2 / (v * (1 - v) * (big * q1 + q2) ** 2),
        to=odds / (1 + odds) ** 2 * tau / (v * (1 - v)),
        name="bit-density",
        reason="There $e^{-\\ell}=Aq_1/q_2$ with $q_1=v^{-\\tau}$, $q_2=(1-v)^{-\\tau}$: the logistic density times the slope "
        "is the formula at $k=2$ with $\\pi=(A,1)$",
    )
    return d


def relaxed_bit() -> Derivation:
    """The mean of a relaxed bit at temperature one."""
    v, big = sp.symbols("v A", positive=True)
    d = Derivation("relaxed-bit", "A relaxed draw has the wrong mean", domain={big: (1.3, 6), v: (0.05, 0.95)})
    r = v / (1 - v)
    bit = d.equal(
        big * v / (1 + (big - 1) * v),
        to=big * r / (1 + big * r),
        name="bit",
        reason="At $\\tau=1$ the bit is $Ar/(1+Ar)$ with $A=e^a$ and $r=e^\\ell$. Write it in $v=r/(1+r)$, the distribution function "
        "of the logistic law, which is uniform",
    )
    inner = big * v / (big - 1) - big * sp.log(1 + (big - 1) * v) / (big - 1) ** 2
    mean = d.integrates(
        big * (big - 1 - sp.log(big)) / (big - 1) ** 2,
        bit,
        (v, 0, 1),
        name="mean",
        antiderivative=inner,
        reason="So the mean is an integral over $[0,1]$; the probability of the bit would be $A/(1+A)$",
    )
    d.limit(sp.Rational(1, 2), of=mean, var=big, to=1, direction="+", name="fair", reason="For a fair bit symmetry makes it right")
    return d


def temperature_law() -> Derivation:
    """Mean and second moment of the pathwise derivative of a relaxed bit as the temperature falls."""
    a = sp.Symbol("a", real=True)
    v, tau = sp.symbols("v tau", positive=True)
    d = Derivation("temperature-law", "Bias and variance in the temperature", domain={a: (-2, 2), v: (0.1, 0.9), tau: (0.05, 1)})

    def logistic(at: sp.Expr) -> sp.Expr:
        return sp.exp(-at) / (1 + sp.exp(-at)) ** 2

    x = sp.Symbol("x", real=True)
    sigmoid = 1 / (1 + sp.exp(-x / tau))
    d.differentiates(
        sigmoid * (1 - sigmoid) / tau,
        of=sigmoid,
        wrt=x,
        name="slope",
        reason="One sample of the pathwise derivative: $y(1-y)/\\tau$, a spike of height $1/(4\\tau)$ where the logit and the noise cancel",
    )
    noise = tau * sp.log(v / (1 - v)) - a
    d.differentiates(
        tau / (v * (1 - v)),
        of=noise,
        wrt=v,
        name="window",
        reason="Take $y=v$ itself as the variable of integration: the noise is $\\ell=\\tau\\log\\frac{v}{1-v}-a$, so "
        "$d\\ell=\\tau\\,dv/(v(1-v))$, "
        "just the inverse of the slope",
    )
    exact = sp.exp(a) / (1 + sp.exp(a)) ** 2
    d.limit(
        exact,
        of=logistic(noise),
        var=tau,
        to=0,
        direction="+",
        name="bias-vanishes",
        reason="Slope and $d\\ell$ cancel: the mean is the integral over $[0,1]$ of the logistic density at $\\ell$, which "
        "stays below 1/4, so the limit "
        "may be taken inside. It is $\\sigma(a)(1-\\sigma(a))$, the exact derivative",
    )
    d.limit(
        v * (1 - v) * exact,
        of=v * (1 - v) * logistic(noise),
        var=tau,
        to=0,
        direction="+",
        name="second-limit",
        reason="In the second moment one slope $v(1-v)/\\tau$ is left over; $\\tau$ times it has this integrand, and again the "
        "limit goes inside",
    )
    d.integrates(
        exact / 6,
        v * (1 - v) * exact,
        (v, 0, 1),
        name="law",
        reason="The area of this parabola is 1/6: the second moment grows like $\\sigma(a)(1-\\sigma(a))/(6\\tau)$, while the mean stays",
    )
    return d


DERIVATIONS: tuple[Callable[[], Derivation], ...] = (
    two_gradients,
    square_variances,
    sine_race,
    gumbel_max,
    max_stability,
    concrete_density,
    relaxed_bit,
    temperature_law,
    straight_through_linear,
    rao_blackwell,
    reinmax_quadratic,
    leave_one_out,
)
