# SPDX-License-Identifier: MIT
"""The bar of sweeps: rate, time left and failures on a terminal, nothing elsewhere."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from heam_sim.cli.progress import PointProgress


class _Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def shown(
    steps: list[tuple[float, int, int]], total: int, *, terminal: bool = True, unit: str = "failed"
) -> str:
    """What the bar shows last, after steps of (seconds, points done, failures)."""
    stream, clock = io.StringIO(), _Clock()
    bar = PointProgress(Console(file=stream, force_terminal=terminal, width=160, color_system=None))
    bar._bar.live.auto_refresh = False
    bar._bar.get_time = clock
    with bar:
        show = bar.task("preparing", total, failures=unit)
        for seconds, done, failed in steps:
            clock.now += seconds
            show(done, total, failed, f"last: {done}")
    return stream.getvalue().strip().rpartition("last:")[2]


def test_rate_time_left_and_failures() -> None:
    text = shown([(2, done, int(done > 2)) for done in range(1, 6)], 25)
    assert "5/25" in text and "1 failed" in text
    assert "30.0 points/min" in text  # one in 2 s
    assert "0:00:40" in text  # 20 more


def test_points_that_were_there_do_not_count_as_fast() -> None:
    """900 are found at once; the others take 5 s each."""
    text = shown([(0.1, 901, 0), (5, 902, 0), (5, 903, 0)], 1000)
    assert "903/1000" in text and "12.0 points/min" in text
    assert "0:08:05" in text  # 97 of 5 s


@pytest.mark.parametrize(
    ("seconds", "rate"), [(0.002, "500 points/s"), (0.4, "2.5 points/s"), (600, "6.0 points/h")]
)
def test_units_of_the_rate(seconds: float, rate: str) -> None:
    assert rate in shown([(seconds, done, 0) for done in range(1, 6)], 10)


def test_a_second_run_on_the_same_bar() -> None:
    """A study's search follows its points."""
    text = shown([(1, 1, 0), (1, 2, 0), (10, 1, 0), (10, 2, 0)], 2)
    assert "2/2" in text and "6.0 points/min" in text


def test_what_cannot_be_is_no_failure_of_a_search() -> None:
    assert "2 cannot be" in shown([(1, 3, 2)], 4, unit="cannot be")


def test_no_terminal() -> None:
    assert shown([(1, 1, 0)], 2, terminal=False) == ""
