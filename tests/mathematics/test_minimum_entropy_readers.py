"""Sentences become baskets and baskets become counts, by hand and on the newspaper."""

from __future__ import annotations

import pytest
import torch

from kexue import datasets
from kexue.mathematics import minimum_entropy as me
from kexue.mathematics import minimum_entropy_readers as readers

BASKETS = [["a", "b", "c"], ["a", "b"], ["b", "d"], ["a", "c"]]


def test_sentences_by_hand() -> None:
    texts = ["甲方 看 乙方 。 丙方 乙方 甲方 ！ 丁方 看 ；", "甲方 乙 丙方", "甲方"]
    tags = ["n v ns w n n n w nt v w", "n n nz", "n"]
    assert readers.sentences(texts, tags) == [["乙方", "甲方"], ["丙方", "乙方", "甲方"], ["丙方", "甲方"]]
    one = readers.sentences(texts[1:2], tags[1:2], shortest=1)
    assert one == [["丙方", "乙", "甲方"]]
    assert readers.sentences(texts[:1], tags[:1], kinds=frozenset({"v", "nt"})) == []
    assert readers.sentences(["看书 走路 。", "走路 看书"], ["v v w", "v n"], kinds=frozenset({"v"})) == [["看书", "走路"]]


def test_a_missing_tag_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        readers.sentences(["甲方 乙方"], ["n"])
    with pytest.raises(ValueError, match="shorter"):
        readers.sentences(["甲方 乙方"], [])


def test_the_most_frequent_first_ties_in_order() -> None:
    assert readers.frequent(BASKETS, 3) == ["a", "b", "c"]
    assert readers.frequent([["b"], ["a"], ["c"]], 2) == ["a", "b"]


def test_pairs_by_hand() -> None:
    counts = readers.pairs(BASKETS, ["a", "b", "c"])
    assert counts.tolist() == [[0, 2, 2], [2, 0, 1], [2, 1, 0]]
    assert counts.dtype == torch.float64


def test_dealing_out_anew_keeps_sizes_and_popularity() -> None:
    many = BASKETS * 50
    dealt = readers.independent(many, seed=3)
    assert len(dealt) == len(many)
    assert all(len(new) <= len(old) for new, old in zip(dealt, many, strict=True))
    assert all(new == sorted(set(new)) for new in dealt)
    loose = [[word] for basket in many for word in basket]  # baskets of one: nothing can collide
    assert sorted(readers.independent(loose, seed=1)) == sorted(loose)
    assert dealt == readers.independent(many, seed=3) != readers.independent(many, seed=4)


def test_dealing_out_anew_takes_the_taste_away() -> None:
    taste = [["a", "b"]] * 200 + [["c", "d"]] * 200
    law = readers.pairs(taste, list("abcd"))
    shuffled = readers.pairs(readers.independent(taste, seed=0), list("abcd"))
    assert me.mutual_information(law / law.sum()).item() == pytest.approx(1.386294, abs=1e-6)
    assert me.mutual_information(shuffled / shuffled.sum()).item() < 0.35  # log 4 - log 3 is owed to the empty diagonal


def test_the_newspaper() -> None:
    paper = datasets.load("peoples-daily")
    baskets = readers.sentences(paper.texts, paper.tags)
    assert len(baskets) == 39_278
    words = readers.frequent(baskets, 100)
    assert words[:3] == ["中国", "经济", "国家"]
    assert set(words) <= set(readers.GLOSSES)
    counts = readers.pairs(baskets, words)
    assert counts.sum().item() == 160_576
    assert bool((counts == counts.T).all())
    assert counts.diagonal().abs().max().item() == 0
