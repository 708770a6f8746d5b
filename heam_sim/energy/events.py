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
DEPTH = {
    "bank": 1,
    "bank_group": 2,
    "sid": 3,
    "rank": 4,
    "pseudo_channel": 4,
    "channel": 4,
    "stack": 4,
    "host": 5,
}


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
        Standby power with every bank open (also charged during refresh), and with all closed.
    shared_mW
        The part of `active_mW` that is drawn as soon as any bank is open; the rest grows with the open banks.
    banks
        Banks of the node.
    refresh_ns
        Duration of a refresh.
    command_bits
        Bits of a command on the command pins.
    """

    activate_pJ: Interval
    refresh_pJ: Interval
    read_pJ_per_bit: tuple[Interval, ...]
    write_pJ_per_bit: tuple[Interval, ...]
    components: tuple[str, ...]
    active_mW: Interval
    idle_mW: Interval
    shared_mW: Interval
    banks: int
    refresh_ns: Interval
    command_bits: Interval


def event_energies(power: PowerFile) -> EventEnergies:
    """Derive event energies from a power file.

    Parameters
    ----------
    power
        A file of kind ``"dimm"`` or ``"hbm"``.

    Returns
    -------
    EventEnergies
        In pJ, mW and ns, as the names say.

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
    # V x mA x ns = pJ: currents act over seconds, never over clock cycles. Both supplies see the same states.
    devices = power["devices_per_rank"]

    def state(name: str) -> Interval:
        return power["VDD_V"] * power[f"IDD{name}_mA"] + power["VPP_V"] * power[f"IPP{name}_mA"]

    idle, active = state("2N"), state("3N")
    banks, ratio = int(power["banks_per_rank"].value), power["standby_shared_ratio"].value
    shared = idle.scaled(1 - ratio) + active.scaled(ratio)
    # IDD0 is measured with one bank open, so only that bank's standby is not part of the activation.
    one_open = shared.scaled(1 - 1 / banks) + active.scaled(1 / banks)
    charge = state("0") * power["tRC_ns"] - one_open * power["tRAS_ns"] - idle * power["tRP_ns"]
    shares = [power[key] for key in ("cell_ratio", "bank_group_mux_ratio", "global_io_ratio")]
    bits = 8.0 * power["burst_B"].value
    buses = (power["dram_bus_pJ_per_bit"], power["host_io_pJ_per_bit"])

    def path(name: str) -> tuple[Interval, ...]:
        burst = devices * ((state(name) - active) * power["tBURST_ns"])
        return (*(burst.scaled(1.0 / bits) * share for share in shares), *buses)

    return EventEnergies(
        activate_pJ=devices * charge,
        refresh_pJ=devices * ((state("5B") - active) * power["tRFC_ns"]),
        read_pJ_per_bit=path("4R"),
        write_pJ_per_bit=path("4W"),
        components=("cell", "on_die_movement", "on_die_movement", "dram_bus", "io"),
        active_mW=devices * active,
        idle_mW=devices * idle,
        shared_mW=devices * shared,
        banks=banks,
        refresh_ns=power["tRFC_ns"],
        command_bits=power["command_bits"],
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
        shared_mW=volt * active,  # assumed: nothing is known of how it grows with open banks
        banks=1,
        refresh_ns=power["tRFC_ns"],
        command_bits=power["command_bits"],
    )
