# SPDX-License-Identifier: MIT
"""What work arrays ask of every resource, counted by the core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim._core._heam import ffi, lib
from heam_sim._core.calls import check_status, checked_array, pointer_to
from heam_sim._core.records import c_number
from heam_sim._core.work import items_record
from heam_sim.errors import ConfigError

__all__ = ["DemandLists", "DemandShape", "add_demand"]

_OF_UNITS = ("reads", "port_cycles", "alu_bursts", "alu_cycles")
_OF_CHANNELS = ("instructions", "operands", "host_bursts", "partials", "results", "stack_sums", "immediates")


@dataclass(frozen=True, kw_only=True)
class DemandShape:
    """What the core needs to know of the memories; meaning and units stand in ``heam_sim.h``.

    `burst_bytes` has an entry per channel; `lines` and `pe_rows` say whether those lists are wanted.
    """

    units: int
    banks: int
    dram_rows: int
    line_bytes: int
    port_bytes_per_cycle: int
    burst_bytes: tuple[int, ...]
    lines: bool
    pe_rows: bool
    stack_first: int = 0
    stack_channels: int = 0
    gnrs: int = 0


@dataclass(frozen=True)
class DemandLists:
    """What some bags read, with repetitions.

    Attributes
    ----------
    rows
        int64: DRAM rows of operands from banks, ``(channel * banks + bank) * dram_rows + row``.
    lines, line_counts
        int64: ``channel << 48 | first host line`` of the operands for the host, and how many lines each has.
    pe_rows
        int64: ``(channel * units + unit) << 44 | line`` of what PEs read from banks.
    host_lines, added_lines, shortest
        Lines of all operands for the host, listed or not, and those that it adds; fewest bursts of an entry
        of `pe_rows`, 0 without.
    """

    rows: NDArray[np.int64]
    lines: NDArray[np.int64]
    line_counts: NDArray[np.uint32]
    pe_rows: NDArray[np.int64]
    host_lines: int
    added_lines: int
    shortest: int


def add_demand(
    shape: DemandShape,
    sums: Mapping[str, NDArray[np.int64]],
    items: Mapping[str, NDArray[Any]],
    offsets: NDArray[np.uint64],
) -> DemandLists:
    """Add what some bags ask for.

    Parameters
    ----------
    shape
        The memories.
    sums
        int64 arrays that are added to: ``reads``, ``port_cycles``, ``alu_bursts``, ``alu_cycles`` of
        channels x units entries (channel-major), ``instructions``, ``operands``, ``host_bursts``,
        ``partials``, ``results``, ``stack_sums``, ``immediates`` of an entry per channel.
    items, offsets
        As for :meth:`heam_sim._core.System.feed`; none may be missing.

    Raises
    ------
    ConfigError
        An array has the wrong dtype or size.
    CoreError
        An item names a channel, PE, bank, row or burst that `shape` does not have; the sums are of no use
        then.
    """
    record, count = items_record(items, offsets, optional=())
    channels, units = len(shape.burst_bytes), c_number(shape.units, "units")
    desc: dict[str, Any] = {
        "channels": channels,
        "gnrs": c_number(shape.gnrs, "gnrs", bits=64),
        "dram_rows": c_number(shape.dram_rows, "dram_rows", bits=33),
        **{
            name: c_number(getattr(shape, name), name)
            for name in (
                "units",
                "banks",
                "line_bytes",
                "port_bytes_per_cycle",
                "stack_first",
                "stack_channels",
            )
        },
    }
    for names, size in ((_OF_UNITS, channels * units), (_OF_CHANNELS, channels)):
        for name in names:
            array = checked_array(sums.get(name), np.dtype(np.int64), name)
            if array.size != size or not array.flags.writeable:
                raise ConfigError(f"{name}: needs a writable array of {size} entries, not {array.size}.")
            desc[name] = pointer_to("uint64_t[]", array)
    burst_bytes = np.array(shape.burst_bytes, np.uint32)
    desc["burst_bytes"] = pointer_to("uint32_t[]", burst_bytes)
    wanted = {"rows": True, "lines": shape.lines, "line_counts": shape.lines, "pe_rows": shape.pe_rows}
    lists: dict[str, NDArray[Any]] = {}
    for name, needed in wanted.items():
        dtype, ctype = (np.uint32, "uint32_t[]") if name == "line_counts" else (np.int64, "uint64_t[]")
        # One more, so that there is something to point to.
        lists[name] = np.empty(count + 1 if needed else 0, dtype)
        desc[name] = pointer_to(ctype, lists[name])
    demand, detail = ffi.new("heam_demand *", desc), ffi.new("uint64_t *")
    status = lib.heam_demand_add(demand, ffi.new("heam_items *", record), detail)
    check_status(status, "work arrays", int(detail[0]))
    return DemandLists(
        lists["rows"][: demand.banked],
        lists["lines"][: demand.host_items],
        lists["line_counts"][: demand.host_items],
        lists["pe_rows"][: demand.pe_items],
        int(demand.host_lines),
        int(demand.added_lines),
        int(demand.shortest),
    )
