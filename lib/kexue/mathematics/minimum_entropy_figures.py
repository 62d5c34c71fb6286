"""The explorers of shelves: "Arrange the library" and "Swap two books"."""

from __future__ import annotations

from functools import cache

import ipywidgets as w
import numpy as np
import torch
from numpy.typing import NDArray

from kexue.explorer import Explorer
from kexue.explorer import panels as p
from kexue.mathematics import minimum_entropy as me
from kexue.mathematics import minimum_entropy_shelves as shelves

__all__ = ["arrange_the_library", "hall_records", "hall_state", "swap_state", "swap_two_books"]

Array = NDArray[np.float64]
SUBJECTS, BOOKS = 5, 8
SLOTS = shelves.hall(BOOKS, SUBJECTS)
GROUPS = {"big": slice(0, 2), "middle": slice(2, 4), "small": slice(4, 8)}  # by popularity within a subject
FRAMES = 25
#: first temperature, last temperature, sweeps
COOLINGS = {"frozen": (0.002, 0.002, 24), "slow cooling": (0.08, 0.001, 360), "stopped early": (0.3, 0.12, 72)}
WEIGHTS = np.round(np.linspace(0, 1, 9), 3)


# ------------------------------------------------------------------------------------------------------------------ the hall
@cache
def hall_records() -> Array:
    """Records of forty books: five subjects of eight, popularity 1/rank in each, affinity 0.06 across subjects."""
    return shelves.communities(SUBJECTS, tuple(1 / np.arange(1.0, BOOKS + 1)), across=0.06)


def weighted(a: float) -> shelves.Library:
    """The hall with the way in weighted by 2(1 - a) and togetherness by 2a: at one half both count as they are."""
    return shelves.library(hall_records(), SLOTS, entrance=2 * (1 - a), together=2 * a)


@cache
def _frames(a: float, cooling: int) -> NDArray[np.int64]:
    """Arrangements on the way from a random one, (25, 40)."""
    hot, cold, sweeps = list(COOLINGS.values())[cooling]
    start = np.random.default_rng(6191).permutation(len(SLOTS))
    _, path = shelves.anneal(weighted(a), start, hot=hot, cold=cold, sweeps=sweeps, seed=4, keep=FRAMES)
    return path


@cache
def _softened(order: tuple[int, ...]) -> float:
    """Least entropy of the distance softmax on these places, over the unit of length."""
    joint, x = torch.from_numpy(hall_records()), torch.from_numpy(SLOTS[list(order)])
    far = me.distance_logits(x)
    return min(me.entropy(joint, me.without_self(scale * far)).item() for scale in np.geomspace(0.01, 1, 15))


def hall_state(a: float, cooling: int, frame: int) -> dict[str, Array | float]:
    """One arrangement of the hall and what it costs.

    Args:
        a: weight of togetherness.
        cooling: index into ``COOLINGS``.
        frame: 0 (random) to 24 (the end).

    Returns:
        ``x_big``, ``y_big`` … places of the books in three classes of popularity; ``way_in``, ``between`` in steps, unweighted;
        ``cost``, weighted, and ``random``, its mean over all arrangements; ``nats``: the entropy of the softened shelf.
    """
    order = _frames(float(a), int(cooling))[int(frame)]
    places = SLOTS[order].reshape(SUBJECTS, BOOKS, 2)
    plain, books = weighted(0.5), weighted(a)
    way_in, between = plain.parts(order)
    state: dict[str, Array | float] = {}
    for name, part in GROUPS.items():
        state |= {f"x_{name}": places[:, part, 0].ravel(), f"y_{name}": places[:, part, 1].ravel()}
    costs = {"way_in": way_in, "between": between, "walk": way_in + between, "cost": books.cost(order), "random": books.mean_cost()}
    return state | costs | {"nats": _softened(tuple(int(k) for k in order))}


def descent(a: float, cooling: int) -> dict[str, Array]:
    """Cost of every frame over that of a random arrangement, ``course`` (25,)."""
    books = weighted(a)
    return {"course": np.array([books.cost(order) for order in _frames(float(a), int(cooling))]) / books.mean_cost()}


def _subject(part: slice) -> Array:
    return np.repeat(np.arange(SUBJECTS), part.stop - part.start).astype(float)


def arrange_the_library() -> Explorer:
    """Forty books in a hall: simulated annealing under any weight of togetherness against the way in."""
    joint = torch.from_numpy(hall_records())
    floor = me.conditional_entropy(joint).item()
    plain = weighted(0.5)
    mean_in = float(plain.popularity.sum() * plain.near.mean())
    sizes = {"big": 17.0, "middle": 12.0, "small": 7.5}
    dots = [p.Dots(x=f"x_{n}", y=f"y_{n}", classes=_subject(part), size=sizes[n], opacity=0.9) for n, part in GROUPS.items()]
    door = [p.Dots(x=[0.0], y=[0.0], colour="text", size=9), p.Note("entrance", x=0.25, y=-0.08, colour="text")]
    controls = {
        "a": w.FloatSlider(value=0.5, min=0, max=1, step=0.125, description="weight of togetherness a", readout_format=".3f"),
        "cooling": w.ToggleButtons(options=[(n, i) for i, n in enumerate(COOLINGS)], value=1, description="annealing"),
        "frame": w.IntSlider(value=FRAMES - 1, min=0, max=FRAMES - 1, description="time"),
    }
    return Explorer(
        [hall_state, descent],
        controls=controls,
        grid={"a": WEIGHTS.tolist()},
        play=["frame"],
        panels=[
            p.Plane(
                layers=[*door, *dots], x_range=(-4.0, 4.0), y_range=(-0.4, 5.4), equal=True, axes=False, height=340, width=0.6,
                title="Colour: subject. Size: popularity",
                alt="Books of one subject gather; popular books gather near the entrance",
            ),
            p.Bars(
                ["steps"], categories=("way in", "first to second"), colours=("two",), labels=("steps a visit",), width=0.4, height=180,
                reference=np.array([mean_in, plain.mean_cost() - mean_in]), reference_label="random order", y_range=(0, 4),
                title="The walk of a reader", alt="Both parts of the walk fall below those of a random order, each at the other's expense",
            ),
            p.Curves(
                p.Line("course", np.arange(float(FRAMES)), colour="one"), dots=[p.Dots(x="frame", y="ratio", colour="one", size=10)],
                x_range=(0, FRAMES - 1), y_range=(0.45, 1.1), xlabel="time", ylabel="cost / random", width=0.6, height=190,
                title="The descent", alt="The cost of the arrangement falls, at a high temperature with relapses",
            ),
            p.Text([
                ("a visit walks", "{walk:.2f} steps"), ("cost / random order", "{ratio:.3f}"),
                ("entropy S", "{nats:.3f} nats"), ("floor H(J|I)", "{floor:.3f} nats"), ("no order, log 39", "{blind:.3f} nats"),
            ], width=0.4, title="Read-outs"),
        ],
        derived={"ratio": "cost / random", "steps": "way_in * first + between * second"},
        constants={"floor": floor, "blind": float(np.log(len(SLOTS) - 1)), "first": np.array([1.0, 0.0]), "second": np.array([0.0, 1.0])},
        bits={f"{axis}_{n}": 8 for axis in "xy" for n in GROUPS},
        presets={
            "Random": {"frame": 0}, "Popularity alone": {"a": 0.0}, "Togetherness alone": {"a": 1.0}, "Both": {"a": 0.5},
            "Frozen": {"cooling": 0}, "Stopped early": {"cooling": 2},
        },
        marks={"a": {0.5: "a visit"}},
        sentence=(
            "With weight {a:.3f} on togetherness, at time {frame} of 24, a visit walks {walk:.2f} steps, {way_in:.2f} to the first book "
            "and {between:.2f} to the second; the weighted cost is {ratio:.3f} of a random order's; the softened shelf costs "
            "{nats:.3f} nats, the floor is {floor:.3f}."
        ),
        title="Arrange the library",
        name="arrange-the-library",
        alt="Forty books of five subjects in a hall move under annealing until subjects lie together and popular books near the entrance",
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------- the one shelf
TOY = shelves.library(shelves.two_communities(), shelves.shelf(8))
LETTERS = "ABCDabcd"


@cache
def _starts() -> dict[str, NDArray[np.int64]]:
    shuffled = np.random.default_rng(6191).permutation(8)
    wall = shelves.shelf(8)
    return {
        "random": shuffled,
        "by popularity": shelves.popular_first(TOY),
        "spectral": shelves.spectral(TOY, wall),
        "best of all": shelves.exhaustive(TOY)[0],
    }


def swap_state(start: int, i: int, j: int) -> dict[str, Array | float]:
    """The shelf before and after a swap of the books on two places.

    Args:
        start: index into the four arrangements.
        i: first place, 1 to 8.
        j: second place, 1 to 8.

    Returns:
        ``upper_x``, ``lower_x`` (8,): places of the books before and after; ``changes`` (3,): way in, walk between, both; ``before``;
        ``table`` (8, 8): what every swap of two places would change; ``helpful``: how many of 28 would save.
    """
    order = list(_starts().values())[int(start)]
    book = np.argsort(order)  # on each place
    first, second = book[int(i) - 1], book[int(j) - 1]
    after = order.copy()
    after[[first, second]] = after[[second, first]]
    parts = np.array(TOY.parts(after)) - np.array(TOY.parts(order))
    table = TOY.swaps(order)[np.ix_(book, book)]
    table[np.abs(table) < 1e-12] = 0.0
    helpful = int((table < -1e-9).sum()) // 2
    numbers = {"before": TOY.cost(order), "helpful": float(helpful), "least": float(table.min())}
    places: dict[str, Array | float] = {"upper_x": np.asarray(order + 1.0), "lower_x": np.asarray(after + 1.0)}
    return {**places, "changes": np.array([*parts, parts.sum()]), "table": table, **numbers}


def swap_two_books() -> Explorer:
    """Eight books on one shelf: what every swap would change, term by term."""
    sizes = (19.0, 16.0, 13.0, 10.0)
    rows = []
    for axis, y in (("upper_x", 2.0), ("lower_x", 1.0)):
        for rank, size in enumerate(sizes):
            pair = [f"{axis[:5]}_{rank}", np.array([y, y])]
            rows.append(p.Dots(x=pair[0], y=pair[1], classes=np.array([0.0, 1.0]), size=size, opacity=0.9))
    derived = {
        f"{axis[:5]}_{r}": f"take({axis}, {r}) * left + take({axis}, {r + 4}) * right" for axis in ("upper_x", "lower_x") for r in range(4)
    }
    places = [str(k) for k in range(1, 9)]
    return Explorer(
        swap_state,
        controls={
            "start": w.ToggleButtons(options=[(n, k) for k, n in enumerate(_starts())], value=1, description="shelf"),
            "i": w.IntSlider(value=2, min=1, max=8, description="swap place"),
            "j": w.IntSlider(value=5, min=1, max=8, description="with place"),
        },
        panels=[
            p.Plane(
                layers=[
                    *rows, p.Dots(x=[0.0, 0.0], y=[1.0, 2.0], colour="text", size=9),
                    p.Note("before", x=8.6, y=1.95, colour="text"), p.Note("after", x=8.6, y=0.95, colour="text"),
                ],
                x_range=(-0.5, 10.2), y_range=(0.45, 2.45), axes=True, height=170, width=1.0, xlabel="place, counted from the entrance",
                x_ticks={float(k): str(k) for k in range(9)}, y_ticks={9.0: ""}, title="Two subjects; large books are popular",
                alt="The shelf before and after the swap",
            ),
            p.Matrix(
                "table", rows=places, columns=places, range=(-0.6, 0.6), colours="diverging", digits=2, width=0.6, height=300,
                title="What each swap would change", alt="Changes of cost for every pair of places; negative cells save steps",
            ),
            p.Bars(
                "changes", categories=("way in", "between", "both"), colours=("two",), width=0.4, height=220, y_range=(-0.8, 0.8),
                title="This swap, in steps", alt="The change of the two parts of the walk and their sum",
            ),
            p.Text([("cost before", "{before:.3f}"), ("change", "{change:.3f}"), ("swaps that save", "{helpful:.0f} of 28")], width=0.4),
        ],
        derived={**derived, "change": "take(changes, 2)"},
        bits={"table": 32},  # an exact 0 on the diagonal
        constants={"left": np.array([1.0, 0.0]), "right": np.array([0.0, 1.0])},
        presets={"By popularity": {"start": 1}, "Spectral": {"start": 2}, "Best of all": {"start": 3}},
        sentence=(
            "Swapping places {i} and {j} changes the cost {before:.3f} by {change:.3f} steps; {helpful:.0f} of the 28 swaps of this shelf "
            "would save."
        ),
        title="Swap two books",
        name="swap-two-books",
        alt="Eight books of two subjects on a shelf, before and after a swap, with the change of every possible swap",
    )  # fmt: skip
