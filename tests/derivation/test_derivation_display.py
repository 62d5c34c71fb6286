"""What is shown: LaTeX, HTML and plain text, and that nothing unverified can be shown."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
import sympy as sp
from sympy.stats import Normal

from kexue.derivation import Derivation, DerivationError, EllipticK, cn
from kexue.derivation.display import stylesheet
from kexue.derivation.printing import latex, pieces, plain, width

a, b = sp.symbols("a b", positive=True)
k = sp.Symbol("k", positive=True)
s, t = sp.symbols("s t", real=True)
X = sp.Function("x", real=True)
PHI = sp.Function("varphi", real=True)


@pytest.fixture(scope="module")
def every_kind() -> Derivation:
    z = Normal("z", a, b)
    d = Derivation("every-kind", "Every kind of step, $a<b$", domain={k: (0.1, 0.9)})
    start = d.given(sp.Eq(X(s).diff(s, 2), -(a**2) * X(s)), "an oscillator; 1 < 2 & 3", name="start")
    d.quoted(a, "from a book", source="A. Author, 1999")
    d.solves({X(s): b * sp.cos(a * s)}, of=start, reason="a cosine")
    d.given(sum(((a + i) ** i * sp.sqrt(b + i) for i in range(2, 9)), sp.S.Zero), "a long sum", name="long")
    d.differentiates(d.steps[-1].value.diff(a), of=d.steps[-1], wrt=a, reason="its slope")
    d.integrates(2 * EllipticK(k), 1 / sp.sqrt(1 - k**2 * sp.sin(t) ** 2), (t, 0, sp.pi), reason="a pendulum")
    d.limit(1, of=sp.sin(t) / t, var=t, to=0, direction="+", reason="small")
    d.expands(1 + t, of=sp.exp(t), var=t, order=2, reason="Taylor at $t=0$")
    d.expectation(a, of=z, over=z, reason="sampled", monte_carlo=True)
    d.refutes(a + b, to=sp.sqrt(a**2 + b**2), reason="not so", source="folklore")
    d.implied(a - a * sp.sin(t) ** 2 - a * sp.cos(t) ** 2, reason="an expression that is zero")
    d.given(sp.sqrt(a), "a chain begins")
    d.equal(a / sp.sqrt(a), "and goes on")
    return d


class _Structure(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.count: dict[str, int] = {}
        self.attributes: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.stack.append(tag)
        self.count[tag] = self.count.get(tag, 0) + 1
        self.attributes.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag


def test_html_is_well_formed_and_complete(every_kind: Derivation) -> None:
    html = every_kind.show()._repr_mimebundle_()["text/html"]
    structure = _Structure()
    structure.feed(html)
    assert structure.stack == []
    assert structure.count["li"] == structure.count["details"] == len(every_kind.steps)
    assert structure.count["ol"] == 1
    assert html.count(r"\(") == html.count(r"\)")
    assert "1 &lt; 2 &amp; 3" in html
    classes = {name for _, attributes in structure.attributes for name in (attributes.get("class") or "").split()}
    assert {"tex2jax_process", "mathjax_process", "kx-derivation-given", "kx-derivation-monte-carlo", "kx-derivation-refuted"} <= classes
    assert all(name.startswith("kx-derivation") or name.endswith("jax_process") for name in classes)
    for text in ("Both sides agree to at least", "standard error", "Shown wrong", "A. Author, 1999", "Proved by SymPy"):
        assert text in html
    numbers = [attributes["value"] for tag, attributes in structure.attributes if tag == "li"]
    assert numbers == [str(n + 1) for n in range(len(every_kind.steps))]
    anchors = [attributes["id"] for tag, attributes in structure.attributes if tag == "li"]
    assert len(set(anchors)) == len(anchors)


def test_long_formulas_break_or_scroll_with_a_name(every_kind: Derivation) -> None:
    html = every_kind.show()._repr_mimebundle_()["text/html"]
    boxes = re.findall(r'<span class="kx-derivation-math"([^>]*)>\\\(\\displaystyle (.*?)\\\)</span>', html)
    assert len(boxes) > 20
    for attributes, formula in boxes:
        if width(formula.replace("&lt;", "<")) > 20:
            assert 'tabindex="0"' in attributes
            assert "aria-label" in attributes
    long = pieces(every_kind.steps[3].value)
    assert len(long) == 7
    assert all(part.startswith(("+", "-")) for part in long[1:])


def test_latex_is_numbered_and_gives_reasons(every_kind: Derivation) -> None:
    text = every_kind.to_latex()
    assert text.startswith(r"\begin{align}")
    assert [int(n) for n in re.findall(r"\\tag\{(\d+)\}", text)] == list(range(1, len(every_kind.steps) + 1))
    assert r"\text{an oscillator; 1 < 2 & 3}" in text
    assert r"\ne" in text
    assert "x''" in text


def test_plain_text(every_kind: Derivation) -> None:
    text = str(every_kind)
    assert repr(every_kind.show()) == text == every_kind.show()._repr_mimebundle_()["text/plain"]
    for part in (
        "x'' = -a**2*x",
        "x = b*cos(a*s)",
        "[symbolic]",
        "lim[t -> 0+] sin(t)/t = 1",
        "d/d(a) [(4)]",
        "!= a + b",
        "E[z] = a",
        "= sqrt(a)",
    ):
        assert part in text
    assert repr(every_kind) == "Derivation('every-kind', 13 steps)"


def test_summary_counts_kinds(every_kind: Derivation) -> None:
    report = every_kind.verify()
    assert sum(report.kinds.values()) == 13
    assert every_kind.summary().startswith("13 steps: 3 given, 1 quoted, ")
    assert "1 by Monte Carlo, 1 refuted" in every_kind.summary()


def test_nothing_unverified_can_be_shown() -> None:
    d = Derivation("wrong")
    d.given(a + b, "start")
    d.equal(a - b, "wrong")
    for show in (d.show, d.to_latex, d.summary, d.verify, lambda: str(d)):
        with pytest.raises(DerivationError, match="step 2"):
            show()


def test_compact_notation_is_a_choice() -> None:
    third, fourth = X(s).diff(s, 3), X(s).diff(s, 4)
    assert (latex(third), latex(fourth), latex(X(s) ** 2), latex(third**2)) == ("x'''", "x^{(4)}", "x^{2}", "x'''^{2}")
    assert "left(s" in latex(third, compact=False)
    assert latex(X(0)) == r"x{\left(0 \right)}"
    assert "partial" in latex(PHI(X(s), t).diff(t))
    assert latex(sp.Derivative(sp.exp(a * s), s) ** 2).endswith("^{2}")
    assert plain(X(s).diff(s), compact=False) == "d/d(s) [x(s)]"
    assert plain(PHI(s, t).diff(s, s, t)).endswith("[varphi]")
    assert plain(a > b) == "a > b"
    assert plain(sp.Limit(1 / s, s, sp.oo)) == "lim[s -> oo] 1/s"
    assert latex(cn(s, k) ** 2) == r"\operatorname{cn}^{2}\left(s, k\right)"


def test_style_sheet_hard_codes_no_colours_without_variables() -> None:
    css = stylesheet()
    assert "overflow-x: auto" in css
    for colour in re.findall(r"#[0-9a-fA-F]{3,6}", css):
        assert re.search(rf"var\(--pst[^;]*{colour}\)", css)


def test_sides_that_are_written_alike_are_shown_once() -> None:
    """SymPy may bring what a step equals into the form that the step claims; the page then shows the value, not a tautology."""
    d = Derivation("alike")
    d.equal(a * b, to=4 * (-a / 2) * (-b / 2), reason="four times a product of halves")
    assert d.verify().kinds == {"symbolic": 1}
    formula = re.findall(r"\\displaystyle (.*?)\\\)", d.show()._repr_mimebundle_()["text/html"])
    assert formula == ["a b"]


def test_an_unknown_function_taken_at_two_places_keeps_its_arguments() -> None:
    a, b, s = sp.symbols("a b s")
    F, G = sp.Function("F"), sp.Function("G")
    assert latex(F(b) - F(a) + G(s)) == r"- F{\left(a \right)} + F{\left(b \right)} + G"
    assert plain(F(a).diff(a) + F(b) + G(s).diff(s)) == "F(b) + d/d(a) [F(a)] + G'"
    long = [sp.Symbol(f"c{k}") ** 2 for k in range(12)]
    assert r"F{\left(a \right)}" in "".join(pieces(sum(long) + F(a) - F(b)))
