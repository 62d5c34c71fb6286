"""SymPy's printers, taught the chapters' hand: x' for the derivative of x(s), and formulas cut where a narrow screen may break them."""

from __future__ import annotations

import re
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

__all__ = ["latex", "pieces", "plain", "width"]

_LONGEST_PIECE = 22  # glyphs; about what fits beside the step number at 390 px


def _is_plain(function: sp.Basic) -> bool:
    """An unknown function of bare symbols (or of such functions), which may be written without its arguments."""
    return isinstance(function, AppliedUndef) and all(a.is_Symbol or _is_plain(a) for a in function.args)


def _at_several_places(expression: sp.Basic) -> frozenset[Any]:
    """The unknown functions that an expression takes at more than one place: without arguments F(b) - F(a) would read F - F."""
    found: dict[Any, set[Any]] = {}
    for function in expression.atoms(AppliedUndef):
        found.setdefault(function.func, set()).add(function.args)
    return frozenset(name for name, places in found.items() if len(places) > 1)


def _has_marks(function: sp.Basic, several: frozenset[Any]) -> bool:
    """Whether the derivative is written with dashes: of an unknown function of one symbol, taken at one place."""
    return isinstance(function, AppliedUndef) and len(function.args) == 1 and function.args[0].is_Symbol and function.func not in several


class _Latex(LatexPrinter):  # type: ignore[misc]
    def __init__(self, compact: bool, several: frozenset[Any]) -> None:
        super().__init__({"ln_notation": False})
        self.compact, self.several = compact, several

    def _print_Function(self, expr: sp.Function, exp: str | None = None) -> str:
        if self.compact and _is_plain(expr) and expr.func not in self.several:
            name = self._print(sp.Symbol(expr.func.__name__))
            return f"{name}^{{{exp}}}" if exp is not None else str(name)
        return str(super()._print_Function(expr, exp))

    def _print_Derivative(self, expr: sp.Derivative) -> str:
        inner = expr.expr
        if self.compact and _has_marks(inner, self.several):
            order = expr.derivative_count
            marks = "'" * order if order <= 3 else f"^{{({order})}}"
            return f"{self._print(sp.Symbol(inner.func.__name__))}{marks}"
        return str(super()._print_Derivative(expr))

    def _print_Pow(self, expr: sp.Pow) -> str:
        base = expr.base
        if isinstance(base, sp.Derivative) and expr.exp.is_Integer and expr.exp > 0:
            inner = self._print(base)
            return rf"{inner}^{{{expr.exp}}}" if "frac" not in inner else rf"\left({inner}\right)^{{{expr.exp}}}"
        return str(super()._print_Pow(expr))


class _Plain(StrPrinter):  # type: ignore[misc]
    def __init__(self, compact: bool, several: frozenset[Any]) -> None:
        super().__init__()
        self.compact, self.several = compact, several

    def _print_Function(self, expr: sp.Function) -> str:
        if self.compact and _is_plain(expr) and expr.func not in self.several:
            return str(expr.func.__name__)
        return str(super()._print_Function(expr))

    def _print_Derivative(self, expr: sp.Derivative) -> str:
        inner = expr.expr
        if self.compact and _has_marks(inner, self.several):
            return f"{inner.func.__name__}{chr(39) * expr.derivative_count}"
        variables = ", ".join(f"{v}" if n == 1 else f"{v}, {n}" for v, n in expr.variable_count)
        return f"d/d({variables}) [{self._print(inner)}]"

    def _print_Relational(self, expr: Any) -> str:
        if isinstance(expr, sp.Equality):
            return f"{self._print(expr.lhs)} = {self._print(expr.rhs)}"
        return str(super()._print_Relational(expr))

    def _print_Limit(self, expr: sp.Limit) -> str:
        inner, variable, place, direction = expr.args
        side = {"+": "+", "-": "-"}.get(str(direction), "") if place.is_finite else ""
        return f"lim[{self._print(variable)} -> {self._print(place)}{side}] {self._print(inner)}"


def latex(expression: sp.Basic, compact: bool = True) -> str:
    """LaTeX of an expression.

    >>> s = sp.Symbol("s"); x = sp.Function("x")(s)
    >>> latex(x.diff(s) ** 2 + x)
    "x + x'^{2}"
    """
    return str(_Latex(compact, _at_several_places(expression)).doprint(expression))


def plain(expression: sp.Basic, compact: bool = True) -> str:
    """One line of plain text.

    >>> s = sp.Symbol("s"); x = sp.Function("x")(s)
    >>> plain(sp.Eq(x.diff(s, 2), -x))
    "x'' = -x"
    >>> a, b = sp.symbols("a b"); F = sp.Function("F")
    >>> plain(F(b) - F(a))
    '-F(a) + F(b)'
    """
    return str(_Plain(compact, _at_several_places(expression)).doprint(expression))


def width(formula: str) -> int:
    """Rough number of glyphs across a LaTeX formula; of a fraction the wider part counts.

    >>> width(r"\\frac{a + b}{2}"), width(r"\\omega^{2} x")
    (3, 3)
    """

    def widest(match: re.Match[str]) -> str:
        return max(match.group(1), match.group(2), key=len)

    text, before = formula, ""
    while text != before:
        before = text
        text = re.sub(r"\\d?frac\{([^{}]*)\}\{([^{}]*)\}", widest, text)
        text = re.sub(r"(?<!frac)(?<!\})\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"\\(?:left|right|limits|displaystyle|text|mathrm|operatorname|mathbb|!|,|;|:| )", "", text)
    text = re.sub(r"\\[A-Za-z]+", "x", text)
    return len(re.sub(r"[\s^_{}\\]", "", text))


def pieces(expression: sp.Basic, compact: bool = True) -> list[str]:
    """LaTeX of an expression in pieces between which a line may break: the terms of a long sum, one piece of anything else."""
    whole, several = latex(expression, compact), _at_several_places(expression)
    if width(whole) <= _LONGEST_PIECE or not isinstance(expression, sp.Add):
        return [whole]
    result: list[str] = []
    for term in expression.as_ordered_terms():
        text = str(_Latex(compact, several).doprint(term))
        if text.startswith("- "):
            text = "-" + text[2:]
        result.append(text if text.startswith("-") or not result else f"+ {text}")
    return result
