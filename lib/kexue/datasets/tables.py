"""Decoders of tables: measurements in columns, with what is known of causes and effects."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .archives import Archive, ArchiveError
from .spec import Column

__all__ = ["SACHS_CONDITIONS", "adjacency", "sachs", "tuebingen"]

Columns = dict[str, Column]

# The nine treatments in the order of the paper's data files, with the cells of each. The package has put the files one after the
# other and left their names out; that its rows change at just these places is a test.
SACHS_CONDITIONS = {
    "cd3cd28": 853,
    "cd3cd28+icam2": 902,
    "cd3cd28+aktinhib": 911,
    "cd3cd28+g0076": 723,
    "cd3cd28+psitect": 810,
    "cd3cd28+u0126": 799,
    "cd3cd28+ly": 848,
    "pma": 913,
    "b2camp": 707,
}


def adjacency(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> NDArray[np.bool_]:
    """The matrix of a directed graph: entry (i, j) is true if an arrow goes from i to j.

    >>> adjacency(["a", "b"], [("b", "a")]).astype(int).tolist()
    [[0, 0], [1, 0]]

    Raises:
        ValueError: an arrow begins or ends at a name that is not among `names`.
    """
    matrix = np.zeros((len(names), len(names)), np.bool_)
    for edge in edges:
        for name in edge:
            if name not in names:
                raise ValueError(f"the arrow {edge[0]} -> {edge[1]} names {name}, which is not among {', '.join(names)}")
        matrix[names.index(edge[0]), names.index(edge[1])] = True
    return matrix


def sachs(archive: Archive) -> Columns:
    """Cells by proteins, the treatment of each cell, and the graph of what the literature says acts on what."""
    data, target = (raw.decode("utf8") for raw in archive.read("cyto_full_data.csv", "cyto_full_target.csv"))
    lines = data.splitlines()
    names = lines[0].split(",")
    table = np.loadtxt(lines[1:], delimiter=",", ndmin=2)
    sizes = list(SACHS_CONDITIONS.values())
    if len(table) != sum(sizes):
        raise ArchiveError(f"the table of cells has {len(table)} rows, expected {sum(sizes)}")
    rows = [row for row in csv.reader(io.StringIO(target)) if row][1:]
    graph = adjacency(names, [(cause, effect) for cause, effect in rows])
    return {"table": table, "labels": np.repeat(np.arange(len(sizes), dtype=np.int64), sizes), "names": names, "graph": graph}


def tuebingen(archive: Archive) -> Columns:
    """Pairs of measured quantities, the cause in the first column of each and the effect in the second.

    The package has turned every pair that way; its table of directions says so, and a pair that it gives the other way is turned.
    """
    pairs, targets = (raw.decode("utf8").splitlines() for raw in archive.read("Tuebingen_pairs.csv", "Tuebingen_targets.csv"))
    direction = dict(line.split(",") for line in targets[1:] if line)
    names, found = [], []
    for line in pairs[1:]:
        if not line:
            continue
        name, *sides = line.split(",")
        x, y = (np.array(side.split(), np.float64) for side in sides)
        names.append(name)
        found.append(np.stack([x, y] if float(direction[name]) > 0 else [y, x], 1))
    return {"pairs": found, "names": names}
