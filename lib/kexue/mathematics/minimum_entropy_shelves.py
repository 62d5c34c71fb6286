"""Arranging a library: what a visit costs in steps, and six ways to choose the order of the books.

A reader comes in at the entrance, walks to book i, from there to book j, and finds the checkout on the way. With ``P[i, j]`` the share
of visits that take i and then j, and with N slots at fixed places x, an arrangement puts each book on a slot and costs

.. math:: S_{lib}=\\sum_{ij}P_{ij}\\bigl(\\alpha\\,\\|x_i\\|+\\beta\\,\\|x_i-x_j\\|\\bigr).

Slots replace the least distance between books of the post. Finding the best arrangement is a quadratic assignment problem, NP-hard in
general. An arrangement is an array ``order`` (N,) of integers: book i stands on slot ``order[i]``.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

__all__ = [
    "Library",
    "anneal",
    "communities",
    "exhaustive",
    "hall",
    "library",
    "popular_first",
    "shelf",
    "spectral",
    "swap_until_still",
    "two_communities",
]

Array = NDArray[np.float64]
Order = NDArray[np.int64]
MOST = 9  # books of which all arrangements are tried: 9! = 362,880


# ---------------------------------------------------------------------------------------------------------------- slots and books
def shelf(n: int) -> Array:
    """Slots along one wall, at the distances 1, 2, …, n from the entrance, shape (n, 1)."""
    return np.arange(1.0, n + 1)[:, None]


def hall(columns: int, rows: int) -> Array:
    """Slots of a reading hall, shape (columns * rows, 2), the entrance in the middle of the near wall at the origin.

    >>> hall(3, 2).tolist()
    [[-1.0, 1.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 2.0], [0.0, 2.0], [1.0, 2.0]]
    """
    across = np.arange(columns) - (columns - 1) / 2
    return np.array([[x, y + 1.0] for y in range(rows) for x in across])


def communities(subjects: int, popularity: Sequence[float], *, across: float) -> Array:
    """The records of a toy library whose subjects are alike: books of one subject are borrowed together.

    ``P[i, j]`` is proportional to ``popularity[i] * popularity[j]``, times `across` if the subjects differ, and 0 for i = j.

    Args:
        subjects: how many.
        popularity: of the books of each subject.
        across: affinity of books of different subjects, where those of the same have 1.

    Returns:
        The joint law, (N, N) with N = subjects * len(popularity), subject by subject.
    """
    weight = np.tile(np.asarray(popularity, dtype=float), subjects)
    subject = np.repeat(np.arange(subjects), len(popularity))
    joint = np.outer(weight, weight) * np.where(subject[:, None] == subject, 1.0, across)
    np.fill_diagonal(joint, 0.0)
    return np.asarray(joint / joint.sum())


def two_communities() -> Array:
    """The toy library of eight books: two subjects with popularities 5, 4, 3, 2 each, affinity 0.1 across."""
    return communities(2, (5, 4, 3, 2), across=0.1)


# --------------------------------------------------------------------------------------------------------------------- the cost
# --8<-- [start:library]
@dataclass(frozen=True)
class Library:
    """The records and the floor plan, ready for costing.

    Attributes:
        popularity: how often a book is taken first, times the weight of the way in, (N,).
        affinity: how often two books are taken in one visit, in either order, times the weight of togetherness, (N, N), diagonal 0.
        near: distance of each slot from the entrance, (N,).
        apart: distances between slots, (N, N).
    """

    popularity: Array
    affinity: Array
    near: Array
    apart: Array

    def parts(self, order: Order) -> tuple[float, float]:
        """The two terms of the cost: the way in, and the way from the first book to the second."""
        between = self.apart[np.ix_(order, order)]
        return float(self.popularity @ self.near[order]), float((self.affinity * between).sum() / 2)

    def cost(self, order: Order) -> float:
        """The mean walk of a visit."""
        return sum(self.parts(order))

    def swaps(self, order: Order) -> Array:
        r"""What every swap of two books would change, (N, N): with :math:`G_{ij}=\sum_kA_{ik}E_{jk}`,

        .. math:: \Delta_{ij}=(p_i-p_j)(r_j-r_i)+G_{ij}+G_{ji}-G_{ii}-G_{jj}+2A_{ij}E_{ij}.
        """
        p, r = self.popularity, self.near[order]
        between = self.apart[np.ix_(order, order)]  # E
        g = self.affinity @ between
        own = np.diag(g)
        way_in = (p[:, None] - p) * (r - r[:, None])
        return np.asarray(way_in + g + g.T - own[:, None] - own + 2 * self.affinity * between)

    def swap(self, order: Order, i: int, j: int) -> float:
        """What one swap changes, in N operations."""
        a, b = order[i], order[j]
        gap = (self.affinity[i] - self.affinity[j]) * (self.apart[b, order] - self.apart[a, order])
        gap[i] = gap[j] = 0.0  # these two keep their distance
        return float((self.popularity[i] - self.popularity[j]) * (self.near[b] - self.near[a]) + gap.sum())

    # --8<-- [end:library]

    def mean_cost(self) -> float:
        """The mean cost of all N! arrangements: every book meets every slot, every pair every pair of slots, equally often."""
        n = len(self.near)
        return float(self.popularity.sum() * self.near.mean() + self.affinity.sum() / 2 * self.apart.sum() / (n * (n - 1)))


def library(joint: ArrayLike, slots: ArrayLike, *, entrance: float = 1.0, together: float = 1.0) -> Library:
    """Records and slots made ready.

    Args:
        joint: shares of visits that take book i, then book j, (N, N).
        slots: places of the N slots, (N, d), the entrance at the origin.
        entrance: weight of the way in.
        together: weight of the way from the first book to the second.

    Raises:
        ValueError: shapes that do not fit, a negative share or weight.
    """
    p, x = np.asarray(joint, dtype=float), np.asarray(slots, dtype=float)
    if p.ndim != 2 or p.shape[0] != p.shape[1] or x.ndim != 2 or len(x) != len(p):
        raise ValueError(f"expected a joint law (N, N) and slots (N, d), got shapes {p.shape} and {x.shape}")
    if not ((p >= 0).all() and entrance >= 0 and together >= 0):
        raise ValueError("shares and weights must be at least 0")
    affinity = together * (p + p.T)
    np.fill_diagonal(affinity, 0.0)
    apart = np.sqrt(np.square(x[:, None] - x).sum(-1))
    return Library(entrance * p.sum(1), affinity, np.sqrt(np.square(x).sum(1)), apart)


# ------------------------------------------------------------------------------------------------------------ ways to arrange
# --8<-- [start:rules]
def popular_first(books: Library) -> Order:
    """The most wanted book on the slot nearest to the entrance, and so on: the least way in, by the rearrangement inequality."""
    order = np.empty(len(books.near), dtype=np.int64)
    order[np.argsort(-books.popularity, kind="stable")] = np.argsort(books.near, kind="stable")
    return order


def spectral(books: Library, slots: ArrayLike) -> Order:
    """Books placed by the slowest modes of the graph of records, as many as the slots have dimensions, then moved onto the slots.

    The modes minimise the sum of affinity times *squared* distance (Hall 1970). Mirror images serve that sum equally well; the
    one that costs least is taken.
    """
    x = np.asarray(slots, dtype=float)
    d = x.shape[1]
    _, modes = np.linalg.eigh(np.diag(books.affinity.sum(1)) - books.affinity)
    best: Order | None = None
    for signs in itertools.product((1.0, -1.0), repeat=d):
        wish = modes[:, 1 : d + 1] * np.array(signs)
        wish = (wish - wish.mean(0)) / wish.std(0) * x.std(0) + x.mean(0)  # (N, d), spread like the slots
        _, order = linear_sum_assignment(np.square(wish[:, None] - x).sum(-1))
        if best is None or books.cost(order) < books.cost(best):
            best = np.asarray(order)
    assert best is not None  # at least one combination of signs
    return best


# --8<-- [end:rules]


def exhaustive(books: Library) -> tuple[Order, Array]:
    """The best arrangement of at most nine books, and the costs of all N! arrangements in lexicographic order.

    Raises:
        ValueError: more than nine books.
    """
    n = len(books.near)
    if n > MOST:
        raise ValueError(f"{n} books have too many arrangements to try all; at most {MOST} are tried")
    orders = np.array(list(itertools.permutations(range(n))))  # (N!, N)
    costs = books.near[orders] @ books.popularity
    for i, j in itertools.combinations(range(n), 2):
        costs += books.affinity[i, j] * books.apart[orders[:, i], orders[:, j]]
    return orders[costs.argmin()], costs


# --8<-- [start:search]
def swap_until_still(books: Library, start: Order) -> Order:
    """Make the swap that saves most, until no swap saves anything."""
    order = start.copy()
    while True:
        changes = books.swaps(order)
        i, j = np.unravel_index(changes.argmin(), changes.shape)
        if changes[i, j] > -1e-12:
            return order
        order[[i, j]] = order[[j, i]]


def anneal(
    books: Library, start: Order, *, hot: float, cold: float, sweeps: int, seed: int, keep: int = 0
) -> tuple[Order, NDArray[np.int64]]:
    """Simulated annealing over swaps: a swap that costs more is accepted with probability exp(-change / temperature).

    Args:
        books: the library.
        start: first arrangement, (N,).
        hot: first temperature, in units of the cost.
        cold: last temperature; falls geometrically between them.
        sweeps: N proposals each.
        seed: of the proposals.
        keep: how many arrangements to return along the way.

    Returns:
        The best arrangement met, and ``keep`` arrangements on the way, evenly spaced from the start to the best, (keep, N).

    Source: Kirkpatrick, Gelatt and Vecchi (1983).
    """
    rng = np.random.default_rng(seed)
    n, order = len(books.near), start.copy()
    cost = best_cost = books.cost(order)
    best, path = order.copy(), [order.copy()]
    for temperature in np.geomspace(hot, cold, sweeps):
        pairs, luck = rng.integers(0, n, (n, 2)), rng.random(n)
        for (i, j), u in zip(pairs, luck, strict=True):
            change = books.swap(order, i, j)
            if change <= 0 or u < np.exp(-change / temperature):
                order[i], order[j] = order[j], order[i]
                cost += change
                if cost < best_cost - 1e-12:
                    best, best_cost = order.copy(), cost
        path.append(order.copy())
    path[-1] = best
    return best, np.array([path[round(k)] for k in np.linspace(0, sweeps, keep)], dtype=np.int64).reshape(keep, n)


# --8<-- [end:search]
