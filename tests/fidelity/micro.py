# SPDX-License-Identifier: MIT
"""What the hand-derived micro-traces share: energies of single events, worked out from published numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heam_sim.results import Result
from heam_sim.simulation import simulate
from heam_sim.trace import LookupTrace

# DDR4-3200, 8 devices a rank (docs/energy.md): volts x milliamperes x nanoseconds = picojoules.
DDR4_ACT = 8 * 1.2 * (57 * 46.25 - 52 * 32.5 - 37 * 13.75)
DDR4_READ = 8 * 1.2 * (168 - 52) * 2.5
DDR4_CELL, DDR4_ON_DIE = 0.164 * DDR4_READ, (0.377 + 0.459) * DDR4_READ
DDR4_MUX, DDR4_GLOBAL = 0.377 * DDR4_READ, 0.459 * DDR4_READ
# Instructions go down the path of writes.
DDR4_WRITE_BIT = 8 * 1.2 * (150 - 52) * 2.5 / 512
DDR4_MUX_DOWN_BIT, DDR4_GLOBAL_DOWN_BIT = 0.377 * DDR4_WRITE_BIT, 0.459 * DDR4_WRITE_BIT
DDR4_OPEN_MW, DDR4_CLOSED_MW = 8 * (1.2 * 52 + 2.5 * 3), 8 * (1.2 * 37 + 2.5 * 3)
MODULE_BUS, HOST_BUS = 4.06, 9.45  # pJ/b

# HBM2, legacy channel.
HBM_ACT = 909.0 * 2
HBM_CELL, HBM_MUX, HBM_GLOBAL, HBM_TSV, HBM_PHY = 0.44, 1.01, 1.23, 0.5, 0.3  # pJ/b
HBM_OPEN_MW, HBM_CLOSED_MW = 1.2 * 55, 1.2 * 40

BURST_BITS = 512  # of both memories
BURST_ELEMENTS = 16
ADD, MULTIPLY, DECODE, LUT_BIT, TAG = 0.9, 3.7, 5.0, 0.31, 5.0
DDR4_COMMAND, HBM_COMMAND = 23, 16  # bits
DEVICES = 8  # of a DDR4 rank
CROSSBAR = 0.5  # pJ/b
HOST_ADD_B, HOST_MULTIPLY_B, LLC_LOOKUP, LLC_B = 1.3, 2.0, 50.0, 10.0


def assert_energy(result: Result, expected: dict[str, float]) -> None:
    """Every component as derived, those not named zero, and the total their sum."""
    found = {name: part.value for name, part in result.energy.by_component().items()}
    assert {name for name, value in found.items() if value} == set(expected)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-12), name
    assert result.energy_pJ == pytest.approx(sum(expected.values()), rel=1e-12)


def assert_card(root: Path, system: str, *results: str, of: Result | None = None) -> None:
    """The model card states these results in bold; `of` is the run whose time and energy they are."""
    if of is not None:
        assert results == (f"{of.time_ns:g} ns", f"{of.energy_pJ:,.0f} pJ")
    text = (root / "docs" / "models" / f"{system}.md").read_text(encoding="utf-8")
    for result in results:
        assert f"**{result}**" in text, f"{system}.md does not state {result}"


def checked(trace: LookupTrace, **options: Any) -> Result:
    """Simulate with both checks on."""
    return simulate(trace, check=True, **options)
