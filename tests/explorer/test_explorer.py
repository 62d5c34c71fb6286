from __future__ import annotations

import base64
import itertools
import json
import re

import ipywidgets as w
import numpy as np
import pytest

from kexue.explorer import panels as p
from kexue.explorer.quantise import dequantise


def payload(explorer):
    """The JSON of the static page, as a browser would find it."""
    text = re.search(r'<script type="application/json">(.*?)</script>', explorer.html(), re.DOTALL).group(1)
    return json.loads(text)


def decode(spec):
    kinds = {"u1": "<u1", "u2": "<u2", "u2log": "<u2", "f4": "<f4"}
    return dequantise(np.frombuffer(base64.b64decode(spec["data"]), kinds[spec["enc"]]), spec["enc"], *spec["range"])


def test_the_page_answers_as_the_function_does_up_to_half_a_step(make, decay):
    explorer = make()
    data = payload(explorer)
    grid = {c["name"]: c for c in data["controls"]}
    tau = [10.0**u for u in grid["tau"]["grid"]]
    table = data["tables"]["curve"]
    assert table["deps"] == ["tau", "mode"]
    curve = decode(table).reshape(len(tau), 2, 40)
    bound = np.diff(table["range"])[0] / (2 * 65534) * (1 + 1e-9)
    for (i, t), (j, mode) in itertools.product(enumerate(tau), enumerate(["soft", "hard"])):
        assert np.abs(curve[i, j] - decay(t, 0.5, mode)["curve"]).max() <= bound


def test_each_output_depends_on_its_own_controls_alone(make):
    tables = payload(make())["tables"]
    assert {n: t["deps"] for n, t in tables.items() if t["deps"]} == {
        "curve": ["tau", "mode"],
        "line": ["shift"],
        "area": ["tau", "shift"],
        "word": ["tau"],
    }
    assert "count" not in tables  # nobody shows it


def test_live_answers_are_exact(make, decay):
    explorer = make()
    explorer.controls["tau"].value = 0.31830988  # on no grid
    frame = explorer.figure.frame
    curve = np.frombuffer(frame["values"]["curve"]["data"])
    assert np.array_equal(curve, decay(0.31830988, 0.5, "soft")["curve"])
    assert frame["values"]["word"] == "fast"
    assert explorer.values()["area"] == 0.31830988 * 0.5
    assert explorer.say() == "At τ = 0.32 and soft the area is 0.16."


def test_the_widgets_are_the_readers_own_and_compose(make):
    tau = w.FloatLogSlider(value=1.0, base=10, min=-1, max=1)
    explorer = make(lambda tau: {"curve": np.ones(3) * tau}, controls={"tau": tau}, panels=[p.Curves("curve")], sentence="{tau}")
    assert explorer.controls["tau"] is tau
    other = w.FloatText(value=2.0)
    link = w.link((other, "value"), (tau, "value"))
    other.value = 4.0
    assert np.frombuffer(explorer.figure.frame["values"]["curve"]["data"]).tolist() == [4.0] * 3
    link.unlink()
    assert tau in explorer.children


def test_a_preset_from_the_front_end_sets_the_widgets_and_is_answered_once(make):
    explorer = make()
    answers = []
    explorer.figure.observe(lambda change: answers.append(change.new["at"]), "frame")
    explorer.figure.request = {"at": {"tau": -0.5, "shift": 0.25, "mode": 1.0}, "n": 1}
    assert explorer.controls["tau"].value == pytest.approx(10**-0.5, rel=1e-12)
    assert explorer.controls["mode"].value == "hard"
    assert len(answers) == 1
    assert answers[0] == pytest.approx({"tau": -0.5, "shift": 0.25, "mode": 1.0})


def test_an_error_of_the_function_is_shown_and_the_next_answer_clears_it(make):
    def f(tau, shift, mode):
        if shift == 0.123:
            raise RuntimeError("no such rope\nwith a second line")
        return {"curve": np.ones(3) * tau}

    explorer = make(f, panels=[p.Curves("curve")], sentence="{tau}")
    explorer.controls["shift"].value = 0.123
    assert explorer.figure.frame["error"] == "RuntimeError: no such rope"
    assert "values" not in explorer.figure.frame
    explorer.controls["shift"].value = 0.5
    assert explorer.figure.frame["error"] == ""


def test_a_second_explorer_is_the_same_to_the_byte(make):
    assert make().html() == make().html()


def test_data_cannot_close_its_script_element(make):
    explorer = make(title="A </script><!-- title", alt='alt with "quotes" & <b>')
    text = explorer.html()
    assert "</script><!--" not in text.replace("&lt;", "")
    assert payload(explorer)["title"] == "A </script><!-- title"
    assert "alt with &quot;quotes&quot; &amp; &lt;b&gt;" in text


def test_the_page_has_three_pictures_with_words_within_their_budget(make):
    text = make().html()
    pictures = re.findall(r'<img src="data:image/png;base64,([^"]+)" alt="([^"]+)"', text)
    assert len(pictures) == 3
    assert sum(len(data) for data, _ in pictures) <= 40_000
    assert [alt for _, alt in pictures] == [
        f"An exponential decay that slows down with τ. At τ = {tau} and soft the area is {area}."
        for tau, area in (("0.10", "0.05"), ("0.50", "0.25"), ("10.00", "5.00"))
    ]
    assert all(base64.b64decode(data).startswith(b"\x89PNG") for data, _ in pictures)
    assert "<noscript>" in text


def test_the_bundle_offers_the_widget_and_the_page(make):
    bundle = make()._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert bundle["text/html"].startswith('<div class="kexue-explorer" id="explorer-decay"')
    assert re.fullmatch(r"Explorer 'decay': \d+ states, [\d,]+ bytes", bundle["text/plain"])


def test_critical_values_and_presets_are_reachable_exactly(make):
    data = payload(make())
    tau = next(c for c in data["controls"] if c["name"] == "tau")
    assert tau["marks"][0][0] in tau["grid"]
    assert data["presets"][0][1]["tau"] in tau["grid"]
    assert tau["start"] in tau["grid"]
    assert "positions" not in tau


def test_between_states_the_slider_moves_finely_only_where_everything_can_follow(make):
    data = payload(make(interpolate=True, panels=[p.Curves("curve", "line", x=X_)]))
    fine = {c["name"]: "positions" in c for c in data["controls"]}
    assert fine == {"tau": True, "shift": False, "mode": False}  # the grid of shift is already every step
    with_word = payload(make(interpolate=True))
    assert "positions" not in with_word["controls"][0]  # a word lies on no line between two words
    named = payload(make(interpolate=["line"]))
    assert {n: t.get("lerp", False) for n, t in named["tables"].items() if t["deps"]} == {
        "curve": False,
        "line": True,
        "area": False,
        "word": False,
    }


X_ = np.linspace(0.0, 1.0, 40)


def test_a_sentence_may_be_a_function(make):
    explorer = make(sentence=lambda tau, word, area: f"{word}: {tau:.1f}, {area:.3f}")
    assert explorer.say() == "fast: 1.0, 0.500"
    said = payload(explorer)["tables"]["@say"]
    assert said["deps"] == ["tau", "shift"]
    assert len(said["codes"]) == 7 * 5
    assert "fast: 1.0, 0.500" in said["strings"]
    explorer.controls["tau"].value = 2.0
    assert explorer.say() == "slow: 2.0, 1.000"
    assert explorer.figure.frame["values"]["@say"] == "slow: 2.0, 1.000"
    everything = make(sentence=lambda **state: f"{len(state)} values")
    assert everything.say() == "8 values"


def test_several_functions_each_with_its_own_controls(make):
    explorer = make(
        [lambda tau: {"curve": X_ * tau}, lambda shift: {"line": X_ + shift}],
        panels=[p.Curves("curve", "line", x=X_)],
        sentence="{tau}",
    )
    assert explorer.grid_states == 7 + 5
    explorer.controls["shift"].value = 0.1
    assert np.array_equal(explorer.values()["line"], X_ + 0.1)


def test_expressions_are_computed_by_the_page(make):
    explorer = make(
        lambda shift: {"logits": np.array([shift, 0.0, 1.0])},
        constants={"noise": np.ones((5, 3))},
        derived={"y": "softmax((logits + noise) / tau)", "top": "max(take(y, 0))", "unused": "tau"},
        panels=[p.Simplex("y")],
        sentence="{top:.2f}",
    )
    data = payload(explorer)
    assert [name for name, _ in data["derived"]] == ["y", "top"]
    assert set(data["tables"]) == {"logits", "noise"}
    assert len(next(c for c in data["controls"] if c["name"] == "tau")["positions"]) > 40
    z = np.exp(np.array([0.5, 0.0, 1.0]))
    assert explorer.values()["y"][0] == pytest.approx(z / z.sum(), rel=1e-12)


def test_bits_are_chosen_by_the_author(make):
    data = payload(make(bits={"curve": 8, "line": 32}))
    assert (data["tables"]["curve"]["enc"], data["tables"]["line"]["enc"]) == ("u1", "f4")


def test_play_gives_buttons_and_in_jupyterlab_a_player(make):
    explorer = make(
        lambda epoch, shift: {"line": X_ * epoch + shift},
        controls={"epoch": w.Play(value=0, min=0, max=4, interval=120, description="Epoch"), "shift": w.IntSlider(value=0, min=0, max=3)},
        play=["shift"],
        grid={},
        presets={},
        marks={},
        panels=[p.Curves("line", x=X_)],
        sentence="{epoch}",
    )
    assert [c["play"] for c in payload(explorer)["controls"]] == [120, 200]
    player = explorer.children[2].children[0]
    player.value = 2
    assert explorer.controls["shift"].value == 2
    assert isinstance(explorer.children[1].children[1], w.IntSlider)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "Not A Name"}, "lower case"),
        ({"name": ""}, "needs name"),
        ({"title": " "}, "needs title"),
        ({"alt": ""}, "needs alt"),
        ({"controls": {}}, "at least one control"),
        ({"panels": []}, "at least one panel"),
        ({"controls": {"tau": w.Text(), "shift": w.Text(), "mode": w.Text()}}, "Text is not a control"),
        ({"panels": [p.Curves("curv")]}, "did you mean 'curve'"),
        ({"panels": [p.Curves("zzz")]}, r"'zzz', which the function does not return; it returns"),
        ({"panels": [p.Curves([np.inf, 1.0])]}, "infinite"),
        ({"sentence": "At {tua}"}, "did you mean 'tau'"),
        ({"sentence": "At {curve}"}, r"\{curve\} has shape \(40,\)"),
        ({"sentence": lambda tua: "x"}, r"asks for \['tua'\]"),
        ({"presets": {"far": {"tau": 50.0}}}, "50 lies outside 0.1 … 10"),
        ({"presets": {"odd": {"mode": "medium"}}}, "none of its options"),
        ({"presets": {"odd": {"speed": 1}}}, r"preset 'odd' names \['speed'\]"),
        ({"marks": {"tau": {-1.0: "below"}}}, "positive"),
        ({"grid": {"mode": 3}}, "takes no grid"),
        ({"grid": {"taus": 3}}, r"grid names \['taus'\]"),
        ({"play": ["speed"]}, r"play names \['speed'\]"),
        ({"interpolate": ["curv"]}, r"interpolate names \['curv'\]"),
        ({"depends": {"curv": ("tau",)}}, "depends and bits name outputs"),
        ({"bits": {"curve": 12}}, "8, 16 or 32"),
        ({"derived": {"y": "q + 1"}}, r"\['q'\] are unknown"),
        ({"derived": {"tau": "shift + 1"}}, r"\['tau'\] are unknown"),
        ({"limit": 1000}, r"the most is 1,000: curve \(tau × mode\)"),
    ],
)
def test_a_wrong_declaration_is_refused_in_one_line(make, changes, message):
    with pytest.raises(ValueError, match=message) as e:
        make(**changes)
    assert "\n" not in str(e.value)


def test_a_name_given_twice_is_refused(make):
    with pytest.raises(ValueError, match=r"\['curve'\] are given twice"):
        make([lambda tau: {"curve": tau}, lambda shift: {"curve": shift}])
    with pytest.raises(ValueError, match=r"\['tau'\] are given twice"):
        make(lambda shift: {"tau": shift})
