r"""The explorer "Dig and jump": five real samples on a line, the best energy in closed form, and fakes that roll down it.

Everything is a formula that the page evaluates itself, forty steps of forty heavy balls included, so every position of every slider is
exact and no grid of states is needed. To keep all of it drawable:

* real samples are smoothed by a logistic kernel of scale ``SOFT``, so are the fakes where the energy is dug anew;
* one hundredth of the penalty is spread evenly, so no slope is infinite;
* the terrain is drawn, and rolled on, with its slopes limited to ``STEEPEST`` by a hyperbolic tangent. It has the same pits and crests.
"""

from __future__ import annotations

import math

import ipywidgets as w
import numpy as np

from kexue.explorer import Explorer
from kexue.explorer import panels as p

__all__ = ["dig_and_jump"]

REAL = np.array([-3.0, -1.0, 0.5, 2.0, 4.0])
BALLS, STEPS = 40, 40
SOFT, SOFT_FAKES = 0.12, 0.25
SIDE = 7.0
STEEPEST, STEP = 1.5, 0.15
LEAST = 1e-5  # the share of fakes that must lie beyond a pit on either side
PLACES = (("real samples", 0), ("fakes", 1), ("both", 2), ("everywhere", 3))


def _normal_cdf(z: str) -> str:
    """The normal distribution function to 2e-4 (Page, 1977)."""
    return f"sigmoid({2 * math.sqrt(2 / math.pi):.7f} * ({z}) + 0.0713548 * ({z})**3)"


def _law(tag: str, at: str, fakes: str) -> dict[str, str]:
    """Expressions for the slope of the energy at the points ``at`` while the fakes are at ``fakes``."""
    z = f"({at} - mean) / width"
    shares = {0: f"p_{tag}", 1: f"q_{tag}", 2: f"(p_{tag} + q_{tag}) / 2", 3: f"{1 / (2 * SIDE):.6f}"}
    place = f"where(place == 0, {shares[0]}, where(place == 1, {shares[1]}, where(place == 2, {shares[2]}, {shares[3]})))"
    return {
        f"a_{tag}": f"sigmoid((column({at}) - real) / {SOFT})",
        f"b_{tag}": f"sigmoid((column({at}) - {fakes}) / {SOFT_FAKES})",
        f"p_{tag}": f"mean(a_{tag} * (1 - a_{tag})) / {SOFT}",
        f"q_{tag}": f"where(dig, mean(b_{tag} * (1 - b_{tag})) / {SOFT_FAKES}, exp(0 - ({z})**2 / 2) / (2.5066283 * width))",
        f"f_{tag}": f"where(dig, mean(b_{tag}), {_normal_cdf(z)})",
        f"slope_{tag}": f"(mean(a_{tag}) - f_{tag}) / (2 * lam * (0.99 * {place} + {0.01 / (2 * SIDE):.6f}))",
        f"felt_{tag}": f"{STEEPEST} * tanh(slope_{tag} / {STEEPEST})",
    }


def _roll() -> dict[str, str]:
    """The balls after each step; after the step that is shown they stand still."""
    names = {"x_0": "mean + width * deviates", "v_0": "0 * deviates"}
    for k in range(STEPS):
        names |= _law(str(k), f"x_{k}", f"x_{k}")
        names[f"v_{k + 1}"] = f"beta * v_{k} - {STEP} * felt_{k}"
        names[f"x_{k + 1}"] = f"x_{k} + (step > {k}) * v_{k + 1}"
    return names


def _derived() -> dict[str, str]:
    inside = f"minimum(maximum(ball, 0 - {SIDE}), {SIDE})"
    near = "abs(column(real) - ball)"
    return {
        "gap": "sqrt(0 - 1)",  # not a number: nothing is drawn
        "seen": "abs(axis) <= 6",
        **_roll(),
        "ball": f"x_{STEPS}",
        **_law("g", "axis", "ball"),
        "height": "cumsum(felt_g)",
        "relief": "max(height) - min(height)",
        "terrain": "(height - min(height)) / relief",
        "shown": inside,
        "ball_height": "sum(maximum(1 - abs(column(shown) - axis) / spacing, 0) * terrain)",
        "real_height": "sum(at_real * terrain)",
        "force_x": f"0 - 0.5 * sum(maximum(1 - abs(column(shown) - axis) / spacing, 0) * felt_g) / {STEEPEST}",
        "zero": "0 * force_x",
        "staircase": "mean(column(axis) >= real)",
        "f_real": "sum(at_real * f_g)",
        "is_pit": f"(f_real > below + {LEAST}) * (f_real < below + 0.2 - {LEAST})",
        "pits": "sum(is_pit)",
        "pit_x": "where(is_pit, real, gap)",
        "plain_x": "where(is_pit, gap, real)",
        "nearest": f"({near} <= min(abs(column(ball) - real)))",
        "share": "mean(nearest)",
        "served": f"sum(mean({near} < 0.4) > 0)",
        "steepest": "max(abs(slope_g) * seen)",
        "worst": "max(abs(share - 0.2))",
        **{f"share_{i + 1}": f"100 * take(share, {i})" for i in range(5)},
    }


def _panels() -> list[object]:
    return [
        p.Plane(
            layers=[
                p.Line("terrain", "axis", 2.5, colour="text", fill=True, opacity=0.55),
                p.Arrows("shown", "ball_height", "force_x", "zero", colour="four", width=1.2),
                p.Dots(x="shown", y="ball_height", size=8, colour="two", opacity=0.8, label="fakes"),
                p.Dots(x="pit_x", y="real_height", size=12, colour="one", label="real: a pit"),
                p.Dots(x="plain_x", y="real_height", size=12, colour="six", ring=True, label="real: no pit"),
            ],
            x_range=(-SIDE, SIDE), y_range=(-0.06, 1.08), y_ticks={0.0: "low", 1.0: "high"}, height=320, width=0.6, xlabel="x",
            ylabel="energy U over its range", title="The terrain and the fakes that roll on it",
            alt="The energy over the line; fakes as balls on it with their forces; real samples filled where they are pits",
        ),
        p.Plane(
            layers=[
                p.Line("staircase", "axis", 2.0, colour="one", label="F_{p}"),
                p.Line("f_g", "axis", 2.0, colour="two", label="F_{q}"),
                p.Dots(x="pit_x", y="f_real", size=9, colour="one"),
                p.Dots(x="plain_x", y="f_real", size=9, colour="six", ring=True),
            ],
            x_range=(-SIDE, SIDE), y_range=(-0.03, 1.03), height=320, width=0.4, xlabel="x", ylabel="share to the left",
            title="A pit: F_{q} crosses a riser",
            alt="The staircase of the real samples and the distribution function of the fakes; pits are where the latter crosses a riser",
        ),
        p.Bars(
            ["share"], categories=[f"{x:g}".replace("-", "−") for x in REAL], colours=["two"],
            reference=np.full(5, 0.2), reference_label="fair", y_range=(0.0, 1.0), height=190, width=0.6,
            ylabel="share of fakes", title="Whose nearest real sample is …",
            alt="The share of the fakes nearest to each real sample, beside the fair share of a fifth",
        ),
        p.Text(
            [("pits", "{pits:.0f} of 5"), ("steepest slope in view", "{steepest:.1f}"),
             ("real samples with a fake nearby", "{served:.0f} of 5"), ("largest unfairness", "{worst:.2f}")],
            width=0.4, title="Read-outs",
        ),
    ]  # fmt: skip


def dig_and_jump() -> Explorer:
    """Sliders for the fakes, the penalty's weight and place, momentum; a scrubber over forty steps on a frozen or ever-new terrain."""
    axis = np.linspace(-SIDE, SIDE, 281)
    controls = {
        "mean": w.FloatSlider(value=-5.0, min=-6.0, max=6.0, step=0.25, description="mean of the fakes", readout_format=".2f"),
        "width": w.FloatSlider(value=0.8, min=0.2, max=4.0, step=0.1, description="width of the fakes", readout_format=".1f"),
        "lam": w.FloatLogSlider(value=1.0, min=-0.6, max=0.6, step=0.1, description="penalty λ", readout_format=".2f"),
        "step": w.IntSlider(value=0, min=0, max=STEPS, description="steps rolled"),
        "place": w.ToggleButtons(options=list(PLACES), value=3, description="penalise slopes at"),
        "beta": w.ToggleButtons(options=[("0", 0.0), ("0.3", 0.3), ("0.6", 0.6), ("0.9", 0.9)], value=0.0, description="momentum β"),
        "dig": w.ToggleButtons(options=[("frozen", 0), ("dug anew at every step", 1)], value=0, description="terrain"),
    }
    wide = {"mean": 0.5, "width": 2.4}
    return Explorer(
        lambda: {},
        controls=controls,
        grid={"mean": [-6.0, -5.0, 0.0, 0.5, 6.0], "width": [0.2, 0.8, 2.4, 4.0], "lam": 3, "step": [0, 20, STEPS]},
        panels=_panels(),
        derived=_derived(),
        constants={
            "real": REAL,
            "deviates": _deviates(),
            "axis": axis,
            "spacing": axis[1] - axis[0],
            "at_real": (np.abs(REAL[:, None] - axis) < 1e-9).astype(float),
            "below": np.arange(5) / 5,
        },
        presets={
            "Nobody there yet": {"mean": -6.0, "width": 0.5},
            "Two pits of five": {"mean": 0.0, "width": 1.0},
            "All five": wide,
            "Fair shares": {**wide, "step": STEPS},
            "Momentum 0.9": {**wide, "beta": 0.9, "step": STEPS},
            "Dig again and again": {"mean": -5.0, "width": 0.8, "dig": 1, "step": STEPS},
            "Fakes too concentrated": {"mean": 0.5, "width": 0.2, "step": STEPS},
            "Real samples alone: walls": {**wide, "place": 0},
        },
        marks={"width": {2.4: "5 pits"}, "lam": {1.0: "1"}},
        play=["step"],
        sentence=(
            "With fakes at {mean:.2f} of width {width:.1f}, {pits:.0f} of 5 real samples are pits; the steepest slope is {steepest:.1f}. "
            "After {step} steps the five hold {share_1:.0f}, {share_2:.0f}, {share_3:.0f}, {share_4:.0f} and {share_5:.0f} % of the fakes."
        ),
        title="Dig and jump",
        name="dig-and-jump",
        alt="Real samples become pits of the energy only when fakes surround them; fakes on a frozen terrain roll into the pits in fair "
        "shares, and momentum spoils the shares",
    )  # fmt: skip


def _deviates() -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Forty quantiles of the standard normal law."""
    from scipy.special import ndtri

    return np.asarray(ndtri((np.arange(BALLS) + 0.5) / BALLS))
