# SPDX-License-Identifier: MIT
"""A command log brought into the order and the numbers that the protocol rules work on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from heam_sim.errors import CheckError, SpecError

__all__ = ["NO_UNIT", "CommandLike", "ConstraintLike", "Events", "SpecLike", "Tree", "collect", "need_fields"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
NO_UNIT = 65535
SKIPPED = ("LLC_HIT", "PE_HIT", "MERGED", "PIM_XMOV")


class CommandLike(Protocol):
    """A command of a standard: what :class:`heam_sim.dram.Spec` holds."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def scope(self) -> str: ...


class ConstraintLike(Protocol):
    """A constraint row of a standard."""

    @property
    def level(self) -> str: ...
    @property
    def preceding(self) -> Sequence[str]: ...
    @property
    def following(self) -> Sequence[str]: ...
    @property
    def cycles(self) -> int: ...
    @property
    def window(self) -> int: ...
    @property
    def sibling(self) -> bool: ...
    @property
    def resource(self) -> str | None: ...


class SpecLike(Protocol):
    """The part of a resolved spec that the checker reads."""

    @property
    def name(self) -> str: ...
    @property
    def levels(self) -> Sequence[str]: ...
    @property
    def counts(self) -> Mapping[str, int]: ...
    @property
    def timing(self) -> Mapping[str, int]: ...
    @property
    def commands(self) -> Sequence[CommandLike]: ...
    @property
    def constraints(self) -> Sequence[ConstraintLike]: ...
    @property
    def split_command_buses(self) -> bool: ...
    @property
    def refresh_interval(self) -> int: ...


@dataclass(frozen=True)
class Tree:
    """The levels inside one channel, as arithmetic on flat bank numbers."""

    levels: tuple[str, ...]
    banks_per_node: tuple[int, ...]

    @classmethod
    def of(cls, spec: SpecLike) -> Tree:
        """Read the levels of a spec."""
        levels = tuple(spec.levels)
        sizes = [1]
        for level in reversed(levels[1:]):
            sizes.append(sizes[-1] * int(spec.counts[level]))
        return cls(levels, tuple(reversed(sizes)))

    @property
    def banks(self) -> int:
        """Banks of a channel."""
        return self.banks_per_node[0]

    def depth(self, level: str) -> int:
        """Depth of a level, 0 for the channel."""
        if level not in self.levels:
            raise SpecError(
                f"level {level!r} is not one of {', '.join(self.levels)}; name a level of the spec."
            )
        return self.levels.index(level)

    def nodes(self, depth: int) -> int:
        """Nodes of a channel at a depth."""
        return self.banks // self.banks_per_node[depth]

    def places(self, events: Events, chosen: IntArray, depth: int) -> tuple[IntArray, IntArray]:
        """Every (event, node of a depth) pair at which the chosen events stand, in the order of the events.

        That is one node each, but for kind REFSB: it stands at the same bank of every node of the innermost
        level above the banks in its rank, and at all that lies above these banks.
        """
        size, inner = self.banks_per_node[depth], self.banks_per_node[-2]
        rank = self.banks_per_node[1]
        many = events.is_kind("REFSB")[chosen] & (depth > 1)
        step = max(size, inner)
        event = np.repeat(chosen, np.where(many, rank // step, 1))
        spread = np.repeat(many, np.where(many, rank // step, 1))
        first = np.searchsorted(event, event)  # chosen is sorted, so are the repeated events
        bank = events.bank[event]
        same = bank // rank * rank + (np.arange(len(event)) - first) * step + bank % inner
        return event, np.where(spread, same, bank) // size


@dataclass(frozen=True)
class Events:
    """Commands of the checked channels, sorted by channel and clock; ties keep the order of issue.

    ``index`` is the row of the log; ``command`` indexes the commands of the spec. All arrays are int64 of one
    length.
    """

    index: IntArray
    clock: IntArray
    channel: IntArray
    command: IntArray
    bank: IntArray
    row: IntArray
    unit: IntArray
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    depths: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.index)

    def is_kind(self, *kinds: str) -> BoolArray:
        """Which events are of one of these kinds."""
        table = np.array([kind in kinds for kind in self.kinds], dtype=np.bool_)
        return np.asarray(table[self.command], dtype=np.bool_)

    def name_of(self, event: int) -> str:
        """Name of an event's command."""
        return self.names[int(self.command[event])]


def need_fields(log: npt.NDArray[Any], fields: Iterable[str]) -> None:
    """Raise :class:`~heam_sim.errors.CheckError` if the log lacks a field."""
    have = log.dtype.names or ()
    missing = [name for name in fields if name not in have]
    if missing or log.ndim != 1:
        what = f"lacks the field {missing[0]!r}" if missing else "is not one-dimensional"
        raise CheckError(f"the command log {what}; pass a structured array with the fields of LOG_DTYPE.")


def _command_codes(log: npt.NDArray[Any], names: Sequence[str], spec: SpecLike, chosen: IntArray) -> IntArray:
    """Translate the command codes of the chosen rows into the spec's; -1 for what is no DRAM command."""
    known = {command.name: i for i, command in enumerate(spec.commands)}
    table = np.array([known.get(name, -1) for name in names] or [-1], dtype=np.int64)
    codes = log["command"][chosen].astype(np.int64)
    if len(codes) and int(codes.max()) >= len(names):
        raise CheckError(
            f"log row {int(chosen[int(codes.argmax())])} holds command number {int(codes.max())} but "
            f"there are only {len(names)} command names; pass the command_names of the same run."
        )
    foreign = [name for name in names if name not in known and name not in SKIPPED]
    for name in foreign:
        rows = np.flatnonzero(codes == names.index(name))
        if len(rows):
            raise CheckError(
                f"log row {int(chosen[rows[0]])} holds command {name!r}, which {spec.name} does not have; "
                "check each tier with its own spec and its own channels."
            )
    return np.asarray(table[codes], dtype=np.int64)


def collect(
    log: npt.NDArray[Any],
    names: Sequence[str],
    spec: SpecLike,
    tree: Tree,
    channel: int | Iterable[int] | None,
) -> tuple[Events, IntArray]:
    """Select the channels, drop what is not a DRAM command and sort.

    Returns
    -------
    events
        The sorted commands.
    issue_order
        The same commands' log rows, in the order of issue.
    """
    need_fields(log, ("clock", "channel", "command", "bank", "row", "unit"))
    names = [str(name) for name in names]
    chosen = np.arange(len(log), dtype=np.int64)
    if channel is not None:
        wanted = [channel] if isinstance(channel, int) else list(channel)
        chosen = chosen[np.isin(log["channel"], np.array(wanted, dtype=np.int64))]
    codes = _command_codes(log, names, spec, chosen)
    chosen, codes = chosen[codes >= 0], codes[codes >= 0]
    part = log[chosen]
    order = np.lexsort((part["clock"], part["channel"]))
    part, depths = part[order], tuple(tree.depth(command.scope) for command in spec.commands)
    bank = part["bank"].astype(np.int64)
    outside = np.flatnonzero(bank >= tree.banks)
    if len(outside):
        raise CheckError(
            f"log row {int(chosen[order][outside[0]])} names bank {int(bank[outside[0]])} but a channel of "
            f"{spec.name} has {tree.banks} banks; check each tier with its own spec and its own channels."
        )
    events = Events(
        index=chosen[order],
        clock=part["clock"].astype(np.int64),
        channel=part["channel"].astype(np.int64),
        command=codes[order],
        bank=bank,
        row=part["row"].astype(np.int64),
        unit=part["unit"].astype(np.int64),
        names=tuple(command.name for command in spec.commands),
        kinds=tuple(command.kind for command in spec.commands),
        depths=depths,
    )
    return events, chosen
