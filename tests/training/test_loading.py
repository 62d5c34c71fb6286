from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from kexue.training import Run, fit
from kexue.training.batches import Batches
from kexue.training.loading import LoaderError, cause, loaded

BATCHES = Batches(count=12, size=4, seed=5)
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine with a single core


def noisy(index: int, generator: torch.Generator) -> dict[str, Any]:
    return {"index": index, "noise": torch.randn(2, generator=generator)}


def read_all(workers: int, first: int = 1) -> list[dict[str, torch.Tensor]]:
    return list(loaded(noisy, BATCHES, steps=7, first=first, workers=workers))


@pytest.mark.parametrize("workers", [0, 2])
def test_every_example_once_an_epoch_in_the_order_of_the_batches(workers: int) -> None:
    found = read_all(workers)
    assert [b["index"].tolist() for b in found[:3]] == BATCHES.epoch(0).tolist()
    assert [b["index"].tolist() for b in found[3:6]] == BATCHES.epoch(1).tolist()
    assert sorted(torch.cat([b["index"] for b in found[:3]]).tolist()) == list(range(12))
    noise = torch.cat([b["noise"] for b in found])
    assert len(noise.unique(dim=0)) == 28  # no worker repeats another's noise, nor an epoch that of the one before


def test_workers_and_resumption_change_nothing() -> None:
    whole = read_all(0)
    for found, skipped in ((read_all(2), 0), (read_all(0, first=5), 4), (read_all(2, first=5), 4)):
        assert len(found) == len(whole) - skipped
        for one, two in zip(found, whole[skipped:], strict=True):
            assert torch.equal(one["index"], two["index"])
            assert torch.equal(one["noise"], two["noise"])


def killed(number: int) -> Callable[[int, torch.Generator], int]:
    def read(index: int, _: torch.Generator) -> int:
        os.kill(os.getpid(), number)
        return index

    return read


def leaves(index: int, _: torch.Generator) -> int:
    os._exit(3)


def raises(index: int, _: torch.Generator) -> int:
    raise KeyError(f"no picture {index}")


def sleeps(index: int, _: torch.Generator) -> int:
    time.sleep(30)
    return index


@pytest.mark.parametrize(
    ("read", "timeout", "match"),
    [
        (killed(signal.SIGKILL), 0, r"the data of step 1 could not be loaded: worker \d+ was killed by SIGKILL; .* out of memory"),
        (killed(signal.SIGSEGV), 0, r"worker \d+ was killed by SIGSEGV$"),
        (killed(signal.SIGBUS), 0, "shared memory .* is full: enlarge it"),
        (leaves, 0, r"worker \d+ ended by itself with exit status 3"),
        (raises, 0, r"(?s)step 1 could not be loaded: KeyError: 'no picture \d+'.*Traceback in the worker.*in raises"),
        (sleeps, 1, "no batch came within 1 s"),
    ],
)
def test_a_worker_that_dies_says_of_what(read: Any, timeout: float, match: str) -> None:
    with pytest.raises(LoaderError, match=match):
        list(loaded(read, BATCHES, steps=3, workers=1, timeout=timeout))


def test_without_workers_an_error_is_the_readers_own() -> None:
    with pytest.raises(LoaderError, match="KeyError: 'no picture"):
        list(loaded(raises, BATCHES, steps=3, workers=0))


def test_a_worker_that_dies_during_a_step_is_reported_by_the_loop() -> None:
    def step(number: int) -> dict[str, torch.Tensor]:
        raise RuntimeError("DataLoader worker (pid 12) is killed by signal: Terminated. ")

    with pytest.raises(LoaderError, match="worker 12 was killed by SIGTERM"):
        fit(Run(), step, steps=3, parts={})


def test_other_errors_of_a_step_pass() -> None:
    def step(number: int) -> dict[str, torch.Tensor]:
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit") as found:
        fit(Run(), step, steps=3, parts={})
    assert not isinstance(found.value, LoaderError)


def test_ctrl_c_does_not_reach_the_workers() -> None:
    batches = loaded(noisy, BATCHES, steps=7, workers=1)
    next(batches)
    (worker,) = multiprocessing.active_children()
    assert worker.pid
    os.kill(worker.pid, signal.SIGINT)
    assert len(list(batches)) == 6


def test_words_of_unknown_errors() -> None:
    assert cause(OSError("odd")) == "OSError: odd"
    assert cause(RuntimeError("DataLoader worker (pid 3) is killed by signal: Strange. ")) == "worker 3 was killed by Strange"


@pytest.mark.parametrize("named", [{"workers": -1}, {"first": 0}])
def test_impossible(named: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        loaded(noisy, BATCHES, steps=3, **named)
