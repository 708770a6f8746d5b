# SPDX-License-Identifier: MIT
"""The core's stack of rows beside a list."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heam_sim._core import RowStack
from heam_sim.errors import ConfigError


def from_a_list(rows: int, distances: list[int]) -> list[int]:
    stack: list[int] = []  # the row used last comes first
    used: list[int] = []
    for distance in distances:
        if distance < len(stack):
            row = stack.pop(distance)
        elif len(stack) < rows:
            row = len(stack)
        else:
            row = stack.pop()
        stack.insert(0, row)
        used.append(row)
    return used


@given(
    rows=st.integers(1, 12),
    pieces=st.lists(st.lists(st.integers(0, 14) | st.just(2**63 - 1), max_size=40), max_size=6),
)
@settings(max_examples=300)
def test_rows_are_those_of_a_list(rows: int, pieces: list[list[int]]) -> None:
    stack = RowStack(rows)
    found = [row for piece in pieces for row in stack.take(np.array(piece, np.int64)).tolist()]
    assert found == from_a_list(rows, [distance for piece in pieces for distance in piece])


def test_many_rows_of_which_few_return() -> None:
    distances = np.random.default_rng(5).geometric(0.002, 5000) - 1
    stack = RowStack(700)
    found = [
        row for piece in np.split(distances, 17 * np.arange(1, 290)) for row in stack.take(piece).tolist()
    ]
    assert found == from_a_list(700, distances.tolist())
    assert len(set(found)) == 700


def test_the_oldest_row_costs_no_more_than_another() -> None:
    # A list that moved everything would move 10^11 rows here.
    rows = 300_000
    found = RowStack(rows).take(np.full(2 * rows, 2**62))
    np.testing.assert_array_equal(found, np.tile(np.arange(rows), 2))


def test_bad_input_is_refused() -> None:
    for rows in (0, -1, 2**64, 1.5):
        with pytest.raises(ConfigError, match="rows"):
            RowStack(rows)  # type: ignore[arg-type]
    stack = RowStack(5)
    for distances in ([1], np.zeros(3), np.zeros((2, 2), np.int64), np.zeros(6, np.int64)[::2]):
        with pytest.raises(ConfigError, match="distances"):
            stack.take(distances)  # type: ignore[arg-type]
    assert stack.take(np.zeros(3, np.int64)).tolist() == [0, 0, 0]
