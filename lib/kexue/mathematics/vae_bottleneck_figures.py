"""The explorers of the chapter on the bottleneck: "Water level" and "Two roads between codes".

Both are formulas that the page evaluates itself, the decoded pictures included: a linear decoder is a sum of fixed pictures, so every
position of every slider is exact and no grid of states is stored.
"""

from __future__ import annotations

import math

import ipywidgets as w
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kexue.explorer import Explorer
from kexue.explorer import panels as p
from kexue.mathematics.vae_bottleneck_linear import level_for_rate, pca, water_filling

__all__ = ["two_roads", "water_level"]

Array = NDArray[np.float64]
FLOOR = 1e-4  # where the picture of the heights ends
DIMENSIONS = (2, 8, 32, 128)
TICKS = {-4.0: "0.0001", -3.0: "0.001", -2.0: "0.01", -1.0: "0.1", 0.0: "1"}


def first_of_each(labels: Tensor) -> list[int]:
    """The index of the first example of each class, in the order of the classes."""
    return [int((labels == c).nonzero()[0]) for c in sorted(set(labels.tolist()))]


def _steps(values: Array) -> Array:
    """Each value twice: the heights of a staircase."""
    return np.repeat(values, 2)


def _landscape(count: int) -> list[object]:
    places = np.arange(count + 1.0)
    x = np.concatenate([places[:1], _steps(places[1:-1]), places[-1:]])
    return [
        p.Plane(
            layers=[
                p.Band("floor", "water", x, colour="one", opacity=2.5, label="error (water)"),
                p.Band("water", "crest", x, colour="two", opacity=3.5, label="rate: half this height, in e-folds"),
                p.Mark(y="surface", label="level D", colour="one"),
            ],
            x_range=(0, count), y_range=(math.log10(FLOOR), 0.2), y_ticks=TICKS, height=300, width=0.6,
            xlabel="principal direction", ylabel="variance", title="The landscape of the digits under water",
            alt="Variances of the principal directions as falling columns on a logarithmic scale; the part of a column above the "
            "water level is coded",
        ),
        p.Curves(
            p.Line("curve_rate", "curve_error", colour="text", width=2.0),
            p.Line("tangent", "curve_error", colour="muted", width=1.2, dashed=True),
            dots=[p.Dots(x="distortion", y="rate", colour="two", size=11)],
            x_range=(0, 4.75), y_range=(0, 90), height=300, width=0.4, xlabel="squared error", ylabel="rate, nats",
            title="Rate against error",
            alt="The rate-distortion curve of the digits falls steeply and convexly; a dot marks the present level and a line its slope",
        ),
    ]  # fmt: skip


def _pictures() -> list[object]:
    return [
        p.Strip("originals", title="Ten digits", columns=10, height=90, width=1.0),
        p.Strip("rebuilt", title="Decoded from the means of their codes", columns=10, height=90, width=1.0),
        p.Strip("drawn", title="Decoded from draws of the prior", columns=10, height=90, width=1.0),
        p.Text(
            [("rate", "{rate:.2f} nats"), ("rate", "{bits:.2f} bits"), ("squared error", "{distortion:.3f}"),
             ("coded directions", "{coded:.0f} of 64"), ("variance forgotten", "{lost:.1f} %")],
            title="Read-outs",
        ),
    ]  # fmt: skip


def water_level(images: Tensor, labels: Tensor) -> Explorer:
    """One slider, the water level D = beta sigma^2 of the linear VAE, from nearly dry to wholly drowned.

    Args:
        images: the digits ``(N, 8, 8)``, scaled to [0, 1].
        labels: ``(N,)``.
    """
    data = images.flatten(1).double()
    mean, heights, directions = pca(data)
    keep = int((heights > FLOOR).sum())
    chosen = data[first_of_each(labels)]
    codes = (chosen - mean) @ directions[:, :keep]  # (10, keep), coordinates along the directions
    draws = torch.randn(10, keep, generator=torch.Generator().manual_seed(6181), dtype=torch.float64)
    levels = torch.logspace(-3, math.log10(heights[0].item()), 120, dtype=torch.float64)
    path = water_filling(heights, levels)
    top, dry = heights[0].item(), heights[keep:].sum().item()
    ten_bits = level_for_rate(heights, 10 * math.log(2))
    return Explorer(
        lambda: {},
        controls={
            "level": w.FloatLogSlider(value=0.05, min=-3, max=0.2, step=0.01, description="water level D = βσ²", readout_format=".4f")
        },
        panels=[*_landscape(keep), *_pictures()],
        derived={
            "surface": f"log(level) / {math.log(10):.12f}",
            "water": "minimum(crest, surface)",
            "rate": "sum(maximum(log(heights / level), 0)) / 2",
            "bits": f"rate / {math.log(2):.12f}",
            "distortion": f"sum(minimum(heights, level)) + {dry:.12g}",
            "coded": "sum(heights > level)",
            "lost": f"100 * distortion / {heights.sum().item():.12g}",
            "tangent": "rate - (curve_error - distortion) / (2 * level)",
            "rebuilt": "average + sum(codes * maximum(1 - level / heights, 0) * basis)",
            "drawn": "average + sum(draws * sqrt(maximum(heights - level, 0)) * basis)",
        },
        constants={
            "heights": heights[:keep],
            "crest": np.log10(_steps(heights[:keep].numpy())),
            "floor": np.full(2 * keep, math.log10(FLOOR)),
            "curve_rate": path.rate,
            "curve_error": path.distortion,
            "originals": chosen.reshape(10, 8, 8),
            "average": mean.reshape(8, 8),
            "basis": directions[:, :keep].reshape(8, 8, keep),
            "codes": codes.reshape(10, 1, 1, keep),
            "draws": draws.reshape(10, 1, 1, keep),
        },
        presets={"Nearly dry": {"level": 0.001}, "18 directions": {"level": 0.05}, "Ten bits": {"level": ten_bits},
                 "Two peaks": {"level": 0.6}, "Drowned": {"level": 1.0}},
        marks={"level": {ten_bits: "10 bits", top: "last peak"}},
        sentence=(
            "At water level {level:.4f} the code keeps {coded:.0f} directions and costs {rate:.2f} nats, {bits:.2f} bits; "
            "the squared error is {distortion:.3f}, {lost:.1f} % of the variance."
        ),
        title="Water level",
        name="water-level",
        alt="Raising the water drowns direction after direction: the rate falls, the error grows, digits fade into the average digit",
    )  # fmt: skip


def _log_mass(dimension: int) -> float:
    """Logarithm of the integral of ``r^(d-1) exp(-r^2/2)``."""
    return (dimension / 2 - 1) * math.log(2) + math.lgamma(dimension / 2)


def _road_panels() -> list[object]:
    return [
        p.Curves(
            p.Line("shell", "relative", colour="one", fill=True, opacity=0.45, label="prior = circle"),
            p.Line("along", "relative", colour="two", label="straight line"),
            marks=[p.Mark(x="shrunk", label="mean length", colour="two")],
            x_range=(0, 2), y_range=(0, 10), height=270, width=0.5, xlabel="length of the code over √d", ylabel="density",
            title="How long is a code on the way?",
            alt="The lengths of codes lie on a narrow shell; codes on the straight line are shorter, half-way by the square root "
            "of two",
        ),
        p.Text(
            [("straight: variance", "{variance:.3f}"), ("straight: length over the prior's", "{ratio:.3f}"),
             ("circle: variance", "{unit:.3f}"), ("share of the prior that is shorter still", "{below:.4f}")],
            width=0.5, title="Read-outs",
        ),
        p.Strip("straight", columns=5, height=80, title="Straight line: 0 to 5, 1 to 6, … 4 to 9"),
        p.Strip("round", columns=5, height=80, title="Circle"),
    ]  # fmt: skip


def _road_laws() -> dict[str, str]:
    density = "exp((count - 1) * log(r / {s}) - (r / {s})**2 / 2 - mass) / {s} * root"
    return {
        "count": "take(dimensions, size)",
        "mass": "take(masses, size)",
        "root": "sqrt(count)",
        "r": "relative * root",
        "variance": "t**2 + (1 - t)**2",
        "scale": "sqrt(variance)",
        "ratio": "scale",
        "unit": "cos(t * pi / 2)**2 + sin(t * pi / 2)**2",
        "shell": density.format(s="1"),
        "along": density.format(s="scale"),
        "shrunk": "scale * take(lengths, size) / root",
        "below": "sum(shell * (relative < shrunk)) * spacing",
        "straight": "average + (1 - t) * first + t * second",
        "round": "average + cos(t * pi / 2) * first + sin(t * pi / 2) * second",
    }


def two_roads(images: Tensor, labels: Tensor, level: float) -> Explorer:
    """Slide between two codes along the straight line and along the circle: the length of the code, and what is decoded.

    Args:
        images: the digits ``(N, 8, 8)``, scaled to [0, 1].
        labels: ``(N,)``.
        level: water level of the linear VAE that decodes.
    """
    data = images.flatten(1).double()
    mean, heights, directions = pca(data)
    shrink = (1 - level / heights.clamp_min(1e-12)).clamp_min(0)
    pictures = ((data - mean) @ directions * shrink) @ directions.T  # what each mean code decodes to, without the average
    chosen = pictures[first_of_each(labels)].reshape(10, 8, 8)
    return Explorer(
        lambda: {},
        controls={
            "t": w.FloatSlider(value=0.25, min=0, max=1, step=0.01, description="share of the way, t", readout_format=".2f"),
            "size": w.SelectionSlider(options=[(str(d), i) for i, d in enumerate(DIMENSIONS)], value=2, description="size d of the code"),
        },
        panels=_road_panels(),
        derived=_road_laws(),
        constants={
            "dimensions": np.array(DIMENSIONS, dtype=float),
            "masses": np.array([_log_mass(d) for d in DIMENSIONS]),
            "lengths": np.array([math.sqrt(2) * math.exp(math.lgamma((d + 1) / 2) - math.lgamma(d / 2)) for d in DIMENSIONS]),
            "relative": np.linspace(0.005, 2, 400),
            "spacing": 0.005,
            "average": mean.reshape(8, 8),
            "first": chosen[:5],
            "second": chosen[5:],
        },
        presets={"Half-way, 2 numbers": {"t": 0.5, "size": 0}, "Half-way, 128 numbers": {"t": 0.5, "size": 3}, "At the end": {"t": 1.0}},
        marks={"t": {0.5: "half"}},
        play=["t"],
        sentence=(
            "At t = {t:.2f} a code of {count:.0f} numbers on the straight line has variance {variance:.3f} and {ratio:.3f} times the "
            "prior's length; "
            "{below:.4f} of the prior's codes are shorter. On the circle the variance is {unit:.3f}."
        ),
        title="Two roads between codes",
        name="two-roads",
        alt="Codes on the straight line between two draws leave the prior's shell, codes on the circle stay; decoded pictures pale on "
        "the line",
    )  # fmt: skip
