"""The derivation: a chain of steps, each of which is verified before it may be shown as verified."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sympy as sp

from kexue.derivation.checks import CounterExample, Verdict
from kexue.derivation.obligations import check
from kexue.derivation.rules import Rules
from kexue.derivation.sampling import Sampling
from kexue.derivation.steps import Step

if TYPE_CHECKING:
    from kexue.derivation.display import Shown

__all__ = ["Derivation", "DerivationError", "Report"]

_STRENGTH = ("given", "quoted", "refuted", "symbolic", "digits", "monte carlo", "undecided", "false")


class DerivationError(AssertionError):
    """A step of a derivation is wrong, or could not be verified.

    Attributes:
        derivation: name of the derivation.
        step: the step at fault.
        counterexample: the point at which the two sides differ, or None where the step could not be decided.
    """

    def __init__(self, derivation: str, step: Step, verdict: Verdict) -> None:
        self.derivation = derivation
        self.step = step
        self.counterexample: CounterExample | None = verdict.counterexample
        head = f"derivation {derivation!r}, step {step.number} ({step.name}, {step.rule}): "
        if self.counterexample is None:
            super().__init__(f"{head}could not be verified: {verdict.how}")
            return
        example = self.counterexample
        super().__init__(f"{head}is false\n  left side:  {example.lhs}\n  right side: {example.rhs}\n  {example}")


@dataclass(frozen=True)
class Report:
    """The outcome of a verification: one verdict a step."""

    name: str
    title: str
    steps: tuple[Step, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def kinds(self) -> dict[str, int]:
        """Number of steps of each kind."""
        return dict(Counter(verdict.kind for verdict in self.verdicts))

    @property
    def digits(self) -> int | None:
        """Least number of digits among the steps checked numerically, None without such steps."""
        return min((verdict.digits for verdict in self.verdicts if verdict.kind == "digits"), default=None)

    def summary(self) -> str:
        """The counts in a line, such as ``12 steps: 2 given, 7 symbolic, 3 to 40 digits``."""
        names = {
            "given": "given",
            "quoted": "quoted",
            "symbolic": "symbolic",
            "digits": f"to {self.digits} digits",
            "monte carlo": "by Monte Carlo",
            "refuted": "refuted",
        }
        parts = [f"{self.kinds[kind]} {words}" for kind, words in names.items() if kind in self.kinds]
        count = len(self.steps)
        return f"{count} step{'s' if count != 1 else ''}: {', '.join(parts)}" if parts else "no steps"


class Derivation(Rules):
    """A chain of checked steps.

    The assumptions of the SymPy symbols, the intervals of ``domain`` and the relations of ``where`` say for which values the
    statements are meant; the random points of the numerical checks obey them all.

    Args:
        name: short name, unique in its module; names the derivation in errors and anchors.
        title: heading shown above it.
        domain: ``{symbol or applied function: (low, high)}``.
        where: relations between symbols, such as ``b > a``; an ``Eq`` is solved for one of its symbols.
        digits: decimal digits demanded of a numerical check; at least 30.
        seeds: one batch of random points for each.
        points: random points per seed.
        compact: write :math:`x` and :math:`x'` for :math:`x(s)` and its derivative.

    Raises:
        ValueError: fewer than 30 digits, no seed, an empty interval.

    >>> x = sp.Symbol("x", real=True)
    >>> d = Derivation("square", "A square completed")
    >>> _ = d.given(x**2 + 2 * x, "a quadratic")
    >>> _ = d.equal((x + 1) ** 2 - 1, "the square completed")
    >>> d.summary()
    '2 steps: 1 given, 1 symbolic'
    """

    def __init__(
        self,
        name: str,
        title: str = "",
        *,
        domain: Mapping[sp.Basic, tuple[object, object]] | None = None,
        where: Sequence[sp.Basic] = (),
        digits: int = 30,
        seeds: Sequence[int] = (0, 1, 2),
        points: int = 4,
        compact: bool = True,
    ) -> None:
        if digits < 30:
            raise ValueError(f"digits must be at least 30, got {digits}")
        if not seeds or points < 1:
            raise ValueError(f"at least one seed and one point are needed, got seeds={tuple(seeds)}, points={points}")
        intervals = []
        for symbol, (low, high) in (domain or {}).items():
            ends = (sp.nsimplify(low, rational=True), sp.nsimplify(high, rational=True))
            if not ends[0] < ends[1]:
                raise ValueError(f"the interval of {symbol} is empty: ({low}, {high})")
            intervals.append((sp.sympify(symbol), ends))
        super().__init__()
        self.name = name
        self.title = title or name.replace("_", " ")
        self.compact = compact
        self.sampling = Sampling(tuple(intervals), tuple(where), digits, tuple(seeds), points)
        self._report: Report | None = None

    def verify(self) -> Report:
        """Checks every step.

        Returns:
            the verdict on each step; the same object until a step is added.

        Raises:
            DerivationError: a step is false or undecided; it names the step, both sides and a counter-example.
        """
        if self._report is None or len(self._report.steps) != len(self.steps):
            verdicts = [self._verdict(step) for step in self.steps]
            self._report = Report(self.name, self.title, tuple(self.steps), tuple(verdicts))
        return self._report

    def _verdict(self, step: Step) -> Verdict:
        if step.rule in ("given", "quoted"):
            return Verdict("quoted" if step.rule == "quoted" else "given", how=step.source)
        weakest: Verdict | None = None
        for obligation in step.obligations:
            verdict = check(obligation, self.sampling)
            if verdict.kind in ("false", "undecided"):
                raise DerivationError(self.name, step, verdict)
            if weakest is None or _rank(verdict) > _rank(weakest):
                weakest = verdict
        assert weakest is not None  # every rule but given and quoted yields an obligation
        return weakest

    def summary(self) -> str:
        """The counts of the verified steps in a line; verifies first."""
        return self.verify().summary()

    def to_latex(self) -> str:
        """Numbered, aligned LaTeX with the reasons; verifies first."""
        from kexue.derivation.display import to_latex

        return to_latex(self.verify(), self.compact)

    def show(self) -> Shown:
        """The derivation for a notebook or page, with the kind of check of each step; verifies first."""
        from kexue.derivation.display import Shown

        return Shown(self.verify(), self.compact)

    def __str__(self) -> str:
        from kexue.derivation.display import to_text

        return to_text(self.verify(), self.compact)

    def __repr__(self) -> str:
        return f"Derivation({self.name!r}, {len(self.steps)} steps)"


def _rank(verdict: Verdict) -> tuple[int, int]:
    return _STRENGTH.index(verdict.kind), -verdict.digits
