"""Formulas as text: what `--explain` shows is the very text that is computed. Pure.

A formula is an arithmetic expression over named inputs: numbers, + - * / **, comparisons of nothing, and `ceil`, `max`, `min`. Values are
arrays of samples (one an uncertain world), so ranges go through every formula unchanged.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segments.errors import BadInput

Samples = NDArray[np.float64]
"""A value in each of the worlds looked at."""

_OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {"ceil": np.ceil, "max": np.maximum, "min": np.minimum}


def inputs_of(formula: str) -> tuple[str, ...]:
    """The names a formula is computed from, in order of appearance; raises BadInput if it is none."""
    names = (node.id for node in ast.walk(_parsed(formula)) if isinstance(node, ast.Name))
    return tuple(dict.fromkeys(name for name in names if name not in _FUNCTIONS))


def compute(formula: str, given: Mapping[str, Samples]) -> Samples:
    """The value of a formula in each world; raises BadInput for a name that is not given."""
    return np.asarray(_value(_parsed(formula), given), dtype=np.float64)


@cache
def _parsed(formula: str) -> ast.expr:
    try:
        return ast.parse(formula, mode="eval").body
    except SyntaxError as error:
        raise BadInput(f"`{formula}` is no formula: {error.msg}") from None


def _value(node: ast.expr, given: Mapping[str, Samples]) -> Any:
    match node:
        case ast.Constant(value=float() | int() as number):
            return float(number)
        case ast.Name(id=name):
            if name not in given:
                raise BadInput(f"formula: there is no `{name}`")
            return given[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, given), _value(right, given))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(each, given) for each in args))
        case _:
            raise BadInput(f"`{ast.unparse(node)}` cannot stand in a formula")
