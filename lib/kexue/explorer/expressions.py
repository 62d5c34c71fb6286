"""A small language for closed forms which Python and the page compute alike: ``softmax((logits + noise) / tau)``.

A quantity that is a formula of others needs no table: the page computes it from the exact position of the slider. An expression
is Python's own syntax restricted to arithmetic, comparisons and the functions listed in :data:`FUNCTIONS`; shapes broadcast as in
NumPy. It is parsed once into nested lists (the JSON that the page gets); :func:`evaluate` walks the same lists.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Tree = Any  # a number, ["name", n] or [operator, tree, ...]: JSON


def _softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def _onehot(x: Array) -> Array:
    return np.asarray(np.arange(x.shape[-1]) == x.argmax(axis=-1)[..., None], dtype=float)


def _relabelled(a: Array, b: Array, orders: Array) -> Array:
    """For each row o of ``orders`` the sum over i, j of ``a[i, j] * b[o[i], o[j]]``."""
    places = np.rint(orders).astype(int)
    return np.asarray([np.vdot(a, b[o][:, o]) for o in places])


#: name -> (number of arguments, NumPy's way to compute it); reductions go along the last axis
FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "exp": (1, np.exp),
    "log": (1, np.log),
    "sqrt": (1, np.sqrt),
    "abs": (1, np.abs),
    "sin": (1, np.sin),
    "cos": (1, np.cos),
    "tan": (1, np.tan),
    "tanh": (1, np.tanh),
    "floor": (1, np.floor),
    "sigmoid": (1, lambda x: 0.5 * (1 + np.tanh(0.5 * x))),
    "minimum": (2, np.minimum),
    "maximum": (2, np.maximum),
    "where": (3, lambda c, a, b: np.where(c != 0, a, b)),
    "sum": (1, lambda x: x.sum(axis=-1)),
    "mean": (1, lambda x: x.mean(axis=-1)),
    "max": (1, lambda x: x.max(axis=-1)),
    "min": (1, lambda x: x.min(axis=-1)),
    "argmax": (1, lambda x: x.argmax(axis=-1).astype(float)),
    "cumsum": (1, lambda x: x.cumsum(axis=-1)),
    "softmax": (1, _softmax),
    "onehot": (1, _onehot),
    "argsort": (1, lambda x: np.argsort(x, axis=-1, kind="stable").astype(float)),
    "gather": (2, lambda x, i: x[..., np.rint(i).astype(int)]),
    "relabelled": (3, _relabelled),
    "take": (2, lambda x, i: x[..., int(i)]),
    "column": (1, lambda x: x[..., None]),
    "flat": (1, lambda x: x.reshape(-1)),
    "transpose": (1, lambda x: x.swapaxes(-1, -2)),
}

_BINARY: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**",
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "**": np.power,
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal, "==": np.equal, "!=": np.not_equal,
}  # fmt: skip


def parse(source: str) -> Tree:
    """Parse one expression.

    Args:
        source: for example ``"exp(-x**2 / (2 * s**2))"``.

    Returns:
        The tree: a number, ``["name", n]`` or ``[operator or function, argument, ...]``.

    Raises:
        ValueError: a syntax error, or something outside the language.

    Example:
        >>> parse("2 * exp(x)")
        ['*', 2.0, ['exp', ['name', 'x']]]
    """
    try:
        return _tree(ast.parse(source, mode="eval").body, source)
    except SyntaxError as e:
        raise ValueError(f"expression {source!r} cannot be read: {e.msg}") from None


def _tree(node: ast.AST, source: str) -> Tree:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return float(node.value)
    if isinstance(node, ast.Name):
        return float(np.pi) if node.id == "pi" else ["name", node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return ["-", 0.0, _tree(node.operand, source)]
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return [_BINARY[type(node.op)], _tree(node.left, source), _tree(node.right, source)]
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _BINARY:
        return [_BINARY[type(node.ops[0])], _tree(node.left, source), _tree(node.comparators[0], source)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS and not node.keywords:
        wanted = FUNCTIONS[node.func.id][0]
        if len(node.args) != wanted:
            raise ValueError(f"expression {source!r}: {node.func.id} takes {wanted} argument(s), got {len(node.args)}")
        return [node.func.id, *(_tree(a, source) for a in node.args)]
    raise ValueError(f"expression {source!r}: {ast.unparse(node)!r} is outside the language: arithmetic and {', '.join(FUNCTIONS)}")


def names(tree: Tree) -> set[str]:
    """The names that an expression reads."""
    if not isinstance(tree, list):
        return set()
    if tree[0] == "name":
        return {tree[1]}
    return set().union(*(names(t) for t in tree[1:]))


def evaluate(tree: Tree, values: Mapping[str, Any]) -> Array:
    """The value of a parsed expression.

    Args:
        tree: what :func:`parse` returned.
        values: a number or array for every name.

    Returns:
        A float64 array.

    Example:
        >>> float(evaluate(parse("sum(x**2)"), {"x": np.array([3.0, 4.0])}))
        25.0
    """
    if not isinstance(tree, list):
        return np.asarray(tree, dtype=float)
    if tree[0] == "name":
        return np.asarray(values[tree[1]], dtype=float)
    arguments = [evaluate(t, values) for t in tree[1:]]
    with np.errstate(all="ignore"):  # 0/0 is a gap in the picture here as in the page
        f = _OPERATORS[tree[0]] if tree[0] in _OPERATORS else FUNCTIONS[tree[0]][1]
        return np.asarray(f(*arguments), dtype=float)
