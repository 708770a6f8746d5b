# SPDX-License-Identifier: MIT
"""What a timeline must know of the memories behind a command log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import gcd, lcm
from pathlib import Path
from typing import Any

from heam_sim.dram import Spec
from heam_sim.errors import CheckError
from heam_sim.numbers import whole_number
from heam_sim.planning import Plan
from heam_sim.systems import System, Tier, load_system
from heam_sim.timelines.durations import command_cycles, group_cycles

__all__ = ["Arithmetic", "Memories", "Memory", "memories_of_plan", "memories_of_system", "memory_of_spec"]


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """How long PEs take; all in cycles of their channel's clock.

    Attributes
    ----------
    operand_bursts
        Bursts of every operand.
    port_cycles
        What an operand takes at the port of a LUT or cache.
    alu_cycles, alu_latency
        Per burst, and from a burst's end to its sum.
    """

    operand_bursts: int
    port_cycles: int
    alu_cycles: int
    alu_latency: int


@dataclass(frozen=True, kw_only=True)
class Memory:
    """One kind of memory, and its channels in the log.

    Attributes
    ----------
    name
        Of the tier, or of the preset.
    spec
        With PIM commands, if the log has any.
    channels
        Their numbers in the log.
    units
        PEs per channel; 0: none.
    port_cycles
        Cycles of a PIM_LUT or PE_HIT, at least.
    mov_latency, res_latency, imm_latency
        Cycles from PIM_MOV, PIM_RDRES, PIM_WRIMM to their bursts.
    merge_cycles
        Cycles per burst of the merge node; 0: there is none, or it is not known.
    xmov_cycles, xmov_latency, stack_cycles
        Crossbar and adder of the stack; 0 as above.
    arithmetic
        ``None`` if what PEs do does not follow from the log.
    """

    name: str
    spec: Spec
    channels: range
    units: int = 0
    port_cycles: int = 1
    mov_latency: int = 0
    res_latency: int = 0
    imm_latency: int = 0
    merge_cycles: int = 0
    xmov_cycles: int = 1
    xmov_latency: int = 0
    stack_cycles: int = 0
    arithmetic: Arithmetic | None = None

    @cached_property
    def cycles(self) -> dict[str, int]:
        """Cycles that each command is drawn with."""
        return command_cycles(self.spec)

    @cached_property
    def group_cycles(self) -> dict[str, int]:
        """Cycles that commands keep the I/O of their bank group."""
        return group_cycles(self.spec)

    @property
    def banks_per_unit(self) -> int:
        """Banks behind one PE."""
        return self.spec.banks // max(self.units, 1)


@dataclass(frozen=True)
class Memories:
    """All memories of a log, and the clock that they have in common.

    Attributes
    ----------
    members
        In order of their channels.
    host_clock_ps
        Period of the host's clock, in which LLC hits are counted; ``None`` where there is no host.
    gnrs_per_sample
        ``None`` if the log does not say where samples end.
    """

    members: tuple[Memory, ...]
    host_clock_ps: Fraction | None = None
    gnrs_per_sample: int | None = None

    @property
    def tick_ps(self) -> Fraction:
        """The longest time of which all clock periods are multiples, in ps."""
        periods = [memory.spec.tCK_ps for memory in self.members]
        periods += [] if self.host_clock_ps is None else [self.host_clock_ps]
        common = lcm(*(period.denominator for period in periods))
        return Fraction(gcd(*(int(period * common) for period in periods)), common)

    def of_channel(self, channel: int) -> Memory:
        """The memory that a channel belongs to."""
        for memory in self.members:
            if channel in memory.channels:
                return memory
        most = max(memory.channels.stop for memory in self.members) - 1
        raise CheckError(
            f"the command log has channel {channel}, but the memories have 0 to {most}; name the system or "
            "the number of channels that it is of."
        )


def _pim_units(spec: Spec, level: str | None) -> int:
    """PEs beyond the second level (DIMM buffer, base die, stack) are one per channel."""
    if level is None:
        return 0
    return spec.nodes(level) if level in spec.levels else 1


def memory_of_spec(spec: Spec, channels: int) -> Memories:
    """A memory by itself; what a system would say is as the protocol check assumes it.

    Results come nCL after PIM_RDRES, immediates nCWL after PIM_WRIMM; nothing is said of PEs' arithmetic.

    Parameters
    ----------
    spec
        The memory.
    channels
        How many of it.

    Returns
    -------
    Memories
        One entry per channel.
    """
    channels = whole_number("channels", channels, minimum=1)
    return Memories(
        (
            Memory(
                name=spec.name,
                spec=spec,
                channels=range(channels),
                units=_pim_units(spec, spec.unit_level),
                mov_latency=spec.timing.get("nCL", 0),
                res_latency=spec.timing.get("nCL", 0),
                imm_latency=spec.timing.get("nCWL", 0),
            ),
        )
    )


def _of_tier(tier: Tier, spec: Spec, channels: range) -> Memory:
    memory = Memory(name=tier.name, spec=spec, channels=channels)
    pim = tier.pim
    if pim is None:
        return memory
    stacked = pim.stack_bytes_per_cycle > 0
    return replace(
        memory,
        units=_pim_units(spec, pim.unit_level),
        port_cycles=-(-spec.burst_bytes // pim.lut_bytes_per_cycle),
        mov_latency=pim.latency(pim.mov_latency, spec),
        res_latency=pim.latency(pim.res_latency, spec),
        imm_latency=spec.timing["nCWL"],
        merge_cycles=-(-spec.burst_bytes // pim.merge_bytes_per_cycle) if pim.merge_level else 0,
        xmov_cycles=pim.xmov_cycles,
        xmov_latency=pim.latency(pim.xmov_latency, spec) if stacked else 0,
        stack_cycles=-(-spec.burst_bytes // pim.stack_bytes_per_cycle) if stacked else 0,
    )


def memories_of_system(system: str | Path | System, overrides: Mapping[str, Any] | None = None) -> Memories:
    """The memories of a system, its channels numbered in the order of its tiers; as for ``simulate``.

    Parameters
    ----------
    system
        As for :func:`heam_sim.simulate`.
    overrides
        As for :func:`heam_sim.simulate`.

    Returns
    -------
    Memories
        One entry per channel.
    """
    described = system if isinstance(system, System) else load_system(system, overrides=overrides)
    return _of_tiers(described, {tier.name: tier.spec() for tier in described.tiers})


def _of_tiers(system: System, specs: Mapping[str, Spec]) -> Memories:
    members: list[Memory] = []
    for tier in system.tiers:
        first = members[-1].channels.stop if members else 0
        members.append(_of_tier(tier, specs[tier.name], range(first, first + tier.channels)))
    return Memories(tuple(members), Fraction(system.host.clock_ps))


def memories_of_plan(planned: Plan) -> Memories:
    """The memories of a planned run, with what its embedding says of the PEs' work."""
    known = _of_tiers(planned.system, planned.specs)
    members = [_with_arithmetic(planned, memory) for memory in known.members]
    return replace(known, members=tuple(members), gnrs_per_sample=planned.gnrs_per_sample)


def _with_arithmetic(planned: Plan, memory: Memory) -> Memory:
    layout = planned.placement.layouts[memory.name]
    pim = layout.tier.pim
    if pim is None:
        return memory
    shapes = [layout.shape(table.row_bytes) for table in planned.placement.subtables]
    bursts = {-(-shape.read_bytes // memory.spec.burst_bytes) for shape in shapes}
    if len(bursts) > 1 or any(shape.parts > 1 for shape in shapes):
        return memory
    operand = bursts.pop()
    port = -(-operand * memory.spec.burst_bytes // pim.lut_bytes_per_cycle)
    if _matrices(planned):
        return replace(memory, port_cycles=port)
    alu = -(-memory.spec.burst_bytes // pim.alu_bytes_per_cycle)
    arithmetic = Arithmetic(
        operand_bursts=operand, port_cycles=port, alu_cycles=alu, alu_latency=pim.alu_latency_cycles
    )
    return replace(memory, port_cycles=port, arithmetic=arithmetic)


def _matrices(planned: Plan) -> bool:
    """Rows that are multiplied as matrices take the ALU for a time that the log does not tell."""
    tables: Sequence[object] = planned.placement.subtables
    return any(getattr(table, "macs", 0) for table in tables)
