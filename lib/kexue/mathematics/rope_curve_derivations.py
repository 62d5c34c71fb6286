"""The derivations of the chapter on the skipping rope, every step checked.

Letters: arc length :math:`s`, position :math:`(x, y)`, unit density, angular speed :math:`\\omega`, gravity :math:`g`, tension :math:`T`,
multiplier :math:`\\mu`. The rope about its own axis is in ``rope_curve_troposkein_steps``, the rope on a pole in ``rope_curve_pole_steps``.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp
from sympy.calculus.euler import euler_equations

from kexue.derivation import Derivation
from kexue.mathematics.rope_curve_pole_steps import point_mass, pole_rope, second_variation, tapered_rope
from kexue.mathematics.rope_curve_troposkein_steps import quartic, small_slack, troposkein

__all__ = ["DERIVATIONS"]

POST = "Su Jianlin, archives/6784 (2019)"
s, p, mu, b, c1 = sp.symbols("s p mu b C_1", real=True)
omega, g, a = sp.symbols("omega g a", positive=True)
X, Y = (sp.Function(name, real=True) for name in ("x", "y"))
x, y = X(s), Y(s)
UNIT = sp.Eq(x.diff(s) ** 2 + y.diff(s) ** 2, 1)


def _density(x: sp.Expr, y: sp.Expr) -> sp.Expr:
    """The Lagrangian density per unit length, with the multiplier of the length."""
    return omega**2 * x**2 / 2 - g * y - mu


def equations_of_the_rope() -> Derivation:
    """Functional, Euler-Lagrange equations, arc-length form."""
    d = Derivation("equations_of_the_rope", "From the functional to the equations of the rope")
    xp, yp = X(p), Y(p)
    phi, speed = _density(xp, yp), sp.sqrt(xp.diff(p) ** 2 + yp.diff(p) ** 2)
    density = d.given(
        phi,
        "kinetic minus potential energy of a unit of length, and a multiplier $\\mu$ because the length is held fixed: call it $\\varphi$",
    )
    whole = d.given(density.value * speed, "the integrand when the curve is described by any parameter $p$")
    d.differentiates(phi * xp.diff(p) / speed, of=whole, wrt=xp.diff(p), reason="the momentum that belongs to $x$", name="momentum-x")
    d.differentiates(omega**2 * xp * speed, of=whole, wrt=xp, reason="the force along $x$", name="force-x")
    d.differentiates(phi * yp.diff(p) / speed, of=whole, wrt=yp.diff(p), reason="the momentum that belongs to $y$", name="momentum-y")
    d.differentiates(-g * speed, of=whole, wrt=yp, reason="the force along $y$", name="force-y")
    along_x, along_y = euler_equations(whole.value, [xp, yp], [p])
    free_x = d.implied(
        sp.Eq(sp.Derivative(phi * xp.diff(p) / speed, p), omega**2 * xp * speed),
        by=[along_x],
        reason="Euler and Lagrange: momentum changes at the rate of the force. SymPy varies the integral on its own and agrees",
    )
    free_y = d.implied(sp.Eq(sp.Derivative(phi * yp.diff(p) / speed, p), -g * speed), by=[along_y], reason="the same for $y$")
    unit = d.given(UNIT.subs(s, p), "now let the parameter be the arc length: the speed is one")
    d.implied(
        sp.Eq(sp.Derivative(phi * xp.diff(p), p), omega**2 * xp), by=[free_x, unit], reason="the first equation at unit speed", name="arc-x"
    )
    d.implied(
        sp.Eq(sp.Derivative(phi * yp.diff(p), p), -g),
        by=[free_y, unit],
        reason="the second at unit speed; together they say $(\\varphi\\,\\mathbf r')'=\\nabla\\varphi$",
        name="arc-y",
    )
    return d


def one_equation_too_many() -> Derivation:
    """The two equations are dependent, for any density."""
    d = Derivation("one_equation_too_many", "Two equations, but only one of them is new")
    xp, yp = X(p), Y(p)
    phi = sp.Function("varphi", real=True)(xp, yp)
    speed = sp.sqrt(xp.diff(p) ** 2 + yp.diff(p) ** 2)
    whole = d.given(phi * speed, "any density $\\varphi(x,y)$ whatever, summed over the length")
    d.implied(
        sp.Eq(xp.diff(p) * whole.value.diff(xp.diff(p)) + yp.diff(p) * whole.value.diff(yp.diff(p)), phi * speed),
        reason="the integrand is homogeneous of degree one in the velocity: a curve run through twice as fast is the same curve",
    )
    along_x, along_y = (equation.lhs for equation in euler_equations(whole.value, [xp, yp], [p]))
    ex, ey = sp.Function("E_x", real=True)(p), sp.Function("E_y", real=True)(p)
    first = d.implied(
        sp.Eq(ex, phi.diff(xp) * speed - sp.Derivative(phi * xp.diff(p) / speed, p)),
        by=[sp.Eq(ex, along_x)],
        reason="the Euler-Lagrange expression of $x$, zero on the curves that we look for",
    )
    second = d.implied(
        sp.Eq(ey, phi.diff(yp) * speed - sp.Derivative(phi * yp.diff(p) / speed, p)), by=[sp.Eq(ey, along_y)], reason="and that of $y$"
    )
    d.implied(
        sp.Eq(xp.diff(p) * ex + yp.diff(p) * ey, 0),
        by=[first, second],
        reason="projected on the tangent they cancel for every curve whatever: to slide points along a curve changes nothing",
    )
    return d


def tension() -> Derivation:
    """T = -phi, its derivative, the conserved quantity, curvature, the free surface."""
    d = Derivation("tension", "Minus the density is the tension")
    T = sp.Function("T", real=True)(s)
    phi = _density(x, y)
    fx = d.given(
        sp.Eq(sp.Derivative(T * x.diff(s), s) + omega**2 * x, 0),
        "forces on a piece of rope in the rotating frame, across: tension and centrifugal force",
        name="force-x",
    )
    fy = d.given(sp.Eq(sp.Derivative(T * y.diff(s), s) - g, 0), "and upwards: tension and weight", name="force-y")
    ex = d.given(sp.Eq(sp.Derivative(phi * x.diff(s), s), omega**2 * x), "the Euler-Lagrange equation across", name="euler-x")
    ey = d.given(sp.Eq(sp.Derivative(phi * y.diff(s), s), -g), "and upwards", name="euler-y")
    d.implied(
        sp.Eq(sp.Derivative(-phi * x.diff(s), s) + omega**2 * x, 0),
        by=[ex],
        reason="with $T=-\\varphi$ the one becomes the other, across",
        name="match-x",
    )
    d.implied(sp.Eq(sp.Derivative(-phi * y.diff(s), s) - g, 0), by=[ey], reason="and upwards", name="match-y")
    across, up = sp.symbols("x y", real=True)
    value = d.given(
        sp.Eq(sp.Symbol("T", real=True), mu + g * up - omega**2 * across**2 / 2), "so the tension is $T=-\\varphi$", name="value"
    )
    d.equal(mu, "at the origin the tension is the multiplier", to=sp.Subs(value.value, (across, up), (0, 0)), name="at-origin")
    unit = d.given(UNIT, "unit speed")
    d.implied(
        sp.Eq(x.diff(s) * x.diff(s, 2) + y.diff(s) * y.diff(s, 2), 0), by=[unit], reason="a unit vector turns at right angles to itself"
    )
    rate = d.implied(
        sp.Eq(T.diff(s), g * y.diff(s) - omega**2 * x * x.diff(s)), by=[fx, fy, unit], reason="project the forces on the tangent"
    )
    d.implied(
        sp.Eq(sp.Derivative(T + omega**2 * x**2 / 2 - g * y, s), 0),
        by=[rate],
        reason="so tension plus centrifugal minus gravitational potential is the same all along the rope, as in Bernoulli's law",
        name="bernoulli",
    )
    d.implied(
        sp.Eq(T * (x.diff(s) * y.diff(s, 2) - y.diff(s) * x.diff(s, 2)), omega**2 * x * y.diff(s) + g * x.diff(s)),
        by=[fx, fy, unit],
        reason="project on the normal: tension times curvature carries the load",
        name="curvature",
    )
    d.solves(
        sp.Eq(up, (omega**2 * across**2 / 2 - mu) / g),
        of=value.value,
        name="free-surface",
        reason="where the tension vanishes: a parabola, the surface of a liquid that turns with the rope. A free end lies on it",
    )
    d.equal(
        sp.Integer(-2),
        to=sp.Subs(value.value, (across, up, omega, g, mu), (1, 0, 2, 3, 0)),
        name="compression",
        reason="the published pictures start at $(1,0)$ with $\\omega=2$, $g=3$ and no multiplier: such a rope is pushed, not pulled",
    )
    return d


def straight_line() -> Derivation:
    """A constant density gives straight lines."""
    d = Derivation("straight_line", "No load, no bend")
    c = sp.Symbol("c", positive=True)
    ex = d.given(sp.Eq(sp.Derivative(c * x.diff(s), s), 0), "a constant density $\\varphi=c$ has no gradient: across")
    d.implied(sp.Eq(x.diff(s, 2), 0), by=[ex], reason="so $x$ is linear in the arc length, and $y$ likewise: the shortest path is straight")
    return d


def catenary() -> Derivation:
    """The hanging rope at rest, and the two slips of the post."""
    d = Derivation("catenary", "No rotation: the catenary", domain={a: (0.3, 2), b: (-1, 1)})
    height, at, arc = sp.symbols("y x s", positive=True)
    vertical = d.given(
        sp.Eq(sp.Derivative(y * y.diff(s), s), 1),
        "at $\\omega=0$ choose the origin of $y$ so that $T=gy$; forces upwards, divided by $g$",
        name="up",
    )
    across = d.given(sp.Eq(y * x.diff(s), a), "forces across: the horizontal tension is the same everywhere, $ga$", name="across")
    unit = d.given(UNIT, "unit speed")
    d.solves(
        {y: sp.sqrt(s**2 + a**2), x: a * sp.asinh(s / a) + b},
        of=[vertical, across, unit],
        conditions=[sp.Eq(X(0), b), sp.Eq(Y(0), a)],
        reason="both coordinates by arc length, $s=0$ at the lowest point",
        name="by-arc",
    )
    rise = d.differentiates(s / sp.sqrt(s**2 + a**2), of=sp.sqrt(s**2 + a**2), wrt=s, reason="the height per length of rope", name="rise")
    by_height = [sp.Eq(height, sp.sqrt(arc**2 + a**2))]
    d.implied(
        sp.Eq(1 / rise.value.subs(s, arc), height / sp.sqrt(height**2 - a**2)),
        by=by_height,
        reason="turned over, $ds/dy$ on the rising half",
        name="ds-dy",
    )
    slope = d.implied(
        sp.Eq(a / height / rise.value.subs(s, arc), a / sp.sqrt(height**2 - a**2)),
        by=by_height,
        reason="and $dx/dy$, with $a$ above",
        name="dx-dy",
    )
    d.implied(
        sp.Eq(height, a * sp.cosh((at - b) / a)),
        by=[*by_height, sp.Eq(at, a * sp.asinh(arc / a) + b)],
        reason="eliminate $s$: a hyperbolic cosine",
        name="cosh",
    )
    ode = d.given(sp.Eq(Y(at).diff(at) ** 2, (Y(at) ** 2 - a**2) / a**2), "the same as an equation for $y(x)$", name="ode")
    d.solves(sp.Eq(Y(at), a * sp.cosh((at - b) / a)), of=ode, conditions=[sp.Eq(Y(b), a)], reason="the catenary", name="catenary")
    d.refutes(1 / sp.sqrt(height**2 - a**2), to=slope, reason="the post has 1 in place of $a$", source=POST)
    d.refutes(sp.Eq(Y(at), a * sp.cosh(at - b)), of=ode, reason="and so loses the $a$ inside the cosine", source=POST)
    wrong = a * sp.cosh(at - b)
    d.equal(
        (a**2 - 1) * sp.sinh(at - b) ** 2,
        to=wrong.diff(at) ** 2 - (wrong**2 - a**2) / a**2,
        name="left-over",
        reason="what the published curve leaves over in the equation: nothing only where $a=1$",
    )
    return d


def gravity_shift() -> Derivation:
    """Gravity moves the axis of the skipping rope, and how far."""
    d = Derivation("gravity_shift", "What gravity does to a skipping rope")
    h, z = sp.symbols("y z", real=True)
    d.given(omega**2 * h**2 / 2 - g * h - mu, "the density when the axis is horizontal and the rope is at its lowest")
    d.equal(
        omega**2 * (h - g / omega**2) ** 2 / 2 - (mu + g**2 / (2 * omega**2)),
        "complete the square: a shifted axis, and a constant that the multiplier takes up",
    )
    moved = d.steps[-1].value
    d.implied(
        sp.Eq(moved, omega**2 * z**2 / 2 - (mu + g**2 / (2 * omega**2))),
        by=[sp.Eq(z, h - g / omega**2)],
        reason="in $z=y-g/\\omega^2$ this is the rope without gravity. It is a snapshot: in the frame of the rope gravity turns",
    )
    d.equal(
        16 * sp.pi**2,
        "two turns a second at one metre: $\\omega^2a$ is 158 metres per second squared, sixteen times gravity",
        to=sp.Subs(omega**2 * a, (omega, a), (4 * sp.pi, 1)),
    )
    return d


def posted_code() -> Derivation:
    """The post's program follows another curve than its formulae."""
    d = Derivation("posted_code", "The components that the program swapped", domain={omega: (1, 2), g: (0.5, 3)})
    phi = _density(x, y)
    first = d.given(sp.Eq(phi * y.diff(s), c1 - g * s), "the first integral of the vertical equation", name="first-integral")
    d.implied(sp.Eq(sp.Derivative(phi * y.diff(s), s), -g), by=[first], reason="it holds the vertical equation", name="vertical")
    unit = d.given(UNIT, "unit speed")
    d.implied(
        sp.Eq(x.diff(s) * (sp.Derivative(phi * x.diff(s), s) - omega**2 * x), 0),
        by=[first, unit],
        reason="and, as the equations are dependent, the horizontal one wherever the rope isn't vertical",
        name="horizontal",
    )
    code = d.given(sp.Eq(phi * x.diff(s), c1 - g * s), "the program gives $dx/ds$ the value that belongs to $dy/ds$", name="code")
    d.implied(
        sp.Eq(sp.Derivative(phi * x.diff(s), s) - omega**2 * x, -g - omega**2 * x),
        by=[code],
        reason="so across it misses by this",
        name="residual",
    )
    d.refutes(
        sp.Eq(sp.Derivative(phi * y.diff(s), s), -g),
        by=[code, unit],
        reason="and upwards the equation fails too: the printed curves solve another problem",
        source=POST,
    )
    return d


DERIVATIONS: tuple[Callable[[], Derivation], ...] = (
    equations_of_the_rope,
    one_equation_too_many,
    tension,
    straight_line,
    catenary,
    quartic,
    troposkein,
    small_slack,
    gravity_shift,
    pole_rope,
    second_variation,
    point_mass,
    tapered_rope,
    posted_code,
)
