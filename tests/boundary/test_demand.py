# SPDX-License-Identifier: MIT
"""Misuse of the count of demand: typed errors, and nothing beyond an array is touched."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from heam_sim._core import ITEM_DTYPES, ITEM_PIM_LUT, ITEM_PIM_READ, DemandShape, add_demand
from heam_sim.errors import ConfigError, CoreError

SHAPE = DemandShape(
    units=2,
    banks=4,
    dram_rows=8,
    line_bytes=64,
    port_bytes_per_cycle=64,
    burst_bytes=(64, 32),
    lines=True,
    pe_rows=True,
)
OFFSETS = np.array([0, 1, 3], np.uint64)


def sums() -> dict[str, Any]:
    of_units = dict.fromkeys(("reads", "port_cycles", "alu_bursts", "alu_cycles"), 4)
    names = ("instructions", "operands", "host_bursts", "partials", "results", "stack_sums", "immediates")
    of_channels = dict.fromkeys(names, 2)
    return {name: np.zeros(size, np.int64) for name, size in {**of_units, **of_channels}.items()}


def items() -> dict[str, Any]:
    """A host read, a PIM read and a LUT read."""
    found: dict[str, Any] = {name: np.zeros(3, dtype) for name, dtype in ITEM_DTYPES.items()}
    found["kind"][1:] = ITEM_PIM_READ, ITEM_PIM_LUT
    found["channel"][1:] = 1
    found["bursts"][:] = 2
    found["bank"][1], found["row"][1], found["unit"][1:] = 3, 7, 1
    return found


def test_good_work_is_counted() -> None:
    counted = sums()
    lists = add_demand(SHAPE, counted, items(), OFFSETS)
    assert lists.rows.tolist() == [0, (1 * 4 + 3) * 8 + 7]
    assert lists.lines.tolist() == [0] and lists.line_counts.tolist() == [2] and lists.host_lines == 2
    assert lists.pe_rows.tolist() == [3 << 44] and lists.shortest == 2
    assert counted["reads"].tolist() == [0, 0, 0, 2] and counted["port_cycles"].tolist() == [0, 0, 0, 1]
    assert counted["partials"].tolist() == counted["results"].tolist() == [0, 2]
    none = add_demand(replace(SHAPE, lines=False, pe_rows=False), counted, items(), OFFSETS)
    assert none.lines.size == none.pe_rows.size == none.shortest == 0 and none.host_lines == 2
    assert counted["operands"].tolist() == [2, 2]


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [
        ("kind", 0, 4),
        ("channel", 0, 2),
        ("bursts", 0, 0),
        ("bank", 0, 4),
        ("row", 1, 8),
        ("unit", 1, 2),
        ("unit", 2, 65535),
        ("segment", 1, 63),
        ("covers", 2, 65),
    ],
)
def test_items_that_name_what_is_not_there(name: str, at: int, value: int) -> None:
    work = items()
    work[name][at] = value
    with pytest.raises(CoreError, match=rf"at index {at}.*HEAM_BAD_ITEM"):
        add_demand(SHAPE, sums(), work, OFFSETS)


def test_a_lut_needs_a_port() -> None:
    with pytest.raises(CoreError, match="at index 2"):
        add_demand(replace(SHAPE, port_bytes_per_cycle=0), sums(), items(), OFFSETS)


def test_arrays_of_the_wrong_sort() -> None:
    frozen = np.zeros(4, np.int64)
    frozen.flags.writeable = False
    for name, array, message in (
        ("reads", np.zeros(3, np.int64), "writable array of 4"),
        ("results", np.zeros(2, np.int32), "int64"),
        ("reads", frozen, "writable"),
    ):
        with pytest.raises(ConfigError, match=message):
            add_demand(SHAPE, {**sums(), name: array}, items(), OFFSETS)
    with pytest.raises(ConfigError, match="partials"):
        add_demand(SHAPE, {k: v for k, v in sums().items() if k != "partials"}, items(), OFFSETS)
    with pytest.raises(ConfigError, match="flags"):
        add_demand(SHAPE, sums(), {k: v for k, v in items().items() if k != "flags"}, OFFSETS)
    with pytest.raises(ConfigError, match="offsets end at 4"):
        add_demand(SHAPE, sums(), items(), np.array([0, 4], np.uint64))


@pytest.mark.parametrize("offsets", [[1, 3], [0, 9, 3], [0, 2, 1, 3]])
def test_offsets_out_of_order(offsets: list[int]) -> None:
    with pytest.raises(ConfigError, match="HEAM_BAD_ARGUMENT"):
        add_demand(SHAPE, sums(), items(), np.array(offsets, np.uint64))


@pytest.mark.parametrize("name", ["units", "line_bytes"])
def test_a_shape_without_size(name: str) -> None:
    shape = replace(SHAPE, **{name: 0})
    wrong = sums()
    if name == "units":
        wrong |= dict.fromkeys(("reads", "port_cycles", "alu_bursts", "alu_cycles"), np.zeros(0, np.int64))
    with pytest.raises(ConfigError, match="HEAM_BAD_ARGUMENT"):
        add_demand(shape, wrong, items(), OFFSETS)


def test_no_work_at_all() -> None:
    nothing = {name: np.zeros(0, dtype) for name, dtype in ITEM_DTYPES.items()}
    lists = add_demand(SHAPE, sums(), nothing, np.array([0, 0], np.uint64))
    assert lists.rows.size == lists.lines.size == 0
