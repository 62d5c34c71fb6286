"""Proofs about shelves, readers and maps: the swap of two books, the slowest mode, the reader's place, tied chains, t-SNE, crowding."""

from __future__ import annotations

import sympy as sp

from kexue.derivation import Derivation

__all__ = ["adjacent_swap", "crowding", "one_principle_of_maps", "reader_near_the_entrance", "slowest_mode", "tied_chain"]


def adjacent_swap() -> Derivation:
    """What a swap of two neighbours changes, and the mean cost of a random order."""
    p1, p2, x, g, a, b = sp.symbols("p_i p_j x g a b", positive=True)
    d = Derivation("adjacent-swap", "Swapping two books", domain={p1: (0.1, 0.9), p2: (0.1, 0.9), x: (1, 5), g: (0.1, 2)})
    d.equal(
        (p1 - p2) * g,
        to=p1 * (x + g) + p2 * x - p1 * x - p2 * (x + g),
        name="entrance",
        reason="Book $i$ stands at distance $x$ from the entrance and $j$ at $x+g$. After the swap the way in has changed by "
        "$(p_i-p_j)g$: an order that is not by popularity can be improved by swapping two neighbours, so with $\\beta=0$ popularity is "
        "best",
    )
    d.equal(
        (a - b) * g,
        to=a * (x + g) + b * x - a * x - b * (x + g),
        name="left",
        reason="A third book, to the left of both at distance $x$ from $i$, is borrowed with $i$ at rate $a$ and with $j$ at rate $b$: "
        "the walks "
        "change by $(a-b)g$",
    )
    d.equal(
        -(a - b) * g,
        to=a * x + b * (x + g) - a * (x + g) - b * x,
        name="right",
        reason="To the right of both it is the other way round. The walk between $i$ and $j$ itself does not change. So each third book "
        "votes for the member of the pair that it is borrowed with",
    )
    n, k, m = sp.symbols("N k m", integer=True, positive=True)
    d.equal(
        (n + 1) / 2,
        to=sp.Sum(k, (k, 1, n)).doit() / n,
        name="mean-place",
        reason="In a random order of $N$ books on the places $1,\\dots,N$ a book stands at the mean place",
    )
    d.equal(
        (n + 1) / 3,
        to=sp.Sum(sp.expand(2 * m * (n - m)), (m, 1, n - 1)).doit() / (n * (n - 1)),
        name="mean-walk",
        reason="and two books are $m$ apart in $2(N-m)$ of $N(N-1)$ cases. Together: a random order costs $\\frac56(N+1)$ whatever the "
        "records say, if nobody takes a book twice",
    )
    return d


def slowest_mode() -> Derivation:
    """The squared walk of a shelf is a quadratic form, whose slowest mode is the spectral order."""
    x = sp.symbols("x1:4", real=True)
    a, b, c = sp.symbols("A_12 A_13 A_23", positive=True)
    box = {**{s: (-1.5, 1.5) for s in x}, **{s: (0.1, 1) for s in (a, b, c)}}
    d = Derivation("slowest-mode", "Why an eigenvector is an order", domain=box)
    column = sp.Matrix(x)
    laplacian = sp.Matrix([[a + b, -a, -b], [-a, a + c, -c], [-b, -c, b + c]])
    energy = a * (x[0] - x[1]) ** 2 + b * (x[0] - x[2]) ** 2 + c * (x[1] - x[2]) ** 2
    d.equal(
        (column.T * laplacian * column)[0, 0],
        to=energy,
        name="form",
        reason="Replace each walk by its square. The cost is $x^\\top Lx$ with the Laplacian $L$: on the diagonal how often a book is "
        "borrowed with any other, off it minus the affinities (three books)",
    )
    d.identity(
        sp.Eq(sum((laplacian * column)[i] for i in range(3)), 0, evaluate=False),
        name="constant",
        reason="All books in one place cost nothing: the rows of $L$ sum to 0. So forbid it: centre the places and fix their spread, "
        "$\\sum x_i=0$, $\\sum x_i^2=1$",
    )
    d.differentiates(
        2 * (laplacian * column)[0],
        of=a * (x[0] - x[1]) ** 2 + b * (x[0] - x[2]) ** 2,
        wrt=x[0],
        name="stationary",
        reason="The slope of the cost is $2Lx$: here in $x_1$, terms without it left out. With multipliers $\\mu$ and $\\nu$ for the two "
        "conditions the cost is stationary where $2Lx=2\\mu x+\\nu$; summing over the books gives $\\nu=0$. So $x$ is an eigenvector of "
        "$L$ and $\\mu$ its cost: take the least $\\mu$ above 0",
    )
    return d


def reader_near_the_entrance() -> Derivation:
    """The popularity that each model gives to a vector, when readers scatter about the entrance."""
    u, v = sp.symbols("u v", real=True)
    s = sp.Symbol("sigma", positive=True)
    d = Derivation(
        "reader-near-the-entrance", "How far from the entrance is a popular book?", domain={v: (-1, 1), s: (0.2, 0.6), u: (-2, 2)}
    )
    reader = -(u**2) / (2 * s**2)
    moved = -((u - 2 * s**2 * v) ** 2) / (2 * s**2)
    d.equal(
        moved + 2 * s**2 * v**2,
        to=reader + 2 * u * v,
        name="square",
        reason="Readers stand at $u$, scattered normally about the entrance with variance $\\sigma^2$ in every coordinate. Inner products "
        "weigh a book at $v$ by $e^{2uv}$, coordinate by coordinate. Complete the square in the exponent",
    )
    d.integrates(
        sp.sqrt(2 * sp.pi) * s,
        sp.exp(reader),
        (u, -sp.oo, sp.oo),
        name="dot",
        reason="The normal law, moved, still integrates to one: what is left is $e^{2\\sigma^2v^2}$. If the normaliser is nearly "
        "the same for "
        "all readers, $\\log p=2\\sigma^2\\|v\\|^2+$ const: popular books are long",
    )
    d.equal(
        moved + (2 * s**2 - 1) * v**2,
        to=reader - (u - v) ** 2 + u**2,
        name="distance",
        reason="A distance adds the bias $-v^2$: $\\log p=(2\\sigma^2-1)\\|v\\|^2+$ const. While readers keep within "
        "$\\sigma^2<\\frac12$ of the "
        "entrance, popular books are near",
    )
    d.limit(
        sp.exp(-(v**2)),
        of=sp.exp((2 * s**2 - 1) * v**2),
        var=s,
        to=0,
        direction="+",
        name="at-the-door",
        reason="A reader who has not yet moved sees $p\\propto e^{-\\|v\\|^2}$: the squared walk of a book is its surprisal "
        "$-\\log p$. This is "
        "the entrance term of the library, come back through the normaliser",
    )
    return d


def tied_chain() -> Derivation:
    """A tied model is a reversible chain: what tying costs where the records have a direction."""
    s = sp.symbols("s12 s13 s23", real=True)
    z = sp.symbols("Z1:4", positive=True)
    d = Derivation("tied-chain", "What tying forces", domain={**{x: (-1, 1) for x in s}, **{x: (0.5, 3) for x in z}})
    q = {(i, j): sp.exp(s[i + j - 3]) / z[i - 1] for i, j in [(1, 2), (2, 1), (1, 3), (3, 1), (2, 3), (3, 2)]}
    d.equal(
        z[1] / z[0],
        to=q[1, 2] / q[2, 1],
        name="balance",
        reason="Tied vectors make $s_{ij}=s_{ji}$, for inner products as for distances. But $q$ is not symmetric: each row has its own "
        "normaliser "
        "$Z_i$, and $q(j|i)/q(i|j)=Z_j/Z_i$. Hence $Z_i\\,q(j|i)=Z_j\\,q(i|j)$: detailed balance, with a popularity in proportion to $Z_i$",
    )
    d.equal(
        q[1, 3] * q[3, 2] * q[2, 1],
        to=q[1, 2] * q[2, 3] * q[3, 1],
        name="cycle",
        reason="Every round trip has the same probability both ways (Kolmogorov's criterion). Records that run round in one direction, "
        "such "
        "as the next word of a sentence, lie beyond any tied model; a symmetric window does not",
    )
    return d


def one_principle_of_maps() -> Derivation:
    """The kernel between Gaussian and Student, the slope of its logarithm, and the gradient of t-SNE."""
    t, a, p = sp.symbols("t alpha p", positive=True)
    others = sp.Symbol("R", positive=True)
    d = Derivation("one-principle-of-maps", "From SNE to t-SNE", domain={t: (0.1, 4), a: (0.6, 6), p: (0.05, 0.3), others: (0.5, 5)})
    d.limit(
        sp.exp(-t),
        of=(1 + t / a) ** (-a),
        var=a,
        to=sp.oo,
        name="gauss",
        reason="The kernel $(1+t/\\alpha)^{-\\alpha}$ of the squared distance $t=d^2$ becomes Gaussian for large $\\alpha$; at "
        "$\\alpha=1$ it is "
        "Student's $1/(1+d^2)$",
    )
    d.differentiates(
        -1 / (1 + t / a),
        of=-a * sp.log(1 + t / a),
        wrt=t,
        name="slope",
        reason="Its logarithm is the score. A Gaussian score falls with slope 1 everywhere; a heavy tail lets go, by the factor "
        "$u=1/(1+d^2/\\alpha)$",
    )
    w = 1 / (1 + t)
    z = 2 * w + others
    d.differentiates(
        (2 * p - 2 * w / z) * w,
        of=-2 * p * sp.log(w) + sp.log(z),
        wrt=t,
        name="pair",
        reason="t-SNE has one normaliser $Z=\\sum w_{kl}$ over all ordered pairs, $w=1/(1+d^2)$. A pair occurs twice in the cost "
        "$-\\sum p\\log w+\\log Z$; $R$ is the rest of $Z$. The slope in its squared distance is $2(p_{ij}-q_{ij})w_{ij}$ with $q=w/Z$",
    )
    x, y = sp.symbols("z_i z_j", real=True)
    g = sp.Symbol("g", real=True)
    d.differentiates(
        2 * g * (x - y),
        of=g * (x - y) ** 2,
        wrt=x,
        name="chain",
        reason="and a coordinate moves the squared distance at rate $2(z_i-z_j)$: together "
        "$4\\sum_j(p_{ij}-q_{ij})(z_i-z_j)(1+d_{ij}^2)^{-1}$, the gradient of t-SNE",
    )
    return d


def crowding() -> Derivation:
    """Where the volume of a ball lies."""
    r, n = sp.symbols("r n", positive=True)
    d = Derivation("crowding", "Why two dimensions are crowded", domain={r: (0.1, 1), n: (1, 12)})
    d.integrates(
        1 - sp.Rational(1, 2) ** n,
        n * r ** (n - 1),
        (r, sp.Rational(1, 2), 1),
        name="shell",
        reason="In $n$ dimensions a ball of radius $r$ has volume in proportion to $r^n$. The share beyond half of the radius is three "
        "quarters "
        "in the plane; with ten coordinates less than a thousandth of the volume is within half of the radius",
    )
    k = sp.Symbol("k", positive=True)
    d.solves(
        sp.Eq(r, (1 / k) ** (1 / n), evaluate=False),
        of=sp.Eq(k * r**n, 1, evaluate=False),
        name="room",
        reason="A $k$-th part of the ball's volume, room for a $k$-th part of the points, reaches out to $k^{-1/n}$: for $k=100$ to a "
        "tenth of the "
        "radius in the plane, to $0.63$ of it in ten dimensions. Near and moderately far are then almost one distance, which a plane "
        "cannot draw",
    )
    return d
