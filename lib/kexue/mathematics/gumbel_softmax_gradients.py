"""Derivations about continuous draws: the score function against the pathwise derivative, for a cubic, a square and a sine."""

from __future__ import annotations

import sympy as sp

from kexue.derivation import Derivation

__all__ = ["sine_race", "square_variances", "two_gradients"]

LINE = (-sp.oo, sp.oo)


def _normal(x: sp.Symbol) -> sp.Expr:
    """The density of the standard normal law."""
    return sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi)


MOMENTS = {0: 1, 2: 1, 4: 3, 6: 15}


def _moments(d: Derivation, x: sp.Symbol) -> None:
    """The moments of the standard normal law, as a step: integration by parts leads each to the one two below."""
    n = sp.Symbol("n", positive=True, integer=True)
    d.differentiates(
        (x**n - (n - 1) * x ** (n - 2)) * _normal(x),
        of=-(x ** (n - 1)) * _normal(x),
        wrt=x,
        name="moments",
        reason="The moments of $x$: the integral of this derivative over the line is zero, so the mean of $x^n$ is $n-1$ times "
        "that of $x^{n-2}$. For $n=2,4,6$ this gives 1, 3, 15; the odd ones vanish by symmetry",
    )


def _mean(polynomial: sp.Expr, x: sp.Symbol) -> sp.Expr:
    """A polynomial in x with every power replaced by its moment: the mean, not yet simplified."""
    terms = sp.Poly(sp.expand(polynomial), x).terms()
    return sp.Add(*[MOMENTS.get(n, 0) * coefficient for (n,), coefficient in terms])


def two_gradients() -> Derivation:
    """The score function and the pathwise derivative of the same expectation, for a cubic under the normal law."""
    mu, x, z = sp.symbols("mu x z", real=True)
    s = sp.Symbol("s", positive=True)
    c = sp.symbols("c1:4", real=True)
    d = Derivation("two-gradients", "One derivative, two integrals", domain={mu: (-2, 2), s: (0.3, 2), x: (0.2, 2), z: (-3, 3)})

    def f(at: sp.Expr) -> sp.Expr:
        return c[0] * at + c[1] * at**2 + c[2] * at**3

    _moments(d, x)
    value = c[0] * mu + c[1] * (mu**2 + s**2) + c[2] * (mu**3 + 3 * mu * s**2)
    slope = c[0] + 2 * c[1] * mu + 3 * c[2] * (mu**2 + s**2)
    objective = d.equal(
        value,
        to=_mean(f(mu + s * x), x),
        name="objective",
        reason="The objective: the mean of a cubic $f$ at $z=\\mu+sx$, each power of $x$ replaced by its moment",
    )
    d.differentiates(slope, of=objective, wrt=mu, name="exact", reason="The derivative that every estimator must have as its mean")
    inside = c[0] + 2 * c[1] * (mu + s * x) + 3 * c[2] * (mu + s * x) ** 2
    d.differentiates(
        inside,
        of=f(mu + s * x),
        wrt=mu,
        name="pathwise-sample",
        reason="Pathwise: the law of $x$ does not contain $\\mu$, so the derivative goes inside and meets $f'(z)\\,\\partial "
        "z/\\partial\\mu=f'(z)$",
    )
    d.equal(slope, to=_mean(inside, x), name="pathwise", reason="Its mean is the exact derivative")
    log_density = -((z - mu) ** 2) / (2 * s**2) - sp.log(s * sp.sqrt(2 * sp.pi))
    d.differentiates(
        (z - mu) / s**2,
        of=log_density,
        wrt=mu,
        name="score",
        reason="Score: the derivative of the log-density at a fixed $z$; at $z=\\mu+sx$ it is $x/s$",
    )
    d.equal(
        slope,
        to=_mean(f(mu + s * x) * x / s, x),
        name="score-function",
        reason="Score function: $f$ times the score has the same mean, and $f$ itself is never differentiated",
    )
    d.integrates(
        sp.Integer(0),
        (x / s) * _normal(x),
        (x, *LINE),
        name="score-mean",
        reason="The score has mean zero, so a constant subtracted from $f$ leaves the mean where it is",
    )
    d.integrates(
        1 / s**2,
        (x / s) ** 2 * _normal(x),
        (x, *LINE),
        name="fisher",
        reason="Its second moment, the Fisher information, sets the scale of the noise: $1/s^2$ for the mean of a normal law",
    )
    return d


def square_variances() -> Derivation:
    """Variances of both estimators for a square, and the constant baseline that is best."""
    mu, x, b = sp.symbols("mu x b", real=True)
    s = sp.Symbol("s", positive=True)
    d = Derivation("square-variances", "What each estimator pays for a square", domain={mu: (-2, 2), s: (0.3, 2), b: (-3, 6), x: (0.2, 2)})
    z = mu + s * x
    sample = (z**2 - b) * x / s
    second = (mu**4 + 18 * mu**2 * s**2 + 15 * s**4 - 2 * b * (mu**2 + 3 * s**2) + b**2) / s**2
    _moments(d, x)
    d.integrates(
        2 * mu,
        2 * mu * x**2 * _normal(x),
        (x, *LINE),
        name="mean",
        reason="The sample is $(z^2-b)\\,x/s$ with $z=\\mu+sx$. Of its terms only $2\\mu x^2$ has a mean: the right one, "
        "whatever the baseline $b$",
    )
    moment = d.equal(second, to=_mean(sample**2, x), name="second-moment", reason="Its second moment")
    d.stationary(
        {b: mu**2 + 3 * s**2},
        of=moment,
        wrt=[b],
        name="best-baseline",
        reason="A parabola in $b$: the best constant is the mean of $f$ weighted by the squared score, not $\\E f=\\mu^2+s^2$",
    )
    d.equal(
        mu**4 / s**2 + 14 * mu**2 + 15 * s**2,
        to=second.subs(b, 0) - (2 * mu) ** 2,
        name="plain",
        reason="Variance without a baseline: second moment minus squared mean",
    )
    d.equal(
        8 * mu**2 + 6 * s**2,
        to=second.subs(b, mu**2 + 3 * s**2) - (2 * mu) ** 2,
        name="with-best",
        reason="With the best constant the term that explodes for small $s$ is gone",
    )
    d.integrates(
        4 * s**2,
        (2 * s * x) ** 2 * _normal(x),
        (x, *LINE),
        name="pathwise",
        reason="The pathwise sample $2z$ is off its mean $2\\mu$ by $2sx$: its variance is less than any constant baseline reaches",
    )
    return d


def sine_race() -> Derivation:
    """The variances of both estimators for a sine, the case in which the score function wins."""
    w, u = sp.symbols("w u", positive=True)
    d = Derivation("sine-race", "Where the score function wins", domain={w: (0.3, 3), u: (0.3, 4)})
    _mean_of_a_wave(d, u)
    _derived_waves(d, u)
    _variances_of_a_wave(d, w)
    _fast_waves(d)
    return d


def _mean_of_a_wave(d: Derivation, u: sp.Symbol) -> None:
    """The mean of a cosine under the normal law, by a differential equation in the frequency."""
    z, wave = sp.Symbol("z", real=True), sp.Function("F")
    d.differentiates(
        (z * sp.sin(u * z) - u * sp.cos(u * z)) * _normal(z),
        of=-sp.sin(u * z) * _normal(z),
        wrt=z,
        name="by-parts",
        reason="Let $F(u)$ be the mean of $\\cos uz$. The integral of this derivative over the line is zero, so the mean of $z\\sin uz$, "
        "which is $-F'(u)$, equals $u$ times that of $\\cos uz$",
    )
    d.solves(
        sp.Eq(wave(u), sp.exp(-(u**2) / 2), evaluate=False),
        of=sp.Eq(wave(u).diff(u), -u * wave(u), evaluate=False),
        conditions=[sp.Eq(wave(0), 1, evaluate=False)],
        name="wave",
        reason="So $F'=-uF$ with $F(0)=1$: the mean of a wave under the normal law",
    )


def _derived_waves(d: Derivation, u: sp.Symbol) -> None:
    """Derivatives of that mean in the frequency: means of the wave times powers of the draw."""
    d.differentiates(
        u * sp.exp(-(u**2) / 2),
        of=-sp.exp(-(u**2) / 2),
        wrt=u,
        name="score-mean",
        reason="A derivative in the frequency brings down $-z\\sin uz$: at $u=w$ this is the mean of the score sample $z\\sin wz$. "
        "The pathwise sample is $w\\cos wz$, and $w$ times the second line at $u=w$ is the same",
    )
    d.differentiates(
        (1 - u**2) * sp.exp(-(u**2) / 2),
        of=-sp.exp(-(u**2) / 2),
        wrt=u,
        n=2,
        name="weighted-wave",
        reason="A second derivative: the mean of $z^2\\cos uz$",
    )


def _variances_of_a_wave(d: Derivation, w: sp.Symbol) -> None:
    """The variances of the pathwise and of the score sample."""
    mean = w * sp.exp(-(w**2) / 2)
    path = w**2 * (sp.Rational(1, 2) * (1 + sp.exp(-2 * w**2)) - sp.exp(-(w**2)))
    d.equal(
        path,
        to=w**2 * (1 + sp.exp(-((2 * w) ** 2) / 2)) / 2 - mean**2,
        name="pathwise-variance",
        reason="Variance: $\\cos^2wz=\\frac12(1+\\cos2wz)$, the second line at $u=2w$, minus the squared mean",
    )
    score = sp.Rational(1, 2) + (2 * w**2 - sp.Rational(1, 2)) * sp.exp(-2 * w**2) - w**2 * sp.exp(-(w**2))
    d.equal(
        score,
        to=(1 - (1 - (2 * w) ** 2) * sp.exp(-((2 * w) ** 2) / 2)) / 2 - mean**2,
        name="score-variance",
        reason="Variance: $\\sin^2wz=\\frac12(1-\\cos2wz)$, the fourth line at $u=2w$, minus the squared mean",
    )


def _fast_waves(d: Derivation) -> None:
    """Both variances as the wave gets fast."""
    q = sp.Symbol("q", positive=True)
    d.limit(
        sp.Rational(1, 2),
        of=(1 + q**2) / 2 - q,
        var=q,
        to=0,
        direction="+",
        name="pathwise-grows",
        reason="For a fast wave $q=e^{-w^2}$ vanishes: the pathwise variance grows like $w^2/2$. It pays for $f'$",
    )
    d.limit(
        sp.Rational(1, 2),
        of=sp.Rational(1, 2) - (2 * sp.log(q) + sp.Rational(1, 2)) * q**2 + q * sp.log(q),
        var=q,
        to=0,
        direction="+",
        name="score-bounded",
        reason="With $w^2=-\\log q$ that of the score function settles at one half. It pays for $f$ alone",
    )
