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

__all__ = ["compute_energy"]

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
    if not (math.isfinite(time_ns) and time_ns >= 0):
        raise ConfigError(f"time_ns is {time_ns}; give a finite time that is not negative.")
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


def _tier(tier: TierActivity, time_ns: float, logic: PowerFile) -> dict[str, Interval]:
    events = event_energies(tier.power)
    counts = tier.counts
    parts: dict[str, list[Interval]] = {name: [] for name in COMPONENTS if name != "host"}
    del parts["dram_bus" if tier.power.kind == "hbm" else "tsv"]
    parts["activation"].append(events.activate_pJ.scaled(counts["act"]))
    # Assumed: refreshing rows bank by bank costs what refreshing them in all banks at once costs.
    parts["refresh"].append(events.refresh_pJ.scaled(tier.refreshes))
    parts["background"].append(_background(tier, events, time_ns))
    for component, energy in _movement(tier, events):
        parts[component].append(energy)
    if tier.unit_level is not None:
        parts["instruction"] += _instruction(tier, events, logic)
        parts["alu"] += [
            logic["add_pJ_per_element"].scaled(
                counts["alu_add_elements"] + counts["merge_add_elements"] + counts["stack_add_elements"]
            ),
            logic["multiply_pJ_per_element"].scaled(counts["alu_mul_elements"]),
        ]
        crossed = counts["pim_xmov"] * tier.burst_bytes * 8
        parts["on_die_movement"].append(logic["stack_crossbar_pJ_per_bit"].scaled(crossed))
        written = counts["pim_wrlut"] * tier.burst_bytes * 8 * tier.lut_copies
        parts["lut"] += [
            logic["lut_read_pJ_per_bit"].scaled(counts["lut_bytes_read"] * 8),
            logic["lut_write_pJ_per_bit"].scaled(written),
        ]
    return {name: Interval.total(items) for name, items in parts.items()}


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


def _movement(tier: TierActivity, events: EventEnergies) -> list[tuple[str, Interval]]:
    counts, bits = tier.counts, 8 * tier.burst_bytes
    unit = DEPTH[tier.unit_level] if tier.unit_level is not None else _HOST
    merge = DEPTH[tier.merge_level] if tier.merge_level is not None else unit
    moves = (
        (counts["rd"], 0, _HOST, events.read_pJ_per_bit),
        (counts["wr"], 0, _HOST, events.write_pJ_per_bit),
        (counts["pim_rd"], 0, unit, events.read_pJ_per_bit),
        (counts["pim_mov"], unit, merge, events.read_pJ_per_bit),
        (counts["pim_rdres"], merge, _HOST, events.read_pJ_per_bit),
        (counts["pim_wrimm"], unit, _HOST, events.write_pJ_per_bit),
        (counts["pim_wrlut"], unit, _HOST, events.write_pJ_per_bit),
    )
    return [
        (events.components[i], path[i].scaled(bursts * bits))
        for bursts, start, stop, path in moves
        for i in _segments(tier, start, stop)
    ]


def _instruction(tier: TierActivity, events: EventEnergies, logic: PowerFile) -> list[Interval]:
    """Bits on their way from the host down to the element, and their decoding."""
    assert tier.unit_level is not None
    wires = [events.write_pJ_per_bit[i] for i in _segments(tier, DEPTH[tier.unit_level], _HOST)]
    per_bit = Interval.total(wires) if wires else ZERO
    bits, number = tier.counts["instruction_bits"], tier.counts["instructions"]
    return [per_bit.scaled(bits), logic["instruction_decode_pJ"].scaled(number)]


def _host(host: HostActivity, logic: PowerFile) -> Interval:
    return Interval.total(
        (
            logic["host_add_pJ_per_B"].scaled(host.add_bytes),
            logic["host_multiply_pJ_per_B"].scaled(host.multiply_bytes),
            logic["llc_lookup_pJ"].scaled(host.llc_lookups),
            logic["llc_data_pJ_per_B"].scaled(host.llc_line_bytes),
        )
    )
