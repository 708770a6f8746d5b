# SPDX-License-Identifier: MIT
"""Energy as a pure function of counters, times and power files."""

from __future__ import annotations

import math
from collections.abc import Sequence

from heam_sim.energy.activity import HostActivity, TierActivity
from heam_sim.energy.events import DEPTH, EventEnergies, event_energies
from heam_sim.energy.interval import ZERO, Interval
from heam_sim.energy.power import PowerFile, load_power
from heam_sim.energy.report import COMPONENTS, EnergyReport
from heam_sim.errors import ConfigError
from heam_sim.numbers import real_number

__all__ = ["MEMORY_COMPONENTS", "command_energies", "compute_energy"]

#: What :func:`command_energies` covers.
MEMORY_COMPONENTS = ("activation", "cell", "on_die_movement", "tsv", "dram_bus", "io", "refresh")

_HOST = DEPTH["host"]
_BUFFER_SEGMENT = 3


def compute_energy(
    tiers: Sequence[TierActivity], host: HostActivity, time_ns: float, *, logic: PowerFile | None = None
) -> EnergyReport:
    """Energy of a run.

    Parameters
    ----------
    tiers
        Activity of every tier, each name once.
    host
        Work of the host.
    time_ns
        Duration of the run; background power is charged over all of it.
    logic
        Power file of kind ``"logic"``; ``None`` takes the package's.

    Returns
    -------
    EnergyReport
        Every component that the tier's kind of memory has, in pJ, zero or not.

    Raises
    ------
    heam_sim.errors.ConfigError
        Time negative or not finite, a tier named twice, rows open for longer than the run, or a wrong power
        file.
    """
    real_number("time_ns", time_ns, minimum=0)
    logic = load_power("logic") if logic is None else logic
    if logic.kind != "logic":
        raise ConfigError(
            f"logic: power file {logic.name} is of kind {logic.kind}; give one of kind 'logic'."
        )
    parts: dict[tuple[str, str], Interval] = {}
    names: set[str] = set()
    for tier in tiers:
        if tier.name in names:
            raise ConfigError(f"tier {tier.name!r} is given twice; merge its counters or rename one.")
        names.add(tier.name)
        for component, energy in _tier(tier, time_ns, logic).items():
            parts[tier.name, component] = energy
    parts["host", "host"] = _host(host, logic)
    return EnergyReport(parts, time_ns)


def command_energies(tier: TierActivity) -> dict[str, Interval]:
    """What one command costs in the memory itself: array, wires, buses and refresh; no logic, no standby.

    Parameters
    ----------
    tier
        Its power file, levels and burst; counters do not matter.

    Returns
    -------
    dict
        Counter name of the command (``"act"``, ``"pim_rd"``, ...) to energy in pJ. Times the counters they
        are the components of ``MEMORY_COMPONENTS``.
    """
    costs = _per_command(tier, event_energies(tier.power))
    return {name: Interval.total(energy for _, energy in parts) for name, parts in costs.items()}


def _tier(tier: TierActivity, time_ns: float, logic: PowerFile) -> dict[str, Interval]:
    events = event_energies(tier.power)
    parts: dict[str, list[Interval]] = {name: [] for name in COMPONENTS if name != "host"}
    for missing in ("dram_bus",) if tier.power.kind == "hbm" else ("tsv", "crossbar"):
        del parts[missing]
    for command, costs in _per_command(tier, events).items():
        for component, energy in costs:
            parts[component].append(energy.scaled(tier.counts[command]))
    parts["background"].append(_background(tier, events, time_ns))
    parts["instruction"].append(_commands(tier, events))
    if tier.unit_level is not None:
        parts["instruction"] += _instructions(tier, events, logic)
        parts["alu"] += _arithmetic(tier, logic)
        parts["lut"] += _sram(tier, logic)
        if tier.power.kind == "hbm":
            parts["crossbar"].append(_crossbar(tier, logic))
    return {name: Interval.total(items) for name, items in parts.items()}


def _arithmetic(tier: TierActivity, logic: PowerFile) -> list[Interval]:
    counts = tier.counts
    return [
        logic["add_pJ_per_element"].scaled(
            counts["alu_add_elements"] + counts["merge_add_elements"] + counts["stack_add_elements"]
        ),
        logic["multiply_pJ_per_element"].scaled(counts["alu_mul_elements"]),
    ]


def _crossbar(tier: TierActivity, logic: PowerFile) -> Interval:
    return logic["stack_crossbar_pJ_per_bit"].scaled(8 * tier.burst_bytes * tier.counts["pim_xmov"])


def _sram(tier: TierActivity, logic: PowerFile) -> list[Interval]:
    """Look-up tables and caches.

    Devices in lock step share the bytes of a row, but each reads tags of its own.
    """
    counts = tier.counts
    loaded = counts["pim_wrlut"] * tier.burst_bytes * tier.lut_copies
    return [
        logic["lut_read_pJ_per_bit"].scaled(8 * counts["lut_bytes_read"]),
        logic["lut_write_pJ_per_bit"].scaled(8 * (loaded + counts["cache_bytes_written"])),
        logic["cache_tag_pJ_per_way"].scaled(counts["tags_read"] * tier.devices_per_element),
    ]


def _background(tier: TierActivity, events: EventEnergies, time_ns: float) -> Interval:
    whole, active = tier.ranks * time_ns, tier.rank_active_ns
    # The last clock edges of a run may round apart; anything beyond that is a wrong counter.
    if not 0 <= active <= whole * (1 + 1e-9):
        raise ConfigError(
            f"tier {tier.name}: rank_active_ns is {active}, outside 0 to ranks * time_ns = {whole}; "
            "sum the open time over the rank nodes of this run only."
        )
    banks = tier.bank_active_ns
    limit = events.banks if events.banks > 1 else math.inf  # HBM's files count no banks
    if banks is not None and not active * (1 - 1e-9) <= banks <= (active and active * (1 + 1e-9) * limit):
        raise ConfigError(
            f"tier {tier.name}: bank_active_ns is {banks}, outside rank_active_ns = {active} to "
            f"{events.banks} times that; sum the open time over the banks of the same run."
        )
    ends = [_standby(tier, events, whole, end) for end in ("low", "value", "high")]
    return Interval(min(ends), ends[1], max(ends))


def _standby(tier: TierActivity, events: EventEnergies, whole: float, end: str) -> float:
    """Background in pJ at one end of the ranges."""
    idle, shared, full = (
        float(getattr(part, end)) for part in (events.idle_mW, events.shared_mW, events.active_mW)
    )
    per_bank = (full - shared) / events.banks
    active = min(tier.rank_active_ns, whole)
    if tier.bank_active_ns is not None:
        standing = shared * active + per_bank * tier.bank_active_ns
    else:
        standing = (shared + per_bank * (1 if end == "low" else events.banks)) * active
    # A refresh opens rows in every bank; its own energy is counted above the standby of open banks.
    refresh = min(tier.refreshes * float(getattr(events.refresh_ns, end)), whole - active)
    return standing + full * refresh + idle * (whole - active - refresh)


def _segments(tier: TierActivity, start: int, stop: int) -> list[int]:
    """Segments of the data path from depth ``start`` to ``stop`` that exist in this tier."""
    return [i for i in range(start, stop) if i != _BUFFER_SEGMENT or stop < _HOST or tier.crosses_buffer]


def _per_command(tier: TierActivity, events: EventEnergies) -> dict[str, list[tuple[str, Interval]]]:
    """Counter name to what one such command costs, by component."""
    bits = 8 * tier.burst_bytes
    unit = DEPTH[tier.unit_level] if tier.unit_level is not None else _HOST
    merge = DEPTH[tier.merge_level] if tier.merge_level is not None else unit
    moves = {
        "rd": (0, _HOST, events.read_pJ_per_bit),
        "wr": (0, _HOST, events.write_pJ_per_bit),
        "pim_rd": (0, unit, events.read_pJ_per_bit),
        "pim_mov": (unit, merge, events.read_pJ_per_bit),
        "pim_rdres": (merge, _HOST, events.read_pJ_per_bit),
        "pim_wrlut": (unit, _HOST, events.write_pJ_per_bit),
        "pim_wrimm": (unit, _HOST, events.write_pJ_per_bit),
    }
    costs = {
        command: [(events.components[i], path[i].scaled(bits)) for i in _segments(tier, start, stop)]
        for command, (start, stop, path) in moves.items()
    }
    # Assumed: refreshing rows bank by bank costs what refreshing them in all banks at once costs.
    share = tier.ref_bank_share or 0.0
    return {
        "act": [("activation", events.activate_pJ)],
        "ref": [("refresh", events.refresh_pJ)],
        "ref_bank": [("refresh", events.refresh_pJ.scaled(share))],
        **costs,
    }


def _wires(tier: TierActivity, events: EventEnergies, start: int, stop: int) -> Interval:
    """What a bit costs on its way down from depth `stop` to depth `start`."""
    wires = [events.write_pJ_per_bit[i] for i in _segments(tier, start, stop)]
    return Interval.total(wires) if wires else ZERO


def _commands(tier: TierActivity, events: EventEnergies) -> Interval:
    """Commands on their pins: from the host, or from controllers beside the elements.

    Assumed: a bit costs there what it costs on the data pins of the same segment.
    """
    counts, edge = tier.counts, _BUFFER_SEGMENT
    if tier.unit_level is None:
        return (events.command_bits * _wires(tier, events, edge, _HOST)).scaled(counts["commands"])
    unit = DEPTH[tier.unit_level]
    merge = DEPTH[tier.merge_level] if tier.merge_level is not None else unit
    # What is inside the die already crosses no pins: the range is empty then.
    to_devices = _wires(tier, events, edge, _HOST if tier.host_driven else unit)
    sent = (
        to_devices.scaled(counts["commands"]),
        _wires(tier, events, merge, _HOST).scaled(counts["pim_rdres"]),
        _wires(tier, events, unit, _HOST).scaled(counts["pim_wrlut"] + counts["pim_wrimm"]),
    )
    return events.command_bits * Interval.total(sent)


def _instructions(tier: TierActivity, events: EventEnergies, logic: PowerFile) -> list[Interval]:
    """Bits on their way from the host down to the element, and decoding in every device of every element."""
    assert tier.unit_level is not None
    counts = tier.counts
    decoded = counts["instructions"] * tier.devices_per_element
    return [
        _wires(tier, events, DEPTH[tier.unit_level], _HOST).scaled(counts["instruction_bits"]),
        logic["instruction_decode_pJ"].scaled(decoded),
    ]


def _host(host: HostActivity, logic: PowerFile) -> Interval:
    return Interval.total(
        (
            logic["host_add_pJ_per_B"].scaled(host.add_bytes),
            logic["host_multiply_pJ_per_B"].scaled(host.multiply_bytes),
            logic["llc_lookup_pJ"].scaled(host.llc_lookups),
            logic["llc_data_pJ_per_B"].scaled(host.llc_line_bytes),
        )
    )
