"""The figures of the chapter's section on comparing networks layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from kexue import figures
from kexue.mathematics.hsic_similarity_study import ChanceRow, Moved
from kexue.records import Metric

__all__ = ["caution_figure", "found_table", "map_figure"]

_NAMES = {
    "cka": "CKA, unbiased",
    "biased": "CKA, biased",
    "gaussian": "CKA, Gaussian kernels",
    "svcca": "canonical correlations",
    "regression": "linear regression",
}


def map_figure(maps: Mapping[str, Tensor], across: str, up: str, **words: str) -> figures.Shown:
    """Maps of similarity side by side on one scale that ends at 1; a ring marks the most similar layer of each row.

    Args:
        maps: title → map ``(L, M)``.
        across: what the columns are.
        up: what the rows are.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    least = min(float(values.min()) for values in maps.values())
    with figures.axes("text", 2.75, columns=len(maps), sharey=True) as (fig, every):
        for ax, (title, values) in zip(every, maps.items(), strict=True):
            rows, columns = values.shape
            picture = ax.imshow(values.numpy(), vmin=np.floor(10 * least) / 10, vmax=1, interpolation="none")
            best = values.argmax(1).numpy()
            ax.plot(best, np.arange(rows), "o", ms=7, mfc="none", mec="#111111", mew=1.6)  # dark in either mode: the cells are light
            ax.set(title=title, xlabel=across)
            ax.set_xticks(range(columns), range(1, columns + 1))
            ax.set_yticks(range(rows), range(1, rows + 1))
            ax.grid(False)
        every[0].set_ylabel(up)
        fig.colorbar(picture, ax=every, shrink=0.85)
        return figures.show(fig, **words)


def found_table(found: Mapping[str, tuple[Metric, Metric]], **words: str) -> figures.Shown:
    """How often each measure knows a layer again, mean and standard deviation over the pairs, in trained and in untrained twins."""
    rows = [[_NAMES[measure], *[f"{m.mean:.2f} ± {m.std:.2f}" for m in both]] for measure, both in found.items()]
    return figures.table(rows, header=["most similar by", "trained twins", "untrained twins"], **words)


def caution_figure(rows: Sequence[ChanceRow], moved: Sequence[Moved], **words: str) -> figures.Shown:
    """Left: CKA of a layer and its twin, and of unrelated pictures, against the number of pictures. Right: CKA against a distance.

    Args:
        rows: by number of pictures.
        moved: what became of CKA when points were moved.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    n = [row.n for row in rows]
    with figures.axes("text", 3.1, columns=2, sharey=True) as (fig, (left, right)):
        kinds = (("paired", "pairs", "one"), ("unpaired", "shuffled", "two"))
        for name, label, role in kinds:
            for part, style in (("biased", "o-"), ("unbiased", "o:")):
                height = [getattr(row, f"{name}_{part}") for row in rows]
                left.plot(n, height, style, ms=4, color=figures.colour(role), label=f"{label}, {part}")
        left.plot(n, [row.chance for row in rows], color=figures.colour("muted"), lw=1, label="expected by chance")
        left.set(xscale="log", xlabel="pictures n", ylabel="CKA", title="Too few pictures", xticks=n, xticklabels=map(str, n))
        left.minorticks_off()
        left.legend(fontsize=7)
        for line, role in zip(moved, figures.ROLES, strict=False):
            right.plot(line.distance, line.cka, color=figures.colour(role), label=f"{line.kernel}, {line.count} moved")
            if line.limit is not None:
                right.axhline(line.limit, color=figures.colour(role), lw=0.8, ls=":")
        right.set(xscale="log", xlabel="moved by, in median distances", title="Same answers, other CKA")
        right.set_xticks(moved[0].distance, [f"{d:g}" for d in moved[0].distance])
        right.minorticks_off()
        right.legend(fontsize=7, loc="lower left", bbox_to_anchor=(0, 0.08))
        return figures.show(fig, **words)
