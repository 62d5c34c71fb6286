"""Derivations of the chapter on energy and GANs, second half: the width of the fakes, momentum, and drawing from an energy."""

from __future__ import annotations

import sympy as sp

from kexue.derivation import Derivation

__all__ = ["heavy_ball", "kl_split", "langevin_bias", "mala_ratio", "noise_and_width", "width_of_fakes"]

mu, m, x, y = sp.symbols("mu m x y", real=True)
sigma, s, nu, w, eps = sp.symbols("sigma s nu w epsilon", positive=True)
PART_TWO = "Su Jianlin, archives/6331 (2019)"
CODE = "energy_based_generative_models, sampler.py"


def kl_split() -> Derivation:
    """The divergence of the fakes from the energy's law is entropy, mean energy and a constant."""
    q, u, big = sp.Symbol("q", positive=True), sp.Symbol("U", real=True), sp.Symbol("Z", positive=True)
    d = Derivation("kl-split", "Entropy appears by itself")
    d.given(sp.log(q / (sp.exp(-u) / big)), "the divergence of $q$ from $e^{-U}/Z$ is the mean of this over the fakes", name="log-ratio")
    d.equal(sp.log(q) + u + sp.log(big), "three terms: minus the entropy, the energy, and a constant for the generator", name="split")
    energy = d.given(
        ((mu - m) ** 2 + sigma**2) / (2 * s**2),
        "for normal fakes $x=\\mu+\\sigma z$ in the bowl $U=(x-m)^2/2s^2$, the mean energy, as $E z=0$, $E z^2=1$",
        name="mean-energy",
    )
    entropy = d.integrates(
        sp.log(sigma) + sp.log(2 * sp.pi) / 2 + sp.Rational(1, 2),
        (x**2 / 2 + sp.log(sigma) + sp.log(2 * sp.pi) / 2) * sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi),
        (x, -sp.oo, sp.oo),
        name="entropy",
        reason="their entropy, an integral over $z$: it knows $\\sigma$ alone",
    )
    d.equal(
        ((mu - m) ** 2 + sigma**2) / (2 * s**2) - sp.Rational(1, 2) + sp.log(s / sigma),
        to=-entropy.value + energy.value + sp.log(sp.sqrt(2 * sp.pi) * s),
        name="divergence",
        reason="together with $\\log Z=\\log\\sqrt{2\\pi}s$: the divergence between two normal laws",
    )
    return d


def width_of_fakes() -> Derivation:
    """With its entropy the generator finds the width of the energy's law; without, none at all."""
    d = Derivation("width-of-fakes", "What keeps the fakes apart", domain={mu: (-2, 2), m: (-2, 2), sigma: (0.2, 3), s: (0.3, 2)})
    mean = ((mu - m) ** 2 + sigma**2) / (2 * s**2)
    d.stationary(
        {mu: m, sigma: s},
        of=mean - sp.log(sigma),
        wrt=[mu, sigma],
        name="with-entropy",
        reason="the generator's loss with entropy: exactly the law of the energy",
    )
    d.differentiates(
        sigma / s**2,
        of=mean,
        wrt=sigma,
        name="without",
        reason="without it: the slope is positive at every width, so the fakes shrink to a point",
    )
    return d


def noise_and_width() -> Derivation:
    """The usual substitute for the entropy, the error of recovering z, is blind to width unless x is noisy."""
    gain, v = sp.Symbol("a", real=True), sp.Symbol("v", positive=True)
    box = {sigma: (0.2, 3), s: (0.8, 2), w: (0.5, 2), nu: (0.1, 0.4), gain: (-1, 2), v: (0.2, 2)}
    d = Derivation("noise-and-width", "Recovering z cannot see width", domain=box)
    error = d.given(
        (1 - gain * sigma) ** 2 + gain**2 * nu**2,
        "recover $z$ from $x=\\sigma z+\\nu\\xi$ by $ax$: what is left, $(1-a\\sigma)z-a\\nu\\xi$, has this mean square, for the "
        "two are independent",
        name="error",
    )
    d.stationary({gain: sigma / (sigma**2 + nu**2)}, of=error, wrt=[gain], name="best-gain", reason="the best factor")
    least = d.equal(
        nu**2 / (sigma**2 + nu**2), to=error.value.subs(gain, sigma / (sigma**2 + nu**2)), name="least-error", reason="and the least error"
    )
    d.limit(
        0,
        of=least,
        var=nu,
        to=0,
        direction="+",
        name="blind",
        reason="without noise it is 0 at every width: the term has no force against shrinking",
    )
    d.refutes(
        nu**2 / (sigma**2 + nu**2) + sp.log(sigma),
        to=nu**2 / (sigma**2 + nu**2),
        source=PART_TWO,
        reason="part two trades the entropy, which changes by $\\log\\sigma$, for this error up to a constant; here it changes by "
        "nothing of the kind",
        name="not-entropy",
    )
    d.equal(
        sp.log(2 * sp.pi * sp.E * nu**2) / 2,
        to=sp.log(2 * sp.pi * sp.E * (sigma**2 + nu**2)) / 2 - sp.log(1 + sigma**2 / nu**2) / 2,
        name="constant",
        reason="with noise of fixed size the claim is true of the exact $I(X;Z)$: $H(X)-I(X;Z)$ does not depend on $\\sigma$. It is the "
        "bound by squared errors that fails",
    )
    d.stationary(
        {v: nu * s * sp.sqrt(2 * w)},
        of=w * nu**2 / v + v / (2 * s**2),
        wrt=[v],
        name="optimum",
        reason="the loss with weight $w$ on the error, in $v=\\sigma^2+\\nu^2$: so $\\sigma^{\\star2}=\\nu s\\sqrt{2w}-\\nu^2$, which "
        "is 0 for $\\nu\\to0$ and differs from $s^2$ otherwise",
    )
    return d


def heavy_ball() -> Derivation:
    """When a ball with momentum overshoots the bottom of a pit."""
    beta, k, z = sp.Symbol("beta", positive=True), sp.Symbol("c", positive=True), sp.Symbol("z", positive=True)
    d = Derivation("heavy-ball", "When momentum overshoots", domain={beta: (0.05, 0.95), k: (0.02, 0.9), z: (0.3, 2), x: (-1, 1)})
    square = d.equal(
        z**2 - (1 + beta - k) * z + beta,
        to=(z**2 * x - z * x + k * z * x - beta * (z * x - x)) / x,
        name="roots",
        reason="in a parabola $U=\\kappa x^2/2$ try $x_t\\propto z^t$, with $c=\\eta\\kappa$",
    )
    middle = (1 + beta - k) / 2
    disc = d.equal(
        middle**2 - beta,
        to=-square.value.subs(z, middle),
        name="discriminant",
        reason="the roots are real or complex as this is positive or negative",
    )
    d.equal(
        ((1 - sp.sqrt(beta)) ** 2 - k) * ((1 + sp.sqrt(beta)) ** 2 - k) / 4,
        to=disc,
        name="factors",
        reason="it changes its sign at $c=(1-\\sqrt\\beta)^2$; complex roots mean oscillation about the bottom",
    )
    d.solves(
        {beta: (1 - sp.sqrt(k)) ** 2}, of=sp.Eq(disc.value, 0), name="threshold", reason="so the ball overshoots when $\\beta$ exceeds this"
    )
    d.equal(sp.Rational(81, 100), to=((1 - sp.sqrt(k)) ** 2).subs(k, sp.Rational(1, 100)), name="example", reason="at $\\eta\\kappa=0.01$")
    return d


def langevin_bias() -> Derivation:
    """Unadjusted Langevin steps sample a law that is too wide."""
    var = sp.Symbol("V", positive=True)
    d = Derivation("langevin-bias", "Langevin steps without a correction", domain={eps: (0.05, 1.5), var: (0.2, 3)})
    after = d.given(
        (1 - eps / 2) ** 2 * var + eps,
        "on $U=x^2/2$ a step shrinks $x$ by $\\varepsilon/2$ of itself and adds independent noise of variance $\\varepsilon$: "
        "the variance after it",
        name="one-step",
    )
    d.equal(var + eps - eps * (1 - eps / 4) * var, "against the variance before it", name="change")
    d.solves(
        {var: 1 / (1 - eps / 4)}, of=sp.Eq(var, after.value), name="fixed-point", reason="where it stays: above 1 at every finite step"
    )
    d.limit(1, of=1 / (1 - eps / 4), var=eps, to=0, direction="+", name="small-steps", reason="and 1 only in the limit")
    return d


def mala_ratio() -> Derivation:
    """The Metropolis correction with the right proposal density, with the printed one, and with none."""
    d = Derivation("mala-ratio", "Which law a corrected sampler samples", domain={eps: (0.05, 0.9), x: (-2, 2), y: (-2, 2)})

    def log_q(new: sp.Expr, old: sp.Expr, drift: sp.Expr) -> sp.Expr:
        return -((new - old + drift * old) ** 2) / (2 * eps)

    half, gap = eps / 2, (x**2 - y**2) / 2
    d.equal(
        (1 - eps / 4) * gap,
        to=log_q(y, x, half) - log_q(x, y, half),
        name="proposal",
        reason="$U=x^2/2$, proposal from $x$ to $y$. Going there is likelier than coming back by this logarithm: the proposals alone "
        "are in balance with the precision $1-\\varepsilon/4$",
    )
    right = d.equal(
        eps / 4 * gap,
        to=gap + log_q(x, y, half) - log_q(y, x, half),
        name="right",
        reason="the logarithm of the acceptance ratio: small, as it has only the discretisation to mend",
    )
    wrong = d.equal(
        -(1 - eps) * gap,
        to=gap + log_q(x, y, eps) - log_q(y, x, eps),
        name="printed",
        reason="the same with the printed drift $\\varepsilon$: of the opposite sign, so it prefers moves up the energy",
    )
    d.refutes(wrong.value, to=right, source=PART_TWO, reason="the printed density is not that of the proposal", name="not-equal")

    def precision(ratio: sp.Expr) -> sp.Expr:
        return (1 - eps / 4) + ratio / gap

    d.equal(
        sp.Integer(1),
        to=sp.cancel(precision(right.value)),
        name="law-right",
        reason="a ratio of the form $h(y)/h(x)$ multiplies the law by $h$: the precisions add, and the corrected chain has precision 1",
    )
    d.equal(
        3 * eps / 4,
        to=precision(wrong.value),
        name="law-printed",
        reason="the printed one samples a normal law of variance $4/3\\varepsilon$: the finer the step, the wilder",
    )
    d.equal(
        2 - eps / 4,
        to=precision(gap),
        name="law-none",
        reason="without any density in the ratio the energy counts twice: nearly $e^{-2U}$, a hidden truncation",
    )
    return d
