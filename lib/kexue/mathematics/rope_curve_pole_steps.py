"""Checked derivations for the rope that hangs from a turning pole with its other end free.

Arc length :math:`s` is counted from the free end upwards; :math:`u` is the horizontal part of the tension, towards the axis.
"""

from __future__ import annotations

import sympy as sp

from kexue.derivation import Derivation, Step, bessel_zero

__all__ = ["point_mass", "pole_rope", "second_variation", "tapered_rope"]

omega, g, L, s, x0, m, gamma, eps = sp.symbols("omega g L s x_0 m gamma epsilon", positive=True)
n = sp.Symbol("n", integer=True, positive=True)
X, Y, U, T, W = (sp.Function(name, real=True) for name in ("x", "y", "u", "T", "w"))
x, y, u, t = X(s), Y(s), U(s), T(s)
zero = bessel_zero(0, n)


def pole_rope() -> Derivation:
    """Regular form, Kolodner's equation, the direction of the free end, the linear rope and its thresholds."""
    d = Derivation("pole_rope", "The rope on a turning pole", domain={n: (1, 3), t: (0.5, 3)})
    load = d.given(
        sp.Eq(u.diff(s), omega**2 * x),
        "below a point of the rope hangs a piece that the tension must hold: across, it grows by the centrifugal force of each element",
        name="load",
    )
    across = d.given(sp.Eq(t * x.diff(s), -u), "the horizontal part of the tension points to the axis", name="across")
    up = d.given(sp.Eq(t * y.diff(s), g * s), "the vertical part carries the weight of what hangs below", name="up")
    unit = d.given(sp.Eq(x.diff(s) ** 2 + y.diff(s) ** 2, 1), "unit speed", name="unit")
    _regular_form(d, load, across, up, unit)
    _free_end(d)
    _linear_rope(d, load)
    return d


def _regular_form(d: Derivation, load: Step, across: Step, up: Step, unit: Step) -> None:
    """The direction by the force instead of the tension, and Kolodner's equation."""
    d.implied(
        sp.Eq(t**2, u**2 + g**2 * s**2),
        by=[across, up, unit],
        solving=[x.diff(s), y.diff(s), t],
        reason="the size of the tension",
        name="tension",
    )
    force = sp.sqrt(g**2 * s**2 + u**2)
    rate = d.implied(
        sp.Eq(x.diff(s), -u / force),
        by=[sp.Eq(t, force), across],
        reason="so the direction follows from the force, with no division by a vanishing tension but at the end",
        name="dx-ds",
    )
    d.implied(sp.Eq(y.diff(s), g * s / force), by=[sp.Eq(t, force), up], reason="and upwards", name="dy-ds")
    d.implied(
        sp.Eq(u.diff(s, 2) + omega**2 * u / force, 0),
        by=[load, rate],
        reason="differentiate the load: Kolodner's equation",
        name="kolodner",
    )


def _free_end(d: Derivation) -> None:
    """The direction of the rope where its tension vanishes."""
    near = omega**2 * x0 * s + s**2 * W(s)
    d.given(near, "at the free end the force starts from zero with the slope $\\omega^2x_0$", name="near-end")
    effective = sp.sqrt(g**2 + omega**4 * x0**2)
    d.limit(
        -(omega**2) * x0 / effective,
        of=-near / sp.sqrt(g**2 * s**2 + near**2),
        var=s,
        to=0,
        direction="+",
        name="end-x",
        reason="numerator and denominator vanish together, their slopes do not: l'Hôpital's rule, across",
    )
    d.limit(
        g / effective,
        of=g * s / sp.sqrt(g**2 * s**2 + near**2),
        var=s,
        to=0,
        direction="+",
        reason="and upwards: the free end points along effective gravity",
        name="end-y",
    )


def _linear_rope(d: Derivation, load: Step) -> None:
    """Small swings: their shape, and the speeds at which they are possible."""
    d.limit(
        -u / (g * s),
        of=-eps * u / sp.sqrt(g**2 * s**2 + eps**2 * u**2) / eps,
        var=eps,
        to=0,
        direction="+",
        reason="a small swing $\\epsilon u$: the direction to first order",
        name="small",
    )
    linear = d.implied(
        sp.Eq(sp.Derivative(g * s * x.diff(s), s) + omega**2 * x, 0),
        by=[sp.Eq(g * s * x.diff(s), -u), load],
        reason="together with the load: the linear rope",
        name="linear",
    )
    shape = x0 * sp.besselj(0, 2 * omega * sp.sqrt(s / g))
    d.solves(
        sp.Eq(x, shape),
        of=linear,
        conditions=[sp.Eq(X(0), x0)],
        reason="a Bessel function of the square root of the height above the free end",
        name="bessel",
    )
    d.solves(
        sp.Eq(omega, zero / 2 * sp.sqrt(g / L)),
        of=sp.besselj(0, 2 * omega * sp.sqrt(L / g)),
        name="thresholds",
        reason="the top is on the axis only at a zero $j_{0,n}$ of $J_0$: the speeds at which a straight rope can begin to swing out",
    )


def second_variation() -> Derivation:
    """How many ways down there are from the straight rope: one for each threshold passed."""
    d = Derivation(
        "second_variation", "The straight rope loses its stability", domain={n: (1, 3), L: (0.5, 2), g: (1, 10), omega: (0.5, 6)}
    )
    energy = g * s * x.diff(s) ** 2 - omega**2 * x**2
    form = d.given(energy, "twice the energy density of a small swing: lifting the rope costs, distance from the axis pays")
    d.implied(
        sp.Eq(form.value, sp.Derivative(g * s * x * x.diff(s), s) - x * (sp.Derivative(g * s * x.diff(s), s) + omega**2 * x)),
        reason="a total derivative, which vanishes at both ends of the rope, and $x$ times the linear operator",
        name="by-parts",
    )
    mode = sp.besselj(0, zero * sp.sqrt(s / L))
    stiffness = g * zero**2 / (4 * L)
    value = d.given(
        sp.Eq(sp.Symbol("lambda_n", real=True), stiffness - omega**2),
        "eigenvalue of the operator, as the next step shows",
        name="eigenvalue",
    )
    d.solves(
        sp.Eq(x, mode),
        of=sp.Eq(-sp.Derivative(g * s * x.diff(s), s) - omega**2 * x, value.value * x),
        conditions=[sp.Eq(X(0), 1), sp.Eq(X(L), 0)],
        reason="the shapes at the thresholds, scaled to the length, are its eigenfunctions",
        name="modes",
    )
    r = sp.Symbol("r", positive=True)
    d.integrates(
        L * sp.besselj(1, zero) ** 2,
        2 * L * r * sp.besselj(0, zero * r) ** 2,
        (r, 0, 1),
        name="norm",
        antiderivative=L * r**2 * (sp.besselj(0, zero * r) ** 2 + sp.besselj(1, zero * r) ** 2),
        reason="their squares integrate to this, with $s=Lr^2$",
    )
    slope = mode.diff(s)
    d.integrates(
        value.value * L * sp.besselj(1, zero) ** 2,
        (2 * L * r * (g * s * slope**2 - omega**2 * mode**2)).subs(s, L * r**2),
        (r, 0, 1),
        reason="so the energy of a mode is its eigenvalue times that",
        name="energy",
    )
    threshold = zero / 2 * sp.sqrt(g / L)
    d.equal(
        threshold**2 - omega**2,
        to=value,
        name="sign",
        reason="its sign changes at the threshold $\\omega_n$: past the first $n$ of them there are $n$ ways down from the straight rope",
    )
    return d


def point_mass() -> Derivation:
    """A point mass at the free end: a new boundary condition."""
    d = Derivation("point_mass", "A weight at the free end")
    pull, c1, c2 = sp.Symbol("T", positive=True), sp.Symbol("c_1", real=True), sp.Symbol("c_2", positive=True)
    across = d.given(sp.Eq(pull * c1 + m * omega**2 * x0, 0), "the rope alone holds the mass in its circle; $c_1=dx/ds$")
    up = d.given(sp.Eq(pull * c2, m * g), "and carries its weight; $c_2=dy/ds$")
    unit = d.given(sp.Eq(c1**2 + c2**2, 1), "unit speed")
    effective = sp.sqrt(g**2 + omega**4 * x0**2)
    d.implied(
        sp.Eq(pull, m * effective),
        by=[across, up, unit],
        solving=[c1, c2, pull],
        reason="the tension no longer starts from zero: mass times effective gravity",
        name="tension",
    )
    d.implied(
        sp.Eq(-pull * c1, m * omega**2 * x0), by=[across], reason="so the horizontal force starts at $u(0)=m\\omega^2x_0$", name="start"
    )
    d.implied(
        sp.Eq(c1, -(omega**2) * x0 / effective),
        by=[across, up, unit],
        solving=[c2, pull, c1],
        reason="the direction at the end is the same as without the mass",
        name="direction",
    )
    return d


def tapered_rope() -> Derivation:
    """Thresholds of a rope whose density falls like a power towards the free end."""
    d = Derivation("tapered_rope", "A rope that thins towards its end", domain={gamma: (0.6, 3), s: (0.1, 1), n: (1, 2), omega: (0.5, 3)})
    d.given(gamma * s ** (gamma - 1), "density at the height $s$ above the free end of a rope of unit length and mass")
    weight = d.integrates(
        s**gamma,
        gamma * m ** (gamma - 1),
        (m, 0, s),
        antiderivative=m**gamma,
        reason="the mass below, which the tension carries",
        name="mass",
    )
    linear = d.given(
        sp.Eq(sp.Derivative(g * weight.value * x.diff(s), s) + omega**2 * gamma * s ** (gamma - 1) * x, 0),
        "the linear rope with this weight",
        name="linear",
    )
    order = gamma - 1
    d.solves(
        sp.Eq(x, s ** (-order / 2) * sp.besselj(order, 2 * omega * sp.sqrt(gamma * s / g))),
        of=linear,
        reason="a Bessel function of order $\\gamma-1$",
        name="bessel",
    )
    d.solves(
        sp.Eq(omega, bessel_zero(order, n) / 2 * sp.sqrt(g / gamma)),
        of=sp.besselj(order, 2 * omega * sp.sqrt(gamma / g)),
        reason="the new thresholds; $\\gamma=1$ gives back the uniform rope",
        name="thresholds",
    )
    return d
