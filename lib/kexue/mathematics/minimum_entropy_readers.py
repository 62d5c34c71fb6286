"""Readers made of sentences: the loan records of a newspaper, where a book is a word and a visit is a sentence.

A sentence takes each of its content words once. Two different words of one sentence are a pair of loans, counted in both orders: the
window is symmetric, so tied vectors can do it justice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["GLOSSES", "STOPS", "frequent", "independent", "pairs", "sentences"]

STOPS = frozenset("。！？；")
NOUNS = frozenset({"n", "ns", "nt", "nz"})  # common nouns, names of places, of institutions, others; not of persons

#: what the hundred most frequent nouns of People's Daily, January 1998, mean, for figures whose fonts have no Chinese
GLOSSES = {
    "中国": "China", "经济": "economy", "企业": "enterprise", "记者": "reporter", "国家": "state", "问题": "problem", "市场": "market",
    "全国": "nationwide", "人民": "people", "北京": "Beijing", "政府": "government", "社会": "society", "我国": "our country",
    "地区": "region", "美国": "USA", "新华社": "Xinhua", "公司": "company", "世界": "world", "国际": "international", "群众": "masses",
    "关系": "relations", "技术": "technology", "干部": "cadre", "部门": "department", "职工": "employee", "文化": "culture",
    "同志": "comrade", "金融": "finance", "会议": "conference", "方面": "aspect", "领导": "leader", "产品": "product", "人员": "personnel",
    "科技": "science", "社会主义": "socialism", "工程": "project", "农业": "agriculture", "精神": "spirit", "历史": "history",
    "银行": "bank", "中央": "centre", "农村": "countryside", "政策": "policy", "主席": "chairman", "水平": "level", "农民": "farmer",
    "图片": "picture", "单位": "work unit", "情况": "situation", "人们": "people (all)", "民族": "nation", "产业": "industry",
    "基础": "basis", "香港": "Hong Kong", "制度": "system", "政治": "politics", "集团": "group", "资金": "funds", "价格": "price",
    "项目": "item", "日本": "Japan", "作用": "effect", "结构": "structure", "艺术": "art", "总理": "premier", "体育": "sport",
    "国务院": "State Council", "上海": "Shanghai", "事业": "cause", "思想": "thought", "总统": "president", "地方": "place",
    "时间": "time", "世纪": "century", "措施": "measure", "环境": "environment", "质量": "quality", "条件": "condition",
    "传统": "tradition", "中心": "centre (hub)", "任务": "task", "委员会": "committee", "机构": "institution", "组织": "organisation",
    "城市": "city", "伊拉克": "Iraq", "信息": "information", "住房": "housing", "和平": "peace", "新闻": "news", "体制": "regime",
    "机关": "office", "两岸": "both shores", "目标": "goal", "形式": "form", "工业": "manufacturing", "专家": "expert", "书记": "secretary",
    "战略": "strategy", "理论": "theory", "祖国": "motherland", "能力": "ability", "计划": "plan", "孩子": "child", "方式": "manner",
}  # fmt: skip


def sentences(texts: Iterable[str], tags: Iterable[str], *, kinds: frozenset[str] = NOUNS, shortest: int = 2) -> list[list[str]]:
    """The baskets of the readers: for each sentence its distinct words of the given kinds, in alphabetical order.

    Args:
        texts: lines, words parted by blanks.
        tags: as many tags for each line, parted by blanks.
        kinds: tags of the words that count.
        shortest: least number of characters of a word that counts.

    Returns:
        Baskets of at least two words; others make no pair.

    Raises:
        ValueError: a line with another number of tags than words.

    >>> sentences(["中国 经济 发展 。 经济"], ["ns n v w n"])
    [['中国', '经济']]
    """
    baskets: list[list[str]] = []
    for text, tag in zip(texts, tags, strict=True):
        basket: set[str] = set()
        for word, kind in [*zip(text.split(), tag.split(), strict=True), ("。", "")]:  # the end of a line ends its sentence
            if word in STOPS:
                baskets += [sorted(basket)] * (len(basket) > 1)
                basket = set()
            elif kind in kinds and len(word) >= shortest:
                basket.add(word)
    return baskets


def frequent(baskets: Iterable[Sequence[str]], count: int) -> list[str]:
    """The `count` words that are in most baskets, the most frequent first, ties in alphabetical order."""
    seen = Counter(word for basket in baskets for word in basket)
    return sorted(seen, key=lambda word: (-seen[word], word))[:count]


# --8<-- [start:pairs]
def pairs(baskets: Iterable[Sequence[str]], words: Sequence[str]) -> Tensor:
    """How many baskets hold words i and j together, (N, N) in double precision, symmetric, diagonal 0."""
    place = {word: i for i, word in enumerate(words)}
    held = [[place[word] for word in basket if word in place] for basket in baskets]
    loans = np.zeros((len(held), len(words)), dtype=np.float32)  # baskets by words
    for row, basket in zip(loans, held, strict=True):
        row[basket] = 1
    together: NDArray[np.float64] = (loans.T @ loans).astype(np.float64)
    np.fill_diagonal(together, 0)
    return torch.from_numpy(together)


# --8<-- [end:pairs]


def independent(baskets: Sequence[Sequence[str]], *, seed: int) -> list[list[str]]:
    """The same loans dealt out anew: as many baskets of the same sizes, every word as popular as before, and no taste left.

    A word that is dealt twice to one basket stays there once, so baskets may become a little smaller.
    """
    loans = [word for basket in baskets for word in basket]
    order = np.random.default_rng(seed).permutation(len(loans))
    ends = np.cumsum([len(basket) for basket in baskets])
    return [sorted({loans[k] for k in part}) for part in np.split(order, ends[:-1])]
