"""The trainer, where planted errors showed that nothing looked."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import Tiny
from torch import nn

from kexue.training import Moment, Patience, Run, every, fit, progress, runner, speed
from kexue.training.batches import Batches
from kexue.training.groups import FACTOR, by_name, layerwise, set_rate
from kexue.training.masks import masked_mean, reverse_valid, valid
from kexue.training.outputs import Counts
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


# --- pieces ------------------------------------------------------------------------------------------------------------


def test_orders_of_epochs_and_seeds_are_unrelated() -> None:
    """Also those of the seed nought and of the first epoch: 36 orders of eight examples, out of 40,320."""
    orders = {tuple(Batches(8, 2, seed).order(epoch).tolist()) for seed in range(6) for epoch in range(6)}
    assert len(orders) == 36
    mixed = (3 * 0x9E3779B97F4A7C15 + 2 * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) % 2**63
    want = torch.randperm(50, generator=torch.Generator().manual_seed(mixed))
    assert Batches(50, 5, 3).order(2).tolist() == want.tolist()


@pytest.mark.parametrize(
    ("counts", "precision", "recall", "f1"),
    [((3, 2, 1), 3 / 5, 3 / 4, 6 / 9), ((0, 0, 0), 0, 0, 0), ((1, 0, 0), 1, 1, 1), ((0, 3, 0), 0, 0, 0), ((5, 1, 7), 5 / 6, 5 / 12, 5 / 9)],
)
def test_shares_of_hits(counts: tuple[int, int, int], precision: float, recall: float, f1: float) -> None:
    found = Counts(*counts)
    assert (found.precision, found.recall, found.f1) == pytest.approx((precision, recall, f1))


def point(step: int, value: float | None) -> Moment:
    return Moment(step, 100, None if value is None else {"loss": value})


def test_patience_wants_more_than_the_least_gain() -> None:
    patience = Patience("loss", points=2, least=0.5)
    assert [patience(point(n, v)) for n, v in enumerate((4.0, None, 3.0, 2.5, None, 2.6))] == [False, False, False, False, False, True]
    assert (patience.best, patience.waited) == (3.0, 2)  # a gain of just a half is none, and so is a smaller one
    plain = Patience("loss", points=1)
    assert not plain(point(1, 1.0))
    assert not plain(point(2, 0.999))
    assert plain(point(3, 0.999))
    assert plain.best == 0.999


def test_a_callback_at_each_multiple_and_at_the_end() -> None:
    seen: list[int] = []
    callback = every(1, lambda moment: seen.append(moment.step) or "answer")
    assert [callback(Moment(step, 3)) for step in (1, 2, 3)] == ["answer"] * 3
    assert seen == [1, 2, 3]
    assert every(5, lambda moment: True)(Moment(4, 9)) is None


def test_the_time_left_is_told_from_the_speed_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    shown = progress.Progress(50, done=10, label="a run", stream=stream, every=5.0)
    now[0] = 104.0
    assert shown.remaining == 4.0 / 1 * 40  # no step yet: as if it had been one
    shown.update(20, {"loss": 1.0})
    assert stream.getvalue() == ""  # five seconds have not gone by
    assert shown.remaining == 4.0 / 10 * 30
    now[0] = 105.0
    shown.update(30, {"loss": 1.0})
    assert stream.getvalue().startswith("a run: step 30/50, ")
    assert f"{progress.clock(5.0 / 20 * 20)} left" in stream.getvalue()
    shown.update(40, None)
    now[0] = 106.0
    shown.update(50, {"loss": 1.0})  # the end is always told
    assert f"step 50/50, {progress.clock(6.0)} in all" in stream.getvalue()
    assert stream.getvalue().count("\n") == 2


@pytest.mark.parametrize(("rank", "quiet", "silent"), [(0, False, False), (0, True, True), (1, False, True), (1, True, True)])
def test_the_first_process_alone_shows_progress(monkeypatch: pytest.MonkeyPatch, rank: int, quiet: bool, silent: bool) -> None:
    monkeypatch.setattr(Run, "rank", rank)
    assert Run(quiet=quiet).progress(10).quiet is silent


def test_masks_of_more_places_than_sequences() -> None:
    assert valid(torch.tensor([0, 3])).tolist() == [[False] * 3, [True] * 3]
    x = torch.arange(2 * 5 * 3.0).view(2, 5, 3)
    turned = reverse_valid(x, torch.tensor([3, 0]))
    assert torch.equal(turned[0], x[0, [2, 1, 0, 3, 4]])
    assert torch.equal(turned[1], x[1])
    mask = torch.tensor([[True, True, False, False, False], [False] * 5])
    assert torch.equal(masked_mean(x, mask), torch.stack([x[0, :2].mean(0), torch.zeros(3)]))
    assert masked_mean(x[..., 0], mask).tolist() == [1.5, 0.0]
    four = x.unsqueeze(3).expand(2, 5, 3, 2)
    assert torch.equal(masked_mean(four, mask)[..., 0], masked_mean(x, mask))


def test_rates_and_decays_of_layers() -> None:
    layers = [nn.Linear(2, 2) for _ in range(3)]
    groups = layerwise(layers, 1.0, 0.5, weight_decay=0.1)
    assert [(g["lr"], g[FACTOR], g["weight_decay"]) for g in groups] == [
        (0.25, 0.25, 0.1), (0.25, 0.25, 0.0), (0.5, 0.5, 0.1), (0.5, 0.5, 0.0), (1.0, 1.0, 0.1), (1.0, 1.0, 0.0)]  # fmt: skip
    optimizer = torch.optim.SGD(groups, lr=1.0)
    set_rate(optimizer, 4.0)
    assert [g["lr"] for g in optimizer.param_groups] == [1.0, 1.0, 2.0, 2.0, 4.0, 4.0]
    (both,) = by_name(layers[0], 0.5, {}, weight_decay=0.1, decay_all=True)
    assert (both["weight_decay"], len(both["params"]), both["lr"]) == (0.1, 2, 0.5)
    assert [len(g["params"]) for g in by_name(layers[0], 0.5, {"bias": 0.0})] == [1]


def test_bf16_on_a_gpu_is_asked_for_without_emulation(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: asked.append(including_emulation) or False)
    with pytest.raises(ValueError, match="a GPU has no bf16: use 16-mixed or 32-true"):
        speed.check_precision("bf16-mixed", "cuda")
    assert asked == [False]
    assert speed.check_precision("16-mixed", "cuda") == "16-mixed"
    with pytest.raises(ValueError, match="16-mixed needs a GPU"):
        speed.check_precision("16-mixed", "cpu")


def test_a_record_keeps_times_to_the_digits_that_mean_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "wall_time", 1.23456)
    monkeypatch.setattr(Run, "step_time", 0.0123456)
    tiny = dataclasses.replace(Tiny(), steps=3, seeds=(4, 7))
    monkeypatch.setattr(runner, "module_of", lambda experiment: "tiny:Tiny")
    record = runner.train(tiny, tmp_path, device="cpu", quiet=True)
    assert record.wall_time_s == (1.23, 1.23)
    assert record.metrics["ms_per_step"].seeds == (12.346, 12.346)
    assert record.throughput == round(8 / 0.0123456, 1) == 648.0
    assert (record.seeds, record.weights_seed, record.steps) == ((4, 7), 4, 3)
    first = tiny.train(Run(seed=4))
    assert record.metrics["loss"].seeds[0] == pytest.approx(tiny.evaluate(first, Run())["loss"], rel=1e-6)
    assert record.metrics_of_weights["loss"] == pytest.approx(record.metrics["loss"].seeds[0], rel=0.01)


def test_experiments_results_and_moments_cannot_be_changed(changeable: Callable[[str], set[str]]) -> None:
    """What counts, collects or is under way can."""
    assert changeable("training") == {"Album", "Counts", "Means", "Patience", "Run", "_Loop"}
