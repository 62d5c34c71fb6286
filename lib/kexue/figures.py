"""The book's figures: one style, vector, readable in light and dark, safe for the colour-blind, and never without words.

A figure is drawn by matplotlib in the light colours of the palette. :func:`show` turns it into SVG in which each of these
colours is a CSS variable, so that the page's theme decides; text is drawn as paths, so that nothing overlaps whatever fonts
a reader has. The same figure gives the same bytes every time.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

__all__ = ["PALETTE", "Colour", "Shown", "axes", "colour", "curves", "image_grid", "show", "style", "table"]


class Colour(NamedTuple):
    """A colour of the book by its role, on light and on dark ground."""

    light: str
    dark: str


PALETTE: Mapping[str, Colour] = {
    "one": Colour("#4162db", "#729efb"),
    "two": Colour("#ac2712", "#e37350"),
    "three": Colour("#189977", "#50e4b1"),
    "four": Colour("#792074", "#a970a2"),
    "five": Colour("#ad7f14", "#f5ca4f"),
    "six": Colour("#5c5f61", "#aebac7"),
    "fg": Colour("#1f2328", "#e6e4df"),
    "muted": Colour("#666d75", "#9aa2ab"),
    "grid": Colour("#dcd9d2", "#363b42"),
    "bg": Colour("#fdfcf9", "#16191d"),
}
ROLES = ("one", "two", "three", "four", "five", "six")
WIDTHS = {"text": 7.0, "half": 3.4}
LIMIT = 150_000
_LAB = {"fg": "--jp-ui-font-color1", "muted": "--jp-ui-font-color2", "grid": "--jp-border-color2", "bg": "--jp-layout-color0"}
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def colour(role: str) -> str:
    """The colour of a role, to draw with; in the page it becomes the variable ``--kx-ROLE``.

    Args:
        role: ``one`` … ``six``, ``fg`` (text), ``muted``, ``grid`` or ``bg``.

    Raises:
        ValueError: the palette has no such role.

    >>> colour("one") == PALETTE["one"].light
    True
    """
    if role not in PALETTE:
        raise ValueError(f"no colour for the role {role!r}; the palette has {', '.join(PALETTE)}")
    return PALETTE[role].light


def style() -> Any:
    """The book's matplotlib settings, for ``matplotlib.rc_context``; nothing global is changed."""
    from cycler import cycler

    fg, muted, grid = colour("fg"), colour("muted"), colour("grid")
    return {
        "font.family": "DejaVu Sans",
        "mathtext.fontset": "dejavusans",
        "font.size": 9.5,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "axes.titlepad": 8,
        "axes.labelsize": 9.5,
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
        "legend.fontsize": 8.5,
        "legend.frameon": False,
        "text.color": fg,
        "axes.labelcolor": fg,
        "axes.titlecolor": fg,
        "xtick.color": muted,
        "ytick.color": muted,
        "axes.edgecolor": muted,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": grid,
        "grid.linewidth": 0.7,
        "lines.linewidth": 1.8,
        "lines.markersize": 4.5,
        "lines.solid_capstyle": "round",
        "patch.edgecolor": colour("bg"),
        "hatch.color": fg,
        "axes.prop_cycle": cycler(color=[colour(r) for r in ROLES]),
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "savefig.facecolor": "none",
        "legend.facecolor": colour("bg"),
        "image.cmap": "cividis",
        "figure.constrained_layout.use": True,
        "figure.dpi": 100,
        "svg.fonttype": "path",
        "path.simplify": True,
    }


@contextmanager
def axes(width: str = "text", height: float = 3.0, *, rows: int = 1, columns: int = 1, **options: Any) -> Iterator[tuple[Figure, Any]]:
    """A figure in the book's style and its axes: one ``Axes``, or an array of them.

    Args:
        width: ``text`` (the width of the column) or ``half``.
        height: in inches.
        rows: of axes.
        columns: of axes.
        options: for ``Figure.subplots`` (``sharex``, ``width_ratios``, …).

    Raises:
        ValueError: unknown width, or a height that is not positive.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure as MplFigure

    if width not in WIDTHS:
        raise ValueError(f"width must be one of {', '.join(WIDTHS)}, got {width!r}")
    if not height > 0:
        raise ValueError(f"height must be positive, in inches, got {height}")
    with mpl.rc_context(style()):
        figure = MplFigure(figsize=(WIDTHS[width], height))
        yield figure, figure.subplots(rows, columns, **options)


class Shown:
    """What a cell displays: HTML for the page and JupyterLab, words for a terminal."""

    def __init__(self, text: str, markup: str) -> None:
        self.text, self.markup = text, markup

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/plain": self.text, "text/html": self.markup}


def show(fig: Figure, *, name: str, alt: str, caption: str) -> Shown:
    """Show a figure of the book: inline SVG with its colours as CSS variables, numbered by the book.

    Artists drawn with ``rasterized=True`` (dense scatters) become pictures inside the SVG; their colours stay as drawn.

    Args:
        fig: the figure, drawn within :func:`axes`.
        name: target of ``{numref}``, such as ``fig-rope-modes``.
        alt: the finding in words, for those who do not see the figure.
        caption: the finding; may hold ``$mathematics$``, ``*emphasis*`` and ``code`` in backquotes.

    Returns:
        The object that displays the figure.

    Raises:
        ValueError: no words, a bad name, or more than 150 KB of SVG.
    """
    _words(name, "fig-", alt=alt, caption=caption)
    svg = _svg(fig, name, alt)
    if len(svg.encode()) > LIMIT:
        raise ValueError(f"figure {name!r} has {len(svg.encode()):,} bytes, {LIMIT:,} are allowed: draw dense artists with rasterized=True")
    return Shown(f"[Figure: {alt}]", _figure(name, svg, caption))


def _figure(name: str, svg: str, caption: str) -> str:
    return f'<figure class="kx-figure" id="{name}">{_LAB_STYLE}{svg}<figcaption>{html.escape(caption, quote=False)}</figcaption></figure>'


def _words(name: str, prefix: str, **words: str) -> None:
    """Refuse a nameless or wordless figure or table."""
    if not name.startswith(prefix) or not _NAME.fullmatch(name):
        raise ValueError(f"a name must be in kebab-case and begin with {prefix!r}, got {name!r}")
    for what, text in words.items():
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"{name!r} needs its {what}: the finding in words")


def _variable(role: str) -> str:
    light = PALETTE[role].light
    return f"var(--kx-{role},{f'var({_LAB[role]},{light})' if role in _LAB else light})"


# In JupyterLab no page style sets the variables: its dark theme gets the dark colours of the lines here.
_LAB_STYLE = (
    "<style>[data-jp-theme-light=false] .kx-figure{" + ";".join(f"--kx-{r}:{PALETTE[r].dark}" for r in ROLES) + "}"
    ".kx-figure svg{width:100%;height:auto}</style>"
)


def _svg(fig: Figure, name: str, alt: str) -> str:
    """Draw as SVG: deterministic, colours as variables, identifiers that no other figure of the page has."""
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({**style(), "svg.hashsalt": name}):
        fig.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}, dpi=200)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # matplotlib's style sheet would reach every SVG of the page: what it says stands on this one's own element
    text = re.sub(r"<metadata>.*?</metadata>\s*|<!--.*?-->\s*|<style[^>]*>.*?</style>", "", text, flags=re.S)
    text = _identifiers(text, name)
    text = re.sub(r' (d|x|y|points|transform)="([^"]*)"', lambda m: f' {m[1]}="{_short(m[2])}"', text)
    text = _colours(text)
    text = re.sub(r">\s+<", "><", text)
    text = re.sub(r"\s*\n\s*", " ", text).strip()
    wide, high = (72 * float(side) for side in fig.get_size_inches())
    scale = min(1.0, wide / (72 * WIDTHS["text"]))
    title = f'<title id="{name}-alt">{html.escape(alt, quote=False)}</title>'
    look = f"width:100%;max-width:{48 * scale:.4g}rem;height:auto;stroke-linejoin:round;stroke-linecap:butt"
    opening = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {wide:g} {high:g}" role="img" aria-labelledby="{name}-alt" style="{look}">'
    )
    return opening + title + text[text.index(">") + 1 :]


def _identifiers(text: str, name: str) -> str:
    """Keep the identifiers that something refers to, short and with the figure's name."""
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    order = {old: f"{name}-{i}" for i, old in enumerate(sorted(used))}
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{order[m[1]]}"' if m[1] in order else "", text)
    return re.sub(r'(href="#|url\(#)([^")]+)', lambda m: m[1] + order[m[2]], text)


def _short(data: str) -> str:
    """Coordinates on one line, to a hundredth of a point; scales, which are small, to a millionth."""
    places = 6 if "scale" in data or "matrix" in data else 2
    return " ".join(re.sub(r"-?\d+\.\d+", lambda m: f"{float(m[0]):.{places}f}".rstrip("0").rstrip("."), data).split())


def _colours(text: str) -> str:
    """Write the palette's colours as variables; matplotlib's black and white are text and ground."""
    known = {PALETTE[r].light: r for r in PALETTE} | {"#000000": "fg", "#ffffff": "bg"}
    return re.sub(r"#[0-9a-f]{6}\b", lambda m: _variable(known[m[0]]) if m[0] in known else m[0], text)


def curves(
    series: Mapping[str, ArrayLike],
    x: ArrayLike | None = None,
    *,
    name: str,
    alt: str,
    caption: str,
    xlabel: str,
    ylabel: str,
    **options: Any,
) -> Shown:
    """Training curves: the mean over seeds as a line, from the lowest to the highest seed as a band.

    Args:
        series: label -> values of shape (steps,) or (seeds, steps); at most six.
        x: the steps, shape (steps,); else 0, 1, 2, …
        name: target of ``{numref}``.
        alt: the finding in words.
        caption: the finding.
        xlabel: what the horizontal axis shows, with its unit.
        ylabel: what the vertical axis shows, with its unit.
        options: ``height`` in inches; anything else is set on the axes (``yscale="log"``, ``ylim=…``).

    Raises:
        ValueError: wrong shapes, or more series than colours.
    """
    if not 1 <= len(series) <= len(ROLES):
        raise ValueError(f"curves takes 1 to {len(ROLES)} series, got {len(series)}")
    with axes("text", options.pop("height", 3.0)) as (fig, ax):
        for role, (label, values) in zip(ROLES, series.items(), strict=False):
            data = np.atleast_2d(np.asarray(values, dtype=float))
            at = np.arange(data.shape[1]) if x is None else np.asarray(x, dtype=float)
            if data.ndim != 2 or at.shape != data.shape[1:]:
                raise ValueError(f"series {label!r} has shape {np.shape(values)}, expected (steps,) or (seeds, steps) with {at.size} steps")
            ax.plot(at, data.mean(0), color=colour(role), label=label)
            if len(data) > 1:
                ax.fill_between(at, data.min(0), data.max(0), color=colour(role), alpha=0.18, linewidth=0)
        ax.set(xlabel=xlabel, ylabel=ylabel, **options)
        if len(series) > 1:
            ax.legend()
        return show(fig, name=name, alt=alt, caption=caption)


def image_grid(
    images: ArrayLike,
    *,
    name: str,
    alt: str,
    caption: str,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    limits: tuple[float, float] | None = None,
) -> Shown:
    """A strip or grid of grey-scale images, as one picture inside the SVG; labels are vector.

    Args:
        images: shape (columns, h, w) for a strip, or (rows, columns, h, w).
        name: target of ``{numref}``.
        alt: the finding in words.
        caption: the finding.
        row_labels: one for each row, or none.
        column_labels: one for each column, or none.
        limits: values drawn black and white; else the smallest and the largest.

    Raises:
        ValueError: wrong shapes, values that are not finite, labels that do not fit.
    """
    grid = np.asarray(images, dtype=float)
    grid = grid[None] if grid.ndim == 3 else grid
    if grid.ndim != 4 or grid.size == 0 or not np.isfinite(grid).all():
        raise ValueError(f"images must be finite, of shape (columns, h, w) or (rows, columns, h, w), got {np.shape(images)}")
    rows, columns, high, wide = grid.shape
    for what, labels, count in (("row", row_labels, rows), ("column", column_labels, columns)):
        if labels and len(labels) != count:
            raise ValueError(f"{len(labels)} {what} labels for {count} {what}s")
    picture = _mosaic(grid, limits)
    side = WIDTHS["text"] - (1.1 if row_labels else 0)
    with axes("text", side * picture.shape[0] / picture.shape[1] + (0.3 if column_labels else 0.05)) as (fig, ax):
        ax.imshow(picture, interpolation="none", aspect="equal")
        ax.grid(False)
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0, labelcolor=colour("fg"))
        ax.xaxis.tick_top()
        ax.set_xticks([(wide + GAP) * i + wide / 2 for i in range(columns)] if column_labels else [], column_labels or None)
        ax.set_yticks([(high + GAP) * i + high / 2 for i in range(rows)] if row_labels else [], row_labels or None)
        return show(fig, name=name, alt=alt, caption=caption)


GAP = 2  # transparent pixels between images


def _mosaic(grid: np.ndarray[Any, np.dtype[np.float64]], limits: tuple[float, float] | None) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Images side by side with transparent gaps, as RGBA bytes."""
    low, high = limits if limits is not None else (float(grid.min()), float(grid.max()))
    if not low < high:
        raise ValueError(f"limits must be (low, high) with low < high, got ({low}, {high})")
    grey = np.round(255 * np.clip((grid - low) / (high - low), 0, 1)).astype(np.uint8)  # (R, C, h, w)
    rgba = np.stack([grey, grey, grey, np.full_like(grey, 255)], axis=-1)
    padded = np.pad(rgba, ((0, 0), (0, 0), (0, GAP), (0, GAP), (0, 0)))  # gap below and right of each
    rows, columns, h, w, _ = padded.shape
    whole: np.ndarray[Any, np.dtype[np.uint8]] = padded.transpose(0, 2, 1, 3, 4).reshape(rows * h, columns * w, 4)[:-GAP, :-GAP]
    return whole


def table(rows: Sequence[Sequence[object]], *, header: Sequence[str], caption: str, name: str) -> Shown:
    """A table of the book: numbered, with headings for rows and columns; it scrolls by itself on small screens.

    Args:
        rows: cells; the first of each row is its heading. Numbers are set as given: format floats before.
        header: one heading for each column.
        caption: what the table shows; may hold ``$mathematics$``, as may the cells.
        name: target of ``{numref}``, such as ``tab-estimators``.

    Raises:
        ValueError: no words, a bad name, or rows of unequal length.
    """
    _words(name, "tab-", caption=caption)
    if not rows or any(len(row) != len(header) for row in rows):
        raise ValueError(f"every row of {name!r} needs {len(header)} cells, as many as the header; got {[len(r) for r in rows]}")
    head = "".join(f'<th scope="col">{html.escape(h)}</th>' for h in header)
    body = "".join("<tr>" + "".join(_cell(i, c) for i, c in enumerate(row)) + "</tr>" for row in rows)
    markup = (
        f'<div class="kx-table" role="region" tabindex="0" aria-labelledby="{name}-caption" id="{name}"><table>'
        f'<caption id="{name}-caption">{html.escape(caption, quote=False)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
    lines = [" | ".join(str(c) for c in row) for row in [header, *rows]]
    return Shown("\n".join([caption, *lines]), markup)


def _cell(column: int, value: object) -> str:
    text = re.sub(r"(?<![\w-])-(?=[\d.])", "−", html.escape(str(value), quote=False))
    if column == 0:
        return f'<th scope="row">{text}</th>'
    number = re.match(r"\s*[-−+≈<>±]?\s*[\d.]|–$", str(value)) is not None
    return f'<td class="kx-number">{text}</td>' if number else f"<td>{text}</td>"
