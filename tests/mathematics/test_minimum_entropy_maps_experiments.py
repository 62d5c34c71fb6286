"""The maps of digits: their data, their drawing in small, and what was shipped."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest
import torch

from kexue import datasets
from kexue.mathematics import minimum_entropy_maps as maps
from kexue.mathematics import minimum_entropy_maps_experiments as module
from kexue.mathematics.minimum_entropy_maps_experiments import EXPERIMENTS, DigitMaps, Morph
from kexue.records import Record, load, shipped
from kexue.training import Run

SHIPPED = [name for name in shipped() if name.startswith("minimum-entropy-maps/")]
DIGITS, MORPH = EXPERIMENTS
assert isinstance(DIGITS, DigitMaps)
assert isinstance(MORPH, Morph)


def run(seed: int = 0) -> Run:
    return Run(seed=seed, device="cpu")


# ---------------------------------------------------------------------------------------------------------------- the pieces
def test_a_sample_is_drawn_without_replacement_and_sorted() -> None:
    x, labels = module.sample(600, 0)
    assert x.shape == (600, 64)
    assert labels.tolist() == sorted(labels.tolist())
    assert len({tuple(row.tolist()) for row in x}) == 600
    again, _ = module.sample(600, 0)
    assert torch.equal(x, again)
    assert not torch.equal(x, module.sample(600, 1)[0])
    everything, counts = module.sample(1797, 3)
    assert torch.bincount(counts).tolist() == torch.bincount(datasets.load("digits").labels).tolist()
    assert everything.sum().item() == datasets.load("digits").images.double().sum().item()


def test_the_entropy_of_a_joint_law() -> None:
    assert module.surprise(torch.tensor([[0.0, 0.5], [0.25, 0.25]])) == pytest.approx(1.5 * math.log(2))


def test_alignment_undoes_a_turn_and_a_mirror() -> None:
    z = torch.randn(20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    turn = torch.tensor([[math.cos(2), -math.sin(2)], [math.sin(2), math.cos(2)]], dtype=torch.float64)
    mirror = torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64))
    for motion in (turn, mirror, turn @ mirror):
        assert torch.allclose(module.aligned(z @ motion, z), z, atol=1e-12)


def test_rescaling_finds_the_unit_of_a_kernel() -> None:
    x, _ = module.sample(80, 0)
    joint = maps.records(maps.neighbours(x, 10.0))
    z = maps.principal_plane(x)
    z = z / z.square().sum(1).mean().sqrt()
    best = module.rescaled(joint, 10 * z, alpha=math.inf, normaliser="row")
    cost = maps.map_entropy(joint, best, alpha=math.inf).item()
    scale = (best.norm() / z.norm()).item()
    assert 0.2 < scale < 20
    assert torch.allclose(best, scale * z)
    for factor in (0.8, 1.25):
        assert maps.map_entropy(joint, factor * best, alpha=math.inf).item() > cost


def test_trustworthiness_counts_ten_neighbours_by_default() -> None:
    x, _ = module.sample(80, 0)
    z = maps.principal_plane(x)
    assert module.trustworthiness(x, x) == 1.0
    assert module.trustworthiness(x, z) == module.trustworthiness(x, z, neighbours=10) != module.trustworthiness(x, z, neighbours=5)


# ------------------------------------------------------------------------------------------------------------------ the two runs
def test_settings() -> None:
    assert [e.name for e in EXPERIMENTS] == ["minimum-entropy-maps/digits", "minimum-entropy-maps/morph"]
    assert DIGITS.title == "600 digits on five maps"
    assert MORPH.title == "300 digits from SNE to t-SNE"
    assert MORPH.alphas == (1.0, 1.25, 1.5, 2.0, 3.0, 5.5, 15.5, math.inf)
    assert (DIGITS.seeds, MORPH.seeds) == ((0, 1, 2), (0,))
    assert DIGITS.data()["sha256"] == MORPH.data()["sha256"] == datasets.info("digits").sha256


def test_digits_in_small() -> None:
    small = dataclasses.replace(DIGITS, points=60, perplexity=8.0, steps=20)
    r = run(1)
    weights = small.train(r)
    assert set(weights) == {"pca", "sne", "row", "tsne", "sklearn"}
    assert all(z.shape == (60, 2) for z in weights.values())
    assert r.steps == 60
    found = small.evaluate(weights, run(1))
    x, labels = module.sample(60, 1)
    assert found["floor"] == pytest.approx(math.log(8), abs=1e-9)
    assert found["class_raw"] == maps.same_class(x, labels)
    assert found["class_tsne"] == maps.same_class(weights["tsne"].double(), labels)
    assert found["trust_pca"] == pytest.approx(module.trustworthiness(x, weights["pca"]))
    assert found["excess_sne"] == pytest.approx(found["cost_sne"] - found["floor"])
    joint = maps.records(maps.neighbours(x, 8.0), "all")
    assert found["cost_sklearn"] == pytest.approx(
        maps.map_entropy(joint, weights["sklearn"].double(), alpha=1.0, normaliser="all").item(), abs=1e-12
    )
    assert found["excess_sklearn"] == pytest.approx(found["cost_sklearn"] - module.surprise(joint), abs=1e-12)
    assert found == small.evaluate(weights, run(1))


def test_the_morph_in_small() -> None:
    small = dataclasses.replace(MORPH, points=50, perplexities=(5.0, 12.0), freedoms=(1.0, 0.0), steps=40)
    r = run()
    weights = small.train(r)
    assert {k: tuple(z.shape) for k, z in weights.items()} == {"row": (2, 2, 50, 2), "all": (2, 2, 50, 2)}
    assert weights["row"].mean(2).abs().max().item() < 1e-9
    assert r.steps == 2 * 2 * (40 + 10)
    found = small.evaluate(weights, run())
    assert len(found) == 16
    states = small.states(weights)
    assert found["excess_row_student_5"] == states["row"]["excess"][0, 0].item()
    assert found["same_all_gauss_12"] == states["all"]["same"][1, 1].item()
    z = weights["all"][1, 0]
    assert states["all"]["spread"][1, 0].item() == pytest.approx(z.square().sum(1).mean().sqrt().item())


# ----------------------------------------------------------------------------------------------------------------- what is shipped
def test_every_run_is_shipped() -> None:
    assert sorted(SHIPPED) == sorted(e.name for e in EXPERIMENTS)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_maps_give_the_recorded_metrics(
    name: str, honest_record: Callable[..., Record], disagreeing: Callable[[str], list[object]]
) -> None:
    assert not honest_record(name, most_bytes=3e5).waiting_for_gpu
    assert disagreeing(name) == []


def test_the_heavy_tail_pays_on_the_shipped_maps() -> None:
    record = load("minimum-entropy-maps/digits")
    classes = {k: record.metrics[f"class_{k}"].mean for k in ("pca", "sne", "tsne")}
    assert classes["pca"] <= 0.65 < classes["sne"] < 0.95 <= classes["tsne"]
    ours, theirs = (record.metrics[f"excess_{k}"] for k in ("tsne", "sklearn"))
    assert ours.mean == pytest.approx(theirs.mean, abs=3 * (ours.std + theirs.std))
