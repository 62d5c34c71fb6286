r"""Proofs about the linear case: the linear beta-VAE is reverse water-filling, and the Gaussian bottleneck is another filling.

One coordinate has data variance :math:`\lambda`, encoder ``z = a x + s noise``, decoder ``w z`` with variance :math:`\sigma^2` (the
symbol ``v``), price :math:`\beta`, and water level :math:`D=\beta\sigma^2`.
"""

from __future__ import annotations

import sympy as sp

from kexue.derivation import Derivation, Step

__all__ = ["collapse", "evidence", "filling", "gaussian_bottleneck", "linear_vae", "rotation"]

LAM, V, BETA, S = sp.symbols("lambda v beta s", positive=True)
A, W = sp.symbols("a w", real=True)
D = BETA * V
BOX = {LAM: (1.2, 4), V: (0.2, 0.9), BETA: (0.3, 1.2), S: (0.2, 1.5), A: (-1, 1), W: (-1.5, 1.5)}
ERROR = (1 - W * A) ** 2 * LAM + W**2 * S**2
RATE = (A**2 * LAM + S**2 - 1 - sp.log(S**2)) / 2
LOSS = ERROR / (2 * V) + BETA * RATE
OPTIMUM = {A: sp.sqrt(LAM - D) / LAM, W: sp.sqrt(LAM - D), S: sp.sqrt(D / LAM)}


def _profile(d: Derivation) -> Step:
    """The best encoder for a given decoder, and the loss that remains as a function of the decoder alone."""
    d.given(
        LOSS,
        "Squared error over $2\\sigma^2$ (written $v=\\sigma^2$) plus $\\beta$ times the rate of the code $z=ax+s\\varepsilon$",
        name="loss",
    )
    d.stationary(
        {A: W / (W**2 + D), S: sp.sqrt(D / (W**2 + D))},
        of=LOSS,
        wrt=[A, S],
        name="encoder",
        reason="For a given decoder both slopes of the encoder vanish at one point, $D=\\beta v$: it is Bayes' posterior for noise of "
        "variance $D$",
    )
    d.differentiates((W**2 + D) * LAM / V, of=LOSS, wrt=A, n=2, name="convex-a", reason="It is a minimum: the loss is a parabola in $a$,")
    d.differentiates(W**2 / V + BETA + BETA / S**2, of=LOSS, wrt=S, n=2, name="convex-s", reason="convex in $s$, and no term has both")
    m = sp.Symbol("m", positive=True)
    best = LOSS.subs({A: W / (W**2 + D), S: sp.sqrt(D / (W**2 + D))})
    return d.equal(
        BETA / 2 * (LAM / m + sp.log(m / D)),
        to=best.subs(W, sp.sqrt(m - D)),
        name="profile",
        reason="Insert it. In $m=w^2+D$, the variance that the decoder gives to the data, all that is left is the likelihood of a variance",
    )


def linear_vae() -> Derivation:
    """The optimum of the linear beta-VAE in one coordinate, and its rate, distortion and marginal."""
    m = sp.Symbol("m", positive=True)
    d = Derivation("linear-vae", "The linear beta-VAE fills with water", domain={**BOX, m: (1.1, 5)}, where=[LAM > D, m > D])
    profile = _profile(d)
    d.stationary(
        {m: LAM},
        of=profile,
        name="match",
        reason="Its only flat point: model and data have the same variance. It can be reached if $\\lambda>D$",
    )
    d.stationary(
        OPTIMUM,
        of=LOSS,
        name="optimum",
        reason="So $w=\\sqrt{\\lambda-D}$, and with the encoder above: all three slopes of the loss vanish here",
    )
    d.equal(
        sp.log(LAM / D) / 2,
        to=RATE.subs(OPTIMUM),
        name="rate",
        reason="The rate at the optimum: half a logarithm of height over level",
    )
    d.equal(
        D, to=ERROR.subs(OPTIMUM), name="distortion", reason="The squared error at the optimum is the level itself, whatever the height"
    )
    d.identity(
        sp.Eq((A**2 * LAM).subs(OPTIMUM), 1 - D / LAM, evaluate=False),
        "The mean of the code has variance $a^2\\lambda=1-D/\\lambda$; its noise adds $s^2=D/\\lambda$: together exactly one, the prior's",
        name="marginal",
    )
    d.equal(
        sp.log(LAM / D) / 2,
        to=sp.log(1 + A**2 * LAM / S**2).subs(OPTIMUM) / 2,
        name="tight",
        reason="The true information of this channel, $\\frac12\\log(1+\\text{signal}/\\text{noise})$, equals the rate: the bound is tight",
    )
    d.equal(BETA / 2 * (1 + sp.log(LAM / D)), to=LOSS.subs(OPTIMUM), name="value", reason="and the loss has this value")
    return d


def collapse() -> Derivation:
    """Below the water level the code that says nothing is the minimum; the curvature changes sign exactly at the level."""
    m = sp.Symbol("m", positive=True)
    d = Derivation("collapse", "Where a coordinate goes silent", domain={**BOX, m: (1.1, 5)}, where=[m > D])
    silent = {A: 0, W: 0, S: 1}
    d.stationary(
        silent,
        of=LOSS,
        name="silent",
        reason="The code that says nothing is always flat: encoder and decoder are zero, and the error is the whole variance",
    )
    d.differentiates(BETA * LAM, of=LOSS.subs({W: 0, S: 1}), wrt=A, n=2, name="along-a", reason="Its curvature along $a$,")
    d.differentiates(1 / V, of=LOSS.subs({A: 0, S: 1}), wrt=W, n=2, name="along-w", reason="along $w$")
    mixed = LOSS.diff(A).subs({A: 0, S: 1})
    d.differentiates(-LAM / V, of=mixed, wrt=W, name="mixed", reason="and mixed, from the slope in $a$")
    d.equal(
        LAM * (D - LAM) / V**2,
        to=sp.hessian(LOSS, (A, W)).subs(silent).det(),
        name="determinant",
        reason="The determinant is positive for $\\lambda<D$, a minimum, and negative for $\\lambda>D$, a saddle: the sign changes "
        "exactly at "
        "the level",
    )
    d.differentiates(
        BETA / 2 * (m - LAM) / m**2,
        of=BETA / 2 * (LAM / m + sp.log(m / D)),
        wrt=m,
        name="uphill",
        reason="It is the global minimum: what is left of the loss once the encoder is at its best rises with $m$ beyond "
        "$\\lambda$, and $m=w^2+D$ "
        "cannot be less than $D$",
    )
    return d


def filling() -> Derivation:
    """Many directions: a common level minimises the rate for a given error, and the slope of the curve is read off the level."""
    l1, l2, l3, mu, t = sp.symbols("lambda1 lambda2 lambda3 mu t", positive=True)
    e1, e2, e = sp.symbols("d1 d2 e", positive=True)
    d = Derivation(
        "filling",
        "One level for all directions",
        domain={l1: (2, 4), l2: (1, 2), l3: (0.05, 0.2), mu: (0.6, 2), t: (0.3, 0.9), e1: (0.1, 1), e2: (0.1, 1), e: (0.5, 2)},
    )
    total = sp.log(l1 / e1) / 2 + sp.log(l2 / e2) / 2
    d.stationary(
        {e1: 1 / (2 * mu), e2: 1 / (2 * mu)},
        of=total + mu * (e1 + e2),
        name="level",
        reason="Shannon's problem: spend the fewest nats $\\sum\\frac12\\log(\\lambda_i/d_i)$ for a given total error. With a "
        "multiplier $\\mu$ both errors "
        "come out equal, whatever the heights: a water level",
    )
    d.differentiates(
        1 / (2 * e1**2), of=total + mu * (e1 + e2), wrt=e1, n=2, name="convex", reason="It is the minimum: the sum is convex in each error"
    )
    rate = sp.log(l1 / t) / 2 + sp.log(l2 / t) / 2
    d.differentiates(
        -1 / t,
        of=rate,
        wrt=t,
        name="rate-slope",
        reason="Two directions above the level $t$: as it rises the rate falls like this, $-k/2t$ for $k$ of them",
    )
    d.differentiates(
        2 + 0 * t,
        of=2 * t + l3,
        wrt=t,
        name="error-slope",
        reason="while the error, with a third direction drowned at $\\lambda_3$, grows by the number of coded directions",
    )
    d.differentiates(
        -1 / (e - l3),
        of=rate.subs(t, (e - l3) / 2),
        wrt=e,
        name="slope",
        reason="So as a function of the error $e=2t+\\lambda_3$ the rate has this slope. It is $-1/2t$: the number of directions cancels, "
        "and the curve has no kinks",
    )
    return d


def evidence() -> Derivation:
    """With a price of one the best linear ELBO is the log-likelihood itself: probabilistic principal component analysis."""
    m, x = sp.Symbol("m", positive=True), sp.Symbol("x", real=True)
    d = Derivation("evidence", "At a price of one the bound is the likelihood", domain={**BOX, m: (1.1, 5), x: (-3, 3)}, where=[m > V])
    density = sp.exp(-(x**2) / (2 * m)) / sp.sqrt(2 * sp.pi * m)
    d.equal(
        -sp.log(2 * sp.pi * m) / 2 - x**2 / (2 * m),
        to=sp.log(density),
        name="log-density",
        reason="The decoder $x=wz+\\text{noise}$ gives $x$ a normal law of variance $m=w^2+\\sigma^2$",
    )
    likelihood = d.integrates(
        -sp.log(2 * sp.pi * m) / 2 - LAM / (2 * m),
        (-sp.log(2 * sp.pi * m) / 2 - x**2 / (2 * m)) * sp.exp(-(x**2) / (2 * LAM)) / sp.sqrt(2 * sp.pi * LAM),
        (x, -sp.oo, sp.oo),
        name="likelihood",
        reason="Average over data of variance $\\lambda$",
    )
    d.equal(
        -(LAM / m + sp.log(m / V)) / 2 - sp.log(2 * sp.pi * V) / 2,
        to=likelihood,
        name="bound",
        reason="This is minus the loss at $\\beta=1$ with the best encoder, and the decoder's constant: the ELBO has no gap, for every $w$",
    )
    return d


def rotation() -> Derivation:
    """What it costs to turn a code: the diagonal posterior can no longer match the true one."""
    l1, l2 = sp.symbols("lambda1 lambda2", positive=True)
    phi = sp.Symbol("phi", real=True)
    d = Derivation("rotation", "Why a linear VAE finds the axes", domain={l1: (1, 4), l2: (0.3, 2), phi: (0.1, 1.4)})
    turn = sp.Matrix([[sp.cos(phi), -sp.sin(phi)], [sp.sin(phi), sp.cos(phi)]])
    precision = turn * sp.diag(l1, l2) * turn.T
    d.equal(
        l1 * l2,
        to=precision[0, 0] * precision[1, 1] - precision[0, 1] ** 2,
        name="determinant",
        reason="In a code turned by $\\phi$ the true posterior has the precision $Q\\Lambda Q^\\top/D$. Times $D$ its determinant is "
        "what it was,",
    )
    d.equal(
        l1 * l2 + (l1 - l2) ** 2 * sp.sin(2 * phi) ** 2 / 4,
        to=precision[0, 0] * precision[1, 1],
        name="product",
        reason="but the product of its diagonal is larger, unless the heights are equal or the axes are met",
    )
    u1, u2 = sp.symbols("u1 u2", positive=True)
    d.stationary(
        {u1: 1 / precision[0, 0], u2: 1 / precision[1, 1]},
        of=(precision[0, 0] * u1 + precision[1, 1] * u2 - 2 - sp.log(u1 * u2 * l1 * l2)) / 2,
        wrt=[u1, u2],
        name="diagonal",
        reason="The best diagonal posterior has one over these entries as variances (divergence of a diagonal normal law from the "
        "true one),",
    )
    d.equal(
        sp.log(1 + (l1 - l2) ** 2 * sp.sin(2 * phi) ** 2 / (4 * l1 * l2)) / 2,
        to=sp.log(precision[0, 0] * precision[1, 1] / (l1 * l2)) / 2,
        name="price",
        reason="and what remains is the price of the turn in nats, times $\\beta$ in the loss: zero only where the axes are met",
    )
    return d


def gaussian_bottleneck() -> Derivation:
    """The Gaussian information bottleneck curve by composing correlations, its slope and its threshold."""
    r, rho, kept, b = sp.symbols("r rho I b", positive=True)
    box = {r: (0.2, 0.9), rho: (0.5, 0.95), kept: (0.1, 2), b: (4.5, 9)}
    d = Derivation("gaussian-bottleneck", "The best code of a normal input", domain=box, where=[b * rho**2 > 1])
    d.solves(
        {r: sp.sqrt(1 - sp.exp(-2 * kept))},
        of=sp.Eq(kept, -sp.log(1 - r**2) / 2, evaluate=False),
        name="correlation",
        reason="A code $t$ of $x$ with correlation $r$ holds $I=-\\frac12\\log(1-r^2)$ nats; turned round",
    )
    curve = d.equal(
        -sp.log(1 - rho**2 + rho**2 * sp.exp(-2 * kept)) / 2,
        to=(-sp.log(1 - rho**2 * r**2) / 2).subs(r, sp.sqrt(1 - sp.exp(-2 * kept))),
        name="curve",
        reason="The code sees $y$ through $x$ alone, so the correlations multiply, $\\operatorname{corr}(t,y)=r\\rho$, and the same "
        "formula gives the information about $y$",
    )
    slope = d.differentiates(
        rho**2 / (rho**2 + (1 - rho**2) * sp.exp(2 * kept)),
        of=curve,
        wrt=kept,
        name="slope",
        reason="What one more nat about $x$ tells about $y$",
    )
    d.limit(
        rho**2,
        of=slope,
        var=kept,
        to=0,
        direction="+",
        name="threshold",
        reason="The first nat is the best and tells $\\rho^2$: unless $b>1/\\rho^2$, keeping nothing is optimal",
    )
    d.solves(
        {kept: sp.log((b - 1) * rho**2 / (1 - rho**2)) / 2},
        of=sp.Eq(slope.value, 1 / b, evaluate=False),
        name="optimum",
        reason="Beyond that keep nats until the slope has fallen to $1/b$: again half a logarithm of a height, $\\rho^2/(1-\\rho^2)$, "
        "over a level, $1/(b-1)$",
    )
    d.limit(
        -sp.log(1 - rho**2) / 2,
        of=curve,
        var=kept,
        to=sp.oo,
        name="ceiling",
        reason="However much is kept, no more can be told than $x$ itself tells",
    )
    return d
