"""The explorer of the chapter on HSIC: points, both centred Gram matrices, their product, the null, and what each bandwidth sees."""

from __future__ import annotations

import math
from functools import cache, lru_cache
from typing import Any, NamedTuple

import ipywidgets as w
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kexue.explorer import Explorer
from kexue.explorer import panels as p
from kexue.mathematics.hsic import centre, distance_gram, linear_gram, median_bandwidth, squared_distances

__all__ = ["excess", "kernels_and_bandwidth", "points"]

Array = NDArray[np.float64]
MOST = 100
RELABELLINGS = 200
SAMPLES = 3
FAMILIES = ("line", "circle", "slow wave", "fast wave", "spread")
CIRCLE = 1
SCALES = np.linspace(-2, 2, 21)
EDGES = np.linspace(-3, 9, 41)
TOP = 15.0


@cache
def _noise() -> dict[str, Array]:
    """Three normal draws and an angle for every point of every sample, ``(100, 3)``."""
    generator = torch.Generator().manual_seed(6910)
    draws = torch.randn((3, MOST, SAMPLES), generator=generator, dtype=torch.float64)
    angle = 2 * math.pi * torch.rand((MOST, SAMPLES), generator=generator, dtype=torch.float64)
    return {"u0": draws[0].numpy(), "e0": draws[1].numpy(), "f0": draws[2].numpy(), "angle0": angle.numpy()}


def points(family: int, strength: float, sample: int, n: int) -> tuple[Array, Array]:
    """The n points of a family at a strength t between 0 (independent normal draws) and 1 (no independent noise is left).

    Signal and noise are mixed as sin(pi t / 2) and cos(pi t / 2), so that the variance stays one.
    """
    u, e, f, angle = (v[:n, sample] for v in _noise().values())
    s, rest = math.sin(math.pi / 2 * strength), math.cos(math.pi / 2 * strength)
    root = math.sqrt(2)
    x = s * root * np.cos(angle) + rest * f if family == 1 else u
    wave = root * np.sin((2 if family == 2 else 6) * u)
    y = (s * u, s * root * np.sin(angle), s * wave, s * wave)
    return x, np.asarray((strength * np.abs(u) + 1 - strength) * e if family == 4 else y[family] + rest * e)


def _margins(k: _Side, m: _Side) -> Tensor:
    """HSIC_b less its mean under independence, in its standard deviations there, by the moments of Gretton et al.; batched."""
    n = k.centred.shape[-1]
    statistic = (k.centred * m.centred).sum((-2, -1)) / n**2
    mean = k.trace * m.trace / ((n - 1) * n**2)
    variance = 2 * (n - 4) * (n - 5) / (n * (n - 1) * (n - 2) * (n - 3)) * k.square * m.square
    return (statistic - mean) / variance.sqrt().clamp_min(1e-12)


class _Side(NamedTuple):
    """Centred Gram matrices of one sample, a bandwidth each, with traces and mean squares."""

    centred: Tensor
    trace: Tensor
    square: Tensor

    @classmethod
    def of(cls, k: Tensor) -> _Side:
        c = centre(k)
        return cls(c, c.diagonal(dim1=-2, dim2=-1).sum(-1), (c**2).mean((-2, -1)))


def _sides(v: Array) -> tuple[float, tuple[_Side, ...]]:
    """The median distance of a sample; its Gaussian and Laplace kernels at all scales, its linear and its distance kernel."""
    x = torch.from_numpy(v)
    median = median_bandwidth(x)
    scales = torch.from_numpy(10.0**SCALES).float().view(-1, 1, 1)
    gap = squared_distances(x).float().sqrt() / median  # in medians
    kernels = torch.exp(-((gap / scales) ** 2) / 2), torch.exp(-gap / scales), linear_gram(x), distance_gram(x)
    return median, tuple(map(_Side.of, kernels))


@lru_cache(maxsize=len(FAMILIES) * SAMPLES)  # for all families but the circle x does not depend on the strength
def _sides_of_x(family: int, strength: float, sample: int, n: int) -> tuple[float, tuple[_Side, ...]]:
    return _sides(points(family, strength, sample, n)[0])


def excess(family: int, strength: float, sample: int, n: int) -> dict[str, Array | float]:
    """What a kernel sees in the points at each of 21 bandwidths, in standard deviations of the null.

    Returns:
        ``gaussian_line`` and ``laplace_line`` (21,) over ``SCALES``; ``linear_line``, ``distance_line`` (2,), which know no bandwidth;
        ``med_x``, ``med_y``: the median distances.
    """
    wide_x, x = _sides_of_x(family, strength if family == CIRCLE else 0.0, sample, n)
    wide_y, y = _sides(points(family, strength, sample, n)[1])
    normal, laplace, linear, brown = (_margins(a, b).clamp(-2, TOP) for a, b in zip(x, y, strict=True))
    curves = {"gaussian_line": normal.numpy(), "laplace_line": laplace.numpy()}
    flat = {"linear_line": linear.expand(2).numpy(), "distance_line": brown.expand(2).numpy()}
    return {**curves, **flat, "med_x": wide_x, "med_y": wide_y}


def _gram(of: str) -> dict[str, str]:
    """Formulas of one Gram matrix, masked to the first n points, centred, and drawn at a fixed number of pixels."""
    v, width = f"{of}s", f"width_{of}"
    kernels = f"where(kernel == 2, column({v}) * {v}, 0 - gap_{of} / 2)"
    return {
        f"gap_{of}": f"abs(column({v}) - {v})",
        width: f"scale * med_{of}",
        f"normal_{of}": f"exp(0 - gap_{of}**2 / (2 * {width}**2))",
        f"raw_{of}": f"where(kernel == 0, normal_{of}, where(kernel == 1, exp(0 - gap_{of} / {width}), {kernels}))",
        f"k_{of}": f"raw_{of} * here",
        f"rows_{of}": f"sum(k_{of}) / n",
        f"all_{of}": f"sum(rows_{of}) / n",
        f"c_{of}": f"(k_{of} - column(rows_{of}) - rows_{of} + all_{of}) * here",
        f"picture_{of}": f"gather(transpose(gather(c_{of} / max(abs(flat(c_{of}))), stretch)), stretch)",
        f"hollow_{of}": f"k_{of} * (1 - eye)",
        f"outside_{of}": f"sum(hollow_{of})",
        f"norm_{of}": f"sum(flat(c_{of}**2))",
        f"spread_{of}": f"(sum(flat(k_{of})) - sum(outside_{of})) / n - sum(outside_{of}) / (n * (n - 1))",
        f"mean_{of}": f"sum({v} * mask) / n",
        f"sd_{of}": f"sqrt(sum(({v} - mean_{of})**2 * mask) / n)",
    }


_POINTS = {
    "mask": "index < n",
    "u": "take(u0, sample)", "e": "take(e0, sample)", "f": "take(f0, sample)", "angle": "take(angle0, sample)",
    "part": "sin(pi / 2 * strength)",
    "rest": "cos(pi / 2 * strength)",
    "xu": "where(family == 1, part * sqrt(2) * cos(angle) + rest * f, u)",
    "wave": "where(family == 1, sin(angle), where(family == 2, sin(2 * u), sin(6 * u)))",
    "yu": "where(family == 4, (strength * abs(u) + 1 - strength) * e, "
          "where(family == 0, part * u, part * sqrt(2) * wave) + rest * e)",
    # in the order of x; what lies beyond the first n goes to the end
    "order": "argsort(where(mask, xu, 99))",
    "xs": "gather(xu, order)", "ys": "gather(yu, order)",
    "here": "column(mask) * mask",
    "shown_x": "xs + 0 / mask", "shown_y": "ys + 0 / mask",
    "stretch": "floor(index * n / 100)", "eye": "column(index) == index",
}  # fmt: skip

_TEST = {
    "product": "c_x * c_y",
    "picture": "gather(transpose(gather(product / max(abs(flat(product))), stretch)), stretch)",
    "hsic_b": "sum(flat(product)) / n**2",
    "hsic_u": "(sum(flat(hollow_x * hollow_y)) + sum(outside_x) * sum(outside_y) / ((n - 1) * (n - 2)) "
              "- 2 / (n - 2) * sum(outside_x * outside_y)) / (n * (n - 3))",
    "bias": "spread_x * spread_y * (n - 1) / n**2",
    "cka": "sum(flat(product)) / sqrt(norm_x * norm_y)",
    "pearson": "sum((xs - mean_x) * (ys - mean_y) * mask) / (n * sd_x * sd_y)",
    # relabellings of the first n points: the order of the sines of products of large numbers
    "orders": "argsort(where(mask, sin(column(rows0) * columns0), 9))",
    "null": "relabelled(c_x, c_y, orders) / n**2",
    "least": "hsic_b - 0.0000000001 * abs(hsic_b)",
    "p_value": "(1 + sum(null >= least)) / (1 + reps)",
    "centre": "mean(null)",
    "sd": "sqrt(mean((null - centre)**2)) + 0.00000001 * abs(centre)",
    "z_null": "(null - centre) / sd",
    "z": "(hsic_b - centre) / sd",
    "z_shown": "minimum(z, 8.8)",
    "counts": "sum((column(low) <= z_null) * (z_null < column(high)))",
    "moment_sd": "sqrt(2 * (n - 4) * (n - 5) / (n * (n - 1) * (n - 2) * (n - 3)) * norm_x * norm_y / n**4)",
    "margin": "minimum(maximum((hsic_b - bias) / (moment_sd + 0.00000001 * bias), 0 - 2), 15)",
}  # fmt: skip


def _panels() -> list[object]:
    """Scatter, both Gram matrices, their product, the null, all bandwidths, read-outs."""
    square: dict[str, Any] = {
        "x_range": (0, 1),
        "y_range": (0, 1),
        "colours": "diverging",
        "smooth": False,
        "bar": False,
        "axes": False,
        "width": 0.32,
    }
    matrix: dict[str, Any] = {**square, "range": (-1, 1), "height": 290, "equal": True}
    five_per_cent = p.Mark(y=1.9, label="about 5 % by chance", colour="muted")
    return [
        p.Scatter(
            x="shown_x", y="shown_y", x_range=(-3.3, 3.3), y_range=(-3.3, 3.3), width=0.5, height=290, equal=True, colour="text",
            opacity=0.6,
            title="The points", xlabel="x", ylabel="y", alt="The sample whose dependence is in question",
        ),
        p.HeatMap("picture_x", title="Centred K, in the order of x", alt="Centred similarities of the x values: a band along the diagonal "
                  "for a narrow kernel, four blocks for a wide one", **matrix),
        p.HeatMap("picture_y", title="Centred L, same order", alt="Centred similarities of the y values in the order of x: a pattern like "
                  "that of K where y depends on x, disorder where it does not", **matrix),
        p.HeatMap("picture", title="Product K · L: its mean is HSIC", alt="Product of both matrices, entry by entry: mostly positive where "
                  "the patterns agree", **matrix),
        p.Histogram(
            "counts", EDGES, colour="three", x_range=(-3, 9), y_range=(0, 90), width=1.0, height=220,
            xlabel="standard deviations of the null", ylabel="of 200 relabellings", title="Null and observed value",
            marks=[p.Mark(x="z_shown", label="observed", colour="four", dashed=False)],
            alt="Histogram of HSIC after 200 relabellings of y; the observed value is marked",
        ),
        p.Curves(
            p.Line("gaussian_line", SCALES, colour="one", label="Gaussian"), p.Line("laplace_line", SCALES, colour="two", label="Laplace"),
            p.Line("linear_line", (-2, 2), colour="five", label="linear", dashed=True),
            p.Line("distance_line", (-2, 2), colour="six", label="distance", dashed=True),
            dots=[p.Dots(x="place", y="margin", colour="four", size=11)], marks=[five_per_cent], x_range=(-2, 2), y_range=(-2, TOP),
            x_ticks={-2: "0.01", -1: "0.1", 0: "1", 1: "10", 2: "100"}, xlabel="bandwidth / median distance", width=0.6, height=270,
            ylabel="HSIC above chance, in sd", title="What each bandwidth sees in these points",
            alt="How far HSIC stands out of its null at every bandwidth: each dependence has a bandwidth that shows it best",
        ),
        p.Text([
            ("HSIC_{b}", "{hsic_b:.3g}"), ("of it bias, if independent", "{bias:.3g}"), ("HSIC_{u}, unbiased", "{hsic_u:.3g}"),
            ("CKA", "{cka:.3f}"), ("p-value (200 relabellings)", "{p_value:.3f}"), ("Pearson *r*", "{pearson:.2f}"),
            ("mutual information", "{truth}"),
        ], width=0.4, title="Read-outs"),
    ]  # fmt: skip


def _information(family: int, strength: float) -> dict[str, str]:
    """The mutual information where it is known."""
    if strength == 0:
        return {"truth": "0 nats"}
    if family:
        return {"truth": "no closed form"}
    return {"truth": f"{-math.log(math.cos(math.pi / 2 * strength)):.3f} nats" if strength < 1 else "infinite"}


def kernels_and_bandwidth() -> Explorer:
    """Which dependence a kernel sees: points, Gram matrices, null, all bandwidths.

    Matrices, statistics and relabellings are formulas that the page evaluates; the curves over the bandwidth come from a grid.
    """
    seeds = torch.Generator().manual_seed(0)
    large = [torch.randint(1000, 60_000, (m,), generator=seeds).double().numpy() for m in (RELABELLINGS, MOST)]
    controls = {
        "scale": w.FloatLogSlider(value=1.0, min=-2, max=2, step=0.05, description="bandwidth / median", readout_format=".3g"),
        "strength": w.FloatSlider(value=0.9, min=0, max=1, step=0.1, description="strength", readout_format=".1f"),
        "family": w.ToggleButtons(options=[(name, i) for i, name in enumerate(FAMILIES)], value=1, description="dependence"),
        "kernel": w.ToggleButtons(options=[("Gaussian", 0), ("Laplace", 1), ("linear", 2), ("distance", 3)], value=0, description="kernel"),
        "n": w.ToggleButtons(options=[25, 50, 100], value=100, description="points n"),
        "sample": w.ToggleButtons(options=[("first", 0), ("second", 1), ("third", 2)], value=0, description="sample"),
    }
    presets = {
        "Circle": {"family": 1, "strength": 0.9}, "Far too wide": {"family": 1, "strength": 0.9, "scale": 100.0},
        "Far too narrow": {"family": 1, "strength": 0.9, "scale": 0.01}, "Fast wave, narrow": {"family": 3, "strength": 1.0, "scale": 0.1},
        "Fast wave, median": {"family": 3, "strength": 1.0}, "Only the spread": {"family": 4, "strength": 1.0},
        "Linear kernel": {"family": 4, "strength": 1.0, "kernel": 2}, "Nothing there": {"family": 0, "strength": 0.0},
    }  # fmt: skip
    return Explorer(
        [excess, _information],
        controls=controls,
        panels=_panels(),
        derived={
            **_POINTS, **_gram("x"), **_gram("y"), **_TEST, "place": "log(scale) / log(10)",
        },
        constants={
            **_noise(), "index": np.arange(MOST), "rows0": large[0], "columns0": large[1],
            "low": EDGES[:-1], "high": EDGES[1:], "reps": np.array(float(RELABELLINGS)),
        },
        presets=presets,
        marks={"scale": {0.1: "0.1", 1.0: "median", 10.0: "10"}},
        sentence=(
            "{n} points, {family}, strength {strength:.1f}, {kernel} kernel at {scale:.2f} times the median: HSIC is {hsic_b:.3g}, "
            "of which {bias:.3g} would be there by chance; p = {p_value:.3f}. Pearson's r is {pearson:.2f}."
        ),
        title="Kernels and bandwidth",
        name="kernels",
        alt="A sample, its two centred Gram matrices and their product, the null of HSIC and its value at every bandwidth: the bandwidth "
        "decides which dependence is visible",
    )  # fmt: skip
