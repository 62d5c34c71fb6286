r"""The derivations of the chapter on the bottleneck: the chain of bounds, normal codes, the budget, roads between codes.

Those about the linear case, water-filling and the Gaussian bottleneck are in :mod:`kexue.mathematics.vae_bottleneck_proofs`;
``DERIVATIONS`` lists all of them in the chapter's order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sympy as sp

from kexue.derivation import Derivation
from kexue.mathematics.vae_bottleneck_proofs import collapse, evidence, filling, gaussian_bottleneck, linear_vae, rotation

__all__ = [
    "DERIVATIONS",
    "bound_chain",
    "code_divergence",
    "collapse",
    "evidence",
    "filling",
    "gaussian_bottleneck",
    "hinge",
    "joint_divergence",
    "linear_vae",
    "norm",
    "roads",
    "rotation",
]


def _sum(terms: Sequence[sp.Expr]) -> sp.Expr:
    return sp.Add(*terms)


def bound_chain() -> Derivation:
    """The rate exceeds the information by a divergence, and the classifier's bound falls short of it by another."""
    share, a, b, r, t = sp.symbols("pi a b q t", positive=True)
    labels = sp.symbols("mu c1 c2 r1 r2", positive=True)
    box = {share: (0.1, 0.9), t: (0.2, 3), **{s: (0.1, 0.9) for s in labels}, **{s: (0.1, 0.9) for s in (a, b, r)}}
    d = Derivation("bound-chain", "Two bounds and their gaps", domain=box)
    first, second, q = (a, 1 - a), (b, 1 - b), (r, 1 - r)
    law = tuple(share * u + (1 - share) * v for u, v in zip(first, second, strict=True))
    inputs = ((share, first), (1 - share, second))
    rate = _sum([p * u * sp.log(u / v) for p, code in inputs for u, v in zip(code, q, strict=True)])
    information = _sum([p * u * sp.log(u / m) for p, code in inputs for u, m in zip(code, law, strict=True)])
    gap = _sum([m * sp.log(m / r) for m, r in zip(law, q, strict=True)])
    d.identity(
        sp.Eq(rate, information + gap, evaluate=False),
        "Two inputs, with shares $\\pi$ and $1-\\pi$, and two codes: the first code has probability $a$ given the first input, "
        "$b$ given the second and $q$ under the prior; $p(z)$ is the mixture. "
        "Split $\\log\\frac{p(z|x)}{q(z)}$ at $p(z)$: the rate is the information "
        "plus $KL(p(z)\\|q(z))$",
        name="rate",
    )
    d.stationary(
        {t: 1},
        of=t - 1 - sp.log(t),
        reason="Why the gap is not negative: $t-1-\\log t$ has its only flat point at $t=1$, where it is 0",
        name="flat",
    )
    d.differentiates(
        1 / t**2, of=t - 1 - sp.log(t), wrt=t, n=2, reason="and curves upwards everywhere, so $-\\log t\\ge1-t$", name="convex"
    )
    d.identity(
        sp.Eq(_sum([m * (1 - r / m) for m, r in zip(law, q, strict=True)]), 1 - _sum(q), evaluate=False),
        "Put $t=q(z)/p(z)$ and average over $p(z)$: the lower bound $1-\\sum_zq(z)$ is zero, as $q$ sums to one. "
        "So $R\\ge I(X;Z)$, with equality only for $q=p$",
        name="gap",
    )
    return _relevance(d, *labels)


def _relevance(d: Derivation, m: sp.Symbol, c1: sp.Symbol, c2: sp.Symbol, r1: sp.Symbol, r2: sp.Symbol) -> Derivation:
    """Add the lower bound on the information about the label."""
    codes = ((m, c1, r1), (1 - m, c2, r2))
    y1 = m * c1 + (1 - m) * c2
    told = _sum([p * (c * sp.log(c / y1) + (1 - c) * sp.log((1 - c) / (1 - y1))) for p, c, _ in codes])
    bound = -y1 * sp.log(y1) - (1 - y1) * sp.log(1 - y1) + _sum([p * (c * sp.log(r) + (1 - c) * sp.log(1 - r)) for p, c, r in codes])
    miss = _sum([p * (c * sp.log(c / r) + (1 - c) * sp.log((1 - c) / (1 - r))) for p, c, r in codes])
    d.identity(
        sp.Eq(told, bound + miss, evaluate=False),
        "Now two codes with shares $\\mu$, $1-\\mu$ and two labels: the first label has probability $c_1$ or $c_2$ given the code, and the "
        "classifier says $r_1$ or $r_2$. The information about the label is $H(Y)+E\\log q(y|z)$ plus the mean divergence of the "
        "classifier from the truth",
        name="relevance",
    )
    return d


def joint_divergence() -> Derivation:
    """The loss of a VAE is one divergence between two joint laws, up to the entropy of the data."""
    x, a, b, q, u, v = sp.symbols("pi a b q u v", positive=True)
    d = Derivation("joint-divergence", "A VAE compares two joint laws", domain={s: (0.1, 0.9) for s in (x, a, b, q, u, v)})
    cells = [  # p(x), p(z|x), q(z), q(x|z) of the four cells
        (x, a, q, u), (x, 1 - a, 1 - q, v), (1 - x, b, q, 1 - u), (1 - x, 1 - b, 1 - q, 1 - v),
    ]  # fmt: skip
    joint = _sum([p * e * sp.log(p * e / (r * g)) for p, e, r, g in cells])
    reconstruction = _sum([-p * e * sp.log(g) for p, e, _, g in cells])
    rate = _sum([p * e * sp.log(e / r) for p, e, r, _ in cells])
    data = -x * sp.log(x) - (1 - x) * sp.log(1 - x)
    d.identity(
        sp.Eq(joint, reconstruction + rate - data, evaluate=False),
        "Two inputs and two codes: the first input has probability $\\pi$; the first code has probability $a$ or $b$ given the input, "
        "and $q$ "
        "under the prior; the decoder gives the first input $u$ or $v$. The divergence of $q(z)q(x|z)$ from $p(x)p(z|x)$ is the mean "
        "reconstruction loss plus the rate minus the entropy of the data",
        name="split",
    )
    best = x * a / (x * a + (1 - x) * b)
    d.stationary(
        {u: best},
        of=-x * a * sp.log(u) - (1 - x) * b * sp.log(1 - u),
        reason="For a given encoder the best decoder is Bayes' rule: the share of the first input among those that send the first code",
        name="decoder",
    )
    return d


def code_divergence() -> Derivation:
    """The divergence between a normal code and the prior."""
    z, mu = sp.symbols("z mu", real=True)
    s = sp.Symbol("s", positive=True)
    d = Derivation("code-divergence", "The rate of a normal code", domain={mu: (-2, 2), s: (0.3, 2), z: (-3, 3)})
    density = sp.exp(-((z - mu) ** 2) / (2 * s**2)) / (sp.sqrt(2 * sp.pi) * s)
    prior = sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi)
    ratio = z**2 / 2 - (z - mu) ** 2 / (2 * s**2) - sp.log(s)
    d.equal(
        ratio, to=sp.log(density / prior), name="ratio", reason="The logarithm of the two densities' quotient: the factors $2\\pi$ cancel"
    )
    square = d.integrates(
        mu**2 + s**2, z**2 * density, (z, -sp.oo, sp.oo), name="square", reason="Its first term averages to the second moment"
    )
    d.integrates(s**2, (z - mu) ** 2 * density, (z, -sp.oo, sp.oo), name="variance", reason="and the second to the variance")
    d.equal(
        (mu**2 + s**2 - 1 - sp.log(s**2)) / 2,
        to=square.value / 2 - sp.Rational(1, 2) - sp.log(s),
        name="rate",
        reason="Together: nats for one coordinate; independent coordinates add up",
    )
    d.stationary(
        {mu: 0, s: 1},
        of=(mu**2 + s**2 - 1 - sp.log(s**2)) / 2,
        name="zero",
        reason="It is flat only at the prior itself, where it is zero: a code that costs nothing says nothing",
    )
    return d


def hinge() -> Derivation:
    """What the hinge inside the mean costs for a normal pair: the log-ratio is the information plus a product of two normals."""
    x, e = sp.symbols("x e", real=True)
    c, u = sp.symbols("c u", positive=True)
    d = Derivation("hinge", "The price of a hinge inside the mean", domain={x: (-2, 2), e: (-2, 2), c: (0.2, 0.9), u: (0.1, 3)})
    rho = sp.sqrt(1 - c**2)
    z = rho * x + c * e
    ratio = -sp.log(c) - (z - rho * x) ** 2 / (2 * c**2) + z**2 / 2
    d.equal(
        -sp.log(c) + (z - e) * (z + e) / 2,
        to=ratio,
        name="ratio",
        reason="Let $z=\\rho x+ce$ with independent standard normals and $c=\\sqrt{1-\\rho^2}$. The log-ratio $\\log p(z|x)/p(z)$ is the "
        "information $-\\log c$ plus a product",
    )
    d.equal(
        2 * (1 - c),
        to=rho**2 + (c - 1) ** 2,
        name="first-variance",
        reason="The first factor $z-e=\\rho x+(c-1)e$ has this variance",
    )
    d.equal(2 * (1 + c), to=rho**2 + (c + 1) ** 2, name="second-variance", reason="the second factor this one")
    d.identity(
        sp.Eq(rho**2, -(c - 1) * (c + 1), evaluate=False),
        "and their covariance, $\\rho^2+(c-1)(c+1)$, is zero: they are independent normals",
        name="independent",
    )
    d.equal(
        rho,
        to=sp.sqrt(2 * (1 - c)) * sp.sqrt(2 * (1 + c)) / 2,
        name="product",
        reason="So the log-ratio is $I+\\rho\\,g_1g_2$ with two independent standard normals: the scale of the fluctuation is $\\rho$",
    )
    d.integrates(
        sp.sqrt(2 / sp.pi),
        2 * u * sp.exp(-(u**2) / 2) / sp.sqrt(2 * sp.pi),
        (u, 0, sp.oo),
        name="absolute",
        reason="A standard normal has the mean absolute value $\\sqrt{2/\\pi}$",
    )
    d.integrates(
        rho / sp.pi,
        rho * sp.sqrt(2 / sp.pi) * u * sp.exp(-(u**2) / 2) / sp.sqrt(2 * sp.pi),
        (u, 0, sp.oo),
        name="price",
        reason="The product is positive where the second has the sign of the first. With a budget of exactly the information kept, where "
        "nothing should be charged, the hinge inside the mean charges $\\rho\\,E\\max(g_1g_2,0)=\\rho/\\pi$",
    )
    return d


def roads() -> Derivation:
    """The law of a mixture of two independent codes, by its characteristic function."""
    x, k, alpha, beta, angle, t = sp.symbols("x k alpha beta phi t", real=True)
    d = Derivation(
        "roads",
        "Which mixtures of codes are codes",
        domain={x: (-2, 2), k: (-2, 2), alpha: (-2, 2), beta: (-2, 2), angle: (0, 1.5), t: (0.1, 0.9)},
    )
    prior = sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi)
    single = d.integrates(
        sp.exp(-(k**2) / 2),
        sp.cos(k * x) * prior,
        (x, -sp.oo, sp.oo),
        name="prior",
        reason="The characteristic function of a standard normal (its sine part vanishes by symmetry)",
    )
    d.equal(
        sp.exp(-(alpha**2 + beta**2) * k**2 / 2),
        to=single.value.subs(k, alpha * k) * single.value.subs(k, beta * k),
        name="mixture",
        reason="Of $\\alpha z_1+\\beta z_2$ with independent ends: the two factors multiply. It is normal with variance "
        "$\\alpha^2+\\beta^2$",
    )
    d.equal(
        sp.exp(-(1 - 2 * t * (1 - t)) * k**2 / 2),
        to=sp.exp(-((1 - t) ** 2 + t**2) * k**2 / 2),
        name="straight",
        reason="Along the straight line $\\alpha=1-t$, $\\beta=t$ the variance is $1-2t(1-t)$: one half half-way, and one at the ends "
        "alone",
    )
    d.equal(
        sp.exp(-(k**2) / 2),
        to=sp.exp(-(sp.cos(angle) ** 2 + sp.sin(angle) ** 2) * k**2 / 2),
        name="circle",
        reason="On the circle $\\alpha=\\cos\\phi$, $\\beta=\\sin\\phi$: the prior itself, at every angle",
    )
    return d


def norm() -> Derivation:
    """The mean length of a standard normal vector."""
    r, n = sp.symbols("r d", positive=True)
    d = Derivation("norm", "Codes live on a shell", domain={n: (1, 9), r: (0.2, 4)})
    weight = r ** (n - 1) * sp.exp(-(r**2) / 2)
    mass = d.integrates(
        2 ** (n / 2 - 1) * sp.gamma(n / 2),
        weight,
        (r, 0, sp.oo),
        name="mass",
        reason="The length of a standard normal vector in $d$ dimensions has a density proportional to $r^{d-1}e^{-r^2/2}$; its mass "
        "is a Gamma integral",
    )
    first = d.integrates(
        2 ** ((n - 1) / 2) * sp.gamma((n + 1) / 2), r * weight, (r, 0, sp.oo), name="first", reason="and so is the integral of $r$ times it"
    )
    d.equal(
        sp.sqrt(2) * sp.gamma((n + 1) / 2) / sp.gamma(n / 2),
        to=first.value / mass.value,
        name="mean",
        reason="The quotient is the mean length",
    )
    d.limit(
        1,
        of=sp.gamma(n + sp.Rational(1, 2)) / (sp.gamma(n) * sp.sqrt(n)),
        var=n,
        to=sp.oo,
        name="shell",
        reason="For $2d$ dimensions the mean length over $\\sqrt{2d}$ is $\\Gamma(d+\\frac12)/(\\Gamma(d)\\sqrt d)$, which tends to "
        "one: the codes "
        "lie on a shell, and half-way along a straight line is far inside it",
    )
    return d


DERIVATIONS: tuple[Callable[[], Derivation], ...] = (
    joint_divergence,
    bound_chain,
    code_divergence,
    hinge,
    linear_vae,
    collapse,
    filling,
    evidence,
    rotation,
    gaussian_bottleneck,
    roads,
    norm,
)
