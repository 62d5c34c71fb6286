"""The scrubber shows what the shipped networks compute, and the still figures say what they show."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from kexue.explorer import Explorer
from kexue.generative import energy_gan_plane_explorer as module
from kexue.generative import energy_gan_plane_plots as plots
from kexue.generative.energy_gan_plane import coverage, energy, force, generate, latent_lattice
from kexue.generative.energy_gan_plane_experiments import networks, pick
from kexue.generative.energy_gan_plane_explorer import CELLS, NET, RUNS, Film, cell_centres, training_run_explorer
from kexue.records import load


@pytest.fixture(scope="module")
def explorer() -> Explorer:
    return training_run_explorer()


@pytest.fixture(scope="module")
def film() -> Film:
    return Film(load("energy-gan-plane/ring-softplus"))


def test_cells_are_listed_row_by_row_from_the_bottom() -> None:
    grid = cell_centres(4).view(4, 4, 2)
    side = [-2.25, -0.75, 0.75, 2.25]
    assert grid[0, :, 0].tolist() == grid[3, :, 0].tolist() == side
    assert grid[:, 1, 1].tolist() == side


def test_a_stage_is_what_the_shipped_networks_compute(film: Film) -> None:
    place = 20
    u, g = (pick(stack, place) for stack in networks(film.record.weights()))
    stage = film.stage(place)
    height = energy(u, cell_centres()).view(CELLS, CELLS).detach().numpy()
    np.testing.assert_allclose(stage["low"] + (stage["high"] - stage["low"]) * stage["shade"] ** 2, height, atol=1e-5)
    fake = generate(g, latent_lattice(NET)).detach().view(NET, NET, 2)
    np.testing.assert_allclose(stage["net_x"], fake[..., 0].clamp(-module.CLIP, module.CLIP), atol=1e-6)
    pushed = torch.stack([torch.as_tensor(stage["from_x"]), torch.as_tensor(stage["from_y"])], 1)
    push = force(u, pushed).numpy()
    arrow = np.stack([stage["to_x"], stage["to_y"]], 1)
    size = np.linalg.norm(push, axis=1)
    np.testing.assert_allclose(np.linalg.norm(arrow, axis=1), module.ARROW * size / (1 + size), rtol=1e-4)
    np.testing.assert_allclose((arrow * push).sum(1), np.linalg.norm(arrow, axis=1) * size, rtol=1e-4)  # the same direction
    held, good = coverage(film.law, generate(g, film.experiment.judging()[1]))
    assert (stage["held"], stage["good"]) == (float(held), pytest.approx(100 * float(good)))
    assert film.stage(place) is stage


def test_the_curves_run_through_the_moments(film: Film) -> None:
    whole = film.whole()
    for k in (0, 7, 31):
        stage = film.stage(k)
        assert np.sinh(whole["real_curve"][k]) == pytest.approx(stage["u_real"], abs=1e-9)
        assert np.sinh(whole["fake_curve"][k]) == pytest.approx(stage["u_fake"], abs=1e-9)
        assert whole["held_curve"][k] == 100 * stage["held"] / 8
        assert whole["run_low"] <= stage["low"] <= stage["high"] <= whole["run_high"]
    assert film.time(np.asarray(film.experiment.moments)) == pytest.approx(np.arange(32), abs=0.6)  # up to rounding to whole steps
    # the seed that is shipped is in the record too, and its last point is the last moment
    assert film.record.curve["modes"][0][-1] == pytest.approx(film.stage(31)["held"], abs=1)


def test_the_explorer_moves_and_keeps_within_its_bytes(explorer: Explorer) -> None:
    assert explorer.data_bytes < 300_000
    assert explorer.grid_states == len(RUNS) * 32 + len(RUNS)
    for k, name in enumerate(RUNS.values()):
        explorer.controls["run"].value, explorer.controls["moment"].value = k, 31
        explorer.controls["scale"].value = 0
        values, film = explorer.values(), Film(load(name))
        stage = film.stage(31)
        assert values["z"] == pytest.approx(stage["shade"], abs=1e-9)
        assert values["across_x"] == pytest.approx(stage["net_x"].T)
        assert float(np.sinh(values["at_fake"])) == pytest.approx(stage["u_fake"], rel=1e-6, abs=1e-9)
        explorer.controls["scale"].value = 1
        whole = film.whole()
        height = whole["run_low"] + (whole["run_high"] - whole["run_low"]) * explorer.values()["z"] ** 2
        span = whole["run_high"] - whole["run_low"]
        assert height == pytest.approx(stage["low"] + (stage["high"] - stage["low"]) * stage["shade"] ** 2, abs=1e-9 * span)
        said = explorer.say()
        assert f"{stage['held']:.0f} of {film.law.pits} {film.law.piece} hold fakes" in said
        assert said.startswith(list(RUNS)[k])


def test_it_plays_in_the_page_and_its_states_have_addresses(explorer: Explorer) -> None:
    controls = {c["name"]: c for c in explorer._payload["controls"]}
    assert controls["moment"]["play"] == 200
    assert controls["moment"]["labels"][0] == "0"
    assert controls["moment"]["labels"][-1] == str(Film(load(RUNS["softplus + R1"])).experiment.steps)
    assert next(label for label, _ in explorer._payload["presets"]) == "Before the first step"


def test_runs_of_different_lengths_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def other(name: str) -> object:
        record = load(name)
        return dataclasses.replace(record, settings=dict(record.settings) | {"steps": 3000}) if "roll" in name else record

    monkeypatch.setattr(module, "load", other)
    with pytest.raises(ValueError, match="keep different moments"):
        training_run_explorer()


WORDS = {"name": "fig-test", "alt": "a finding", "caption": "A finding."}


def test_still_figures_carry_their_words(film: Film) -> None:
    records = {name: load(run) for name, run in list(RUNS.items())[:2]}
    drawn = [
        plots.landscapes({"softplus": film, "again": film}, (0, 31), **WORDS),
        plots.pieces_by_seed(records, **WORDS),
        plots.heights(records, **WORDS),
    ]
    for shown in drawn:
        assert repr(shown) == "[Figure: a finding]"
        assert "<svg" in shown.markup
    with pytest.raises(ValueError, match="films and moments, got 1 and 0"):
        plots.landscapes({"softplus": film}, (), **WORDS)
