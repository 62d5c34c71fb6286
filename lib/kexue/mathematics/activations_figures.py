"""The explorers of the chapter on activation functions: "Shape your activation" and "Depth as a branching process"."""

from __future__ import annotations

from functools import cache

import ipywidgets as w
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from kexue.explorer import Explorer
from kexue.explorer import panels as p
from kexue.mathematics.activations import ACTIVATIONS, moments
from kexue.mathematics.activations_depth import chi, correlation_map, critical_init, hermite_shares, q_map

__all__ = ["branching", "offspring", "shape", "size_tables"]

Array = NDArray[np.float64]
LAYERS = 64
LOW, HIGH, STEP = -16.0, 10.0, 0.05
LATTICE = np.linspace(LOW, HIGH, round((HIGH - LOW) / STEP) + 1)
FAMILIES = (("Su  x·min(1, eᵝˣ)", 0), ("Swish  x·σ(βx)", 1), ("TanhExp  x·tanh eᵝˣ", 2))
_KEYS = ("su", "swish", "tanhexp")


@cache
def size_tables(family: int) -> dict[str, Array]:
    r"""Logarithms to base 10 of the energies of ``f`` and of its slope at :math:`\beta=1` over the logarithms ``LATTICE`` of q.

    A slope :math:`\beta` only moves them, :math:`f_\beta(x)=f_1(\beta x)/\beta`, so the page needs no more for all three sliders.
    """
    q = torch.from_numpy(10.0**LATTICE)
    return {
        "log_energy": q_map(_KEYS[family], q).log10().numpy(),
        "log_slopes": chi(_KEYS[family], q).log10().numpy(),
    }


@cache
def _rule() -> tuple[Array, Array]:
    """Nodes and weights of a rule for means over N(0, 1) that is exact enough with a kink at zero."""
    nodes, weights = np.polynomial.legendre.leggauss(6)
    ends = np.array([0, 0.02, 0.06, 0.15, 0.3, 0.6, 1.0, 1.5, 2.0, 2.6, 3.3, 4.2, 5.5])
    half = (ends[1:] - ends[:-1])[:, None] / 2
    z = ((ends[1:] + ends[:-1])[:, None] / 2 + half * nodes).ravel()
    mass = (half * weights).ravel() * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return np.concatenate([-z[::-1], z]), np.concatenate([mass[::-1], mass])


def _function(x: str) -> dict[str, str]:
    """Expressions of the three families and of their slopes at the array called `x`."""
    grown = f"exp(minimum(beta * {x}, 5))"
    t, s = f"tanh({grown})", f"sigmoid(beta * {x})"
    left = f"exp(beta * minimum({x}, 0))"
    value = f"{x} * where(family == 0, {left}, where(family == 1, {s}, {t}))"
    slope = (
        f"where(family == 0, where({x} > 0, 1, (1 + beta * {x}) * {left}), where(family == 1, "
        f"{s} * (1 + beta * {x} * (1 - {s})), {t} + beta * {x} * {grown} * (1 - {t}**2)))"
    )
    return {f"f_{x}": value, f"d_{x}": slope}


def _looked(table: str, at: str) -> str:
    """The expression of a value between the points of a table over the lattice."""
    return f"sum(maximum(0, 1 - abs(lattice - {at}) / {STEP}) * {table})"


def _steps() -> dict[str, str]:
    """Expressions that take variance and gradient through the layers: one look into the table for each."""
    # constants reach the page rounded to 16 bits, but for integers: the lattice is counted out there
    steps = {
        "lattice": f"{LOW - STEP} + {STEP} * cumsum(ones)",
        "shift": "2 * log(beta) / log(10)",
        "push": "2 * log(gain) / log(10)",
        "l0": "0 * gain",
        "g0": "0 * gain",
    }
    for k in range(LAYERS):
        steps[f"a{k}"] = f"minimum(maximum(l{k} + shift, {LOW + 1}), {HIGH - 1})"
        steps[f"g{k + 1}"] = f"g{k} + push + {_looked('log_slopes', f'a{k}')}"
        steps[f"l{k + 1}"] = f"push - shift + {_looked('log_energy', f'a{k}')} + l{k} + shift - a{k}"
    for letter, name in (("l", "sizes"), ("g", "grads")):
        steps[name] = " + ".join(f"{letter}{k} * (layer == {k})" for k in range(LAYERS + 1))
    return steps


def _shape_expressions() -> dict[str, str]:
    x = _function("x")
    return {
        **x,
        **_steps(),
        "size": "take(sizes, depth)",
        "growth": "take(grads, depth)",
        "q": "10**size",
        "bell": "exp(0 - x**2 / (2 * q))",
        "u": "sqrt(q) * z",
        **_function("u"),
        "mean": "sum(mass * f_u)",
        "energy": "sum(mass * f_u**2)",
        "slopes": "sum(mass * d_u**2)",
        "rate": "gain**2 * slopes",
        "asleep": "100 * sum(mass * (abs(d_u) < 0.05))",
        "own": f"10**((shift - {_looked('log_energy', 'shift')}) / 2)",
        "before": "lattice - shift",
        "change": "push + log_energy - lattice",
        "now": "minimum(maximum(sizes, -40), 40)",  # far beyond the axis, where the curve has left the picture
        "step": "nexts - sizes",
        "back": "minimum(maximum(grads, -40), 40)",
    }


def _shape_panels() -> list[object]:
    line = p.Line
    return [
        p.Plane(
            layers=[
                line("bell", "x", colour="muted", fill=True, opacity=0.35, label="where layer *l* lives"),
                line("f_x", "x", colour="one", label="*f*", width=2.5),
                line("d_x", "x", colour="two", label="*f* ′", dashed=True),
            ],
            x_range=(-5, 3), y_range=(-0.6, 3), xlabel="pre-activation x", width=0.5, height=300, title="The function and its slope",
            alt="The function follows x on the right and dips below zero on the left; the bell shows where the chosen layer lives",
        ),
        p.Plane(
            layers=[
                line("change", "before", colour="one", label="any layer"),
                p.Dots(x="now", y="step", colour="three", size=5, label="the 64 layers"),
                p.Mark(y=0.0, label=""),
            ],
            x_range=(-6, 4), y_range=(-1.3, 0.9), xlabel="log₁₀ q of a layer", ylabel="log₁₀ of next q over q", width=0.5, height=300,
            title="What a layer does to the size of its signal",
            alt="The growth of the variance in one layer against the variance: where the curve rises through zero the size is unstable, "
            "where it falls stable",
        ),
        p.Curves(
            line("now", "layer", colour="three", label="log₁₀ q, the signal"),
            line("back", "layer", colour="four", label="log₁₀ of a squared gradient's growth"),
            marks=[p.Mark(x="depth", label="l", colour="text"), p.Mark(y=0.0, label="")],
            x_range=(0, 64), y_range=(-13, 7), xlabel="layer l", width=0.6, height=280, title="Signal and gradient through 64 layers",
            alt="Logarithms of the signal's variance and of the gradient's growth against the layer: steep lines unless the gain is right",
        ),
        p.Text([
            ("E f at layer l", "{mean:.3f}"), ("E f² there", "{energy:.3g}"), ("χ there", "{rate:.3f}"),
            ("log₁₀ gradient², layer l to 0", "{growth:.1f}"), ("own gain at q = 1", "{own:.4f}"), ("|f ′| < 0.05 for", "{asleep:.0f} %"),
        ], width=0.4, title="Read-outs"),
    ]  # fmt: skip


def shape() -> Explorer:
    """Family, slope, gain and depth; the page iterates the maps of the theory itself, from two small tables a family."""
    z, mass = _rule()
    owns = {key: moments(key).gain for key in _KEYS}
    controls = {
        "beta": w.FloatLogSlider(value=1.0, min=-0.6, max=0.9, step=0.02, description="slope β", readout_format=".2f"),
        "gain": w.FloatSlider(value=1.0, min=0.5, max=2.5, step=0.01, description="gain", readout_format=".2f"),
        "depth": w.IntSlider(value=20, min=0, max=LAYERS, step=1, description="layer l"),
        "family": w.ToggleButtons(options=list(FAMILIES), value=1, description="family"),
    }
    presets: dict[str, dict[str, float]] = {
        "Swish, gain 1": {"family": 1}, "Su, gain 1": {"family": 0}, "Swish, own gain": {"family": 1, "gain": owns["swish"]},
        "Su, own gain": {"family": 0, "gain": owns["su"]}, "Swish, a nudge more": {"family": 1, "gain": 1.75},
        "Nearly ReLU, √2": {"family": 0, "beta": 10**0.9, "gain": 2**0.5}, "Nearly linear": {"family": 0, "beta": 10**-0.6, "gain": 1.1},
    }  # fmt: skip
    derived = _shape_expressions()
    derived["nexts"] = " + ".join(f"l{k + 1} * (layer == {k})" for k in range(LAYERS)) + f" + l{LAYERS} * (layer == {LAYERS})"
    order = [n for n in derived if n not in ("nexts", "step")]
    return Explorer(
        size_tables,
        controls=controls,
        panels=_shape_panels(),
        derived={**{n: derived[n] for n in order}, "nexts": derived["nexts"], "step": derived["step"]},
        constants={"x": np.linspace(-5, 3, 161), "ones": np.ones(len(LATTICE)), "layer": np.arange(LAYERS + 1.0), "z": z, "mass": mass},
        bits={"log_energy": 32, "log_slopes": 32},
        presets=presets,
        marks={"beta": {1.0: "1"}, "gain": {1.0: "1", 2**0.5: "√2", owns["swish"]: "Swish's own"}},
        sentence=(
            "{family} with slope {beta:.2f} and gain {gain:.2f}: at layer {depth} the variance is ten to the {size:.1f}, a squared "
            "gradient has grown by ten to the {growth:.1f}, and the next layer multiplies it by {rate:.2f}."
        ),
        title="Shape your activation",
        name="shape",
        alt="An activation function, what a layer does to its signal's variance, and signal and gradient through 64 layers",
    )


SHOWN = 9
GRID = np.linspace(0, 1, 41)
_CHOICES = ("sigmoid", "centred-sigmoid", "tanh", "relu", "elu", "swish", "gelu", "mish", "su", "tanhexp")


@cache
def _joint(activation: str) -> CubicSpline:
    """The mean of ``f(z1) f(z2)`` over its value at correlation one, as a smooth function of ``u = sqrt(1 - c)``."""
    u = np.linspace(0, 1, 25)
    return CubicSpline(u, correlation_map(activation, torch.from_numpy(1 - u**2)).numpy())


def offspring(activation: str, critical: int) -> dict[str, Array | float]:
    """Shares of the degrees, the correlation map on ``GRID``, the correlations through the layers and chi.

    Args:
        activation: name of a function.
        critical: 1 for the critical start where the function has one, 0 for its own gain without biases.
    """
    m = moments(activation)
    weight, bias = critical_init(activation) if critical and m.chi > 1 else (m.gain**2, 0.0)
    kept = weight * m.square  # of the energy one; the biases add the rest

    def after(c: Array) -> Array:
        return np.asarray(kept * _joint(activation)(np.sqrt(np.maximum(1 - c, 0))) + bias)

    path = [np.zeros(1)]
    for _ in range(LAYERS):
        path.append(after(path[-1]))
    shares = kept * hermite_shares(activation, SHOWN - 1).numpy()
    shares[0] += bias
    return {"shares": 100 * shares, "curve": after(GRID), "path": np.concatenate(path), "rate": weight * m.slope_square}


def branching() -> Explorer:
    """The degrees of an activation as a law of offspring: its generating function carries the correlation from layer to layer."""
    return Explorer(
        offspring,
        controls={
            "depth": w.IntSlider(value=10, min=0, max=LAYERS, step=1, description="layer l"),
            "activation": w.Dropdown(options=[(ACTIVATIONS[n].label, n) for n in _CHOICES], value="relu", description="function"),
            "critical": w.ToggleButtons(options=[("own gain, no biases", 0), ("critical, if it has one", 1)], value=0, description="start"),
        },
        panels=[
            p.Bars(
                ["shares"], categories=[str(n) for n in range(SHOWN)], y_range=(0, 100), labels=("energy",), colours=("one",), width=0.5,
                height=290, title="Energy by Hermite degree, %",
                alt="Most energy lies in degrees 0, 1 and 2; the mean degree is chi",
            ),
            p.Plane(
                layers=[
                    p.Line([0.0, 1.0], [0.0, 1.0], colour="muted", dashed=True),
                    p.Line("curve", GRID, colour="one", label="*C*(*c*)"),
                    p.Dots(x="path", y="after", colour="three", size=5, label="the 64 layers"),
                ],
                x_range=(0, 1), y_range=(0, 1), xlabel="correlation before the layer", ylabel="after it", width=0.5, height=290,
                title="The generating function",
                alt="The correlation map lies above the diagonal where chi is at most one and crosses it where chi is above one",
            ),
            p.Curves(
                p.Line("path", np.arange(LAYERS + 1.0), colour="three", label="correlation"),
                dots=[p.Dots(x="depth", y="here", colour="two", size=9)],
                x_range=(0, LAYERS), y_range=(0, 1.02), xlabel="layer l", width=0.6, height=250,
                title="Correlation of two inputs that began orthogonal",
                alt="The correlation rises with depth: quickly to one for ReLU, slowly for smooth critical functions, not to one in chaos",
            ),
            p.Text([
                ("χ, the mean degree", "{rate:.4f}"), ("correlation at layer l", "{here:.4f}"), ("what tells them apart", "{apart:.2g}"),
            ], width=0.4, title="Read-outs"),
        ],
        derived={
            "here": "take(path, depth)",
            "apart": "1 - here",
            "after": f"sum(path * (column(minimum(step + 1, {LAYERS})) == step))",
        },
        constants={"step": np.arange(LAYERS + 1.0)},
        bits={"path": 32},
        presets={
            "ReLU": {"activation": "relu"}, "The sigmoid": {"activation": "sigmoid"}, "without its mean": {"activation": "centred-sigmoid"},
            "Chaos: tanh": {"activation": "tanh"}, "tanh, tamed": {"activation": "tanh", "critical": 1},
            "Su, critical": {"activation": "su", "critical": 1},
        },
        sentence=(
            "{activation}, {critical}: the mean degree is {rate:.3f}; two orthogonal inputs have correlation {here:.3f} at layer {depth}."
        ),
        title="Depth as a branching process",
        name="branching",
        alt="Energy by Hermite degree, the correlation map that it generates, and the correlation of two inputs through 64 layers",
    )  # fmt: skip
