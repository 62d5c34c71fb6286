"""The arena: every estimator of the chapter against an exact gradient, obtained by enumerating all codes.

A *code* is L one-hot vectors with k classes, ``(L, k)``; there are ``k^L`` of them. For a function ``f`` of the code the objective
is :math:`F(o)=\\sum_c p_o(c)f(c)`, a finite sum whose derivative autograd gives exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from kexue.mathematics.gumbel_softmax import (
    check_logits,
    gumbel_max,
    gumbel_softmax,
    one_hot_log_prob,
    rao_blackwell_straight_through,
    reinmax,
    rloo,
    score_function_loss,
    straight_through,
)

__all__ = [
    "ESTIMATORS",
    "Score",
    "Target",
    "arena",
    "digit_targets",
    "enumerate_codes",
    "exact_gradient",
    "exact_mean_of",
    "exact_value",
    "fit_digit_decoder",
    "judge",
    "order_of_bias",
    "race",
    "single_sample_gradients",
    "synthetic_targets",
]

Target = Callable[[Tensor], Tensor]  # (..., L, k) -> (...)
Estimator = Callable[[Tensor, Target, "torch.Generator | None"], Tensor]  # logits (N, L, k) -> surrogates (N,)


# ------------------------------------------------------------------------------------------------------------------- the exact answer
# --8<-- [start:exact]
def enumerate_codes(latents: int, classes: int, *, dtype: torch.dtype = torch.float64) -> Tensor:
    """All ``classes ** latents`` codes as one-hot vectors, shape ``(classes ** latents, latents, classes)``."""
    indices = torch.cartesian_prod(*[torch.arange(classes)] * latents).reshape(-1, latents)
    return functional.one_hot(indices, classes).to(dtype)


def exact_value(logits: Tensor, f: Target) -> Tensor:
    r"""The objective :math:`F(o)=\sum_cp_o(c)f(c)` for logits ``(L, k)``, differentiable in them."""
    codes = enumerate_codes(*check_logits(logits).shape, dtype=logits.dtype)
    probability = one_hot_log_prob(logits, codes).sum(-1).exp()  # (k^L,)
    return (probability * f(codes)).sum()


def exact_gradient(logits: Tensor, f: Target) -> Tensor:
    """The derivative of :func:`exact_value` in the logits, ``(L, k)``."""
    leaf = logits.detach().requires_grad_()
    return torch.autograd.grad(exact_value(leaf, f), leaf)[0]


# --8<-- [end:exact]


def exact_mean_of(estimator: Callable[..., Tensor], logits: Tensor, f: Target) -> Tensor:
    """Mean gradient of an estimator that depends on the draw alone (`straight_through`, `reinmax`), by enumeration, ``(L, k)``."""
    codes = enumerate_codes(*check_logits(logits).shape, dtype=logits.dtype)
    leaf = logits.detach().expand_as(codes).clone().requires_grad_()
    gradients = torch.autograd.grad(f(estimator(leaf, draw=codes)).sum(), leaf)[0]  # (k^L, L, k)
    probability = one_hot_log_prob(logits.detach(), codes).sum(-1).exp()
    return torch.einsum("c,clk->lk", probability, gradients)


# ---------------------------------------------------------------------------------------------------------------------- the estimators
def _score(logits: Tensor, f: Target, generator: torch.Generator | None, *, centred: bool) -> Tensor:
    """Score function with one draw; `centred` subtracts the exact mean of f, the best a running average could reach."""
    draw = gumbel_max(logits, generator=generator)
    baseline = exact_value(logits[0].detach(), f).detach() if centred else 0.0
    return score_function_loss(f(draw)[None], one_hot_log_prob(logits, draw).sum(-1)[None], baseline=baseline)


def _leave_one_out(logits: Tensor, f: Target, generator: torch.Generator | None, *, draws: int = 4) -> Tensor:
    """RLOO with `draws` evaluations of f for one sample of the estimator."""
    draw = gumbel_max(logits.expand(draws, *logits.shape), generator=generator)  # (K, N, L, k)
    return rloo(f(draw), one_hot_log_prob(logits, draw).sum(-1))


# --8<-- [start:estimators]
ESTIMATORS: Mapping[str, Estimator] = {
    "SF": lambda o, f, g: _score(o, f, g, centred=False),
    "SF, b = E f": lambda o, f, g: _score(o, f, g, centred=True),
    "RLOO, K = 4": lambda o, f, g: _leave_one_out(o, f, g),
    "GS, τ = 2": lambda o, f, g: f(gumbel_softmax(o, 2.0, generator=g)),
    "GS, τ = 1": lambda o, f, g: f(gumbel_softmax(o, 1.0, generator=g)),
    "GS, τ = 0.5": lambda o, f, g: f(gumbel_softmax(o, 0.5, generator=g)),
    "GS, τ = 0.1": lambda o, f, g: f(gumbel_softmax(o, 0.1, generator=g)),
    "ST": lambda o, f, g: f(straight_through(o, generator=g)),
    "ST-GS, τ = 1": lambda o, f, g: f(gumbel_softmax(o, 1.0, hard=True, generator=g)),
    "RB ST-GS, S = 10": lambda o, f, g: f(rao_blackwell_straight_through(o, 1.0, samples=10, generator=g)),
    "ReinMax": lambda o, f, g: f(reinmax(o, generator=g)),
}
# --8<-- [end:estimators]


# --8<-- [start:gradients]
def single_sample_gradients(name: str, logits: Tensor, f: Target, *, samples: int, generator: torch.Generator | None = None) -> Tensor:
    """Independent one-sample gradients of the estimator `name`, shape ``(samples, L, k)``, in one backward pass.

    Each sample gets a copy of the logits of its own, so the gradient of the summed surrogates holds one estimate a row.

    Raises:
        ValueError: for an unknown name or logits that are not of shape ``(L, k)``.
    """
    if name not in ESTIMATORS:
        raise ValueError(f"unknown estimator {name!r}; there are {', '.join(ESTIMATORS)}")
    if check_logits(logits).ndim != 2:
        raise ValueError(f"logits must have shape (L, k), got {tuple(logits.shape)}")
    leaf = logits.detach().expand(samples, *logits.shape).clone().requires_grad_()
    return torch.autograd.grad(ESTIMATORS[name](leaf, f, generator).sum(), leaf)[0]


# --8<-- [end:gradients]


@dataclass(frozen=True)
class Score:
    """What a sample of gradients says about its estimator.

    Attributes:
        bias: norm of (mean of the sample - exact gradient).
        noise: size that `bias` would have from sampling alone, ``sd / sqrt(N)``.
        sd: root of the variances summed over the coordinates.
        p_value: of the hypothesis that the estimator is unbiased (Hotelling's test on the free coordinates).
    """

    bias: float
    noise: float
    sd: float
    p_value: float

    @property
    def excess(self) -> float:
        """The bias without what sampling alone contributes to it: root of ``max(bias^2 - noise^2, 0)``."""
        return math.sqrt(max(self.bias**2 - self.noise**2, 0.0))


def _unbiased_p_value(gradients: Tensor, error: Tensor) -> float:
    """Hotelling's test that `error`, the mean of the gradients less the truth, is 0; directions without variance are held to 1e-9."""
    flat, gap = gradients.flatten(1), error.flatten()
    values, vectors = torch.linalg.eigh(torch.cov(flat.T))
    along = vectors.T @ gap
    # Each row of logits has a direction (adding a constant) along which every gradient is 0; an exact estimator has no other kind.
    moves = values > 1e-10 * max(float(values.max()), 1e-10)
    if bool((along[~moves].abs() > 1e-9).any()):
        return 0.0
    statistic = len(flat) * (along[moves] ** 2 / values[moves]).sum()
    freedom = moves.sum().to(statistic) / 2
    return torch.special.gammaincc(freedom, statistic / 2).item() if bool(moves.any()) else 1.0


def judge(gradients: Tensor, exact: Tensor) -> Score:
    """Bias, spread and test of unbiasedness of gradients ``(N, L, k)`` against the exact one ``(L, k)``."""
    if gradients.shape[1:] != exact.shape or gradients.shape[0] < 2:
        raise ValueError(f"gradients must have shape (N >= 2, *{tuple(exact.shape)}), got {tuple(gradients.shape)}")
    count = gradients.shape[0]
    error = gradients.mean(0) - exact
    variance = float(gradients.var(0).sum())
    return Score(error.norm().item(), math.sqrt(variance / count), math.sqrt(variance), _unbiased_p_value(gradients, error))


def arena(logits: Tensor, f: Target, *, samples: int = 20_000, seed: int = 0) -> dict[str, Score]:
    """The verdict on every estimator at logits ``(L, k)`` for the target `f`, each from the same seed."""
    exact = exact_gradient(logits, f)
    return {
        name: judge(single_sample_gradients(name, logits, f, samples=samples, generator=torch.Generator().manual_seed(seed)), exact)
        for name in ESTIMATORS
    }


# ------------------------------------------------------------------------------------------------------------------------- the targets
def synthetic_targets(latents: int, classes: int, *, generator: torch.Generator, sharpness: float = 10.0) -> dict[str, Target]:
    """Four functions of a code with more and more curvature: linear, quadratic, a small tanh network, the same network sharper."""
    size, hidden = latents * classes, 8

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    a, matrix = draw(size), draw(size, size) / size**0.5
    inner, shift, outer = draw(size, hidden) / size**0.5, draw(hidden), draw(hidden) / hidden**0.5

    def flat(y: Tensor) -> Tensor:
        return y.flatten(-2)

    return {
        "linear": lambda y: flat(y) @ a,
        "quadratic": lambda y: torch.einsum("...i,ij,...j->...", flat(y), matrix, flat(y)),
        "tanh network": lambda y: torch.tanh(flat(y) @ inner + shift) @ outer,
        "sharp tanh network": lambda y: torch.tanh(sharpness * flat(y) @ inner + shift) @ outer,
    }


# --8<-- [start:decoder]
def fit_digit_decoder(
    images: Tensor, *, latents: int = 3, classes: int = 4, hidden: int = 32, steps: int = 300, seed: int = 0
) -> torch.nn.Sequential:
    r"""Fit a decoder of codes to grey images by the exact likelihood, all codes enumerated and equally likely.

    It maximises :math:`\sum_n\log\frac1C\sum_cp(x_n\mid c)` with Bernoulli pixels: no estimator takes part, none is favoured.

    Args:
        images: grey values in [0, 1], ``(N, pixels)``.
        latents: number L of latents.
        classes: number k of classes of each.
        hidden: width of the hidden layer.
        steps: full-batch Adam steps.
        seed: seed of the initial weights.

    Returns:
        A float64 network from ``(..., L * k)`` to ``(..., pixels)`` logits.
    """
    if images.ndim != 2 or not bool(((images >= 0) & (images <= 1)).all()):
        raise ValueError(f"images must have shape (N, pixels) with values in [0, 1], got shape {tuple(images.shape)}")
    images = images.float()  # fast; the fitted weights are then used in double precision
    codes = enumerate_codes(latents, classes, dtype=torch.float32).flatten(-2)  # (C, L k)
    generator = torch.Generator().manual_seed(seed)
    net = torch.nn.Sequential(torch.nn.Linear(latents * classes, hidden), torch.nn.Tanh(), torch.nn.Linear(hidden, images.shape[1]))
    with torch.no_grad():
        for weight in net.parameters():
            weight.normal_(0, 0.5 if weight.ndim == 2 else 0.1, generator=generator)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.03)
    for _ in range(steps):
        optimiser.zero_grad()
        pixel = net(codes)  # (C, pixels)
        log_likelihood = images @ pixel.T - functional.softplus(pixel).sum(-1)  # (N, C)
        (-log_likelihood.logsumexp(-1).mean()).backward()
        optimiser.step()
    return net.double().requires_grad_(False)


# --8<-- [end:decoder]


def digit_targets(net: torch.nn.Module, images: Tensor) -> list[Target]:
    """For each image ``(N, pixels)`` the log-likelihood (nats) of its pixels as a function of the code ``(..., L, k)``."""

    def target(image: Tensor) -> Target:
        def log_likelihood(code: Tensor) -> Tensor:
            pixel: Tensor = net(code.flatten(-2))
            return pixel @ image - functional.softplus(pixel).sum(-1)

        return log_likelihood

    return [target(image.double()) for image in images]


# ------------------------------------------------------------------------------------------------------------------ what follows from it
def order_of_bias(sharpness: list[float], *, latents: int = 3, classes: int = 4, seeds: int = 40) -> dict[str, Tensor]:
    """Exact bias of straight-through and of ReinMax, relative to the gradient, for tanh networks of rising sharpness.

    Returns:
        ``ST`` and ``ReinMax``: medians over `seeds` random networks and logits, ``(len(sharpness),)``.
    """
    found: dict[str, list[Tensor]] = {"ST": [], "ReinMax": []}
    for factor in sharpness:
        relative: dict[str, list[Tensor]] = {"ST": [], "ReinMax": []}
        for seed in range(seeds):
            generator = torch.Generator().manual_seed(seed)
            logits = torch.randn(latents, classes, generator=generator, dtype=torch.float64)
            f = synthetic_targets(latents, classes, generator=generator, sharpness=factor)["sharp tanh network"]
            exact = exact_gradient(logits, f)
            for name, estimator in (("ST", straight_through), ("ReinMax", reinmax)):
                relative[name].append((exact_mean_of(estimator, logits, f) - exact).norm() / exact.norm())
        for name, values in relative.items():
            found[name].append(torch.stack(values).median())
    return {name: torch.stack(values) for name, values in found.items()}


# --8<-- [start:race]
def race(
    name: str, f: Target, *, latents: int = 3, classes: int = 4, steps: int = 200, rate: float = 0.1, runs: int = 64, seed: int = 0
) -> Tensor:
    r"""Fit :math:`q(c)=\prod_l\mathrm{softmax}(o_l)` to the posterior of a code with one-sample gradients of an estimator.

    Maximises :math:`E_q[f]+H(q)` by gradient ascent from ``o = 0``; the entropy's derivative is exact, that of the mean of ``f`` comes
    from the estimator (``"exact"``: from enumeration).

    Returns:
        :math:`\mathrm{KL}(q\|\text{posterior})` in nats before each step, ``(steps, runs)``, by enumeration.
    """
    generator = torch.Generator().manual_seed(seed)
    codes = enumerate_codes(latents, classes)
    values = f(codes).detach()  # (C,)
    logits = torch.zeros(runs, latents, classes, dtype=torch.float64, requires_grad=True)
    gaps = []
    for _ in range(steps):
        log_q = torch.einsum("clk,rlk->rc", codes, logits.log_softmax(-1))
        bound = (log_q.exp() * (values - log_q)).sum(-1)  # (runs,)
        gaps.append(values.logsumexp(-1) - bound.detach())
        entropy = -(log_q.exp() * log_q).sum()
        objective = bound.sum() if name == "exact" else ESTIMATORS[name](logits, f, generator).sum() + entropy
        (slope,) = torch.autograd.grad(objective, logits)
        logits = (logits + rate * slope).detach().requires_grad_()
    return torch.stack(gaps)


# --8<-- [end:race]
