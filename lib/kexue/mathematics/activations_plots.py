"""The figures and tables of the chapter on activation functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from kexue import figures
from kexue.mathematics.activations import ACTIVATIONS, moments, slope
from kexue.mathematics.activations_depth import q_slope

__all__ = ["COLOURS", "against_theory", "boundaries", "design_plane", "edge_figure", "gallery", "moment_table", "profiles"]

#: one colour for each function, wherever it occurs
COLOURS = {
    "sigmoid": "five", "centred-sigmoid": "five", "tanh": "six", "relu": "fg", "leaky-relu": "muted", "elu": "six",
    "swish": "one", "gelu": "four", "mish": "four", "su": "two", "tanhexp": "three", "relu2": "muted",
}  # fmt: skip


def gallery(names: Sequence[str], **words: str) -> figures.Shown:
    """Functions on the left, their slopes on the right, over the normal density of a pre-activation.

    Args:
        names: of functions, with different colours.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    x = torch.linspace(-4, 3, 281, dtype=torch.float64)
    bell = np.exp(-(x.numpy() ** 2) / 2)
    with figures.axes("text", 3.1, columns=2) as (fig, axes):
        for ax, what in zip(axes, ("f", "f ′"), strict=True):
            ax.fill_between(x, 0, bell * 0.6, color=figures.colour("muted"), alpha=0.18, linewidth=0)
            for name in names:
                f = ACTIVATIONS[name]
                y = f(x) if what == "f" else slope(f, x)
                ax.plot(x, y, color=figures.colour(COLOURS[name]), label=f.label)
            ax.set(xlabel="pre-activation x", title=what)
        axes[0].set_ylim(-0.55, 3)
        axes[0].legend(loc="upper left")
        return figures.show(fig, **words)


def moment_table(names: Sequence[str], **words: str) -> figures.Shown:
    """The four Gaussian moments, the own gain, chi and the slope of the q-map under it, a row for each function."""
    rows = []
    for name in names:
        m = moments(name)
        steady = float(q_slope(name, 1.0, weight=1 / m.square))
        rows.append(
            [
                ACTIVATIONS[name].label,
                *[f"{round(v, 4) + 0.0:.4f}" for v in (m.mean, m.square, m.slope, m.slope_square, m.gain, m.chi, steady)],
            ]
        )
    header = ["function", "E f", "E f²", "E f ′", "E f ′²", "own gain", "χ", "dq′/dq"]
    return figures.table(rows, header=header, **words)


def design_plane(names: Sequence[str], **words: str) -> figures.Shown:
    """Every function under its own gain: gradient growth chi to the right, the slope of the q-map upwards."""
    with figures.axes("text", 3.9) as (fig, ax):
        ax.axhline(1, color=figures.colour("muted"), linewidth=1)
        ax.axvline(1, color=figures.colour("muted"), linewidth=1)
        left = {"tanhexp", "gelu", "relu", "centred-sigmoid"}
        for name in names:
            m = moments(name)
            x, y = m.chi, float(q_slope(name, 1.0, weight=1 / m.square))
            ax.plot(x, y, "o", color=figures.colour(COLOURS[name]), markersize=8)
            shift, side = ((-8, 5 if name == "relu" else -4), "right") if name in left else ((8, -3), "left")
            ax.annotate(ACTIVATIONS[name].label, (x, y), xytext=shift, textcoords="offset points", ha=side, fontsize=8.5)
        ax.set(xlabel="χ: growth of a squared gradient per layer", ylabel="dq′/dq: what a layer does to an error of size")
        for text, at, side in (("errors of size grow", (1.2, 1.02), "right"), ("errors of size mend", (1.2, 0.965), "right")):
            ax.annotate(text, at, fontsize=8.5, color=figures.colour("muted"), ha=side)
        ax.set(xlim=(0.965, 1.205), ylim=(0.42, 1.24))
        return figures.show(fig, **words)


def profiles(measured: Mapping[str, Tensor], predicted: Mapping[str, Tensor], colours: Mapping[str, str], **words: str) -> figures.Shown:
    """Squared gradients by layer, relative to the top: dots are networks' geometric mean, bands their range, lines the theory.

    Args:
        measured: label -> ``(networks, depth + 1)``.
        predicted: label -> ``(depth + 1,)``.
        colours: label -> role.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    with figures.axes("text", 3.6) as (fig, ax):
        for label, squares in measured.items():
            logs = squares.double().log10()
            layers = np.arange(squares.shape[1])
            colour = figures.colour(colours[label])
            ax.plot(layers, logs.mean(0), "o", color=colour, label=label, markersize=4)
            ax.fill_between(layers, logs.min(0).values, logs.max(0).values, color=colour, alpha=0.15, linewidth=0)
            ax.plot(layers, predicted[label].log10(), color=colour, linewidth=1.2)
            ax.set_xticks(layers[::5])
        ax.set(xlabel="layer (the gradient enters at the right)", ylabel="log₁₀ of the squared gradient")
        ax.legend()
        return figures.show(fig, **words)


def boundaries(
    fields: Mapping[str, Tensor], points: Tensor, classes: Tensor, box: tuple[float, float, float, float], **words: str
) -> figures.Shown:
    """What several classifiers of the plane answer, side by side, with the test points on top.

    Args:
        fields: title -> answers 0 or 1 on a lattice (rows, columns), row 0 at the bottom.
        points: ``(N, 2)``.
        classes: ``(N,)``.
        box: left, right, bottom, top of the lattice.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    with figures.axes("text", 2.4, columns=len(fields)) as (fig, axes):
        for ax, (title, field) in zip(np.atleast_1d(axes), fields.items(), strict=True):
            xs, ys = np.linspace(*box[:2], field.shape[1]), np.linspace(*box[2:], field.shape[0])
            ax.contourf(xs, ys, field.double().numpy(), levels=[0.5, 1.5], colors=[figures.colour("two")], alpha=0.25)
            for k, role in enumerate(("one", "two")):
                x, y = points[classes == k].T.numpy()
                ax.plot(x, y, ".", color=figures.colour(role), markersize=3, rasterized=True)
            ax.set(title=title, xticks=[], yticks=[])
            ax.grid(False)
        return figures.show(fig, **words)


def against_theory(
    growth: Mapping[str, float],
    gradients: Mapping[str, Sequence[float]],
    accuracy: Mapping[str, Sequence[float]],
    layers: int,
    **words: str,
) -> figures.Shown:
    """Deep normalised nets: measured gradient ratios and final accuracies, both against the predicted growth per layer.

    Args:
        growth: predicted factor of a squared gradient per layer, by function.
        gradients: log10 of first over last gradient of each seed, by function.
        accuracy: test accuracy of each seed, by function.
        layers: between the first and the last pre-activation.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    with figures.axes("text", 3.3, columns=2) as (fig, (left, right)):
        line = np.linspace(1, 1.5, 2)
        left.plot(line, layers / 2 * np.log10(line), color=figures.colour("muted"), linewidth=1)
        for ax, values, what in ((left, gradients, "log₁₀ of first over last gradient"), (right, accuracy, "test accuracy")):
            for name, x in growth.items():
                y = np.asarray(values[name])
                ax.plot([x] * len(y), y, "o", color=figures.colour(COLOURS[name]), markersize=5, alpha=0.8)
                side = "right" if name in {"swish", "tanhexp"} else "left"  # they lie close to Su's function
                shift = (-6 if side == "right" else 6, -3)
                ax.annotate(ACTIVATIONS[name].label, (x, y.mean()), xytext=shift, textcoords="offset points", ha=side, fontsize=8.5)
            ax.set(xlabel="χ under batch normalisation", ylabel=what, xlim=(1, 1.56))
        return figures.show(fig, **words)


def edge_figure(
    theory: Mapping[int, Sequence[float]],
    measured: Mapping[int, Sequence[Sequence[float]]],
    accuracy: Mapping[int, Sequence[Sequence[float]]],
    per_cent: Sequence[int],
    **words: str,
) -> figures.Shown:
    """Nets from either side of the edge of chaos: gradients before training against theory, and accuracy after it.

    Args:
        theory: by depth, log10 of first over last gradient at each start.
        measured: by depth and start, the same of each seed.
        accuracy: by depth and start, test accuracy of each seed.
        per_cent: variance of the weights of each start, in per cent of the critical one.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    with figures.axes("text", 3.2, columns=2) as (fig, (left, right)):
        for role, depth in zip(figures.ROLES, theory, strict=False):
            shade = figures.colour(role)
            left.plot(per_cent, theory[depth], color=shade, linewidth=1)
            right.plot(per_cent, [np.mean(seeds) for seeds in accuracy[depth]], color=shade, linewidth=1)
            for ax, values in ((left, measured), (right, accuracy)):
                flat = [(x, y) for x, seeds in zip(per_cent, values[depth], strict=True) for y in seeds]
                ax.plot(*zip(*flat, strict=True), "o", color=shade, markersize=4, alpha=0.8, label=f"{depth} layers")
        for ax, what in ((left, "log₁₀ of first over last gradient"), (right, "test accuracy")):
            ax.axvline(100, color=figures.colour("muted"), linewidth=0.8, linestyle=":")
            ax.set(xscale="log", xlabel="variance of the weights, % of the critical", ylabel=what)
            ax.set_xticks(per_cent, map(str, per_cent))
            ax.minorticks_off()
        right.legend()
        return figures.show(fig, **words)
