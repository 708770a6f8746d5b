# SPDX-License-Identifier: MIT
"""The small arithmetic in which spec files write their cycle counts, in exact numbers."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from fractions import Fraction

from heam_sim.errors import SpecError, unknown_name

__all__ = ["ROUNDINGS", "evaluate", "names_in", "round_interval", "round_minimum"]


def _jesd79_4(clocks: Fraction) -> int:
    # The standard adds 97.4 % of a clock before truncating, so that a ratio that exceeds an integer by up to
    # 2.6 % (the truncation of clock periods to picoseconds) still rounds to that integer.
    return math.floor((1000 * clocks + 974) / 1000)


def _jesd79_5(clocks: Fraction) -> int:
    return math.floor((997 * clocks + 1000) / 1000)


ROUNDINGS: Mapping[str, Callable[[Fraction], int]] = {
    "jesd79-4": _jesd79_4,
    "jesd79-5": _jesd79_5,
    "ceil": math.ceil,
}


def round_minimum(time_ns: Fraction, tck_ps: Fraction, rounding: str) -> int:
    """Return the cycles that a minimum time of `time_ns` takes, by the rule named `rounding`."""
    if rounding not in ROUNDINGS:
        raise SpecError(str(unknown_name("rounding rule for nanoseconds", rounding, ROUNDINGS)))
    return ROUNDINGS[rounding](time_ns * 1000 / tck_ps)


def round_interval(time_ns: Fraction, tck_ps: Fraction) -> int:
    """Return the whole cycles that fit into a maximum interval of `time_ns`."""
    return math.floor(time_ns * 1000 / tck_ps)


def _parse(text: str, where: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise SpecError(
            f"{where}: {text!r} is not an expression; use timing names, integers, + - * / max() min()."
        ) from error


def names_in(text: str, *, where: str) -> set[str]:
    """Return the timing names that an expression mentions (function names left out)."""
    tree = _parse(text, where)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called}


def evaluate(
    text: str,
    values: Mapping[str, Fraction | int],
    *,
    where: str,
    functions: Mapping[str, Callable[[Fraction], int]] | None = None,
) -> int:
    """Evaluate a cycle count.

    Parameters
    ----------
    text
        Integers, names from `values`, ``+ - * /``, ``max``, ``min``, the given one-argument functions, and
        ``upto(x, limit, value, ..., otherwise)``: the value of the first limit that is not below x.
    values
        Numbers by name.
    where
        File and block, for the error message.
    functions
        For instance ``cycles``, from ns to clock cycles.

    Returns
    -------
    int
        Never negative.

    Raises
    ------
    SpecError
        Unknown name, forbidden syntax, division by zero, a result that is no whole number or is below zero.
    """
    walker = _Evaluator(values, functions or {}, f"{where}, expression {text!r}")
    result = walker.value(_parse(text, where))
    if result.denominator != 1:
        raise SpecError(f"{where}: {text!r} gives {result}, which is no whole number of cycles; round it.")
    if result < 0:
        raise SpecError(f"{where}: {text!r} gives {result}; write max(0, ...) if the row need not bind.")
    return int(result)


class _Evaluator:
    def __init__(
        self,
        values: Mapping[str, Fraction | int],
        functions: Mapping[str, Callable[[Fraction], int]],
        where: str,
    ) -> None:
        self._values = values
        self._functions = functions
        self._where = where

    def value(self, node: ast.expr) -> Fraction:
        if isinstance(node, ast.Constant) and type(node.value) is int:
            return Fraction(node.value)
        if isinstance(node, ast.Name):
            return self._name(node.id)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self.value(node.operand)
        if isinstance(node, ast.BinOp):
            return self._binary(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args and not node.keywords:
            return self._call(node.func.id, [self.value(argument) for argument in node.args])
        raise SpecError(f"{self._where}: only timing names, integers, + - * / max() min() are allowed.")

    def _name(self, name: str) -> Fraction:
        if name not in self._values:
            raise SpecError(str(unknown_name("timing name", name, self._values, where=self._where)))
        return Fraction(self._values[name])

    def _binary(self, node: ast.BinOp) -> Fraction:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Div):
            if right == 0:
                raise SpecError(f"{self._where}: divides by zero; correct the divisor.")
            return left / right
        raise SpecError(f"{self._where}: only the operators + - * / are allowed.")

    def _call(self, name: str, arguments: list[Fraction]) -> Fraction:
        if name == "max":
            return max(arguments)
        if name == "min":
            return min(arguments)
        if name == "upto":
            return self._upto(arguments)
        known = [*self._functions, "max", "min", "upto"]
        if name not in self._functions:
            raise SpecError(str(unknown_name("function", name, known, where=self._where)))
        if len(arguments) != 1:
            raise SpecError(f"{self._where}: {name}() takes one time in ns.")
        return Fraction(self._functions[name](arguments[0]))

    def _upto(self, arguments: list[Fraction]) -> Fraction:
        first, *steps = arguments
        if len(steps) % 2 == 0:
            raise SpecError(f"{self._where}: upto() takes x, pairs of limit and value, and a last value.")
        for limit, value in zip(steps[:-1:2], steps[1::2], strict=True):
            if first <= limit:
                return value
        return steps[-1]
