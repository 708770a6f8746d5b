# SPDX-License-Identifier: MIT
"""Numbers that users give."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from heam_sim.errors import ConfigError, SpecError
from heam_sim.numbers import real_number, whole_number


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3)], ids=lambda value: type(value).__name__)
def test_whole_numbers(value: Any) -> None:
    number = whole_number("n", value, minimum=3, maximum=3)
    assert number == 3 and type(number) is int


@pytest.mark.parametrize(
    ("value", "bounds", "says"),
    [
        (2, {"minimum": 3}, "n must be a whole number of at least 3, not 2."),
        (-1, {"minimum": 0}, "n must be a whole number that is not negative, not -1."),
        (2**64, {"minimum": 0, "maximum": 9}, f"n must be a whole number from 0 to 9, not {2**64}."),
        (True, {"minimum": 0}, "n must be a whole number that is not negative, not True."),
        (np.True_, {"minimum": 0}, "not negative, not np.True_."),
        (1.0, {"minimum": 0}, "not 1.0."),
        ("1", {"minimum": 0}, "not '1'."),
        (None, {"minimum": 0}, "not None."),
    ],
    ids=repr,
)
def test_what_is_no_whole_number(value: object, bounds: dict[str, int], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        whole_number("n", value, **bounds)  # type: ignore[arg-type]
    assert str(caught.value).endswith(says)


@pytest.mark.parametrize(
    "value", [1, 1.0, np.float32(1), np.int64(1)], ids=lambda value: type(value).__name__
)
def test_real_numbers(value: Any) -> None:
    number = real_number("x", value, minimum=1, maximum=1)
    assert number == 1 and type(number) is float


@pytest.mark.parametrize(
    ("value", "bounds", "says"),
    [
        (1.5, {"minimum": 0, "maximum": 1}, "x must be a number from 0 to 1, not 1.5."),
        (1, {"minimum": 0, "below": 1}, "x must be a number from 0 and below 1, not 1."),
        (0, {"above": 0, "maximum": 1}, "x must be a number above 0 and up to 1, not 0."),
        (0.0, {"above": 0}, "x must be a finite number above 0, not 0.0."),
        (-1, {"minimum": 0}, "x must be a finite number that is not negative, not -1."),
        (1, {"minimum": 2}, "x must be a finite number of at least 2, not 1."),
        (2, {"maximum": 1}, "x must be a finite number up to 1, not 2."),
        (1, {"below": 1}, "x must be a finite number below 1, not 1."),
        (math.inf, {"minimum": 0}, "not inf."),
        (math.nan, {}, "x must be a finite number, not nan."),
        (10**400, {}, f"not {10**400}."),
        (True, {}, "not True."),
        ("1", {}, "not '1'."),
        (1j, {}, "not 1j."),
    ],
    ids=repr,
)
def test_what_is_no_real_number(value: object, bounds: dict[str, float], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        real_number("x", value, **bounds)  # type: ignore[arg-type]
    assert str(caught.value).endswith(says)


def test_the_error_is_of_the_room_that_asks() -> None:
    with pytest.raises(SpecError):
        whole_number("n", 0, minimum=1, error=SpecError)
    with pytest.raises(SpecError):
        real_number("x", 0, above=0, error=SpecError)
