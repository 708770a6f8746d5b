# SPDX-License-Identifier: MIT
"""From a preset name to a resolved :class:`~heam_sim.dram.Spec`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import partial
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from heam_sim.dram.expressions import evaluate, round_interval, round_minimum
from heam_sim.dram.model import Constraint, Spec
from heam_sim.dram.standard_file import Block, StandardFile, parse_standard
from heam_sim.errors import SpecError, unknown_name

__all__ = ["list_presets", "load_spec"]


def list_presets(*, folder: Path | None = None) -> list[str]:
    """Return the names of all presets, sorted, as ``family/ORGANIZATION/TIMING``.

    Parameters
    ----------
    folder
        Folder that holds ``<family>/<standard>.toml``; by default the standards that come with the package.
    """
    return sorted(f"{family}/{o}/{t}" for family, file in _files(folder) for o, t in file.presets())


def load_spec(
    name: str,
    *,
    overrides: Mapping[str, Any] | None = None,
    capacity_scale: int = 1,
    folder: Path | None = None,
) -> Spec:
    """Load a memory standard and resolve it to cycles.

    Parameters
    ----------
    name
        A preset of :func:`list_presets`, e.g. ``"native/DDR4_8Gb_x8/DDR4_3200"``.
    overrides
        Changes by name: a level below the channel (nodes per parent), ``"rows"``, a timing in cycles
        (``nXX``) or, in native presets, in nanoseconds (``tXX_ns``). Everything that is derived follows
        afterwards; a derived ``nXX`` that is overridden keeps the given value.
    capacity_scale
        Factor on the number of rows; timing does not change.
    folder
        As in :func:`list_presets`.

    Raises
    ------
    SpecError
        Unknown preset or override, an incomplete or contradictory file.
    """
    file, organization, timing = _find(name, folder)
    changes = dict(overrides or {})
    if type(capacity_scale) is not int or capacity_scale < 1:
        raise SpecError(f"capacity_scale is {capacity_scale!r}; give a whole number of at least 1.")
    _check_overrides(changes, file, name)
    counts = {"channel": 1, **_counts(file, organization)}
    for level in file.levels[1:]:
        counts[level] = changes.get(level, counts[level])
    cycles = _timing(file, organization, timing, changes)
    constraints = tuple(
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
    )
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
        tCK_ps=timing.fields["tCK_ps"],
        timing=cycles,
        commands=file.commands,
        constraints=constraints,
        data_rate_MTps=timing.fields["rate_MTps"],
        capacity_scale=capacity_scale,
        overrides=changes,
    )


def _files(folder: Path | None) -> Iterator[tuple[str, StandardFile]]:
    root: Traversable = folder if folder is not None else resources.files(__package__) / "standards"
    if not root.is_dir():
        raise SpecError(f"folder {str(root)!r} does not exist; give one with <family>/<standard>.toml files.")
    for family in sorted(root.iterdir(), key=lambda entry: entry.name):
        if family.is_dir():
            for entry in sorted(family.iterdir(), key=lambda item: item.name):
                if entry.name.endswith(".toml"):
                    where = f"{family.name}/{entry.name}"
                    yield family.name, parse_standard(entry.read_text(encoding="utf-8"), where=where)


def _find(name: str, folder: Path | None) -> tuple[StandardFile, Block, Block]:
    presets: list[str] = []
    for family, file in _files(folder):
        for organization, timing in file.presets():
            preset = f"{family}/{organization}/{timing}"
            if preset == name:
                return file, file.organizations[organization], file.timings[timing]
            presets.append(preset)
    raise SpecError(str(unknown_name("memory preset", name, presets)))


def _counts(file: StandardFile, organization: Block) -> dict[str, int]:
    counts: dict[str, int] = dict(organization.fields["counts"])
    wanted = file.levels[1:]
    if set(counts) != set(wanted):
        raise SpecError(f"{organization.where}: counts must name exactly the levels {', '.join(wanted)}.")
    return counts


def _check_overrides(changes: Mapping[str, Any], file: StandardFile, name: str) -> None:
    sizes = (*file.levels[1:], "rows")
    known = (*sizes, *file.parameters, *file.cycles)
    for key, value in changes.items():
        if key not in known:
            raise SpecError(str(unknown_name("override", key, known, where=name)))
        if key.endswith("_ns"):
            _nanoseconds(key, value)
        elif type(value) is not int or value < (1 if key in sizes else 0):
            least = 1 if key in sizes else 0
            raise SpecError(f"override {key!r} is {value!r}; give a whole number of at least {least}.")


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


def _timing(
    file: StandardFile, organization: Block, timing: Block, changes: Mapping[str, Any]
) -> dict[str, int]:
    both = sorted(set(organization.parameters) & set(timing.parameters))
    if both:
        raise SpecError(f"{timing.where}: {both[0]!r} is also in {organization.where}; keep one of the two.")
    given = {**organization.parameters, **timing.parameters}
    values: dict[str, Fraction | int] = {}
    for name in file.parameters:
        if name in changes:
            values[name] = _nanoseconds(name, changes[name])
        elif name in given:
            values[name] = given[name]
        else:
            raise SpecError(f"{timing.where}: the key {name!r} is missing; add it.")
    period = timing.fields["tCK_ps"]
    functions = {
        "cycles": partial(round_minimum, tck_ps=period, rounding=file.rounding),
        "cycles_down": partial(round_interval, tck_ps=period),
    }
    for name, rule in file.cycles.items():
        where = f"{file.where} [cycles] {name}"
        values[name] = changes.get(name, evaluate(rule, values, where=where, functions=functions))
    cycles = {name: int(value) for name, value in values.items() if name.startswith("n")}
    for name in ("nBL", "nCL", "nREFI"):
        if cycles.get(name, 0) < 1:
            raise SpecError(f"{timing.where}: {name!r} must be at least 1 cycle; give it.")
    return cycles
