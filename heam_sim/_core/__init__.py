# SPDX-License-Identifier: MIT
"""The only room that touches cffi: handles, dtype checks, status codes turned into typed errors."""

from __future__ import annotations

from heam_sim._core.records import (
    BOUND_NAMES,
    ENGINES,
    FLAG_CARRIED,
    ITEM_DTYPES,
    ITEM_HOST_READ,
    ITEM_PIM_LUT,
    ITEM_PIM_READ,
    LATENCY_DTYPE,
    LLC_HIT,
    LOG_DTYPE,
    NO_UNIT,
    OPTIONAL_ITEMS,
    ROLE_ACC,
    ROLE_LOAD,
    ROLE_MAC,
    ROLE_MUL,
    STATE_DONE,
    STATE_NEED_INPUT,
    STATE_PAUSED,
    ChannelParameters,
    HostParameters,
    Statistic,
    counters,
    host_counters,
)
from heam_sim._core.runs import Replay, System
from heam_sim._core.specs import Device, SpecHandle

__all__ = [
    "BOUND_NAMES",
    "ENGINES",
    "FLAG_CARRIED",
    "ITEM_DTYPES",
    "ITEM_HOST_READ",
    "ITEM_PIM_LUT",
    "ITEM_PIM_READ",
    "LATENCY_DTYPE",
    "LLC_HIT",
    "LOG_DTYPE",
    "NO_UNIT",
    "OPTIONAL_ITEMS",
    "ROLE_ACC",
    "ROLE_LOAD",
    "ROLE_MAC",
    "ROLE_MUL",
    "STATE_DONE",
    "STATE_NEED_INPUT",
    "STATE_PAUSED",
    "ChannelParameters",
    "Device",
    "HostParameters",
    "Replay",
    "SpecHandle",
    "Statistic",
    "System",
    "counters",
    "host_counters",
]
