from __future__ import annotations

import io

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kexue.training.batches import Batches
from kexue.training.progress import Progress, clock, show_metrics


@settings(deadline=None)
@given(count=st.integers(1, 60), seed=st.integers(0, 2**31), epoch=st.integers(0, 1000), data=st.data())
def test_an_epoch_takes_no_example_twice(count: int, seed: int, epoch: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, count))
    rows = Batches(count, size, seed).epoch(epoch).flatten()
    assert len(set(rows.tolist())) == len(rows) == count // size * size
    assert set(rows.tolist()) <= set(range(count))


def test_order_is_a_function_of_seed_and_epoch() -> None:
    batches = Batches(50, 5, seed=3)
    first = batches.epoch(7)
    batches.epoch(8)
    assert torch.equal(batches.epoch(7), first)
    assert not torch.equal(batches.epoch(8), first)
    assert not torch.equal(Batches(50, 5, seed=4).epoch(7), first)


@pytest.mark.parametrize("share", [{}, {"rank": 1, "world": 2}])
def test_rows_of_a_step(share: dict[str, int]) -> None:
    batches = Batches(10, 4, seed=5, **share)
    rows = batches.by_step()
    want = torch.cat([batches.epoch(epoch) for epoch in range(3)])
    for step in (1, 2, 6, 3, 4, 1):  # in any order
        assert torch.equal(rows(step), want[step - 1])
    with pytest.raises(ValueError, match=r"^the first step is 1, got 0$"):
        rows(0)


def test_an_epoch_is_ordered_once_while_its_steps_last(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    epoch = Batches.epoch
    monkeypatch.setattr(Batches, "epoch", lambda self, number: asked.append(number) or epoch(self, number))
    rows = Batches(10, 4, seed=5).by_step(arranged=lambda found: found.flip(0))
    found = [rows(step) for step in range(1, 7)]
    assert asked == [0, 1, 2]
    assert torch.equal(torch.stack(found[:2]), epoch(Batches(10, 4, seed=5), 0).flip(0))
    rows(1)
    assert asked == [0, 1, 2, 0]  # one epoch is kept


def test_rows_lie_where_they_are_wanted() -> None:
    assert Batches(10, 4, seed=5).by_step("meta")(1).device.type == "meta"


def test_processes_share_the_batches_of_one() -> None:
    whole = Batches(20, 6, seed=1).epoch(2)
    shares = [Batches(20, 6, seed=1, rank=r, world=3).epoch(2) for r in range(3)]
    assert torch.equal(torch.cat(shares, 1), whole)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((5, 6, 0), "between 1 and 5"),
        ((5, 0, 0), "between"),
        ((9, 3, 0, 0, 2), "equally"),
        ((9, 4, 0, 2, 2), "rank"),
        ((9, 4, 0, -1, 2), "rank"),
    ],
)
def test_impossible_batches(arguments: tuple[int, ...], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Batches(*arguments)


def test_words() -> None:
    assert show_metrics({"a": 1.0, "b": -0.123456}) == "a 1, b -0.1235"
    assert [clock(s) for s in (0, 59.9, 3599, 3600, 36_061)] == ["0:00", "0:59", "59:59", "1:00:00", "10:01:01"]


def test_lines_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    with Progress(10, label="run", stream=stream, every=0) as progress:
        progress.update(2, {"loss": 0.5})
        progress.update(4)
        progress.update(10, {"loss": 0.25})
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("run: step 2/10, ")
    assert lines[0].endswith(" left; loss 0.5")
    assert lines[1].endswith("in all; loss 0.25")


def test_lines_are_few() -> None:
    stream = io.StringIO()
    with Progress(100, stream=stream, every=1e6) as progress:
        for step in range(1, 101):
            progress.update(step, {"loss": 1.0})
    assert len(stream.getvalue().splitlines()) == 1  # the last


def test_remaining_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("kexue.training.progress.time.monotonic", lambda: now[0])
    progress = Progress(100, done=40, quiet=True)
    now[0] += 10
    progress.update(60)
    assert progress.remaining == 20.0  # 20 steps took 10 s, 40 are left


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bar_on_a_terminal() -> None:
    stream = Terminal()
    with Progress(10, done=3, label="run", stream=stream) as progress:
        progress.update(5)
        progress.update(10, {"elbo": -104.0})
    text = stream.getvalue()
    assert "run" in text
    assert "elbo -104" in text
    assert "10/10" in text


def test_quiet() -> None:
    stream = Terminal()
    with Progress(10, stream=stream, quiet=True) as progress:
        progress.update(10, {"loss": 1.0})
    assert stream.getvalue() == ""
