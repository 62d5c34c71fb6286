"""The figures and lists of the chapter on minimum entropy."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from kexue import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

__all__ = ["digit_maps", "entrance_law", "entropy_ruler", "length_and_popularity", "neighbour_table", "orders", "word_map", "word_shelf"]

#: one colour for each model, wherever it occurs
COLOURS = {"dot": "one", "distance": "two", "student": "three", "floor": "five", "popularity": "four"}
LABELS = {"dot": "inner product", "distance": "distance", "student": "distance, heavy tail"}


def orders(costs: ArrayLike, rules: Mapping[str, float], **words: str) -> figures.Shown:
    """Costs of all arrangements of the toy library, with those of the rules.

    Args:
        costs: of all N! orders.
        rules: label -> cost.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    with figures.axes("text", 2.9) as (fig, ax):
        counts, _, _ = ax.hist(np.asarray(costs), bins=70, color=figures.colour("one"), alpha=0.75)
        top = float(np.max(counts))
        for k, (label, value) in enumerate(rules.items()):
            ax.axvline(value, color=figures.colour("two"), linewidth=1.4, linestyle="--")
            ax.annotate(
                label, (value, top * (1.42 - 0.1 * k)), xytext=(4, 0), textcoords="offset points", fontsize=8.5, color=figures.colour("fg")
            )
        ax.set(xlabel="mean walk of a visit, in places", ylabel="arrangements", ylim=(0, 1.55 * top))
        return figures.show(fig, **words)


def word_shelf(words: Sequence[str], glosses: Mapping[str, str], *, caption: str) -> figures.Shown:
    """A shelf of words in their order, each with its meaning: text of the page, so that no figure needs Chinese letters.

    Args:
        words: from the entrance on.
        glosses: word -> meaning; words without one stand alone.
        caption: what is seen.
    """
    spines = []
    for word in words:
        gloss = f" <small>{html.escape(glosses[word])}</small>" if word in glosses else ""
        look = "display:inline-block;border:1px solid var(--kx-grid,#dcd9d2);border-radius:.3em;padding:0 .4em;margin:.12em"
        spines.append(f'<span style="{look}"><span lang="zh">{html.escape(word)}</span>{gloss}</span>')
    markup = f'<figure class="kx-figure"><div>{"".join(spines)}</div><figcaption>{html.escape(caption, quote=False)}</figcaption></figure>'
    return figures.Shown(f"{caption}\n{' '.join(words)}", markup)


def _in_language(words: Sequence[str]) -> str:
    """Words of the page, parted by blanks, with their language if it is not that of the page."""
    return " ".join(html.escape(word) if word.isascii() else f'<span lang="zh">{html.escape(word)}</span>' for word in words)


def neighbour_table(lists: Mapping[str, Mapping[str, Sequence[str]]], *, name: str, caption: str) -> figures.Shown:
    """The nearest words of some words by several ways, a row a word: text of the page.

    Args:
        lists: word -> way -> its nearest words.
        name: target of ``{numref}``, beginning with ``tab-``.
        caption: what is seen.
    """
    ways = list(next(iter(lists.values())))
    plain = figures.table([[w, *(" ".join(near[way]) for way in ways)] for w, near in lists.items()], header=["word", *ways],
                          caption=caption, name=name)  # fmt: skip
    markup = plain.markup
    for word, near in lists.items():
        markup = markup.replace(f'<th scope="row">{word}</th>', f'<th scope="row">{_in_language([word])}</th>')
        for way in ways:
            markup = markup.replace(f"<td>{' '.join(near[way])}</td>", f"<td>{_in_language(near[way])}</td>")
    return figures.Shown(plain.text, markup)


def entropy_ruler(
    dimensions: Sequence[int], costs: Mapping[str, Sequence[float]], levels: Mapping[str, float], **words: str
) -> figures.Shown:
    """Cost against the dimension of the vectors, between the cost of no order and the floor.

    Args:
        dimensions: of the vectors.
        costs: model -> cost for each dimension, in nats.
        levels: label -> cost of a horizontal line.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    with figures.axes("text", 3.4) as (fig, ax):
        for model, values in costs.items():
            ax.semilogx(dimensions[: len(values)], values, "o-", color=figures.colour(COLOURS[model]), label=LABELS[model])
        for label, value in levels.items():
            ax.axhline(value, color=figures.colour("muted"), linewidth=1.2, linestyle="--")
            place = (dimensions[-1] * dimensions[-2]) ** 0.5, value  # clear of the points
            ax.annotate(label, place, xytext=(0, 3), textcoords="offset points", fontsize=8.5, ha="center")
        ax.set(xlabel="dimension n", ylabel="entropy S, nats a visit")
        ax.set_xticks(list(dimensions), [str(n) for n in dimensions])
        ax.minorticks_off()
        ax.legend(loc="center right", bbox_to_anchor=(1.0, 0.77))
        return figures.show(fig, **words)


def length_and_popularity(popularity: Tensor, lengths: Mapping[str, Tensor], **words: str) -> figures.Shown:
    """Squared length of each vector against the log-popularity of its word, one panel a model.

    Args:
        popularity: shares p(j), (N,).
        lengths: model -> squared lengths (N,).
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    with figures.axes("text", 2.9, columns=len(lengths)) as (fig, panels):
        for ax, (model, values) in zip(np.atleast_1d(panels), lengths.items(), strict=True):
            ax.plot(popularity.log().numpy(), values.numpy(), "o", color=figures.colour(COLOURS[model]), alpha=0.75)
            ax.set(xlabel="log p", ylabel="squared length", title=LABELS[model])
        return figures.show(fig, **words)


def entrance_law(words_of: Mapping[str, tuple[Tensor, Tensor, float]], **words: str) -> figures.Shown:
    """Log-popularity of words against the squared length of their vectors in the distance model, with the slope that theory predicts.

    Args:
        words_of: corpus -> squared lengths (N,), log-popularities (N,), predicted slope; the line goes through the means.
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    with figures.axes("text", 3.1, columns=len(words_of), sharex=True, sharey=True) as (fig, panels):
        for ax, (corpus, (square, log_p, slope)) in zip(np.atleast_1d(panels), words_of.items(), strict=True):
            x, y = square.numpy(), log_p.numpy()
            ax.plot(x, y, ".", markersize=2, color=figures.colour(COLOURS["distance"]), alpha=0.5, rasterized=True)
            ends = np.array([x.min(), x.max()])
            told = f"predicted: {slope:.2f}".replace("-", "−")
            ax.plot(ends, y.mean() + slope * (ends - x.mean()), color=figures.colour("fg"), linewidth=1.4, label=told)
            ax.set(xlabel="squared length", ylabel="log p", title=corpus)
            ax.label_outer()
            ax.legend(loc="upper right")
        return figures.show(fig, **words)


def word_map(places: Tensor, glosses: Sequence[str], popularity: Tensor, **words: str) -> figures.Shown:
    """Words on a plane by their meanings, the popular ones in larger type, moved apart where they would cover each other.

    Args:
        places: (N, 2).
        glosses: N meanings.
        popularity: shares (N,).
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    size = 6.2 + 5.5 * ((popularity - popularity.min()) / (popularity.max() - popularity.min())).sqrt()
    with figures.axes("text", 6.4) as (fig, ax):
        texts = [
            ax.text(x, y, gloss, fontsize=points, ha="center", va="center", color=figures.colour("fg"))
            for (x, y), gloss, points in zip(places.tolist(), glosses, size.tolist(), strict=True)
        ]
        ax.plot(0, 0, "+", color=figures.colour("two"), markersize=14, markeredgewidth=2)
        low, high = places.min(0).values, places.max(0).values
        margin = 0.06 * (high - low)
        ax.set(xlim=(float(low[0] - margin[0]), float(high[0] + margin[0])), ylim=(float(low[1] - margin[1]), float(high[1] + margin[1])))
        ax.set(xticks=[], yticks=[])
        _apart(fig, ax, texts)
        return figures.show(fig, **words)


def _apart(fig: Figure, ax: Axes, texts: Sequence[Text], rounds: int = 300) -> None:
    """Move texts up and down by as little as it takes that none covers another."""
    fig.draw_without_rendering()
    boxes = [text.get_window_extent() for text in texts]
    half = np.array([(box.width / 2, 0.42 * box.height) for box in boxes])  # a box has room above and below its letters
    centre = np.array([((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2) for box in boxes])
    above = np.sign(np.arange(len(texts))[:, None] - np.arange(len(texts)))  # who goes up where two begin at one height
    for _ in range(rounds):
        gap = centre[:, None] - centre
        over = half[:, None] + half - np.abs(gap)
        push = np.where((over > 0).all(2) & (above != 0), over[:, :, 1] / 4, 0) * np.where(gap[:, :, 1] == 0, above, np.sign(gap[:, :, 1]))
        centre[:, 1] += push.sum(1)
    for text, place in zip(texts, ax.transData.inverted().transform(centre), strict=True):
        text.set_position(tuple(place))


def digit_maps(maps: Mapping[str, Tensor], labels: Tensor, **words: str) -> figures.Shown:
    """Digits on several maps side by side, each digit written as itself in one of six colours.

    Args:
        maps: title -> (N, 2).
        labels: digits (N,).
        words: ``name``, ``alt`` and ``caption`` of the figure.
    """
    with figures.axes("text", 2.75, columns=len(maps)) as (fig, panels):
        for ax, (title, z) in zip(np.atleast_1d(panels), maps.items(), strict=True):
            for digit in torch.unique(labels).tolist():
                role = figures.ROLES[digit % len(figures.ROLES)]
                x, y = z[labels == digit].double().T.numpy()
                ax.scatter(x, y, s=9, marker=f"${digit}$", color=figures.colour(role), linewidths=0.2, rasterized=True)
            ax.set(title=title, xticks=[], yticks=[])
            ax.grid(False)
        return figures.show(fig, **words)
