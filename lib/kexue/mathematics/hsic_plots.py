"""The figures and tables of the chapter on HSIC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kexue import figures
from kexue.mathematics.hsic_independence import Pairs
from kexue.mathematics.hsic_power import BiasRow
from kexue.records import Metric

__all__ = ["bias_figure", "depth_figure", "dot_matrix", "methods_table", "power_table", "scatter_pair", "settings_table"]


def bias_figure(rows: Sequence[BiasRow], constant: float, **words: str) -> figures.Shown:
    """Means of both estimates under independence against n, with the exact bias ``constant / (n - 1)``.

    Args:
        rows: of the study.
        constant: product of the two spreads of the kernels.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    n = np.array([row.n for row in rows])
    line = np.geomspace(n.min(), n.max(), 50)
    with figures.axes("text", 2.9, columns=2) as (fig, (left, right)):
        left.loglog(line, constant / (line - 1), color=figures.colour("muted"), label="exact bias")
        left.loglog(n, [row.biased for row in rows], "o", color=figures.colour("one"), label="HSIC, 1/(n − 1)²")
        left.set(xlabel="observations n", ylabel="mean under independence", title="It looks like dependence")
        left.legend()
        errors = np.array([row.unbiased_error for row in rows])
        right.axhline(0, color=figures.colour("muted"))
        right.errorbar(n, np.array([row.unbiased for row in rows]) / errors, yerr=2, fmt="o", color=figures.colour("three"))
        right.set(xscale="log", xlabel="observations n", ylabel="mean, in standard errors", ylim=(-5, 5), title="The U-statistic")
        return figures.show(fig, **words)


def power_table(rates: Mapping[str, Mapping[str, float]], **words: str) -> figures.Shown:
    """Share of samples in which each test (columns) finds each dependence (rows)."""
    tests = list(next(iter(rates.values())))
    rows = [[dependence, *[f"{found[t]:.2f}" for t in tests]] for dependence, found in rates.items()]
    return figures.table(rows, header=["dependence", *tests], **words)


def dot_matrix(names: Sequence[str], below: Pairs, above: Pairs, edges: Tensor, titles: tuple[str, str], **words: str) -> figures.Shown:
    """Two sets of pairwise tests in one square: dots below and above the diagonal, their area the evidence; rings are known edges.

    Args:
        names: of the d columns.
        below: drawn below the diagonal.
        above: drawn above it.
        edges: symmetric booleans ``(d, d)``.
        titles: what both are called.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    d = len(names)
    with figures.axes("text", 5.6) as (fig, ax):
        for pairs, colour, lower in ((below, "one", True), (above, "two", False)):
            places = torch.tril_indices(d, d, -1) if lower else torch.triu_indices(d, d, 1)
            i, j = places.numpy()
            found = pairs.dependent[places[0], places[1]].numpy()
            size = -np.log10(np.maximum(pairs.p_value[places[0], places[1]].numpy(), 1e-12))
            label = titles[0 if lower else 1]
            ax.scatter(j[found], i[found], s=12 * size[found], color=figures.colour(colour), label=f"{label}: dependent")
            ax.scatter(j[~found], i[~found], s=4, color=figures.colour("muted"))
        i, j = (v.numpy() for v in torch.nonzero(edges, as_tuple=True))
        ring: dict[str, Any] = {"facecolors": "none", "edgecolors": figures.colour("fg")}
        ax.scatter(j, i, s=210, linewidths=1.1, label="arrow of the known graph", **ring)
        ax.plot([-0.5, d - 0.5], [-0.5, d - 0.5], color=figures.colour("muted"), lw=0.8)
        ax.set(xlim=(-0.6, d - 0.4), ylim=(d - 0.4, -0.6), xticks=range(d), yticks=range(d), yticklabels=names, aspect="equal")
        ax.set_xticklabels(names, rotation=60, ha="right")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=3)
        return figures.show(fig, **words)


def scatter_pair(samples: Sequence[tuple[Tensor, Tensor, str, str]], **words: str) -> figures.Shown:
    """Scatter plots side by side; each is x, y and the names of both."""
    with figures.axes("text", 3.1, columns=len(samples)) as (fig, every):
        for ax, (x, y, across, up) in zip(every, samples, strict=True):
            # one path of round dots: hundreds of markers would be hundreds of elements
            step = 1e-3 * float(x.max() - x.min())
            dots = np.stack([x.numpy(), x.numpy() + step, np.full(len(x), np.nan)], 1).ravel()
            ax.plot(dots, np.repeat(y.numpy(), 3), color=figures.colour("one"), lw=3, alpha=0.6, solid_capstyle="round")
            ax.set(xlabel=across, ylabel=up)
        return figures.show(fig, **words)


def methods_table(found: Mapping[str, Sequence[float]], **words: str) -> figures.Shown:
    """Test accuracy of each method, seed by seed and in the mean."""
    seeds = len(next(iter(found.values())))
    rows = [[name, *[f"{v:.3f}" for v in values], f"{np.mean(values):.3f}"] for name, values in found.items()]
    return figures.table(rows, header=["layers", *[f"seed {i}" for i in range(seeds)], "mean"], **words)


def settings_table(
    found: Mapping[str, Mapping[tuple[int, int], float]], chosen: Mapping[str, Mapping[str, int]], **words: str
) -> figures.Shown:
    """Accuracy of each method with each number of epochs and size of batch; the chosen setting of a method is marked.

    Args:
        found: method → (epochs, batch) → accuracy.
        chosen: method → its ``epochs`` and ``batch``.
        words: ``name`` and ``caption`` of the table.
    """
    places = list(next(iter(found.values())))
    marked = {method: (best["epochs"], best["batch"]) for method, best in chosen.items()}
    rows = [
        [f"{epochs}", f"{batch}", *[f"{values[epochs, batch]:.4f}" + " ←" * (marked[m] == (epochs, batch)) for m, values in found.items()]]
        for epochs, batch in places
    ]
    return figures.table(rows, header=["epochs", "batch", *found], **words)


_LAYERS = {"hsic": ("HSIC bottleneck", "one"), "backprop": ("back-propagation", "two"), "random": ("random layers", "five")}


def depth_figure(
    accuracy: Mapping[str, Mapping[str, Mapping[int, Metric]]],
    on_x: Mapping[str, Mapping[int, Metric]],
    on_y: Mapping[str, Mapping[int, Metric]],
    **words: str,
) -> figures.Shown:
    """Accuracy against depth for two data sets, and where the layers of the first lie in the plane of both dependences.

    Args:
        accuracy: data set → method → depth → metric over the seeds.
        on_x: method → depth → share of the dependence on the input, for the first data set.
        on_y: the same for the labels.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    with figures.axes("text", 3.0, columns=len(accuracy) + 1) as (fig, every):
        for ax, (title, methods) in zip(every, accuracy.items(), strict=False):
            for method, (label, colour) in _LAYERS.items():
                depths = sorted(methods[method])
                mean, spread = ([getattr(methods[method][d], part) for d in depths] for part in ("mean", "std"))
                ax.errorbar(depths, mean, yerr=spread, fmt="o-", ms=4, color=figures.colour(colour), label=label)
            ax.set(xscale="log", xlabel="depth", ylabel="test accuracy", title=title, xticks=depths, xticklabels=map(str, depths))
            ax.minorticks_off()
        plane = every[-1]
        for method, (_, colour) in _LAYERS.items():
            depths = sorted(on_x[method])
            across, up = ([on[method][d].mean for d in depths] for on in (on_x, on_y))
            plane.plot(across, up, "o-", ms=4, color=figures.colour(colour))
            for d, a, b in ((depths[0], across[0], up[0]), (depths[-1], across[-1], up[-1])):
                plane.annotate(str(d), (a, b), xytext=(3, 4), textcoords="offset points", fontsize=8)
        plane.set(xlabel="dependence on the picture", ylabel="on the class", title="Layers 1 to 10", ylim=(0, 1.1))
        every[0].legend(fontsize=7, loc="lower left")
        return figures.show(fig, **words)
