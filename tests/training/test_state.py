from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kexue.training.state import StateError, from_bytes, read_state, to_bytes, write_state

LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
TREES = st.recursive(
    LEAVES,
    lambda t: st.lists(t, max_size=3) | st.tuples(t, t) | st.dictionaries(st.text(max_size=4) | st.integers(), t, max_size=3),
    max_leaves=12,
)


@settings(deadline=None)
@given(TREES)
def test_trees_come_back(tree: Any) -> None:
    assert from_bytes(to_bytes(tree)) == tree


def test_tensors_come_back_with_their_type() -> None:
    mixed = [torch.tensor(7), (torch.zeros(0), torch.ones(2).bool())]
    state = {"a": torch.linspace(0, 1, 6, dtype=torch.float64).view(2, 3), "b": mixed, "c": torch.ones(2).bfloat16()}
    back = from_bytes(to_bytes(state))
    assert torch.equal(back["a"], state["a"])
    assert back["a"].dtype == torch.float64
    assert back["b"][0].shape == ()
    assert back["b"][1][0].shape == (0,)
    assert back["b"][1][1].dtype == torch.bool
    assert back["c"].dtype == torch.bfloat16


def test_shared_and_strided_tensors() -> None:
    base = torch.arange(6.0).view(2, 3)
    back = from_bytes(to_bytes({"a": base, "b": base, "t": base.t()}))
    assert torch.equal(back["a"], back["b"])
    assert torch.equal(back["t"], base.t())


def test_an_optimizer_comes_back() -> None:
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([weight], lr=0.1)
    weight.sum().backward()
    optimizer.step()
    other = torch.optim.Adam([torch.nn.Parameter(torch.ones(3))], lr=0.5)
    other.load_state_dict(from_bytes(to_bytes(optimizer.state_dict())))
    assert other.param_groups[0]["lr"] == 0.1
    assert other.param_groups[0]["betas"] == (0.9, 0.999)
    assert torch.equal(other.state_dict()["state"][0]["exp_avg"], optimizer.state_dict()["state"][0]["exp_avg"])


def test_what_cannot_be_kept() -> None:
    with pytest.raises(TypeError, match="set"):
        to_bytes({"a": {1, 2}})


def test_damage_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.state"
    write_state(path, {"step": 3, "w": torch.arange(5)})
    good = path.read_bytes()
    for position in range(0, len(good), 11):
        bad = bytearray(good)
        bad[position] ^= 4
        path.write_bytes(bytes(bad))
        with pytest.raises(StateError, match=r"a\.state is damaged.*Delete it"):
            read_state(path)
    path.write_bytes(good[: len(good) // 2])
    with pytest.raises(StateError, match="damaged"):
        read_state(path)
    path.write_bytes(good)
    assert read_state(path)["step"] == 3


def test_no_state(tmp_path: Path) -> None:
    assert read_state(tmp_path / "none") is None


def test_a_full_disk_keeps_the_state_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.state"
    write_state(path, {"step": 3})

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_state(path, {"step": 4})
    monkeypatch.undo()
    assert read_state(path) == {"step": 3}
    assert os.listdir(tmp_path) == ["a.state"]


def test_a_state_of_another_format_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.state"
    write_state(path, {"step": 3})
    good = path.read_bytes()
    assert good.startswith(b"kexue-state 2 ")
    path.write_bytes(good.replace(b"kexue-state 2 ", b"kexue-state 3 ", 1))
    with pytest.raises(StateError, match=r"a\.state has format 3, this library reads 2: it was made by a newer library"):
        read_state(path)
    path.write_bytes(good.replace(b"kexue-state 2 ", b"kexue-state 1 ", 1))
    with pytest.raises(StateError, match="made by an older library"):
        read_state(path)
