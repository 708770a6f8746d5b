# SPDX-License-Identifier: MIT
"""Least-loaded dispatch, against the greedy rule that it stands for."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heam_sim.placement import dispatch


def greedy(home: list[int], window: list[int], nodes: int) -> list[int]:
    """One operand after the other, in windows in which the operands with one place are counted first."""
    chosen = list(home)
    for one in sorted(set(window)):
        mine = [i for i, number in enumerate(window) if number == one]
        load = [sum(home[i] == node for i in mine) for node in range(nodes)]
        for i in mine:
            if home[i] < 0:
                chosen[i] = load.index(min(load))
                load[chosen[i]] += 1
    return chosen


@st.composite
def operands(draw: st.DrawFn) -> tuple[list[int], list[int], int]:
    nodes = draw(st.integers(1, 9))
    home = draw(st.lists(st.integers(-1, nodes - 1), max_size=60))
    mostly = draw(st.booleans())
    home = [-1 if mostly and i % 3 else node for i, node in enumerate(home)]
    window = sorted(draw(st.lists(st.integers(0, 3), min_size=len(home), max_size=len(home))))
    return home, window, nodes


@given(operands())
def test_it_is_the_greedy_rule(case: tuple[list[int], list[int], int]) -> None:
    home, window, nodes = case
    found = dispatch(np.array(home, np.int64), np.array(window, np.int64), nodes)
    assert found.tolist() == greedy(home, window, nodes)


def test_windows_are_filled_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    source = np.random.default_rng(5)
    home, window = source.integers(-1, 4, 400), np.sort(source.integers(0, 60, 400) * 3)
    expected = greedy(home.tolist(), window.tolist(), 4)
    for vessels in (1, 12, 1 << 18):
        monkeypatch.setattr(sys.modules[dispatch.__module__], "_VESSELS", vessels)
        assert dispatch(home, window, 4).tolist() == expected


def test_loads_are_evened_out_and_ties_go_to_the_lowest() -> None:
    home = np.array([0, 0, 0, 2, -1, -1, -1, -1, -1])
    assert dispatch(home, np.zeros(9, np.int64), 3).tolist() == [0, 0, 0, 2, 1, 1, 2, 1, 2]
    assert dispatch(np.full(4, -1), np.array([0, 0, 1, 1]), 3).tolist() == [0, 1, 0, 1]
