# SPDX-License-Identifier: MIT
"""Rows of settings in which every two of them meet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations

Row = dict[str, str]
Setting = tuple[str, str]
Pair = tuple[Setting, Setting]
#: Says whether two settings may stand together.
Allowed = Callable[[Row], bool]


def pairs_of(factors: Mapping[str, Sequence[str]]) -> list[Pair]:
    """Every two settings of different factors, in the order of the factors."""
    return [
        ((one, mine), (other, yours))
        for one, other in combinations(factors, 2)
        for mine in factors[one]
        for yours in factors[other]
    ]


def met_in(rows: Iterable[Row], factors: Iterable[str]) -> set[Pair]:
    """The pairs of some rows."""
    order = list(factors)
    return {pair for row in rows for pair in combinations([(factor, row[factor]) for factor in order], 2)}


def cover(factors: Mapping[str, Sequence[str]], allowed: Allowed) -> tuple[list[Row], list[Pair]]:
    """Return rows with a setting of every factor in which every two settings meet that may meet.

    Greedy and without chance: a row starts from the first pair that has not met yet, and each other factor
    takes the setting that meets the most of the row's settings for the first time, the first of equal ones.

    Returns
    -------
    (rows, refused)
        `refused`: the pairs that may not stand together in any row.
    """
    maker = _Rows(factors, allowed)
    rows: list[Row] = []
    refused: list[Pair] = []
    while maker.todo:
        pair = next(iter(maker.todo))
        row = maker.row_with(pair)
        if row is None:
            refused.append(pair)
            del maker.todo[pair]
            continue
        rows.append(row)
        for met in met_in([row], factors):
            maker.todo.pop(met, None)
    return rows, refused


class _Rows:
    def __init__(self, factors: Mapping[str, Sequence[str]], allowed: Allowed) -> None:
        self.factors = factors
        self.rank = {factor: number for number, factor in enumerate(factors)}
        self.todo = dict.fromkeys(pairs_of(factors))
        self.clashes = {pair for pair in self.todo if not allowed(dict(pair))}

    def _pair(self, one: Setting, other: Setting) -> Pair:
        return (one, other) if self.rank[one[0]] < self.rank[other[0]] else (other, one)

    def _fits(self, one: Setting, others: Iterable[Setting]) -> bool:
        return all(self._pair(one, other) not in self.clashes for other in others)

    def row_with(self, pair: Pair) -> Row | None:
        """A row that two settings are part of, or ``None`` if there can be none."""
        if pair in self.clashes:
            return None
        row = dict(pair)
        left = {
            factor: [one for one in levels if self._fits((factor, one), row.items())]
            for factor, levels in self.factors.items()
            if factor not in row
        }
        found = self._fill(row, left)
        return {factor: found[factor] for factor in self.factors} if found else None

    def _fill(self, row: Row, left: Mapping[str, list[str]]) -> Row | None:
        """Go on with the settings that are left for every other factor."""
        if not left:
            return row
        if not all(left.values()):
            return None
        # Factors with the fewest settings left first: what cannot be is seen at once.
        factor = min(left, key=lambda name: len(left[name]))

        def gain(level: str) -> int:
            return sum(self._pair((factor, level), other) in self.todo for other in row.items())

        for level in sorted(left[factor], key=gain, reverse=True):  # stable: the first of equal ones
            mine = [(factor, level)]
            rest = {
                name: [one for one in levels if self._fits((name, one), mine)]
                for name, levels in left.items()
                if name != factor
            }
            found = self._fill({**row, factor: level}, rest)
            if found is not None:
                return found
        return None
