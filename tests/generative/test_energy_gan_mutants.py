"""The energy chapter's modules, where planted errors showed that nothing looked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from kexue.generative import energy_gan_plane_plots as plots
from kexue.generative import energy_gan_sampling as sampling
from kexue.generative import energy_gan_training
from kexue.generative.energy_gan import interpolate_density
from kexue.generative.energy_gan_entropy import fit_toy, heavy_ball, overshoots
from kexue.generative.energy_gan_experiments import EXPERIMENTS, _words
from kexue.generative.energy_gan_plane import LAWS, REACH, coverage
from kexue.generative.energy_gan_plane_explorer import RUNS, Film, training_run_explorer
from kexue.generative.energy_gan_training import EnergyGAN, Game
from kexue.records import load
from kexue.training import Run


@pytest.mark.parametrize(("width", "recovery"), [(1, 1), (2, 1), (3, 1), (8, 4), (9, 4), (64, 32)])
def test_the_recovering_network_has_half_the_energy_s_width(width: int, recovery: int) -> None:
    generator, energy, recover = EnergyGAN(name="a/b", code=5, width=3, energy_width=width).networks(torch.Generator().manual_seed(0))
    assert energy.layers[-1].in_features == 64 * width
    assert (recover.layers[-1].in_features, recover.layers[-1].out_features) == (64 * recovery, 5)
    assert (generator.code, generator.layers[0].in_features, generator.layers[0].out_features) == (5, 5, 2 * 3 * 49)


def test_the_rate_is_level_then_falls_to_a_tenth() -> None:
    settings = EnergyGAN(name="a/b", steps=100, rate=0.5)
    assert [settings.rate_at(n) for n in (1, 49, 50)] == [0.5, 0.5, 0.5]
    assert [settings.rate_at(n) for n in (75, 100)] == pytest.approx([0.275, 0.05])


@pytest.mark.parametrize(("entropy", "average", "names"), [
    (0.0, False, {"generator", "energy", "average", "jumper", "digger"}),
    (0.1, False, {"generator", "energy", "average", "jumper", "digger", "recovery", "recoverer"}),
    (0.0, True, {"generator", "energy", "average", "jumper", "digger", "level"}),
])  # fmt: skip
def test_all_that_changes_with_training_is_kept(monkeypatch: pytest.MonkeyPatch, entropy: float, average: bool, names: set[str]) -> None:
    monkeypatch.setattr(EnergyGAN, "average_energy", average)
    settings = EnergyGAN(name="a/b", code=3, width=2, energy_width=2, entropy=entropy, momentum=0.3, rate=0.02, decay=0.8)
    game = Game(settings, Run(seed=1))
    parts = game.parts()
    assert set(parts) == names
    for name in names & {"jumper", "digger", "recoverer"}:
        (group,) = parts[name].param_groups
        assert (group["lr"], group["betas"], group["fused"]) == (0.02, (0.3, 0.99), True)
    for name in names & {"average", "level"}:
        assert (parts[name].decay, parts[name].warm_up) == (0.8, 10.0)
    assert parts["average"].source is game.bare_generator


def test_a_step_tells_what_it_saw_and_moves_each_network_once(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = EnergyGAN(name="a/b", code=3, width=2, energy_width=2, penalty_fake=0.5, entropy=0.1, steps=10)
    game = Game(settings, Run(seed=1))
    moved: list[str] = []
    for name in ("jumper", "digger", "recoverer"):
        mover = getattr(game, name)
        monkeypatch.setattr(mover, "step", lambda *_, name=name, step=mover.step: moved.append(name) or step())
    seen = game.step(9, torch.rand(4, 1, 28, 28) * 2 - 1)
    assert list(seen) == ["real", "fake", "slope_real", "slope_fake", "unrecovered"]
    assert moved == ["digger", "jumper", "recoverer"]
    assert game.digger.param_groups[0]["lr"] == game.recoverer.param_groups[0]["lr"] == settings.rate_at(9) < settings.rate
    assert all(p.requires_grad for p in game.bare_energy.parameters())
    assert game.average.updates == 1


@pytest.mark.parametrize(("steps", "every"), [(1, 1), (39, 1), (79, 1), (80, 2), (4000, 100), (30_000, 750)])
def test_the_energy_is_watched_forty_times_below_ten_thousand(monkeypatch: pytest.MonkeyPatch, steps: int, every: int) -> None:
    """The fit is left out; what it was given is looked at, and its judge is asked."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(energy_gan_training, "fit", lambda run, step, **options: given.update(options))
    settings = EnergyGAN(name="a/b", code=3, width=2, energy_width=2, steps=steps, batch=4)
    held_out = torch.rand(6, 1, 28, 28) * 2 - 1
    _, energy = settings.play(Run(seed=1), torch.rand(8, 1, 28, 28) * 2 - 1, held_out)
    assert (given["steps"], given["judge_every"], given["bound"]) == (steps, every, 1e4)
    with torch.no_grad():
        assert given["judge"](steps) == {"val_energy": pytest.approx(float(energy(held_out).mean()), abs=1e-6)}


@pytest.mark.parametrize(("setting", "words"), [
    ({"penalty_real": -0.1}, "penalties, the entropy's weight and the noise must be at least 0"), ({"penalty_fake": -1.0}, "at least 0"),
    ({"entropy": -1.0}, "at least 0"), ({"noise": -1.0}, "at least 0"),
    ({"loss": "wgan"}, "the loss must be one of .*linear.*, got 'wgan'"),
])  # fmt: skip
def test_settings_that_mean_nothing(setting: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        EnergyGAN(name="a/b", **setting)


# --- the plane ---------------------------------------------------------------------------------------------------------


def test_dots_are_short_strokes_apart() -> None:
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    points = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    plots._dots(axes, points, "two")
    (line,) = axes.lines
    x, y = line.get_data()
    nan = np.nan
    np.testing.assert_allclose(x, [1, 1, nan, 3, 3, nan, 5, 5, nan])
    np.testing.assert_allclose(y, [2, 2.001, nan, 4, 4.001, nan, 6, 6.001, nan])


def test_a_film_is_shown_without_what_it_has_computed() -> None:
    film = Film(load("energy-gan-plane/ring-softplus"))
    before = repr(film)
    film.stage(3)
    assert repr(film) == before
    assert "_seen" not in before
    assert film == Film(film.record)


def test_the_landscape_fills_its_scale_and_each_quantity_has_its_colour() -> None:
    explorer = training_run_explorer()
    (plane,) = [panel for panel in explorer.figure.spec["panels"] if panel["title"].startswith("The landscape")]
    by_kind: dict[str, list[Any]] = {}
    for layer in plane["layers"]:
        by_kind.setdefault(layer["kind"], []).append(layer)
    (raster,), (contours,) = by_kind["raster"], by_kind["contours"]
    assert tuple(raster["range"]) == (0, 1)
    assert tuple(raster["xRange"]) == tuple(raster["yRange"]) == tuple(contours["xRange"]) == tuple(plane["x"])
    reals, fakes = by_kind["dots"]
    assert (reals["colour"], reals["label"], fakes["colour"], fakes["label"]) == ("three", "reals", "two", "fakes")
    assert {line["colour"] for line in by_kind["line"]} == {"two"}
    assert len(RUNS) == 4


@pytest.mark.parametrize("name", RUNS.values())
def test_the_curves_of_all_seeds_end_where_their_records_do(name: str) -> None:
    """Shares of the pieces in per cent: the record's count at the end, for the run shown and for the other seeds."""
    film = Film(load(name))
    whole, pieces = film.whole(), {"ring": 8, "roll": 12}[name.partition("/")[2].partition("-")[0]]
    counts = film.record.metrics["modes"].seeds
    assert whole["other_seeds"][:, -1] == pytest.approx([100 * count / pieces for count in counts[1:]])
    assert whole["held_curve"][-1] == pytest.approx(100 * counts[0] / pieces, abs=100 / pieces)  # its weights are kept in half precision
    assert whole["other_seeds"].min() >= 0
    assert whole["other_seeds"].shape[1:] == whole["seed_times"].shape
    assert whole["seed_times"][-1] == film.experiment.frames - 1 == len(whole["held_curve"]) - 1
    assert (np.diff(whole["seed_times"]) > 0).all()
    tops = [film.stage(k)["high"] for k in range(film.experiment.frames)]
    assert np.sinh(whole["top_curve"]) == pytest.approx(tops)
    assert (whole["run_high"], whole["pits"]) == (max(tops), pieces)


def test_the_marks_of_the_axes_stand_at_what_they_say() -> None:
    """Energies on the scale of arsinh, steps on that of square roots: each label, read as a number, gives its place."""
    experiment = Film(load(next(iter(RUNS.values())))).experiment
    panels = {panel["title"]: panel for panel in training_run_explorer().figure.spec["panels"]}

    def read(ticks: list[tuple[float, str]]) -> tuple[list[float], list[float]]:
        return [place for place, _ in ticks], [float(text.replace(",", "").replace("−", "-")) for _, text in ticks]

    places, values = read(panels["How high they stand"]["yticks"])
    assert np.sinh(places) == pytest.approx(values, abs=1e-6, rel=1e-9)
    assert values == sorted({sign * 10.0**power for sign in (-1, 1) for power in range(5)} | {0.0})
    for title in ("How high they stand", "Modes (or arcs) that hold fakes"):
        places, values = read(panels[title]["xticks"])
        steps, last = experiment.steps, experiment.frames - 1
        assert (np.asarray(places) / last) ** 2 * steps == pytest.approx(values, abs=0.6)
        assert [value / steps for value in values] == [0, 0.02, 0.1, 0.25, 0.5, 0.75, 1]


# --- formulae at their edges -------------------------------------------------------------------------------------------


def test_a_segment_holds_its_lower_end_and_not_its_upper_one() -> None:
    x = torch.tensor([-0.001, 0.0, 1.0, 1.999, 2.0, 2.001], dtype=torch.float64)
    zero, two = torch.zeros(1, dtype=torch.float64), torch.full((1,), 2.0, dtype=torch.float64)
    for pair in ((zero, two), (two, zero)):
        assert interpolate_density(x, *pair).tolist() == [0, 0.5, 0.5, 0.5, 0, 0]


@pytest.mark.parametrize(("noise", "steps"), [(0.0, 4), (0.3, 3), (0.0, 1)])
def test_the_toy_descends_by_steps_that_shrink_to_nought(noise: float, steps: int) -> None:
    """The gradients of E(x − m)²/2s² by hand, on the same draws; the k-th of n steps is 0.1 s² (1 − k/n) times as long."""
    m, s, batch = 0.7, 2.0, 50
    found = fit_toy("none", m, s, generator=torch.Generator().manual_seed(3), noise=noise, steps=steps, batch=batch)
    draw = torch.Generator().manual_seed(3)
    mean, width = 0.0, s / 2
    for k in range(steps):
        z, xi = (row.numpy() for row in torch.randn(2, batch, generator=draw, dtype=torch.float64))
        off = (mean + width * z + noise * xi - m) / s**2
        size = 0.1 * s**2 * (1 - k / steps)
        mean, width = mean - size * off.mean(), width - size * (off * z).mean()
        assert float(found.means[k]) == pytest.approx(mean, abs=1e-12)
        assert float(found.widths[k]) == pytest.approx(width, abs=1e-12)


def test_a_heavy_ball_without_momentum_and_without_steps() -> None:
    start = torch.tensor([1.0, -2.0])
    assert torch.equal(heavy_ball(lambda x: x, start, step=0.5, beta=0.0, steps=0), start[None])
    assert torch.equal(heavy_ball(lambda x: x, start, step=0.5, beta=0.0, steps=2), torch.stack([start, start / 2, start / 4]))
    for bad in ({"step": 0.0, "beta": 0.0, "steps": 1}, {"step": 1.0, "beta": -0.1, "steps": 1}, {"step": 1.0, "beta": 1.0, "steps": 1},
                {"step": 1.0, "beta": 0.5, "steps": -1}):  # fmt: skip
        with pytest.raises(ValueError, match="expected a step above 0"):
            heavy_ball(lambda x: x, start, **bad)  # type: ignore[arg-type]


def test_a_piece_is_covered_by_a_quarter_of_its_fair_share() -> None:
    law = LAWS["ring"]
    assert (law.pits, len(law.centres), REACH) == (8, 8, 3.0)
    far = torch.full((1, 2), 50.0)
    for count, covered in ((1, 1), (0, 0)):  # 32 fakes, of which a fair share is 4 a piece and a quarter of that is one
        fake = torch.cat([law.centres[3:4].expand(count, 2), far.expand(32 - count, 2)])
        held, good = coverage(law, fake)
        assert (int(held), float(good)) == (covered, count / 32)
    fake = torch.cat([law.centres[3:4], far.expand(32, 2)])  # 33 fakes: one is too few
    assert int(coverage(law, fake)[0]) == 0
    away = torch.tensor([1.0, 0.0]) * law.spread
    for reach, good in ((2.999, 1.0), (3.001, 0.0)):
        assert float(coverage(law, law.centres[:1] + reach * away)[1]) == good


@pytest.mark.parametrize(("settings", "words"), [
    ({}, "softplus loss, slope penalty on data"),
    ({"penalty_fake": 1.0}, "softplus loss, slope penalty on data and on fakes"),
    ({"penalty_real": 0.0, "loss": "hinge"}, "hinge loss"),
    ({"entropy": 0.2, "loss": "linear"}, "linear loss, slope penalty on data, entropy term"),
])  # fmt: skip
def test_settings_in_words(settings: dict[str, Any], words: str) -> None:
    assert _words(EnergyGAN(name="a/b", **settings)) == words


def test_the_experiments_of_the_chapter_and_what_their_evaluation_may_differ_by() -> None:
    by_kind: dict[str, list[Any]] = {}
    for experiment in EXPERIMENTS:
        by_kind.setdefault(type(experiment).__name__, []).append(experiment)
    assert {kind: len(found) for kind, found in by_kind.items()} == {"Variant": 9, "LeftOut": 10, "Stacked": 2}
    assert dict(by_kind["Variant"][0].tolerance) == {"*": 0.02, "kid": 0.02, "frechet": 0.3}
    assert dict(by_kind["LeftOut"][0].tolerance) == {"*": 0.02}
    assert dict(by_kind["Stacked"][0].tolerance) == {"modes": 10, "divergence": 0.05}
    assert [e.left_out for e in by_kind["LeftOut"]] == list(range(10))
    assert {e.steps for e in by_kind["LeftOut"]} == {6000}
    assert {e.steps for e in [*by_kind["Variant"], *by_kind["Stacked"]]} == {12_000}
    small = by_kind["Variant"][0].small()
    assert (small.steps, small.batch, small.width, small.energy_width, small.rate, small.decay) == (1000, 32, 16, 16, 2e-3, 0.99)


def test_settings_laws_and_films_cannot_be_changed(changeable: Callable[[str], set[str]]) -> None:
    assert changeable("generative.energy_gan") == set()


@pytest.mark.parametrize("eps", [0.1, 0.7, 3.0])
def test_wrong_proposal_densities_are_wrong_in_what_they_are_named_for(eps: float) -> None:
    """A drift of twice the length, no density at all, and the norm in the place of its square."""
    new, old, gradient = torch.randn(3, 5, 4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    right = sampling.log_proposal(new, old, gradient, eps)
    torch.testing.assert_close(sampling.printed_log_proposal(new, old, gradient, eps), sampling.log_proposal(new, old, 2 * gradient, eps))
    assert torch.equal(sampling.no_log_proposal(new, old, gradient, eps), torch.zeros(5, 4, dtype=torch.float64))
    length = (-2 * eps * right).sqrt()
    torch.testing.assert_close(sampling.norm_log_proposal(new, old, gradient, eps) * length, right)


@pytest.mark.parametrize("bottom", [0.0, 2.5])
@pytest.mark.parametrize("mirrored", [1, -1])
def test_a_ball_overshoots_where_it_comes_to_the_other_side(bottom: float, mirrored: int) -> None:
    """Not where it comes to rest at the bottom itself, and not where it began there, since it then began on no side."""
    paths = {
        (3, 2, 1): False,
        (3, 0, 0): False,
        (3, 0, 1): False,
        (3, -1, 2): True,
        (3, 1, -0.5): True,
        (0, 1, -1): False,
        (0, 0, 0): False,
    }
    path = bottom + mirrored * torch.tensor(list(paths), dtype=torch.float64).T
    assert overshoots(path, bottom).tolist() == list(paths.values())
