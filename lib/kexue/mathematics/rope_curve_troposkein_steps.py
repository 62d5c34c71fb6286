"""Checked derivations for the rope that turns about the line through its two ends, without gravity: the troposkein.

Letters as in the chapter: the axis is :math:`y`, the radius :math:`x`; distance of the ends :math:`D`, length :math:`L`, greatest radius
:math:`a`, second root :math:`b`, modulus :math:`k=a/b`, tension :math:`T_0` at the axis, axial tension :math:`H`.
"""

from __future__ import annotations

import sympy as sp

from kexue.derivation import Derivation, EllipticE, EllipticK, Step, cn, dn, sn

__all__ = ["quartic", "small_slack", "troposkein"]

POST = "Su Jianlin, archives/6784 (2019)"
omega, a, b, k, D, L, H, J, T, T0 = sp.symbols("omega a b k D L H J T T_0", positive=True)
x, y, v, slope, c1, c2 = sp.symbols("x y v m c_1 c_2", real=True)
X = sp.Function("x", real=True)
K, E = EllipticK(k), EllipticE(k)
MODULUS = {k: (0.05, 0.95)}


def quartic() -> Derivation:
    """From force balance to the equation of the curve; why the post's version can't hold."""
    d = Derivation("quartic", "The equation of the skipping rope")
    along = d.given(sp.Eq((T0 - omega**2 * x**2 / 2) * c2, H), "the part of the tension along the axis is the same everywhere; $c_2=dy/ds$")
    unit = d.given(sp.Eq(c1**2 + c2**2, 1), "unit speed; $c_1=dx/ds$")
    chain = d.given(sp.Eq(slope * c2, c1), "the slope is $m=dx/dy$")
    d.implied(
        sp.Eq(slope**2, (T0 - omega**2 * x**2 / 2) ** 2 / H**2 - 1),
        by=[along, unit, chain],
        solving=[c2, c1, slope],
        reason="eliminate both components of the tangent",
    )
    apex = d.given(sp.Eq(T0, H + omega**2 * a**2 / 2), "at the greatest radius $a$ the rope runs along the axis, so all its tension is $H$")
    second = d.given(sp.Eq(b**2, a**2 + 4 * H / omega**2), "name the other root")
    d.implied(
        sp.Eq(slope**2, omega**4 / (4 * H**2) * (a**2 - x**2) * (b**2 - x**2)),
        by=[along, unit, chain, apex, second],
        solving=[b, T0, c2, c1, slope],
        reason="a difference of squares: four roots, $\\pm a$ and $\\pm b$",
    )
    published = -(omega**2) * x**2 / 2 / H
    d.refutes(
        published,
        to=(T0 - omega**2 * x**2 / 2) / H,
        source=POST,
        reason="the post has $ds/dy=\\beta x^2$ with a constant $\\beta$: the multiplier $T_0$ is missing",
    )
    d.refutes(
        sp.Eq(1 + slope**2, 0, evaluate=False),
        source=POST,
        reason="on the axis, $x=0$, that would mean $(ds/dy)^2=1+m^2=0$: such a rope never comes to its own axis",
    )
    return d


def troposkein() -> Derivation:
    """The closed form and everything that follows from it."""
    d = Derivation("troposkein", "The troposkein in closed form", domain=MODULUS)
    quartic_in_k = omega**4 / (4 * H**2) * (k**2 * b**2 - X(y) ** 2) * (b**2 - X(y) ** 2)
    apex = d.given(sp.Eq(a, k * b), "name the ratio of the two roots: the modulus $k$, below one", name="modulus")
    ode = d.given(sp.Eq(X(y).diff(y) ** 2, quartic_in_k), "the equation of the rope, with $a=kb$", name="ode")
    d.solves(
        sp.Eq(X(y), k * b * sn(omega**2 * b * y / (2 * H), k)),
        of=ode,
        conditions=[sp.Eq(X(0), 0)],
        reason="as $\\mathrm{sn}'=\\mathrm{cn}\\,\\mathrm{dn}$, $\\mathrm{cn}^2=1-\\mathrm{sn}^2$, $\\mathrm{dn}^2=1-k^2\\mathrm{sn}^2$",
        name="by-scale",
    )
    roots = d.given(sp.Eq(b**2, (k * b) ** 2 + 4 * H / omega**2), "the two roots are tied by the axial tension", name="roots")
    axial = d.solves(sp.Eq(H, omega**2 * b**2 * (1 - k**2) / 4), of=roots, reason="solve for it", name="axial-tension")
    d.implied(
        sp.Eq(omega**2 * b / (2 * H), 2 / (b * (1 - k**2))), by=[axial], reason="so the wave number holds no $\\omega$", name="wave-number"
    )
    d.identity(sp.Eq(sn(2 * K, k), 0), "the elliptic sine is back at zero after half a period", name="half-period")
    phase = sp.Eq(2 * D / (b * (1 - k**2)), 2 * K)
    span = d.solves(
        sp.Eq(D, b * (1 - k**2) * K), of=phase, reason="there the rope meets the axis again: the distance of its ends", name="span"
    )
    d.implied(sp.Eq(a / D, k / ((1 - k**2) * K)), by=[apex, span], reason="greatest radius over distance", name="radius")
    by_span = {H: axial.rhs.subs(b, D / ((1 - k**2) * K)), b: D / ((1 - k**2) * K)}
    d.solves(
        sp.Eq(X(y), D * k / ((1 - k**2) * K) * sn(2 * K * y / D, k)),
        of=sp.Eq(ode.lhs, ode.rhs.subs(by_span, simultaneous=True)),
        conditions=[sp.Eq(X(0), 0), sp.Eq(X(D), 0)],
        reason="the curve through both ends, $x=a\\,\\mathrm{sn}(2Ky/D,k)$, again put into the equation",
        name="closed-form",
    )
    _forces(d, apex, axial)
    _length(d)
    return d


def _forces(d: Derivation, apex: Step, axial: Step) -> None:
    """Tension, slope and stretch of the closed form."""
    held = d.given(
        sp.Eq(T, H + omega**2 * (a**2 - x**2) / 2), "tension at the radius $x$; at the greatest radius it is $H$", name="tension"
    )
    place = d.given(sp.Eq(x, a * sn(v, k)), "the curve at the phase $v=2Ky/D$", name="phase")
    stretch = 1 + 2 * k**2 / (1 - k**2) * cn(v, k) ** 2
    d.implied(
        sp.Eq(T / H, stretch),
        by=[held, place, apex, axial],
        reason="tension over axial tension, which is length over distance, $ds/dy$",
        name="stretch",
    )
    d.differentiates(a * cn(v, k) * dn(v, k), of=a * sn(v, k), wrt=v, reason="how the radius changes with the phase", name="slope-in-phase")
    slope = 2 * k / (1 - k**2) * cn(v, k) * dn(v, k)
    d.identity(
        sp.Eq(stretch**2, 1 + slope**2), "as Pythagoras demands, with $dx/dy$ on the right: the rope is not stretched", name="pythagoras"
    )
    d.equal(2 * k / (1 - k**2), "the slope where it leaves the axis", to=sp.Subs(slope, v, 0), name="end-slope")
    ends = d.given(sp.Eq(T0, H + omega**2 * a**2 / 2), "the tension on the axis", name="at-the-axis")
    d.implied(sp.Eq(T0 / H, (1 + k**2) / (1 - k**2)), by=[ends, apex, axial], reason="over the axial tension", name="end-tension")
    d.implied(
        sp.Eq(T0, omega**2 * b**2 * (1 + k**2) / 4),
        by=[ends, apex, axial],
        reason="the greatest of all: a rope breaks first at its ends",
        name="breaking",
    )


def _length(d: Derivation) -> None:
    """Length and moment of inertia."""
    d.integrates(
        2 * (E - (1 - k**2) * K) / k**2,
        cn(v, k) ** 2,
        (v, 0, 2 * K),
        reason="the square of the elliptic cosine over half a period",
        name="cn-squared",
    )
    squared = d.steps[-1].value
    length = d.given(
        sp.Eq(L, D * (1 + 2 * k**2 / (1 - k**2) * squared / (2 * K))), "the length: distance times the mean stretch", name="length"
    )
    d.implied(
        sp.Eq(L / D, 2 * E / ((1 - k**2) * K) - 1),
        by=[length],
        reason="length over distance. There is no $\\omega$ in it: to spin the rope faster leaves its shape alone",
        name="length-ratio",
    )
    whole = (1 + 2 * k**2 / (1 - k**2) * cn(2 * K * y / D, k) ** 2, (y, 0, D))
    d.integrates(
        D * (2 * E / ((1 - k**2) * K) - 1), *whole, reason="the same by quadrature of $ds/dy$ along the whole rope", name="arc-length"
    )
    first = d.integrates(
        2 * (K - E) / k**2, sn(v, k) ** 2, (v, 0, 2 * K), reason="the square of the elliptic sine over half a period", name="sn-squared"
    )
    second = d.integrates(
        2 * ((2 - k**2) * E - 2 * (1 - k**2) * K) / (3 * k**4),
        sn(v, k) ** 2 * cn(v, k) ** 2,
        (v, 0, 2 * K),
        reason="and the product of both squares",
        name="product",
    )
    mean = (first.value + 2 * k**2 / (1 - k**2) * second.value) / (2 * K)
    inertia = d.given(
        sp.Eq(J, D * (D * k / ((1 - k**2) * K)) ** 2 * mean), "moment of inertia $J=\\int x^2ds$: the mean of $x^2ds/dy$", name="inertia"
    )
    d.implied(
        sp.Eq(J / D**3, ((1 + k**2) * E - (1 - k**2) * K) / (3 * (1 - k**2) ** 3 * K**3)),
        by=[inertia],
        reason="over the cube of the distance: the greatest that a rope of this length between these ends can have",
        name="inertia-ratio",
    )


def small_slack() -> Derivation:
    """The nearly tight rope and the very slack one."""
    d = Derivation("small_slack", "Nearly tight and very slack", domain=MODULUS)
    length, radius = 2 * E / ((1 - k**2) * K) - 1, k / ((1 - k**2) * K)
    d.given(length, "length over distance")
    d.limit(1, of=length, var=k, to=0, direction="+", reason="a modulus of zero is a tight rope", name="tight")
    d.expands(1 + k**2, of=length, var=k, order=4, reason="a little slack is the square of the modulus", name="slack")
    d.expands(
        2 * k / sp.pi,
        of=radius,
        var=k,
        order=3,
        reason="while the radius is of first order: a little slack makes a big belly",
        name="belly",
    )
    d.limit(
        4 / sp.pi**2,
        of=radius**2 / (length - 1),
        var=k,
        to=0,
        direction="+",
        reason="so radius squared is $4/\\pi^2$ of distance times slack",
        name="belly-by-slack",
    )
    d.limit(
        sp.sin(sp.pi * y / D),
        of=sn(2 * K * y / D, k),
        var=k,
        to=0,
        direction="+",
        reason="and the shape is half a sine wave",
        name="half-wave",
    )
    d.limit(
        sp.oo, of=length, var=k, to=1, direction="-", reason="as the modulus tends to one the rope grows without bound", name="slack-end"
    )
    return d
