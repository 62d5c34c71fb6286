"""Expectations: over SymPy random variables as exact sums or integrals, over anything else by Monte Carlo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp
from sympy.stats import density
from sympy.stats.rv import RandomSymbol

from kexue.derivation.obligations import Sampler

__all__ = ["Mean", "as_integral", "parameters_of", "sampler_of"]


class Mean(sp.Function):  # type: ignore[misc]
    """The sign of an expectation, for display alone."""

    nargs = (1,)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        power = f"^{{{exp}}}" if exp else ""
        return rf"\mathbb{{E}}{power}\left[{printer._print(self.args[0])}\right]"

    def _sympystr(self, printer: Any) -> str:
        return f"E[{printer._print(self.args[0])}]"


def as_integral(expression: sp.Expr, variables: Sequence[RandomSymbol]) -> sp.Expr:
    """The expectation of ``expression`` over independent SymPy random variables as an unevaluated integral, or sum.

    Raises:
        ValueError: a variable is no SymPy random variable, or depends on others.
    """
    result = expression
    for variable in variables:
        if not isinstance(variable, RandomSymbol) or not hasattr(variable.pspace, "distribution"):
            raise ValueError(f"{variable} is no single SymPy random variable; give a sampler and monte_carlo=True")
        result = _over_one(result, variable)
    return result


def _over_one(expression: sp.Expr, variable: RandomSymbol) -> sp.Expr:
    if variable.pspace.is_Finite:
        table = density(variable).dict
        return sp.Add(*[expression.subs(variable, value) * chance for value, chance in table.items()])
    support = variable.pspace.distribution.set
    if variable.pspace.is_Discrete:
        name = sp.Dummy(variable.name, integer=True)
        return sp.Sum(expression.subs(variable, name) * density(variable)(name), (name, support.inf, support.sup))
    name = sp.Dummy(variable.name, real=True)
    weight = density(variable)(name)
    total = sp.S.Zero
    for term in sp.Add.make_args(sp.expand(expression.subs(variable, name))):
        outside, inside = term.as_independent(name, as_Add=False)  # so that a product of independent means costs no double integral
        total += outside * sp.Integral(inside * weight, (name, support.inf, support.sup))
    return total


def parameters_of(over: Any) -> tuple[sp.Symbol, ...]:
    """The parameters of the distributions of SymPy random variables; none of other samplers."""
    variables = over if isinstance(over, (list, tuple)) else [over]
    found = {s for v in variables if isinstance(v, RandomSymbol) for s in v.pspace.distribution.free_symbols}
    return tuple(sorted(found, key=str))


def sampler_of(over: Any) -> Sampler:
    """A sampler from what the author gave: a sampler itself, a mapping of symbols to samplers, or SymPy random variables."""
    if callable(over) and not isinstance(over, (RandomSymbol, Mapping)):
        return over  # type: ignore[no-any-return]
    if isinstance(over, Mapping):
        parts = dict(over)

        def separate(generator: np.random.Generator, count: int, values: Mapping[sp.Basic, float]) -> dict[sp.Symbol, Any]:
            return {symbol: draw(generator, count, values) for symbol, draw in parts.items()}

        return separate
    variables = list(over) if isinstance(over, (list, tuple)) else [over]

    def by_sympy(generator: np.random.Generator, count: int, values: Mapping[sp.Basic, float]) -> dict[sp.Symbol, Any]:
        draws = {}
        for variable in variables:
            fixed = variable.subs({s: values[s] for s in variable.pspace.distribution.free_symbols})
            draws[variable] = sp.stats.sample(fixed, size=(count,), library="scipy", seed=generator)
        return draws

    return by_sympy
