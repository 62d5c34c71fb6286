"""The figures of the energy chapter's runs on made-up records, and the records that are shipped."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from kexue.generative.energy_gan_experiments import EXPERIMENTS, LeftOut, Stacked, Variant
from kexue.generative.energy_gan_runs_figures import (
    TITLES,
    anomaly_bars,
    drawn,
    energy_gaps,
    floor,
    found,
    modes_table,
    sample_grid,
    stacked_grid,
    variants_table,
)
from kexue.records import Metric, Record, read_record, shipped
from kexue.training import train

TINY: dict[str, Any] = {"steps": 4, "batch": 4, "width": 2, "energy_width": 2, "code": 4, "validation": 5, "seeds": (0, 1)}
SHIPPED = [name for name in shipped() if name.startswith("energy-gan/")]


def trained(experiment: Variant | LeftOut | Stacked, folder: Path, metrics: dict[str, tuple[float, float]]) -> Record:
    """A record of a real, tiny training with made-up final metrics."""
    with pytest.MonkeyPatch.context() as patch:
        images = torch.randint(256, (30, 28, 28), generator=torch.Generator().manual_seed(0)).byte()
        patch.setattr("kexue.training.pictures.kept", lambda data_set, split: (images, torch.arange(30) % 10))
        patch.setattr(type(experiment), "evaluate", lambda self, weights, run: dict.fromkeys(metrics, 0.0))
        train(experiment, folder, device="cpu", quiet=True)
    record = read_record(folder / experiment.name)
    return dataclasses.replace(record, metrics={name: Metric(values) for name, values in metrics.items()})


@pytest.fixture(scope="module")
def variants(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    folder = tmp_path_factory.mktemp("runs")
    values = {"kid": (0.012, 0.014), "precision": (0.5, 0.7), "recall": (0.25, 0.35), "class_entropy": (2.2, 2.3)}
    made = (("linear", {"loss": "linear"}, 30.0), ("hinge", {"loss": "hinge", "rate": 0.02}, 10.0))
    return [trained(Variant(f"energy-gan/mnist-{n}", **kw, **TINY), folder, values | {"frechet": (f, f + 2)}) for n, kw, f in made]


def test_grid_names_the_nearest_and_the_farthest(variants: list[Record]) -> None:
    shown = sample_grid(variants, name="fig-samples", caption="Samples.", count=3)
    assert "hinge comes nearest to the test images (11.0) and linear stays farthest (31.0)" in shown.text
    images = drawn(variants[0], 3)
    assert torch.equal(images, drawn(variants[0], 3))
    assert torch.allclose(images[:2], drawn(variants[0], 2), atol=1e-6)  # the first of those that are scored


def test_table_of_variants(variants: list[Record]) -> None:
    lines = variants_table(variants, name="tab-variants", caption="Scores.").text.splitlines()
    assert lines[2] == "linear | 1.3 ± 0.1 | 31.0 ± 1.4 | 0.60 ± 0.14 | 0.30 ± 0.07 | 2.25 ± 0.07"
    assert len(lines) == 4
    real = {"kid": -0.003, "frechet": 0.25, "precision": 0.86, "recall": 0.87, "class_entropy": 2.3}
    lines = variants_table(variants, name="tab-variants", caption="Scores.", real=real).text.splitlines()
    assert lines[4] == "training images | −0.3 | 0.2 | 0.86 | 0.87 | 2.30"


def test_real_images_lie_near_real_images() -> None:
    real = floor("mnist-10k", 400)
    assert abs(real["kid"]) < 0.02  # its mean is 0 for equal laws
    assert real["precision"] > 0.7
    assert real["class_entropy"] == pytest.approx(math.log(10), abs=0.05)  # of 400 labels, about equally many of each


def test_gaps_are_those_of_the_curves(variants: list[Record]) -> None:
    gaps = [sum(f[-1] - r[-1] for f, r in zip(record.curve["fake"], record.curve["real"], strict=True)) / 2 for record in variants]
    wide, narrow = max(gaps), min(gaps)
    shown = energy_gaps(variants, name="fig-gaps", caption="Gaps.")
    titles = {gaps[0]: "linear", gaps[1]: "hinge"}
    assert f"At the end {titles[wide]} keeps them {wide:.2f} apart" in shown.text
    assert f"{titles[narrow]} {narrow:.2f}, the least" in shown.text


def test_bars_count_what_is_clearly_above(tmp_path: Path) -> None:
    common = {"prevalence": (0.1, 0.1), "auprc_nearest": (0.3, 0.3), "auprc_components": (0.2, 0.2)}
    areas = ((0.14, 0.14), (0.15, 0.17), (0.4, 0.5))
    base = trained(LeftOut("energy-gan/without-0", left_out=0, **TINY), tmp_path, common | {"auprc": areas[0]})
    records = [
        dataclasses.replace(base, settings=dict(base.settings) | {"left_out": digit}, metrics=dict(base.metrics) | {"auprc": Metric(area)})
        for digit, area in enumerate(areas)
    ]
    assert found(records) == 2
    assert found(records, "auprc_components") == 3
    shown = anomaly_bars(records, name="fig-anomaly", caption="Bars.")
    assert "at least 1.5 times the prevalence on 2 of 3 left-out digits" in shown.text
    assert "nearest training image does better than the energy on 2 (mean 0.30)" in shown.text
    one = [dataclasses.replace(r, metrics={k: Metric(m.seeds[:1]) for k, m in r.metrics.items()}) for r in records]
    assert anomaly_bars(one, name="fig-anomaly", caption="Bars.").text != shown.text


def test_stacked_digits(tmp_path: Path) -> None:
    record = trained(Stacked("energy-gan/stacked-plain", **TINY), tmp_path, {"modes": (900.0, 902.0), "divergence": (0.5, 0.7)})
    lines = modes_table({"plain": record}, name="tab-modes", caption="Modes.").text.splitlines()
    assert lines[2] == "plain | 901 ± 1 | 0.60 ± 0.14"
    shown = stacked_grid({"plain": record}, name="fig-stacked", caption="Stacked.", count=4)
    assert "modes found out of 1,000: 901 with plain" in shown.text


# ------------------------------------------------------------------------------------------------------------------ what is shipped
def test_every_experiment_is_shipped() -> None:
    assert sorted(e.name for e in EXPERIMENTS) == SHIPPED
    assert {e.name.rsplit("-", 1)[1] for e in EXPERIMENTS if isinstance(e, Variant)} == set(TITLES)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_records_are_honest(name: str, honest_record: Callable[..., Record]) -> None:
    record = honest_record(name, most_bytes=2e6)
    for metric, value in record.metrics_of_weights.items():  # rounding to half precision moves nothing that is told
        assert abs(value - record.metrics[metric].seeds[0]) <= max(record.tolerance[metric], 0.02 * abs(value)), metric
    if "class_entropy" in record.metrics:
        assert record.metrics["class_entropy"].mean <= math.log(10)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_give_the_recorded_metrics(name: str, disagreeing: Callable[[str], list[Any]]) -> None:
    assert disagreeing(name) == []
