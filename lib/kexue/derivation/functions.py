r"""Special functions that SymPy lacks, with the modulus :math:`k` as the chapters write it.

SymPy, SciPy and mpmath take the parameter :math:`m=k^2` for elliptic integrals; the functions here take the modulus :math:`k`.

Source: NIST Digital Library of Mathematical Functions, chapters 10, 19 and 22.
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.core.function import ArgumentIndexError

__all__ = ["EllipticE", "EllipticK", "bessel_zero", "cn", "dn", "sn"]


class _Numeric(sp.Function):  # type: ignore[misc]
    """A function that mpmath can evaluate: ``mp_value`` gets an mpmath context and the arguments."""

    @staticmethod
    def mp_value(context: Any, *arguments: Any) -> Any:
        """The value in the arithmetic of ``context``."""
        raise NotImplementedError

    def _eval_evalf(self, precision: int) -> sp.Expr | None:
        import mpmath

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
        power = f"^{{{exp}}}" if exp else ""
        inner = ", ".join(printer._print(argument) for argument in self.args)
        return rf"\operatorname{{{type(self).__name__}}}{power}\left({inner}\right)"

    def relations(self) -> list[sp.Expr]:
        """Polynomials in sn, cn, dn of the same arguments that vanish identically."""
        u, k = self.args
        return [sn(u, k) ** 2 + cn(u, k) ** 2 - 1, dn(u, k) ** 2 + k**2 * sn(u, k) ** 2 - 1]


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

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """Derivative in ``u``; the one in the modulus is left to numerics."""
        if argindex != 1:
            raise ArgumentIndexError(self, argindex)
        return cn(*self.args) * dn(*self.args)

    @staticmethod
    def mp_value(context: Any, *arguments: Any) -> Any:
        """The value in the arithmetic of ``context``."""
        return context.ellipfun("sn", arguments[0], k=arguments[1])


class cn(_Jacobi):
    r"""Jacobi's elliptic cosine :math:`\operatorname{cn}(u,k)`; :math:`\operatorname{cn}'=-\operatorname{sn}\operatorname{dn}`."""

    @classmethod
    def eval(cls, u: sp.Expr, k: sp.Expr) -> sp.Expr | None:
        """Known values: at 0, at the quarter period, at modulus 0."""
        return sp.S.One if u.is_zero else sp.S.Zero if u == EllipticK(k) else sp.cos(u) if k.is_zero else None

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """Derivative in ``u``; the one in the modulus is left to numerics."""
        if argindex != 1:
            raise ArgumentIndexError(self, argindex)
        return -sn(*self.args) * dn(*self.args)

    @staticmethod
    def mp_value(context: Any, *arguments: Any) -> Any:
        """The value in the arithmetic of ``context``."""
        return context.ellipfun("cn", arguments[0], k=arguments[1])


class dn(_Jacobi):
    r"""Jacobi's delta amplitude :math:`\operatorname{dn}(u,k)`; :math:`\operatorname{dn}'=-k^2\operatorname{sn}\operatorname{cn}`."""

    @classmethod
    def eval(cls, u: sp.Expr, k: sp.Expr) -> sp.Expr | None:
        """Known values: at 0, at modulus 0."""
        return sp.S.One if u.is_zero or k.is_zero else None

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """Derivative in ``u``; the one in the modulus is left to numerics."""
        if argindex != 1:
            raise ArgumentIndexError(self, argindex)
        return -(self.args[1] ** 2) * sn(*self.args) * cn(*self.args)

    @staticmethod
    def mp_value(context: Any, *arguments: Any) -> Any:
        """The value in the arithmetic of ``context``."""
        return context.ellipfun("dn", arguments[0], k=arguments[1])


class _Complete(_Numeric):
    nargs = (1,)
    letter = "K"

    def _eval_is_positive(self) -> bool | None:
        k = self.args[0]
        return True if k.is_real and (1 - k**2).is_positive else None

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        power = f"^{{{exp}}}" if exp else ""
        return rf"{self.letter}{power}\left({printer._print(self.args[0])}\right)"

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
        return context.besseljzero(arguments[0], int(arguments[1]))

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        inner = ", ".join(printer._print(argument) for argument in self.args)
        return rf"j_{{{inner}}}" + (f"^{{{exp}}}" if exp else "")
