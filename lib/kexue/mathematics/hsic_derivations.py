"""The derivations of the chapter on HSIC: from covariances to kernels to Gram matrices.

Everything about means is proved on a law with two values, every probability a free symbol: a mean is then a polynomial, and an identity
between means an identity between polynomials. What happens in the limit of a bandwidth, the bias and the closed form for
normal laws are in :mod:`kexue.mathematics.hsic_proofs`; ``DERIVATIONS`` lists all of them in the chapter's order.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from kexue.derivation import Derivation
from kexue.mathematics.hsic_proofs import bandwidth_limits, bias, distance_kernel, normal_pair, quadruples, two_by_two

__all__ = ["DERIVATIONS", "kernel_trick", "squared_covariance", "trace_form"]


def squared_covariance() -> Derivation:
    """The square of a covariance as three means over independent copies; a law with two pairs of values, for a square asks for no more."""
    a, f, g = sp.symbols("A F G", real=True)
    p, u, v = sp.symbols("p1:3", positive=True), sp.symbols("f1:3", real=True), sp.symbols("g1:3", real=True)
    box = {**{s: (0.1, 0.9) for s in p}, **{s: (-2, 2) for s in (a, f, g, *u, *v)}}
    d = Derivation("squared-covariance", "A squared covariance is three means", domain=box)
    c = d.given(a - f * g, "The covariance $C[f,g]$, with $A=\\E fg$, $F=\\E f$ and $G=\\E g$", name="covariance")
    d.equal(a**2 + f**2 * g**2 - 2 * a * f * g, to=c.value**2, name="square", reason="Its square has three terms")
    product = sum(w * x * y for w, x, y in zip(p, u, v, strict=True))
    d.equal(
        product**2,
        to=sum(p[i] * p[j] * u[i] * u[j] * v[i] * v[j] for i in range(2) for j in range(2)),
        name="copies",
        reason="A squared mean is a mean over two independent copies. Let $f(x),g(y)$ be $f_1,g_1$ or $f_2,g_2$ with probabilities "
        "$p_1,p_2$: the mean of $f(x)f(x')\\,g(y)g(y')$ is $A^2$. With $f$ or $g$ alone: $F^2=\\E f(x)f(x')$, $G^2=\\E g(y)g(y')$",
    )
    d.equal(
        f * g * product,
        to=sum(w * (x * f) * (y * g) for w, x, y in zip(p, u, v, strict=True)),
        name="mixed",
        reason="And if $x'$ and $y'$ are drawn apart from $(x,y)$ and from each other, the mean of the same product is $AFG$: three "
        "means of one product, under three ways of drawing the pairs",
    )
    return d


def kernel_trick() -> Derivation:
    """The weighted sum over eigenfunctions goes through every mean and leaves a kernel; two eigenfunctions, two values of x."""
    alpha, beta = sp.symbols("alpha1:3", positive=True), sp.symbols("beta1:3", positive=True)
    psi = [[sp.Symbol(f"psi{a + 1}{i + 1}", real=True) for i in range(2)] for a in range(2)]
    phi = [[sp.Symbol(f"phi{b + 1}{j + 1}", real=True) for j in range(2)] for b in range(2)]
    w11, w12, w22, k12, l12 = sp.symbols("w11 w12 w22 k12 l12", real=True)
    box: dict[sp.Symbol, tuple[float, float]] = {s: (0.3, 2) for s in (*alpha, *beta)}
    box |= {s: (-1.5, 1.5) for s in (*psi[0], *psi[1], *phi[0], *phi[1], w11, w12, w22)}
    d = Derivation("kernel-trick", "All covariances at once", domain=box)

    def mean(first: sp.Expr, across: sp.Expr, last: sp.Expr) -> sp.Expr:
        return w11 * first + 2 * w12 * across + w22 * last

    def k(i: int, m: int) -> sp.Expr:
        return sum(alpha[a] * psi[a][i] * psi[a][m] for a in range(2))

    d.given(
        sp.Eq(k12, k(0, 1)),
        "Mercer: a kernel is a sum over its eigenfunctions $\\psi_a$ with weights $\\alpha_a>0$; here between the two values of $x$",
        name="mercer-x",
    )
    d.given(
        sp.Eq(l12, sum(beta[b] * phi[b][0] * phi[b][1] for b in range(2))),
        "and the kernel of $y$ likewise, with eigenfunctions $\\phi_b$ and weights $\\beta_b$",
        name="mercer-y",
    )
    d.equal(
        mean(k(0, 0), k(0, 1), k(1, 1)),
        to=sum(alpha[a] * mean(psi[a][0] ** 2, psi[a][0] * psi[a][1], psi[a][1] ** 2) for a in range(2)),
        name="collapse",
        reason="Each of the three means of a squared covariance is a sum of products $\\psi_a(x)\\psi_a(x')$ with some weights $w_{im}$, "
        "which hold probabilities and functions of $y$, but no $a$. Weigh by $\\alpha_a$ and add: the sum over $a$ goes through the mean "
        "and leaves $k_{11}$, $k_{12}$ and $k_{22}$. The sum over $b$ does the same for $l$: infinitely many test functions, two kernels",
    )
    return d


def trace_form() -> Derivation:
    """The trace form of the biased estimate is the three sample means; what takes a sum over observations is shown for three or two."""
    k12, total, s1, s2, r1, r2 = sp.symbols("k12 S s1 s2 r1 r2", real=True)
    n = sp.Symbol("n", positive=True)
    l = sp.Matrix(3, 3, lambda i, j: sp.Symbol(f"l{min(i, j) + 1}{max(i, j) + 1}", real=True))  # noqa: E741
    c12, c13, c23 = c = sp.symbols("c12 c13 c23", real=True)  # entries of the centred K
    u = sp.symbols("u1:4", real=True)  # what is taken off L
    box = {**{x: (-2, 2) for x in (k12, total, s1, s2, r1, r2, *l, *c, *u)}, n: (2, 50)}
    d = Derivation("trace-form", "The same three means as a trace", domain=box)
    d.equal(
        k12 - (r1 + r2) / n + total / n**2,
        to=(k12 - r1 / n) - (r2 - total / n) / n,
        name="centring",
        reason="Let $r_a$ be the row sums of $K$ and $S$ the sum of all. In $JKJ$, with $J=I-\\frac1n11^\\top$, the mean of its row "
        "is taken off each entry, and then the mean of its column, whose sum is by now $r_2-\\frac1nS$",
    )
    centred = sp.Matrix([[-c12 - c13, c12, c13], [c12, -c12 - c23, c23], [c13, c23, -c13 - c23]])
    apart = [(0, 1, c12), (0, 2, c13), (1, 2, c23)]
    d.equal(
        -sum(value * (l[a, a] + l[b, b] - 2 * l[a, b]) for a, b, value in apart),
        to=sum(centred[a, b] * (l[a, b] - u[a] - u[b]) for a in range(3) for b in range(3)),
        name="one-side",
        reason="Call the entries of $JKJ$ $c_{ab}$; their rows sum to zero, which gives the diagonal. Whatever $u_a$ is taken off the rows "
        "and columns of $L$ drops out: the trace asks only how unlike two observations are. So one of the two matrices may stay "
        "uncentred, and no product of matrices is left, only $n^2$ multiplications; here $n=3$",
    )
    l12 = l[0, 1]
    off = total / n**2
    d.equal(
        total * (s1 + s2) / n**2 - 2 * (r1 * s1 + r2 * s2) / n,
        to=(s1 - l12) * (off - 2 * r1 / n) + 2 * l12 * (off - (r1 + r2) / n) + (s2 - l12) * (off - 2 * r2 / n),
        name="means",
        reason="What centring takes off $K$ needs no more of $L$ than its row sums $s_a$: two observations show it, $l_{11}=s_1-l_{12}$ "
        "and $l_{22}=s_2-l_{12}$. So the trace is $\\mathrm{tr}(KL)+\\frac1{n^2}(1^\\top K1)(1^\\top L1)-\\frac2n1^\\top KL1$",
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
