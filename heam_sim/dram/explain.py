# SPDX-License-Identifier: MIT
"""Tables about memory presets for people: what there is, what it resolves to, how each number came about.

All functions return lists of flat dictionaries with the same keys in every row, ready for a terminal table,
CSV or a DataFrame. Nothing is printed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from heam_sim.dram.gaps import RELATIONS, earliest_gap
from heam_sim.dram.loader import find_preset, iter_standards
from heam_sim.dram.model import Command, Constraint, Spec
from heam_sim.dram.resolve import Derivation, canonical_overrides, derive_timing, resolve_spec
from heam_sim.dram.standard_file import Block, StandardFile
from heam_sim.errors import SpecError, unknown_name

__all__ = ["constraint_table", "list_table", "pair_table", "show_table", "timing_table"]

Row = dict[str, str | int | float]


def list_table(*, family: str | None = None, folder: Path | None = None) -> list[Row]:
    """Return one row per preset.

    Parameters
    ----------
    family
        ``"native"`` or ``"ramulator-2.1"``; by default all.
    folder
        As in :func:`~heam_sim.dram.list_presets`.

    Returns
    -------
    list of dict
        Keys ``preset, standard, data_rate_MTps, tCK_ps, shape, banks, rows, row_bytes, burst_bytes,
        capacity_MiB, peak_GBps, source``; everything counts one channel.

    Raises
    ------
    SpecError
        Unknown family, broken file.
    """
    rows: list[Row] = []
    families: set[str] = set()
    for found, file in iter_standards(folder):
        families.add(found)
        if family in (None, found):
            for organization, timing in file.presets():
                name = f"{found}/{organization}/{timing}"
                blocks = file.organizations[organization], file.timings[timing]
                rows.append(_list_row(resolve_spec(file, *blocks, name=name, overrides={})))
    if family is not None and family not in families:
        raise SpecError(str(unknown_name("family of memory presets", family, families)))
    return sorted(rows, key=lambda row: str(row["preset"]))


def _list_row(spec: Spec) -> Row:
    return {
        "preset": spec.name,
        "standard": spec.standard,
        "data_rate_MTps": spec.data_rate_MTps or 0,
        "tCK_ps": str(spec.tCK_ps),
        "shape": ", ".join(f"{spec.counts[level]} {level}" for level in spec.levels[1:]),
        "banks": spec.banks,
        "rows": spec.rows,
        "row_bytes": spec.row_bytes,
        "burst_bytes": spec.burst_bytes,
        "capacity_MiB": spec.bytes_per_channel / 2**20,
        "peak_GBps": spec.peak_bytes_per_ns,
        "source": spec.source,
    }


def show_table(
    name: str,
    *,
    overrides: Mapping[str, Any] | None = None,
    capacity_scale: int = 1,
    folder: Path | None = None,
) -> list[Row]:
    """Return the whole resolved table of a preset.

    Parameters
    ----------
    name, overrides, capacity_scale, folder
        As in :func:`~heam_sim.dram.load_spec`.

    Returns
    -------
    list of dict
        Keys ``section`` (``general``, ``timing``, ``command``, ``constraint``), ``name, value, unit,
        derivation, source``.
    """
    file, organization, timing = find_preset(name, folder)
    changes = canonical_overrides(file, overrides or {}, name)
    spec = resolve_spec(
        file, organization, timing, name=name, overrides=changes, capacity_scale=capacity_scale
    )
    parts = derive_timing(file, organization, timing, changes=changes)
    rows = list(_general(spec, file, organization, timing, changes))
    for part in parts.values():
        derivation = _derivation(part, timing)
        rows.append(_row("timing", part.name, part.cycles, "cycles", derivation, part.source))
    for command in spec.commands:
        rows.append(
            _row(
                "command",
                command.name,
                command.kind,
                "",
                _addressing(command),
                file.source,
            )
        )
    for row in spec.constraints:
        rows.append(
            _row(
                "constraint",
                _pair(row),
                row.cycles,
                "cycles",
                f"{row.expression} at {_where(row)} [{row.resource}]",
                row.source,
            )
        )
    return rows


def _row(section: str, name: str, value: str | int | float, unit: str, derivation: str, source: str) -> Row:
    keys = ("section", "name", "value", "unit", "derivation", "source")
    return dict(zip(keys, (section, name, value, unit, derivation, source), strict=True))


def _addressing(command: Command) -> str:
    place = "of every bank group of a rank" if command.kind == "REFSB" else ""
    beat = f", starts in every {command.alignment}. cycle only" if command.alignment > 1 else ""
    return f"{command.slot} slot, addresses one {command.scope} {place}".rstrip() + beat


def _general(
    spec: Spec, file: StandardFile, organization: Block, timing: Block, changes: Mapping[str, Any]
) -> Iterator[Row]:
    def general(name: str, value: str | int | float, unit: str, derivation: str, source: str) -> Row:
        return _row("general", name, value, unit, derivation, source)

    ticks = f"clock period / {file.ticks_per_clock}" if file.ticks_per_clock > 1 else ""
    yield general("standard", spec.standard, "", "", file.source)
    yield general("tCK", str(spec.tCK_ps), "ps", ticks, timing.source)
    yield general("data rate", spec.data_rate_MTps or 0, "MT/s", "", timing.source)
    for level in spec.levels[1:]:
        source = "override" if level in changes else organization.source
        yield general(level, spec.counts[level], "per parent", "", source)
    scale = f"times capacity_scale {spec.capacity_scale}" if spec.capacity_scale > 1 else ""
    yield general(
        "rows", spec.rows, "per bank", scale, "override" if "rows" in changes else organization.source
    )
    yield general("columns", spec.columns, "bursts per row", "", organization.source)
    yield general("burst", spec.burst_bytes, "bytes", "", organization.source)
    yield general("devices", spec.devices, "per rank", "", organization.source)
    yield general("row", spec.row_bytes, "bytes", "columns * burst", organization.source)
    yield general(
        "capacity",
        spec.bytes_per_channel / 2**20,
        "MiB per channel",
        "banks * rows * row",
        organization.source,
    )
    yield general(
        "peak", spec.peak_bytes_per_ns, "GB/s per channel", "data buses * burst / (nBL * tCK)", timing.source
    )
    yield general("read latency", spec.read_latency, "cycles", "nCL + nBL", timing.source)


def timing_table(
    name: str, *, overrides: Mapping[str, Any] | None = None, folder: Path | None = None
) -> list[Row]:
    """Return how every timing value of a preset came about.

    Parameters
    ----------
    name, overrides, folder
        As in :func:`~heam_sim.dram.load_spec`.

    Returns
    -------
    list of dict
        Keys ``name, cycles, time_ns, rule, inputs, rounding, source``: the value in cycles and as time, the
        expression of the file (empty: given in cycles), what it used (nanoseconds also as the exact number
        of clocks), the rounding rule of the file (empty if nothing was rounded), where it comes from.
    """
    file, organization, timing = find_preset(name, folder)
    changes = canonical_overrides(file, overrides or {}, name)
    spec = resolve_spec(file, organization, timing, name=name, overrides=changes)
    rows: list[Row] = []
    for part in derive_timing(file, organization, timing, changes=changes).values():
        rounded = "cycles(" in part.rule and not part.overridden
        down = "cycles_down(" in part.rule and not part.overridden
        rows.append(
            {
                "name": part.name,
                "cycles": part.cycles,
                "time_ns": float(part.cycles * spec.tCK_ps / 1000),
                "rule": "" if part.overridden else part.rule,
                "inputs": "" if part.overridden else _inputs(part, timing),
                "rounding": "down" if down else file.rounding if rounded else "",
                "source": part.source,
            }
        )
    return rows


def _inputs(part: Derivation, timing: Block) -> str:
    clock = timing.fields["tCK_ps"]
    texts = []
    for name, value in part.inputs.items():
        clocks = f" ({float(value * 1000 / clock):.3f} clocks)" if name.endswith("_ns") else ""
        texts.append(f"{name} = {_decimal(value)}{clocks}")
    return ", ".join(texts)


def _derivation(part: Derivation, timing: Block) -> str:
    if part.overridden or not part.rule:
        return "given"
    inputs = _inputs(part, timing)
    return f"{part.rule} with {inputs}" if inputs else part.rule


def _decimal(value: Fraction) -> str:
    return str(value) if value.denominator == 1 else f"{float(value):g}"


def constraint_table(spec: Spec) -> list[Row]:
    """Return one row per constraint of a spec, plain or derived.

    Returns
    -------
    list of dict
        Keys ``number, level, preceding, following, cycles, expression, window, sibling, resource, source``;
        `number` is the row's index, as in the column ``bound`` of a command log.
    """
    return [
        {
            "number": number,
            "level": row.level,
            "preceding": " ".join(row.preceding),
            "following": " ".join(row.following),
            "cycles": row.cycles,
            "expression": row.expression,
            "window": row.window,
            "sibling": int(row.sibling),
            "resource": row.resource,
            "source": row.source,
        }
        for number, row in enumerate(spec.constraints)
    ]


def pair_table(spec: Spec, first: str, second: str) -> list[Row]:
    """Return every row that speaks about two commands, and what they add up to.

    Parameters
    ----------
    spec
        Plain or derived.
    first, second
        Command names; an unknown one is a :class:`~heam_sim.errors.SpecError`.

    Returns
    -------
    list of dict
        Keys ``relation, cycles, expression, level, resource, source``. First the rows (`relation` says
        which nodes they bind), then one summary row per relation with the distance that results.
    """
    for name in (first, second):
        spec.command(name)
    rows: list[Row] = []
    for row in spec.constraints:
        if first in row.preceding and second in row.following:
            rows.append(
                {
                    "relation": _where(row),
                    "cycles": row.cycles,
                    "expression": row.expression,
                    "level": row.level,
                    "resource": row.resource,
                    "source": row.source,
                }
            )
    relations = [*RELATIONS, *(["pseudo_channel"] if "sid" in spec.levels else [])]
    for relation in relations:
        if relation not in ("bank", "bank_group") or relation in spec.levels:
            gap = earliest_gap(spec, first, second, relation)
            rows.append(
                {
                    "relation": f"distance: {_RELATION_TEXT[relation]}",
                    "cycles": gap,
                    "expression": "largest row with window 1 that binds",
                    "level": "",
                    "resource": "",
                    "source": "",
                }
            )
    return rows


_RELATION_TEXT = {
    "bank": "same bank",
    "bank_group": "another bank of the group",
    "rank": "another bank group",
    "pseudo_channel": "another stack ID of the pseudo channel",
    "other_rank": "another rank or pseudo channel",
}


def _pair(row: Constraint) -> str:
    return f"{'/'.join(row.preceding)} -> {'/'.join(row.following)}"


def _where(row: Constraint) -> str:
    where = f"another {row.level}" if row.sibling else f"same {row.level}"
    return f"{where}, {row.window} commands back" if row.window > 1 else where
