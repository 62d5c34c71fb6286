from __future__ import annotations

import json
import math
import operator
import sys
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kexue.records import Claim, ClaimError, claim, glue_value, read_claims
from kexue.records import glue as glue_module
from kexue.records.claims import MIME
from kexue.records.glue import PREFIX, check_name, glue_bundle, in_notebook


@pytest.mark.parametrize(("relation", "compare"), [("<", operator.lt), ("<=", operator.le), (">", operator.gt), (">=", operator.ge)])
@settings(deadline=None)
@given(value=st.floats(-5, 5), bound=st.floats(-5, 5))
def test_a_claim_holds_exactly_when_its_relation_does(relation: str, compare: Any, value: float, bound: float) -> None:
    if compare(value, bound):
        assert claim("c", value, relation, bound, text="t").value == value
    else:
        with pytest.raises(ClaimError, match="does not hold"):
            claim("c", value, relation, bound, text="t")


@pytest.mark.parametrize(("value", "bound", "holds"), [(3, 3, True), (3, 4, False), ("a", "a", True), ("a", "b", False)])
def test_equality(value: object, bound: object, holds: bool) -> None:
    if holds:
        assert claim("c", value, "==", bound, text="t").bound == bound
    else:
        with pytest.raises(ClaimError):
            claim("c", value, "==", bound, text="t")


def test_about_equal() -> None:
    assert claim("c", 1.04, "≈", 1, abs=0.05, text="t").tolerance == "within 0.050"
    assert claim("c", 104.0, "≈", 100, rel=0.05, text="t").tolerance == "within 5.0 %"
    assert claim("c", -104.0, "≈", -100, rel=0.05, text="t").shown == "−104"
    with pytest.raises(ClaimError, match=r"within 0\.030"):
        claim("c", 1.04, "≈", 1, abs=0.03, text="t")
    with pytest.raises(ClaimError, match=r"within 3\.0 %"):
        claim("c", -104.0, "≈", -100, rel=0.03, text="t")


def test_the_error_names_everything() -> None:
    with pytest.raises(ClaimError) as caught:
        claim("elbo-best", -110.0, ">=", -105, text="The best bound")
    for part in ("elbo-best", "-110.0", ">=", "-105", "The best bound"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "options", "match"),
    [
        (("Not Kebab", 1, "<", 2), {}, "kebab"),
        (("c", 1, "<>", 2), {}, "one of"),
        (("c", 1.0, "==", 1), {}, "floats"),
        (("c", 1, "==", 1.0), {}, "floats"),
        (("c", "1", "==", 1), {}, "string and a number"),
        (("c", "a", "<", "b"), {}, "numbers"),
        (("c", 1, "<", 2), {"abs": 0.1}, "only the relation"),
        (("c", 1, "≈", 2), {}, "exactly one"),
        (("c", 1, "≈", 1), {"abs": 0.1, "rel": 0.1}, "exactly one"),
        (("c", 1, "≈", 1), {"abs": 0.0}, "positive"),
        (("c", 1, "≈", 1), {"rel": math.inf}, "positive"),
        (("c", 1, "<", 2), {"text": " "}, "text"),
    ],
)
def test_a_badly_put_claim_is_refused(arguments: tuple[Any, ...], options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        claim(*arguments, **({"text": "t"} | options))


@pytest.mark.parametrize(("value", "bound"), [(math.nan, 1.0), (1.0, math.nan), (math.inf, 1.0), (torch.tensor(math.nan), 1.0)])
@pytest.mark.parametrize("relation", ["<", ">", "≈"])
def test_what_is_not_finite_is_refused(value: object, bound: object, relation: str) -> None:
    with pytest.raises(ClaimError, match="not finite"):
        claim("c", value, relation, bound, text="t", abs=1.0 if relation == "≈" else None)


def test_display() -> None:
    made = claim("gap-small", 0.1234, "<", 0.5, text="The gap < a half & small", unit="nats")
    bundle = made._repr_mimebundle_()
    assert bundle["text/plain"] == "✓ The gap < a half & small: 0.123 nats < 0.5 nats"
    assert "&lt; a half &amp; small" in bundle["text/html"]
    assert 'data-claim="gap-small"' in bundle["text/html"]
    assert Claim(**json.loads(json.dumps(bundle[MIME]))) == made


@pytest.mark.parametrize(
    ("bound", "shown"), [(0.5, "0.5"), (0.12345, "0.12345"), (0.123456789012, "0.123"), (-105, "−105"), (1e-9, "1.00 × 10⁻⁹")]
)
def test_bounds_are_shown_as_they_are_given(bound: float, shown: str) -> None:
    assert claim("c", 1e3, ">", bound, text="t").shown_bound == shown


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Outputs that a kernel would send, in the notebook's format."""
    import IPython.display

    outputs: list[dict[str, Any]] = []

    def display(bundle: dict[str, Any], *, raw: bool, metadata: dict[str, Any]) -> None:
        assert raw
        outputs.append({"output_type": "display_data", "data": bundle, "metadata": metadata})

    monkeypatch.setattr(glue_module, "in_notebook", lambda: True)
    monkeypatch.setattr(IPython.display, "display", display)
    return outputs


def test_claims_and_values_reach_the_prose(shown: list[dict[str, Any]]) -> None:
    nbformat = pytest.importorskip("nbformat")
    glue = pytest.importorskip("myst_nb.ext.glue")
    variables = pytest.importorskip("myst_nb.core.variables")
    claim("best-elbo", -104.256, ">=", -105, text="t", digits=4)
    glue_value("half", 0.5)
    glue_value("word", "rope")
    cell = nbformat.v4.new_code_cell(outputs=[nbformat.from_dict(o) for o in shown])
    data = glue.extract_glue_data(nbformat.v4.new_notebook(cells=[cell]), [0], None)
    # this is what the role {glue:text}`name` shows
    texts = {name: variables.format_plain_text(output["data"]["text/plain"], "s") for name, output in data.items()}
    assert texts == {"best-elbo": "−104.3", "half": "0.500", "word": "rope"}
    assert cell.outputs == []  # nothing of it shows on the page


def test_claims_are_read_from_outputs(shown: list[dict[str, Any]]) -> None:
    made = claim("one", 1, "<", 2, text="t")
    claim("two", 2, "<", 3, text="t")
    glue_value("no-claim", 3.0)
    visible = {"output_type": "execute_result", "data": made._repr_mimebundle_(), "metadata": {}}
    assert [c.name for c in read_claims([*shown, visible, {"output_type": "stream", "text": "x"}])] == ["one", "two"]
    claim("one", 1, "<", 3, text="t")
    with pytest.raises(ValueError, match="two different claims are named 'one'"):
        read_claims(shown)


def test_nothing_is_displayed_outside_a_kernel(capsys: pytest.CaptureFixture[str]) -> None:
    assert not in_notebook()
    claim("one", 1, "<", 2, text="t")
    assert capsys.readouterr().out == ""


def test_glue_without_ipython(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not in_notebook()
    assert "IPython" not in sys.modules


def test_glue_bundle_is_hidden_from_front_ends() -> None:
    bundle, metadata = glue_bundle("name", "0.500", {MIME: {"a": 1}})
    assert all(mime.startswith(PREFIX) for mime in bundle)
    assert metadata == {"scrapbook": {"name": "name", "mime_prefix": PREFIX}}


@pytest.mark.parametrize("name", ["", "A", "a_b", "a--b", "-a", "a-", "a b", "é"])
def test_names_must_be_kebab(name: str) -> None:
    with pytest.raises(ValueError, match="kebab"):
        check_name(name)


def test_glue_value() -> None:
    assert glue_value("loss", -0.256, "{:.2f}") == "−0.26"
    assert glue_value("count", 12) == "12"
    assert glue_value("tensor", torch.tensor(1.5), "{:.1f}") == "1.5"
    with pytest.raises(ValueError, match="finite"):
        glue_value("bad", math.nan, "{:.1f}")


@pytest.mark.slow
def test_in_a_real_kernel() -> None:
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    source = "from kexue.records import claim\nclaim('one', 1, '<', 2, text='t')\nclaim('two', 0.5, '<', 2, text='t')"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    nbclient.NotebookClient(notebook, kernel_name="python3", timeout=60).execute()
    outputs = notebook.cells[0].outputs
    assert [o.metadata.get("scrapbook", {}).get("name") for o in outputs] == ["one", "two", None]
    assert [c.name for c in read_claims(outputs)] == ["one", "two"]
