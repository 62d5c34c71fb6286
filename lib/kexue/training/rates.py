"""How a learning rate falls: shares of its peak, as functions of step and steps."""

from __future__ import annotations

import math

__all__ = ["half_cosine", "line"]


def line(step: int, steps: int, *, end: float = 0.0) -> float:
    r"""The share of the rate at a step if it falls along a straight line: :math:`1-(1-e)\frac{t-1}{T-1}`.

    Args:
        step: t, from 1 on.
        steps: T, of the whole training; a training of one step has the whole rate.
        end: e, the share at the last step.

    >>> [line(t, 5, end=0.5) for t in (1, 3, 5)]
    [1.0, 0.75, 0.5]
    """
    return 1 - (1 - end) * (step - 1) / max(steps - 1, 1)


def half_cosine(step: int, steps: int, *, end: float = 0.0) -> float:
    r"""The share of the rate at a step if it falls along half a cosine: :math:`e+(1-e)\frac12\left(1+\cos\frac{\pi t}T\right)`.

    Args:
        step: t; at nought the rate is whole.
        steps: T, of the whole training.
        end: e, the share at the last step.

    Source: Loshchilov and Hutter (2017), arXiv 1608.03983, without restarts.

    >>> [round(half_cosine(t, 4, end=0.1), 3) for t in (0, 2, 4)]
    [1.0, 0.55, 0.1]
    """
    return end + (1 - end) * 0.5 * (1 + math.cos(math.pi * step / steps))
