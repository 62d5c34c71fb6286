"""Checked derivations: every step of the book's mathematics is verified when it is shown.

A :class:`Derivation` is a chain of steps. Each step has a statement (a SymPy expression or equation), a reason in words, and a rule that
says how it follows. It is verified by SymPy, else numerically to at least 30 digits at random points that obey the declared
assumptions, else, for expectations over models, by Monte Carlo with a standard error. A wrong step raises :class:`DerivationError`.
"""

from __future__ import annotations

from kexue.derivation.chain import Derivation, DerivationError, Report
from kexue.derivation.collecting import Row, collect, report
from kexue.derivation.display import Shown
from kexue.derivation.functions import EllipticE, EllipticK, bessel_zero, cn, dn, sn
from kexue.derivation.steps import Step

__all__ = [
    "Derivation",
    "DerivationError",
    "EllipticE",
    "EllipticK",
    "Report",
    "Row",
    "Shown",
    "Step",
    "bessel_zero",
    "cn",
    "collect",
    "dn",
    "report",
    "sn",
]
