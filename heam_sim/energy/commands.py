# SPDX-License-Identifier: MIT
"""Energy of a recorded command stream of plain traffic: exact counts and open times, then the usual model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from heam_sim.energy.activity import HostActivity, TierActivity
from heam_sim.energy.model import compute_energy
from heam_sim.energy.power import PowerFile
from heam_sim.energy.report import EnergyReport
from heam_sim.errors import ConfigError, unknown_name
from heam_sim.numbers import whole_number

__all__ = ["CommandLike", "SpecLike", "commands_activity", "commands_energy"]

_COLUMN = ("RD", "WR")
_ROW = ("ACT", "PRE", "PREA", "REF")
_BANK_REFRESHES = ("REFPB", "REFSB")
_BUSES = ("dram_bus", "tsv", "io", "instruction")


class CommandLike(Protocol):
    """A command of a memory, as :class:`heam_sim.dram.Command` describes it."""

    @property
    def name(self) -> str:
        """Name in the log."""

    @property
    def kind(self) -> str:
        """What it does, e.g. ``"ACT"``."""

    @property
    def scope(self) -> str:
        """Level of the node that it addresses, e.g. ``"bank"``."""


class SpecLike(Protocol):
    """What is needed of a memory; :class:`heam_sim.dram.Spec` has it."""

    @property
    def levels(self) -> tuple[str, ...]:
        """From ``"channel"`` to ``"bank"``."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Nodes of a level per parent."""

    @property
    def commands(self) -> Sequence[CommandLike]:
        """Its commands."""

    @property
    def burst_bytes(self) -> int:
        """Bytes of a column command."""

    @property
    def tCK_ps(self) -> Fraction:
        """Clock period in ps."""

    def refresh_share(self, kind: str) -> Fraction:
        """Which part of the work of an all-bank refresh one of a kind does."""


def commands_energy(
    commands: NDArray[Any],
    command_names: Sequence[str],
    spec: SpecLike,
    power: PowerFile,
    *,
    cycles: int | None = None,
    channels: int = 1,
    interface: bool = True,
    name: str = "memory",
) -> EnergyReport:
    """Energy of a plain command stream.

    Parameters
    ----------
    commands
        Structured array, one row per command, in order of issue within a rank, with ``clock`` (cycles),
        ``command`` (index into `command_names`), ``channel`` and either the levels of `spec` below the
        channel (``ReplayResult.commands``) or one flat ``bank`` (a command log).
    command_names
        Names of the commands.
    spec
        The memory that the commands were made for.
    power
        Power file of its devices.
    cycles
        Duration in clock cycles. ``None``: up to the last command.
    channels
        Channels of the memory; those without commands draw standby power.
    interface
        Whether to count the buses outside the devices (components ``dram_bus``, ``tsv``, ``io`` and, for
        commands, ``instruction``).
    name
        Name of the tier in the report.

    Returns
    -------
    EnergyReport
        Components in pJ.

    Raises
    ------
    heam_sim.errors.ConfigError
        Fields are missing, a command is unknown or no plain one, a clock beyond `cycles`, or
        a bank lies outside the memory.
    """
    activity = commands_activity(
        commands, command_names, spec, power, cycles=cycles, channels=channels, name=name
    )
    span = _span(commands, cycles)
    report = compute_energy([activity], HostActivity(), span * float(spec.tCK_ps) / 1000)
    kept = {
        key: part
        for key, part in report.components_pJ.items()
        if key[0] == name and (interface or key[1] not in _BUSES)
    }
    return EnergyReport(kept, report.time_ns)


def commands_activity(
    commands: NDArray[Any],
    command_names: Sequence[str],
    spec: SpecLike,
    power: PowerFile,
    *,
    cycles: int | None = None,
    channels: int = 1,
    name: str = "memory",
) -> TierActivity:
    """Counts and open times of a plain command stream.

    Parameters, errors and units are those of :func:`commands_energy`.

    Parameters
    ----------
    commands
        As in :func:`commands_energy`.
    command_names
        As in :func:`commands_energy`.
    spec
        As in :func:`commands_energy`.
    power
        As in :func:`commands_energy`.
    cycles
        As in :func:`commands_energy`.
    channels
        As in :func:`commands_energy`.
    name
        As in :func:`commands_energy`.

    Returns
    -------
    TierActivity
        With the exact time that ranks and banks had rows open (a row that is still open at the end counts up
        to there).
    """
    kinds = _kinds(commands, command_names, spec)
    whole_number("channels", channels, minimum=1)
    span = _span(commands, cycles)
    ranks = int(spec.counts[spec.levels[1]])
    per_rank = int(np.prod([spec.counts[level] for level in spec.levels[2:]], dtype=np.int64))
    rank_time, bank_time = _open_times(commands, kinds, _banks(commands, spec, channels), per_rank, span)
    found = {kind: int(np.count_nonzero(kinds == kind)) for kind in ("ACT", "RD", "WR", "REF")}
    of_banks = [kind for kind in _BANK_REFRESHES if np.any(kinds == kind)]
    if len(of_banks) > 1:
        raise ConfigError("commands: refresh single banks and banks of all groups; give one log for each.")
    period = float(spec.tCK_ps) / 1000
    return TierActivity(
        name=name,
        power=power,
        burst_bytes=spec.burst_bytes,
        counts={
            **{kind.lower(): number for kind, number in found.items()},
            "commands": int(commands.size),
            "ref_bank": int(np.count_nonzero(np.isin(kinds, of_banks))),
        },
        ranks=ranks * channels,
        rank_active_ns=rank_time * period,
        bank_active_ns=bank_time * period,
        ref_bank_share=float(spec.refresh_share(of_banks[0])) if of_banks else None,
    )


def _span(commands: NDArray[Any], cycles: int | None) -> int:
    last = int(commands["clock"].max()) if commands.size else 0
    if cycles is None:
        return last
    if last > cycles:
        raise ConfigError(
            f"cycles: {cycles} ends before the last command (clock {last}); give the duration of the run."
        )
    return int(cycles)


def _kinds(commands: NDArray[Any], command_names: Sequence[str], spec: SpecLike) -> NDArray[np.str_]:
    fields = commands.dtype.names or ()
    for field in ("clock", "command", "channel", "bank"):
        if field not in fields:
            raise ConfigError(
                f"commands: field {field!r} is missing; give a command log or a replay's commands."
            )
    known = {command.name: command for command in spec.commands}
    table = []
    for index, name in enumerate(command_names):
        used = bool(np.any(commands["command"] == index))
        if used and name not in known:
            raise unknown_name("command", name, known, where="commands")
        kind = known[name].kind if name in known else ""
        if used and kind not in (*_COLUMN, *_ROW, *_BANK_REFRESHES):
            raise ConfigError(
                f"commands: {name} is no command of plain traffic; use compute_energy for PIM runs."
            )
        if used and kind == "REF" and known[name].scope != spec.levels[1]:
            raise ConfigError(f"commands: {name} refreshes less than a rank, which has no energy model here.")
        table.append(kind)
    if commands.size and int(commands["command"].max()) >= len(table):
        raise ConfigError(
            f"commands: index {int(commands['command'].max())} has no name; give all {len(table)} names."
        )
    kinds: NDArray[np.str_] = np.array(table or [""])[commands["command"].astype(np.int64)]
    return kinds


def _banks(commands: NDArray[Any], spec: SpecLike, channels: int) -> NDArray[np.int64]:
    """Bank of every command over all channels; the first of its rank for commands of a whole rank."""
    levels = spec.levels[1:]
    per_channel = int(np.prod([spec.counts[level] for level in levels], dtype=np.int64))
    if levels[0] in (commands.dtype.names or ()):
        flat = np.zeros(commands.size, np.int64)
        for level in levels:
            flat = flat * int(spec.counts[level]) + np.maximum(commands[level].astype(np.int64), 0)
    else:
        flat = commands["bank"].astype(np.int64)
    channel = commands["channel"].astype(np.int64)
    if commands.size and (int(flat.max()) >= per_channel or int(channel.max()) >= channels):
        raise ConfigError(
            f"commands: bank {int(flat.max())} or channel {int(channel.max())} lies outside {channels} "
            f"channels of {per_channel} banks; give the spec and the channels that made the commands."
        )
    return channel * per_channel + flat


def _open_times(
    commands: NDArray[Any], kinds: NDArray[np.str_], banks: NDArray[np.int64], per_rank: int, span: int
) -> tuple[int, int]:
    """Cycles with a row open, summed over ranks (any bank) and over banks."""
    chosen = np.isin(kinds, _ROW)
    # Channels are logged one after the other or interleaved; only the order within a rank matters.
    order = np.flatnonzero(chosen)[np.argsort(commands["clock"][chosen], kind="stable")]
    opened: dict[int, dict[int, int]] = {}
    since: dict[int, int] = {}
    rank_time = bank_time = 0
    clocks, kind_list, bank_list = commands["clock"][order], kinds[order], banks[order]
    for clock, kind, bank in zip(clocks.tolist(), kind_list.tolist(), bank_list.tolist(), strict=True):
        rank = bank // per_rank
        rows = opened.setdefault(rank, {})
        if kind == "ACT":
            if not rows:
                since[rank] = clock
            rows.setdefault(bank, clock)
            continue
        if not rows:
            continue
        closing = [bank] if kind == "PRE" else list(rows)
        bank_time += sum(clock - rows.pop(item, clock) for item in closing)
        if not rows:
            rank_time += clock - since[rank]
    for rank, rows in opened.items():
        bank_time += sum(span - start for start in rows.values())
        rank_time += span - since[rank] if rows else 0
    return rank_time, bank_time
