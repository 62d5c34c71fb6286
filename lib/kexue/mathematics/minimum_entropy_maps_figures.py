"""The explorer of maps: one slider from SNE's Gaussian kernel to t-SNE's heavy tail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ipywidgets as w
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from kexue.explorer import Explorer
from kexue.explorer import panels as p
from kexue.mathematics.minimum_entropy_maps_experiments import Morph, sample

__all__ = ["sne_to_tsne"]

Array = NDArray[np.float64]
SOLID = 6  # digits 0 to 5 are full dots, 6 to 9 rings of the first four colours


def _panels(labels: Tensor, freedoms: Sequence[str]) -> list[object]:
    """The map, the cost against the kernel, the kernel itself and the read-outs."""
    full, last = (labels < SOLID).numpy(), len(freedoms) - 1
    rows = [
        p.Dots("full", classes=labels.numpy()[full].astype(float), names=[str(k) for k in range(SOLID)], size=6.5, opacity=0.85),
        p.Dots("rings", classes=labels.numpy()[~full].astype(float) - SOLID, names=["○ 6", "○ 7", "○ 8", "○ 9"], size=7.5, ring=True),
    ]
    return [
        p.Plane(
            layers=rows, x_range=(-2.3, 2.3), y_range=(-2.3, 2.3), equal=True, axes=False, height=440, width=0.6,
            title="300 handwritten digits, drawn at one size",
            alt="With a Gaussian kernel the digits fill one disc, with a heavy tail they part into islands",
        ),
        p.Curves(
            p.Line("excesses", np.arange(float(last + 1)), colour="two"), dots=[p.Dots(x="kernel", y="excess", colour="two", size=10)],
            x_range=(0, last), y_range=(0, 1.6), x_ticks={float(i): f for i, f in enumerate(freedoms)}, xlabel="ν", width=0.4,
            height=200, title="Cost above the floor, in nats", alt="The cost above the floor falls as the tail grows heavier",
        ),
        p.Curves(
            p.Line("tail", np.linspace(0, 4, 81), colour="one"), x_range=(0, 4), y_range=(0, 1), xlabel="distance on the map",
            width=0.4, height=170, title="The kernel", alt="The kernel falls with distance, more slowly for few degrees of freedom",
        ),
        p.Text([
            ("cost S", "{cost:.3f} nats"), ("floor", "{floor:.3f} nats"), ("nearest neighbour of the same digit", "{share:.0f} %"),
            ("spread of the map", "{spread:.1f}"),
        ], width=0.4),
    ]  # fmt: skip


def sne_to_tsne(experiment: Morph, weights: Mapping[str, Tensor]) -> Explorer:
    """Three hundred digits under eight kernels, five perplexities and two normalisers.

    Args:
        experiment: the settings of the run.
        weights: its maps, ``row`` and ``all``, each (perplexities, kernels, points, 2).
    """
    _, labels = sample(experiment.points, 0)
    states = experiment.states(weights)
    names = ("row", "all")
    full = (labels < SOLID).numpy()
    freedoms = [f"{nu:g}" if nu else "∞" for nu in experiment.freedoms][::-1]
    last, widest = len(freedoms) - 1, len(experiment.perplexities) - 1

    def state(kernel: int, perplexity: int, normaliser: int) -> dict[str, Array | float]:
        name, k = names[normaliser], last - kernel
        z = weights[name][perplexity, k].double().numpy()
        z = z / np.sqrt(np.square(z).sum(1).mean())  # every map has its own unit: show all at one size
        numbers = {key: float(states[name][key][perplexity, k]) for key in ("cost", "excess", "spread")}
        share = 100 * float(states[name]["same"][perplexity, k])
        return {"full": z[full], "rings": z[~full], "share": share, "floor": numbers["cost"] - numbers["excess"], **numbers}

    def course(perplexity: int, normaliser: int) -> dict[str, Array]:
        found = states[names[normaliser]]["excess"][perplexity].numpy()
        return {"excesses": found[::-1].copy()}

    def kernel_curves(kernel: int) -> dict[str, Array]:
        alpha = experiment.alphas[last - kernel]
        d = np.linspace(0, 4, 81)
        return {"tail": np.exp(-(d**2)) if np.isinf(alpha) else (1 + d**2 / alpha) ** -alpha}

    return Explorer(
        [state, course, kernel_curves],
        controls={
            "kernel": w.SelectionSlider(options=[(f, i) for i, f in enumerate(freedoms)], value=0, description="degrees of freedom ν"),
            "perplexity": w.SelectionSlider(
                options=[(f"{v:g}", i) for i, v in enumerate(experiment.perplexities)], value=widest // 2, description="perplexity"
            ),
            "normaliser": w.ToggleButtons(
                options=[("each row (SNE)", 0), ("all pairs (t-SNE)", 1)], value=0, description="normalised over"
            ),
        },
        play=["kernel"],
        panels=_panels(labels, freedoms),
        presets={
            "SNE": {"kernel": 0}, "t-SNE": {"kernel": last, "normaliser": 1}, "The post's form": {"kernel": last},
            "Fragments": {"kernel": last, "normaliser": 1, "perplexity": 0}, "Merged": {"kernel": 0, "perplexity": widest},
        },
        sentence=(
            "With ν = {kernel} and perplexity {perplexity}, normalised over {normaliser}, the map costs {cost:.3f} nats, {excess:.3f} "
            "above its floor; {share:.0f} % of the digits have a nearest neighbour of their own kind."
        ),
        title="From SNE to t-SNE",
        name="sne-to-tsne",
        alt="Three hundred digits on a map: as the kernel's tail grows heavier one crowded disc parts into islands and the cost falls",
    )  # fmt: skip
