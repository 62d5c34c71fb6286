"""The derivations of the chapter on HSIC: from covariances to kernels to Gram matrices.

Everything about means is proved on a joint law with two values each, every probability a free symbol: a mean is then a polynomial, and
an identity between means an identity between polynomials. What happens in the limit of a bandwidth, the bias and the closed form for
normal laws are in :mod:`kexue.mathematics.hsic_proofs`; ``DERIVATIONS`` lists all of them in the chapter's order.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from kexue.derivation import Derivation
from kexue.mathematics.hsic_proofs import bandwidth_limits, bias, distance_kernel, normal_pair, quadruples, two_by_two

__all__ = ["DERIVATIONS", "kernel_trick", "squared_covariance", "trace_form"]

PAIRS = ((0, 0), (0, 1), (1, 0), (1, 1))
P = {(i, j): sp.Symbol(f"p{i + 1}{j + 1}", positive=True) for i, j in PAIRS}
PX = [P[i, 0] + P[i, 1] for i in range(2)]
PY = [P[0, j] + P[1, j] for j in range(2)]


def _three_terms(k: Callable[[int, int], sp.Expr], l: Callable[[int, int], sp.Expr]) -> sp.Expr:  # noqa: E741
    """E[k l] + E[k] E[l] - 2 E_xy[E_x' k E_y' l], over the law P, for kernels given as functions of two values."""
    joint = sum(P[a] * P[b] * k(a[0], b[0]) * l(a[1], b[1]) for a in PAIRS for b in PAIRS)
    apart = sum(PX[i] * PX[m] * k(i, m) for i, m in PAIRS) * sum(PY[j] * PY[m] * l(j, m) for j, m in PAIRS)
    mixed = sum(P[a] * sum(PX[m] * k(a[0], m) for m in range(2)) * sum(PY[m] * l(a[1], m) for m in range(2)) for a in PAIRS)
    return joint + apart - 2 * mixed


def squared_covariance() -> Derivation:
    """The square of a covariance as three means over independent copies."""
    f, g = sp.symbols("f1:3", real=True), sp.symbols("g1:3", real=True)
    box = {**{p: (0.1, 0.4) for p in P.values()}, **{s: (-2, 2) for s in (*f, *g)}}
    d = Derivation("squared-covariance", "A squared covariance is three means", domain=box)
    c = sum(P[i, j] * f[i] * g[j] for i, j in PAIRS) - sum(PX[i] * f[i] for i in range(2)) * sum(PY[j] * g[j] for j in range(2))
    d.given(
        c,
        "The covariance $C[f,g]$ of $f(x)$ and $g(y)$, where $x$ and $y$ take two values each with probabilities $p_{ij}$",
        name="covariance",
    )
    twice = sum(P[a] * P[b] * f[a[0]] * f[b[0]] * g[a[1]] * g[b[1]] for a in PAIRS for b in PAIRS)
    d.equal(
        twice,
        to=sum(P[i, j] * f[i] * g[j] for i, j in PAIRS) ** 2,
        name="copies",
        reason="A squared mean is a mean over two independent copies: $(\\E fg)^2=\\E[f(x)f(x')g(y)g(y')]$",
    )
    d.equal(
        _three_terms(lambda a, b: f[a] * f[b], lambda a, b: g[a] * g[b]),
        to=c**2,
        name="three",
        reason="The same for the other two terms of the square. Only products $f(x)f(x')$ and $g(y)g(y')$ occur: three means of the "
        "same product under three ways of drawing the pairs",
    )
    return d


def kernel_trick() -> Derivation:
    """The weighted sum over all pairs of eigenfunctions collapses into two kernels."""
    alpha, beta = sp.symbols("alpha1:3", positive=True), sp.symbols("beta1:3", positive=True)
    psi = [[sp.Symbol(f"psi{a + 1}{i + 1}", real=True) for i in range(2)] for a in range(2)]
    phi = [[sp.Symbol(f"phi{b + 1}{j + 1}", real=True) for j in range(2)] for b in range(2)]
    box: dict[sp.Symbol, tuple[float, float]] = {**{p: (0.1, 0.4) for p in P.values()}, **{s: (0.3, 2) for s in (*alpha, *beta)}}
    box |= {s: (-1.5, 1.5) for row in (*psi, *phi) for s in row}
    d = Derivation("kernel-trick", "All covariances at once", domain=box)

    def covariance(a: int, b: int) -> sp.Expr:
        joint = sum(P[i, j] * psi[a][i] * phi[b][j] for i, j in PAIRS)
        return joint - sum(PX[i] * psi[a][i] for i in range(2)) * sum(PY[j] * phi[b][j] for j in range(2))

    def k(i: int, m: int) -> sp.Expr:
        return sum(alpha[a] * psi[a][i] * psi[a][m] for a in range(2))

    def l(j: int, m: int) -> sp.Expr:  # noqa: E743
        return sum(beta[b] * phi[b][j] * phi[b][m] for b in range(2))

    k12, l12 = sp.symbols("k12 l12", real=True)
    d.given(
        sp.Eq(k12, k(0, 1)),
        "Mercer: a kernel is a sum over its eigenfunctions $\\psi_a$ with weights $\\alpha_a>0$; here between the two values of $x$",
        name="mercer-x",
    )
    d.given(sp.Eq(l12, l(0, 1)), "and the kernel of $y$ likewise, with eigenfunctions $\\phi_b$ and weights $\\beta_b$", name="mercer-y")
    d.equal(
        sum(alpha[a] * beta[b] * covariance(a, b) ** 2 for a, b in PAIRS),
        to=_three_terms(k, l),
        name="collapse",
        reason="Weigh the squared covariance of every pair of eigenfunctions by $\\alpha_a\\beta_b$ and add. "
        "The sums over $a$ and over $b$ "
        "go through the means and become $k$ and $l$: infinitely many test functions, two kernels",
    )
    return d


def _symmetric(name: str, n: int) -> sp.Matrix:
    """A symmetric matrix of symbols."""
    return sp.Matrix(n, n, lambda i, j: sp.Symbol(f"{name}{min(i, j) + 1}{max(i, j) + 1}", real=True))


def trace_form() -> Derivation:
    """The trace form of the biased estimate is the three sample means; shown for n = 3."""
    n = 3
    k, l = _symmetric("k", n), _symmetric("l", n)  # noqa: E741
    c12, c13, c23 = c = sp.symbols("c12 c13 c23", real=True)  # entries of the centred K
    r, s, u = (sp.symbols(f"{letter}1:4", real=True) for letter in "rsu")  # row sums of K and of L; what is taken off L
    d = Derivation("trace-form", "The same three means as a trace", domain={x: (-2, 2) for x in (*k, *l, *c, *r, *s, *u)})
    j = sp.eye(n) - sp.ones(n, n) / n
    # K and L by their row sums and their entries off the diagonal
    full = sp.Matrix(n, n, lambda a, b: r[a] - sum(k[a, m] for m in range(n) if m != a) if a == b else k[a, b])
    other = sp.Matrix(n, n, lambda a, b: s[a] - sum(l[a, m] for m in range(n) if m != a) if a == b else l[a, b])
    d.equal(
        k[0, 1] - r[0] / n - r[1] / n + sp.Mul(sp.Rational(1, n**2), sum(r), evaluate=False),
        to=(j * full * j)[0, 1],
        name="centring",
        reason="Let $r_a$ be the row sums of $K$. $J=I-\\frac1n11^\\top$ on both sides subtracts the mean of the row and the mean of the "
        "column and adds the mean of all: shown for one entry of $JKJ$ and $n=3$",
    )
    centred = sp.Matrix([[-c12 - c13, c12, c13], [c12, -c12 - c23, c23], [c13, c23, -c13 - c23]])
    apart = [(0, 1, c12), (0, 2, c13), (1, 2, c23)]
    d.equal(
        -sum(value * (l[a, a] + l[b, b] - 2 * l[a, b]) for a, b, value in apart),
        to=sum(centred[a, b] * (l[a, b] - u[a] - u[b]) for a in range(n) for b in range(n)),
        name="one-side",
        reason="Call the entries of $JKJ$ $c_{ab}$; their rows sum to zero, which gives the diagonal. Whatever $u_a$ is taken off the rows "
        "and columns of $L$ drops out: the trace asks only how unlike two observations are. So one of the two matrices may stay "
        "uncentred, and no product of matrices is left, only $n^2$ multiplications",
    )
    d.equal(
        sum(r) * sum(s) / n**2 - 2 * sum(x * y for x, y in zip(r, s, strict=True)) / n,
        to=sum(((j * full * j)[a, b] - full[a, b]) * other[a, b] for a in range(n) for b in range(n)),
        name="means",
        reason="What centring takes off $K$ needs no more of $L$ than its row sums $s_a$. So the trace is "
        "$\\mathrm{tr}(KL)+\\frac1{n^2}(1^\\top K1)(1^\\top L1)-\\frac2n1^\\top KL1$",
    )
    return d


DERIVATIONS: tuple[Callable[[], Derivation], ...] = (
    squared_covariance,
    kernel_trick,
    trace_form,
    bias,
    quadruples,
    normal_pair,
    bandwidth_limits,
    distance_kernel,
    two_by_two,
)
