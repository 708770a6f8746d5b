# SPDX-License-Identifier: MIT
"""Array layouts, constants and parameter records of the C core, read from its interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from heam_sim._core._heam import ffi, lib
from heam_sim.errors import unknown_name
from heam_sim.numbers import whole_number

__all__ = [
    "BOUND_NAMES",
    "ENGINES",
    "FLAG_CACHE",
    "FLAG_CARRIED",
    "FLAG_UNADDED",
    "ITEM_DTYPES",
    "ITEM_HOST_READ",
    "ITEM_PIM_IMMEDIATE",
    "ITEM_PIM_LUT",
    "ITEM_PIM_READ",
    "LATENCY_DTYPE",
    "LLC_HIT",
    "LOG_DTYPE",
    "NO_UNIT",
    "OPTIONAL_ITEMS",
    "PSEUDO_COMMANDS",
    "ROLE_ACC",
    "ROLE_FILL",
    "ROLE_LOAD",
    "ROLE_MAC",
    "ROLE_MUL",
    "STATE_DONE",
    "STATE_NEED_INPUT",
    "STATE_PAUSED",
    "ChannelParameters",
    "HostParameters",
    "Statistic",
    "c_number",
    "counters",
    "host_counters",
    "reasons",
    "text",
]

ITEM_HOST_READ: int = lib.HEAM_ITEM_HOST_READ
ITEM_PIM_IMMEDIATE: int = lib.HEAM_ITEM_PIM_IMMEDIATE
ITEM_PIM_READ: int = lib.HEAM_ITEM_PIM_READ
ITEM_PIM_LUT: int = lib.HEAM_ITEM_PIM_LUT
FLAG_CACHE: int = lib.HEAM_FLAG_CACHE
FLAG_CARRIED: int = lib.HEAM_FLAG_CARRIED
FLAG_UNADDED: int = lib.HEAM_FLAG_UNADDED
ROLE_ACC: int = lib.HEAM_ROLE_ACC
ROLE_FILL: int = lib.HEAM_ROLE_FILL
ROLE_LOAD: int = lib.HEAM_ROLE_LOAD
ROLE_MAC: int = lib.HEAM_ROLE_MAC
ROLE_MUL: int = lib.HEAM_ROLE_MUL
STATE_NEED_INPUT: int = lib.HEAM_STATE_NEED_INPUT
STATE_PAUSED: int = lib.HEAM_STATE_PAUSED
STATE_DONE: int = lib.HEAM_STATE_DONE
LLC_HIT: int = lib.HEAM_LOG_LLC_HIT
NO_UNIT: int = lib.HEAM_NO_UNIT

#: What the log holds beside DRAM commands, by the core's number (see docs/formats.md).
PSEUDO_COMMANDS: dict[int, str] = {
    lib.HEAM_LOG_LLC_HIT: "LLC_HIT",
    lib.HEAM_LOG_PE_HIT: "PE_HIT",
    lib.HEAM_LOG_MERGED: "MERGED",
    lib.HEAM_LOG_PIM_XMOV: "PIM_XMOV",
}

#: Names of the negative values of the log's field ``bound``.
BOUND_NAMES: dict[int, str] = {
    lib.HEAM_BOUND_NONE: "none",
    lib.HEAM_BOUND_ARRIVAL: "arrival",
    lib.HEAM_BOUND_SLOT: "command slot",
    lib.HEAM_BOUND_PATH: "instruction path",
    lib.HEAM_BOUND_LUT: "LUT port",
    lib.HEAM_BOUND_REGISTER: "register",
}

#: Ways to simulate plain request streams; the index is the core's number.
ENGINES: tuple[str, ...] = ("auto", "generic", "portable", "avx2")

# The core's numbers of the policies of plain channels, by name.
_POLICIES: dict[str, dict[str, int]] = {
    "scheduler": {
        "frfcfs": lib.HEAM_SCHEDULER_FRFCFS,
        "fcfs": lib.HEAM_SCHEDULER_FCFS,
        "frfcfs-cap": lib.HEAM_SCHEDULER_FRFCFS_CAP,
    },
    "row_policy": {
        "open": lib.HEAM_ROWS_OPEN,
        "closed": lib.HEAM_ROWS_CLOSED,
        "timeout": lib.HEAM_ROWS_TIMEOUT,
        "capped": lib.HEAM_ROWS_CAPPED,
    },
    "refresh": {
        "none": lib.HEAM_REFRESH_NONE,
        "all-bank": lib.HEAM_REFRESH_ALL_BANK,
        "per-bank": lib.HEAM_REFRESH_PER_BANK,
        "same-bank": lib.HEAM_REFRESH_SAME_BANK,
    },
}

_SCALARS = {"uint64_t": "<u8", "uint32_t": "<u4", "uint16_t": "<u2", "int16_t": "<i2", "uint8_t": "u1"}


def _dtype(name: str) -> np.dtype[np.void]:
    """Mirror a C record, so that the layout is written once, in the header."""
    record = ffi.typeof(name)
    members = [(field, info.type.cname, info.offset) for field, info in record.fields]
    return np.dtype(
        {
            "names": [field for field, _, _ in members],
            "formats": [_SCALARS[cname] for _, cname, _ in members],
            "offsets": [offset for _, _, offset in members],
            "itemsize": ffi.sizeof(name),
        }
    )


LOG_DTYPE = _dtype("heam_log_record")
LATENCY_DTYPE = _dtype("heam_latency_record")

#: Work arrays of the engine and their dtypes (see docs/development.md, "Items").
ITEM_DTYPES: dict[str, np.dtype[Any]] = {
    name: np.dtype(_SCALARS[info.type.item.cname.replace("const ", "")])
    for name, info in ffi.typeof("heam_items").fields
    if info.type.kind == "pointer" and name != "offsets"
}

#: Work arrays that may be left out: all zero then.
OPTIONAL_ITEMS: tuple[str, ...] = ("segment", "covers", "alu", "flags")


def text(value: Any) -> str:
    """Turn a C string into Python's."""
    return "" if value == ffi.NULL else ffi.string(value).decode("ascii")


@dataclass(frozen=True)
class Statistic:
    """A counter of the core: its name, unit and description."""

    name: str
    unit: str
    description: str


def _statistics(
    name: Callable[[int], Any], unit: Callable[[int], Any], what: Callable[[int], Any]
) -> tuple[Statistic, ...]:
    found: list[Statistic] = []
    while name(len(found)) != ffi.NULL:
        index = len(found)
        found.append(Statistic(text(name(index)), text(unit(index)), text(what(index))))
    return tuple(found)


def counters() -> tuple[Statistic, ...]:
    """Return the counters of a channel, in the core's order."""
    return _statistics(lib.heam_counter_name, lib.heam_counter_unit, lib.heam_counter_text)


def reasons() -> tuple[str, ...]:
    """Return what time may go to beside the resources of constraint rows, in the core's order."""
    found: list[str] = []
    while lib.heam_reason_text(len(found)) != ffi.NULL:
        found.append(text(lib.heam_reason_text(len(found))))
    return tuple(found)


def host_counters() -> tuple[Statistic, ...]:
    """Return the counters of the host, in the core's order."""
    return _statistics(lib.heam_host_counter_name, lib.heam_host_counter_unit, lib.heam_host_counter_text)


def c_number(value: object, what: str, *, bits: int = 32) -> int:
    """Accept a whole number, or a flag, that an unsigned C integer of so many bits holds."""
    number = int(value) if isinstance(value, bool) else value
    return whole_number(what, number, minimum=0, maximum=(1 << bits) - 1)


def _numbers(record: ChannelParameters | HostParameters) -> dict[str, int]:
    return {
        item.name: c_number(getattr(record, item.name), item.name)
        for item in fields(record)
        if item.name not in ("kind", "energy", *_POLICIES)
    }


def _energies(energy: Mapping[str, int]) -> list[int]:
    """One number per kind of command, in the core's order."""
    kinds = [text(lib.heam_kind_name(kind)) for kind in range(lib.HEAM_KINDS)]
    for kind in energy:
        if kind not in kinds:
            raise unknown_name("kind of command", kind, kinds, where="energy")
    return [c_number(energy.get(kind, 0), f"energy of {kind}", bits=64) for kind in kinds]


def _policy(record: ChannelParameters, name: str) -> int:
    numbers, value = _POLICIES[name], getattr(record, name)
    if name == "refresh" and isinstance(value, bool):
        value = "all-bank" if value else "none"
    if not isinstance(value, str) or value not in numbers:
        raise unknown_name(name, str(value), numbers, where=name)
    return numbers[value]


@dataclass(frozen=True, kw_only=True)
class ChannelParameters:
    """Parameters of one channel's controller; meaning and units stand in ``heam_sim.h``.

    `scheduler`, `row_policy` and `refresh` have the names of :class:`heam_sim.dram.Controller`; true means
    all-bank refresh, false none. `energy` maps kinds of command to integers; what is left out costs nothing.
    """

    kind: str
    period: int
    refresh: bool | str = True
    read_queue: int = 32
    write_queue: int = 32
    write_high_percent: int = 80
    write_low_percent: int = 20
    unit_level: int = 0
    merge: bool = False
    queue_depth: int = 1
    batch_tags: int = 1
    instruction_buffer: int = 1
    instruction_cycles: int = 1
    path_uses_dq: bool = False
    decode_cycles: int = 0
    alu_cycles: int = 0
    alu_latency: int = 0
    merge_cycles: int = 0
    mov_latency: int = 0
    res_latency: int = 0
    port_bytes_per_cycle: int = 0
    lut_load: int = 0
    result_bursts: int = 1
    scheduler: str = "frfcfs"
    row_hit_cap: int = 0
    row_policy: str = "open"
    row_timeout: int = 0
    row_cap: int = 0
    refresh_stagger: bool = False
    refresh_postpone: int = 0
    refresh_interval: int = 0
    second_stage_cycles: int = 0
    host_driven: bool = False
    cache_sets: int = 0
    cache_ways: int = 0
    merge_identical: bool = False
    energy_window: int = 0
    energy: Mapping[str, int] = field(default_factory=dict)
    stack: int = 0
    stack_tags: int = 0
    stack_cycles: int = 0
    xmov_cycles: int = 0
    xmov_latency: int = 0
    imm_latency: int = 0

    def to_c(self) -> dict[str, Any]:
        """Return the fields as the C record has them."""
        kinds = {"plain": lib.HEAM_CHANNEL_PLAIN, "pim": lib.HEAM_CHANNEL_PIM}
        if self.kind not in kinds:
            raise unknown_name("kind of channel", self.kind, kinds)
        policies = {name: _policy(self, name) for name in _POLICIES}
        return {"kind": kinds[self.kind], "energy": _energies(self.energy), **policies, **_numbers(self)}


@dataclass(frozen=True, kw_only=True)
class HostParameters:
    """Parameters of the host; meaning and units stand in ``heam_sim.h``."""

    period: int
    issue_per_cycle: int
    outstanding: int
    add_bytes_per_cycle: int
    line_bytes: int
    llc_sets: int
    llc_ways: int
    window: int
    batch: int
    ledger_ticks: int = 0

    def to_c(self) -> dict[str, int]:
        """Return the fields as the C record has them."""
        return _numbers(self)
