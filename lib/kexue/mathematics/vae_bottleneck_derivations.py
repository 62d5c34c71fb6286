r"""The derivations of the chapter on the bottleneck: the chain of bounds, normal codes, the budget, roads between codes.

Those about the linear case, water-filling and the Gaussian bottleneck are in :mod:`kexue.mathematics.vae_bottleneck_proofs`;
``DERIVATIONS`` lists all of them in the chapter's order.
"""

from __future__ import annotations

from collections.abc import Callable

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


def _divergence(p: sp.Expr, q: sp.Expr) -> sp.Expr:
    """Divergence of two laws with two values, given the probabilities of the first."""
    return p * sp.log(p / q) + (1 - p) * sp.log((1 - p) / (1 - q))


def bound_chain() -> Derivation:
    """The rate exceeds the information by a divergence, and the classifier's bound falls short of it by another; two codes, two labels."""
    a, m, q, t, c, y, r = sp.symbols("a m q t c y r", positive=True)
    d = Derivation("bound-chain", "Two bounds and their gaps", domain={t: (0.2, 3), **{s: (0.1, 0.9) for s in (a, m, q, c, y, r)}})
    d.identity(
        sp.Eq(_divergence(a, q), _divergence(a, m) + a * sp.log(m / q) + (1 - a) * sp.log((1 - m) / (1 - q)), evaluate=False),
        "Let the first of two codes have probability $a$ given an input, $m$ over all inputs and $q$ under the prior. Split "
        "$\\log\\frac{p(z|x)}{q(z)}$ at $p(z)$. Average over the inputs: the left side becomes the rate, the logarithms of "
        "$\\frac am$ and $\\frac{1-a}{1-m}$ the information; before the two others $a$ becomes its mean $m$, and they are "
        "$KL(p(z)\\|q(z))$",
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
        sp.Eq(m * (1 - q / m) + (1 - m) * (1 - (1 - q) / (1 - m)), 0, evaluate=False),
        "Put $t=q(z)/p(z)$ and average over $p(z)$: the lower bound $\\sum_zp(z)(1-t)$ is zero, as $p$ and $q$ both sum to one. "
        "So $R\\ge I(X;Z)$, with equality only for $q=p$",
        name="gap",
    )
    entropy, guess = -c * sp.log(y) - (1 - c) * sp.log(1 - y), c * sp.log(r) + (1 - c) * sp.log(1 - r)
    d.identity(
        sp.Eq(_divergence(c, y), entropy + guess + _divergence(c, r), evaluate=False),
        "Now two labels: the first has probability $c$ given a code and $y$ over all codes, and the classifier says $r$. Split "
        "$\\log\\frac{p(y|z)}{p(y)}$ at $1$ and at $q(y|z)$. Average over the codes: $I(Z;Y)$ is $H(Y)$ plus $E\\log q(y|z)$ plus the mean "
        "divergence of the classifier from the truth",
        name="relevance",
    )
    return d


def joint_divergence() -> Derivation:
    """The loss of a VAE is one divergence between two joint laws, up to the entropy of the data; two inputs, two codes."""
    x, a, b, q, u = sp.symbols("pi a b q u", positive=True)
    d = Derivation("joint-divergence", "A VAE compares two joint laws", domain={s: (0.1, 0.9) for s in (x, a, b, q, u)})
    d.identity(
        sp.Eq(sp.log(x * a / (q * u)), -sp.log(u) + sp.log(a / q) + sp.log(x), evaluate=False),
        "Let an input have the probability $\\pi$, and given it a code the probability $a$; under the prior the code has $q$, and from it "
        "the decoder gives the input $u$. The logarithm of the quotient of the two joint laws is a sum. On average $-\\log u$ is the "
        "reconstruction loss and $\\log\\frac aq$ the rate",
        name="split",
    )
    d.equal(
        x * sp.log(x) + (1 - x) * sp.log(1 - x),
        to=x * a * sp.log(x) + x * (1 - a) * sp.log(x) + (1 - x) * b * sp.log(1 - x) + (1 - x) * (1 - b) * sp.log(1 - x),
        name="entropy",
        reason="The third term, $\\log\\pi$, asks only for the input. Average it over two inputs and two codes: the "
        "codes of an input sum to one, and minus the entropy of the data remains",
    )
    best = x * a / (x * a + (1 - x) * b)
    d.stationary(
        {u: best},
        of=-x * a * sp.log(u) - (1 - x) * b * sp.log(1 - u),
        reason="For a given encoder the best decoder is Bayes' rule: the share of the first input among those that send the first code, "
        "if they send it with probabilities $a$ and $b$",
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
