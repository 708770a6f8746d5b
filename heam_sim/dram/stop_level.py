# SPDX-License-Identifier: MIT
"""The stop-level rule: PIM commands and their rows follow from the plain rows of any standard.

Two commands have to keep a distance because they share a resource. A PIM command uses only part of the way
between a bank and the host, so it takes part only in the rows of the resources on that part. The way is a
ladder::

    bank < bank_group_io < rank_io < dram_bus < host_bus
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum

from heam_sim.dram.model import LADDER, USUAL_PE_LEVELS, Command, Constraint, Spec
from heam_sim.errors import SpecError, unknown_name

__all__ = ["PIM_COMMANDS", "derive_pim", "pe_levels", "pe_resource"]

PIM_COMMANDS = ("PIM_RD", "PIM_MOV", "PIM_RDRES", "PIM_WRLUT", "PIM_LUT")
_IMMEDIATE = "PIM_WRIMM"
_DERIVED = (*PIM_COMMANDS, _IMMEDIATE)
# What the host writes to PEs.
_WRITES = ("PIM_WRLUT", _IMMEDIATE)

_HOST_RUNG = LADDER.index("host_bus")
# Resources off the ladder in which a column read takes part wherever its data end.
_ALWAYS = frozenset({"activation_power", "refresh", "state"})
# Data paths inside the DRAM: a write->read row there waits for the cells (tWTR), not for a bus.
_ARRAY_PATHS = frozenset({"bank", "bank_group_io", "rank_io"})


class _Part(Enum):
    """How a command takes part in a row."""

    NO = 0
    SAME_PE = 1
    FULL = 2


@dataclass(frozen=True)
class _PELevel:
    name: str
    order: int  # 0 is next to the cells
    rung: int  # the outermost resource that data on their way to this level use
    node: str  # level of the spec whose nodes are the PEs


def pe_levels(spec: Spec) -> tuple[str, ...]:
    """Return the PE levels of a spec, from the cells outwards, e.g. ``("bank", ..., "stack", "host")``."""
    return tuple(level.name for level in _pe_table(spec))


def pe_resource(spec: Spec, name: str) -> str:
    """Return the outermost resource that data on their way to PEs of a level use.

    Raises
    ------
    SpecError
        The spec has no such level for PEs.
    """
    return LADDER[_pe_level(spec, name, "unit_level").rung]


def _pe_table(spec: Spec) -> tuple[_PELevel, ...]:
    reach = {**USUAL_PE_LEVELS, **spec.pe_levels}
    nodes = [level for level in reversed(spec.levels[1:]) if level in reach]
    inside = [_PELevel(name, order, LADDER.index(reach[name]), name) for order, name in enumerate(nodes)]
    order, dram_bus = len(inside), LADDER.index("dram_bus")
    return (
        *inside,
        _PELevel("dimm", order, dram_bus, "channel"),
        _PELevel("channel", order, dram_bus, "channel"),
        _PELevel("stack", order + 1, dram_bus, "channel"),
        _PELevel("host", order + 2, _HOST_RUNG, "channel"),
    )


def _pe_level(spec: Spec, name: str, keyword: str) -> _PELevel:
    for level in _pe_table(spec):
        if level.name == name:
            return level
    raise SpecError(str(unknown_name(keyword, name, pe_levels(spec), where=spec.name)))


def derive_pim(
    spec: Spec, unit_level: str, merge_level: str | None = None, *, immediates: bool = False
) -> Spec:
    """Add the PIM commands and their rows to a plain spec.

    Parameters
    ----------
    spec
        A plain spec (of :func:`~heam_sim.dram.load_spec` or made by hand).
    unit_level
        Where the PEs sit: ``"bank"``, ``"bank_group"``, ``"sid"`` (if the spec has that level), its second
        level (``"rank"`` or ``"pseudo_channel"``), ``"dimm"``, ``"channel"`` (base die), ``"stack"`` or
        ``"host"``; or a level that the standard's file names in ``[[pe_level]]``.
    merge_level
        Where partials are added up, further out than `unit_level`; ``None``: every PE sends its own result.
    immediates
        Also add PIM_WRIMM.

    Returns
    -------
    Spec
        The plain commands and rows, unchanged and first, then the derived ones.

    Raises
    ------
    SpecError
        Unknown level, merge level not outside the unit level, a spec that is derived already, a standard
        whose timing lacks ``nCCDS`` although partials are merged, a windowed row on column commands.

    Notes
    -----
    *PIM_RD* (scope: bank) stands for RD in every row whose resource lies on the way from the bank to the
    PE, and in activation, refresh and state rows. A row whose resource lies further out binds a PIM_RD only
    with a command at the same PE: it moves to the PE's level if that is deeper than its own, and sibling
    rows vanish. Command-bus rows are left out, because local controllers issue PIM_RD.

    *PIM_MOV* (scope: the PE) stands for RD on the resources beyond the PE up to the merge level. One row of
    its own spaces all partials that enter a merge node by ``nCCDS``. No bank, refresh or state row: it
    leaves a register.

    *PIM_RDRES* stands for RD on the resources beyond the merge level (or beyond the PE, if nothing is
    merged) up to the host. Its scope is the PE, or for merged results and PEs further out the second level:
    the engine sends it to the first bank of the node, so it uses the data bus of that rank or pseudo
    channel, and its turn-around and rank-switch rows bind.

    *PIM_WRLUT* (scope: second level) stands for WR on the resources beyond the PE up to the host. It is a
    broadcast to all PEs below its rank or pseudo channel, so rows of deeper levels move up to that level.
    Nothing is written to cells: no tWR, no tWTR. It never meets a PIM_RD, which uses the inner part of the
    way.

    *PIM_WRIMM* (scope: the PE, or for PEs further out the second level) is the same for one PE: its rows stay
    at their levels.

    *PIM_LUT* (scope: the PE) shares nothing and has no rows.

    The commands start in the cycles in which the RD or WR that they stand for may; PIM_LUT in any.

    PIM_RDRES, PIM_WRLUT and PIM_WRIMM are never closer than ``nBL`` on a host-side bus. Where several rows
    say something about the same two commands at the same level, only the longest distance is kept (of equal
    ones the row of the innermost resource).
    """
    if spec.unit_level is not None:
        raise SpecError(f"{spec.name}: the PIM rows are derived already; start from the plain spec.")
    unit = _pe_level(spec, unit_level, "unit_level")
    merge = _pe_level(spec, merge_level, "merge_level") if merge_level is not None else None
    if merge is not None and (merge.order <= unit.order or merge.name == "host"):
        raise SpecError(
            f"{spec.name}: merge_level {merge.name!r} is not between the PEs ({unit.name!r}) and the host; "
            "choose a level outside unit_level or None."
        )
    rule = _Rule(spec, unit, merge, immediates)
    return replace(
        spec,
        commands=spec.commands + rule.commands(),
        constraints=spec.constraints + rule.rows(),
        unit_level=unit_level,
        merge_level=merge_level,
    )


@dataclass(frozen=True)
class _Pair:
    """One derived row before pairs of commands with the same origin are put together."""

    origin: int
    level: str
    preceding: str
    following: str
    row: Constraint


class _Rule:
    def __init__(self, spec: Spec, unit: _PELevel, merge: _PELevel | None, immediates: bool) -> None:
        self._spec = spec
        self._unit = unit
        self._merge = merge
        self._writes = _WRITES if immediates else _WRITES[:1]
        self._kind = {command.name: command.kind for command in spec.commands}

    def commands(self) -> tuple[Command, ...]:
        """Return the PIM commands with their scopes."""
        unit, second = self._unit.node, self._spec.second_level
        origin = unit if self._merge is None else self._merge.node
        scopes = ("bank", unit, self._deeper(origin, second), second, unit)
        beats = {command.kind: command.alignment for command in self._spec.commands}
        alike = {**dict.fromkeys(_WRITES, beats["WR"]), "PIM_LUT": 1}
        commands = tuple(
            Command(name, name, scope, "row" if name == "PIM_LUT" else "column", alike.get(name, beats["RD"]))
            for name, scope in zip(PIM_COMMANDS, scopes, strict=True)
        )
        if _IMMEDIATE not in self._writes:
            return commands
        return (*commands, Command(_IMMEDIATE, _IMMEDIATE, self._deeper(unit, second), "column", beats["WR"]))

    def rows(self) -> tuple[Constraint, ...]:
        """Return all derived rows."""
        rows = list(_group(_longest(self._pairs())))
        if self._merge is not None:
            rows.append(self._merge_path(self._merge))
        for name in ("PIM_RDRES", *self._writes):
            rows += self._bus_floor(rows, name)
        return tuple(rows)

    def _pairs(self) -> Iterator[_Pair]:
        ordered = sorted(enumerate(self._spec.constraints), key=lambda item: self._distance(item[1]))
        for index, row in ordered:
            column = any(self._kind[name] in ("RD", "WR") for name in row.preceding)
            if row.window > 1 and column:
                raise SpecError(
                    f"{self._spec.name}: row {row.describe()} counts column commands in a window, which the "
                    "stop-level rule cannot split; write it with window 1."
                )
            for first in row.preceding:
                for second in row.following:
                    yield from self._stand_ins(index, row, first, second)

    def _stand_ins(self, index: int, row: Constraint, first: str, second: str) -> Iterator[_Pair]:
        for a in self._candidates(first):
            for b in self._candidates(second):
                if a in _DERIVED or b in _DERIVED:
                    level = self._level(row, a, b)
                    if level is not None and row.cycles > 0:
                        yield _Pair(index, level, a, b, row)

    def _candidates(self, name: str) -> tuple[str, ...]:
        kind = self._kind[name]
        if kind == "RD":
            return (name, "PIM_RD", "PIM_MOV", "PIM_RDRES")
        return (name, *self._writes) if kind == "WR" else (name,)

    def _level(self, row: Constraint, first: str, second: str) -> str | None:
        """Return the level at which the row binds the two commands, or ``None`` if it does not."""
        write_like = second in _WRITES or self._kind.get(second) in ("WR", "WRA")
        if first in _WRITES and row.resource in _ARRAY_PATHS and not write_like:
            return None  # tWTR: nothing was written to the cells
        parts = (self._part(first, row.resource), self._part(second, row.resource))
        if _Part.NO in parts:
            return None
        if "PIM_WRLUT" in (first, second) and _Part.SAME_PE not in parts:
            return min(row.level, self._spec.second_level, key=self._spec.depth)
        if _Part.SAME_PE not in parts:
            return row.level
        others = {first, second} - {"PIM_RD"}
        elsewhere = bool(others & set(_WRITES)) or ("PIM_RDRES" in others and self._merge is not None)
        return None if row.sibling or elsewhere else self._deeper(row.level, self._unit.node)

    def _part(self, name: str, resource: str) -> _Part:
        if name not in _DERIVED:
            return _Part.FULL
        if resource not in LADDER:
            return _Part.FULL if name == "PIM_RD" and resource in _ALWAYS else _Part.NO
        rung = LADDER.index(resource)
        if name == "PIM_RD":
            return _Part.FULL if rung <= self._unit.rung else _Part.SAME_PE
        inner, outer = self._unit.rung, _HOST_RUNG
        if name == "PIM_MOV":
            outer = inner if self._merge is None else self._merge.rung
        elif name == "PIM_RDRES" and self._merge is not None:
            inner = self._merge.rung
        return _Part.FULL if inner < rung <= outer else _Part.NO

    def _deeper(self, one: str, other: str) -> str:
        return max(one, other, key=self._spec.depth)

    @staticmethod
    def _distance(row: Constraint) -> int:
        return LADDER.index(row.resource) if row.resource in LADDER else -1

    def _merge_path(self, merge: _PELevel) -> Constraint:
        if "nCCDS" not in self._spec.timing:
            raise SpecError(f"{self._spec.name}: timing 'nCCDS' is missing; it spaces the moving partials.")
        return self._own("PIM_MOV", merge.node, "nCCDS", "merge_path")

    def _bus_floor(self, rows: Iterable[Constraint], name: str) -> list[Constraint]:
        level = self._spec.host_bus_level
        need = self._spec.timing["nBL"]
        for row in rows:
            pair = name in row.preceding and name in row.following and not row.sibling
            if pair and self._spec.depth(row.level) <= self._spec.depth(level) and row.cycles >= need:
                return []
        return [self._own(name, level, "nBL", "host_bus")]

    def _own(self, name: str, level: str, timing: str, resource: str) -> Constraint:
        return Constraint(
            level=level,
            preceding=(name,),
            following=(name,),
            cycles=self._spec.timing[timing],
            window=1,
            sibling=False,
            resource=resource,
            expression=timing,
            source="stop-level rule: one burst after the other on the path of the partials and results",
        )


def _longest(pairs: Iterable[_Pair]) -> list[_Pair]:
    best: dict[tuple[str, str, str, int, bool], _Pair] = {}
    for pair in pairs:
        key = (pair.level, pair.preceding, pair.following, pair.row.window, pair.row.sibling)
        if key not in best or pair.row.cycles > best[key].row.cycles:
            best[key] = pair
    return sorted(best.values(), key=lambda pair: pair.origin)


def _group(pairs: Iterable[_Pair]) -> Iterator[Constraint]:
    """Put pairs of one origin and level together into as few rows as their product form allows."""
    following: dict[tuple[int, str, str], list[str]] = {}
    rows: dict[int, Constraint] = {}
    for pair in pairs:
        following.setdefault((pair.origin, pair.level, pair.preceding), []).append(pair.following)
        rows[pair.origin] = pair.row
    preceding: dict[tuple[int, str, tuple[str, ...]], list[str]] = {}
    for (origin, level, first), seconds in following.items():
        preceding.setdefault((origin, level, tuple(sorted(seconds))), []).append(first)
    for (origin, level, seconds_key), firsts in preceding.items():
        row = rows[origin]
        plain = f"{'/'.join(row.preceding)} -> {'/'.join(row.following)}"
        yield replace(
            row,
            level=level,
            preceding=tuple(sorted(firsts)),
            following=seconds_key,
            source=f"{row.source}; stop-level rule from {plain}",
        )
