"""The tables among the data sets of the book."""

from __future__ import annotations

from . import tables
from .sources import PyPI
from .spec import Info, Spec

__all__ = ["SACHS", "TUEBINGEN"]

_CDT = PyPI(
    "cdt",
    "0.6.0",
    "cdt/data/resources",
    "cdt-0.6.0-py3-none-any.whl",
    "a90401b688597c3ccf23cc7b10c62e19df69dc9277095bab40a1343c6e89996b",
)

SACHS = Spec(
    Info(
        name="sachs",
        title="Signals inside cells",
        what="How much of eleven phosphorylated proteins and lipids single human T cells hold, measured by flow cytometry under nine "
        "treatments, with the 18 arrows of what the literature says acts on what (three of them, plcg to PIP2 to PIP3 and back, "
        "make a circle).",
        count=7466,
        shape=(11,),
        splits=tables.SACHS_CONDITIONS,
        split_rule="the paper's treatments in its order: the first two stimulate in general, each of the others aims at one molecule",
        classes=tuple(tables.SACHS_CONDITIONS),
        registry="PyPI",
        package="cdt",
        version="0.6.0",
        licence="Apache-2.0 (package)",
        origin="K. Sachs, O. Perez, D. Pe'er, D. Lauffenburger and G. Nolan",
        citation="Sachs, Perez, Pe'er, Lauffenburger and Nolan (2005), Causal protein-signaling networks derived from multiparameter "
        "single-cell data, Science 308",
        rights="may be shown with its origin named",
        duplicates="no exact copies",
        bytes=716_992,
        download=921_069,
        sha256="2dc002cbba7996c262b518fe4193ac521612a5eb6e7589fca8d6f7fb736692e7",
        whole=("names", "graph"),
    ),
    (_CDT,),
    tables.sachs,
)

TUEBINGEN = Spec(
    Info(
        name="tuebingen",
        title="Tübingen cause-effect pairs",
        what="99 pairs of measured quantities of which it is known which is the cause, such as altitude and temperature; 94 to 16,382 "
        "points each, the cause in the first column.",
        count=99,
        shape=(),
        splits={},
        split_rule="none: too few, and many come from one source",
        classes=(),
        registry="PyPI",
        package="cdt",
        version="0.6.0",
        licence="Apache-2.0 (package)",
        origin="J. Mooij, D. Janzing, J. Zscheischler, B. Schölkopf and others, from 37 data sets of other makers",
        citation="Mooij, Peters, Janzing, Zscheischler and Schölkopf (2016), Distinguishing cause from effect using observational data, "
        "Journal of Machine Learning Research 17",
        rights="may be shown with its origin named",
        duplicates="no pair twice, but pairs of one source share a column: 76 different causes and 83 different effects",
        bytes=3_224_809,
        download=921_069,
        sha256="33ca1b76d8bdce267857266435b60a9bfb4643fbf9e821d92d8772b5029f7d76",
    ),
    (_CDT,),
    tables.tuebingen,
)
