"""Derivations about depth: Hermite degrees and the mean-field chi, the critical initialisation, and how fast signals fade or merge."""

from __future__ import annotations

import sympy as sp

from kexue.derivation import Derivation

__all__ = ["criticality", "degrees", "fading", "forgetting"]

MU = {k: sp.Symbol(f"mu{k}", positive=True) for k in (2, 4, 6)}  # the moments of z, with their values:
VALUES = [sp.Eq(MU[2], 1, evaluate=False), sp.Eq(MU[4], 3, evaluate=False), sp.Eq(MU[6], 15, evaluate=False)]


def _mean(polynomial: sp.Expr, z: sp.Symbol) -> sp.Expr:
    """A polynomial in z with every power replaced by its moment, a symbol; odd ones vanish."""
    terms = sp.Poly(sp.expand(polynomial), z).terms()
    return sp.Add(*[(1 if n == 0 else MU[n]) * coefficient for (n,), coefficient in terms if n % 2 == 0])


def _hermite(z: sp.Expr) -> list[sp.Expr]:
    """The first four normalised Hermite polynomials."""
    return [sp.Integer(1), z, (z**2 - 1) / sp.sqrt(2), (z**3 - 3 * z) / sp.sqrt(6)]


def _moments(d: Derivation, z: sp.Symbol) -> None:
    """The moments of the standard normal law, each from the one two below."""
    n = sp.Symbol("n", positive=True, integer=True)
    density = sp.exp(-(z**2) / 2)
    d.differentiates(
        (z**n - (n - 1) * z ** (n - 2)) * density,
        of=-(z ** (n - 1)) * density,
        wrt=z,
        name="moments",
        reason="The moments $\\mu_n=\\E z^n$: this derivative integrates to zero, so $\\mu_n=(n-1)\\mu_{n-2}$, which makes "
        "$\\mu_2=1$, $\\mu_4=3$, $\\mu_6=15$; odd ones vanish",
    )


def degrees() -> Derivation:
    """For a cubic: energy, gradient energy and correlation in terms of Hermite coefficients."""
    z, c, t = sp.Symbol("z", real=True), sp.Symbol("c", positive=True), sp.Symbol("t", positive=True)
    a = sp.symbols("a0:4", real=True)
    d = Derivation("degrees", "Chi is a mean degree", domain={z: (0.2, 2), c: (0.1, 0.9), t: (0.2, 0.9), **{s: (-2, 2) for s in a}})
    _moments(d, z)
    f = sum(s * h for s, h in zip(a, _hermite(z), strict=True))
    energy, slopes = sum(s**2 for s in a), sum(n * s**2 for n, s in enumerate(a))
    d.implied(
        sp.Eq(sp.collect(_mean(f**2, z), a), energy),
        by=VALUES,
        name="energy",
        reason="Write $f=\\sum a_nh_n$ with the normalised Hermite polynomials $1,\\ z,\\ (z^2-1)/\\sqrt2,\\ (z^3-3z)/\\sqrt6$. On the "
        "left $\\E f^2$, power by power: mixed terms cancel, and the energy is the sum of squares",
    )
    d.implied(
        sp.Eq(sp.collect(_mean(sp.diff(f, z) ** 2, z), a), slopes),
        by=VALUES,
        name="slopes",
        reason="In $\\E f'^2$ every square is counted with its degree. So $\\chi=\\E f'^2/\\E f^2$ is the mean degree under the "
        "weights $p_n=a_n^2/\\E f^2$",
    )
    _second_input(d, z, c, t, f, a)
    _consequences(d, c, a, energy, slopes)
    return d


def _second_input(d: Derivation, z: sp.Symbol, c: sp.Symbol, t: sp.Symbol, f: sp.Expr, a: tuple[sp.Symbol, ...]) -> None:
    """The mean of the product of two activations: every degree keeps a power of the correlation."""
    w = sp.Symbol("w", real=True)
    other = c * z + t * w
    d.implied(
        sp.Eq(sp.collect(_mean(other**3 - 3 * other, w), z), c**3 * (z**3 - 3 * z)),
        by=[*VALUES, sp.Eq(t**2, 1 - c**2, evaluate=False)],
        name="partner",
        reason="A second input with correlation $c$ has $z_2=cz+tw$ with an independent $w$ and $t^2=1-c^2$. Averaged over $w$, the "
        "third polynomial at $z_2$ is $c^3$ times that at $z$; for the others likewise, $c^n$",
    )
    partner = sum(c**n * s * h for n, (s, h) in enumerate(zip(a, _hermite(z), strict=True)))
    d.implied(
        sp.Eq(sp.collect(_mean(f * partner, z), a), sum(c**n * s**2 for n, s in enumerate(a))),
        by=VALUES,
        name="joint",
        reason="So $\\E f(z)f(z_2)$ is a power series in $c$. Divided by the energy this is $C(c)=\\sum p_nc^n$, the generating "
        "function of the degrees",
    )


def _consequences(d: Derivation, c: sp.Symbol, a: tuple[sp.Symbol, ...], energy: sp.Expr, slopes: sp.Expr) -> None:
    """Chi as a slope, its lower bound without a constant part, and what a normalisation does to it."""
    d.differentiates(
        sum(n * c ** (n - 1) * s**2 for n, s in enumerate(a) if n) / energy,
        of=sum(c**n * s**2 for n, s in enumerate(a)) / energy,
        wrt=c,
        name="slope-at-one",
        reason="Its slope; at $c=1$ it is the mean degree again. How fast nearly equal inputs drift apart is how fast gradients grow",
    )
    d.identity(
        sp.Eq(slopes / energy - 1, (a[2] ** 2 + 2 * a[3] ** 2 - a[0] ** 2) / energy),
        name="no-free-lunch",
        reason="Without a constant part ($a_0=0$) $\\chi-1$ is a sum of squares over the energy: it is zero for a straight line alone",
    )
    d.identity(
        sp.Eq((slopes / energy) / (1 - a[0] ** 2 / energy), slopes / (energy - a[0] ** 2)),
        name="normalised",
        reason="A normalisation that subtracts the mean $a_0$ divides by $\\E f^2-(\\E f)^2$ instead: it turns $\\chi$ into "
        "$\\chi/(1-p_0)$, the mean of the degrees that are not zero, which is at least one",
    )


def criticality() -> Derivation:
    """The variances of weights and biases that keep signal and gradient at once."""
    A, B, w, b, q = sp.symbols("A B w b q", positive=True)
    d = Derivation("criticality", "Two demands, two unknowns")
    keep = d.given(sp.Eq(w * A + b, q), "The signal keeps its size: $A=\\E f^2$, $w=\\sigma_w^2$, $b=\\sigma_b^2$", name="signal")
    flow = d.given(sp.Eq(w * B, 1), "The gradient keeps its size: $B=\\E f'^2$", name="gradient")
    d.solves(
        {w: 1 / B, b: q - A / B},
        of=[keep, flow],
        name="solution",
        reason="The weights follow from the slopes alone; the biases supply what energy is missing. It works if $qB\\ge A$, that "
        "is if the own gain "
        "gives a $\\chi$ of at least one",
    )
    x = sp.Symbol("x", real=True)
    density = sp.exp(-(x**2) / (2 * q)) / sp.sqrt(2 * sp.pi * q)
    d.differentiates(
        (x**2 / q - 1) * density / (2 * q),
        of=density,
        wrt=q,
        name="density",
        reason="And how the energy answers to $q$: the density of $x=\\sqrt q\\,z$ moves by this, so $\\dd q'/\\dd "
        "q=w\\,\\E[(z^2-1)f(\\sqrt q\\,z)^2]/2q$",
    )
    return d


def fading() -> Derivation:
    """How a small signal fades at gain 1: geometrically for Swish, like 1/l^2 for Su's function."""
    r, depth = sp.symbols("r l", positive=True)
    x = sp.Symbol("x", real=True)
    q = sp.Function("q", positive=True)
    d = Derivation("fading", "A small signal at gain 1", domain={r: (0.05, 1), depth: (1, 50)})
    d.expands(
        x**2 / 4,
        of=(x / (1 + sp.exp(-x))) ** 2,
        var=x,
        order=3,
        name="swish",
        reason="Swish near zero is $x/2$, so a small variance is divided by four in every layer: it fades like $4^{-l}$",
    )
    half = sp.exp(2 * r**2) * sp.erfc(sp.sqrt(2) * r) / 2
    energy = r**2 * (sp.Rational(1, 2) + (1 + 4 * r**2) * half - 2 * r / sp.sqrt(2 * sp.pi))
    d.expands(
        r**2 - 2 * sp.sqrt(2 / sp.pi) * r**3,
        of=energy,
        var=r,
        order=4,
        name="su",
        reason="Su's function has slope 1 at zero. With $q=r^2$ its energy is $r^2(\\tfrac12+I''(2r))$, by the closed forms: the "
        "variance loses only a part "
        "that itself shrinks",
    )
    k = 2 * sp.sqrt(2 / sp.pi)
    d.solves(
        sp.Eq(q(depth), sp.pi / (2 * depth**2)),
        of=sp.Eq(q(depth).diff(depth), -k * q(depth) ** sp.Rational(3, 2)),
        name="law",
        reason="Layer by layer $q'-q=-2\\sqrt{2/\\pi}\\,q^{3/2}$. As a differential equation it has the solution to which all "
        "others tend: a power law, "
        "not a geometric one",
    )
    return d


def forgetting() -> Derivation:
    """How fast two inputs become alike at criticality: like 1/l for smooth functions, like 1/l^2 for ReLU."""
    c, u, depth, s = sp.symbols("c u l s", positive=True)
    e = sp.Function("epsilon", positive=True)
    d = Derivation("forgetting", "How fast two inputs merge", domain={c: (0.1, 0.9), u: (0.05, 0.9), depth: (1, 50), s: (0.2, 3)})
    kernel = (sp.sqrt(1 - c**2) + (sp.pi - sp.acos(c)) * c) / sp.pi
    quoted = d.quoted(
        kernel, "The correlation map of ReLU; our tests compare it with quadrature", source="Cho and Saul (2009)", name="kernel"
    )
    d.differentiates(
        1 - sp.acos(c) / sp.pi, of=quoted, wrt=c, name="slope", reason="Its slope, which is 1 at $c=1$: critical, as it must be"
    )
    d.expands(
        1 - u**2 + 2 * sp.sqrt(2) / (3 * sp.pi) * u**3,
        of=kernel.subs(c, 1 - u**2),
        var=u,
        order=5,
        name="kink",
        reason="Close to one, with $\\varepsilon=1-c=u^2$: the kink of ReLU brings the odd power $\\varepsilon^{3/2}$",
    )
    k = 2 * sp.sqrt(2) / (3 * sp.pi)
    d.solves(
        sp.Eq(e(depth), 9 * sp.pi**2 / (2 * depth**2)),
        of=sp.Eq(e(depth).diff(depth), -k * e(depth) ** sp.Rational(3, 2)),
        name="relu",
        reason="So the difference of two inputs shrinks by $\\frac{2\\sqrt2}{3\\pi}\\varepsilon^{3/2}$ a layer and fades like $1/l^2$",
    )
    d.solves(
        sp.Eq(e(depth), 2 / (s * depth)),
        of=sp.Eq(e(depth).diff(depth), -s / 2 * e(depth) ** 2),
        name="smooth",
        reason="For a twice differentiable function at criticality $C(1-\\varepsilon)=1-\\varepsilon+\\frac s2\\varepsilon^2$ "
        "with $s=\\sum n(n-1)p_n$: "
        "the difference fades like $1/l$, and the less curved the function, the slower",
    )
    return d
