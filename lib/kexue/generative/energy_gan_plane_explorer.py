"""The explorer "A training, moment by moment": a scrubber over shipped trainings of an energy and a generator in the plane."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import ipywidgets as w
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kexue.explorer import Explorer
from kexue.explorer import panels as p
from kexue.generative.energy_gan_plane import HALF_SIDE, LAWS, Law, energy, force, generate, latent_lattice
from kexue.generative.energy_gan_plane_experiments import PlaneGAN, moment, pick, restore
from kexue.records import Record, load

__all__ = ["RUNS", "Film", "training_run_explorer"]

Array = NDArray[np.float64]
Values = dict[str, Any]
CELLS = 32  # of a side of the landscape
NET = 13  # fakes of a side of the generator's net
CLIP = 1.06 * HALF_SIDE  # fakes beyond are out of the picture, and are kept at its rim
PUSHED = slice(1, None, 2)  # those of them that show their force, in both directions
ARROW = 0.45  # the length that the arrows approach where the landscape is steep
BOX = (-HALF_SIDE, HALF_SIDE)

#: what the reader chooses → the shipped run
RUNS: Mapping[str, str] = {
    "softplus + R1": "energy-gan-plane/ring-softplus",
    "linear + R1": "energy-gan-plane/ring-linear",
    "momentum 0.9": "energy-gan-plane/ring-momentum",
    "Swiss roll": "energy-gan-plane/roll-softplus",
}


def cell_centres(cells: int = CELLS) -> Tensor:
    """Points ``(cells², 2)`` at the centres of the cells of the picture, row by row from the bottom."""
    side = (torch.arange(cells) + 0.5) / cells * 2 * HALF_SIDE - HALF_SIDE
    y, x = torch.meshgrid(side, side, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], 1)


@dataclass(frozen=True)
class Film:
    """A shipped training, ready to be looked at in any of its moments."""

    record: Record
    _seen: dict[int, Values] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def _restored(self) -> tuple[PlaneGAN, dict[str, Tensor], dict[str, Tensor]]:
        return restore(self.record)

    @property
    def experiment(self) -> PlaneGAN:
        """The settings of the run."""
        return self._restored[0]

    @property
    def law(self) -> Law:
        """The law that it learns."""
        return LAWS[self.experiment.law]

    def networks(self, place: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Energy and generator in a moment."""
        _, u, g = self._restored
        return pick(u, place), pick(g, place)

    # --8<-- [start:stage]
    def stage(self, place: int) -> Values:
        """What is seen in a moment, computed once: see :meth:`compute`."""
        if place not in self._seen:
            self._seen[place] = self.compute(place)
        return self._seen[place]

    def compute(self, place: int) -> Values:
        """What is seen in a moment: the landscape, the fakes on the generator's net, the forces on some of them, and the counts.

        Args:
            place: number of the moment.

        Returns:
            ``shade (CELLS, CELLS)``, the root of the height above the lowest energy in the picture, from 0 to 1 (the root shows pits beside
            a high hill); ``low`` and ``high``, the energies at its ends; ``net_x`` and ``net_y (NET, NET)``; arrows ``from_x, from_y, to_x,
            to_y``, along the force and ``ARROW s/(1 + s)`` long for a force of
            size s; ``step``, ``held``, ``good``, ``u_real``, ``u_fake``.
        """
        u, g = self.networks(place)
        with torch.no_grad():
            height = energy(u, cell_centres()).view(CELLS, CELLS).double()
            net = generate(g, latent_lattice(NET)).clamp(-CLIP, CLIP).view(NET, NET, 2)
        low, high = height.min(), height.max()
        some = net[PUSHED, PUSHED].reshape(-1, 2)
        push = force(u, some)
        arrow = ARROW * push / (1 + push.norm(dim=1, keepdim=True))
        found = moment(self.law, u, g, *self.experiment.judging())
        return {
            "shade": ((height - low) / (high - low)).sqrt().numpy(), "low": float(low), "high": float(high),
            "net_x": net[..., 0].numpy(), "net_y": net[..., 1].numpy(),
            "from_x": some[:, 0].numpy(), "from_y": some[:, 1].numpy(), "to_x": arrow[:, 0].numpy(), "to_y": arrow[:, 1].numpy(),
            "step": float(self.experiment.moments[place]), "held": found["modes"], "good": 100 * found["on_data"],
            "u_real": found["u_real"], "u_fake": found["u_fake"],
        }  # fmt: skip

    # --8<-- [end:stage]

    def whole(self) -> Values:
        """What does not move with the moment: reals, curves over the training, the lowest and the highest energy of all pictures."""
        every = [self.stage(k) for k in range(self.experiment.frames)]
        real = self.experiment.judging()[0][:240].numpy()
        curve, pits = self.record.curve, self.law.pits
        return {
            "real_x": real[:, 0], "real_y": real[:, 1], "pits": float(pits), "piece": self.law.piece,
            "run_low": min(s["low"] for s in every), "run_high": max(s["high"] for s in every),
            "real_curve": np.arcsinh([s["u_real"] for s in every]), "fake_curve": np.arcsinh([s["u_fake"] for s in every]),
            "top_curve": np.arcsinh([s["high"] for s in every]),
            "held_curve": np.array([100 * s["held"] / pits for s in every]),
            "other_seeds": 100 * np.asarray(curve["modes"][1:]) / pits, "seed_times": self.time(np.asarray(curve.steps)),
        }  # fmt: skip

    def time(self, step: Array) -> Array:
        """Steps on the axis of the moments, which is that of their square roots."""
        return np.asarray((self.experiment.frames - 1) * np.sqrt(step / self.experiment.steps))


_DERIVED = {
    "height": "low + (high - low) * shade * shade - run_low",
    "z": "where(scale, sqrt(maximum(height, 0) / (run_high - run_low)), shade)",
    "across_x": "transpose(net_x)",
    "across_y": "transpose(net_y)",
    "gap": "u_fake - u_real",
    "span": "high - low",
    "share": "100 * held / pits",
    "at_real": "log(u_real + sqrt(u_real * u_real + 1))",
    "at_fake": "log(u_fake + sqrt(u_fake * u_fake + 1))",
    "at_top": "log(high + sqrt(high * high + 1))",
}


def _landscape() -> p.Plane:
    net: Values = {"colour": "two", "width": 1.0, "opacity": 0.35}
    return p.Plane(
        layers=[
            p.Raster("z", BOX, BOX, (0, 1), "sequential", True, False, opacity=0.62),
            p.Contours("z", np.linspace(0.1, 0.9, 9), BOX, BOX, width=0.8, opacity=0.35),
            p.Dots(x="real_x", y="real_y", colour="three", size=4, opacity=0.8, label="reals"),
            p.Line("net_y", "net_x", **net), p.Line("across_y", "across_x", **net),
            p.Dots(x="net_x", y="net_y", colour="two", size=5, label="fakes"),
            p.Arrows("from_x", "from_y", "to_x", "to_y", colour="four", width=1.8, label="force −∇U"),
        ],
        x_range=BOX, y_range=BOX, equal=True, axes=False, height=440, width=0.56, title="The landscape: faint pits, strong hills",
        alt="Reals, fakes on the generator's net and the forces on them, over the energy with level lines, which are closest in the pits",
    )  # fmt: skip


def _panels(film: Film) -> list[Any]:
    last, steps = film.experiment.frames - 1, film.experiment.steps
    shown = [0, *(round(steps * q) for q in (0.02, 0.1, 0.25, 0.5, 0.75)), steps]
    ticks = {float(film.time(np.asarray(s))): f"{s:,}" for s in shown}
    heights = {math.asinh(v): f"{v:,}".replace("-", "−") for v in (-10_000, -1000, -100, -10, -1, 0, 1, 10, 100, 1000, 10_000)}
    x = np.arange(last + 1.0)
    axis: Values = {"x_ticks": ticks, "x_range": (0, last), "xlabel": "steps of the generator"}
    return [
        _landscape(),
        p.Curves(
            p.Line("top_curve", x, colour="six", label="highest hill", dashed=True),
            p.Line("fake_curve", x, colour="two", label="mean of fakes"), p.Line("real_curve", x, colour="three", label="mean of reals"),
            dots=[p.Dots(x="moment", y="at_" + y, colour=c, size=9) for y, c in (("top", "six"), ("fake", "two"), ("real", "three"))],
            marks=["moment"], y_ticks=heights, ylabel="energy U", title="How high they stand", height=440, width=0.44,
            alt="The highest hill shown and the mean energies of fakes and reals over the training; the linear one escapes", **axis,
        ),
        p.Curves(
            p.Line("other_seeds", "seed_times", colour="muted", width=1.2, label="other seeds", dashed=True),
            p.Line("held_curve", x, colour="one", label="this run"),
            dots=[p.Dots(x="moment", y="share", colour="one", size=9)], marks=["moment"], y_range=(0, 104), ylabel="% of the pieces",
            title="Modes (or arcs) that hold fakes", height=210, width=0.56,
            alt="The share of the modes that hold a quarter of their fair share of fakes or more, for this run and two other seeds", **axis,
        ),
        p.Text([
            ("pieces that hold fakes", "{held:.0f} of {pits:.0f} {piece}"), ("fakes on the data", "{good:.0f} %"),
            ("fakes above reals", "{gap:,.2f}"), ("lowest and highest energy shown", "{low:,.2f} … {high:,.2f}"),
        ], width=0.44, title="Read-outs", height=210),
    ]  # fmt: skip


def _controls(film: Film) -> dict[str, Any]:
    moments = [(str(step), k) for k, step in enumerate(film.experiment.moments)]
    return {
        "run": w.ToggleButtons(options=[(label, k) for k, label in enumerate(RUNS)], value=0, description="run"),
        "moment": w.SelectionSlider(options=moments, value=len(moments) // 2, description="step"),
        "scale": w.ToggleButtons(options=[("this moment", 0), ("the whole run", 1)], value=0, description="colours span"),
    }


def training_run_explorer() -> Explorer:
    """Four shipped trainings to step, play and slow down: landscape, fakes, forces, energies, modes.

    Every picture is computed from the networks as they were at that step; nothing lies between two moments, so the page snaps.

    Raises:
        ValueError: if the runs do not keep the same moments.
    """
    films = [Film(load(name)) for name in RUNS.values()]
    if len({f.experiment.moments for f in films}) > 1:
        raise ValueError(f"the runs {', '.join(RUNS.values())} keep different moments and cannot share a slider")
    last = films[0].experiment.frames - 1
    return Explorer(
        [lambda run, moment: films[run].stage(moment), lambda run: films[run].whole()],
        controls=_controls(films[0]),
        panels=_panels(films[0]),
        derived=_DERIVED,
        play=["moment"],
        bits=dict.fromkeys(("net_x", "net_y", "from_x", "from_y", "to_x", "to_y", "real_x", "real_y", "shade"), 8),
        presets={
            "Before the first step": {"run": 0, "moment": 0, "scale": 0}, "The fakes arrive": {"run": 0, "moment": 6, "scale": 0},
            "Pits made": {"run": 0, "moment": last, "scale": 0}, "No floor": {"run": 1, "moment": last, "scale": 1},
            "Swept along": {"run": 2, "moment": 10, "scale": 0}, "The roll unrolled": {"run": 3, "moment": last, "scale": 0},
        },
        sentence=(
            "{run}, step {step:,.0f}: the fakes stand {gap:,.2f} above the reals on average, in a landscape {span:,.2f} deep; "
            "{held:.0f} of {pits:.0f} {piece} hold fakes, and {good:.0f} % of the fakes lie on the data."
        ),
        title="A training, moment by moment",
        name="training-run",
        alt="Fakes roll down an energy landscape which is dug anew at every step: with softplus and a penalty they settle in the pits "
        "of the reals, with a linear loss the landscape deepens without end",
    )  # fmt: skip
