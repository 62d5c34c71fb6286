from __future__ import annotations

import dataclasses
import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import Tiny
from torch import Tensor

from kexue.training import DivergedError, Interrupted, Run, SettingsChangedError, fit
from kexue.training.interrupt import InterruptFlag
from kexue.training.run import StateNotSavedWarning
from kexue.training.state import read_state


def run_for(tiny: Tiny, path: Path | None, seed: int = 0, save_every: float = 0.0) -> Run:
    return Run(seed=seed, state_file=path, settings=tiny.settings(), label="tiny", save_every=save_every)


def result(tiny: Tiny, path: Path | None = None, seed: int = 0) -> tuple[dict[str, Tensor], Any]:
    run = run_for(tiny, path, seed)
    return tiny.train(run), run.curve


def same(one: tuple[dict[str, Tensor], Any], two: tuple[dict[str, Tensor], Any]) -> bool:
    """Equal to the last bit: weights and curve."""
    return one[1] == two[1] and one[0].keys() == two[0].keys() and all(torch.equal(v, two[0][k]) for k, v in one[0].items())


def test_training_learns_and_repeats_itself() -> None:
    one = result(Tiny())
    assert one[1][-1][1]["val_loss"] < 0.25 * one[1][0][1]["val_loss"]
    assert same(one, result(Tiny()))
    assert not same(one, result(Tiny(), seed=1))


@pytest.mark.parametrize("at", [1, 7, 19, 20, 21, 33, 59])
def test_ctrl_c_anywhere_then_the_same_result(tmp_path: Path, at: int) -> None:
    whole = result(Tiny())
    path = tmp_path / "state"
    with pytest.raises(Interrupted, match=f"stopped at step {at} of 60; the state is saved in .*state, the same command goes on"):
        result(dataclasses.replace(Tiny(), interrupt_at=at), path)
    assert read_state(path)["step"] == at
    assert same(whole, result(Tiny(), path))
    assert same(whole, result(Tiny(), path))  # and again, from the state of the finished training


def test_many_stops_in_one_training(tmp_path: Path) -> None:
    path = tmp_path / "state"
    for at in (5, 6, 30, 44):
        with pytest.raises(Interrupted):
            result(dataclasses.replace(Tiny(), interrupt_at=at), path)
    assert same(result(Tiny()), result(Tiny(), path))


def test_ctrl_c_without_a_state_file() -> None:
    with pytest.raises(Interrupted, match=r"stopped at step 5 of 60$"):
        result(dataclasses.replace(Tiny(), interrupt_at=5))


def test_ctrl_c_in_the_last_step_is_an_end_like_any_other(tmp_path: Path) -> None:
    assert same(result(Tiny()), result(dataclasses.replace(Tiny(), interrupt_at=60), tmp_path / "state"))


def test_a_second_ctrl_c_acts_at_once() -> None:
    with InterruptFlag() as flag:
        os.kill(os.getpid(), signal.SIGINT)
        assert flag.raised
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with InterruptFlag():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_training_in_another_thread() -> None:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(result(Tiny())))
    thread.start()
    thread.join()
    assert same(found[0], result(Tiny()))


KILLED = """
import dataclasses, sys
sys.path.insert(0, {here!r})
from pathlib import Path
from tiny import Tiny
from test_loop import run_for
tiny = dataclasses.replace(Tiny(), kill_at={at})
tiny.train(run_for(tiny, Path({path!r}), save_every={every}))
"""


@pytest.mark.slow  # a process each; many more kills, at any moment, are in test_kill.py
@pytest.mark.parametrize(("at", "every"), [(27, 0.0), (3, 0.0), (58, 1e9)])
def test_kill_9_then_the_same_result(tmp_path: Path, at: int, every: float) -> None:
    path, here = tmp_path / "state", str(Path(__file__).parent)
    code = KILLED.format(here=here, at=at, path=str(path), every=every)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == -signal.SIGKILL, done.stderr
    step = read_state(path)["step"]
    assert step == (0 if every else (at - 1) // 7 * 7)  # a state is written before the first step, and when the losses were looked at
    assert same(result(Tiny()), result(Tiny(), path))


def test_nan_stops_with_step_and_loss(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with pytest.raises(DivergedError, match=r"tiny diverged at step 33: loss is nan; the last good state is .*state, of step 28"):
        result(dataclasses.replace(Tiny(), explode_at=33), path)
    state = read_state(path)
    assert state["step"] == 28
    assert all(bool(torch.isfinite(v).all()) for v in state["parts"]["model"].values())
    assert same(result(Tiny()), result(Tiny(), path))  # the last good state goes on well


def test_nan_without_a_state() -> None:
    with pytest.raises(DivergedError, match=r"at step 2: loss is nan$"):
        result(dataclasses.replace(Tiny(), explode_at=2))


def counting(values: dict[int, float]) -> Any:
    return lambda number: {"loss": torch.tensor(values.get(number, 1.0))}


def test_a_bound_stops_divergence() -> None:
    with pytest.raises(DivergedError, match="the training diverged at step 4: loss is -1000"):
        fit(Run(), counting({4: -1000.0}), steps=10, parts={}, bound=100.0)


def test_a_validation_that_is_not_finite_stops_too() -> None:
    with pytest.raises(DivergedError, match="diverged at step 4: score is inf"):
        fit(Run(), counting({}), steps=6, parts={}, judge=lambda n: {"score": float("inf") if n == 4 else 1.0}, judge_every=2)


def test_the_curve_holds_means_between_points() -> None:
    run = Run()
    fit(run, lambda number: {"loss": torch.tensor(float(number))}, steps=10, parts={}, judge_every=4)
    assert run.curve == [(4, {"loss": 2.5}), (8, {"loss": 6.5}), (10, {"loss": 9.5})]
    assert run.steps == 10


def test_the_best_weights_are_kept() -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    scores = {2: 3.0, 4: 1.0, 6: 2.0}

    def step(number: int) -> dict[str, Tensor]:
        with torch.no_grad():
            model.weight.fill_(number)
        return {"loss": torch.tensor(0.0)}

    run = Run()
    fit(run, step, steps=6, parts={"model": model}, judge=lambda n: {"score": scores[n]}, judge_every=2, keep_best="score")
    assert model.weight.item() == 4.0
    assert run.best_step == 4


def test_keep_best_needs_its_metric() -> None:
    with pytest.raises(ValueError, match="'score', which is not among the metrics loss"):
        fit(Run(), counting({}), steps=2, parts={}, keep_best="score")


def test_no_steps() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        fit(Run(), counting({}), steps=0, parts={})


def test_changed_settings_are_refused_and_shown(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with pytest.raises(Interrupted):
        result(dataclasses.replace(Tiny(), interrupt_at=9), path)
    before = path.read_bytes()
    with pytest.raises(SettingsChangedError, match=r"(?s)rate: 0.05 then, 0.1 now.*steps: 60 then, 61 now"):
        result(dataclasses.replace(Tiny(), rate=0.1, steps=61), path)
    with pytest.raises(SettingsChangedError, match="seed: 0 then, 1 now"):
        result(Tiny(), path, seed=1)
    assert path.read_bytes() == before


def test_a_weight_that_is_not_finite_is_never_saved(tmp_path: Path) -> None:
    model = torch.nn.Linear(1, 1, bias=False)

    def step(number: int) -> dict[str, Tensor]:
        loss = model.weight.detach().sum()  # still finite in the step that spoils the weight
        if number == 20:
            with torch.no_grad():
                model.weight.fill_(float("inf"))
        return {"loss": loss}

    path = tmp_path / "state"
    with pytest.raises(DivergedError, match=r"diverged at step 20: the weights model\.weight are not finite; .* of step 10$"):
        fit(Run(state_file=path, save_every=0), step, steps=100, parts={"model": model}, judge_every=10)
    state = read_state(path)
    assert state["step"] == 10
    assert bool(state["parts"]["model"]["weight"].isfinite().all())


def test_a_state_that_cannot_be_kept_is_refused_before_the_first_step(tmp_path: Path) -> None:
    class Odd:
        def state_dict(self) -> Any:
            return {"what": {1, 2}}

    with pytest.raises(TypeError, match="not set"):
        fit(Run(state_file=tmp_path / "state"), lambda number: pytest.fail("a step was done"), steps=3, parts={"odd": Odd()})


# ------------------------------------------------------------------------------------------------- a disk that is full, or read-only
def full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_told_once_and_the_training_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state"
    with pytest.raises(Interrupted):
        result(dataclasses.replace(Tiny(), interrupt_at=9), path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(StateNotSavedWarning) as told:
        assert same(result(Tiny()), result(Tiny(), path))
    (text,) = [str(w.message) for w in told]
    assert text.startswith(f"{path} cannot be written (No space left on device); the training goes on")
    assert text.endswith("the state before it is kept")
    monkeypatch.undo()
    assert read_state(path)["step"] == 9
    assert same(result(Tiny()), result(Tiny(), path))


def test_ctrl_c_on_a_full_disk_says_what_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state"
    with pytest.raises(Interrupted):
        result(dataclasses.replace(Tiny(), interrupt_at=9), path)
    monkeypatch.setattr(os, "fsync", full)
    tiny = dataclasses.replace(Tiny(), interrupt_at=30)
    with pytest.warns(StateNotSavedWarning), pytest.raises(Interrupted, match=r"step 30 of 60; .* not be saved .*that of step 9 is kept"):
        result(tiny, path)
    with pytest.warns(StateNotSavedWarning, match="there is none yet"), pytest.raises(Interrupted, match="nothing is saved"):
        result(tiny, tmp_path / "other")


def test_a_disk_with_room_again_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_for(Tiny(), tmp_path / "state")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.warns(StateNotSavedWarning):
            assert not run.save_state({"step": 1})
        assert not run.save_state({"step": 2})  # a second warning would be an error
    assert run.save_state({"step": 3})
    assert read_state(tmp_path / "state") == {"step": 3}
    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(StateNotSavedWarning, match="the state before it is kept"):
        assert not run.save_state({"step": 4})


def test_a_limit_that_the_system_sets(tmp_path: Path) -> None:
    """A real error of a real write: no file may grow beyond 2 KB, a state is larger."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    expected = result(Tiny())
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, before[1]))
    try:
        with pytest.warns(StateNotSavedWarning, match="File too large"):
            found = result(Tiny(), tmp_path / "state")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert same(expected, found)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.warns(StateNotSavedWarning, match="cannot be written"):
        assert same(result(Tiny()), result(Tiny(), tmp_path / "file" / "state"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is read-only for the root user")
def test_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.warns(StateNotSavedWarning, match="Permission denied"):
        assert same(result(Tiny()), result(Tiny(), tmp_path / "state"))


def test_wall_time_adds_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("kexue.training.run.time.monotonic", lambda: now[0])

    def step(number: int) -> dict[str, Tensor]:
        now[0] += 2.0
        if number == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return {"loss": torch.tensor(0.0)}

    def judge(number: int) -> dict[str, float]:
        now[0] += 10.0
        return {}

    run = Run(state_file=tmp_path / "state")
    with pytest.raises(Interrupted):
        fit(run, step, steps=10, parts={}, judge=judge, judge_every=10)
    now[0] += 1000.0  # the pause does not count
    run = Run(state_file=tmp_path / "state")
    fit(run, step, steps=10, parts={}, judge=judge, judge_every=10)
    assert run.wall_time == 30.0
    assert run.step_time == 2.0
