# SPDX-License-Identifier: MIT
"""The resolved form of a memory standard: what the engine, the checker and the reports read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from heam_sim.errors import SpecError, unknown_name

__all__ = [
    "COLUMN_KINDS",
    "KINDS",
    "LADDER",
    "PLAIN_KINDS",
    "RESOURCES",
    "USUAL_PE_LEVELS",
    "WIDE_KINDS",
    "Command",
    "Constraint",
    "Spec",
]

# Kinds that a standard may define. REFPB refreshes one bank, REFSB the same bank of every bank group; RDA,
# WRA (automatic precharge), RFM and RFMPB (refresh management) exist only so that compatibility presets are
# complete.
PLAIN_KINDS = ("ACT", "PRE", "PREA", "RD", "WR", "REF", "RDA", "WRA", "REFPB", "REFSB", "RFM", "RFMPB")

# Kinds that address a whole rank or pseudo channel; the others address a bank.
WIDE_KINDS = frozenset({"PREA", "REF", "RFM"})

#: Kinds of command that the engine knows; a standard gives its commands names and kinds.
KINDS = (*PLAIN_KINDS, "PIM_RD", "PIM_MOV", "PIM_RDRES", "PIM_WRLUT", "PIM_WRIMM", "PIM_LUT")

COLUMN_KINDS = frozenset(
    {"RD", "WR", "RDA", "WRA", "PIM_RD", "PIM_MOV", "PIM_RDRES", "PIM_WRLUT", "PIM_WRIMM"}
)

# The resources on the way from a bank to the host, in this order.
LADDER = ("bank", "bank_group_io", "rank_io", "dram_bus", "host_bus")

# Levels of a standard at which PEs may sit, with the outermost resource that their data use. The dies behind
# one stack ID share their I/O; the vias to other dies lie outside.
USUAL_PE_LEVELS = {
    "bank": "bank",
    "bank_group": "bank_group_io",
    "sid": "rank_io",
    "rank": "dram_bus",
    "pseudo_channel": "dram_bus",
    "channel": "dram_bus",
}

#: What two commands can share, the way to the host first. "merge_path" (partials on their way to a merge
#: node) is in derived rows only.
RESOURCES = (
    *LADDER,
    "activation_power",
    "command_bus",
    "refresh",
    "state",
    "merge_path",
)


@dataclass(frozen=True)
class Command:
    """One command of a standard.

    Parameters
    ----------
    name
        As it appears in logs, e.g. ``"PREab"``.
    kind
        What it does, one of :data:`KINDS`.
    scope
        The level of the node that it addresses, e.g. ``"bank"``.
    slot
        ``"row"`` or ``"column"``: the command slot that it takes where the buses are split. Left empty, it
        follows from the kind.
    alignment
        It may start in cycles 1, 1 + alignment, 1 + 2 alignment, ... only; at most 255.
    """

    name: str
    kind: str
    scope: str
    slot: str = ""
    alignment: int = 1

    def __post_init__(self) -> None:
        """Check the kind and fill in the slot."""
        if self.kind not in KINDS:
            raise SpecError(str(unknown_name("command kind", self.kind, KINDS, where=f"command {self.name}")))
        if self.slot == "":
            object.__setattr__(self, "slot", "column" if self.kind in COLUMN_KINDS else "row")
        if type(self.alignment) is not int or not 1 <= self.alignment <= 255:
            raise SpecError(f"command {self.name}: alignment is {self.alignment!r}; write 1 to 255 cycles.")
        if self.slot not in ("row", "column"):
            raise SpecError(f"command {self.name}: slot is {self.slot!r}; write 'row' or 'column'.")


@dataclass(frozen=True)
class Constraint:
    """One row: after `preceding`, `following` must wait `cycles` at the same (or a sibling) node of `level`.

    Parameters
    ----------
    level
        The level whose nodes keep the time.
    preceding, following
        Command names.
    cycles
        Distance in clock cycles.
    window
        1: the last command counts; w > 1: the w-th last of the same command at that node.
    sibling
        The row binds the other nodes of that level under the same parent, not the node itself.
    resource
        What the commands share, one of :data:`RESOURCES`.
    expression
        The arithmetic over timing names that gave `cycles` (empty if the row was made in code).
    source
        Where the row comes from.
    """

    level: str
    preceding: tuple[str, ...]
    following: tuple[str, ...]
    cycles: int
    window: int
    sibling: bool
    resource: str
    expression: str = ""
    source: str = ""

    def describe(self) -> str:
        """Return the row as one line of text, with its derivation."""
        where = f"another {self.level}" if self.sibling else f"same {self.level}"
        window = f", counted from command {self.window} back" if self.window > 1 else ""
        derivation = f" = {self.expression}" if self.expression else ""
        return (
            f"{'/'.join(self.preceding)} -> {'/'.join(self.following)} ({where}{window}): "
            f"{self.cycles} cycles{derivation} [{self.resource}]"
        )


@dataclass(frozen=True)
class Spec:
    """A resolved memory standard for one channel; all times in cycles of its own clock.

    Attributes
    ----------
    name
        ``family/ORGANIZATION/TIMING``.
    standard
        Name of the standard, e.g. ``"DDR4"``.
    source
        Where organisation and timing come from.
    levels
        From ``"channel"`` to ``"bank"``; the second is ``"rank"`` or ``"pseudo_channel"``.
    counts
        Nodes per parent for every level (``channel`` is 1).
    rows, columns
        Per bank; columns are counted in bursts.
    burst_bytes
        Bytes of one column command.
    devices
        Chips that work in lock step in a rank.
    split_command_buses
        A row and a column command may be issued in the same cycle.
    tCK_ps
        Period in ps, exact, of the clock in which all cycles of this spec are counted. Where a standard's
        commands start on half clocks (HBM3), this is half its clock period.
    timing
        Named times in cycles.
    commands, constraints
        The protocol.
    data_rate_MTps
        Transfers per second and pin in millions; ``None`` if it was not stated.
    capacity_scale, overrides
        What :func:`~heam_sim.dram.load_spec` was asked to change.
    unit_level, merge_level
        PE levels that the PIM rows were derived for; ``None`` in a plain spec.
    max_postponed_refreshes
        How many refreshes of a rank may be postponed; ``None`` if the standard's file does not say so.
    bank_refresh_interval
        Cycles between two refreshes of banks (kind REFPB or REFSB) in a rank; ``None``: the refresh interval
        by the number of its turns.
    pe_levels
        Levels between bank and second level at which PEs may sit although no usual standard has them, each
        with the outermost resource that data on their way there use.
    """

    name: str
    standard: str
    source: str
    levels: tuple[str, ...]
    counts: Mapping[str, int]
    rows: int
    columns: int
    burst_bytes: int
    devices: int
    split_command_buses: bool
    tCK_ps: Fraction
    timing: Mapping[str, int]
    commands: tuple[Command, ...]
    constraints: tuple[Constraint, ...]
    data_rate_MTps: int | None = None
    capacity_scale: int = 1
    overrides: Mapping[str, Any] = field(default_factory=dict)
    unit_level: str | None = None
    merge_level: str | None = None
    max_postponed_refreshes: int | None = None
    bank_refresh_interval: int | None = None
    pe_levels: Mapping[str, str] = field(default_factory=dict)

    def depth(self, level: str) -> int:
        """Return the position of `level` (0: channel); an unknown name is a :class:`SpecError`.

        Parameters
        ----------
        level
            Name of a level.

        Returns
        -------
        int
            From 0.
        """
        if level not in self.levels:
            raise SpecError(str(unknown_name("level", level, self.levels, where=self.name)))
        return self.levels.index(level)

    def nodes(self, level: str) -> int:
        """Return how many nodes of `level` one channel has.

        Parameters
        ----------
        level
            Name of a level.

        Returns
        -------
        int
            Product of the counts down to the level.
        """
        count = 1
        for name in self.levels[: self.depth(level) + 1]:
            count *= self.counts[name]
        return count

    def command(self, name: str) -> Command:
        """Return the command called `name`; an unknown name is a :class:`SpecError`.

        Parameters
        ----------
        name
            As in :attr:`commands`.

        Returns
        -------
        Command
            With its kind, scope and slot.
        """
        for command in self.commands:
            if command.name == name:
                return command
        names = [command.name for command in self.commands]
        raise SpecError(str(unknown_name("command", name, names, where=self.name)))

    def of_kind(self, kind: str) -> tuple[str, ...]:
        """Return the names of all commands of `kind`.

        Parameters
        ----------
        kind
            One of ``KINDS``.

        Returns
        -------
        tuple of str
            Empty where the memory has none.
        """
        return tuple(command.name for command in self.commands if command.kind == kind)

    @property
    def second_level(self) -> str:
        """``"rank"`` or ``"pseudo_channel"``: the level that is precharged and refreshed as a whole."""
        return self.levels[1]

    @property
    def host_bus_level(self) -> str:
        """The level that owns a data bus of its own towards the host."""
        return self.second_level if self.second_level == "pseudo_channel" else "channel"

    @property
    def banks(self) -> int:
        """Banks in one channel."""
        return self.nodes("bank")

    @property
    def row_bytes(self) -> int:
        """Bytes in one row of one bank (of all devices of the rank together)."""
        return self.columns * self.burst_bytes

    @property
    def bytes_per_channel(self) -> int:
        """Capacity of one channel in bytes."""
        return self.banks * self.rows * self.row_bytes

    @property
    def read_latency(self) -> int:
        """Cycles from a read command to the end of its burst."""
        return self.timing["nCL"] + self.timing["nBL"]

    @property
    def refresh_interval(self) -> int:
        """Cycles between two refreshes of a rank or pseudo channel."""
        return self.timing["nREFI"]

    def refresh_turns(self, kind: str) -> int:
        """Return how many refreshes of a kind (REF, REFPB, REFSB) concern every bank of a rank once.

        Parameters
        ----------
        kind
            ``"REF"``, ``"REFPB"`` or ``"REFSB"``.

        Returns
        -------
        int
            1 for ``REF``.
        """
        per_rank = self.banks // self.nodes(self.second_level)
        return {"REF": 1, "REFPB": per_rank, "REFSB": self.counts["bank"]}[kind]

    def refresh_share(self, kind: str) -> Fraction:
        """Return which part of a rank's refresh work of one interval a refresh of a kind does.

        Parameters
        ----------
        kind
            ``"REF"``, ``"REFPB"`` or ``"REFSB"``.

        Returns
        -------
        Fraction
            Above 0 and up to 1.
        """
        if kind == "REF" or self.bank_refresh_interval is None:
            return Fraction(1, self.refresh_turns(kind))
        return Fraction(self.bank_refresh_interval, self.refresh_interval)

    @property
    def peak_bytes_per_ns(self) -> float:
        """Bytes per ns (equal to GB/s) that the data buses of one channel carry at most."""
        burst_ps = self.timing["nBL"] * self.tCK_ps
        return float(self.nodes(self.host_bus_level) * self.burst_bytes * 1000 / burst_ps)

    def to_dict(self) -> dict[str, Any]:
        """Return the whole resolved table in types that JSON can hold (``tCK_ps`` as ``"n/d"``)."""
        return {
            "name": self.name,
            "standard": self.standard,
            "source": self.source,
            "levels": list(self.levels),
            "counts": dict(self.counts),
            "rows": self.rows,
            "columns": self.columns,
            "burst_bytes": self.burst_bytes,
            "devices": self.devices,
            "split_command_buses": self.split_command_buses,
            "tCK_ps": str(self.tCK_ps),
            "data_rate_MTps": self.data_rate_MTps,
            "timing": dict(self.timing),
            "read_latency": self.read_latency,
            "refresh_interval": self.refresh_interval,
            "bank_refresh_interval": self.bank_refresh_interval,
            "max_postponed_refreshes": self.max_postponed_refreshes,
            "banks": self.banks,
            "bytes_per_channel": self.bytes_per_channel,
            "peak_bytes_per_ns": self.peak_bytes_per_ns,
            "capacity_scale": self.capacity_scale,
            "pe_levels": dict(self.pe_levels),
            "overrides": {key: _plain(value) for key, value in self.overrides.items()},
            "unit_level": self.unit_level,
            "merge_level": self.merge_level,
            "commands": [
                {
                    "name": c.name,
                    "kind": c.kind,
                    "scope": c.scope,
                    "slot": c.slot,
                    "alignment": c.alignment,
                }
                for c in self.commands
            ],
            "constraints": [
                {
                    "level": c.level,
                    "preceding": list(c.preceding),
                    "following": list(c.following),
                    "cycles": c.cycles,
                    "window": c.window,
                    "sibling": c.sibling,
                    "resource": c.resource,
                    "expression": c.expression,
                    "source": c.source,
                }
                for c in self.constraints
            ],
        }


def _plain(value: object) -> int | str:
    return value if isinstance(value, int) else str(value)
