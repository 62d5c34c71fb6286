"""The derivations of the chapter on activation functions: Su's function, Swish, the sigmoid's slope and the Gaussian moments.

Those about depth are in :mod:`kexue.mathematics.activations_proofs`; ``DERIVATIONS`` lists all of them in the chapter's order.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from kexue.derivation import Derivation
from kexue.mathematics.activations_proofs import criticality, degrees, fading, forgetting

__all__ = ["DERIVATIONS", "gated_unit", "safe_forms", "sigmoid_slope", "stein", "su_function", "su_moments", "swish_minimum"]


def _normal(z: sp.Expr) -> sp.Expr:
    """The density of the standard normal law."""
    return sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi)


def _sigma(x: sp.Expr) -> sp.Expr:
    return 1 / (1 + sp.exp(-x))


def sigmoid_slope() -> Derivation:
    """The slope of the sigmoid is at most a quarter, and the sigmoid is a hyperbolic tangent on a pedestal."""
    x = sp.Symbol("x", real=True)
    d = Derivation("sigmoid-slope", "The sigmoid: a small slope, and a pedestal", domain={x: (-4, 4)})
    slope = d.differentiates(
        _sigma(x) * (1 - _sigma(x)),
        of=_sigma(x),
        wrt=x,
        name="slope",
        reason="The derivative of the sigmoid in terms of its value",
    )
    d.equal(
        (_sigma(x) - sp.Rational(1, 2)) ** 2,
        to=sp.Rational(1, 4) - slope.value,
        name="quarter",
        reason="What is missing to a quarter is a square: the slope is at most 1/4, and that only at $x=0$",
    )
    d.equal(
        sp.tanh(x / 2) / 2,
        to=_sigma(x) - sp.Rational(1, 2),
        name="pedestal",
        reason="Without the constant $\\tfrac12$ the sigmoid is an odd function, a hyperbolic tangent of half the height and "
        "half the slope",
    )
    return d


def su_function() -> Derivation:
    """Slope, curvature, minimum and inflection of ``x min(1, exp(beta x))`` on the left of zero, where it is not x."""
    x = sp.Symbol("x", negative=True)
    b = sp.Symbol("beta", positive=True)
    d = Derivation("su-function", "Su's function left of zero", domain={x: (-4, -0.1), b: (0.3, 3)})
    left = x * sp.exp(b * x)
    slope = d.differentiates((1 + b * x) * sp.exp(b * x), of=left, wrt=x, name="slope", reason="The slope of $xe^{\\beta x}$")
    d.limit(
        1,
        of=slope,
        var=x,
        to=0,
        direction="-",
        name="joins",
        reason="At zero it joins the slope 1 of the right half: no corner, for any $\\beta$",
    )
    bend = d.differentiates(b * (2 + b * x) * sp.exp(b * x), of=slope, wrt=x, name="bend", reason="The second derivative")
    d.limit(
        2 * b,
        of=bend,
        var=x,
        to=0,
        direction="-",
        name="jump",
        reason="It ends at $2\\beta$, whereas it is 0 on the right: once continuously differentiable, not twice. As "
        "$\\beta\\to\\infty$ the "
        "jump becomes the corner of ReLU",
    )
    d.stationary({x: -1 / b}, of=left, name="minimum", reason="The only zero of the slope: the dip")
    d.equal(-1 / (sp.E * b), to=sp.Subs(left, x, -1 / b), name="depth", reason="And how deep it is: $-1/e$ for $\\beta=1$")
    d.solves({x: -2 / b}, of=sp.Eq(bend.value, 0), name="inflection", reason="Beyond the dip the curve bends back towards zero")
    return d


def safe_forms() -> Derivation:
    """The two forms without overflow are Su's function, by cases."""
    p, m = sp.Symbol("x", positive=True), sp.Symbol("x", negative=True)
    d = Derivation("safe-forms", "Two forms that cannot overflow", domain={p: (0.1, 4), m: (-4, -0.1)})

    def larger(one: sp.Expr, two: sp.Expr) -> sp.Expr:
        return (one + two + sp.Abs(one - two)) / 2

    d.equal(
        p,
        to=larger(p, p * sp.exp(-p)),
        name="max-right",
        reason="$\\max(x,xe^{-|x|})$ for $x>0$, with $\\max(a,b)=\\frac12(a+b+|a-b|)$: the factor $e^{-x}$ is below 1, so the first wins",
    )
    d.equal(
        m * sp.exp(m),
        to=larger(m, m * sp.exp(m)),
        name="max-left",
        reason="For $x<0$ the same factor makes the second less negative, and it wins",
    )
    d.equal(
        p,
        to=p + larger(sp.Integer(0), p * sp.exp(-p) - p),
        name="relu-right",
        reason="$x+\\mathrm{relu}(xe^{-|x|}-x)$ for $x>0$: the bracket is negative, nothing is added",
    )
    d.equal(
        m * sp.exp(m),
        to=m + larger(sp.Integer(0), m * sp.exp(m) - m),
        name="relu-left",
        reason="For $x<0$ the bracket is positive and replaces $x$ by $xe^x$",
    )
    return d


def swish_minimum() -> Derivation:
    """The minimum of Swish by Lambert's W."""
    x, s = sp.symbols("x s", real=True)
    d = Derivation("swish-minimum", "The dip of Swish", domain={x: (-4, 4), s: (0.1, 0.9)})
    slope = d.differentiates(
        _sigma(x) * (1 + x * (1 - _sigma(x))),
        of=x * _sigma(x),
        wrt=x,
        name="slope",
        reason="The slope of $x\\,\\sigma(x)$, by the product rule",
    )
    d.limit(sp.Rational(1, 2), of=slope, var=x, to=0, name="half", reason="At zero it is one half")
    d.implied(
        sp.Eq(x * s, x + 1),
        by=[sp.Eq(1 + x * (1 - s), 0)],
        name="value",
        reason="Where the bracket vanishes, with $s=\\sigma(x)$, the value of Swish is $x+1$",
    )
    w = sp.LambertW(sp.exp(-1))
    d.stationary(
        {x: -(1 + w)},
        of=x * _sigma(x),
        name="minimum",
        reason="Put $s$ back: the bracket is zero where $-(x+1)\\,e^{-(x+1)}=1/e$, the equation that defines Lambert's $W(1/e)=0.2785$",
    )
    d.equal(
        -w,
        to=(x * _sigma(x)).subs(x, -(1 + w)),
        name="depth",
        reason="So the dip lies at $-1.2785$ and is $0.2785$ deep: shallower than Su's $1/e$",
    )
    return d


def su_moments() -> Derivation:
    """The Gaussian moments of Su's function in closed form, by differentiating one integral."""
    z = sp.Symbol("z", real=True)
    a = sp.Symbol("a", positive=True)
    d = Derivation("su-moments", "Gaussian moments of Su's function", domain={a: (0.3, 3)})
    root = 1 / sp.sqrt(2 * sp.pi)
    half = sp.exp(a**2 / 2) * sp.erfc(a / sp.sqrt(2)) / 2
    base = d.integrates(
        half,
        sp.exp(a * z) * _normal(z),
        (z, -sp.oo, 0),
        name="half-line",
        reason="One integral $I(a)$ over the left half line, where the function is an exponential times a power; each derivative "
        "in $a$ brings down a $z$",
    )
    first = d.differentiates(a * half - root, of=base, wrt=a, name="first", reason="Its derivative $I'$, with one $z$")
    d.differentiates((1 + a**2) * half - a * root, of=first, wrt=a, name="second", reason="And $I''$, with $z^2$")
    _moments_of_su(d, root)
    return d


def _moments_of_su(d: Derivation, root: sp.Expr) -> None:
    """The four moments, from values of the integral and of its derivatives."""
    at = {key: sp.Symbol(f"{{I{mark}({k})}}", real=True) for k in (1, 2) for mark, key in (("", (0, k)), ("'", (1, k)), ("''", (2, k)))}
    one, two = sp.exp(sp.Rational(1, 2)) * sp.erfc(1 / sp.sqrt(2)) / 2, sp.exp(2) * sp.erfc(sp.sqrt(2)) / 2
    exact = {(0, 1): one, (1, 1): one - root, (0, 2): two, (1, 2): 2 * two - root, (2, 2): 5 * two - 2 * root}
    known = {key: sp.Eq(at[key], value, evaluate=False) for key, value in exact.items()}
    pieces = (
        ("mean", root + at[1, 1], one, [(1, 1)], "$\\E s$: the right half gives $\\int_0^\\infty z\\varphi=1/\\sqrt{2\\pi}$, the left "
        "$I'(1)$"),
        ("square", sp.Rational(1, 2) + at[2, 2], sp.Rational(1, 2) - 2 * root + 5 * two, [(2, 2)], "$\\E s^2$: one half from the right"),
        ("slope", sp.Rational(1, 2) + at[0, 1] + at[1, 1], sp.Rational(1, 2) - root + 2 * one, [(0, 1), (1, 1)],
         "$\\E s'$, with $s'=(1+z)e^z$ on the left"),
        ("slope-square", sp.Rational(1, 2) + at[0, 2] + 2 * at[1, 2] + at[2, 2], sp.Rational(1, 2) - 4 * root + 10 * two,
         [(0, 2), (1, 2), (2, 2)], "$\\E s'^2$, with $s'^2=(1+2z+z^2)e^{2z}$ on the left"),
    )  # fmt: skip
    for name, left, right, needs, reason in pieces:
        d.implied(sp.Eq(left, right), by=[known[key] for key in needs], name=name, reason=reason)


def stein() -> Derivation:
    """Stein's lemma, and the mean of Swish."""
    z = sp.Symbol("z", real=True)
    f = sp.Function("f", real=True)
    d = Derivation("stein", "Stein's lemma", domain={z: (-3, 3)})
    d.differentiates(
        (f(z).diff(z) - z * f(z)) * _normal(z),
        of=f(z) * _normal(z),
        wrt=z,
        name="lemma",
        reason="The integral of a derivative over the line is zero if the function dies at both ends: $\\E f'(z)=\\E zf(z)$",
    )
    d.differentiates(
        (_sigma(z) * (1 - _sigma(z)) - z * _sigma(z)) * _normal(z),
        of=_sigma(z) * _normal(z),
        wrt=z,
        name="swish",
        reason="For $f=\\sigma$: the mean of Swish, $\\E z\\sigma(z)$, is the mean slope of the sigmoid",
    )
    return d


def gated_unit() -> Derivation:
    """Swish as a gated linear unit whose two halves share their parameters, and the energy of a gate."""
    u, v, x = sp.symbols("u v x", real=True)
    d = Derivation("gated-unit", "Swish is a gate that is tied to its content", domain={v: (-3, 3), x: (-3, 3)})
    d.implied(
        sp.Eq(u * _sigma(v), x * _sigma(x)),
        by=[sp.Eq(u, x), sp.Eq(v, x)],
        name="tied",
        reason="With $u=W_1h+b_1$ and $v=W_2h+b_2$, equal parameters make $u=v=x$, and the gated unit $u\\,\\sigma(v)$ is Swish",
    )
    d.integrates(
        _sigma(v) ** 2,
        u**2 * _sigma(v) ** 2 * _normal(u),
        (u, -sp.oo, sp.oo),
        name="energy",
        reason="Untied and independent, the content's square averages to one: the energy of a gated unit is that of its gate, "
        "$\\E\\sigma(v)^2$",
    )
    return d


DERIVATIONS: tuple[Callable[[], Derivation], ...] = (
    sigmoid_slope,
    su_function,
    safe_forms,
    swish_minimum,
    su_moments,
    stein,
    degrees,
    criticality,
    fading,
    forgetting,
    gated_unit,
)
