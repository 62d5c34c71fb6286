"""The trainer, where planted errors showed that nothing looked."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import Tiny

from kexue.training import Moment, Run, fit
from kexue.training.state import read_state


def line(run: Run, path: Path | None, *, steps: int, callbacks: tuple[Any, ...] = ()) -> list[int]:
    """Train one weight for some steps; return the steps that were done."""
    weight = torch.nn.Linear(1, 1)
    done: list[int] = []

    def step(number: int) -> dict[str, torch.Tensor]:
        done.append(number)
        with torch.no_grad():
            weight.bias.add_(1.0)
        return {"loss": torch.tensor(1.0)}

    run.state_file = path
    fit(run, step, steps=steps, parts={"weight": weight}, callbacks=callbacks)
    return done


@pytest.mark.parametrize(("end", "steps"), [(0, 7), (5, 7), (20, 30)])
def test_the_last_step_is_saved_however_seldom_states_are(tmp_path: Path, end: int, steps: int) -> None:
    """Whether the steps ran out or a callback ended the training: the state of the end is there, and nothing is done again."""
    path = tmp_path / "state"
    stop = (lambda moment: moment.step == end,) if end else ()
    done = line(Run(save_every=1e9), path, steps=steps, callbacks=stop)
    assert done == list(range(1, (end or steps) + 1))
    state = read_state(path)
    assert (state["step"], state["ended"]) == (end or steps, bool(end))
    assert line(Run(save_every=1e9), path, steps=steps, callbacks=stop) == []


def test_between_start_and_end_states_wait_for_their_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    real = Run.save_state
    monkeypatch.setattr(Run, "save_state", lambda self, state, path=None: saved.append(state["step"]) or real(self, state, path))
    line(Run(save_every=1e9), tmp_path / "seldom", steps=150)
    assert saved == [0, 150]
    saved.clear()
    line(Run(save_every=0.0), tmp_path / "often", steps=45)
    assert saved == [0, *range(1, 46)]  # 45 steps have a point of the curve each


@pytest.mark.parametrize(
    ("seed", "want"), [(0, 0), (2, 2_000_006), (2**40, 2**40 * 1_000_003 % 2**63), (2**62 + 1, (2**62 + 1) * 1_000_003 % 2**63)]
)
def test_generators_have_seeds_of_63_bits_far_apart(seed: int, want: int) -> None:
    run = Run(seed=seed)
    assert run.generator.initial_seed() == want
    assert 0 <= run.generator.initial_seed() < 2**63
    assert run._generator(3).initial_seed() == (want + 3) % 2**63


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_each_of_several_processes_has_a_stream_of_its_own(monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    monkeypatch.setattr(Run, "world", 3)
    monkeypatch.setattr(Run, "rank", rank)
    run = Run(seed=5)
    assert run.generator.initial_seed() == 5 * 1_000_003 + rank + 1
    assert run.shared.initial_seed() == 5 * 1_000_003


def test_points_of_the_curve_stand_where_they_are_asked_for() -> None:
    run = Run()
    weight = torch.nn.Linear(1, 1)
    fit(run, lambda number: {"loss": torch.tensor(float(number))}, steps=10, parts={"weight": weight}, judge_every=4)
    assert run.curve == [(4, {"loss": 2.5}), (8, {"loss": 6.5}), (10, {"loss": 9.5})]
    assert (run.steps, run.best_step) == (10, 10)
    many = Run()
    fit(many, lambda number: {"loss": torch.tensor(1.0)}, steps=250, parts={"weight": weight})
    assert [step for step, _ in many.curve] == list(range(2, 251, 2))  # a hundredth of the training, but a step at least


def test_moments_tell_the_step_the_end_and_the_point() -> None:
    seen: list[Moment] = []
    fit(Run(), lambda number: {"loss": torch.tensor(1.0)}, steps=3, parts={}, judge_every=2, callbacks=[lambda m: seen.append(m)])
    assert [(m.step, m.steps, m.point is not None) for m in seen] == [(1, 3, False), (2, 3, True), (3, 3, True)]


def test_one_step_is_a_training_and_none_is_not() -> None:
    run = Run()
    fit(run, lambda number: {"loss": torch.tensor(2.0)}, steps=1, parts={})
    assert run.curve == [(1, {"loss": 2.0})]
    with pytest.raises(ValueError, match="a training needs at least one step, got 0"):
        fit(run, lambda number: {}, steps=0, parts={})


def test_the_time_of_a_step_leaves_the_judging_out() -> None:
    run = Run(started=10.0, judging=4.0, steps=3)
    run.start_clock()
    assert run.wall_time == pytest.approx(10.0, abs=0.5)
    assert run.step_time == pytest.approx(2.0, abs=0.2)
    assert dataclasses.replace(run, steps=0, judging=0.0).step_time == pytest.approx(10.0, abs=0.5)


def test_a_run_s_defaults_are_plain(tmp_path: Path) -> None:
    run = Run()
    assert (run.seed, run.device, run.precision, run.compile, run.channels_last) == (0, "cpu", "32-true", "off", False)
    assert (run.state_file, run.settings, run.label, run.quiet, run.save_every) == (None, {}, "", True, 30.0)
    assert run.save_state({"step": 1})
    assert run.read_state() is None
    assert run.save_state({"step": 1}, tmp_path / "other")
    assert run.read_state(tmp_path / "other") == {"step": 1}
    assert Tiny().batch == 8
