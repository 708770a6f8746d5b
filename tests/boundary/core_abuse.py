# SPDX-License-Identifier: MIT
"""What the tests of misuse share: a small system, good work for it, and arrays of every wrong sort."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from heam_sim._core import (
    ITEM_DTYPES,
    ITEM_HOST_READ,
    ITEM_PIM_IMMEDIATE,
    ITEM_PIM_LUT,
    ITEM_PIM_READ,
    NO_UNIT,
    ROLE_ACC,
    ROLE_LOAD,
    ROLE_MAC,
    ROLE_MUL,
    STATE_DONE,
    ChannelParameters,
    HostParameters,
    Replay,
    SpecHandle,
    System,
)
from heam_sim.dram import derive_pim, load_spec
from heam_sim.errors import HeamSimError

PLAIN = load_spec("native/HBM2_4Gb_legacy/HBM2_2000")
PIM = derive_pim(PLAIN, "bank_group", "channel")
BANK_GROUP = PIM.levels.index("bank_group")
PER_UNIT = PIM.counts["bank"]
HOST: dict[str, Any] = {
    "period": 2,
    "issue_per_cycle": 2,
    "outstanding": 64,
    "add_bytes_per_cycle": 64,
    "line_bytes": 128,
    "llc_sets": 2,
    "llc_ways": 2,
    "window": 4,
    "batch": 0,
}
PIM_CHANNEL: dict[str, Any] = {
    "kind": "pim",
    "period": 3,
    "unit_level": BANK_GROUP,
    "merge": True,
    "queue_depth": 4,
    "batch_tags": 2,
    "instruction_buffer": 4,
    "alu_cycles": 1,
    "result_bursts": 8,
    "port_bytes_per_cycle": 64,
}
PLAIN_CHANNEL: dict[str, Any] = {"kind": "plain", "period": 3}


def make(host: dict[str, Any] | None = None, pim: dict[str, Any] | None = None, **plain: Any) -> System:
    """Channel 0 is plain, channel 1 has a PE per bank group."""
    return System(
        HostParameters(**{**HOST, **(host or {})}),
        channels=[
            ChannelParameters(**{**PLAIN_CHANNEL, **plain}),
            ChannelParameters(**{**PIM_CHANNEL, **(pim or {})}),
        ],
        specs=[SpecHandle(PLAIN), SpecHandle(PIM)],
    )


def item(**fields: int) -> dict[str, int]:
    return {**dict.fromkeys(ITEM_DTYPES, 0), "bursts": 2, **fields}


HOST_ITEM = item(kind=ITEM_HOST_READ, unit=NO_UNIT, bank=3, row=5)
ACC = item(kind=ITEM_PIM_READ, channel=1, role=ROLE_ACC, unit=2, bank=2 * PER_UNIT)
LOAD = {**ACC, "role": ROLE_LOAD, "row": 7}
MAC = {**ACC, "role": ROLE_MAC, "row": 8}
MUL = {**ACC, "role": ROLE_MUL, "row": 9}
LUT = item(kind=ITEM_PIM_LUT, channel=1, role=ROLE_ACC, unit=1)
IMMEDIATE = item(kind=ITEM_PIM_IMMEDIATE, channel=1, row=1, unit=3)
GOOD = [HOST_ITEM, ACC, LOAD, MAC, LUT, {**LUT, "role": ROLE_LOAD, "unit": 2}, MAC]


def arrays(items: list[dict[str, int]]) -> dict[str, np.ndarray]:
    return {name: np.array([one[name] for one in items], dtype) for name, dtype in ITEM_DTYPES.items()}


def offsets(*values: int) -> np.ndarray:
    return np.array(values, np.uint64)


def finish(system: System) -> int:
    """The handle still works: feed good bags, run to the end, and tell how many finished."""
    system.feed(arrays(GOOD), offsets(0, 2, len(GOOD)), last=True)
    assert system.run(10**6) == STATE_DONE
    return system.finished


def untyped(calls: dict[str, Callable[[], Any]]) -> dict[str, str]:
    """The calls that are taken, or that end with an error of somebody else."""
    found = {}
    for name, call in calls.items():
        try:
            call()
        except HeamSimError:
            continue
        except Exception as error:  # noqa: BLE001  # any error at all is what is looked for
            found[name] = type(error).__name__
        else:
            found[name] = "no error"
    return found


def misaligned(array: np.ndarray) -> np.ndarray:
    raw = np.zeros(array.nbytes + 1, np.uint8)
    view = raw[1:].view(array.dtype)
    view[:] = array
    return view


WRONG_ARRAYS: dict[str, Callable[[np.ndarray], Any]] = {
    "float64": lambda a: a.astype(np.float64),
    "int64": lambda a: a.astype(np.int64),
    "wider": lambda a: a.astype(np.uint64).astype(np.int32),
    "bool": lambda a: a.astype(bool),
    "object": lambda a: a.astype(object),
    "complex": lambda a: a.astype(complex),
    "other byte order": lambda a: a.astype(np.dtype(">u4")),
    "strided": lambda a: np.repeat(a, 2)[::2],
    "reversed": lambda a: a[::-1],
    "two dimensions": lambda a: a.reshape(1, -1),
    "no dimension": lambda a: a[0].reshape(()),
    "broadcast": lambda a: np.broadcast_to(a[:1], a.shape),
    "too short": lambda a: a[:-1],
    "too long": lambda a: np.append(a, a[:1]),
    "empty": lambda a: a[:0],
    "list": lambda a: a.tolist(),
    "bytes": lambda a: a.tobytes(),
    "memoryview": lambda a: memoryview(a),
    "nothing": lambda a: None,
}


def requests(count: int, **fields: Any) -> dict[str, Any]:
    good = {
        "channel": np.zeros(count, np.uint16),
        "bank": (np.arange(count) % PLAIN.banks).astype(np.uint16),
        "row": (np.arange(count) % 5).astype(np.uint32),
        "column": np.zeros(count, np.uint16),
        "is_write": np.zeros(count, np.uint8),
    }
    return {**good, **fields}


def replay_of(channels: int = 1, **options: Any) -> Replay:
    return Replay(
        SpecHandle(PLAIN), parameters=ChannelParameters(**PLAIN_CHANNEL), channels=channels, **options
    )
