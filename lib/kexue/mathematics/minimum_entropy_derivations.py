"""The derivations of the chapter on minimum entropy: what an arrangement costs, what its gradient is, and what word2vec converges to.

Those about shelves, readers and maps are in :mod:`kexue.mathematics.minimum_entropy_proofs`; ``DERIVATIONS`` lists all of them in the
chapter's order.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from kexue.derivation import Derivation
from kexue.mathematics.minimum_entropy_proofs import (
    adjacent_swap,
    crowding,
    one_principle_of_maps,
    reader_near_the_entrance,
    slowest_mode,
    tied_chain,
)

__all__ = [
    "DERIVATIONS",
    "adjacent_swap",
    "cost_and_floor",
    "crowding",
    "distance_as_biased_dot",
    "gradients",
    "one_principle_of_maps",
    "reader_near_the_entrance",
    "sgns_road",
    "slowest_mode",
    "tied_chain",
]


def cost_and_floor() -> Derivation:
    """The cost is the conditional entropy plus a mean divergence, and a divergence is never negative."""
    c, q, p, n = sp.symbols("c q p N", positive=True)
    s = sp.symbols("s1:4", real=True)
    box = {c: (0.05, 0.95), q: (0.05, 0.95), p: (0.1, 0.9), n: (2, 50), **{v: (-2, 2) for v in s}}
    d = Derivation("cost-and-floor", "What a visit costs, and the least it can cost", domain=box)

    def bit(a: sp.Expr, b: sp.Expr) -> sp.Expr:
        """Cross-entropy of (a, 1 - a) against (b, 1 - b)."""
        return -a * sp.log(b) - (1 - a) * sp.log(1 - b)

    kl = c * sp.log(c / q) + (1 - c) * sp.log((1 - c) / (1 - q))
    d.equal(
        bit(c, c) + kl,
        to=bit(c, q),
        name="split",
        reason="One row: after item $i$ the next is 1 or 2, with probability $c$ or $1-c$; the shelf predicts $q$. Write $\\log q=\\log c-"
        "\\log(c/q)$: the price of a visit is its own uncertainty plus a divergence",
    )
    slope = d.differentiates(
        (q - c) / (q * (1 - q)),
        of=kl,
        wrt=q,
        name="slope",
        reason="The divergence as a function of the prediction falls while $q<c$ and rises while $q>c$",
    )
    d.solves(sp.Eq(q, c), of=sp.Eq(slope.value, 0, evaluate=False), name="best", reason="Its only stationary point is the truth")
    d.limit(
        0,
        of=kl,
        var=q,
        to=c,
        name="gibbs",
        reason="where it is 0, so it is positive everywhere else (Gibbs). Averaged over the rows with weights $p(i)$: "
        "$S=H(J|I)+\\sum_ip(i)\\,\\mathrm{KL}_i\\ge H(J|I)$",
    )
    total = sum(sp.exp(v) for v in s)
    log_q = [v - sp.log(total) for v in s]
    d.equal(
        sp.log(total) - p * s[0] - (1 - p) * s[1],
        to=-p * log_q[0] - (1 - p) * log_q[1],
        name="scores",
        reason="With a softmax of scores (three items, seen with shares $p$, $1-p$ and 0) the normaliser comes out of the sum, for the "
        "shares sum to 1. The first term pushes all scores down together, the others pull up the pairs that were seen: this replaces "
        "the least distance between books",
    )
    d.equal(
        sp.log(n),
        to=-n * sp.log(1 / n) / n,
        name="no-order",
        reason="If all scores are equal, as with all vectors at the origin, each of $N$ items has $q=1/N$ and the visit costs $\\log N$: "
        "the collapsed library is worth no more than a blind guess",
    )
    return d


def distance_as_biased_dot() -> Derivation:
    """The distance softmax is the inner-product softmax with a bias for items near the entrance."""
    u = sp.symbols("u1:3", real=True)
    v = sp.symbols("v1:3", real=True)
    w = sp.symbols("w1:3", real=True)
    r = sp.Symbol("r", real=True)
    d = Derivation("distance-as-biased-dot", "A distance is an inner product and a walk", domain={x: (-1.5, 1.5) for x in (*u, *v, *w, r)})

    def dot(a: tuple[sp.Symbol, ...], b: tuple[sp.Symbol, ...]) -> sp.Expr:
        return sum(x * y for x, y in zip(a, b, strict=True))

    def apart(a: tuple[sp.Symbol, ...], b: tuple[sp.Symbol, ...]) -> sp.Expr:
        return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))

    d.equal(
        2 * dot(u, v) - dot(v, v) - dot(u, u),
        to=-apart(u, v),
        name="expand",
        reason="Expand the square of the distance between the reader's book $u$ and the next book $v$",
    )
    d.equal(
        sp.exp(v[0]) / (sp.exp(v[0]) + sp.exp(w[0])),
        to=sp.exp(v[0] - r) / (sp.exp(v[0] - r) + sp.exp(w[0] - r)),
        name="shift",
        reason="A softmax does not notice a constant $r$ taken from all scores of its row. $\\|u\\|^2$ is such a constant: the reader "
        "stands "
        "where they stand",
    )
    d.equal(
        2 * dot(u, v) - dot(v, v) - (2 * dot(u, w) - dot(w, w)),
        to=-apart(u, v) + apart(u, w),
        name="odds",
        reason="So the log-odds of two candidates $v$ and $w$ are those of inner products, each with a bias $-\\|v\\|^2$: a book near the "
        "entrance has the odds on its side, whoever asks",
    )
    d.equal(
        2 * dot(u, v) - 2 * dot(u, w),
        to=-apart(u, v) + dot(v, v) + apart(u, w) - dot(w, w),
        name="without",
        reason="Take the bias away and inner products are left. The walk to the entrance is the whole difference between the two models",
    )
    x = sp.Symbol("x", real=True)
    d.differentiates(
        sp.Integer(-2),
        of=2 - 2 * x,
        wrt=x,
        name="sign",
        reason="On a sphere, $\\|u\\|=\\|v\\|=1$, the squared distance is $2-2x$ with $x=\\langle u,v\\rangle$: it falls as the inner "
        "product grows. What is close must have a large inner product",
    )
    return d


def gradients() -> Derivation:
    """The gradients of both tied models, for three items on a line; of each cost only the terms that hold the variable are written."""
    v, s = sp.symbols("v1:4", real=True), sp.symbols("s1:4", real=True)
    p1, p12 = sp.symbols("p1 p12", positive=True)
    m11, with2, with3 = sp.symbols("M11 N12 N13", real=True)
    box = {**{x: (-1, 1) for x in (*v, *s, m11, with2, with3)}, p1: (0.3, 0.9), p12: (0.05, 0.3)}
    d = Derivation("gradients", "Springs between items", domain=box)
    total = sum(sp.exp(x) for x in s)
    d.differentiates(
        p1 * sp.exp(s[1]) / total - p12,
        of=p1 * sp.log(total) - p12 * s[1],
        wrt=s[1],
        name="score",
        reason="The cost of the visits that begin with item 1, as a function of the score $s_2$ of item 2 (terms without it are left out): "
        "the slope is predicted minus observed, $M_{12}=p(1)\\,q(2|1)-p(1,2)$",
    )
    d.differentiates(
        2 * m11 * v[0] + with2 * v[1] + with3 * v[2],
        of=m11 * v[0] ** 2 + with2 * v[0] * v[1] + with3 * v[0] * v[2],
        wrt=v[0],
        name="dot",
        reason="So a small change of the scores changes the cost by $\\sum M_{ij}\\,ds_{ij}$ (chain rule, $M$ held still). Let "
        "$N_{ij}=M_{ij}+M_{ji}$. Tied inner products, $s_{ij}=v_iv_j$: item 1 stands in its row and in its column, "
        "$\\partial S/\\partial v_i=\\sum_jN_{ij}v_j$ (three items, one dimension; coordinates are alike)",
    )
    d.differentiates(
        -2 * with2 * (v[0] - v[1]) - 2 * with3 * (v[0] - v[2]),
        of=-with2 * (v[0] - v[1]) ** 2 - with3 * (v[0] - v[2]) ** 2,
        wrt=v[0],
        name="distance",
        reason="Distances: with $W=-M$ it is $2\\sum_j(W_{ij}+W_{ji})(v_i-v_j)$, a spring for each pair. It pulls where a pair is seen "
        "more often than predicted and pushes where it is seen less often. This is the gradient of SNE",
    )
    return d


def sgns_road() -> Derivation:
    """From the cost to word2vec: free scores, then the optimum of negative sampling."""
    n, k, a, b, t, x = sp.symbols("n k a b T x", positive=True)
    box = {n: (1, 40), k: (1, 20), a: (5, 90), b: (5, 90), t: (100, 900), x: (0.1, 2)}
    d = Derivation("sgns-road", "What word2vec converges to", domain=box)
    s = sp.Symbol("s", real=True)
    r = sp.Symbol("r", real=True)
    c = sp.symbols("c1 c2", positive=True)
    d.equal(
        c[0],
        to=sp.exp(sp.log(c[0]) + r) / (sp.exp(sp.log(c[0]) + r) + sp.exp(sp.log(1 - c[0]) + r)),
        name="free",
        reason="Full softmax, scores free: the floor is reached by $s_{ij}=\\log c(j|i)+r_i$ with any $r_i$, which the row's softmax "
        "removes",
    )
    d.equal(
        sp.log(n * t / (a * b)) + sp.log(b / t),
        to=sp.log(n / a),
        name="pmi-plus-popularity",
        reason="A pair seen $n$ times among $T$, its first word $a$ times, its second $b$ times: $\\log c(j|i)$ is the pointwise mutual "
        "information plus the log-popularity of the second word. Inner products must carry both; in a distance the walk to the "
        "entrance can carry the popularity and leave the inner product to the information",
    )
    value = -n * sp.log(1 / (1 + sp.exp(-s))) - k * a * b / t * sp.log(1 / (1 + sp.exp(s)))
    slope = d.differentiates(
        (n + k * a * b / t) / (1 + sp.exp(-s)) - n,
        of=value,
        wrt=s,
        name="slope",
        reason="Negative sampling, the same pair: noise offers it $kab/T$ times. The derivative of "
        "$-n\\log\\sigma(s)-\\frac{kab}T\\log\\sigma(-s)$",
    )
    optimum = sp.log(n * t / (a * b)) - sp.log(k)
    d.solves(
        sp.Eq(s, optimum, evaluate=False),
        of=sp.Eq(slope.value, 0, evaluate=False),
        name="optimum",
        reason="It vanishes at $\\log\\frac{nT}{ab}-\\log k$: pointwise mutual information minus a constant",
    )
    d.differentiates(
        (n + k * a * b / t) * sp.exp(-s) / (1 + sp.exp(-s)) ** 2,
        of=slope,
        wrt=s,
        name="convex",
        reason="The second derivative is positive, so this is the minimum",
    )
    gamma = sp.Symbol("gamma", positive=True)
    z = sp.Symbol("Z", positive=True)
    d.equal(
        sp.log(n * t / (a * b)) - sp.log(k) + (1 - gamma) * sp.log(b) + sp.log(z / t),
        to=sp.log(n / (k * a * b**gamma / z)),
        name="smoothed",
        reason="word2vec draws its noise with $p_n(j)\\propto\\#(j)^\\gamma$, $\\gamma=3/4$ and $Z=\\sum_j\\#(j)^\\gamma$. The same "
        "calculation "
        "gives PMI minus $\\log k$ plus a bonus $(1-\\gamma)\\log\\#(j)$ for frequent contexts",
    )
    return d


DERIVATIONS: tuple[Callable[[], Derivation], ...] = (
    adjacent_swap,
    slowest_mode,
    cost_and_floor,
    distance_as_biased_dot,
    reader_near_the_entrance,
    gradients,
    sgns_road,
    tied_chain,
    one_principle_of_maps,
    crowding,
)
