"""The reader of reviews: its texts, its network written out, its training, and the shipped comparison of five readers."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from torch import Tensor
from torch.nn import functional

from kexue import datasets
from kexue.mathematics import vae_bottleneck_reviews_experiments as module
from kexue.mathematics.vae_bottleneck import gaussian_kl
from kexue.mathematics.vae_bottleneck_reviews import READERS, Encoded, Reader, ReviewNet, by_length, encode, judge, vocabulary
from kexue.mathematics.vae_bottleneck_reviews_experiments import EXPERIMENTS, Reviews, comparison, curve, gain, restore
from kexue.records import Metric, Record, load, read_record
from kexue.training import Run, evaluate, train

NAMES = [f"vae-bottleneck/reviews-{key}" for key in READERS]
TINY: dict[str, Any] = {
    "length": 6, "least": 1, "embedding": 4, "filters": 6, "code": 3, "batch": 10, "epochs": 4, "points": 4, "rate": 0.03, "seeds": (0, 1)
}  # fmt: skip


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def net(reader: Reader, seed: int = 0) -> ReviewNet:
    return ReviewNet(reader, 9, embedding=4, filters=6, code=3, generator=generator(seed))


TEXTS = Encoded(torch.tensor([[2, 3, 4, 0, 0], [5, 0, 0, 0, 0], [8, 7, 6, 1, 0]]), torch.tensor([3, 1, 4]))


# -------------------------------------------------------------------------------------------------------------------------- texts
@given(st.lists(st.text("好看书啊", max_size=6), max_size=6), st.integers(1, 3))
def test_vocabulary(texts: list[str], least: int) -> None:
    count = Counter("".join(texts))
    known = vocabulary(texts, least=least)
    assert set(known) == {character for character, n in count.items() if n >= least}
    assert list(known.values()) == list(range(2, 2 + len(known)))
    order = [(-count[character], character) for character in known]
    assert order == sorted(order)


def test_rare_characters_are_unknown_unless_asked() -> None:
    assert vocabulary(["aab"]) == {"a": 2}
    assert vocabulary(["aab"], least=1) == {"a": 2, "b": 3}


def test_encode() -> None:
    found = encode(["ab", "xabab", "b"], {"a": 2, "b": 3}, length=4)
    assert found.characters.tolist() == [[2, 3, 0, 0], [1, 2, 3, 2], [3, 0, 0, 0]]
    assert found.lengths.tolist() == [2, 4, 1]
    with pytest.raises(ValueError, match="at least one character; number 1 has none"):
        encode(["ab", ""], {}, length=4)


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(1, 12), st.integers(1, 4), st.integers(0, 99))
def test_batches_by_length_hold_the_same_rows(size: int, count: int, together: int, seed: int) -> None:
    batches = torch.randperm(size * count, generator=generator(seed)).view(count, size)
    lengths = torch.randint(1, 50, (size * count,), generator=generator(seed))
    found = by_length(batches, lengths, together=together)
    for start in range(0, count, together):
        before, after = batches[start : start + together], found[start : start + together]
        assert sorted(before.flatten().tolist()) == sorted(after.flatten().tolist())
        spans = sorted((int(lengths[row].min()), int(lengths[row].max())) for row in after)
        assert all(a[1] <= b[0] for a, b in pairwise(spans))  # no batch reaches into another's lengths
        assert after[:, 0].tolist() == sorted(after[:, 0].tolist())
    assert torch.equal(found, by_length(batches, lengths, together=together))


def test_batches_by_length_save_most_of_the_padding() -> None:
    lengths = torch.randint(1, 200, (3200,), generator=generator())
    batches = torch.randperm(3200, generator=generator(1)).view(100, 32)
    found = by_length(batches, lengths)
    before, after = (lengths[rows].max(1).values.double().mean() for rows in (batches, found))
    assert after < 1.1 * lengths.double().mean() < 0.6 * before
    first = found[:16].flatten()
    assert sorted(first.tolist()) == sorted(batches[:16].flatten().tolist())  # sixteen batches are put in order together


# ------------------------------------------------------------------------------------------------------------------------ network
def test_features_are_those_of_a_convolution() -> None:
    model = net(READERS["post"])
    kernel = model.filters.weight.view(6, 3, 4).permute(0, 2, 1)
    for row, length in zip(*TEXTS, strict=True):
        vectors = model.embedding(row[:length]).T[None]  # (1, E, L), nothing but the text
        want = functional.conv1d(vectors, kernel, model.filters.bias, padding=1).relu().amax(2)
        # alone, beside others, and whatever stands behind the end of the text
        assert torch.allclose(model.features(row[None, :length], length[None]), want, atol=1e-6)
        assert torch.allclose(model.features(row[None], length[None]), want, atol=1e-6)
    together = model.features(*TEXTS)
    assert torch.allclose(together[1:2], want_of(model, 1), atol=1e-6)
    assert together.shape == (3, 6)
    assert float(together.detach().min()) >= 0


def want_of(model: ReviewNet, number: int) -> Tensor:
    return model.features(TEXTS.characters[number : number + 1, : int(TEXTS.lengths[number])], TEXTS.lengths[number : number + 1])


def test_first_weights() -> None:
    model = ReviewNet(READERS["vib"], 3000, generator=generator())
    sizes = {name: tuple(w.shape) for name, w in model.named_parameters() if name.endswith("weight")}
    assert sizes == {
        "embedding.weight": (3000, 50), "filters.weight": (250, 150), "mean.weight": (128, 250), "log_variance.weight": (128, 250),
        "answer.weight": (2, 128),
    }  # fmt: skip
    first = model.embedding.weight.detach()
    assert float(first.abs().max()) <= 0.05
    assert float(first.square().mean()) == pytest.approx(0.05**2 / 3, rel=0.02)
    twin = ReviewNet(READERS["vib"], 3000, generator=generator())
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters(), strict=True))


def test_what_the_readers_have() -> None:
    has = {key: (hasattr(net(r), "mean"), hasattr(net(r), "log_variance"), r.dropout, r.weight) for key, r in READERS.items()}
    assert has == {
        "post": (False, False, 0.0, None),
        "linear": (True, False, 0.0, None),
        "dropout": (True, False, 0.5, None),
        "vib": (True, True, 0.0, 0.1),
        "vib-low": (True, True, 0.0, 0.01),
    }
    post, linear = net(READERS["post"]), net(READERS["linear"])
    x = post.features(*TEXTS)
    assert torch.allclose(post(*TEXTS), x @ post.answer.weight.T + post.answer.bias)
    x = linear.features(*TEXTS) @ linear.mean.weight.T + linear.mean.bias
    assert torch.allclose(linear(*TEXTS), x @ linear.answer.weight.T + linear.answer.bias, atol=1e-6)


def test_losses_written_out() -> None:
    labels = torch.tensor([1, 0, 1])
    plain, drop, vib = (net(READERS[key]) for key in ("linear", "dropout", "vib"))
    with torch.no_grad():
        assert torch.allclose(plain.loss(*TEXTS, labels, generator()), functional.cross_entropy(plain(*TEXTS), labels))
        kept = torch.rand(3, 6, generator=generator(5)) >= 0.5
        x = drop.features(*TEXTS) * kept * 2
        assert torch.allclose(drop.loss(*TEXTS, labels, generator(5)), functional.cross_entropy(drop.answer(drop.mean(x)), labels))
        x = vib.features(*TEXTS)
        mean, log_variance = vib.mean(x), vib.log_variance(x)
        z = mean + (log_variance / 2).exp() * torch.randn(3, 3, generator=generator(5))
        want = functional.cross_entropy(vib.answer(z), labels) + 0.1 * gaussian_kl(mean, log_variance).mean()
        assert torch.allclose(vib.loss(*TEXTS, labels, generator(5)), want)
        assert torch.allclose(vib(*TEXTS), vib.answer(mean))  # in use the code is its mean, and nothing is dropped
        assert torch.allclose(drop(*TEXTS), drop.answer(drop.mean(drop.features(*TEXTS))))


def test_judging_against_another_library() -> None:
    model = net(READERS["vib"])
    characters = torch.randint(1, 9, (30, 5), generator=generator(1))
    lengths = torch.randint(1, 6, (30,), generator=generator(2))
    labels = torch.randint(0, 2, (30,), generator=generator(3))
    found = judge(model, Encoded(characters, lengths), labels, batch=7)
    with torch.no_grad():
        chances = torch.cat([model(characters[i : i + 1], lengths[i : i + 1]) for i in range(30)]).double().softmax(1)
        mean, log_variance = model.law(characters, lengths)
    assert log_variance is not None
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(labels, chances.argmax(1)), abs=1e-12)
    assert found["loss"] == pytest.approx(metrics.log_loss(labels, chances.numpy()), rel=1e-5)
    assert found["rate"] == pytest.approx(gaussian_kl(mean, log_variance).mean().item(), rel=1e-5)
    assert judge(net(READERS["linear"]), Encoded(characters, lengths), labels).keys() == {"accuracy", "loss"}


# ----------------------------------------------------------------------------------------------------------------------- training
@pytest.fixture
def few_reviews(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, SimpleNamespace]]:
    """Praise holds 好 and blame holds 差, among other characters."""
    made = {}
    for split, n in (("train", 80), ("validation", 20), ("test", 30)):
        draw = generator(n)
        labels = torch.arange(n) % 2
        fill = [torch.randint(0, 5, (1 + i % 5,), generator=draw).tolist() for i in range(n)]
        texts = ["".join("书店房网机"[k] for k in row) + "差好"[i % 2] for i, row in enumerate(fill)]
        made[split] = SimpleNamespace(texts=tuple(texts), labels=labels)
    monkeypatch.setattr(module.datasets, "load", lambda name, split: made[split])
    for function in (module.known, module._encoded):
        function.cache_clear()
    yield made
    for function in (module.known, module._encoded):
        function.cache_clear()


def tiny(reader: str = "vib", **changes: Any) -> Reviews:
    return Reviews(f"vae-bottleneck/reviews-{reader}", reader=reader, **(TINY | changes))


@pytest.mark.parametrize("reader", list(READERS))
def test_train_record_and_evaluate(few_reviews: dict[str, SimpleNamespace], tmp_path: Path, reader: str) -> None:
    e = tiny(reader)
    made = train(e, tmp_path, device="cpu", quiet=True)
    record = read_record(tmp_path / e.name)
    assert record == made
    assert record.steps == 32  # four epochs of eight batches
    assert record.curve.steps == (8, 16, 24, 32)
    assert set(record.curve) == {"loss", "val_loss", "val_error"}
    assert all(c.found == c.recorded for c in evaluate(record, experiment=e))
    assert ("rate" in record.metrics) is READERS[reader].title.startswith("VIB")
    if reader != "vib":  # at λ = 0.1 the tiny code is soon forgotten
        assert record.metrics["accuracy"].mean > 0.9


def test_the_best_moment_is_kept(few_reviews: dict[str, SimpleNamespace]) -> None:
    run = Run(seed=0)
    e = tiny("linear", rate=0.3, epochs=6, points=6)
    weights = e.train(run)
    errors = [point["val_error"] for _, point in run.curve]
    kept = e.evaluate(weights, Run(seed=0))
    assert 1 - kept["val_accuracy"] == pytest.approx(min(errors))
    first = run.curve[errors.index(min(errors))][0]
    assert run.best_step == first


def test_training_repeats_itself_and_honours_the_seed(few_reviews: dict[str, SimpleNamespace]) -> None:
    one, two, other = (tiny().train(Run(seed=s)) for s in (3, 3, 4))
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not all(torch.equal(one[k], other[k]) for k in one)


def test_test_reviews_teach_nothing(few_reviews: dict[str, SimpleNamespace]) -> None:
    want = tiny().train(Run(seed=0))
    few_reviews["test"].texts = ("新",) * 30
    few_reviews["test"].labels[:] = 0
    found = tiny().train(Run(seed=0))
    assert all(torch.equal(want[k], found[k]) for k in want)


def test_the_training_part_that_is_judged(few_reviews: dict[str, SimpleNamespace], monkeypatch: pytest.MonkeyPatch) -> None:
    e = tiny("linear")
    weights = e.train(Run(seed=0))
    monkeypatch.setattr(module, "JUDGED", 10)
    (characters, lengths), labels = e.texts("train")
    want = judge(e.restore(weights), Encoded(characters[:10], lengths[:10]), labels[:10])["accuracy"]
    few_reviews["train"].labels[10:] = 5
    assert e.evaluate(weights, Run(seed=0))["train_accuracy"] == want


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="the reader must be one of post, linear, dropout, vib, vib-low, got 'x'"):
        Reviews("a/b", reader="x")
    monkeypatch.setattr(Run, "world", 2)
    with pytest.raises(ValueError, match="smaller than a message between processes"):
        tiny().train(Run())


# ------------------------------------------------------------------------------------------------------------------- for the page
@pytest.fixture
def records(few_reviews: dict[str, SimpleNamespace], tmp_path: Path) -> list[Record]:
    """Records of real, tiny trainings with made-up accuracies."""
    made = []
    for key, values in (("vib", (0.9, 0.92)), ("linear", (0.88, 0.89))):
        record = train(tiny(key), tmp_path, device="cpu", quiet=True)
        made.append(dataclasses.replace(record, metrics=record.metrics | {"accuracy": Metric(values)}))
    return made


def test_comparison_and_gain(records: list[Record]) -> None:
    found = comparison(records)
    assert [row.reader for row in found] == ["linear", "vib"]
    assert found[1].title == "VIB, λ = 0.1, as in the post"
    assert found[1].accuracy == (pytest.approx(0.91), pytest.approx(0.02 / 2**0.5))
    assert found[1].rate == (records[0].metrics["rate"].mean, records[0].metrics["rate"].std)
    assert found[0].rate is None
    assert found[0].loss[0] == records[1].metrics["loss"].mean
    assert found[0].val_accuracy[0] == records[1].metrics["val_accuracy"].mean
    assert found[0].train_accuracy[0] == records[1].metrics["train_accuracy"].mean
    mean, error = gain(*records)
    assert mean == pytest.approx(0.025)
    assert error == pytest.approx(0.005)  # the two differences are 0.02 and 0.03
    assert gain(*records[::-1])[0] == pytest.approx(-0.025)
    assert gain(*records, "loss")[0] == pytest.approx(records[0].metrics["loss"].mean - records[1].metrics["loss"].mean)
    with pytest.raises(ValueError, match=r"the same seeds, at least two; got \(0, 1\) and \(0, 2\)"):
        gain(records[0], dataclasses.replace(records[1], seeds=(0, 2)))
    single = dataclasses.replace(records[0], seeds=(0,))
    with pytest.raises(ValueError, match="at least two"):
        gain(single, single)


def test_curve_in_epochs(records: list[Record]) -> None:
    steps = 11_320 // 10
    epochs, values = curve(records[0])
    assert epochs == tuple(step / steps for step in (8, 16, 24, 32))
    assert values == records[0].curve.mean("val_error")
    assert curve(records[0], "loss")[1] == records[0].curve.mean("loss")


def test_restored_network_is_for_use(records: list[Record]) -> None:
    model = restore(records[0])
    assert not model.training
    assert not any(w.requires_grad for w in model.parameters())
    assert torch.equal(model.answer.weight, records[0].weights()["answer.weight"].float())
    assert model.reader is READERS["vib"]


# ------------------------------------------------------------------------------------------------------------------ what is shipped
def test_five_runs_that_differ_in_nothing_but_the_reader() -> None:
    assert [e.name for e in EXPERIMENTS] == NAMES
    rest = [{k: v for k, v in e.settings().items() if k != "reader"} for e in EXPERIMENTS]
    assert all(r == rest[0] for r in rest)
    for e in EXPERIMENTS:
        assert e.small() == dataclasses.replace(e, length=128, filters=100, epochs=4)
    assert EXPERIMENTS[0].data()["used"] == "11,320 for training, 2,000 for validation, 4,000 for the test"
    assert EXPERIMENTS[3].title == "praise or blame in Chinese reviews, VIB, λ = 0.1, as in the post"


@pytest.mark.parametrize("name", NAMES)
def test_shipped_records_are_honest(name: str, honest_record: Callable[..., Record]) -> None:
    record = honest_record(name, most_bytes=500_000)
    assert record.waiting_for_gpu
    assert record.note == "The full settings have length 200, filters 250, epochs 5."
    assert record.metrics["val_accuracy"].seeds == pytest.approx([1 - min(errors) for errors in record.curve["val_error"]], abs=1e-9)
    assert record.metrics["accuracy"].std < 0.01


def test_shipped_findings() -> None:
    """What the chapter says of the post's point: it is seen, and most of it is not the bottleneck's."""
    post, linear, dropout, vib, low = (load(name) for name in NAMES)
    against_post, error = gain(vib, post)
    assert against_post > 2 * error
    against_fair, error = gain(vib, linear)
    assert 0 < against_fair < 0.01
    assert against_fair < against_post
    assert abs(gain(vib, dropout)[0]) < 0.005
    rows = {row.reader: row for row in comparison([post, linear, dropout, vib, low])}
    assert max(rows, key=lambda key: rows[key].val_accuracy[0]) == "vib"
    assert rows["vib"].rate is not None
    assert rows["vib-low"].rate is not None
    assert math.log(2) < rows["vib"].rate[0] < rows["vib-low"].rate[0]  # a little more than the label needs


@pytest.mark.slow
def test_simpler_readers_of_the_same_reviews() -> None:
    """The convolution beats the counts of characters, and loses to a linear rule on characters and pairs of them."""
    train_part, test = (datasets.load("reviews-zh", split=split) for split in ("train", "test"))
    found = {}
    for key, reach, rule in (("single", (1, 1), MultinomialNB()), ("pairs", (1, 2), LogisticRegression(C=0.1, max_iter=200))):
        count = CountVectorizer(analyzer="char", ngram_range=reach, min_df=2, binary=True)
        rule.fit(count.fit_transform(train_part.texts), train_part.labels.numpy())
        found[key] = rule.score(count.transform(test.texts), test.labels.numpy())
    accuracy = {name: load(name).metrics["accuracy"] for name in NAMES}
    assert found["single"] < min(min(metric.seeds) for metric in accuracy.values())
    assert found["pairs"] > max(metric.mean for metric in accuracy.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_shipped_weights_give_the_recorded_metrics(name: str, disagreeing: Callable[[str], list[Any]]) -> None:
    assert disagreeing(name) == []
