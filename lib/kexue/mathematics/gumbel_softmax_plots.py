"""The figures and tables of the chapter on Gumbel-softmax."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from kexue import figures
from kexue.mathematics.gumbel_softmax_arena import Score

__all__ = ["COLOURS", "arena_table", "bounds", "mean_of_race", "plane", "temperature_law", "two_orders", "verdict"]

#: one colour for each family of estimators, wherever it occurs
COLOURS = {"SF": "two", "RLOO": "two", "GS": "one", "ST-GS": "five", "RB ST-GS": "five", "ST": "three", "ReinMax": "four", "exact": "fg"}


def family(estimator: str) -> str:
    """The family of an estimator of the arena: the part of its name before the comma."""
    return estimator.split(",")[0]


def temperature_law(
    tau: ArrayLike, bits: Mapping[str, ArrayLike], tens: Mapping[str, ArrayLike], law: float, **words: str
) -> figures.Shown:
    """Relative bias and variance of the pathwise derivative against the temperature, for two and for ten classes.

    Args:
        tau: temperatures (T,).
        bits: ``bias`` (relative) and ``variance`` of two classes, (T,).
        tens: ``tau``, ``bias``, ``variance`` of ten classes, (M,).
        law: the factor of 1 / tau in the law.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    tau = np.asarray(tau)
    with figures.axes("text", 3.0, columns=2) as (fig, (left, right)):
        left.semilogx(tau, 100 * np.asarray(bits["bias"]), color=figures.colour("one"), label="two classes")
        left.semilogx(tens["tau"], 100 * np.asarray(tens["bias"]), "o", color=figures.colour("four"), label="ten classes")
        left.set(xlabel="temperature τ", ylabel="bias, % of the exact derivative", title="Bias")
        left.legend()
        right.loglog(tau, bits["variance"], color=figures.colour("one"), label="two classes")
        right.loglog(tens["tau"], tens["variance"], "o", color=figures.colour("four"), label="ten classes")
        right.loglog(tau, law / tau, "--", color=figures.colour("muted"), label="p(1 − p)/6τ")
        right.set(xlabel="temperature τ", ylabel="variance of one sample", title="Variance")
        right.legend()
        return figures.show(fig, **words)


def solid(name: str) -> str:
    """A name that no table breaks into two lines."""
    return name.replace(" ", "\u00a0")


def verdict(score: Score) -> str:
    """Bias and standard deviation as the sheet of results prints them; a bias that the test cannot tell from 0 is written 0."""
    bias = "0" if score.p_value > 1e-3 else f"{score.bias:.3f}"
    return f"{bias} / {score.sd:.3g}" if score.sd > 1e-9 else f"{bias} / 0"


def arena_table(results: Mapping[str, Mapping[str, Score]], norms: Mapping[str, float], **words: str) -> figures.Shown:
    """Bias and spread of every estimator (rows) for every target (columns); the size of the exact gradient stands in the header."""
    header = ["estimator", *[f"{target} ({norms[target]:.3f})" for target in results]]
    names = list(next(iter(results.values())))
    return figures.table([[solid(n), *[verdict(scores[n]) for scores in results.values()]] for n in names], header=header, **words)


def plane(bias: Mapping[str, float], spread: Mapping[str, float], floor: float, **words: str) -> figures.Shown:
    """Estimators in the plane of relative bias and relative spread; a bias below `floor` stands at the left edge.

    Args:
        bias: relative bias by estimator, 0 for those that are unbiased.
        spread: standard deviation of one sample by estimator, relative.
        floor: where a bias of 0 is drawn.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    with figures.axes("text", 3.8) as (fig, ax):
        left = {"RB ST-GS, S = 10": -9, "ST-GS, τ = 1": 4, "GS, τ = 1": -4, "GS, τ = 0.5": -4}  # others would overprint a neighbour
        for name in bias:
            x, y = max(bias[name], floor), spread[name]
            hollow = {"markerfacecolor": "none"} if bias[name] <= floor else {}
            ax.loglog(x, y, "o", color=figures.colour(COLOURS[family(name)]), markersize=8, **hollow)
            shift, side = ((-8, left[name]), "right") if name in left else ((8, -3), "left")
            ax.annotate(name, (x, y), xytext=shift, textcoords="offset points", fontsize=8.5, ha=side)
        ax.set(xlabel="bias / size of the exact gradient (left edge: none)", ylabel="sd of one sample / size of the exact gradient")
        ax.set_xlim(floor / 1.3, 4 * max(bias.values()))
        return figures.show(fig, **words)


def two_orders(sharpness: Sequence[float], bias: Mapping[str, Tensor], **words: str) -> figures.Shown:
    """Relative bias of straight-through and ReinMax against the sharpness of the function, with lines of slope one and two."""
    s = np.asarray(sharpness)
    with figures.axes("text", 3.2) as (fig, ax):
        for (name, values), slope in zip(bias.items(), (1, 2), strict=True):
            y = values.numpy()
            ax.loglog(s, y, "o-", color=figures.colour(COLOURS[name]), label=name)
            ax.loglog(s, y[0] * (s / s[0]) ** slope, "--", color=figures.colour("muted"), linewidth=1)
            ax.annotate(f"slope {slope}", (s[1], y[0] * (s[1] / s[0]) ** slope), xytext=(6, -10), textcoords="offset points", fontsize=8.5)
        ax.set(xlabel="sharpness s of f", ylabel="bias / size of the gradient", ylim=(float(bias["ReinMax"].min()) / 2, 2))
        ax.legend()
        return figures.show(fig, **words)


def mean_of_race(gaps: Mapping[str, Tensor], **words: str) -> figures.Shown:
    """Distance to the true posterior against the step for each estimator: mean over runs and images.

    Args:
        gaps: for each estimator ``(images, steps, runs)``.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    styles: dict[str, Any] = {"GS, τ = 0.1": ":", "RLOO, K = 4": "--", "exact": "-"}
    with figures.axes("text", 3.6) as (fig, ax):
        for name, values in gaps.items():
            y = values.mean((0, 2)).numpy()
            colour = figures.colour(COLOURS[family(name)])
            ax.semilogy(y, styles.get(name, "-"), color=colour, label=name, linewidth=2.4 if name == "exact" else 1.6)
        ax.set(xlabel="step", ylabel="KL(q ‖ true posterior) in nats")
        ax.legend(ncols=2, loc="upper right", bbox_to_anchor=(1.0, 0.83))  # between the curves
        return figures.show(fig, **words)


def bounds(curves: Mapping[str, tuple[Sequence[int], Sequence[float]]], **words: str) -> figures.Shown:
    """The discrete bound of the categorical autoencoders during training, in the colours of the arena.

    Args:
        curves: key of the estimator -> steps and minus the bound, in nats.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    labels = {"gs": "GS", "st": "ST-GS", "reinmax": "ReinMax", "rloo": "RLOO", "sf": "SF"}
    with figures.axes("text", 3.0) as (fig, ax):
        for key, label in labels.items():
            if key in curves:
                steps, losses = curves[key]
                ax.plot(steps, -np.asarray(losses), "--" if key == "rloo" else "-", color=figures.colour(COLOURS[label]), label=label)
        ax.set(xlabel="step", ylabel="discrete ELBO, held-out digits (nats)", ylim=(-200, -90))
        ax.legend(ncols=2)
        return figures.show(fig, **words)


def decoded_codes(net: torch.nn.Module, codes: Tensor) -> Tensor:
    """Pictures of codes ``(..., L, k)`` as a decoder of 8 x 8 digits sees them, ``(..., 8, 8)`` in [0, 1]."""
    pixels: Tensor = net(codes.flatten(-2))
    return torch.sigmoid(pixels).reshape(*pixels.shape[:-1], 8, 8)
