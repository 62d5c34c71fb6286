"""The figures of the chapter on the bottleneck."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from kexue import figures

__all__ = ["atlas", "forgetting", "hinges", "information_planes", "rate_distortion"]


def hinges(budgets: ArrayLike, inside: ArrayLike, outside: ArrayLike, kept: float, price: float, **words: str) -> figures.Shown:
    """What both hinges charge against the budget, with the point at which nothing should be charged.

    Args:
        budgets: ``(n,)`` nats.
        inside: charge of the hinge inside the mean, ``(n,)``.
        outside: charge of the hinge outside, ``(n,)``.
        kept: the information that the code keeps.
        price: charge of the hinge inside at that budget.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    with figures.axes("text", 2.8) as (fig, ax):
        ax.plot(budgets, inside, color=figures.colour("two"), label="hinge inside the mean (the post)")
        ax.plot(budgets, outside, color=figures.colour("one"), label="hinge outside the mean")
        ax.axvline(kept, color=figures.colour("muted"), linestyle="--", linewidth=1)
        ax.plot([kept], [price], "o", color=figures.colour("two"))
        ax.annotate("ρ/π", (kept, price), xytext=(7, 3), textcoords="offset points")
        ax.annotate("information kept", (kept, 0), xytext=(5, 22), textcoords="offset points", color=figures.colour("muted"), fontsize=8.5)
        ax.set(xlabel="budget, nats", ylabel="charge, nats", xlim=(0, float(np.max(np.asarray(budgets)))), ylim=(0, None))
        ax.legend()
        return figures.show(fig, **words)


def rate_distortion(
    curve: tuple[ArrayLike, ArrayLike], points: Mapping[str, tuple[ArrayLike, ArrayLike]], *, label: str = "water-filling", **words: str
) -> figures.Shown:
    """The rate-distortion curve in closed form and what trained models reach.

    Args:
        curve: errors and rates of the closed form.
        points: label -> errors and rates of trained models.
        label: name of the curve.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    with figures.axes("text", 3.2) as (fig, ax):
        ax.plot(*curve, color=figures.colour("one"), label=label)
        for role, (name, at) in zip(("two", "three", "four"), points.items(), strict=False):
            ax.plot(*at, "o", color=figures.colour(role), label=name, markersize=6)
        ax.set(xlabel="squared error", ylabel="rate, nats", ylim=(0, None), xlim=(0, None))
        ax.legend()
        return figures.show(fig, **words)


def information_planes(
    normal: tuple[ArrayLike, ArrayLike], trained: tuple[ArrayLike, ArrayLike], bit: tuple[ArrayLike, ArrayLike],
    iterated: tuple[ArrayLike, ArrayLike], births: Sequence[float], **words: str,
) -> figures.Shown:  # fmt: skip
    """Information kept against information told: a normal vector with trained codes, a bit with iterated ones.

    Args:
        normal: the best curve of the vector, kept and told.
        trained: what the trained bottlenecks reach.
        bit: the exact curve of a noisy bit.
        iterated: what the discrete iteration reaches.
        births: kept information at which a further direction begins to be kept.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    with figures.axes("text", 3.0, columns=2) as (fig, (left, right)):
        for at in births:
            left.axvline(at, color=figures.colour("muted"), linestyle=":", linewidth=1)
        for ax, curve, found, words_found in ((left, normal, trained, "trained"), (right, bit, iterated, "iterated")):
            ax.plot(*curve, color=figures.colour("one"), label="exact")
            ax.plot(*found, "o", color=figures.colour("two"), label=words_found, markersize=6)
            ax.set(xlabel="kept, I(X;T), nats", xlim=(0, None), ylim=(0, None))
            ax.legend(loc="lower right")
        left.set(title="A normal vector", ylabel="told, I(T;Y), nats")
        right.set_title("A bit and its noisy copy")
        return figures.show(fig, **words)


def forgetting(
    rates: ArrayLike, right: ArrayLike, learnt: ArrayLike, rivals: Mapping[str, float], need: float, **words: str
) -> figures.Shown:
    """Right answers and wrong labels learnt against the rate of the code, with the rivals as levels.

    Args:
        rates: nats of the bottlenecks ``(n,)``.
        right: share of right answers to clean test pictures, ``(n,)``.
        learnt: share of the wrong training labels that are given back, ``(n,)``.
        rivals: label -> share of right answers, at most three.
        need: nats that name the class.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    with figures.axes("text", 3.2) as (fig, ax):
        ax.semilogx(rates, right, "o-", color=figures.colour("one"), label="right answers")
        ax.semilogx(rates, learnt, "o-", color=figures.colour("two"), label="wrong labels learnt")
        for style, (name, value) in zip((":", "--", "-."), rivals.items(), strict=False):
            ax.axhline(value, color=figures.colour("muted"), linestyle=style, linewidth=1.2, label=name)
        ax.axvline(need, color=figures.colour("grid"), linewidth=2)
        ax.annotate("log 10", (need, 0.02), xytext=(4, 0), textcoords="offset points", fontsize=8.5, color=figures.colour("muted"))
        ax.set(xlabel="rate of the code, nats", ylabel="share", ylim=(0, 1))
        ax.legend(ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.2))
        return figures.show(fig, **words)


def atlas(codes: Mapping[str, ArrayLike], labels: ArrayLike, **words: str) -> figures.Shown:
    """Codes of two numbers as maps, side by side; a digit stands at the middle of its class.

    Args:
        codes: title -> means of the codes ``(N, 2)``.
        labels: classes ``(N,)``.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    classes = np.asarray(labels)
    with figures.axes("text", 2.7, columns=len(codes)) as (fig, panels):
        for ax, (title, points) in zip(np.atleast_1d(panels), codes.items(), strict=True):
            at = np.asarray(points)
            for c in np.unique(classes):
                role = figures.ROLES[int(c) % len(figures.ROLES)]
                ax.plot(*at[classes == c].T, "o", color=figures.colour(role), markersize=2.4, alpha=0.7, markeredgewidth=0)
            for c in np.unique(classes):
                ax.annotate(str(c), np.median(at[classes == c], 0), ha="center", va="center", fontsize=11, fontweight="bold")
            ax.set_title(title)
            ax.set_aspect("equal", adjustable="datalim")
        return figures.show(fig, **words)
