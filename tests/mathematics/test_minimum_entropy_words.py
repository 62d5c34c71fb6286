"""Counts, costs and neighbours against enumeration, the chapter's own functions on whole tables, and linear algebra."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch
from torch import Tensor

from kexue.mathematics import minimum_entropy as me
from kexue.mathematics import minimum_entropy_words as words
from kexue.mathematics.minimum_entropy_words import Sentence

TEXTS = ["猫 吃 鱼 ， 狗 吃 肉 。 猫 睡 ！", "狗 睡 ； 鱼 游", "。"]
TAGS = ["n v n w n vn n w n v w", "n v w n v", "w"]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def made_up(count: int = 300, kinds: int = 9, seed: int = 0) -> list[Sentence]:
    """Sentences of made-up words, some rarer than others."""
    draw = np.random.default_rng(seed)
    shares = 1 / np.arange(1, kinds + 1)
    return [[(f"w{k}", "nv"[k % 2] + "x") for k in draw.choice(kinds, draw.integers(1, 8), p=shares / shares.sum())] for _ in range(count)]


def table(size: int = 7, seed: int = 0) -> Tensor:
    """A symmetric table of counts with empty places and an empty diagonal, no empty row."""
    half = torch.randint(0, 6, (size, size), generator=generator(seed)).double()
    counts = half + half.T + 0.0
    counts[0, 1:] += 1
    counts[1:, 0] += 1
    return counts.fill_diagonal_(0)


# -------------------------------------------------------------------------------------------------------------------------- corpus
def test_sentences_end_at_stops_and_lose_their_marks() -> None:
    found = words.sentences(TEXTS, TAGS)
    assert ["".join(word for word, _ in sentence) for sentence in found] == ["猫吃鱼狗吃肉", "猫睡", "狗睡", "鱼游"]
    assert found[0][4] == ("吃", "vn")
    with pytest.raises(ValueError, match="zip"):
        words.sentences(["猫 吃"], ["n"])
    with pytest.raises(ValueError, match="zip"):
        words.sentences(["猫", "狗"], ["n"])


def test_vocabulary_and_kinds() -> None:
    corpus = words.sentences(TEXTS, TAGS)
    assert words.vocabulary(corpus, 5) == ("吃", "狗", "猫", "睡", "鱼")  # twice each, in the order of their characters
    assert len(words.vocabulary(corpus, 7)) == 7
    assert words.kinds(corpus, ("吃", "猫")) == ("v", "n")
    tie: list[Sentence] = [[("a", "v"), ("a", "n"), ("b", "v"), ("b", "v"), ("b", "n")]]
    assert words.kinds(tie, ("a", "b")) == ("n", "v")
    for size in (1, 8):
        with pytest.raises(ValueError, match=f"at least 2 words, .* got {size}"):
            words.vocabulary(corpus, size)


def test_untagged_texts_are_one_sentence_each_and_have_no_kinds() -> None:
    corpus = words.untagged(["a b  a", "", " ", "c"])
    assert corpus == [[("a", ""), ("b", ""), ("a", "")], [("c", "")]]
    assert words.kinds(corpus, ("a", "c")) == ("", "")


def test_what_is_held_out_is_the_end_of_each_class() -> None:
    labels = torch.tensor([7, 7, 2, 7, 7, 7, 2, 7, 7, 2, 7])  # eight of 7, three of 2
    assert words.held_out(labels, share=4).nonzero().flatten().tolist() == [8, 10]
    assert words.held_out(labels, share=3).nonzero().flatten().tolist() == [8, 9, 10]
    assert not words.held_out(labels).any()  # too few of each for a tenth


def test_words_survive_as_bytes() -> None:
    known = ("晴", "sky", "o'clock", "é")
    assert words.encoded(known).dtype == torch.uint8
    assert words.decoded(words.encoded(known)) == known


@pytest.mark.parametrize("window", [1, 2, 5, 50])
def test_pair_counts_are_those_of_an_enumeration(window: int) -> None:
    corpus = made_up()
    known = words.vocabulary(corpus, 6)
    expected: Counter[tuple[int, int]] = Counter()
    for sentence in corpus:
        kept = [known.index(word) for word, _ in sentence if word in known]  # unknown words leave no gap
        for a, b in itertools.combinations(range(len(kept)), 2):
            if b - a <= window and kept[a] != kept[b]:
                expected[kept[a], kept[b]] += 1
                expected[kept[b], kept[a]] += 1
    found = words.pair_counts(corpus, known, window)
    assert found.dtype == torch.float32
    assert {(i, j): found[i, j].item() for i in range(6) for j in range(6) if found[i, j]} == expected


def test_pair_counts_of_short_corpora() -> None:
    assert words.pair_counts([], ("a", "b"), 3).tolist() == [[0, 0], [0, 0]]
    assert words.pair_counts([[("a", "n")], [("b", "n")]], ("a", "b"), 3).tolist() == [[0, 0], [0, 0]]  # of two readers
    assert words.pair_counts([[("a", "n"), ("b", "n")]], ("a", "b"), 3).tolist() == [[0, 1], [1, 0]]
    with pytest.raises(ValueError, match="window must be at least 1, got 0"):
        words.pair_counts([], ("a", "b"), 0)


# ---------------------------------------------------------------------------------------------------------------------------- cost
@pytest.mark.parametrize("model", ["dot", "distance"])
def test_rows_cost_what_the_whole_table_costs(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = table()
    v, w = torch.randn(2, 7, 3, dtype=torch.float64, generator=generator(1))
    score = me.dot_logits if model == "dot" else me.distance_logits
    whole = me.without_self(score(v, w))
    rows = torch.tensor([5, 0, 2])
    assert torch.allclose(words.row_logits(model, v, w, rows), whole[rows])
    expected = me.entropy(counts / counts.sum(), whole).item()
    cost = words.row_cost(counts, words.row_logits(model, v, w, torch.arange(7)))
    assert cost.item() / counts.sum().item() == pytest.approx(expected, rel=1e-12)
    monkeypatch.setattr(words, "CHUNK", 3)
    assert words.mean_cost(counts, words.law_of_vectors(model, v, w)) == pytest.approx(expected, rel=1e-12)


def test_gradients_reach_the_vectors_through_empty_places() -> None:
    v = torch.randn(7, 3, dtype=torch.float64, generator=generator(1)).requires_grad_()
    counts = table()
    cost = words.row_cost(counts, words.row_logits("dot", v, v, torch.arange(7))) / counts.sum()
    cost.backward()  # type: ignore[no-untyped-call]
    joint, logits = counts / counts.sum(), me.without_self(me.dot_logits(v.detach()))
    pull = joint.sum(1, keepdim=True) * logits.softmax(1) - joint
    assert v.grad is not None
    assert torch.allclose(v.grad, (pull + pull.T) @ v.detach(), atol=1e-12)


def test_held_out_pairs_may_leave_rows_empty() -> None:
    counts = table()
    counts[3] = 0
    v = torch.randn(7, 3, dtype=torch.float64, generator=generator(1))
    log_q = me.without_self(me.dot_logits(v)).log_softmax(1)
    expected = -sum(counts[i, j].item() * log_q[i, j].item() for i in range(7) for j in range(7) if i != j) / counts.sum().item()
    assert words.mean_cost(counts, words.law_of_vectors("dot", v, v)) == pytest.approx(expected, rel=1e-12)


def test_laws_with_popularity_and_scale() -> None:
    p = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
    v, w = torch.randn(2, 4, 2, dtype=torch.float64, generator=generator(2))
    rows = torch.tensor([2, 0])
    found = words.law_of_vectors("dot", v, w, popularity=p, scale=0.5)(rows).exp()
    for b, i in enumerate(rows.tolist()):
        weight = [0.0 if j == i else p[j].item() * math.exp(0.5 * (v[i] @ w[j]).item()) for j in range(4)]
        assert found[b].tolist() == pytest.approx([x / sum(weight) for x in weight], rel=1e-12)
    nothing = torch.zeros(4, 2, dtype=torch.float64)
    assert words.law_of_vectors("dot", nothing, nothing)(rows).exp()[0].tolist() == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3])


def test_the_slope_of_readers_near_the_entrance() -> None:
    """Words spread evenly about the origin, whose popularity obeys the law for the variance that their readers have."""
    v = 0.6 * torch.randn(4000, 3, dtype=torch.float64, generator=generator(5))
    square, sigma2 = v.square().sum(1), 0.3
    for _ in range(200):  # the variance of the readers and the popularity depend on each other
        p = ((2 * sigma2 - 1) * square).softmax(0)
        sigma2 = float((p @ v.square()).mean())
    found = words.entrance(v, p)
    assert found["sigma2"] == pytest.approx(sigma2, abs=1e-9)
    assert found["slope_law"] == pytest.approx(2 * sigma2 - 1, abs=1e-9)
    assert found["slope"] == pytest.approx(found["slope_law"], abs=1e-6)
    assert -1 < found["slope"] < 0
    # a slope of its own where the law does not hold
    other = words.entrance(v, (0.5 * square).softmax(0))
    assert other["slope"] == pytest.approx(0.5, abs=1e-9)
    assert other["slope_law"] != pytest.approx(0.5, abs=0.1)


# -------------------------------------------------------------------------------------------------------------------- decomposition
def test_positive_pmi_is_pmi_above_nought() -> None:
    counts = table()
    found = words.positive_pmi(counts)
    total = counts.sum().item()
    for i, j in itertools.product(range(7), repeat=2):
        expected = counts[i, j].item() * total / (counts[i].sum() * counts[:, j].sum()).item()
        assert found[i, j].item() == pytest.approx(max(0.0, math.log(expected)) if expected else 0.0, abs=1e-12)


def test_svd_vectors_are_the_best_factors_of_their_rank() -> None:
    matrix = torch.randn(12, 12, dtype=torch.float64, generator=generator(3))
    u, s, vt = torch.linalg.svd(matrix)
    left, right = words.svd_vectors(matrix, 4)
    assert torch.allclose(left @ right.T, u[:, :4] * s[:4] @ vt[:4], atol=1e-10)
    assert torch.allclose(left.square().sum(0), s[:4])  # both share the singular value, the largest first
    assert torch.allclose(right.square().sum(0), s[:4])
    assert words.svd_vectors(matrix.float(), 2)[0].dtype == torch.float32
    assert torch.equal(words.svd_vectors(matrix, 4)[0], left)


# ------------------------------------------------------------------------------------------------------------------------ neighbours
def test_cosines_and_nearest() -> None:
    v = torch.tensor([[1.0, 0.0], [10.0, 10.0], [0.0, 0.1], [-1.0, 0.0], [0.0, 0.0]])
    found = words.cosines(v, torch.tensor([0, 2]))
    root = math.sqrt(0.5)
    assert torch.allclose(found, torch.tensor([[1, root, 0, -1, 0], [0, root, 1, 0, 0]]), atol=1e-6)
    assert words.nearest(found, torch.tensor([0, 2]), 2)[:, 0].tolist() == [1, 1]  # never the word itself
    assert sorted(words.nearest(found, torch.tensor([0, 2]), 4)[1].tolist()) == [0, 1, 3, 4]
    for count in (0, 5):
        with pytest.raises(ValueError, match=f"between 1 and 4, got {count}"):
            words.nearest(found, torch.tensor([0, 2]), count)


def test_associates_of_both_orders() -> None:
    # 0 and 1 (say, two drinks) never meet but have the same company, 2 and 3; 4 and 5 keep to themselves
    counts = torch.zeros(6, 6, dtype=torch.float64)
    for i, j, n in ((0, 2, 20), (0, 3, 9), (1, 2, 20), (1, 3, 10), (4, 5, 60), (0, 4, 4), (2, 5, 1)):
        counts[i, j] = counts[j, i] = n
    rows = torch.tensor([0, 4])
    first = words.associates(counts, rows, 2, order=1)
    table_of_pmi = me.pmi(counts / counts.sum())
    assert set(first[0].tolist()) == {2, 3}  # 4 was seen four times only
    assert first[0, 0] == (2 if table_of_pmi[0, 2] > table_of_pmi[0, 3] else 3)
    assert first[1, 0] == 5
    assert words.associates(counts, rows, 1, order=2)[0].tolist() == [1]
    # without the bar on rare pairs the rarest may come first
    assert 4 in words.associates(counts, rows, 5, order=1, seen=1)[0].tolist()[:3]
    for order in (0, 3):
        with pytest.raises(ValueError, match=f"order must be 1 or 2, got {order}"):
            words.associates(counts, rows, 2, order=order)


def test_a_pair_seen_exactly_often_enough_counts() -> None:
    counts = torch.tensor([[0, 5, 4], [5, 0, 90], [4, 90, 0]], dtype=torch.float64)
    assert words.associates(counts, torch.tensor([0]), 1, order=1).tolist() == [[1]]
    assert words.associates(counts, torch.tensor([0]), 1, order=1, seen=4).tolist() == [[1 if 5 / 95 > 4 / 94 else 2]]


def test_shares() -> None:
    near, lists = torch.tensor([[1, 2], [0, 3]]), torch.tensor([[2, 3, 9], [9, 8, 7]])
    assert words.share_within(near, lists) == 0.25
    assert words.share_of_kind(near, torch.tensor([0, 1]), ("n", "n", "v", "n")) == 0.75
    counts = torch.tensor([[0, 2, 0, 9], [2, 0, 1, 0], [0, 1, 0, 1], [9, 0, 1, 0]])
    assert words.share_unseen(near, torch.tensor([0, 1]), counts) == 0.5  # 0 and 2, 1 and 3 never met
    assert words.share_unseen(torch.tensor([[1, 3], [0, 2]]), torch.tensor([0, 1]), counts) == 0  # and these all did


def test_pearson() -> None:
    x, y = torch.randn(2, 40, generator=generator(4))
    assert words.pearson(x, y) == pytest.approx(np.corrcoef(x.double(), y.double())[0, 1], abs=1e-12)
    assert words.pearson(x, -3 * x + 1) == pytest.approx(-1)
    for a, b in ((x, y[1:]), (x[:1], y[:1]), (x[None], y[None])):
        with pytest.raises(ValueError, match="sequences of the same length, at least 2"):
            words.pearson(a, b)
