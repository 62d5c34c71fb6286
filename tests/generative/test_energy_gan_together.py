"""Energy GANs by two processes with gloo: penalties, the entropy term and stacked digits train to what one process has; and compiled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from kexue.generative.energy_gan_training import EnergyGAN, Game
from kexue.training import Run, speed

sys.path.insert(0, str(Path(__file__).resolve().parent))

from energy_gan_together import CASES, IMAGES, SMALL

SCRIPT = str(Path(__file__).with_name("energy_gan_together.py"))
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """What one process found, and what two found."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    for words in ((SCRIPT, str(one)), (*TORCHRUN, SCRIPT, str(two))):
        done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, timeout=500)
        assert done.returncode == 0, done.stderr
    return one, two


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_processes_train_to_the_result_of_one(folders: tuple[Path, Path], case: str) -> None:
    """Ten steps in float32 of weights up to 2. Measured: 1.2e-7 apart; allowed: ten times that.

    One process that sees half of each batch, as each of the two would if they forgot one another, ends 4e-3 away.
    """
    one, two = folders
    single, first, second = (load_file(folder / f"{case}{rank}.safetensors") for folder, rank in ((one, 0), (two, 0), (two, 1)))
    half = load_file(one / f"{case}-half.safetensors")
    for name, expected in single.items():
        torch.testing.assert_close(first[name], expected, rtol=1.2e-6, atol=1.2e-6)
        assert torch.equal(first[name], second[name])
    assert max(float((single[name] - half[name]).abs().max()) for name in half) > 1e-3
    runs: list[dict[str, Any]] = [json.loads((folder / f"{case}0.json").read_text()) for folder in folders]
    assert [r["world"] for r in runs] == [1, 2]
    for (step, expected_point), (other_step, point) in zip(runs[0]["curve"], runs[1]["curve"], strict=True):
        assert step == other_step
        assert point == pytest.approx(expected_point, abs=3e-6)


def test_noise_is_made_for_the_whole_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = EnergyGAN(name="a/b", **SMALL)
    whole = Game(settings, Run(seed=4)).noise(6, 2, 3)
    assert torch.equal(whole, torch.randn(6, 2, 3, generator=Run(seed=4).generator))
    monkeypatch.setattr(Run, "world", 3)
    for rank in range(3):
        monkeypatch.setattr(Run, "rank", rank)
        run = Run(seed=4)
        game = Game.__new__(Game)
        game.settings, game.run = settings, run
        assert torch.equal(game.noise(2, 2, 3), whole[2 * rank : 2 * rank + 2])


class Once(nn.Module):
    """A network as the compiler makes it: its gradient has no gradient."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        if x.is_leaf and x.requires_grad:
            raise RuntimeError("torch.compile with aot_autograd does not currently support double backward")
        found: Tensor = self.module(x)
        return found


@pytest.mark.parametrize("case", ["both", "none"])
def test_slopes_are_those_of_the_energy_that_is_not_compiled(monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """Compiled or not, the training is the same: the compiler refuses to differentiate a gradient, so the penalty goes round it."""
    monkeypatch.setattr(speed, "why_not_compile", lambda device: "")
    monkeypatch.setattr(torch, "compile", lambda module, mode: Once(module))
    found = [CASES[case].play(Run(seed=1, compile=word), IMAGES, IMAGES[:8])[0].state_dict() for word in ("off", "default")]
    for name, expected in found[0].items():
        assert torch.equal(found[1][name], expected)


@pytest.mark.exhaustive  # half a minute of compiling
@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_a_training_with_penalties_by_the_compiler_itself() -> None:
    if reason := speed.why_not_compile("cpu"):
        pytest.skip(f"torch.compile does not work here: {reason}")
    runs = [Run(seed=1, compile=word) for word in ("off", "default")]
    for run in runs:
        CASES["both"].play(run, IMAGES, IMAGES[:8])
    for (step, expected), (other_step, point) in zip(runs[0].curve, runs[1].curve, strict=True):
        assert step == other_step
        assert point == pytest.approx(expected, abs=1e-5)
