# SPDX-License-Identifier: MIT
"""From a power file to the energy of single events of one rank or pseudo channel."""

from __future__ import annotations

from dataclasses import dataclass

from heam_sim.energy.interval import Interval
from heam_sim.energy.power import PowerFile
from heam_sim.errors import ConfigError, SpecError

__all__ = ["DEPTH", "EventEnergies", "event_energies"]

# How many of the five segments of the data path a value has crossed when it is at a level:
# cell | bank-group multiplexer | global I/O | TSV or module bus | host bus.
# Everything between the memory dies and the host bus (buffer chip, base die) is one place.
DEPTH = {"bank": 1, "bank_group": 2, "rank": 4, "pseudo_channel": 4, "channel": 4, "stack": 4, "host": 5}


@dataclass(frozen=True)
class EventEnergies:
    """Energy of single events of one node (a rank of DIMM devices, or an HBM channel or pseudo channel).

    Parameters
    ----------
    activate_pJ
        One ACT with its PRE.
    refresh_pJ
        One all-bank refresh, above standby.
    read_pJ_per_bit, write_pJ_per_bit
        The five segments of the data path, from the cell to the host (see ``DEPTH``).
    components
        Name of the component that each segment is reported under.
    active_mW, idle_mW
        Standby power with any bank open, and with all closed.
    """

    activate_pJ: Interval
    refresh_pJ: Interval
    read_pJ_per_bit: tuple[Interval, ...]
    write_pJ_per_bit: tuple[Interval, ...]
    components: tuple[str, ...]
    active_mW: Interval
    idle_mW: Interval


def event_energies(power: PowerFile) -> EventEnergies:
    """Derive event energies from a power file.

    Parameters
    ----------
    power
        A file of kind ``"dimm"`` or ``"hbm"``.

    Returns
    -------
    EventEnergies

    Raises
    ------
    heam_sim.errors.ConfigError
        The file is of another kind.
    heam_sim.errors.SpecError
        The currents contradict each other (an energy would be negative).
    """
    if power.kind not in ("dimm", "hbm"):
        raise ConfigError(
            f"power file {power.name} describes {power.kind}, not a memory; use a dimm or hbm file."
        )
    try:
        return _dimm(power) if power.kind == "dimm" else _hbm(power)
    except SpecError:
        raise
    except ConfigError as error:
        raise SpecError(
            f"power file {power.name}: currents and times contradict each other ({error})"
        ) from None


def _dimm(power: PowerFile) -> EventEnergies:
    # V x mA x ns = pJ: currents act over seconds, never over clock cycles.
    devices, volt = power["devices_per_rank"], power["VDD_V"]
    idle, active = power["IDD2N_mA"], power["IDD3N_mA"]
    charge = power["IDD0_mA"] * power["tRC_ns"] - active * power["tRAS_ns"] - idle * power["tRP_ns"]
    shares = [power[key] for key in ("cell_ratio", "bank_group_mux_ratio", "global_io_ratio")]
    bits = 8.0 * power["burst_B"].value
    buses = (power["dram_bus_pJ_per_bit"], power["host_io_pJ_per_bit"])

    def path(current: str) -> tuple[Interval, ...]:
        burst = devices * volt * ((power[current] - active) * power["tBURST_ns"])
        return (*(burst.scaled(1.0 / bits) * share for share in shares), *buses)

    pump = power["VPP_V"] * power["IPP_mA"]
    return EventEnergies(
        activate_pJ=devices * volt * charge,
        refresh_pJ=devices * volt * ((power["IDD5B_mA"] - active) * power["tRFC_ns"]),
        read_pJ_per_bit=path("IDD4R_mA"),
        write_pJ_per_bit=path("IDD4W_mA"),
        components=("cell", "on_die_movement", "on_die_movement", "dram_bus", "io"),
        active_mW=devices * (volt * active + pump),
        idle_mW=devices * (volt * idle + pump),
    )


def _hbm(power: PowerFile) -> EventEnergies:
    volt, active = power["VDD_V"], power["IDD3N_mA"]
    keys = ("cell", "bank_group_mux", "global_io", "tsv", "phy")
    path = tuple(power[f"{key}_pJ_per_bit"] for key in keys)
    return EventEnergies(
        activate_pJ=power["act_pre_pJ_per_KiB"] * power["page_KiB"],
        refresh_pJ=volt * ((power["IDD5B_mA"] - active) * power["tRFC_ns"]),
        read_pJ_per_bit=path,
        write_pJ_per_bit=path,  # assumed: writing a bit moves it over the same wires
        components=("cell", "on_die_movement", "on_die_movement", "tsv", "io"),
        active_mW=volt * active,
        idle_mW=volt * power["IDD2N_mA"],
    )
