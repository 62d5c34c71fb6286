"""What the estimators of HSIC do on average, what a bandwidth decides, and the two laws for which HSIC is a formula."""

from __future__ import annotations

import itertools

import sympy as sp

from kexue.derivation import Derivation

__all__ = ["bandwidth_limits", "bias", "distance_kernel", "normal_pair", "quadruples", "two_by_two"]


def bias() -> Derivation:
    """The exact mean of the biased estimate under independence, and a published claim refuted."""
    n = sp.Symbol("n", positive=True)
    a, b, e, g = sp.symbols("a b e g", positive=True)
    d = Derivation("bias", "The exact bias", domain={n: (5, 50), a: (1, 3), b: (0.1, 0.9), e: (1, 3), g: (0.1, 0.9)})
    row = a + (n - 1) * b
    diagonal = d.equal(
        (a - b) * (1 - 1 / n),
        to=a - 2 * row / n + n * row / n**2,
        name="diagonal",
        reason="The mean of $K$ has $a=\\E k(x,x)$ on the diagonal and $b=\\E k(x,x')$ elsewhere, so every row of it sums to $a+(n-1)b$. "
        "Centre it: an entry on the diagonal becomes",
    )
    outside = d.equal(
        -(a - b) / n,
        to=b - 2 * row / n + n * row / n**2,
        name="outside",
        reason="and one beside it. Together: $\\E[JKJ]=(a-b)J$",
    )
    total = d.equal(
        (n - 1) * (a - b) * (e - g),
        to=n * diagonal.value * e + n * (n - 1) * outside.value * g,
        name="trace",
        reason="If $x$ and $y$ are independent, the mean of a product of an entry of $JKJ$ and one of $L$ is the product of the means; "
        "$e$ and $g$ are to $L$ what $a$ and $b$ are to $K$. Add over all entries",
    )
    mean = d.equal(
        (a - b) * (e - g) / (n - 1),
        to=total.value / (n - 1) ** 2,
        name="mean",
        reason="Divide by $(n-1)^2$: the mean of the estimate of the post and of Gretton et al. (2005) is not zero",
    )
    h, s, t = sp.symbols("h s t", positive=True)
    bell = d.integrates(sp.sqrt(sp.pi / h), sp.exp(-h * t**2), (t, -sp.oo, sp.oo), name="bell", reason="For any $h>0$")
    d.equal(
        1 / sp.sqrt(1 + 4 * s),
        to=bell.value.subs(h, 1 + 1 / (4 * s)) / sp.sqrt(4 * sp.pi * s),
        name="kernel-mean",
        reason="The post's kernel $e^{-t^2}$ and normal draws of variance $s$: the difference $t$ of two draws has variance $2s$, and so "
        "$h=1+\\frac1{4s}$ in the mean of the kernel",
    )
    root = 1 / sp.sqrt(5)
    d.equal(
        (6 - 2 * sp.sqrt(5)) / (5 * (n - 1)),
        to=mean.value.subs({a: 1, e: 1, b: root, g: root}),
        name="value",
        reason="With $s=1$ and $k(x,x)=1$: about $0.3056/(n-1)$",
    )
    d.refutes(
        sp.Eq((a - b) * (e - g) / (n - 1), 0),
        source="the post",
        name="not-unbiased",
        reason="“Dividing by $n-1$ for $n$ gives an unbiased estimate”: the mean under independence would be zero",
    )
    return d


def quadruples() -> Derivation:
    """The unbiased formula is the average over all ordered quadruples of different observations.

    The two counts are shown for four observations and one pair of L: both sides are linear in L and treat all observations alike.
    """
    k = sp.Matrix(4, 4, lambda i, j: 0 if i == j else sp.Symbol(f"k{min(i, j) + 1}{max(i, j) + 1}", real=True))
    l12 = sp.Symbol("l12", real=True)
    l = sp.Matrix(4, 4, lambda i, j: l12 if {i, j} == {0, 1} else 0)  # noqa: E741
    n, t, a, m = sp.symbols("n T A M", real=True)
    box = {x: (-2, 2) for x in (*k.free_symbols, l12, t, a, m)} | {n: (5, 50)}
    d = Derivation("quadruples", "Why the U-statistic has no bias", domain=box)
    orders = list(itertools.permutations(range(4)))
    same = 2 * k[0, 1] * l12
    product, mixed = 2 * l12 * sum(k), l12 * (sum(k[0, :]) + sum(k[1, :]))
    d.equal(
        product / 24 - 4 * mixed / 24 + 2 * same / 24,
        to=sum(k[o[0], o[1]] * l[o[2], o[3]] for o in orders) / 24,
        name="second",
        reason="$\\E k\\,\\E l$ needs four different observations $a,b,c,d$ in $k_{ab}l_{cd}$: from $A=\\sum k\\sum l$ take off what "
        "shares one or two of them, that is $4M$ less $2T$ with $M=1^\\top KL1$ and $T=\\sum k_{ab}l_{ab}$. Four observations: 24 orders, "
        "and of $L$ the one pair $l_{12}$: both sides are sums over pairs, and no pair is special",
    )
    d.equal(
        mixed / 24 - same / 24,
        to=sum(k[o[0], o[1]] * l[o[0], o[2]] for o in orders) / 24,
        name="third",
        reason="and the mixed mean needs three, $k_{ab}l_{ac}$ with $b\\ne c$: from $M$ take off $T$. The first mean, of $k_{ab}l_{ab}$, "
        "is $T$ itself over $n(n-1)$; no diagonal enters anywhere",
    )
    d.equal(
        (t + a / ((n - 1) * (n - 2)) - 2 * m / (n - 2)) / (n * (n - 3)),
        to=t / (n * (n - 1)) + (a - 4 * m + 2 * t) / (n * (n - 1) * (n - 2) * (n - 3)) - 2 * (m - t) / (n * (n - 1) * (n - 2)),
        name="formula",
        reason="For $n$ observations: first plus second minus twice the third is the formula of Song et al. (2012)",
    )
    return d


def _mean_of_two_kernels(d: Derivation, a: sp.Symbol, b: sp.Symbol, s: sp.Symbol, t: sp.Symbol, c: sp.Symbol) -> sp.Expr:
    """The mean of exp(−u²/2a − v²/2b) for normal u, v with variances s, t and covariance c: steps, and the determinant under the root."""
    u, v, z, m = sp.symbols("u v z m", real=True)
    w, h = sp.symbols("w h", positive=True)  # variance of v given u, half a precision
    bell = d.integrates(
        sp.sqrt(sp.pi / h),
        sp.exp(-h * (v - z) ** 2),
        (v, -sp.oo, sp.oo),
        name="bell",
        reason="One integral is all that is needed, for any $h>0$ and any centre $z$",
    )
    both, centre = (b + w) / (2 * b * w), b * m * u / (b + w)
    square = d.equal(
        both * (v - centre) ** 2 + m**2 * u**2 / (2 * (b + w)),
        to=v**2 / (2 * b) + (v - m * u) ** 2 / (2 * w),
        name="square",
        reason="Let $u$ and $v$ be the two differences inside the kernels $e^{-u^2/2a}$, $e^{-v^2/2b}$. Given $u$, the other is normal "
        "about $mu$ with some variance $w$. Kernel and density of $v$ have this exponent, apart from its sign; complete the square",
    )
    inner = d.equal(
        sp.exp(-(m**2) * u**2 / (2 * (b + w))) * sp.sqrt(b / (b + w)),
        to=sp.exp(-square.value.subs(v, centre)) * bell.value.subs(h, both) / sp.sqrt(2 * sp.pi * w),
        name="inner",
        reason="and integrate over $v$: the square becomes $\\sqrt{\\pi/h}$, what is left of the exponent stays",
    )
    exponent = 1 / (2 * a) + square.value.subs(v, centre).coeff(u**2) + 1 / (2 * s)
    outer = d.equal(
        sp.sqrt(a * b / (b * s + a * b + a * w + s * w + a * m**2 * s)),
        to=inner.value.subs(u, 0) * bell.value.subs(h, exponent) / sp.sqrt(2 * sp.pi * s),
        name="outer",
        reason="Now over $u$, normal with variance $s$: the same integral with the coefficient of $u^2$ in the place of $h$",
    )
    det = sp.Matrix([[1 + s / a, c / a], [c / b, 1 + t / b]]).det()
    d.equal(
        det ** sp.Rational(-1, 2),
        to=outer.value.subs({m: c / s}).subs({w: t - c**2 / s}),
        name="determinant",
        reason="In terms of the variance $t=m^2s+w$ of $v$ and the covariance $c=ms$ of $u$ and $v$ this is "
        "one over the root of a determinant",
    )
    return det


def normal_pair() -> Derivation:
    """HSIC of a normal pair with Gaussian kernels."""
    a, b, s, t = sp.symbols("a b s t", positive=True)  # squared bandwidths, variances of the differences
    c, r, q = sp.Symbol("c", real=True), sp.Symbol("r", real=True), sp.Symbol("sigma", positive=True)
    box = {a: (0.5, 3), b: (0.5, 3), s: (0.5, 2)} | dict.fromkeys(sp.symbols("w h", positive=True), (0.5, 2))
    box |= dict.fromkeys(sp.symbols("z m", real=True), (-1, 1)) | dict.fromkeys(sp.symbols("u v", real=True), (-2, 2))
    d = Derivation("normal-pair", "HSIC of a normal pair", domain=box)
    det = _mean_of_two_kernels(d, a, b, s, t, c)
    big = (1 + 2 / q**2) ** 2
    one = d.equal(
        big - c**2 / q**4,
        to=det.subs({a: q**2, b: q**2, s: 2, t: 2}),
        name="unit",
        reason="Unit variances and both kernels with bandwidth $\\sigma$: the differences have variance 2, and the determinant is",
    )
    three = [1 / sp.sqrt(one.value.subs(c, value)) for value in (2 * r, 0, r)]
    closed = d.equal(
        1 / sp.sqrt(big - 4 * r**2 / q**4) + 1 / sp.sqrt(big) - 2 / sp.sqrt(big - r**2 / q**4),
        to=three[0] + three[1] - 2 * three[2],
        name="closed",
        reason="For a correlation $r$ the covariance of the differences is $2r$ for one pair and its copy, 0 for two copies each, "
        "$r$ in the mixed term",
    )
    d.expands(
        4 * r**2 / 125,
        of=closed.value.subs(q, 1 / sp.sqrt(2)),
        var=r,
        order=4,
        name="small",
        reason="With the post's kernel ($\\sigma^2=\\frac12$) HSIC begins like $r^2$, as mutual information does: "
        "$-\\frac12\\log(1-r^2)=\\frac{r^2}2+\\dots$",
    )
    return d


def bandwidth_limits() -> Derivation:
    """A very wide kernel knows the covariance alone, a very narrow one nothing at all; the mean of products is shown for n = 3."""
    x1, x2, m = sp.symbols("x1 x2 m", real=True)
    u, v = sp.symbols("u1:4", real=True), sp.symbols("v1:4", real=True)
    t = sp.Symbol("t", positive=True)
    box = {**{s: (-1.5, 1.5) for s in (x1, x2, m, *u, *v)}, t: (0.1, 2)}
    d = Derivation("bandwidth-limits", "Wide is covariance, narrow is nothing", domain=box)
    slope = d.limit(
        -((x1 - x2) ** 2) / 2,
        of=(sp.exp(-t * (x1 - x2) ** 2 / 2) - 1) / t,
        var=t,
        to=0,
        direction="+",
        name="slope",
        reason="Let $t=1/\\sigma^2$. As the bandwidth grows, $t\\to0$, the kernel tends to 1, and the constant 1 is killed by centring. "
        "What is left is the slope in $t$",
    )
    d.equal(
        x1 * x2 - x1**2 / 2 - x2**2 / 2,
        to=slope.value,
        name="squares",
        reason="The squares are constant along a row or a column: centring kills them too. The product stays",
    )
    d.equal(
        (x1 - m) * (x2 - m),
        to=x1 * x2 - m * x1 - m * x2 + m**2,
        name="centred",
        reason="Centre it: with the mean $m=\\bar x$, take off the means of its row and its column, add the mean of all. "
        "So $JKJ\\approx(x_i-\\bar x)(x_j-\\bar x)/\\sigma^2$",
    )
    d.equal(
        sum(p * q for p, q in zip(u, v, strict=True)) ** 2 / 9,
        to=sum(u[i] * u[j] * v[i] * v[j] for i in range(3) for j in range(3)) / 9,
        name="covariance",
        reason="Write $u_i=x_i-\\bar x$, and $v_i$ likewise for $y$. Multiply the two matrices and take the mean of all entries, here of "
        "$n=3$ observations: $\\sigma_x^2\\sigma_y^2\\,\\mathrm{HSIC}_b$ tends to the squared covariance",
    )
    gap, k = sp.symbols("g k", positive=True)
    d.limit(
        0,
        of=sp.exp(-k * gap**2 / 2),
        var=k,
        to=sp.oo,
        name="narrow",
        reason="At the other end $k=1/\\sigma^2\\to\\infty$: every pair of different points is a stranger, $K$ and $L$ are the identity",
    )
    size = sp.Symbol("n", positive=True)
    d.equal(
        (size - 1) / size**2,
        to=(size * (1 - 1 / size)) / size**2,
        name="nothing",
        reason="and $\\mathrm{HSIC}_b=\\mathrm{tr}(J)/n^2$, whatever the data. No permutation changes it: the p-value is 1",
    )
    return d


def distance_kernel() -> Derivation:
    """Distance covariance is HSIC with the kernel of Brownian motion."""
    a1, a2, d12 = sp.symbols("a1 a2 d12", positive=True)
    s, r1, r2, r, n = sp.symbols("S R1 R2 R n", positive=True)
    d = Derivation("distance-kernel", "Distance covariance is an HSIC", domain={x: (0.1, 2) for x in (a1, a2, d12, s, r1, r2, r, n)})
    d.equal(
        -(d12 - r1 / n - r2 / n + r / n**2) / 2,
        to=(a1 + a2 - d12) / 2 - (n * a1 + s - r1) / (2 * n) - (n * a2 + s - r2) / (2 * n) + (2 * n * s - r) / (2 * n**2),
        name="centred",
        reason="The kernel is $\\frac12(|x|+|x'|-|x-x'|)$. Centre it: $a_i=|x_i|$ and their sum $S$ are constant along a row or a column "
        "and drop out, the distances stay, with $R_i$ the sums of their rows and $R$ of all. What is left is minus half the centred "
        "distance. The product of two such matrices has a quarter: $\\mathrm{dCov}^2=4\\,\\mathrm{HSIC}_b$",
    )
    return d


def two_by_two() -> Derivation:
    """HSIC of a two by two table with delta kernels."""
    p, q, r = sp.symbols("p11 p12 p21", positive=True)
    d = Derivation("two-by-two", "A table of four", domain={p: (0.1, 0.4), q: (0.1, 0.25), r: (0.1, 0.25)})
    det = p * (1 - p - q - r) - q * r
    gap = d.equal(
        det,
        to=p - (p + q) * (p + r),
        name="gap",
        reason="How far a cell is from the product of its margins, with $p_{22}=1-p_{11}-p_{12}-p_{21}$: the determinant of the table",
    )
    beside = d.equal(
        -det,
        to=q - (p + q) * (1 - p - r),
        name="beside",
        reason="The cell beside it, whose column has the share $1-p_{11}-p_{21}$, is off by as much the other way; so is the cell below",
    )
    d.equal(
        4 * det**2,
        to=2 * gap.value**2 + 2 * beside.value**2,
        name="sum",
        reason="and the fourth like the first. Four equal squares",
    )
    return d
