# SPDX-License-Identifier: MIT
"""When PEs, merge nodes and stack nodes work, recomputed from the commands as docs/engine.md says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim._core import ROLE_ACC, ROLE_FILL, ROLE_LOAD, ROLE_MUL
from heam_sim.timelines.memories import Arithmetic, Memory

__all__ = ["Work", "merge_work", "pe_work"]

#: Log rows, first cycles and ends (exclusive) of pieces of work, int64 (pieces,) each.
Work = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
_WHOLE = ("PIM_LUT", "PE_HIT", "MERGED")
_OPERANDS = ("PIM_RD", "PIM_WRIMM", *_WHOLE)


class _Elements:
    """The PEs of some channels, in the middle of their work."""

    def __init__(self, memory: Memory, arithmetic: Arithmetic) -> None:
        spec = memory.spec
        self.arithmetic = arithmetic
        self.after = {"PIM_RD": spec.read_latency, "PIM_WRIMM": memory.imm_latency + spec.timing["nBL"]}
        self.free: dict[tuple[int, int], int] = {}
        self.register: dict[tuple[int, ...], int] = {}
        self.product: dict[tuple[int, ...], tuple[int, int]] = {}  # bursts so far, when the last is there
        self.arrived: dict[tuple[int, ...], int] = {}

    def take(self, name: str, row: dict[str, int]) -> tuple[int, int] | None:
        """Take an operand, or a burst of one; return when the ALU works on it, if it does."""
        bursts = self.arithmetic.operand_bursts if name in _WHOLE else 1
        there = self._arrival(name, row, bursts)
        role, key = row["role"], (row["channel"], row["unit"], row["tag"], row["slot"])
        if role == ROLE_FILL:
            return None
        if role == ROLE_LOAD:
            self.register[key] = there
            return None
        waits = 0 if role == ROLE_ACC else self.register.get(key, 0)
        element = (row["channel"], row["unit"])
        start = max(self.free.get(element, 0), there, waits)
        stop = self.free[element] = start + bursts * self.arithmetic.alu_cycles
        if role == ROLE_MUL:
            self._multiplied(key, bursts, stop)
        return start, stop

    def _arrival(self, name: str, row: dict[str, int], bursts: int) -> int:
        clock, place = row["clock"], (row["channel"], row["bank"], row["row"])
        if name in self.after:
            there = clock + self.after[name]
            self.arrived[(*place, row["column"])] = there
            return there
        if name == "MERGED":
            return self.arrived.get((*place, row["column"] + bursts - 1), clock)
        return clock + self.arithmetic.port_cycles

    def _multiplied(self, key: tuple[int, ...], bursts: int, stop: int) -> None:
        """The register of the next link is loaded with the last burst, and not before."""
        done = self.product.pop(key, (0, 0))[0] + bursts
        ready = stop + self.arithmetic.alu_latency
        if done < self.arithmetic.operand_bursts:
            self.product[key] = (done, ready)
        else:
            self.register[key] = ready


def pe_work(log: NDArray[Any], rows: NDArray[np.int64], names: Sequence[str], memory: Memory) -> Work:
    """Return what the ALUs of a memory's PEs do.

    Parameters
    ----------
    log
        Structured array of the command log.
    rows
        int64: the rows of it that belong to the memory's channels, in order of issue.
    names
        Names of the commands.

    Returns
    -------
    tuple of arrays
        Log rows, first cycles, ends; empty if the memory's arithmetic is not known.
    """
    if memory.arithmetic is None:
        return _as_work([])
    elements, found = _Elements(memory, memory.arithmetic), []
    fields = ("clock", "channel", "bank", "row", "column", "tag", "slot", "unit", "role")
    chosen = rows[np.isin(log["command"][rows], [i for i, name in enumerate(names) if name in _OPERANDS])]
    columns = [log[field][chosen].tolist() for field in fields]
    for number, command, *values in zip(
        chosen.tolist(), log["command"][chosen].tolist(), *columns, strict=True
    ):
        work = elements.take(names[command], dict(zip(fields, values, strict=True)))
        if work is not None:
            found.append((number, *work))
    return _as_work(found)


def merge_work(
    log: NDArray[Any],
    rows: NDArray[np.int64],
    *,
    latency: int,
    cycles: int,
    shared: bool = False,
) -> Work:
    """Return what an adder does with bursts that arrive so long after their commands.

    Parameters
    ----------
    log
        Structured array of the command log.
    rows
        int64: rows of the commands that send the bursts, in order of issue.
    latency
        From a command to the end of its burst at the adder.
    cycles
        Work per burst; 0: there is no such adder.
    shared
        There is one adder for all channels, and not one for each.
    """
    free: dict[int, int] = {}
    found = []
    for number in rows.tolist() if cycles else ():
        node = 0 if shared else int(log["channel"][number])
        start = max(free.get(node, 0), int(log["clock"][number]) + latency)
        free[node] = start + cycles
        found.append((number, start, free[node]))
    return _as_work(found)


def _as_work(found: list[tuple[int, int, int]]) -> Work:
    table = np.array(found, np.int64).reshape(len(found), 3)
    return table[:, 0], table[:, 1], table[:, 2]
