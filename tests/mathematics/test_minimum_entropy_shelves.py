"""Costs and arrangements against loops and enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from kexue.mathematics import minimum_entropy_shelves as shelves

TOY = shelves.library(shelves.two_communities(), shelves.shelf(8))


def random_library(n: int = 6, seed: int = 0, **weights: float) -> tuple[np.ndarray, np.ndarray, shelves.Library]:  # type: ignore[type-arg]
    rng = np.random.default_rng(seed)
    joint = rng.random((n, n))
    joint /= joint.sum()
    slots = rng.normal(size=(n, 2))
    return joint, slots, shelves.library(joint, slots, **weights)


# ----------------------------------------------------------------------------------------------------------------- slots and costs
def test_slots() -> None:
    assert shelves.shelf(3).tolist() == [[1.0], [2.0], [3.0]]
    assert shelves.hall(2, 1).tolist() == [[-0.5, 1.0], [0.5, 1.0]]
    assert shelves.hall(8, 5).shape == (40, 2)
    assert shelves.hall(8, 5).mean(0).tolist() == [0.0, 3.0]


def test_two_communities_by_hand() -> None:
    joint = shelves.communities(2, (2, 1), across=0.5)
    weights = np.array([[0, 2, 2, 1], [2, 0, 1, 0.5], [2, 1, 0, 2], [1, 0.5, 2, 0]])
    assert joint == pytest.approx(weights / 17, abs=1e-15)
    assert shelves.two_communities() == pytest.approx(shelves.communities(2, (5, 4, 3, 2), across=0.1))


@pytest.mark.parametrize(("entrance", "together"), [(1.0, 1.0), (0.3, 2.0), (0.0, 1.0), (1.0, 0.0)])
def test_the_cost_against_a_loop(entrance: float, together: float) -> None:
    joint, slots, books = random_library(entrance=entrance, together=together)
    order = np.random.default_rng(1).permutation(6)
    way_in = between = 0.0
    for i in range(6):
        for j in range(6):
            way_in += entrance * joint[i, j] * float(np.linalg.norm(slots[order[i]]))
            between += together * joint[i, j] * float(np.linalg.norm(slots[order[i]] - slots[order[j]]))
    assert books.parts(order) == pytest.approx((way_in, between), abs=1e-13)
    assert books.cost(order) == pytest.approx(way_in + between, abs=1e-13)


def test_weights_are_one_by_default() -> None:
    joint, slots, books = random_library()
    same = shelves.library(joint, slots, entrance=1.0, together=1.0)
    assert books.cost(np.arange(6)) == same.cost(np.arange(6))


def test_every_swap_changes_what_the_formula_says() -> None:
    _, _, books = random_library(7, 3)
    order = np.random.default_rng(2).permutation(7)
    table = books.swaps(order)
    for i, j in itertools.product(range(7), repeat=2):
        swapped = order.copy()
        swapped[[i, j]] = swapped[[j, i]]
        change = books.cost(swapped) - books.cost(order)
        assert table[i, j] == pytest.approx(change, abs=1e-13)
        assert books.swap(order, i, j) == pytest.approx(change, abs=1e-13)


def test_the_mean_over_all_orders() -> None:
    _, _, books = random_library(5, 4)
    _, costs = shelves.exhaustive(books)
    assert books.mean_cost() == pytest.approx(costs.mean(), abs=1e-12)
    assert TOY.mean_cost() == pytest.approx(5 / 6 * 9, abs=1e-12)  # whatever the records: five sixths of N + 1


@pytest.mark.parametrize(
    ("joint", "slots", "words"),
    [
        (np.ones((2, 3)), np.ones((2, 1)), r"expected a joint law \(N, N\) and slots \(N, d\), got shapes \(2, 3\) and \(2, 1\)"),
        (np.ones((2, 2)), np.ones((3, 1)), r"got shapes \(2, 2\) and \(3, 1\)"),
        (np.ones((2, 2)), np.ones(2), r"got shapes \(2, 2\) and \(2,\)"),
        (np.ones(4), np.ones((4, 1)), r"got shapes \(4,\) and \(4, 1\)"),
        (-np.ones((2, 2)), np.ones((2, 1)), "shares and weights must be at least 0"),
    ],
)
def test_what_does_not_fit_is_refused(joint: np.ndarray, slots: np.ndarray, words: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ValueError, match=words):
        shelves.library(joint, slots)


def test_negative_weights_are_refused() -> None:
    for weights in ({"entrance": -0.1}, {"together": -0.1}):
        with pytest.raises(ValueError, match="shares and weights must be at least 0"):
            shelves.library(np.ones((2, 2)) / 4, shelves.shelf(2), **weights)


# -------------------------------------------------------------------------------------------------------------- the arrangements
def test_exhaustive_search_finds_the_least_cost_and_lists_all() -> None:
    _, _, books = random_library(5, 6)
    best, costs = shelves.exhaustive(books)
    by_hand = [books.cost(np.array(order)) for order in itertools.permutations(range(5))]
    assert costs == pytest.approx(by_hand, abs=1e-13)
    assert books.cost(best) == pytest.approx(min(by_hand), abs=1e-13)
    assert len(shelves.exhaustive(TOY)[1]) == 40_320
    nine = shelves.library(np.ones((10, 10)) / 100, shelves.shelf(10))
    with pytest.raises(ValueError, match="10 books have too many arrangements to try all; at most 9 are tried"):
        shelves.exhaustive(nine)


def test_the_toy_library() -> None:
    best, costs = shelves.exhaustive(TOY)
    assert costs.min() == pytest.approx(6.1138613861, abs=1e-9)
    assert best.tolist() == [1, 0, 2, 3, 5, 4, 6, 7]
    assert TOY.cost(shelves.popular_first(TOY)) == pytest.approx(7.1175742574, abs=1e-9)
    assert TOY.cost(shelves.spectral(TOY, shelves.shelf(8))) == pytest.approx(6.3094059406, abs=1e-9)


def test_popular_first_is_the_least_way_in_and_best_without_togetherness() -> None:
    joint, slots, books = random_library(6, 8, together=0.0)
    best, costs = shelves.exhaustive(books)
    order = shelves.popular_first(books)
    assert books.cost(order) == pytest.approx(costs.min(), abs=1e-13)
    assert order.tolist() == best.tolist()
    assert np.argsort(-joint.sum(1)).tolist() == np.argsort(np.linalg.norm(slots[order], axis=1)).tolist()


def test_equal_popularity_keeps_the_order_of_the_books() -> None:
    books = shelves.library(np.ones((4, 4)) / 16, shelves.shelf(4))
    assert shelves.popular_first(books).tolist() == [0, 1, 2, 3]


def test_the_spectral_order_unrolls_a_chain() -> None:
    """Books borrowed with their neighbours alone, shuffled: the slowest mode is monotone along the chain."""
    n, shuffle = 9, np.random.default_rng(5).permutation(9)
    chain = np.zeros((n, n))
    for k in range(n - 1):
        chain[shuffle[k], shuffle[k + 1]] = chain[shuffle[k + 1], shuffle[k]] = 1
    order = shelves.spectral(shelves.library(chain / chain.sum(), shelves.shelf(n)), shelves.shelf(n))
    along = order[shuffle]
    assert along.tolist() in (list(range(n)), list(range(n))[::-1])


def test_the_spectral_order_takes_the_cheaper_mirror_image() -> None:
    n = 6
    chain = np.diag(np.ones(n - 1), 1)
    chain[0, 1] = 5  # the popular end belongs near the entrance
    books = shelves.library((chain + chain.T) / (2 * chain.sum()), shelves.shelf(n))
    assert shelves.spectral(books, shelves.shelf(n)).tolist() == [0, 1, 2, 3, 4, 5]
    turned = shelves.library((chain + chain.T)[::-1, ::-1] / (2 * chain.sum()), shelves.shelf(n))
    assert shelves.spectral(turned, shelves.shelf(n)).tolist() == [5, 4, 3, 2, 1, 0]


def test_the_spectral_arrangement_of_a_grid_in_a_hall_is_better_than_most() -> None:
    slots = shelves.hall(4, 4)
    near = (np.abs(slots[:, None] - slots).sum(-1) == 1).astype(float)
    books = shelves.library(near / near.sum(), slots, entrance=0.0)
    order = shelves.spectral(books, slots)
    assert sorted(order.tolist()) == list(range(16))
    rng = np.random.default_rng(0)
    assert books.cost(order) < min(books.cost(rng.permutation(16)) for _ in range(200))


def test_swapping_ends_where_no_swap_helps_and_finds_the_toy_optimum() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        start = rng.permutation(8)
        kept = start.copy()
        order = shelves.swap_until_still(TOY, start)
        assert start.tolist() == kept.tolist()
        assert TOY.swaps(order).min() > -1e-12
        assert TOY.cost(order) == pytest.approx(6.1138613861, abs=1e-9)


def test_annealing_finds_the_toy_optimum_and_shows_its_way() -> None:
    start = np.arange(8)[::-1].copy()
    best, path = shelves.anneal(TOY, start, hot=1.0, cold=0.01, sweeps=60, seed=0, keep=7)
    assert TOY.cost(best) == pytest.approx(6.1138613861, abs=1e-9)
    assert path.shape == (7, 8)
    assert path[0].tolist() == start.tolist() == list(range(8))[::-1]
    assert path[-1].tolist() == best.tolist()
    assert all(sorted(order.tolist()) == list(range(8)) for order in path)
    again, _ = shelves.anneal(TOY, start, hot=1.0, cold=0.01, sweeps=60, seed=0)
    assert again.tolist() == best.tolist()


def test_at_temperature_zero_annealing_only_descends() -> None:
    start = np.random.default_rng(3).permutation(8)
    best, path = shelves.anneal(TOY, start, hot=1e-9, cold=1e-9, sweeps=30, seed=1, keep=31)
    costs = [TOY.cost(order) for order in path]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < costs[0]
    assert TOY.cost(best) == costs[-1]
    _, none = shelves.anneal(TOY, start, hot=1e-9, cold=1e-9, sweeps=3, seed=1)
    assert none.shape == (0, 8)


def test_hot_annealing_wanders_and_returns_the_best_it_met() -> None:
    start = shelves.exhaustive(TOY)[0]
    best, path = shelves.anneal(TOY, start, hot=1e6, cold=1e6, sweeps=20, seed=2, keep=20)
    assert best.tolist() == start.tolist()
    assert TOY.cost(path[10]) > TOY.cost(start) + 0.2


def test_the_course_of_an_annealing() -> None:
    """A course recomputed by hand: the same draws, each proposal priced by the whole cost."""
    rng, order = np.random.default_rng(5), np.arange(8)[::-1].copy()
    path, best = [order.copy()], order.copy()
    for sweep in range(12):
        temperature = 0.5 * (0.05 / 0.5) ** (sweep / 11)
        pairs, luck = rng.integers(0, 8, (8, 2)), rng.random(8)
        for (i, j), u in zip(pairs, luck, strict=True):
            trial = order.copy()
            trial[[i, j]] = trial[[j, i]]
            change = TOY.cost(trial) - TOY.cost(order)
            if change <= 0 or u < np.exp(-change / temperature):
                order = trial
                best = order.copy() if TOY.cost(order) < TOY.cost(best) - 1e-12 else best
        path.append(order.copy())
    found, shown = shelves.anneal(TOY, np.arange(8)[::-1], hot=0.5, cold=0.05, sweeps=12, seed=5, keep=5)
    assert found.tolist() == best.tolist()
    assert shown.tolist() == [path[0].tolist(), path[3].tolist(), path[6].tolist(), path[9].tolist(), best.tolist()]
    assert path[12].tolist() != path[9].tolist()


def test_as_many_books_as_allowed_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shelves.MOST == 9
    monkeypatch.setattr(shelves, "MOST", 4)
    four = shelves.library(np.ones((4, 4)) / 16, shelves.shelf(4))
    assert len(shelves.exhaustive(four)[1]) == 24
    with pytest.raises(ValueError, match="5 books have too many"):
        shelves.exhaustive(shelves.library(np.ones((5, 5)) / 25, shelves.shelf(5)))


def test_who_is_borrowed_with_whom_counts_in_both_orders() -> None:
    joint = np.array([[0.5, 0.3], [0.1, 0.1]])
    books = shelves.library(joint, [[1.0], [3.0]], entrance=2.0, together=4.0)
    assert books.popularity.tolist() == [1.6, pytest.approx(0.4)]
    assert books.affinity == pytest.approx(np.array([[0.0, 1.6], [1.6, 0.0]]))
    assert books.near.tolist() == [1.0, 3.0]
    assert books.apart.tolist() == [[0.0, 2.0], [2.0, 0.0]]
    assert joint[0, 0] == 0.5  # what was given is left alone
