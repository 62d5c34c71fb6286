"""A few steps of energy GANs, in one process or in several: ``torchrun --standalone --nproc-per-node 2 energy_gan_together.py FOLDER``."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from kexue.generative.energy_gan_experiments import Stacked
from kexue.generative.energy_gan_training import EnergyGAN
from kexue.training import Run

IMAGES = torch.rand(64, 1, 28, 28, generator=torch.Generator().manual_seed(3)) * 2 - 1
SMALL: dict[str, Any] = {"steps": 10, "batch": 16, "width": 4, "energy_width": 4, "code": 8, "decay": 0.5}
CASES: dict[str, EnergyGAN] = {
    "real": EnergyGAN(name="a/real", **SMALL),
    "both": EnergyGAN(name="a/both", penalty_fake=1.0, **SMALL),
    "none": EnergyGAN(name="a/none", loss="hinge", penalty_real=0.0, **SMALL),
    "entropy": EnergyGAN(name="a/entropy", entropy=0.2, penalty_fake=0.5, **SMALL),
    "stacked": Stacked(name="a/stacked", **SMALL),
}


def main(folder: Path) -> None:
    for name, settings in CASES.items():
        run = Run(seed=1)
        held_out = IMAGES[:8].repeat(1, settings.colours, 1, 1)
        generator, energy = settings.play(run, IMAGES, held_out)
        weights = {f"{part}.{k}": w.contiguous() for part, m in (("g", generator), ("u", energy)) for k, w in m.state_dict().items()}
        save_file(weights, folder / f"{name}{run.rank}.safetensors")
        (folder / f"{name}{run.rank}.json").write_text(json.dumps({"curve": run.curve, "world": run.world}))
        if run.world == 1:  # one that sees half of each batch alone: what several would be that forget one another
            half = dataclasses.replace(settings, batch=settings.batch // 2)
            alone, _ = half.play(Run(seed=1), IMAGES, held_out)
            save_file({f"g.{k}": w.contiguous() for k, w in alone.state_dict().items()}, folder / f"{name}-half.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
