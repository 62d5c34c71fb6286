"""The derivations of the chapter on energy and GANs: the energy model, the best energy, its pits and the flow of the fakes.

Those about diversity and sampling are in :mod:`kexue.generative.energy_gan_proofs`; ``DERIVATIONS`` lists all in the chapter's order.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from kexue.derivation import Derivation
from kexue.generative.energy_gan_proofs import heavy_ball, kl_split, langevin_bias, mala_ratio, noise_and_width, width_of_fakes

__all__ = [
    "DERIVATIONS", "best_energy", "flows", "heavy_ball", "hinge_energy", "kl_split", "langevin_bias", "mala_ratio", "noise_and_width",
    "pit_rule", "two_atoms", "two_phases", "width_of_fakes",
]  # fmt: skip

x, u, v, delta = sp.symbols("x u v delta", real=True)
lam, a, t, n = sp.symbols("lambda a t n", positive=True)
FP, FQ, U, V = (sp.Function(name, real=True) for name in ("F_p", "F_q", "U", "V"))
R = sp.Function("r", positive=True)


def two_phases() -> Derivation:
    """Maximum likelihood for an energy: what the data push down and what the model's own draws push up."""
    theta, m2 = sp.symbols("theta m_2", positive=True)
    d = Derivation("two-phases", "The two phases of an energy model", domain={theta: (0.2, 3), m2: (0.2, 3)})
    d.integrates(
        sp.sqrt(sp.pi / theta),
        sp.exp(-theta * x**2),
        (x, -sp.oo, sp.oo),
        name="partition",
        reason="The energy $U=\\theta x^2$: its sum of states $Z$",
    )
    loss = theta * m2 + sp.log(sp.sqrt(sp.pi / theta))
    d.differentiates(
        m2 - 1 / (2 * theta),
        of=loss,
        wrt=theta,
        name="gradient",
        reason="The loss $E_p[-\\log q_\\theta]=E_p[U]+\\log Z$, where $m_2=E_p[x^2]$: its slope has one term for the data and one "
        "without them",
    )
    second = d.integrates(
        sp.sqrt(sp.pi) / (2 * theta ** sp.Rational(3, 2)),
        x**2 * sp.exp(-theta * x**2),
        (x, -sp.oo, sp.oo),
        name="moment",
        reason="The same integral with $\\partial U/\\partial\\theta=x^2$ under it",
    )
    d.equal(
        1 / (2 * theta),
        to=second.value / sp.sqrt(sp.pi / theta),
        name="negative-phase",
        reason="Over $Z$: the second term is the mean of $\\partial U/\\partial\\theta$ over the model's own draws",
    )
    d.stationary(
        {theta: 1 / (2 * m2)},
        of=loss,
        wrt=[theta],
        name="balance",
        reason="Training ends where the two phases balance: the model's variance is the data's",
    )
    return d


def best_energy() -> Derivation:
    """The best energy solves a Poisson equation; in one dimension it is a quotient."""
    d = Derivation("best-energy", "The best energy in closed form")
    p, q, r = sp.symbols("p q r", positive=True)
    density = d.given((p - q) * u + lam * r * v**2, "the loss is the integral of this density, with $u=U(x)$, $v=U'(x)$", name="density")
    d.differentiates(p - q, of=density, wrt=u, name="in-u", reason="its derivative in the energy")
    d.differentiates(2 * lam * r * v, of=density, wrt=v, name="in-slope", reason="and in the slope")
    poisson = d.given(
        sp.Eq(sp.Derivative(2 * lam * R(x) * V(x), x), FP(x).diff(x) - FQ(x).diff(x)),
        "the Euler-Lagrange equation, with $V=U'$, $p=F_p'$, $q=F_q'$: a Poisson equation",
        name="poisson",
    )
    gap = FP(x) - FQ(x)
    d.solves(
        sp.Eq(V(x), gap / (2 * lam * R(x))),
        of=poisson,
        reason="integrate once; the constant is 0, because no force acts where there is neither data nor fake",
        name="slope",
    )
    d.differentiates(
        (FP(x).diff(x) - FQ(x).diff(x)) * U(x) + gap * U(x).diff(x),
        of=gap * U(x),
        wrt=x,
        name="parts",
        reason="$F_p-F_q$ vanishes at both ends, so the integral of this is 0 and $E_pU-E_qU=-\\int(F_p-F_q)U'$",
    )
    c, w = sp.symbols("D w", real=True)
    best = c / (2 * lam * r)
    d.equal(
        -(c**2) / (4 * lam * r),
        to=-c * best + lam * r * best**2,
        name="value",
        reason="at the best slope the loss has this density, with $D=F_p-F_q$: half of the gain is spent on the penalty",
    )
    d.equal(
        lam * r * w**2,
        to=-c * (best + w) + lam * r * (best + w) ** 2 + c**2 / (4 * lam * r),
        name="minimum",
        reason="any other slope, off by $w$, costs this much more: the stationary point is the minimum",
    )
    return d


def two_atoms() -> Derivation:
    """One datum and one fake at distance a: why the place of the penalty matters."""
    s = sp.Symbol("s", positive=True)
    d = Derivation("two-atoms", "One datum, one fake, and the gap between them", domain={a: (0.5, 3), lam: (0.2, 2), s: (0.01, 0.2)})
    slope = d.equal(
        a / (2 * lam),
        to=1 / (2 * lam * (1 / a)),
        name="slope",
        reason="between the two $F_p-F_q=1$; interpolates have the density $r=1/a$ there",
    )
    d.integrates(
        -(a**2) / (4 * lam),
        -lam / a * slope.value**2,
        (x, 0, a),
        name="value",
        reason="the value of the loss, finite: the fake feels a steady force",
    )
    d.equal(
        -a / (4 * lam * s),
        to=-a * s * (1 / (2 * lam * s)) ** 2 * lam,
        name="thin",
        reason="if only a thin density $s$ of the penalty is left in the gap, the value is this",
    )
    d.limit(
        -sp.oo,
        of=-a / (4 * lam * s),
        var=s,
        to=0,
        direction="+",
        name="unbounded",
        reason="penalise on data, fakes or both alone, and the loss has no lower bound",
    )
    return d


def pit_rule() -> Derivation:
    """When a data point is a pit, and how deep."""
    i = sp.Symbol("i", positive=True)
    c, r = sp.symbols("c r", positive=True)
    d = Derivation("pit-rule", "When a data point is a pit", domain={i: (1, 5), n: (6, 9), c: (0.05, 0.95), r: (0.1, 2), lam: (0.1, 2)})
    d.given(c, "$c=F_q(x_i)$, the share of fakes to the left of the $i$-th of $n$ sorted data points", name="rank")
    left = d.equal(
        -(n * c - i + 1) / (2 * lam * n * r),
        to=((i - 1) / n - c) / (2 * lam * r),
        name="left",
        reason="slope just left of it: negative if $c>(i-1)/n$",
    )
    right = d.equal(
        (i - n * c) / (2 * lam * n * r), to=(i / n - c) / (2 * lam * r), name="right", reason="slope just right of it: positive if $c<i/n$"
    )
    d.equal(
        1 / (2 * lam * n * r),
        to=right.value - left.value,
        name="kink",
        reason="the slope jumps upwards at every data point, by the same amount whatever the fakes do: the point is a pit when the jump "
        "crosses 0",
    )
    one, two = (sp.Symbol(f"b_{k}", real=True) for k in (1, 2))
    d.implied(
        sp.Eq(FQ(two) - FQ(one), FP(two) - FP(one)),
        by=[sp.Eq(FP(one), FQ(one)), sp.Eq(FP(two), FQ(two))],
        name="fair-basins",
        reason="at the crests $b_1$, $b_2$ on either side of a pit the slope is 0, so $F_p=F_q$: its basin holds as many fakes as data",
    )
    rx = sp.Function("r", positive=True)(x)
    smooth = (FP(x) - FQ(x)) / (2 * lam * rx)
    d.implied(
        sp.Eq(smooth.diff(x), (FP(x).diff(x) - FQ(x).diff(x)) / (2 * lam * rx)),
        by=[sp.Eq(FP(x), FQ(x))],
        name="curvature",
        reason="with continuous data: where the slope is 0 the curvature is $(p-q)/2\\lambda r$, so a pit needs more data than fakes on "
        "the spot",
    )
    return d


def flows() -> Derivation:
    """What the fakes do while the energy is dug anew at every moment."""
    d = Derivation("flows", "The flow of the fakes")
    q = sp.Function("q", positive=True)(x)
    slope = (FP(x) - FQ(x)) / (2 * lam * q)
    d.differentiates(
        (FP(x).diff(x) - FQ(x).diff(x)) / (2 * lam),
        of=q * slope,
        wrt=x,
        name="r-is-q",
        reason="fakes move at $-U'$, so $\\partial_tq=\\partial_x(qU')$. Penalise on the fakes, $r=q$, and $q$ cancels: the rate is "
        "$(p-q)/2\\lambda$",
    )
    p, q0 = sp.symbols("p q_0", positive=True)
    Q = sp.Function("q", real=True)
    d.solves(
        sp.Eq(Q(t), p + (q0 - p) * sp.exp(-t / (2 * lam))),
        of=sp.Eq(Q(t).diff(t), (p - Q(t)) / (2 * lam)),
        conditions=[sp.Eq(Q(0), q0)],
        name="exponential",
        reason="so at every place the density relaxes exponentially to that of the data, on the same clock $2\\lambda$",
    )
    w, c, w0 = sp.Symbol("w", real=True), sp.Symbol("c", positive=True), sp.Symbol("w_0", positive=True)
    dens = sp.Symbol("rho", positive=True)
    d.equal(
        -(w - c) / (2 * lam),
        to=dens * -((w - c) / (2 * lam * dens)),
        name="r-is-p",
        reason="penalise on the data, $r=p$, and follow one fake: its rank $c=F_q(x)$ stays, and $w=F_p(x)$ changes at $p\\,\\dot x$; "
        "now $p$ cancels",
    )
    W = sp.Function("w", real=True)
    d.solves(
        sp.Eq(W(t), c + (w0 - c) * sp.exp(-t / (2 * lam))),
        of=sp.Eq(W(t).diff(t), -(W(t) - c) / (2 * lam)),
        conditions=[sp.Eq(W(0), w0)],
        name="ranks",
        reason="the rank of the fake among the data relaxes on the same clock; but to change $w$ at a finite rate where $p$ is small, "
        "$x$ must race",
    )
    return d


def hinge_energy() -> Derivation:
    """The best energy under the hinge loss, place by place."""
    p, q, s = sp.symbols("p q s", positive=True)
    d = Derivation("hinge-energy", "The best energy under the hinge", domain={p: (0.1, 2), q: (0.1, 2), s: (0.1, 2), u: (-0.9, 0.9)})
    inside = d.given(
        p * (1 + u) + q * (1 - u), "between the thresholds both hinges pull: the loss at a place with densities $p$, $q$", name="inside"
    )
    d.differentiates(
        p - q,
        of=inside,
        wrt=u,
        name="slope",
        reason="a straight line in $u$: downwards until $-1$ where data prevail, upwards until $+1$ where fakes do",
    )
    d.equal(
        q * s,
        to=q * (1 - (-1 - s)) - 2 * q,
        name="below",
        reason="at $u=-1-s$ the data's hinge is silent; going there costs this much more than $u=-1$",
    )
    d.equal(p * s, to=p * (1 + (1 + s)) - 2 * p, name="above", reason="at $u=1+s$ the fakes' hinge is silent, and again it costs")
    d.equal(2 * q, to=inside.value.subs(u, -1), name="data-prevail", reason="so where $p>q$ the best energy is $-1$, and the loss $2q$")
    d.equal(
        2 * p,
        to=inside.value.subs(u, 1),
        name="fakes-prevail",
        reason="and where $q>p$ it is $+1$, and the loss $2p$: a landscape of two plateaus without slopes",
    )
    return d


DERIVATIONS: tuple[Callable[[], Derivation], ...] = (
    two_phases, kl_split, best_energy, pit_rule, two_atoms, flows, hinge_energy, width_of_fakes, noise_and_width, heavy_ball, langevin_bias,
    mala_ratio,
)  # fmt: skip
