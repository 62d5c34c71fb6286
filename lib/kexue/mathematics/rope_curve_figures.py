"""Chapter 01: the explorer "Spin the rope" and the states it is made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import ipywidgets as w
import numpy as np
from numpy.typing import NDArray

from kexue.explorer import Explorer
from kexue.explorer import panels as p
from kexue.mathematics.rope_curve import critical_speeds, scan_pole, trace_pole, troposkein

__all__ = ["pole_states", "skip_state", "spin_the_rope"]

Array = NDArray[np.float64]
GRAVITY = 9.81
POINTS, OTHER_POINTS, OTHERS = 41, 21, 4
ATTACH = (0.0, 0.05, 0.1, 0.2, 0.3)
CRITICAL = critical_speeds(2, gravity=GRAVITY)
SPEEDS = np.round(np.arange(0.5, 12.01, 0.25), 2)
_TABLE = sorted({*SPEEDS.tolist(), *CRITICAL.tolist()})


def skip_state(ratio: float) -> dict[str, Array | float]:
    """A rope of length 1 with both ends on the axis, no gravity: its shape and the numbers that do not depend on the speed.

    Args:
        ratio: L/D.

    Returns:
        ``skip_x``, ``skip_y`` (41,) at equal steps of rope, the upper end at 0; ``skip_pull`` (41,) and ``skip_axial``, the components of
        the tension over omega²; ``k``, ``apex_over_span``, ``skip_angle`` in degrees, ``skip_top``: T_0 / (omega² L²).
    """
    rope = troposkein(1.0, 1.0 / ratio)
    x, y = rope.at_arclength(np.linspace(0.0, 1.0, POINTS))
    axial = rope.axial_tension()
    pull = np.sign(y - 0.5 * rope.span) * np.sqrt(np.maximum(rope.tension(x) ** 2 - axial**2, 0.0))
    angle, belly = math.degrees(rope.end_angle), rope.apex / rope.span
    forces: dict[str, Array | float] = {"skip_pull": pull, "skip_axial": axial, "skip_top": rope.end_tension()}
    return {"skip_x": x, "skip_y": -y, "k": rope.k, "apex_over_span": belly, "skip_angle": angle, **forces}


def _solve(speeds: Array, offsets: Sequence[float]) -> dict[tuple[float, float], tuple[Array, Array]]:
    """All equilibria of a rope of length 1 for all speeds and points of attachment, in two vectorised integrations.

    Returns:
        (omega, r_0) -> x and y, each (m, 41) from the free end up, the rope without a crossing first, the straight one last.
    """
    sigma = speeds[:, None] ** 2 / GRAVITY  # (S, 1), the length in units of g/omega²
    half = 1.3 * 0.5 * (1.0 - np.cos(np.linspace(0.0, np.pi, 401)[1:]))  # dense near the axis and near full stretch
    p = sigma * np.concatenate([-half[::-1], half])  # (S, P)
    end = scan_pole(p.ravel(), np.broadcast_to(sigma, p.shape).ravel(), steps=160).reshape(p.shape)
    keys, roots = [], []
    for r in offsets:
        miss = end - r * sigma
        row, at = np.nonzero(miss[:, :-1] * miss[:, 1:] <= 0)
        step = miss[row, at] / (miss[row, at + 1] - miss[row, at])
        found = p[row, at] - step * (p[row, at + 1] - p[row, at])
        if r == 0.0:  # mirror images are left out, the straight rope is kept
            row, found = row[found > 1e-6], found[found > 1e-6]
            row, found = np.concatenate([row, np.arange(speeds.size)]), np.concatenate([found, np.zeros(speeds.size)])
        keys += [(float(speeds[i]), float(r)) for i in row]
        roots.append(found)
    unit = np.array([k[0] ** 2 / GRAVITY for k in keys])
    x, y = (v / unit[:, None] for v in trace_pole(np.concatenate(roots), unit, POINTS, every=4))
    rows: dict[tuple[float, float], list[int]] = {}
    for i, key in enumerate(keys):
        rows.setdefault(key, []).append(i)
    order = {key: sorted(rows[key], key=lambda i: _rank(x[i])) for key in rows}
    return {key: (x[order[key]], y[order[key]]) for key in rows}


def _rank(x: Array) -> tuple[bool, int, float]:
    """The straight rope comes last, else fewest crossings of the axis first, then widest first."""
    side = np.sign(np.where(np.abs(x[:-1]) < 1e-9, 0.0, x[:-1]))
    side = side[side != 0]
    return side.size == 0, int(np.count_nonzero(np.diff(side))), -abs(float(x[0]))


@cache
def _ropes(omega: float, attach: float) -> tuple[Array, Array]:
    """The equilibria at one speed, from the table where they are there."""
    if omega in _TABLE and attach in ATTACH:
        return _atlas()[omega, attach]
    return _solve(np.array([omega]), [attach])[omega, attach]


@cache
def _atlas() -> dict[tuple[float, float], tuple[Array, Array]]:
    return _solve(np.array(_TABLE), ATTACH)


def pole_states(omega: float, attach: float) -> dict[str, Array | float]:
    """A rope of length 1 m on the pole, with gravity.

    Args:
        omega: angular speed.
        attach: r_0.

    Returns:
        ``pole_x``, ``pole_y`` (41,) of the shape that descent finds, from the free end up; ``other_x``, ``other_y`` (4, 21) of the
        further equilibria, NaN where there are fewer; ``shapes``, their number; ``pole_angle`` at the free end, in degrees.
    """
    x, y = _ropes(float(omega), float(attach))
    other = np.full((2, OTHERS, OTHER_POINTS), np.nan)
    for i in range(1, min(len(x), OTHERS + 1)):
        other[:, i - 1] = x[i, ::2], y[i, ::2]
    angle = math.degrees(math.atan2(omega**2 * abs(x[0, 0]), GRAVITY))  # the free end points along effective gravity
    return {"pole_x": x[0], "pole_y": y[0], "other_x": other[0], "other_y": other[1], "shapes": len(x), "pole_angle": angle}


def branch_points(attach: float) -> dict[str, Array]:
    """Distances of all free ends at all speeds, ``tips`` (47 * 5,), NaN where there are fewer shapes."""
    tips = np.full((SPEEDS.size, OTHERS + 1), np.nan)
    for row, omega in zip(tips, SPEEDS, strict=True):
        x, _ = _ropes(float(omega), float(attach))
        row[: len(x)] = x[: OTHERS + 1, 0]
    return {"tips": tips.ravel()}


def ends(mode: int, attach: float, ratio: float) -> dict[str, Array]:
    """Where the rope is held, ``end_x`` and ``end_y`` (2,)."""
    return {"end_x": np.array([attach * mode] * 2), "end_y": np.array([0.0, 0.0 if mode else -1.0 / ratio])}


def words(mode: int, omega: float, attach: float) -> dict[str, str]:
    """How the sentence begins, ``setting``, and how it ends, ``tail``."""
    if mode == 0:
        return {"setting": "With both ends on the axis and no gravity", "tail": "another speed would change the tension alone"}
    count = len(_ropes(float(omega), float(attach))[0])
    shapes = f"{count} shapes are" if count > 1 else "one shape is"
    straight = ", the straight one included" if attach == 0.0 else ""
    return {"setting": "Hung from the pole, with gravity", "tail": f"{shapes} in equilibrium{straight}"}


_DERIVED = {
    "gap": "sqrt(0 - 1)",  # not a number: nothing is drawn
    "x": "where(mode, pole_x, skip_x)",
    "y": "where(mode, pole_y, skip_y)",
    "tip": "take(pole_x, 0)",
    "tip_y": "take(pole_y, 0)",
    # the tension is minus the Lagrangian density, its constant set at the free end (0) or at the support
    "pole_tension": "maximum(9.81 * (pole_y - tip_y) - omega**2 * (pole_x**2 - tip**2) / 2, 0)",
    "tension": "where(mode, pole_tension, omega**2 * (skip_top - skip_x**2 / 2))",
    "shade": "log(maximum(tension, 0.01)) / log(10)",
    "top": "max(tension)",
    "scaled_top": "top / omega**2",
    "pull_x": "where(mode, 0 - sqrt(maximum(tension**2 - (9.81 * arc)**2, 0)), omega**2 * skip_pull) / top",
    "pull_y": "where(mode, 9.81 * arc, omega**2 * skip_axial) / top",
    "liquid": "tip_y + omega**2 * (across**2 - tip**2) / 19.62",
    "surface": "where(mode * (liquid < 0.15) * (liquid > 0 - 1.06), liquid, gap)",
    "more_x": "where(mode, other_x, gap)",
    "more_y": "where(mode, other_y, gap)",
    "far": "where(mode, tip, max(skip_x))",
    "branch": "where(mode, tips, max(skip_x))",
    "count": "where(mode, shapes, gap)",
    "modulus": "where(mode, gap, k)",
    "belly": "where(mode, gap, apex_over_span)",
    "angle": "where(mode, pole_angle, skip_angle)",
}


def _panels() -> list[object]:
    """The rope, the hodograph, the distance from the axis at all speeds, and the read-outs."""
    axis = p.Mark(x=0.0, label="axis")
    rope = p.Trail("x", "y", "shade", (-2.0, 2.0), (2.0, 6.0), "log₁₀ *T* / N")
    ends = p.Dots(x="end_x", y="end_y", size=7, colour="text")
    return [
        p.Plane(
            layers=[axis, p.Line("surface", "across", 1.5, colour="three", dashed=True),
                    p.Line("more_y", "more_x", 1.5, colour="muted"), rope, ends],
            x_range=(-1.0, 1.3), y_range=(-1.06, 0.12), equal=True, height=400, width=0.6, xlabel="distance from the axis / L",
            ylabel="height / L", title="Rope (grey: other shapes, dashed: liquid)",
            alt="The rope in the plane that spins with it, coloured by tension; grey: other shapes; dashed: a spinning liquid's surface",
        ),
        p.Plane(
            layers=[p.Line("pull_y", "pull_x", 2.5, colour="four"), p.Arrows(0.0, 0.0, "pull_x_top", "pull_y_top", colour="two"),
                    p.Note("tension at the support", -0.98, 1.07, colour="two")],
            x_range=(-1.05, 1.05), y_range=(-0.05, 1.15), equal=True, height=230, width=0.4, xlabel="across the axis",
            ylabel="along it", title="Hodograph of the tension",
            alt="End points of the tension vector, largest tension 1: a straight segment without gravity, a curve from zero with it",
        ),
        p.Plane(
            layers=[p.Dots(x="speeds", y="branch", size=3, colour="one", opacity=0.7), p.Mark(x=float(CRITICAL[0]), label="ω_{1}"),
                    p.Mark(x=float(CRITICAL[1]), label="ω_{2}"), p.Dots(x="omega", y="far", size=11, colour="two")],
            x_range=(0.3, 12.2), y_range=(-1.15, 1.3), height=260, width=0.6, xlabel="ω in rad/s", ylabel="distance from the axis / L",
            title="Distance from the axis, all speeds",
            alt="Without gravity the distance is the same at every speed; on the pole a branch leaves the axis at each critical speed",
        ),
        p.Text([
            ("modulus *k*", "{modulus:.4f}"), ("*a*/*D*", "{belly:.4f}"), ("angle at the end", "{angle:.1f}°"),
            ("largest tension", "{top:.3f} N"), ("the same in *ω*²*L*²", "{scaled_top:.5f}"), ("shapes on the pole", "{count:.0f}"),
        ], width=0.4, title="Read-outs"),
    ]  # fmt: skip


def spin_the_rope() -> Explorer:
    """The skipping rope and the rope on a pole in one figure: one metre of rope with a mass of one kilogram.

    Shapes come from a grid (without gravity of L/D alone, on the pole of omega and r_0); tension, hodograph, liquid surface are formulas of
    the shape that the page evaluates itself. On the pole the coloured rope is the shape with the fewest crossings, which is the stable one.
    """
    controls = {
        "mode": w.ToggleButtons(options=[("two ends, no gravity", 0), ("pole, gravity", 1)], value=0, description="rope"),
        "omega": w.FloatSlider(value=6.0, min=0.5, max=12.0, step=0.25, description="speed ω (rad/s)", readout_format=".2f"),
        "ratio": w.FloatSlider(value=2.0, min=1.02, max=4.0, step=0.02, description="slack L/D", readout_format=".2f"),
        "attach": w.SelectionSlider(options=[(f"{r:g} L", r) for r in ATTACH], value=0.0, description="offset r₀ (pole only)"),
    }
    presets = {
        "Nearly taut": {"ratio": 1.04}, "Twice the span": {"ratio": 2.0}, "Very slack": {"ratio": 4.0}, "Twice as fast": {"omega": 12.0},
        "Pole, too slow": {"mode": 1, "omega": 3.5}, "Just above ω₁": {"mode": 1, "omega": 4.0}, "Two shapes": {"mode": 1, "omega": 10.0},
        "Held off the axis": {"mode": 1, "omega": 10.0, "attach": 0.1},
    }  # fmt: skip
    s = np.linspace(0.0, 1.0, POINTS) ** 2
    return Explorer(
        [skip_state, pole_states, branch_points, ends, words],
        controls=controls,
        grid={"omega": list(SPEEDS), "ratio": [1.02, *np.round(1.0 + np.geomspace(0.04, 3.0, 22), 2)]},
        panels=_panels(),
        derived={**_DERIVED, "pull_x_top": "take(pull_x, 40)", "pull_y_top": "take(pull_y, 40)"},
        constants={"arc": s, "across": np.linspace(-1.0, 1.3, 93), "speeds": np.repeat(SPEEDS, OTHERS + 1)},
        interpolate=["end_y", "skip_x", "skip_y", "skip_pull", "skip_axial", "k", "apex_over_span", "skip_angle", "skip_top"],
        presets=presets,
        marks={"omega": {float(CRITICAL[0]): "ω₁", float(CRITICAL[1]): "ω₂"}},
        sentence=(
            "{setting}, at {omega:.2f} rad/s, the rope reaches {far:.3f} L from the axis; the largest tension is {top:.3f} N, "
            "which is {scaled_top:.4f} ω²L²; {tail}."
        ),
        title="Spin the rope",
        name="rope",
        alt="A spinning rope: without gravity its shape depends on the slack alone and the tension grows with the square of the speed; "
        "on a pole it stays straight up to a critical speed and then swings out",
    )
