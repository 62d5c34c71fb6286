"""The explorers answer with the library's numbers, and the plots carry their words."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from kexue.mathematics import minimum_entropy as me
from kexue.mathematics import minimum_entropy_figures as explorers
from kexue.mathematics import minimum_entropy_maps as maps
from kexue.mathematics import minimum_entropy_plots as plots
from kexue.mathematics import minimum_entropy_shelves as shelves
from kexue.mathematics.minimum_entropy_maps_experiments import Morph, sample
from kexue.mathematics.minimum_entropy_maps_figures import sne_to_tsne

WORDS = {"name": "fig-test", "alt": "a finding", "caption": "c"}


# --------------------------------------------------------------------------------------------------------------------- the hall
def places_of(state: dict[str, object]) -> np.ndarray:  # type: ignore[type-arg]
    """The places of the forty books, subject by subject, from the three groups of popularity."""
    parts = []
    for name, part in explorers.GROUPS.items():
        width = part.stop - part.start
        xy = np.stack([np.asarray(state[f"x_{name}"]), np.asarray(state[f"y_{name}"])], -1)
        parts.append(xy.reshape(explorers.SUBJECTS, width, 2))
    return np.concatenate(parts, 1).reshape(-1, 2)


@pytest.mark.parametrize(("a", "cooling", "frame"), [(0.5, 1, 24), (0.0, 0, 24), (1.0, 2, 11), (0.25, 1, 0)])
def test_the_hall_says_what_its_picture_costs(a: float, cooling: int, frame: int) -> None:
    state = explorers.hall_state(a, cooling, frame)
    x, joint = places_of(state), explorers.hall_records()
    assert sorted(map(tuple, x.tolist())) == sorted(map(tuple, explorers.SLOTS.tolist()))
    way_in = float(joint.sum(1) @ np.linalg.norm(x, axis=1))
    between = float((joint * np.linalg.norm(x[:, None] - x, axis=-1)).sum())
    assert state["way_in"] == pytest.approx(way_in, abs=1e-12)
    assert state["between"] == pytest.approx(between, abs=1e-12)
    assert state["walk"] == pytest.approx(way_in + between, abs=1e-12)
    assert state["cost"] == pytest.approx(2 * (1 - a) * way_in + 2 * a * between, abs=1e-12)
    assert explorers.descent(a, cooling)["course"][frame] == pytest.approx(state["cost"] / state["random"], abs=1e-12)  # type: ignore[operator]


def test_the_entropy_of_the_hall_is_that_of_the_best_scale() -> None:
    state = explorers.hall_state(0.5, 1, 24)
    joint, x = torch.from_numpy(explorers.hall_records()), torch.from_numpy(places_of(state))
    far = me.distance_logits(x)
    fine = min(me.entropy(joint, me.without_self(s * far)).item() for s in np.geomspace(0.005, 2, 200))
    assert fine <= state["nats"] <= fine + 0.01  # type: ignore[operator]
    assert me.conditional_entropy(joint).item() < fine < math.log(39)


def test_time_brings_order_and_weights_decide_which() -> None:
    for a in (0.0, 0.5, 1.0):
        course = explorers.descent(a, 1)["course"]
        assert course.shape == (25,)
        assert course[0] > 1 > 0.82 > course[-1]
    only_in, only_between = explorers.hall_state(0.0, 1, 24), explorers.hall_state(1.0, 1, 24)
    assert only_in["way_in"] < only_between["way_in"]  # type: ignore[operator]
    assert only_in["between"] > only_between["between"]  # type: ignore[operator]
    plain = explorers.weighted(0.0)
    assert only_in["cost"] == pytest.approx(plain.cost(shelves.popular_first(plain)), rel=0.002)


def test_the_explorer_of_the_hall() -> None:
    explorer = explorers.arrange_the_library()
    assert explorer.data_bytes < 150_000
    explorer.controls["a"].value = 1.0
    values = explorer.values()
    assert values["steps"].tolist() == pytest.approx([float(values["way_in"]), float(values["between"])])
    assert values["ratio"] == pytest.approx(values["cost"] / values["random"])
    assert "With weight 1.000 on togetherness, at time 24 of 24" in explorer.say()
    assert values["floor"] == pytest.approx(me.conditional_entropy(torch.from_numpy(explorers.hall_records())).item())
    assert values["blind"] == pytest.approx(math.log(39))


# ---------------------------------------------------------------------------------------------------------------- the one shelf
@pytest.mark.parametrize("start", range(4))
def test_a_swap_of_two_places(start: int) -> None:
    state = explorers.swap_state(start, 2, 5)
    upper = np.asarray(state["upper_x"]).astype(int) - 1
    lower = np.asarray(state["lower_x"]).astype(int) - 1
    assert [int(k) for k in np.flatnonzero(upper != lower)] == sorted(int(np.flatnonzero(upper == k)[0]) for k in (1, 4))
    assert sorted(lower[upper == 1].tolist() + lower[upper == 4].tolist()) == [1, 4]
    toy = explorers.TOY
    change = toy.cost(lower) - toy.cost(upper)
    assert state["before"] == pytest.approx(toy.cost(upper), abs=1e-12)
    assert np.asarray(state["changes"])[2] == pytest.approx(change, abs=1e-12)
    assert np.asarray(state["changes"])[:2] == pytest.approx(np.subtract(toy.parts(lower), toy.parts(upper)), abs=1e-12)
    table = np.asarray(state["table"])
    assert table[1, 4] == table[4, 1] == pytest.approx(change, abs=1e-12)
    assert state["helpful"] == sum(table[i, j] < -1e-9 for i in range(8) for j in range(i))
    assert state["least"] == table.min()


def test_where_swaps_help() -> None:
    helpful = [explorers.swap_state(k, 1, 1)["helpful"] for k in range(4)]
    assert helpful[3] == 0
    assert all(h > 0 for h in helpful[:3])  # type: ignore[operator]
    assert np.abs(np.asarray(explorers.swap_state(0, 3, 3)["changes"])).max() == 0


def test_the_explorer_of_the_shelf() -> None:
    explorer = explorers.swap_two_books()
    assert explorer.data_bytes < 40_000
    assert explorer.say() == "Swapping places 2 and 5 changes the cost 7.118 by −0.616 steps; 8 of the 28 swaps of this shelf would save."
    values = explorer.values()
    assert values["upper_0"].tolist() == [values["upper_x"][0], values["upper_x"][4]]
    assert values["lower_3"].tolist() == [values["lower_x"][3], values["lower_x"][7]]


# --------------------------------------------------------------------------------------------------------------------- the maps
def test_the_explorer_of_maps_shows_the_run() -> None:
    tiny = Morph("minimum-entropy-maps/morph", points=60, perplexities=(5.0, 15.0), freedoms=(1.0, 0.0))
    x, labels = sample(60, 0)
    z = maps.principal_plane(x)
    weights = {"row": torch.stack([torch.stack([z, 2 * z])] * 2), "all": torch.stack([torch.stack([3 * z, 4 * z])] * 2)}
    states = tiny.states(weights)
    explorer = sne_to_tsne(tiny, weights)
    explorer.controls["perplexity"].value = 1
    explorer.controls["kernel"].value = 0  # infinite degrees of freedom: the last of the run
    values = explorer.values()
    assert values["cost"] == pytest.approx(states["row"]["cost"][1, 1].item())
    assert values["floor"] == pytest.approx(math.log(15), abs=1e-9)
    assert values["share"] == pytest.approx(100 * maps.same_class(z, labels))
    assert values["spread"] == pytest.approx(2 * z.square().sum(1).mean().sqrt().item())
    assert len(values["full"]) + len(values["rings"]) == 60
    assert float(np.square(np.concatenate([values["full"], values["rings"]])).sum(1).mean()) == pytest.approx(1)
    assert values["excesses"].tolist() == pytest.approx(states["row"]["excess"][1].flip(0).tolist())
    assert values["tail"] == pytest.approx(np.exp(-(np.linspace(0, 4, 81) ** 2)))
    explorer.controls["kernel"].value = 1
    explorer.controls["normaliser"].value = 1
    values = explorer.values()
    assert values["cost"] == pytest.approx(states["all"]["cost"][1, 0].item())
    assert values["tail"] == pytest.approx(1 / (1 + np.linspace(0, 4, 81) ** 2))
    assert "With ν = 1 and perplexity 15, normalised over all pairs (t-SNE)" in explorer.say()


# -------------------------------------------------------------------------------------------------------------------- the plots
def test_figures_carry_their_words() -> None:
    p = torch.tensor([0.5, 0.3, 0.2])
    drawn = [
        plots.orders([1.0, 2.0, 2.5, 3.0], {"best": 1.0, "random": 2.1}, **WORDS),
        plots.entropy_ruler((1, 2), {"dot": [3.0, 2.0], "distance": [3.5, 2.1]}, {"floor": 1.5}, **WORDS),
        plots.length_and_popularity(p, {"dot": p, "distance": 1 - p}, **WORDS),
        plots.length_and_popularity(p, {"dot": p}, **WORDS),
        plots.word_map(torch.rand(3, 2), ["one", "two", "three"], p, **WORDS),
        plots.digit_maps({"SNE": torch.rand(6, 2), "t-SNE": torch.rand(6, 2)}, torch.tensor([0, 1, 2, 6, 7, 8]), **WORDS),
    ]
    for shown in drawn:
        assert repr(shown) == "[Figure: a finding]"
        assert "<svg" in shown.markup


def test_the_line_of_the_entrance_has_the_predicted_slope(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []
    monkeypatch.setattr(plots.figures, "show", lambda fig, **words: kept.append(fig))
    square, log_p = torch.tensor([1.0, 2.0, 6.0]), torch.tensor([-2.0, -3.0, -10.0])
    plots.entrance_law({"one": (square, log_p, -0.75), "two": (square + 1, log_p, -0.5)}, **WORDS)
    for ax, slope in zip(kept[0].axes, (-0.75, -0.5), strict=True):
        points, line = ax.lines
        assert points.get_ydata().tolist() == log_p.tolist()
        (x0, x1), (y0, y1) = line.get_data()
        assert (y1 - y0) / (x1 - x0) == pytest.approx(slope)
        assert (y0 + y1) / 2 + slope * (points.get_xdata().mean() - (x0 + x1) / 2) == pytest.approx(-5)  # through the means
    assert [ax.get_title(loc="left") or ax.get_title() for ax in kept[0].axes] == ["one", "two"]
    assert kept[0].axes[0].get_legend().get_texts()[0].get_text() == "predicted: −0.75"


def test_no_word_of_the_map_covers_another(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []
    monkeypatch.setattr(plots.figures, "show", lambda fig, **words: kept.append(fig))
    places = torch.rand(40, 2, generator=torch.Generator().manual_seed(0))
    places[:6] = torch.tensor([0.5, 0.5])  # six words in one place, and two that stand alone
    places[-2:] = torch.tensor([[2.0, 2.0], [-1.0, -1.0]])
    popularity = torch.full((40,), 0.02).scatter(0, torch.tensor([0]), 0.22)
    plots.word_map(places, [f"w{i}" for i in range(40)], popularity, **WORDS)
    texts = kept[0].axes[0].texts
    boxes = [text.get_window_extent() for text in texts]
    for i, one in enumerate(boxes):
        for two in boxes[:i]:
            beside = one.x0 >= two.x1 or two.x0 >= one.x1
            assert beside or abs(one.y0 + one.y1 - two.y0 - two.y1) >= 0.8 * (one.height + two.height)
    moved = np.array([text.get_position() for text in texts]) - places.numpy()
    assert np.abs(moved[:, 0]).max() < 1e-6
    assert np.abs(moved[-2:]).max() < 1e-6


def test_the_shelf_of_words_is_text_with_its_language() -> None:
    shown = plots.word_shelf(["经济", "<x>"], {"经济": "economy & trade"}, caption="in order")
    assert '<span lang="zh">经济</span> <small>economy &amp; trade</small>' in shown.markup
    assert '<span lang="zh">&lt;x&gt;</span></span>' in shown.markup
    assert "<figcaption>in order</figcaption>" in shown.markup
    assert repr(shown) == "in order\n经济 <x>"


def test_the_table_of_neighbours_marks_every_chinese_word() -> None:
    lists = {"北京": {"tied": ["市委", "首都"], "untied": ["上海", "天津"]}, "经济": {"tied": ["建设"], "untied": ["首都"]}}
    shown = plots.neighbour_table(lists, name="tab-test", caption="c")
    assert '<th scope="row"><span lang="zh">北京</span></th>' in shown.markup
    assert '<td><span lang="zh">市委</span> <span lang="zh">首都</span></td>' in shown.markup
    assert shown.markup.count('lang="zh"') == 8
    plain = plots.neighbour_table({"red": {"tied": ["wings", "sox"]}}, name="tab-test", caption="c")
    assert "<td>wings sox</td>" in plain.markup
    assert "lang=" not in plain.markup
    assert '<th scope="col">untied</th>' in shown.markup
    assert "北京 | 市委 首都 | 上海 天津" in repr(shown)
