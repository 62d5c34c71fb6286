"""Falling rates: their ends, their middles, and what they are by hand."""

from __future__ import annotations

import math

import pytest
import torch

from kexue.training.rates import half_cosine, line


def test_a_line_from_one_to_its_end() -> None:
    assert [line(t, 11, end=0.1) for t in (1, 6, 11)] == [1.0, pytest.approx(0.55), pytest.approx(0.1)]
    assert [line(t, 5) for t in range(1, 6)] == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert line(1, 1, end=0.3) == line(7, 11, end=1.0) == 1.0


def test_a_half_cosine_is_that_of_pytorch() -> None:
    weight = torch.nn.Parameter(torch.zeros(()))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40, eta_min=0.02)
    for step in range(41):
        assert half_cosine(step, 40, end=0.02) == pytest.approx(schedule.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        schedule.step()
    assert half_cosine(10, 40) == pytest.approx((1 + math.sqrt(0.5)) / 2)
    assert half_cosine(40, 40) == 0.0
