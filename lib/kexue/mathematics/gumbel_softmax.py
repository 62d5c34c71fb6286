"""Differentiable draws from a categorical law: Gumbel-max, Gumbel-softmax and the estimators around them.

A *one-hot draw* ``D`` of a categorical law with logits ``o`` and probabilities ``p = softmax(o)`` has no derivative. Every function
here that returns a draw returns the right value forwards and a stated substitute for the missing derivative backwards. Logits have
shape ``(..., k)``: the classes are the last axis, every other axis is independent. The closed forms that judge these estimators are
in :mod:`kexue.mathematics.gumbel_softmax_laws`, the comparison with an exact gradient in :mod:`kexue.mathematics.gumbel_softmax_arena`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = [
    "conditional_gumbels",
    "gumbel_max",
    "gumbel_noise",
    "gumbel_softmax",
    "one_hot_log_prob",
    "probabilities_to_logits",
    "rao_blackwell_straight_through",
    "reinmax",
    "rloo",
    "score_function_loss",
    "straight_through",
]


# --------------------------------------------------------------------------------------------------------------- checks at the door
def check_logits(logits: Tensor) -> Tensor:
    """Return `logits` if they are finite reals of shape ``(..., k)`` with ``k >= 2``.

    Raises:
        ValueError: naming what was wrong and what was expected.
    """
    if not isinstance(logits, Tensor) or not logits.is_floating_point():
        kind = str(logits.dtype) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"logits must be a floating-point tensor of shape (..., k), got {kind}")
    if logits.ndim < 1 or logits.shape[-1] < 2:
        raise ValueError(f"logits must have shape (..., k) with at least k = 2 classes, got shape {tuple(logits.shape)}")
    if not bool(torch.isfinite(logits).all()):
        raise ValueError("logits must be finite, got a NaN or an infinity; give an impossible class a very negative logit instead")
    return logits


def check_tau(tau: float) -> float:
    """Return the temperature if it is a finite number above zero; raise ``ValueError`` if it is not."""
    if not (isinstance(tau, (int, float)) and math.isfinite(tau) and tau > 0):
        raise ValueError(f"the temperature tau must be a finite number above 0, got {tau!r}; for tau -> 0 use gumbel_max")
    return float(tau)


def probabilities_to_logits(probabilities: Tensor, *, tolerance: float = 1e-4) -> Tensor:
    """Logits ``log p`` of probabilities ``p`` of shape ``(..., k)`` inside the simplex.

    Args:
        probabilities: positive numbers ``(..., k)`` that sum to one along the last axis, up to `tolerance`.
        tolerance: how far the sums may be from one.

    Raises:
        ValueError: for a wrong shape, a number that is not positive, or a sum that is not one.

    >>> probabilities_to_logits(torch.tensor([0.25, 0.75])).softmax(-1)
    tensor([0.2500, 0.7500])
    """
    check_logits(probabilities)
    if bool((probabilities <= 0).any()):
        raise ValueError(f"probabilities must all be positive, the smallest is {probabilities.min().item():.4g}")
    miss = (probabilities.sum(-1) - 1).abs()
    if bool((miss > tolerance).any()):
        raise ValueError(f"probabilities must sum to 1 along the last axis, a sum misses it by {miss.max().item():.4g}")
    return probabilities.log()


def check_draw(draw: Tensor, logits: Tensor) -> Tensor:
    """Return `draw` if it holds one-hot vectors of the shape of valid `logits`; raise ``ValueError`` if it does not."""
    if check_logits(logits).shape != draw.shape:
        raise ValueError(f"draw must have the shape of the logits {tuple(logits.shape)}, got {tuple(draw.shape)}")
    if not bool((((draw == 0) | (draw == 1)).all(-1) & (draw.sum(-1) == 1)).all()):
        raise ValueError("draw must hold one-hot vectors along the last axis: a single 1, all else 0")
    return draw


# ------------------------------------------------------------------------------------------------------------------------ sampling
# --8<-- [start:noise]
def gumbel_noise(
    shape: tuple[int, ...] | torch.Size,
    *,
    generator: torch.Generator | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    r"""Standard Gumbel draws, :math:`G = -\log E` with :math:`E\sim\mathrm{Exp}(1)`, the same law as :math:`-\log(-\log U)`.

    Drawing the exponential directly keeps both tails: no constant has to be added inside a logarithm.

    Args:
        shape: shape of the result.
        generator: source of randomness; PyTorch's default generator if absent.
        dtype: floating type of the result.
        device: device of the result.

    Returns:
        A tensor of the given shape: mean 0.5772 (Euler's constant), variance pi^2 / 6.
    """
    exponential = torch.empty(shape, dtype=dtype, device=device).exponential_(generator=generator)
    return -exponential.clamp_min(torch.finfo(exponential.dtype).tiny).log()


# --8<-- [end:noise]


def _noise_for(logits: Tensor, noise: Tensor | None, generator: torch.Generator | None) -> Tensor:
    """The given `noise` if its trailing shape is that of the logits (leading axes are samples), fresh Gumbel draws if it is absent."""
    if noise is None:
        return gumbel_noise(logits.shape, generator=generator, dtype=logits.dtype, device=logits.device)
    if noise.shape[noise.ndim - logits.ndim :] != logits.shape or noise.ndim < logits.ndim:
        raise ValueError(f"noise must have shape (samples..., *{tuple(logits.shape)}) to fit the logits, got {tuple(noise.shape)}")
    return noise


def _one_hot(index: Tensor, like: Tensor) -> Tensor:
    """One-hot vectors of the classes `index` (...,) with the type and device of `like` (..., k)."""
    return torch.zeros_like(like).scatter_(-1, index.unsqueeze(-1), 1.0)


def _with_gradient_of(value: Tensor, substitute: Tensor) -> Tensor:
    """`value` exactly, to the last bit, with the derivative of `substitute`: the bracket is zero forwards."""
    return value.detach() + (substitute - substitute.detach())


# --8<-- [start:max]
def gumbel_max(logits: Tensor, *, noise: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
    r"""An exact one-hot draw: :math:`D=\mathrm{onehot}\,\arg\max_i(o_i+G_i)` has :math:`P(D=i)=\mathrm{softmax}(o)_i`.

    Args:
        logits: ``(..., k)``.
        noise: Gumbel draws ``(samples..., *logits.shape)``; drawn with `generator` if absent.
        generator: source of randomness.

    Returns:
        One-hot vectors of the shape of the noise, without a derivative.
    """
    perturbed = (check_logits(logits) + _noise_for(logits, noise, generator)).detach()
    return _one_hot(perturbed.argmax(-1), perturbed)


# --8<-- [end:max]


# --8<-- [start:softmax]
def gumbel_softmax(
    logits: Tensor,
    tau: float,
    *,
    hard: bool = False,
    noise: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""A relaxed draw :math:`y=\mathrm{softmax}((o+G)/\tau)`, differentiable in the logits (Jang et al. 2017; Maddison et al. 2017).

    Args:
        logits: ``(..., k)``.
        tau: temperature above 0.
        hard: return the one-hot of the largest coordinate forwards and keep the derivative of ``y`` (straight-through Gumbel-softmax).
        noise: Gumbel draws ``(samples..., *logits.shape)``; drawn with `generator` if absent.
        generator: source of randomness.

    Returns:
        Points of the simplex (corners of it if `hard`), of the shape of the noise.

    Raises:
        ValueError: for tau <= 0, logits that are not finite or have no class axis, noise of another shape.
    """
    tau = check_tau(tau)
    perturbed = check_logits(logits) + _noise_for(logits, noise, generator)  # (..., k)
    y = (perturbed / tau).softmax(-1)
    return _with_gradient_of(_one_hot(perturbed.argmax(-1), y), y) if hard else y


# --8<-- [end:softmax]


# ---------------------------------------------------------------------------------------------------------------------- estimators
# --8<-- [start:straight-through]
def straight_through(logits: Tensor, *, draw: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
    r"""One-hot draw forwards, softmax backwards: :math:`\partial D/\partial o := \mathrm{diag}(p)-pp^\top` (Bengio et al. 2013).

    Args:
        logits: ``(..., k)``.
        draw: one-hot vectors ``(..., k)`` to use instead of a fresh draw.
        generator: source of randomness.

    Returns:
        One-hot vectors ``(..., k)``. Exact, without variance, for an ``f`` linear in ``D``; biased beyond.
    """
    draw = gumbel_max(logits, generator=generator) if draw is None else check_draw(draw, logits)
    return _with_gradient_of(draw, logits.softmax(-1))


# --8<-- [end:straight-through]


# --8<-- [start:conditional]
def conditional_gumbels(logits: Tensor, draw: Tensor, *, samples: int = 1, generator: torch.Generator | None = None) -> Tensor:
    r"""Perturbed log-probabilities :math:`\log p_i+G_i` given that `draw` is where their maximum lies.

    The winner's value :math:`M` is a standard Gumbel draw; a loser is a Gumbel draw at :math:`\log p_j` cut off above :math:`M`:
    :math:`-\log(E_j/p_j+e^{-M})` with :math:`E_j\sim\mathrm{Exp}(1)` (Paulus et al. 2021).

    Args:
        logits: ``(..., k)``.
        draw: one-hot vectors ``(..., k)``.
        samples: number S of conditional draws.
        generator: source of randomness.

    Returns:
        Values ``(S, ..., k)`` without a derivative.
    """
    check_draw(draw, logits)
    if samples < 1:
        raise ValueError(f"samples must be at least 1, got {samples}")
    log_p = logits.detach().log_softmax(-1)
    gumbel = gumbel_noise((samples, *logits.shape), generator=generator, dtype=logits.dtype, device=logits.device)
    winner = (gumbel * draw).sum(-1, keepdim=True)  # (S, ..., 1), M
    losers = -torch.logaddexp(-gumbel - log_p, -winner)  # E_j / p_j = exp(-G_j - log p_j)
    return torch.where(draw.bool(), winner, losers)


# --8<-- [end:conditional]


# --8<-- [start:rao-blackwell]
def rao_blackwell_straight_through(
    logits: Tensor, tau: float, *, samples: int = 10, draw: Tensor | None = None, generator: torch.Generator | None = None
) -> Tensor:
    r"""Straight-through Gumbel-softmax whose backward pass is averaged over the noise that leads to the same draw.

    :math:`\partial D/\partial o:=\frac1S\sum_s\partial\,\mathrm{softmax}((o+G^{(s)})/\tau)/\partial o` with :math:`G^{(s)}\mid D`
    (Paulus, Maddison, Krause 2021). Same mean as ``gumbel_softmax(hard=True)``, less variance, one evaluation of ``f``.

    Args:
        logits: ``(..., k)``.
        tau: temperature above 0.
        samples: number S of conditional draws.
        draw: one-hot vectors ``(..., k)`` to use instead of a fresh draw.
        generator: source of randomness.

    Returns:
        One-hot vectors ``(..., k)``.
    """
    tau = check_tau(tau)
    draw = gumbel_max(logits, generator=generator) if draw is None else draw
    noise = conditional_gumbels(logits, draw, samples=samples, generator=generator) - logits.detach()  # (S, ..., k)
    return _with_gradient_of(draw, ((logits + noise) / tau).softmax(-1).mean(0))


# --8<-- [end:rao-blackwell]


# --8<-- [start:reinmax]
def reinmax(logits: Tensor, *, draw: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
    r"""One-hot draw forwards, Heun's second-order rule backwards (Liu et al. 2023): no bias for a quadratic ``f``.

    With :math:`p=\mathrm{softmax}(o)`, :math:`\pi=(p+D)/2` and :math:`J(q)=\mathrm{diag}(q)-qq^\top`:
    :math:`\partial D/\partial o:=2J(\pi)-\tfrac12J(p)`.

    Args:
        logits: ``(..., k)``.
        draw: one-hot vectors ``(..., k)`` to use instead of a fresh draw.
        generator: source of randomness.

    Returns:
        One-hot vectors ``(..., k)``.
    """
    draw = gumbel_max(logits, generator=generator) if draw is None else check_draw(draw, logits)
    p = logits.softmax(-1)
    shift = ((p + draw) / 2).log().detach() - logits.detach()  # softmax(logits + shift) is pi, with Jacobian J(pi)
    return _with_gradient_of(draw, 2 * (logits + shift).softmax(-1) - p / 2)


# --8<-- [end:reinmax]


def one_hot_log_prob(logits: Tensor, draw: Tensor) -> Tensor:
    r"""Log-probability :math:`\log p_D` of one-hot draws ``(samples..., ..., k)``; the result lacks the class axis.

    >>> one_hot_log_prob(torch.zeros(2), torch.tensor([0.0, 1.0])).exp()
    tensor(0.5000)
    """
    return (draw * check_logits(logits).log_softmax(-1)).sum(-1)


# --8<-- [start:score]
def score_function_loss(f: Tensor, log_prob: Tensor, *, baseline: Tensor | float = 0.0) -> Tensor:
    r"""Surrogate of the score-function estimator: its value is the mean of ``f``, its gradient :math:`(f-b)\,\partial\log p+\partial f`.

    Args:
        f: values ``(K, ...)`` at K draws; their own derivative (a decoder's parameters) is kept.
        log_prob: log-probabilities ``(K, ...)`` of the draws, summed over the latents.
        baseline: any ``b`` that does not depend on the draw it is subtracted from; unbiased whatever it is.

    Returns:
        Shape ``(...)``: the mean over the K draws.

    Raises:
        ValueError: if the shapes of `f` and `log_prob` differ or there is no axis of draws.
    """
    if f.shape != log_prob.shape or f.ndim < 1 or f.shape[0] < 1:
        raise ValueError(f"f and log_prob must share a shape (K, ...), got {tuple(f.shape)} and {tuple(log_prob.shape)}")
    return (f + (f - baseline).detach() * (log_prob - log_prob.detach())).mean(0)


def rloo(f: Tensor, log_prob: Tensor) -> Tensor:
    r"""Score-function surrogate whose baseline for draw k is the mean of the other K - 1 values (Kool et al. 2019; Ahmadian et al. 2024).

    Arguments and result as in :func:`score_function_loss`; it needs at least two draws.

    Raises:
        ValueError: for fewer than two draws.
    """
    if f.ndim < 1 or f.shape[0] < 2:
        raise ValueError(f"leave-one-out needs at least K = 2 draws on the first axis, got shape {tuple(f.shape)}")
    others = (f.sum(0) - f) / (f.shape[0] - 1)  # (K, ...), free of draw k
    return score_function_loss(f, log_prob, baseline=others.detach())


# --8<-- [end:score]
