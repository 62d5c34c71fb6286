"""The trainings in the plane: they repeat themselves, survive, and the shipped ones are what their records say."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from kexue.generative import energy_gan_plane_experiments as module
from kexue.generative.energy_gan_plane import LAWS, energy, generate
from kexue.generative.energy_gan_plane_experiments import EXPERIMENTS, Film, PlaneGAN, moment, networks, pick, restore
from kexue.records import Record, load, read_record, shipped
from kexue.training import Run, evaluate, train

TINY = {"steps": 12, "frames": 4, "batch": 8, "width": 6, "seeds": (0, 1)}
SHIPPED = [name for name in shipped() if name.startswith("energy-gan-plane/")]


def tiny(**changes: Any) -> PlaneGAN:
    return PlaneGAN("energy-gan-plane/ring-softplus", **(TINY | changes))


@pytest.fixture(autouse=True)
def few_judged(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "name" not in request.fixturenames:  # the shipped runs are judged as they were
        monkeypatch.setattr(module, "JUDGED", 64)


def test_the_runs_on_the_ring_differ_from_the_first_in_what_their_names_say() -> None:
    first = EXPERIMENTS[0].settings()
    differs = {e.name.split("/")[1]: {k: v for k, v in e.settings().items() if v != first[k]} for e in EXPERIMENTS}
    assert differs["ring-softplus"] == {}
    assert differs["ring-momentum"] == {"momentum": 0.9}
    assert differs["ring-linear"] == {"loss": "linear", "digs": 5, "penalty": 0.3}
    assert differs["ring-free"] == {"loss": "linear", "digs": 5, "penalty": 0.0}
    assert differs["roll-softplus"] == {"law": "roll", "penalty": 0.3}
    assert differs["moons-softplus"] == {"law": "moons", "penalty": 0.3}
    assert all(e.seeds == (0, 1, 2) and e.small() == e for e in EXPERIMENTS)


def test_moments_are_denser_at_the_beginning_and_end_with_the_last_step() -> None:
    e = PlaneGAN("a/b")
    assert len(set(e.moments)) == e.frames == 32
    assert (e.moments[0], e.moments[-1]) == (0, e.steps)
    gaps = [math.sqrt(b) - math.sqrt(a) for a, b in zip(e.moments[4:], e.moments[5:], strict=False)]
    assert max(gaps) / min(gaps) < 1.1  # equal but for rounding to whole steps
    assert tiny().moments == (0, 1, 5, 12)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"law": "cube"}, "law out of ring, roll, moons"),
        ({"loss": "hinge"}, "loss out of softplus, linear"),
        ({"momentum": 1.0}, "0 <= momentum < 1"),
        ({"penalty": -0.1}, "penalty >= 0"),
        ({"frames": 1}, "no 1 different moments"),
        ({"steps": 5}, "5 steps have no 4 different moments"),
    ],
)
def test_impossible_settings(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        tiny(**changes)


def test_what_is_said_of_the_run_and_its_data() -> None:
    assert tiny().title == "digging and jumping on a ring of eight modes: softplus loss, penalty 1 at the reals, momentum 0"
    assert "no penalty" in tiny(penalty=0.0).title
    hashes = {law: tiny(law=law).data()["sha256"] for law in LAWS}
    assert len(set(hashes.values())) == 3
    assert all(len(h) == 64 for h in hashes.values())


@pytest.mark.parametrize("changes", [{}, {"loss": "linear", "digs": 2, "penalty": 0.0}, {"law": "moons", "momentum": 0.9}])
def test_train_record_and_evaluate(tmp_path: Path, changes: dict[str, Any]) -> None:
    e = tiny(**changes)
    made = train(e, tmp_path, device="cpu", quiet=True)
    record = read_record(tmp_path / e.name)
    assert record == made
    assert all(c.found == c.recorded for c in evaluate(record, experiment=e))
    assert set(record.curve) == {"dig", "jump", "modes", "on_data", "u_real", "u_fake", "height"}
    experiment, u, g = restore(record)
    assert experiment == PlaneGAN(e.name, **(TINY | changes | {"seeds": (0, 1, 2)}))  # seeds are the record's, not settings
    # the last moment kept, judged by hand, is the last point of the curve up to half precision
    found = moment(LAWS[e.law], pick(u, -1), pick(g, -1), *e.judging())
    assert found["u_real"] == pytest.approx(record.curve["u_real"][0][-1], abs=5e-3)
    assert record.metrics["height"].seeds[0] == pytest.approx(math.log10(record.curve["height"][0][-1]), abs=1e-5)


def test_the_film_begins_before_the_first_step_and_changes() -> None:
    weights = tiny().train(Run(seed=3))
    u, g = networks(weights)
    fresh = torch.Generator().manual_seed(3 * 1_000_003)
    assert torch.equal(pick(u, 0)["w0"], module.new_mlp(2, 6, 6, 1, generator=fresh)["w0"])
    assert torch.equal(pick(g, 0)["w0"], module.new_mlp(2, 6, 6, 2, generator=fresh)["w0"])
    for k in range(3):
        assert not torch.equal(u["w1"][k], u["w1"][k + 1])
        assert not torch.equal(g["w1"][k], g["w1"][k + 1])


def test_training_repeats_itself_and_honours_the_seed() -> None:
    one, two, other = (tiny().train(Run(seed=s)) for s in (3, 3, 4))
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not all(torch.equal(one[k], other[k]) for k in one)


def test_a_training_that_was_stopped_goes_on_to_the_same_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tiny().train(Run(seed=1))
    state = tmp_path / "state"
    calls = []

    def stop(self: Film, *args: Any) -> None:
        calls.append(args[0])
        if len(calls) == 3:
            raise KeyboardInterrupt
        keep(self, *args)

    keep = Film.keep
    monkeypatch.setattr(Film, "keep", stop)
    settings = tiny().settings()
    monkeypatch.setattr("kexue.training.loop.CHECK_EVERY", 1)
    with pytest.raises(KeyboardInterrupt):
        tiny().train(Run(seed=1, state_file=state, settings=settings, save_every=0.0))
    monkeypatch.setattr(Film, "keep", keep)
    resumed = tiny().train(Run(seed=1, state_file=state, settings=settings, save_every=0.0))
    assert all(torch.equal(whole[k], resumed[k]) for k in whole)


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "world", 2)
    with pytest.raises(ValueError, match="train them in one"):
        tiny().train(Run(seed=0))


def test_a_moment_is_judged_by_hand() -> None:
    e = tiny()
    u, g = networks(e.train(Run(seed=0)))
    real, z = e.judging()
    found = moment(LAWS["ring"], pick(u, 2), pick(g, 2), real, z)
    low, high = energy(pick(u, 2), real), energy(pick(u, 2), generate(pick(g, 2), z))
    assert found["u_real"] == pytest.approx(low.mean().item())
    assert found["u_fake"] == pytest.approx(high.mean().item())
    assert found["height"] == pytest.approx(max(low.abs().max().item(), high.abs().max().item()))


# ------------------------------------------------------------------------------------------------------------------ what is shipped
def test_every_experiment_is_shipped() -> None:
    assert sorted(e.name for e in EXPERIMENTS) == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_records_are_honest(name: str, honest_record: Callable[..., Record]) -> None:
    assert not honest_record(name, most_bytes=1e6).waiting_for_gpu


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_give_the_recorded_metrics(name: str, disagreeing: Callable[[str], list[Any]]) -> None:
    assert disagreeing(name) == []


def metric(name: str, key: str) -> tuple[float, ...]:
    return load(f"energy-gan-plane/{name}").metrics[key].seeds


def test_the_linear_loss_without_a_penalty_has_no_floor_and_softplus_has_one() -> None:
    assert min(metric("ring-free", "height_early")) > 3  # |U| > 10³ within 500 steps, for every seed
    assert min(metric("ring-linear", "height")) > 3  # a penalty at the reals only puts it off
    assert max(metric("ring-softplus", "height")) < 1.5


def test_momentum_loses_modes_and_the_best_run_holds_all_eight() -> None:
    plain, swept = metric("ring-softplus", "modes_late"), metric("ring-momentum", "modes_late")
    assert min(plain) > max(swept)
    assert max(metric("ring-softplus", "modes")) == 8
