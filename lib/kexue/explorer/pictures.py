"""The first, the middle and the last state as small pictures: for print and for readers without JavaScript."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image

from .template import fill, plain

Axes = Any
Values = Mapping[str, Any]
MAX_BYTES = 40_000
MOST_PANELS = 2
PALETTE = {
    "one": "#4162db", "two": "#ac2712", "three": "#189977", "four": "#792074", "five": "#ad7f14", "six": "#5c5f61",
    "muted": "#5F6B76", "text": "#1B1F24",
}  # fmt: skip
MAPS = {"sequential": "Blues", "quiet": "Greys", "diverging": "PuOr", "line": "viridis"}


def strip(panels: Sequence[Mapping[str, Any]], states: Sequence[Values], describe: Sequence[str]) -> list[tuple[str, str]]:
    """Draw states.

    Args:
        panels: the panels as JSON.
        states: all values in each state.
        describe: a sentence for each.

    Returns:
        For each state the picture as a data URI, and its sentence; all pictures together at most :data:`MAX_BYTES` bytes.
    """
    dpi = 90.0
    while True:
        pictures = [_png(panels, values, dpi) for values in states]
        excess = sum(map(len, pictures)) * 4 / 3 / MAX_BYTES
        if excess <= 1 or dpi < 30:
            break
        dpi *= 0.93 / excess**0.6  # the size of a drawing grows slower than the square of its width
    uris = ["data:image/png;base64," + base64.b64encode(p).decode() for p in pictures]
    return list(zip(uris, describe, strict=True))


def _png(panels: Sequence[Mapping[str, Any]], values: Values, dpi: float) -> bytes:
    drawn = [p for p in panels if p["kind"] != "text"][:MOST_PANELS]
    figure = Figure(figsize=(3.1, 2.4 * max(1, len(drawn))), facecolor="white")
    figure.subplots_adjust(left=0.18, right=0.97, bottom=0.2 / max(1, len(drawn)), top=1 - 0.12 / max(1, len(drawn)), hspace=0.5)
    FigureCanvasAgg(figure)
    for i, panel in enumerate(drawn):
        axes = figure.add_subplot(len(drawn), 1, i + 1)
        axes.set_title(plain(panel["title"]), fontsize=9, loc="left")
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        _PANELS[panel["kind"]](axes, panel, values)
    raw = io.BytesIO()
    figure.savefig(raw, format="png", dpi=dpi, metadata={"Software": None})
    small = io.BytesIO()
    Image.open(raw).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(small, format="PNG", optimize=True)
    return small.getvalue()


def _plane(axes: Axes, panel: Mapping[str, Any], values: Values) -> None:
    for axis in "xy":
        if panel[axis + "log"]:
            getattr(axes, f"set_{axis}scale")("log")
        getattr(axes, f"set_{axis}lim")(panel[axis])
        getattr(axes, f"set_{axis}label")(plain(panel[axis + "label"]), fontsize=8)
    if panel["equal"]:
        axes.set_aspect("equal", adjustable="box")
    for layer in panel["layers"]:
        _LAYERS[layer["kind"]](axes, layer, values)
    if not panel["axes"]:
        axes.set_axis_off()
    if any(layer["label"] for layer in panel["layers"] if layer["kind"] in ("line", "dots")):
        axes.legend(fontsize=7, frameon=False)


def _line(axes: Axes, layer: Mapping[str, Any], v: Values) -> None:
    ys, x = np.atleast_2d(v[layer["y"]]), v[layer["x"]]
    look = {"color": PALETTE[layer["colour"]], "alpha": layer["opacity"]}
    for i, y in enumerate(ys):
        xs = x[i] if np.ndim(x) == 2 else np.atleast_1d(x)
        label = plain(layer["label"]) if i == 0 and layer["label"] else None
        axes.plot(xs, y, lw=0.75 * layer["width"], ls="--" if layer["dashed"] else "-", label=label, **look)
        if layer["fill"] is not None:
            axes.fill_between(xs, y, layer["fill"], color=look["color"], alpha=0.15, lw=0)


def _band(axes: Axes, layer: Mapping[str, Any], v: Values) -> None:
    axes.fill_between(v[layer["x"]], v[layer["low"]], v[layer["high"]], color=PALETTE[layer["colour"]], alpha=0.2, lw=0)


def _dots(axes: Axes, layer: Mapping[str, Any], v: Values) -> None:
    if "xy" in layer:
        x, y = np.atleast_2d(v[layer["xy"]]).T
    else:
        x, y = np.atleast_1d(v[layer["x"]]), np.atleast_1d(v[layer["y"]])
    names = list(PALETTE)
    colours = [names[int(c) % 6] for c in np.ravel(v[layer["classes"]])] if layer["classes"] else [layer["colour"]] * x.size
    look = {"c": [PALETTE[c] for c in colours], "alpha": layer["opacity"], "lw": 0, "label": plain(layer["label"]) or None}
    axes.scatter(x, y, s=0.5 * layer["size"] ** 2, **look)


def _trail(axes: Axes, layer: Mapping[str, Any], v: Values) -> None:
    points = np.stack([v[layer["x"]], v[layer["y"]]], axis=-1)
    value = v[layer["value"]]
    segments = LineCollection(list(np.stack([points[:-1], points[1:]], axis=1)), cmap=MAPS["line"], lw=2.5, capstyle="round")
    segments.set_array((value[:-1] + value[1:]) / 2)
    segments.set_clim(*layer["range"])
    axes.add_collection(segments)


def _arrows(axes: Axes, layer: Mapping[str, Any], v: Values) -> None:
    x, y, u, w = (np.atleast_1d(v[layer[k]]) for k in "xyuv")
    size = 1 / layer["scale"]
    axes.quiver(x, y, u, w, angles="xy", scale_units="xy", scale=size, color=PALETTE[layer["colour"]], width=0.006)


def _raster(axes: Axes, layer: Mapping[str, Any], v: Values) -> None:
    low, high = layer["range"]
    box = (*layer["xRange"], *layer["yRange"])
    axes.imshow(v[layer["z"]], origin="lower", extent=box, vmin=low, vmax=high, cmap=MAPS[layer["map"]], aspect="auto")


def _contours(axes: Axes, layer: Mapping[str, Any], v: Values) -> None:
    z, levels = v[layer["z"]], np.unique(v[layer["levels"]])
    levels = levels[(levels > np.nanmin(z)) & (levels < np.nanmax(z))]  # matplotlib warns of levels that are nowhere met
    if levels.size:
        sides = zip(z.shape[::-1], (layer["xRange"], layer["yRange"]), strict=True)
        x, y = (low + (np.arange(n) + 0.5) / n * (high - low) for n, (low, high) in sides)
        axes.contour(x, y, z, levels, colors=PALETTE[layer["colour"]], linewidths=0.6, alpha=layer["opacity"])


def _bins(axes: Axes, layer: Mapping[str, Any], v: Values) -> None:
    axes.stairs(v[layer["counts"]], v[layer["edges"]], color=PALETTE[layer["colour"]], fill=not layer["outline"], alpha=layer["opacity"])


def _mark(axes: Axes, layer: Mapping[str, Any], v: Values) -> None:
    at = float(np.ravel(v[layer["at"]])[0])
    if np.isfinite(at):
        draw = axes.axvline if layer["along"] == "x" else axes.axhline
        draw(at, color=PALETTE[layer["colour"]], lw=1, ls="--" if layer["dashed"] else "-")


def _note(axes: Axes, layer: Mapping[str, Any], v: Values) -> None:
    side = {"start": "left", "middle": "center", "end": "right"}[layer["anchor"]]
    x, y = (float(np.ravel(v[layer[k]])[0]) for k in "xy")
    axes.text(x, y, plain(fill(layer["text"], v)), ha=side, fontsize=7, color=PALETTE[layer["colour"]], clip_on=True)


def _bars(axes: Axes, panel: Mapping[str, Any], v: Values) -> None:
    n, k = len(panel["categories"]), len(panel["values"])
    at = np.arange(n)
    colours = panel["colours"] or list(PALETTE)
    single = k == 1 and len(panel["colours"]) == n
    for i, name in enumerate(panel["values"]):
        label = plain(panel["labels"][i]) if i < len(panel["labels"]) else None
        axes.bar(
            at + (i - (k - 1) / 2) * 0.8 / k,
            v[name],
            0.8 / k,
            color=[PALETTE[colours[(j if single else i) % len(colours)]] for j in range(n)],
            label=label,
        )
    if panel["reference"]:
        axes.hlines(v[panel["reference"]], at - 0.42, at + 0.42, color=PALETTE["text"], lw=1.2)
    axes.set_xticks(at, [plain(c) for c in panel["categories"]], fontsize=7)
    axes.set_ylim(panel["y"])
    axes.set_ylabel(plain(panel["ylabel"]), fontsize=8)
    if panel["labels"]:
        axes.legend(fontsize=7, frameon=False)


def flatten(points: Any) -> Any:
    """Barycentric coordinates (…, 3) in the plane: corners at (0, 0), (1, 0) and (1/2, √3/2)."""
    points = np.asarray(points, dtype=float)
    return np.stack([points[..., 1] + 0.5 * points[..., 2], np.sqrt(0.75) * points[..., 2]], axis=-1)


def _simplex(axes: Axes, panel: Mapping[str, Any], v: Values) -> None:
    corners = flatten(np.eye(3))
    axes.set_aspect("equal")
    axes.set_axis_off()
    if panel["density"]:
        from .kinds import lattice

        x, y = flatten(lattice(panel["m"])).T
        low, high = panel["range"]
        look = (
            {"cmap": MAPS["quiet"], "vmin": low, "vmax": 2 * high - low}
            if panel["points"]
            else {"cmap": MAPS["sequential"], "vmin": low, "vmax": high}
        )
        axes.tripcolor(x, y, v[panel["density"]], shading="gouraud", **look)
    axes.plot(*corners[[0, 1, 2, 0]].T, color=PALETTE["muted"], lw=1)
    if panel["points"]:
        points = np.atleast_2d(v[panel["points"]])
        classes = np.ravel(v[panel["classes"]]) if panel["classes"] else points.argmax(axis=1)
        colours = [PALETTE[panel["colours"][int(c) % len(panel["colours"])]] for c in classes]
        axes.scatter(*flatten(points).T, s=0.4 * panel["size"] ** 2, c=colours, alpha=panel["opacity"], lw=0)
    for slot, _, name in panel["marks"]:
        axes.plot(*flatten(np.ravel(v[slot])), "+", ms=9, mew=2, color=PALETTE[name])
    for (x, y), name in zip(corners, panel["corners"], strict=True):
        axes.annotate(plain(name), (x, y), (0, 4 if y else -9), textcoords="offset points", ha="center", fontsize=8)


def _matrix(axes: Axes, panel: Mapping[str, Any], v: Values) -> None:
    low, high = panel["range"]
    values = v[panel["values"]]
    axes.imshow(values, vmin=low, vmax=high, cmap=MAPS[panel["map"]], aspect="auto")
    axes.set_xticks(range(len(panel["columns"])), [plain(c) for c in panel["columns"]], fontsize=7)
    axes.set_yticks(range(len(panel["rows"])), [plain(c) for c in panel["rows"]], fontsize=7)
    if panel["digits"] is not None:
        for (i, j), x in np.ndenumerate(values):
            shade = (x - low) / ((high - low) or 1.0)
            dark = shade > 0.7 or (panel["map"] == "diverging" and shade < 0.3)
            axes.text(j, i, f"{x:.{panel['digits']}f}", ha="center", va="center", fontsize=7, color="white" if dark else "black")


def _strip(axes: Axes, panel: Mapping[str, Any], v: Values) -> None:
    images = np.asarray(v[panel["images"]])
    columns = panel["columns"] or min(len(images), 8)
    rows = -(-len(images) // columns)
    n, h, w = images.shape
    tiles = np.full((rows * columns, h, w), panel["range"][0])
    tiles[:n] = images
    sheet = tiles.reshape(rows, columns, h, w).swapaxes(1, 2).reshape(rows * h, columns * w)
    axes.imshow(sheet, cmap="gray" if panel["invert"] else "gray_r", vmin=panel["range"][0], vmax=panel["range"][1])
    axes.set_axis_off()


_LAYERS: dict[str, Callable[[Axes, Mapping[str, Any], Values], None]] = {
    "line": _line, "band": _band, "dots": _dots, "trail": _trail, "arrows": _arrows, "raster": _raster, "contours": _contours,
    "bins": _bins, "mark": _mark, "note": _note,
}  # fmt: skip
_PANELS: dict[str, Callable[[Axes, Mapping[str, Any], Values], None]] = {
    "plane": _plane, "bars": _bars, "simplex": _simplex, "matrix": _matrix, "strip": _strip,
}  # fmt: skip
