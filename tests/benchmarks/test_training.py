"""The benchmark of the training: both loops train the same thing. No time is tested."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks import training

from kexue.generative.energy_gan_training import EnergyGAN

SETTINGS = EnergyGAN(name="a/b", steps=40, batch=8, width=2, energy_width=2, code=4, decay=0.5)
IMAGES = torch.rand(40, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_both_loops_end_with_the_same_weights(tmp_path: Path) -> None:
    """Seven steps go once round the batches; two calls go on from each other's weights and number their steps anew."""
    ours, plain, other = (
        training.Ours(SETTINGS, IMAGES, tmp_path),
        training.Plain(SETTINGS, IMAGES, "cpu", fused=True),
        training.Plain(dataclasses.replace(SETTINGS, penalty_real=0.5), IMAGES, "cpu", fused=False),
    )
    start = training.apart(ours.weights, plain.weights)
    assert start == 0
    before = [w.clone() for w in ours.weights]
    for trainer in (ours, plain, other):
        trainer.train(7)
        trainer.train(3)
    assert training.apart(ours.weights, plain.weights) < 1e-6
    assert training.apart(ours.weights, other.weights) > 1e-5
    assert training.apart(ours.weights, before) > 1e-3
    assert len(list(tmp_path.glob("*.state"))) == 2  # the book's loop keeps a state, as in earnest


def test_operations_are_counted() -> None:
    """A linear layer forwards, and backwards to its weights: 2 · 3 · 4 · 5 each."""
    layer, x = torch.nn.Linear(4, 5), torch.ones(3, 4)

    def train(steps: int) -> None:
        for _ in range(steps):
            layer(x).sum().backward()

    assert training.operations(train, 2) == 2 * 2 * 3 * 4 * 5
    assert training.roof("cpu", 64) > 0


@pytest.mark.parametrize("reason", ["", "no compiler"])
def test_rows(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    monkeypatch.setattr("kexue.training.speed.why_not_compile", lambda device: reason)
    monkeypatch.setattr(torch, "compile", lambda module, mode: torch.nn.Sequential(module))
    rows = training.on("cpu", SETTINGS, IMAGES, steps=2, repeats=1)
    compiled = [] if reason else ["book's loop, --compile default"]
    names = ["book's loop", "book's loop, --channels-last", *compiled, "book's loop", "arithmetic of the book's loop"]
    assert [row.what for row in rows] == names
    assert all(row.unit == "images/s" for row in rows[:-1])
    assert rows[0].theirs == rows[1].theirs != rows[-2].theirs
    assert ("torch.compile does not work here: no compiler" in rows[0].note) == bool(reason)
    assert "after 6 steps" in rows[0].note
