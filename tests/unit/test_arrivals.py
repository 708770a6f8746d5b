# SPDX-License-Identifier: MIT
"""When samples come: processes, given times, and what says nothing about times."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heam_sim.arrivals import (
    GivenArrivals,
    PoissonArrivals,
    RegularArrivals,
    as_arrivals,
    split_overrides,
)
from heam_sim.errors import ConfigError


def test_regular_arrivals_are_evenly_spaced() -> None:
    assert RegularArrivals(per_second=4e6).times_ns(4).tolist() == [0, 250, 500, 750]
    assert RegularArrivals(load=0.5).times_ns(3, 8e6).tolist() == [0, 250, 500]
    assert RegularArrivals(per_second=1).times_ns(0).tolist() == []


def test_poisson_arrivals_are_a_poisson_process() -> None:
    times = PoissonArrivals(per_second=1e9, seed=7).times_ns(200_001)
    gaps = np.diff(times)
    assert times[0] == 0 and (gaps >= 0).all()
    # Mean, standard deviation and a tail of the exponential distribution; 4 standard errors.
    assert gaps.mean() == pytest.approx(1, abs=4 / np.sqrt(gaps.size))
    assert gaps.std() == pytest.approx(1, abs=4 * np.sqrt(8 / gaps.size))
    assert (gaps > 3).mean() == pytest.approx(np.exp(-3), abs=4 * np.sqrt(np.exp(-3) / gaps.size))
    assert abs(np.corrcoef(gaps[1:], gaps[:-1])[0, 1]) < 4 / np.sqrt(gaps.size)


def test_a_seed_is_a_process_and_a_rate_its_scale() -> None:
    slow, fast = (PoissonArrivals(per_second=rate, seed=3).times_ns(100) for rate in (1e6, 4e6))
    np.testing.assert_allclose(slow, 4 * fast, rtol=1e-12)
    assert not np.allclose(slow, PoissonArrivals(per_second=1e6, seed=4).times_ns(100))
    # A longer one begins with the shorter.
    np.testing.assert_array_equal(PoissonArrivals(per_second=1e6, seed=3).times_ns(50), slow[:50])


def test_given_times() -> None:
    given = GivenArrivals(np.array([5.0, 5.0, 105.0]))
    assert given.times_ns(3).tolist() == [5, 5, 105]
    assert given.rate(None) == pytest.approx(2e7)
    assert given.to_dict()["samples"] == 3
    assert given.to_dict() != GivenArrivals(np.array([5.0, 6.0, 105.0])).to_dict()
    with pytest.raises(ConfigError, match="there are 3 times, but 4 samples"):
        given.times_ns(4)
    assert np.isnan(GivenArrivals(np.array([7.0])).rate(None))


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([3.0, 2.0], "sample 1 comes at 2.0 ns"),
        ([-1.0], "sample 0 comes at -1.0 ns"),
        ([0.0, float("nan")], "sample 1 comes at nan"),
        ([[1.0]], "2 dimensions"),
        (["soon"], "needs times in ns"),
        ([0.0, 1e300], "later than"),
    ],
)
def test_times_that_cannot_be(times: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        GivenArrivals(times)


@pytest.mark.parametrize("kind", [PoissonArrivals, RegularArrivals])
@pytest.mark.parametrize(
    "rates",
    [{}, {"per_second": 1.0, "load": 0.5}, {"load": 0.0}, {"per_second": float("inf")}, {"load": "much"}],
)
def test_rates_that_cannot_be(kind: Any, rates: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="arrivals"):
        kind(**rates)


def test_other_wrong_numbers() -> None:
    with pytest.raises(ConfigError, match="seed"):
        PoissonArrivals(load=0.5, seed=-1)
    with pytest.raises(ConfigError, match="later than"):
        RegularArrivals(per_second=1e-9).times_ns(3)
    with pytest.raises(ConfigError, match="without throughput"):
        RegularArrivals(load=0.5).times_ns(3, float("nan"))


def test_what_stands_for_arrivals() -> None:
    assert as_arrivals(None) is None
    assert as_arrivals(2e6) == as_arrivals(np.float64(2e6)) == RegularArrivals(per_second=2e6)
    assert isinstance(as_arrivals([0.0, 1.0]), GivenArrivals)
    for wrong in ("soon", True, {}):
        with pytest.raises(ConfigError, match="says nothing about times"):
            as_arrivals(wrong)


def test_dotted_keys() -> None:
    other = {"host.llc_bytes": 0}
    assert split_overrides(None) == (None, None)
    assert split_overrides(other) == (None, other)
    found, rest = split_overrides({**other, "arrivals.load": 0.5, "arrivals.seed": 3})
    assert (found, rest) == (PoissonArrivals(load=0.5, seed=3), other)
    found, _ = split_overrides({"arrivals.process": "regular", "arrivals.per_second": 10})
    assert found == RegularArrivals(per_second=10)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"arrivals.loads": 1}, "did you mean 'arrivals.load'"),
        ({"arrivals.seed": 1}, "give per_second"),
        ({"arrivals.load": 1, "arrivals.process": "poison"}, "did you mean 'poisson'"),
        ({"arrivals.load": 1, "arrivals.process": "regular", "arrivals.seed": 2}, "have no seed"),
    ],
)
def test_wrong_dotted_keys(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        split_overrides(keys)
