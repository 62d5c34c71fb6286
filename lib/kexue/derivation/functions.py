r"""Special functions that SymPy lacks, with the modulus :math:`k` as the chapters write it.

SymPy, SciPy and mpmath take the parameter :math:`m=k^2` for elliptic integrals; the functions here take the modulus :math:`k`.

Source: NIST Digital Library of Mathematical Functions, chapters 10, 19 and 22.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import mpmath
import sympy as sp
from sympy.core.function import ArgumentIndexError

from kexue.derivation.evaluate import context_of

__all__ = ["EllipticE", "EllipticK", "bessel_zero", "cn", "dn", "sn"]


def _called(name: str, printer: Any, exp: str | None, arguments: Sequence[sp.Basic]) -> str:
    r"""LaTeX of a function called ``name``, an exponent before its arguments: :math:`\operatorname{sn}^{2}\left(u, k\right)`."""
    inner = ", ".join(printer._print(argument) for argument in arguments)
    return name + (f"^{{{exp}}}" if exp else "") + rf"\left({inner}\right)"


class _Numeric(sp.Function):  # type: ignore[misc]
    """A function that mpmath can evaluate: ``mp_value`` gets an mpmath context and the arguments."""

    @staticmethod
    def mp_value(context: Any, *arguments: Any) -> Any:
        """The value in the arithmetic of ``context``."""
        raise NotImplementedError

    def _eval_evalf(self, precision: int) -> sp.Expr | None:
        context = mpmath.MPContext()
        context.prec = precision + 20
        values = [argument._to_mpmath(context.prec) for argument in (a.evalf(context.dps) for a in self.args) if argument.is_number]
        if len(values) < len(self.args):
            return None
        value = context.mpmathify(self.mp_value(context, *[context.mpmathify(v) for v in values]))
        return sp.Expr._from_mpmath(value, precision)


class _Jacobi(_Numeric):
    nargs = (2,)

    def _eval_is_real(self) -> bool | None:
        if all(argument.is_extended_real for argument in self.args):
            return True
        return None

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        return _called(rf"\operatorname{{{type(self).__name__}}}", printer, exp, self.args)

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """Derivative in ``u``; the one in the modulus is left to numerics."""
        if argindex != 1:
            raise ArgumentIndexError(self, argindex)
        return self._slope(*self.args)

    def _slope(self, u: sp.Expr, k: sp.Expr) -> sp.Expr:
        raise NotImplementedError

    def relations(self) -> list[sp.Expr]:
        """Polynomials in sn, cn, dn of the same arguments that vanish identically."""
        u, k = self.args
        return [sn(u, k) ** 2 + cn(u, k) ** 2 - 1, dn(u, k) ** 2 + k**2 * sn(u, k) ** 2 - 1]

    @classmethod
    def mp_value(cls, context: Any, *arguments: Any) -> Any:
        """The value in the arithmetic of ``context``."""
        u, k = arguments
        if not (hasattr(u, "_mpf_") and hasattr(k, "_mpf_") and 0 < k < 1):
            return context.ellipfun(cls.__name__, u, k=k)
        return context.mpf(_jacobi(context.dps + 8, u._mpf_, k._mpf_)[cls.__name__])


@lru_cache(maxsize=64)
def _theta_constants(digits: int, k: Any) -> tuple[Any, Any, Any, Any]:
    r"""Nome and :math:`\theta_2,\theta_3,\theta_4` at zero of a modulus in :math:`(0,1)`."""
    context = context_of(digits)
    q = context.qfrom(k=context.make_mpf(k))
    return q, context.jtheta(2, 0, q), context.jtheta(3, 0, q), context.jtheta(4, 0, q)


@lru_cache(maxsize=4096)
def _jacobi(digits: int, u: Any, k: Any) -> dict[str, Any]:
    r"""sn, cn and dn by theta functions: an integrand asks for all three at one place, and for one modulus at hundreds.

    .. math:: \operatorname{sn}u=\frac{\theta_3\theta_1(z)}{\theta_2\theta_4(z)},\quad \operatorname{cn}u=
        \frac{\theta_4\theta_2(z)}{\theta_2\theta_4(z)},\quad \operatorname{dn}u=\frac{\theta_4\theta_3(z)}{\theta_3\theta_4(z)},
        \quad z=u/\theta_3^2

    Source: NIST Digital Library of Mathematical Functions, section 22.2.
    """
    context = context_of(digits)
    q, two, three, four = (context.mpf(value) for value in _theta_constants(digits, k))
    z = context.make_mpf(u) / three**2
    first, second, third, below = (context.jtheta(n, z, q) for n in (1, 2, 3, 4))
    return {"sn": three * first / (two * below), "cn": four * second / (two * below), "dn": four * third / (three * below)}


class sn(_Jacobi):
    r"""Jacobi's elliptic sine :math:`\operatorname{sn}(u,k)` with the modulus :math:`k`.

    Its derivative is :math:`\operatorname{cn}\operatorname{dn}`.

    >>> u, k = sp.symbols("u k", positive=True)
    >>> sn(u, k).diff(u)
    cn(u, k)*dn(u, k)
    """

    @classmethod
    def eval(cls, u: sp.Expr, k: sp.Expr) -> sp.Expr | None:
        """Known values: at 0, at the quarter period, at modulus 0."""
        return sp.S.Zero if u.is_zero else sp.S.One if u == EllipticK(k) else sp.sin(u) if k.is_zero else None

    def _slope(self, u: sp.Expr, k: sp.Expr) -> sp.Expr:
        return cn(u, k) * dn(u, k)


class cn(_Jacobi):
    r"""Jacobi's elliptic cosine :math:`\operatorname{cn}(u,k)`; :math:`\operatorname{cn}'=-\operatorname{sn}\operatorname{dn}`."""

    @classmethod
    def eval(cls, u: sp.Expr, k: sp.Expr) -> sp.Expr | None:
        """Known values: at 0, at the quarter period, at modulus 0."""
        return sp.S.One if u.is_zero else sp.S.Zero if u == EllipticK(k) else sp.cos(u) if k.is_zero else None

    def _slope(self, u: sp.Expr, k: sp.Expr) -> sp.Expr:
        return -sn(u, k) * dn(u, k)


class dn(_Jacobi):
    r"""Jacobi's delta amplitude :math:`\operatorname{dn}(u,k)`; :math:`\operatorname{dn}'=-k^2\operatorname{sn}\operatorname{cn}`."""

    @classmethod
    def eval(cls, u: sp.Expr, k: sp.Expr) -> sp.Expr | None:
        """Known values: at 0, at modulus 0."""
        return sp.S.One if u.is_zero or k.is_zero else None

    def _slope(self, u: sp.Expr, k: sp.Expr) -> sp.Expr:
        return -(k**2) * sn(u, k) * cn(u, k)


class _Complete(_Numeric):
    nargs = (1,)
    letter = "K"

    def _eval_is_positive(self) -> bool | None:
        k = self.args[0]
        return True if k.is_real and (1 - k**2).is_positive else None

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        return _called(self.letter, printer, exp, self.args)

    def _sympystr(self, printer: Any) -> str:
        return f"{self.letter}({printer._print(self.args[0])})"


class EllipticK(_Complete):
    r"""Complete elliptic integral of the first kind of the modulus, :math:`K(k)=\int_0^{\pi/2}(1-k^2\sin^2\theta)^{-1/2}d\theta`."""

    @classmethod
    def eval(cls, k: sp.Expr) -> sp.Expr | None:
        """Known value at 0."""
        return sp.pi / 2 if k.is_zero else None

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """:math:`K'=(E-(1-k^2)K)/(k(1-k^2))`."""
        k = self.args[0]
        return (EllipticE(k) - (1 - k**2) * self) / (k * (1 - k**2))

    def _eval_rewrite(self, rule: Any, args: Any, **hints: Any) -> sp.Expr | None:
        return sp.elliptic_k(args[0] ** 2) if rule == sp.elliptic_k else None

    @staticmethod
    def mp_value(context: Any, *arguments: Any) -> Any:
        """The value in the arithmetic of ``context``."""
        return context.ellipk(arguments[0] ** 2)


class EllipticE(_Complete):
    r"""Complete elliptic integral of the second kind of the modulus, :math:`E(k)=\int_0^{\pi/2}(1-k^2\sin^2\theta)^{1/2}d\theta`."""

    letter = "E"

    @classmethod
    def eval(cls, k: sp.Expr) -> sp.Expr | None:
        """Known value at 0."""
        return sp.pi / 2 if k.is_zero else None

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """:math:`E'=(E-K)/k`."""
        k = self.args[0]
        return (self - EllipticK(k)) / k

    @staticmethod
    def mp_value(context: Any, *arguments: Any) -> Any:
        """The value in the arithmetic of ``context``."""
        return context.ellipe(arguments[0] ** 2)


class bessel_zero(_Numeric):
    r"""The ``n``-th positive zero :math:`j_{\nu,n}` of the Bessel function :math:`J_\nu`."""

    nargs = (2,)

    def _eval_is_positive(self) -> bool:
        return True

    @staticmethod
    def mp_value(context: Any, *arguments: Any) -> Any:
        """The value in the arithmetic of ``context``."""
        return context.mpf(_bessel_zero(context.dps, context.mpf(arguments[0]), int(arguments[1])))

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        inner = ", ".join(printer._print(argument) for argument in self.args)
        return rf"j_{{{inner}}}" + (f"^{{{exp}}}" if exp else "")


@lru_cache(maxsize=256)
def _bessel_zero(digits: int, order: Any, n: int) -> Any:
    """A zero is found by iteration, and every point of a quadrature asks for the same one."""
    return context_of(digits).besseljzero(order, n)
