"""``kill -9`` at any moment: the training that goes on has the result of one that was never stopped, to the last bit."""

from __future__ import annotations

import dataclasses
import itertools
import json
import multiprocessing
import os
import random
import signal
import sys
import time
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest
from kill_target import CALLS, KINDS, random_bomb, run

from kexue.records import Record, read_record
from kexue.training import runner

WRITES = 12  # files that a training of the line writes per seed: a state at each point, the finished seed, weights and record
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither kill -9 nor a fork server")


@pytest.fixture(scope="module")
def server() -> Any:
    """A process that has imported everything and forks in milliseconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["kill_target"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # Python 3.11's server does not take over the path by itself
        forkserver.ensure_running()
    return context


@pytest.fixture(scope="module", params=sorted(KINDS))
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, server: Any) -> tuple[str, dict[str, Any], float]:
    """An unbroken training: its kind, what it gave, and the seconds it took in a process of its own."""
    out = tmp_path_factory.mktemp("whole")
    attempt(server, request.param, out, None, None)  # the first process of the server is slower than the others
    begin = time.monotonic()
    assert attempt(server, request.param, out, None, None) == 0
    seconds = time.monotonic() - begin
    return request.param, facts(out, request.param), seconds


def facts(out: Path, kind: str) -> dict[str, Any]:
    """What a record says of the result, and nothing of the time it took; with a hash over all bits of the weights of each seed."""
    record: Record = read_record(out / KINDS[kind].name)
    record.weights()  # they are there, and have their hash
    body = json.loads(record.to_json())
    for key in ("wall_time_s", "throughput", "record_sha256", "made"):
        del body[key]
    del body["metrics"]["ms_per_step"]
    return body


def attempt(server: Any, kind: str, out: Path, after: float | None, bomb: tuple[str, int, str] | None) -> int:
    """Train in another process, which is killed ``after`` some seconds or by its bomb, if it has not ended before."""
    process = server.Process(target=run, args=(kind, str(out), bomb))
    process.start()
    if after is not None:
        process.join(after)
        process.kill()
    process.join(60)
    assert process.exitcode is not None, "the training hangs"
    return process.exitcode


def trainings(server: Any, whole: tuple[str, dict[str, Any], float], folder: Path, *, kills: int, seed: int) -> tuple[int, int]:
    """Train anew until enough kills have hit; return how many trainings there were and the most kills in one of them."""
    kind, expected, seconds = whole
    source, hits, done, most = random.Random(seed), 0, 0, 0
    while hits < kills:
        out, here = folder / str(done), 0
        for tried in itertools.count():
            mercy = tried >= 12 or (hits >= kills)
            after = None if mercy or tried % 2 else source.uniform(0, seconds)
            bomb = None if mercy or not tried % 2 else random_bomb(source, WRITES)
            code = attempt(server, kind, out, after, bomb)
            assert code in (0, -signal.SIGKILL)
            if code == 0:
                break
            here += 1
            hits += 1
        assert facts(out, kind) == expected
        assert sorted(p.name for p in (out / KINDS[kind].name).iterdir()) == ["record.json", "weights.safetensors"]
        done, most = done + 1, max(most, here)
    return done, most


def test_twelve_kills_of_each_kind(server: Any, whole: tuple[str, dict[str, Any], float], tmp_path: Path) -> None:
    done, most = trainings(server, whole, tmp_path, kills=12, seed=20240229)
    assert done >= 1
    assert most >= 2  # a training that was killed again after it had gone on


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(4))
def test_a_hundred_kills_of_each_kind(server: Any, whole: tuple[str, dict[str, Any], float], tmp_path: Path, seed: int) -> None:
    done, most = trainings(server, whole, tmp_path, kills=100, seed=seed)
    assert done >= 8
    assert most >= 4


@pytest.mark.parametrize("number", [1, pytest.param(9, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("where", ["before", "behind"])
@pytest.mark.parametrize("call", CALLS)
def test_kill_in_the_midst_of_a_write(server: Any, tmp_path: Path, call: str, where: str, number: int) -> None:
    kind = "gan"
    assert attempt(server, kind, tmp_path, None, (call, number, where)) == -signal.SIGKILL
    assert attempt(server, kind, tmp_path, None, None) == 0
    one = facts(tmp_path, kind)
    runner.train(KINDS[kind], tmp_path / "whole", device="cpu", quiet=True)
    assert one == facts(tmp_path / "whole", kind)


def test_a_changed_result_would_be_seen(whole: tuple[str, dict[str, Any], float], tmp_path: Path) -> None:
    """The comparison bites: a rate that differs by a millionth gives another result."""
    kind, expected, _ = whole
    other = dataclasses.replace(KINDS[kind], rate=0.05 * (1 + 1e-6))
    runner.train(other, tmp_path, device="cpu", quiet=True)
    found = facts(tmp_path, kind)
    assert found["metrics"]["bits"] != expected["metrics"]["bits"]
