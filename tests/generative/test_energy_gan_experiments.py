"""The energy chapter's experiments on made-up images: settings, data, training that repeats itself, metrics against plain sums."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.metrics import average_precision_score
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from kexue import datasets
from kexue.generative import energy_gan_experiments as module
from kexue.generative.energy_gan_experiments import (
    EXPERIMENTS,
    LeftOut,
    Stacked,
    Variant,
    average_precision,
    count_modes,
    nearest_distance,
    residual,
)
from kexue.generative.energy_gan_training import EnergyGAN, sample
from kexue.generative.features import digit_classes, image_features
from kexue.generative.scores import frechet_distance
from kexue.records import read_record
from kexue.training import DivergedError, Run, evaluate, train

TINY: dict[str, Any] = {"steps": 6, "batch": 8, "width": 2, "energy_width": 2, "code": 4, "validation": 10, "seeds": (0, 1)}


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def few_images(in_place_of_pictures: Callable[..., None]) -> dict[str, tuple[Tensor, Tensor]]:
    """A hundred made-up images in place of a data set; as the networks see them, and labels."""
    counts = (("train", 70), ("test", 30))
    made = {split: (torch.randint(256, (n, 28, 28), generator=source(n)).byte(), torch.arange(n) % 10) for split, n in counts}
    in_place_of_pictures(made)
    return {split: (images[:, None].float() / 127.5 - 1, labels) for split, (images, labels) in made.items()}


# -------------------------------------------------------------------------------------------------------------------------- settings
def test_variants_differ_in_loss_penalty_and_entropy_alone() -> None:
    variants = [e for e in EXPERIMENTS if isinstance(e, Variant)]
    assert len(variants) == 9
    for short in ("mnist", "fashion"):
        group = [e.settings() for e in variants if e.name.startswith(f"energy-gan/{short}")]
        told = [{k: s[k] for k in ("loss", "penalty_fake", "entropy")} for s in group]
        assert len({str(t) for t in told}) == len(group)
        rest = [{k: v for k, v in s.items() if k not in told[0]} for s in group]
        assert all(r == rest[0] for r in rest)


def test_all_ten_digits_are_left_out_once() -> None:
    assert [e.left_out for e in EXPERIMENTS if isinstance(e, LeftOut)] == list(range(10))
    plain, entropy = (e.settings() for e in EXPERIMENTS if isinstance(e, Stacked))
    assert {k for k in plain if plain[k] != entropy[k]} == {"entropy"}


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda e: e.name)
def test_small_is_smaller(experiment: EnergyGAN) -> None:
    small = experiment.small()
    assert small.steps * small.batch * small.width < experiment.steps * experiment.batch * experiment.width / 20
    assert {k for k in small.settings() if small.settings()[k] != experiment.settings()[k]} <= {
        "steps", "batch", "width", "energy_width", "rate", "decay", "judged",
    }  # fmt: skip


@pytest.mark.parametrize(("changes", "match"), [({"loss": "square"}, "one of linear, softplus"), ({"entropy": -1.0}, "at least 0")])
def test_impossible_settings(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Variant("energy-gan/x", **changes)


def test_rate_is_level_then_falls() -> None:
    e = Variant("a/b", steps=100, rate=1.0)
    assert [e.rate_at(n) for n in (1, 50)] == [1.0, 1.0]
    assert [e.rate_at(n) for n in (75, 100)] == [pytest.approx(0.55), pytest.approx(0.1)]


def test_titles_and_data() -> None:
    named = {e.name.removeprefix("energy-gan/"): e for e in EXPERIMENTS}
    assert named["mnist-r1r2"].title == "softplus loss, slope penalty on data and on fakes on MNIST, 10,000 digits"
    assert "entropy term" in named["fashion-entropy"].title
    assert named["without-7"].title.endswith("without 7")
    assert "stacked" in named["stacked-plain"].title
    about = named["mnist-linear"].data()
    assert about["sha256"] == datasets.info("mnist-10k").sha256
    assert about["used"] == "7,000 for training, 1,000 for validation, 2,000 for the test"


# ------------------------------------------------------------------------------------------------------------------------------ data
def test_the_left_out_class_is_never_seen(few_images: dict[str, tuple[Tensor, Tensor]]) -> None:
    images, labels = few_images["train"]
    train_images, held_out = LeftOut("a/b", left_out=3, validation=10).seen()
    assert torch.equal(train_images, images[:60][labels[:60] != 3])
    assert torch.equal(held_out, images[60:][labels[60:] != 3])


def test_stacked_digits_are_three_training_images(few_images: dict[str, tuple[Tensor, Tensor]]) -> None:
    images = few_images["train"][0][:60]
    rows = torch.tensor([5, 7])
    batch = Stacked("a/b").real(images, rows, Run(seed=0))
    assert torch.equal(batch[:, :1], images[rows])
    for colour in (1, 2):
        assert all((images[:, 0] == picture).all((1, 2)).any() for picture in batch[:, colour])
    assert torch.equal(batch, Stacked("a/b").real(images, rows, Run(seed=0)))
    assert not torch.equal(batch, Stacked("a/b").real(images, rows, Run(seed=1)))


# -------------------------------------------------------------------------------------------------------------------------- training
CASES: dict[str, EnergyGAN] = {
    "linear": Variant("energy-gan/x", loss="linear", **TINY),
    "r1r2": Variant("energy-gan/x", penalty_fake=1.0, **TINY),
    "entropy": Variant("energy-gan/x", loss="hinge", penalty_real=0.0, entropy=1.0, **TINY),
    "left-out": LeftOut("energy-gan/x", left_out=2, **TINY),
    "stacked": Stacked("energy-gan/x", **TINY),
}


@pytest.mark.parametrize("case", list(CASES))
def test_training_repeats_itself_and_honours_the_seed(few_images: object, case: str) -> None:
    one, two, other = (CASES[case].train(Run(seed=s)) for s in (3, 3, 4))
    assert {name.split(".")[0] for name in one} == {"generator", "energy"}
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not all(torch.equal(one[k], other[k]) for k in one)


def test_what_a_step_moves(few_images: dict[str, tuple[Tensor, Tensor]]) -> None:
    from kexue.generative.energy_gan_training import Game

    settings = Variant("a/b", entropy=1.0, penalty_fake=1.0, **TINY)
    game = Game(settings, Run(seed=0))
    before = {name: [p.detach().clone() for p in net.parameters()] for name, net in
              (("generator", game.bare_generator), ("energy", game.bare_energy), ("recovery", game.recovery))}  # fmt: skip
    seen = game.step(1, few_images["train"][0][:8])
    assert set(seen) == {"real", "fake", "slope_real", "slope_fake", "unrecovered"}
    for name, net in (("generator", game.bare_generator), ("energy", game.bare_energy), ("recovery", game.recovery)):
        moved = max(float((new.detach() - old).abs().max()) for new, old in zip(net.parameters(), before[name], strict=True))
        assert moved == pytest.approx(settings.rate, rel=1e-3), name  # Adam's first step is of one rate in every weight with a slope
    assert all(p.requires_grad for p in game.bare_energy.parameters())
    assert len(game.parts()) == 7
    assert len(Game(Variant("a/b", **TINY), Run(seed=0)).parts()) == 5


def test_only_left_out_digits_average_the_energy(few_images: dict[str, tuple[Tensor, Tensor]]) -> None:
    from kexue.generative.energy_gan_training import Game

    assert Game(Variant("a/b", **TINY), Run(seed=0)).level is None
    game = Game(LeftOut("a/b", **TINY), Run(seed=0))
    assert game.level is not None
    assert set(game.parts()) == {"generator", "energy", "average", "level", "jumper", "digger"}
    before = [p.detach().clone() for p in game.bare_energy.parameters()]
    game.step(1, few_images["train"][0][:8])
    # the first update of an average with warm-up 10 takes in ten elevenths of the new weights
    for old, new, level in zip(before, game.bare_energy.parameters(), game.level.module.parameters(), strict=True):
        assert torch.allclose(level, old + 10 / 11 * (new - old), atol=1e-6)


def test_the_fakes_learn_how_bright_the_data_are(few_images: dict[str, tuple[Tensor, Tensor]]) -> None:
    bright = 0.2 * few_images["train"][0] + 0.7
    settings = Variant("a/b", **TINY | {"steps": 80, "rate": 1e-2, "decay": 0.9})
    run = Run(seed=0)
    generator, _ = settings.play(run, bright, few_images["test"][0])
    fresh, _, _ = settings.networks(source())
    before, after = (float((2 * sample(g, 50, generator=source()) - 1).mean()) for g in (fresh, generator))
    assert abs(after - 0.7) < 0.3 < abs(before - 0.7)
    assert set(run.curve[-1][1]) == {"real", "fake", "slope_real", "val_energy"}


def test_divergence_stops_the_training(few_images: dict[str, tuple[Tensor, Tensor]]) -> None:
    settings = Variant("a/b", loss="linear", penalty_real=0.0, **TINY | {"steps": 400, "rate": 0.1})
    with pytest.raises(DivergedError, match="diverged at step"):
        settings.train(Run(seed=0))


def test_left_out_record_and_its_evaluation(few_images: object, tmp_path: Path) -> None:
    experiment = CASES["left-out"]
    train(experiment, tmp_path, device="cpu", quiet=True)
    record = read_record(tmp_path / experiment.name)
    assert all(c.found == c.recorded for c in evaluate(record, experiment=experiment))
    assert record.metrics["prevalence"].seeds == (0.1, 0.1)
    assert set(record.metrics) == {"auprc", "prevalence", "auprc_nearest", "auprc_components", "ms_per_step"}


def test_scores_of_a_variant_by_hand(few_images: dict[str, tuple[Tensor, Tensor]]) -> None:
    experiment = Variant("energy-gan/x", judged=25, **TINY)
    weights = experiment.train(Run(seed=0))
    scores = experiment.evaluate(weights, Run(seed=0))
    assert scores == experiment.evaluate(weights, Run(seed=5))
    generator, energy = experiment.restore(weights)
    fake = sample(generator, 25, generator=source(module.SAMPLE_SEED))
    test = few_images["test"][0][:25]
    with torch.no_grad():
        assert scores["energy_fake"] == pytest.approx(float(energy(2 * fake - 1).mean()), abs=1e-6)
        assert scores["energy_test"] == pytest.approx(float(energy(test).mean()), abs=1e-6)
    features = [image_features(images[:, 0], data_set="mnist-10k") for images in ((test + 1) / 2, fake)]
    assert scores["frechet"] == pytest.approx(frechet_distance(*features), rel=1e-6)
    shares = np.unique(digit_classes(fake).numpy(), return_counts=True)[1] / 25
    assert scores["class_entropy"] == pytest.approx(-(shares * np.log(shares)).sum(), abs=1e-12)


def test_modes_of_stacked_digits_by_hand(few_images: object) -> None:
    experiment = Stacked("energy-gan/x", judged=30, **TINY)
    weights = experiment.train(Run(seed=0))
    fake = sample(experiment.restore(weights)[0], 30, generator=source(module.SAMPLE_SEED))
    triples = {tuple(digit_classes(image).tolist()) for image in fake}
    assert experiment.evaluate(weights, Run(seed=0))["modes"] == len(triples)


def test_restored_networks_are_the_trained_ones(few_images: object) -> None:
    experiment = CASES["stacked"]
    run = Run(seed=0)
    weights = experiment.train(run)
    generator, energy = experiment.restore(weights)  # type: ignore[attr-defined]
    for name, network in (("generator", generator), ("energy", energy)):
        assert not network.training
        assert all(torch.equal(value, weights[f"{name}.{key}"]) for key, value in network.state_dict().items())
    images = sample(generator, 5, generator=source())
    assert images.shape == (5, 3, 28, 28)
    assert torch.allclose(images, sample(generator, 5, generator=source(), chunk=2), atol=1e-6)
    assert 0 <= images.min() <= images.max() <= 1


# --------------------------------------------------------------------------------------------------------------------------- metrics
@pytest.mark.parametrize("levels", [3, 10_000])
def test_average_precision_is_the_known_one(levels: int) -> None:
    score = torch.randint(levels, (400,), generator=source()).double()  # with many ties, and with hardly any
    positive = torch.rand(400, generator=source(1)) < 0.2
    assert average_precision(score, positive) == pytest.approx(average_precision_score(positive.numpy(), score.numpy()), abs=1e-12)


def test_average_precision_of_extremes() -> None:
    positive = torch.arange(10) < 3
    assert average_precision(positive.double(), positive) == 1.0
    assert average_precision(torch.zeros(10), positive) == pytest.approx(0.3)
    with pytest.raises(ValueError, match="one of them true"):
        average_precision(torch.zeros(10), torch.zeros(10, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"got \(9,\) and \(10,\)"):
        average_precision(torch.zeros(9), positive)


def test_plain_scores_against_known_ones() -> None:
    train_images, images = torch.randn(80, 1, 4, 4, generator=source()), torch.randn(30, 1, 4, 4, generator=source(1))
    known = NearestNeighbors(n_neighbors=1).fit(train_images.flatten(1).numpy()).kneighbors(images.flatten(1).numpy())[0][:, 0]
    assert np.allclose(nearest_distance(images, train_images), known, atol=1e-5)
    pca = PCA(5, svd_solver="full").fit(train_images.flatten(1).double().numpy())
    flat = images.flatten(1).double().numpy()
    left = ((flat - pca.inverse_transform(pca.transform(flat))) ** 2).sum(1)
    assert np.allclose(residual(images, train_images, 5), left, atol=1e-10)


def test_modes() -> None:
    every = torch.cartesian_prod(*[torch.arange(10)] * 3)
    assert count_modes(every) == (1000, pytest.approx(0, abs=1e-12))
    assert count_modes(every[:1].repeat(50, 1)) == (1, pytest.approx(math.log(1000)))
    assert count_modes(torch.cat([every[:500], every[:500]])) == (500, pytest.approx(math.log(2)))
