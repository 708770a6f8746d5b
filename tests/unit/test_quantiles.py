# SPDX-License-Identifier: MIT
"""Quantiles beside numpy's, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heam_sim.quantiles import quantiles

SHARES = (0.0, 0.25, 0.50, 0.95, 0.99, 1.0)


@settings(max_examples=300)
@given(st.lists(st.floats(0, 1e300) | st.integers(0, 30).map(float), min_size=1, max_size=60))
def test_any_numbers(values: list[float]) -> None:
    found = np.array(values)
    assert quantiles(found, SHARES) == np.quantile(found, SHARES).tolist()


@pytest.mark.parametrize("size", [1, 2, 101, 70_000])
def test_many_numbers_of_each_kind(size: int) -> None:
    random = np.random.default_rng(size)
    for values in (
        random.gamma(3, 300, size),
        random.integers(0, 20, size) * 0.625,  # few values
        np.full(size, 3.3),
        np.zeros(size),
        np.append(random.random(size), 1e9),  # nearly all in one bin
        np.append(random.integers(0, 3, size) + random.integers(0, 2, size) * 1e-9, 1e6),  # and again
    ):
        assert quantiles(values, SHARES) == np.quantile(values, SHARES).tolist()
