# SPDX-License-Identifier: MIT
"""From one organisation and one timing block to cycles, with the way that led to each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

from heam_sim.dram.expressions import evaluate, names_in, round_interval, round_minimum
from heam_sim.dram.model import Constraint, Spec
from heam_sim.dram.standard_blocks import ORGANIZATION_NAMES, Block
from heam_sim.dram.standard_file import StandardFile
from heam_sim.errors import SpecError, unknown_name
from heam_sim.numbers import whole_number

__all__ = ["Derivation", "canonical_overrides", "derive_timing", "resolve_spec"]


@dataclass(frozen=True)
class Derivation:
    """How one timing value came about.

    Parameters
    ----------
    name
        ``nXX``.
    cycles
        The result in cycles of the resolved clock (ticks).
    rule
        The expression of the file, or empty for a value that is given in cycles.
    inputs
        The values that the rule used, by name (ns, cycles or counts).
    overridden
        Whether the value itself was given as an override.
    source
        Where the value or the rule comes from.
    """

    name: str
    cycles: int
    rule: str
    inputs: Mapping[str, Fraction]
    overridden: bool
    source: str


def canonical_overrides(file: StandardFile, changes: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Check the names and values of overrides and replace aliases by the names of this package."""
    sizes = (*file.levels[1:], "rows")
    known = (*sizes, *file.parameters, *file.cycles, *file.aliases)
    result: dict[str, Any] = {}
    for key, value in changes.items():
        if key not in known:
            raise SpecError(str(unknown_name("override", key, known, where=name)))
        real = file.aliases.get(key, key)
        if real in result:
            raise SpecError(f"{name}: override {key!r} is the same as {real!r}; keep one of the two.")
        if real.endswith("_ns"):
            _nanoseconds(key, value)
        else:
            least = 1 if real in sizes else 0
            value = whole_number(f"override {key!r}", value, minimum=least, error=SpecError)
        result[real] = value
    return result


def _nanoseconds(key: str, value: Any) -> Fraction:
    # A float stands for the decimal number that it prints as: 7.8 means 78/10, not its binary neighbour.
    try:
        if isinstance(value, bool):
            raise TypeError
        number = Fraction(str(value)) if isinstance(value, float) else Fraction(value)
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise SpecError(f"override {key!r} is {value!r}; give a number of nanoseconds.") from error
    if number < 0:
        raise SpecError(f"override {key!r} is {value!r}; give nanoseconds of at least 0.")
    return number


def resolve_spec(
    file: StandardFile,
    organization: Block,
    timing: Block,
    *,
    name: str,
    overrides: Mapping[str, Any],
    capacity_scale: int = 1,
) -> Spec:
    """Build the resolved spec of one preset; see :func:`~heam_sim.dram.load_spec`."""
    changes = canonical_overrides(file, overrides, name)
    counts = _counts(file, organization, changes)
    cycles = {
        name: item.cycles for name, item in derive_timing(file, organization, timing, changes=changes).items()
    }
    clock = timing.fields["tCK_ps"]
    return Spec(
        name=name,
        standard=file.name,
        source=f"{file.source}; {organization.source}; {timing.source}",
        levels=file.levels,
        counts=counts,
        rows=changes.get("rows", organization.fields["rows"]) * capacity_scale,
        columns=organization.fields["columns"],
        burst_bytes=organization.fields["burst_bytes"],
        devices=organization.fields["devices"],
        split_command_buses=file.split_command_buses,
        tCK_ps=timing.fields.get("tick_ps", clock / file.ticks_per_clock),
        timing=cycles,
        commands=file.commands,
        constraints=tuple(_constraints(file, cycles)),
        data_rate_MTps=timing.fields["rate_MTps"],
        capacity_scale=capacity_scale,
        overrides=changes,
        max_postponed_refreshes=file.max_postponed_refreshes,
        bank_refresh_interval=cycles[file.bank_refresh_interval] if file.bank_refresh_interval else None,
        pe_levels=file.pe_levels,
    )


def _constraints(file: StandardFile, cycles: Mapping[str, int]) -> list[Constraint]:
    return [
        Constraint(
            level=row.level,
            preceding=row.preceding,
            following=row.following,
            cycles=evaluate(row.expression, cycles, where=row.where),
            window=row.window,
            sibling=row.sibling,
            resource=row.resource,
            expression=row.expression,
            source=row.source,
        )
        for row in file.rows
    ]


def _counts(file: StandardFile, organization: Block, changes: Mapping[str, Any]) -> dict[str, int]:
    counts: dict[str, int] = dict(organization.fields["counts"])
    wanted = file.levels[1:]
    if set(counts) != set(wanted):
        raise SpecError(f"{organization.where}: counts must name exactly the levels {', '.join(wanted)}.")
    return {"channel": 1, **{level: int(changes.get(level, counts[level])) for level in wanted}}


def derive_timing(
    file: StandardFile, organization: Block, timing: Block, *, changes: Mapping[str, Any]
) -> dict[str, Derivation]:
    """Return every timing value in cycles with its derivation.

    Parameters
    ----------
    file, organization, timing
        What was parsed.
    changes
        Overrides under their own names (of :func:`canonical_overrides`). Values in cycles count clocks of
        the standard, also where the resolved clock is finer (`ticks_per_clock`).
    """
    values = _given(file, organization, timing, changes)
    parts: dict[str, Derivation] = {}
    for name in file.parameters:
        if name.startswith("n"):
            block = organization if name in organization.parameters else timing
            parts[name] = _part(file, name, values[name], changes, "", {}, block.source)
    functions = _functions(file, timing)
    for name, rule in file.cycles.items():
        where = f"{file.where} [cycles] {name}"
        used = names_in(rule, where=where)
        missing = sorted(used - set(values))
        if missing:
            raise SpecError(f"{organization.where}: the key {missing[0]!r} is missing; add it.")
        # Evaluated even if it is overridden, so that a file's mistake never hides behind an override.
        result = evaluate(rule, values, where=where, functions=functions)
        inputs = {item: Fraction(values[item]) for item in sorted(used)}
        values[name] = Fraction(changes.get(name, result))
        blocks = [b.source for b in (organization, timing) if used & set(b.parameters)]
        source = "; ".join([*blocks, file.cycles_source])
        parts[name] = _part(file, name, values[name], changes, rule, inputs, source)
    for name in ("nBL", "nCL", "nREFI"):
        if name not in parts or parts[name].cycles < 1:
            raise SpecError(f"{timing.where}: {name!r} must be at least 1 cycle; give it.")
    return parts


def _part(
    file: StandardFile,
    name: str,
    clocks: Fraction,
    changes: Mapping[str, Any],
    rule: str,
    inputs: Mapping[str, Fraction],
    source: str,
) -> Derivation:
    overridden = name in changes
    ticks = int(clocks) * file.ticks_per_clock
    return Derivation(name, ticks, rule, inputs, overridden, "override" if overridden else source)


def _given(
    file: StandardFile, organization: Block, timing: Block, changes: Mapping[str, Any]
) -> dict[str, Fraction]:
    both = sorted(set(organization.parameters) & set(timing.parameters))
    if both:
        raise SpecError(f"{timing.where}: {both[0]!r} is also in {organization.where}; keep one of the two.")
    values: dict[str, Fraction] = {
        key: Fraction(organization.fields[key]) for key in ORGANIZATION_NAMES if key in organization.fields
    }
    counts = _counts(file, organization, changes)
    values.update({level: Fraction(counts[level]) for level in file.levels[1:]})
    for name in file.parameters:
        block = organization if name in organization.parameters else timing
        if name not in block.parameters:
            raise SpecError(f"{timing.where}: the key {name!r} is missing; add it.")
        given = block.parameter(name, organization)
        values[name] = _nanoseconds(name, changes[name]) if name in changes else given
    return values


def _functions(file: StandardFile, timing: Block) -> dict[str, Callable[[Fraction], int]]:
    clock = timing.fields["tCK_ps"]
    return {
        "cycles": partial(round_minimum, tck_ps=clock, rounding=file.rounding),
        "cycles_down": partial(round_interval, tck_ps=clock),
    }
