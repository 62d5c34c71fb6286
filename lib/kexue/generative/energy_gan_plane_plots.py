"""The still figures of the trainings in the plane: landscapes side by side, modes by seed, and energies without a floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from kexue import figures
from kexue.generative.energy_gan_plane import HALF_SIDE, energy, generate
from kexue.generative.energy_gan_plane_explorer import Film, cell_centres
from kexue.records import Record

__all__ = ["heights", "landscapes", "pieces_by_seed"]

CELLS, SHOWN = 32, 100


def _dots(ax: Any, points: Any, role: str) -> None:
    """Dots as one path of round caps: a tenth of the bytes of markers."""
    x, y = np.asarray(points, dtype=float).T
    gap = np.full_like(x, np.nan)
    ax.plot(np.stack([x, x, gap], 1).ravel(), np.stack([y, y + 1e-3, gap], 1).ravel(), color=figures.colour(role), linewidth=2.2)


def _draw(ax: Any, film: Film, place: int) -> None:
    """One moment: the root of the height above the lowest point, reals and fakes."""
    u, g = film.networks(place)
    real, z = film.experiment.judging()
    with torch.no_grad():
        height = energy(u, cell_centres(CELLS)).view(CELLS, CELLS)
        fake = generate(g, z[:SHOWN])
    box = (-HALF_SIDE, HALF_SIDE, -HALF_SIDE, HALF_SIDE)
    ax.imshow((height - height.min()).sqrt().numpy(), origin="lower", extent=box, cmap="Blues", alpha=0.75, interpolation="none")
    _dots(ax, real[:SHOWN], "three")
    _dots(ax, fake, "two")
    ax.set(xlim=box[:2], ylim=box[2:], xticks=[], yticks=[])
    ax.grid(False)


def landscapes(films: Mapping[str, Film], places: Sequence[int], **words: str) -> figures.Shown:
    """Landscapes of several trainings (rows) at several moments (columns), with reals and fakes; twelve at most fit a page.

    Args:
        films: what each is called → the training.
        places: numbers of the moments.
        words: ``name``, ``alt`` and ``caption`` of the figure.

    Raises:
        ValueError: no films or moments.
    """
    if not films or not places:
        raise ValueError(f"landscapes need films and moments, got {len(films)} and {len(places)}")
    with figures.axes("text", 7 / len(places) * len(films), rows=len(films), columns=len(places), squeeze=False) as (fig, grid):
        for at, (row, (label, film)) in enumerate(zip(grid, films.items(), strict=True)):
            row[0].set_ylabel(label)
            for ax, place in zip(row, places, strict=True):
                _draw(ax, film, place)
                if at == 0:
                    ax.set_title(f"step {film.experiment.moments[place]:,}")
        return figures.show(fig, **words)


def pieces_by_seed(records: Mapping[str, Record], **words: Any) -> figures.Shown:
    """How many modes hold fakes, against the step: mean and range over the seeds, one line for each training."""
    series = {label: np.asarray(r.curve["modes"]) for label, r in records.items()}
    x = next(iter(records.values())).curve.steps
    return figures.curves(series, x=x, xlabel="steps of the generator", ylabel="modes that hold fakes", **words)


def heights(records: Mapping[str, Record], **words: Any) -> figures.Shown:
    """The largest magnitude of U among reals and fakes against the step, on a logarithmic scale: mean and range over the seeds."""
    series = {label: np.asarray(r.curve["height"]) for label, r in records.items()}
    x = next(iter(records.values())).curve.steps
    return figures.curves(series, x=x, xlabel="steps of the generator", ylabel="largest |U|", yscale="log", **words)
