"""The trainings of word vectors: they repeat themselves, reach what theory says, and the shipped ones are what their records say."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from kexue import datasets
from kexue.mathematics import minimum_entropy as me
from kexue.mathematics import minimum_entropy_experiments as module
from kexue.mathematics import minimum_entropy_words as words
from kexue.mathematics.minimum_entropy_corpora import experiment_of, neighbours_of
from kexue.mathematics.minimum_entropy_experiments import CORPORA, EXPERIMENTS, WAYS, Vectors, Words, contexts_of
from kexue.records import Record, load, read_record, shipped
from kexue.training import Run, evaluate, train

SMALL = {"size": 8, "n": 2, "window": 2, "epochs": 20, "batch": 4, "seeds": (0, 1)}
SHIPPED = [name for name in shipped() if name.startswith("minimum-entropy/")]


def tiny(way: str = "untied", **changes: Any) -> Words:
    return Words(f"minimum-entropy/words-{way}", way=way, **(SMALL | changes))


@pytest.fixture
def few_words(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A made-up corpus of nine words, in which neighbours in the alphabet often meet, in place of a data set; one of the two has tags."""

    def corpus(data_set: str, split: str) -> list[words.Sentence]:
        draw = torch.Generator().manual_seed(len(split))
        begin = torch.randint(0, 7, (400,), generator=draw).minimum(torch.randint(0, 7, (400,), generator=draw)).tolist()
        tags = "nv" if data_set == "peoples-daily" else ("", "")
        return [[("abcdefghi"[k + step], tags[k % 2]) for step in (0, 1, 2)] for k in begin]

    caches = (module._vocabulary, module._table, module._associates)
    monkeypatch.setattr(module, "_sentences", corpus)
    for kept in caches:
        kept.cache_clear()
    yield
    for kept in caches:
        kept.cache_clear()


# -------------------------------------------------------------------------------------------------------------------------- settings
def test_the_five_ways_and_the_two_corpora_differ_in_nothing_else() -> None:
    assert [e.name for e in EXPERIMENTS] == [f"minimum-entropy/{run}-{way}" for run in ("words", "newsgroups") for way in WAYS]
    rest = [{k: v for k, v in e.settings().items() if k not in ("way", "data_set")} for e in EXPERIMENTS]
    assert all(r == rest[0] for r in rest)
    assert [e.settings()["way"] for e in EXPERIMENTS] == ["tied", "untied", "distance", "sgns", "svd"] * 2
    assert [e.settings()["data_set"] for e in EXPERIMENTS] == ["peoples-daily"] * 5 + ["20-newsgroups"] * 5
    assert all(e.seeds == (0, 1, 2) and e.settings()["n"] == 64 for e in EXPERIMENTS)


def test_small_settings_are_fewer_words_and_epochs_alone() -> None:
    full, small = EXPERIMENTS[0].settings(), EXPERIMENTS[0].small().settings()
    assert {k for k in full if full[k] != small[k]} == {"size", "epochs"}
    assert (small["size"], full["size"]) == (4000, 10_000)


def test_titles_data_and_impossible_ways() -> None:
    assert tiny("sgns").title == "vectors of 8 words of People's Daily, January 1998: two vectors a word, negative sampling"
    about = tiny().data()
    assert about["sha256"] == datasets.info("peoples-daily").sha256
    assert about["used"] == "15,484 texts for train, 2,000 texts for validation, 2,000 texts for test"
    with pytest.raises(ValueError, match="one of tied, untied, distance, sgns, svd, got 'glove'"):
        tiny("glove")


def test_the_corpus_is_the_newspaper() -> None:
    found = module._sentences("peoples-daily", "test")
    data = datasets.load("peoples-daily", split="test")
    marks = sum(line.split(" ").count("w") for line in data.tags)
    assert sum(map(len, found)) == sum(len(line.split(" ")) for line in data.texts) - marks


def test_the_second_corpus_keeps_its_latest_training_letters_for_validation() -> None:
    train_part, late, test = (module._texts("20-newsgroups", split)["texts"] for split in ("train", "validation", "test"))
    official = datasets.load("20-newsgroups", split="train")
    assert tuple(test) == datasets.load("20-newsgroups", split="test").texts
    assert sorted([*train_part, *late]) == sorted(official.texts)
    groups = [[t for t, label in zip(official.texts, official.labels.tolist(), strict=True) if label == k] for k in range(20)]
    assert list(late) == [t for group in groups for t in group[len(group) - len(group) // 10 :]]
    assert list(train_part) == [t for group in groups for t in group[: len(group) - len(group) // 10]]
    used = tiny(data_set="20-newsgroups").data()["used"]
    assert used == f"{len(train_part):,} texts for train, {len(late):,} texts for validation, 7,528 texts for test"


def test_a_letter_is_a_sentence_without_tags() -> None:
    found, texts = module._sentences("20-newsgroups", "validation"), module._texts("20-newsgroups", "validation")["texts"]
    assert [[word for word, _ in letter] for letter in found] == [text.split() for text in texts]
    assert {tag for letter in found for _, tag in letter} == {""}


def test_vectors_start_from_their_seed() -> None:
    one, two, other = (Vectors(50, 40, tied=False, spread=0.5, seed=s) for s in (1, 1, 2))
    assert torch.equal(one.vectors, two.vectors)
    assert not torch.equal(one.vectors, other.vectors)
    assert one.contexts is not None
    assert not torch.equal(one.vectors, one.contexts)
    assert one.vectors.std().item() == pytest.approx(0.5, rel=0.05)
    assert Vectors(5, 4, tied=True, spread=0.5, seed=1).contexts is None
    rows = torch.tensor([3, 1])
    assert torch.equal(one("dot", rows), words.row_logits("dot", one.vectors, one.contexts, rows))
    tied = Vectors(5, 4, tied=True, spread=0.5, seed=1)
    assert torch.equal(tied("distance", rows), words.row_logits("distance", tied.vectors, tied.vectors, rows))
    assert contexts_of(tied.state_dict()) is not None
    assert torch.equal(contexts_of(one.state_dict()), one.contexts)


# -------------------------------------------------------------------------------------------------------------------------- training
@pytest.mark.parametrize("way", list(WAYS))
def test_train_record_and_evaluate(few_words: None, tmp_path: Path, way: str) -> None:
    e = tiny(way)
    made = train(e, tmp_path, device="cpu", quiet=True)
    record = read_record(tmp_path / e.name)
    assert record == made
    assert all(c.found == c.recorded for c in evaluate(record, experiment=e))
    assert experiment_of(record).settings() == e.settings()
    assert ("contexts" in record.weights()) == (way in ("untied", "sgns", "svd"))
    near = neighbours_of(record, "a", 3)
    row = e.neighbours(record.weights()["vectors"].float(), torch.tensor([e.vocabulary()[0].index("a")]), 3)[0].tolist()
    assert near == tuple(e.vocabulary()[0][k] for k in row)
    assert "a" not in near
    counts = e.table("train")
    assert words.decoded(record.weights()["words"]) == e.vocabulary()[0]
    assert torch.equal(record.weights()["log_popularity"], (counts.sum(0) / counts.sum()).log().half())
    assert record.metrics["never_met"].mean == pytest.approx(float(((counts == 0).sum() - 8) / 56))  # all seven others are neighbours here
    with pytest.raises(ValueError, match="'zzz' is not among the 8 words"):
        neighbours_of(record, "zzz")


def test_training_repeats_itself_and_honours_the_seed(few_words: None) -> None:
    one, two, other = (tiny().train(Run(seed=s)) for s in (3, 3, 4))
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not torch.equal(one["vectors"], other["vectors"])


@pytest.mark.parametrize("way", ["tied", "untied", "distance"])
def test_training_comes_near_to_the_least_entropy(few_words: None, way: str) -> None:
    e = tiny(way, epochs=100)
    counts = e.table("train")
    joint = (counts / counts.sum()).double()
    model = "distance" if way == "distance" else "dot"
    _, _, best = me.fit(joint, 2, model=model, tied=way != "untied", self_pairs=False, starts=3, generator=torch.Generator().manual_seed(0))  # type: ignore[arg-type]
    weights = e.train(Run(seed=0))
    cost = words.mean_cost(counts, e.law(weights, counts.sum(0) / counts.sum()))
    assert best - 1e-3 < cost < best + 0.08  # what is kept is best on the validation sentences, not on these


def test_negative_sampling_with_enough_dimensions_finds_pmi(few_words: None) -> None:
    e = tiny("sgns", n=8, epochs=600, batch=8, rate=3e-2)
    run = Run(seed=0)
    found = e.evaluate(e.train(run), Run(seed=0))
    assert found["pmi_correlation"] > 0.999
    assert found["pmi_lack"] == pytest.approx(math.log(5), abs=0.02)  # products are PMI minus log k


def test_the_baseline_is_the_decomposition_with_the_best_scale(few_words: None) -> None:
    e = tiny("svd")
    weights = e.train(Run(seed=0))
    counts, held_out = e.table("train"), e.table("validation")
    left, right = words.svd_vectors(words.positive_pmi(counts), 2)
    assert torch.equal(weights["vectors"], left)
    assert torch.equal(weights["contexts"], right)
    p = counts.sum(0) / counts.sum()
    costs = [words.mean_cost(held_out, words.law_of_vectors("dot", left, right, popularity=p, scale=k / 8)) for k in range(1, 17)]
    assert weights["scale"].item() == (1 + costs.index(min(costs))) / 8


@pytest.mark.parametrize("way", ["distance", "sgns"])
def test_evaluation_by_hand(few_words: None, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setattr(module, "ASKED", 6)
    monkeypatch.setattr(module, "NEIGHBOURS", 3)
    monkeypatch.setattr(module, "ASSOCIATES", 4)
    e = tiny(way)
    weights = e.train(Run(seed=0))
    found = e.evaluate(weights, Run(seed=0))
    counts, test = e.table("train"), e.table("test")
    p = counts.sum(0) / counts.sum()
    v, w = weights["vectors"], contexts_of(weights)
    logits = me.without_self(me.distance_logits(v) if way == "distance" else me.dot_logits(v, w) + p.log())
    joint = test / test.sum()
    assert found["cost"] == pytest.approx(me.entropy(joint, logits).item(), abs=1e-5)
    assert found["train_cost"] == pytest.approx(me.entropy(counts / counts.sum(), logits).item(), abs=1e-5)
    alone = me.without_self(p.log().expand(8, 8))
    assert found["popularity_cost"] == pytest.approx(me.entropy(joint, alone).item(), abs=1e-5)
    assert found["floor"] == pytest.approx(me.conditional_entropy(counts / counts.sum()).item(), abs=1e-5)
    assert found["norm_rarity"] == pytest.approx(torch.corrcoef(torch.stack([w.norm(dim=1), -p.log()]))[0, 1].item(), abs=1e-5)
    often = counts >= 50
    products = (me.distance_logits(v) if way == "distance" else me.dot_logits(v, w))[often]
    truth = me.pmi(counts / counts.sum())[often]
    assert 5 < int(often.sum()) < 40
    assert found["pmi_correlation"] == pytest.approx(torch.corrcoef(torch.stack([products, truth]))[0, 1].item(), abs=1e-5)
    assert found["pmi_lack"] == pytest.approx((truth - products).mean().item(), abs=1e-5)
    rows = torch.arange(6)
    near = words.nearest(me.distance_logits(v) if way == "distance" else words.cosines(v, torch.arange(8)), torch.arange(8), 3)[:6]
    assert found["first_order"] == words.share_within(near, words.associates(counts, rows, 4, order=1))
    assert found["second_order"] == words.share_within(near, words.associates(counts, rows, 4, order=2))
    assert found["same_kind"] == words.share_of_kind(near, rows, e.vocabulary()[1])
    assert found["never_met"] == words.share_unseen(near, rows, counts)
    assert found["pairs"] == counts.triu().sum().item()
    assert {k: found.get(k) for k in ("slope", "slope_law")} == (
        {k: words.entrance(v, p)[k] for k in ("slope", "slope_law")} if way == "distance" else {"slope": None, "slope_law": None}
    )


def test_a_corpus_without_tags_has_no_kinds(few_words: None) -> None:
    e = tiny(data_set="20-newsgroups")
    assert set(e.vocabulary()[1]) == {""}
    found = e.evaluate(e.train(Run(seed=0)), Run(seed=0))
    assert set(tiny().evaluate(tiny().train(Run(seed=0)), Run(seed=0))) - set(found) == {"same_kind"}


# ------------------------------------------------------------------------------------------------------------------ what is shipped
def test_every_experiment_is_shipped() -> None:
    assert sorted(e.name for e in EXPERIMENTS) == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_records_are_honest(name: str, honest_record: Callable[..., Record]) -> None:
    assert honest_record(name, most_bytes=1.1e6).waiting_for_gpu


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_give_the_recorded_metrics(name: str, disagreeing: Callable[[str], list[Any]]) -> None:
    assert disagreeing(name) == []


def seeds(corpus: str, way: str, metric: str) -> tuple[float, ...]:
    return load(f"minimum-entropy/{CORPORA[corpus]}-{way}").metrics[metric].seeds


@pytest.mark.parametrize(("corpus", "least"), [("peoples-daily", 0.95), ("20-newsgroups", 0.8)])
def test_products_of_negative_sampling_are_pmi_minus_log_k(corpus: str, least: float) -> None:
    assert min(seeds(corpus, "sgns", "pmi_correlation")) > least
    assert all(lack == pytest.approx(math.log(5), abs=0.15) for lack in seeds(corpus, "sgns", "pmi_lack"))


@pytest.mark.parametrize("corpus", list(CORPORA))
def test_popular_words_lie_at_the_centre_of_the_distance_model(corpus: str) -> None:
    assert min(seeds(corpus, "distance", "norm_rarity")) > 0.95
    slopes, laws = seeds(corpus, "distance", "slope"), seeds(corpus, "distance", "slope_law")
    assert all(slope == pytest.approx(law, abs=0.05) for slope, law in zip(slopes, laws, strict=True))


@pytest.mark.parametrize("corpus", list(CORPORA))
def test_two_vectors_a_word_predict_the_test_lines_better_than_one_and_than_the_decomposition(corpus: str) -> None:
    assert max(seeds(corpus, "untied", "cost")) < min(seeds(corpus, "tied", "cost"))
    assert max(seeds(corpus, "tied", "cost")) < min(seeds(corpus, "svd", "cost"))
    assert max(seeds(corpus, "svd", "cost")) < min(seeds(corpus, "distance", "cost")) < min(seeds(corpus, "distance", "popularity_cost"))
    for way in WAYS:
        assert all(cost > floor for cost, floor in zip(seeds(corpus, way, "train_cost"), seeds(corpus, way, "floor"), strict=True))


@pytest.mark.parametrize("corpus", list(CORPORA))
def test_neighbours_of_tied_vectors_are_met_more_often_than_those_of_untied_ones(corpus: str) -> None:
    assert min(seeds(corpus, "tied", "first_order")) > max(seeds(corpus, "untied", "first_order"))
    assert max(seeds(corpus, "tied", "never_met")) < min(seeds(corpus, "untied", "never_met"))


def test_neighbours_of_untied_vectors_are_of_one_kind_more_often() -> None:
    assert max(seeds("peoples-daily", "tied", "same_kind")) < min(seeds("peoples-daily", "untied", "same_kind"))
