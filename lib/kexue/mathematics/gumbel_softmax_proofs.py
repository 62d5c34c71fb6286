"""Proofs about estimators that see only a one-hot draw: what straight-through, Rao-Blackwell, ReinMax and leave-one-out guarantee.

One latent with three classes is enough to meet every term; ``p3`` is written as ``1 - p1 - p2``.
"""

from __future__ import annotations

import sympy as sp

from kexue.derivation import Derivation

__all__ = ["leave_one_out", "rao_blackwell", "reinmax_quadratic", "straight_through_linear"]

P1, P2 = sp.symbols("p1 p2", positive=True)
P = (P1, P2, 1 - P1 - P2)
SIMPLEX = {P1: (0.1, 0.6), P2: (0.1, 0.35)}


def _row(q: tuple[sp.Expr, ...]) -> list[sp.Expr]:
    """The first row of the softmax Jacobian ``diag(q) - q q^T``."""
    return [q[0] * (sp.Integer(int(j == 0)) - q[j]) for j in range(3)]


def straight_through_linear() -> Derivation:
    """For a linear function the straight-through gradient is the exact one, whatever was drawn."""
    o, c = sp.symbols("o1:4", real=True), sp.symbols("c1:4", real=True)
    d = Derivation("straight-through-linear", "Straight-through on a linear f", domain={s: (-1.5, 1.5) for s in (*o, *c)})
    total = sum(sp.exp(s) for s in o)
    p = [sp.exp(s) / total for s in o]
    objective = sum(q * v for q, v in zip(p, c, strict=True))
    exact = d.differentiates(
        p[0] * (c[0] - objective),
        of=objective,
        wrt=o[0],
        name="exact",
        reason="The exact objective is $\\sum p_ic_i$ with $p=\\softmax(o)$; its derivative in $o_1$ is $p_1(c_1-\\sum p_ic_i)$",
    )
    d.equal(
        sum(p[0] * (int(j == 0) - p[j]) * c[j] for j in range(3)),
        to=exact,
        name="straight-through",
        reason="Straight-through multiplies $\\nabla f=c$ by the first row of the softmax Jacobian: the same number, and no draw "
        "occurs in it",
    )
    return d


def rao_blackwell() -> Derivation:
    """The law of a loser's value given the winner's, and a draw from it."""
    m, x = sp.symbols("m x", real=True)
    p, t, e = sp.symbols("p t E", positive=True)
    d = Derivation("rao-blackwell", "Gumbel draws given who won", domain={m: (0.5, 2), x: (-1.5, 0.4), p: (0.1, 0.9), e: (0.2, 3)})
    d.equal(
        sp.exp(-p * (sp.exp(-x) - sp.exp(-m))),
        to=sp.exp(-sp.exp(-(x - sp.log(p)))) / sp.exp(-sp.exp(-(m - sp.log(p)))),
        name="cut-off",
        reason="A loser's value $\\log p+G$, given only that it stays below the winner's value $m$: the distribution function of "
        "the cut-off law",
    )
    level = p * (sp.exp(-x) - sp.exp(-m))
    d.solves(
        {x: -sp.log(e / p + sp.exp(-m))},
        of=sp.Eq(e, level, evaluate=False),
        name="inverse",
        reason="This value falls as $E$ grows, and it equals $x$ where $E=p(e^{-x}-e^{-m})$",
    )
    d.integrates(
        sp.exp(-p * (sp.exp(-x) - sp.exp(-m))),
        sp.exp(-t),
        (t, level, sp.oo),
        name="draw",
        reason="So it is at most $x$ when an exponential $E$ exceeds that level: the same distribution function, hence an exact "
        "conditional draw",
    )
    d.limit(
        m,
        of=-sp.log(e / p + sp.exp(-m)),
        var=e,
        to=0,
        direction="+",
        name="ceiling",
        reason="It never passes the winner: $E\\to0$ gives $m$ itself",
    )
    return d


def reinmax_quadratic() -> Derivation:
    """ReinMax is unbiased for every quadratic function; straight-through differentiates the function at the mean."""
    a11, a12, a22 = sp.symbols("a11 a12 a22", real=True)
    t = sp.Symbol("t", positive=True)
    g1, g2, s = sp.symbols("g1 g2 s", real=True)
    box = {**SIMPLEX, t: (0.1, 0.9), **{x: (-2, 2) for x in (g1, g2, s, a11, a12, a22)}}
    d = Derivation("reinmax-quadratic", "ReinMax on a quadratic f", domain=box)
    d.integrates(
        (g1 + g2) / 2,
        g1 + t * (g2 - g1),
        (t, 0, 1),
        name="trapezoid",
        reason="Along the edge from $e_j$ to $e_i$ the slope of a quadratic runs straight from $g_1$ to $g_2$: the difference "
        "$f(e_i)-f(e_j)$ is the mean "
        "of the slopes at the two ends, and the trapezoidal rule is exact",
    )

    def pretended(first: sp.Expr, drawn: sp.Expr) -> sp.Expr:
        """First row of 2 J(q) - J(p)/2 times g, with q = (p + D)/2: q_1 is ``first``, and D takes the entry ``drawn`` of g."""
        return 2 * first * (g1 - (s + drawn) / 2) - P1 * (g1 - s) / 2

    d.equal(
        P1 * (g1 - g2) / 2,
        to=pretended(P1 / 2, g2),
        name="loser",
        reason="Multiply the first row of $2J(\\tfrac{p+D}2)-\\tfrac12J(p)$ by $g=\\nabla f(D)$, with $s=\\sum_ip_ig_i$. If class 2 is "
        "drawn, what remains is half of $p_1$ times the slope along the edge from $e_2$ to $e_1$, at its end $e_2$; so for every class "
        "but the first",
    )
    d.equal(
        (g1 - s) / 2,
        to=pretended((P1 + 1) / 2, g1),
        name="winner",
        reason="If class 1 is drawn: half of the mean, with weights $p_i$, of the slopes along the edges from $e_i$ to $e_1$, at their "
        "end $e_1$. Average over the draws: each edge meets both of its ends with the weight $\\frac12p_1p_i$, and by the trapezoidal rule "
        "the mean is $p_1\\sum_ip_i(f(e_1)-f(e_i))$, the exact derivative in $o_1$",
    )
    slopes = (a11 - a12, a12 - a22)  # of f = y^T A y / 2 along the edge, at e_1 and at e_2
    d.equal(
        (a11 * P1 + a12 * (1 - P1)) - (a12 * P1 + a22 * (1 - P1)),
        to=P1 * slopes[0] + (1 - P1) * slopes[1],
        name="mean-field",
        reason="Straight-through instead, here for two classes and $f=\\frac12y^\\top Ay$, averages the slopes at the two ends with "
        "weights $p_1$, $p_2=1-p_1$. That is the slope at $p$ itself; times $p_1p_2$ it is the derivative of $f(\\E D)$, the right answer "
        "to another question",
    )
    return d


def leave_one_out() -> Derivation:
    """The leave-one-out estimator: its two forms, and why its baseline costs no bias."""
    f, s = sp.symbols("f1:4", real=True), sp.symbols("s1:4", real=True)
    d = Derivation(
        "leave-one-out", "A baseline made of the other draws", domain={**SIMPLEX, **{v: (-2, 2) for v in (*f, *s)}}, where=[P1 + P2 < 1]
    )
    mean = sum(f) / 3
    d.equal(
        sum((f[k] - mean) * s[k] for k in range(3)) / 2,
        to=sum((f[k] - (sum(f) - f[k]) / 2) * s[k] for k in range(3)) / 3,
        name="two-forms",
        reason="Three draws with values $f_k$ and scores $s_k$: the mean of the others as baseline is the common mean with "
        "$1/(K-1)$ for $1/K$",
    )
    score = [int(j == 0) - P1 for j in range(3)]
    d.equal(
        sp.Integer(0),
        to=sum(p * v for p, v in zip(P, score, strict=True)),
        name="score-mean",
        reason="The score in $o_1$ is $1-p_1$ for class 1 and $-p_1$ for the others; its mean is zero",
    )
    d.equal(
        sp.Integer(0),
        to=sum(P[i] * P[j] * f[j] * score[i] for i in range(3) for j in range(3)),
        name="no-bias",
        reason="The value of one draw times the score of another independent draw averages to zero: the baseline adds no bias",
    )
    d.equal(
        P1 * (f[0] - sum(p * v for p, v in zip(P, f, strict=True))),
        to=sum(P[i] * f[i] * score[i] for i in range(3)),
        name="exact",
        reason="What remains is the score-function mean, which is the exact derivative $p_1(f_1-\\sum p_if_i)$",
    )
    return d
