# SPDX-License-Identifier: MIT
"""Reading one standard from its TOML file: keys, names and sources are checked here."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from heam_sim.dram import toml_checks as toml
from heam_sim.dram.expressions import ROUNDINGS, names_in
from heam_sim.dram.model import LADDER, PLAIN_KINDS, RESOURCES, USUAL_PE_LEVELS, WIDE_KINDS, Command
from heam_sim.dram.resources import compatibility_resource
from heam_sim.dram.standard_blocks import ORGANIZATION_NAMES, Block, parse_blocks
from heam_sim.errors import SpecError, unknown_name

__all__ = ["Block", "Row", "StandardFile", "parse_standard"]

_TOP = ("format", "standard", "sources", "command", "constraint", "organization", "timing")
_TOP_OPTIONAL = ("cycles", "refresh", "pe_level")
_REFRESH = ("max_postponed", "source")
_STANDARD = ("name", "source", "levels", "split_command_buses", "rounding", "resources", "parameters")
_STANDARD_OPTIONAL = ("ticks_per_clock", "aliases")
_COMMAND = ("name", "kind", "scope", "slot")
_CONSTRAINT = ("level", "preceding", "following", "cycles")
_REQUIRED_KINDS = ("ACT", "PRE", "PREA", "RD", "WR", "REF")
_NAME = re.compile(r"n[A-Z]\w*|t[A-Z]\w*_ns")


@dataclass(frozen=True)
class Row:
    """One constraint row before its cycles are known."""

    level: str
    preceding: tuple[str, ...]
    following: tuple[str, ...]
    expression: str
    window: int
    sibling: bool
    resource: str
    source: str
    where: str


@dataclass(frozen=True)
class StandardFile:
    """One parsed file: everything about a standard except the choice of organisation and timing."""

    where: str
    name: str
    source: str
    levels: tuple[str, ...]
    split_command_buses: bool
    rounding: str
    ticks_per_clock: int
    aliases: Mapping[str, str]
    parameters: tuple[str, ...]
    cycles: Mapping[str, str]
    cycles_source: str
    max_postponed_refreshes: int | None
    bank_refresh_interval: str | None
    commands: tuple[Command, ...]
    rows: tuple[Row, ...]
    organizations: Mapping[str, Block]
    timings: Mapping[str, Block]
    pe_levels: Mapping[str, str]

    def presets(self) -> list[tuple[str, str]]:
        """Return all pairs (organisation, timing) that belong together."""
        return [(o, t) for o in self.organizations for t in self.timings if self.fits(o, t)]

    def fits(self, organization: str, timing: str) -> bool:
        """Whether a timing block may be used with an organisation."""
        allowed = self.timings[timing].fields.get("organizations")
        return allowed is None or organization in allowed


def parse_standard(text: str, *, where: str) -> StandardFile:
    """Parse and check one standard.

    Parameters
    ----------
    text
        TOML.
    where
        File name for messages.

    Raises
    ------
    SpecError
        Broken TOML, an unknown or missing key, a block without a source, a name that is not declared.
    """
    data = _load(text, where)
    head = toml.table(data["standard"], f"{where} [standard]")
    here = f"{where} [standard]"
    toml.check_keys(head, here, required=_STANDARD, optional=_STANDARD_OPTIONAL)
    sources = toml.table(data["sources"], f"{where} [sources]")
    toml.check_keys(sources, f"{where} [sources]", required=["commands", "constraints"], optional=["cycles"])
    levels = _levels(head["levels"], here)
    parameters = _parameters(head["parameters"], here)
    commands = _commands(data["command"], levels, sources, where)
    rules = _cycle_rules(data.get("cycles", {}), (*parameters, *levels[1:]), sources, where)
    known = {name for name in (*parameters, *rules) if name.startswith("n")}
    if toml.choice(head, "rounding", ("none", *ROUNDINGS), here) == "none" and rules:
        raise SpecError(f"{where}: [cycles] needs a rounding rule; set rounding in [standard].")
    resources = toml.choice(head, "resources", ("rows", "compatibility-table"), here)
    postponed, bank_interval = _refresh(data.get("refresh"), (*parameters, *rules), f"{where} [refresh]")
    return StandardFile(
        where=where,
        name=toml.text(head, "name", here),
        source=toml.text(head, "source", here),
        levels=levels,
        split_command_buses=toml.flag(head, "split_command_buses", here),
        rounding=head["rounding"],
        ticks_per_clock=toml.count(head, "ticks_per_clock", here) if "ticks_per_clock" in head else 1,
        aliases=_aliases(head.get("aliases", {}), (*levels[1:], "rows"), here),
        parameters=parameters,
        cycles=rules,
        cycles_source=str(sources.get("cycles", "")),
        max_postponed_refreshes=postponed,
        bank_refresh_interval=bank_interval,
        commands=commands,
        rows=_rows(data["constraint"], levels, commands, known, resources, sources, where),
        organizations=parse_blocks(data["organization"], "organization", parameters, where),
        timings=parse_blocks(data["timing"], "timing", parameters, where),
        pe_levels=_pe_levels(data.get("pe_level", []), levels, where),
    )


def _load(text: str, where: str) -> Mapping[str, Any]:
    try:
        data = tomllib.loads(text, parse_float=Fraction)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{where}: not valid TOML ({error}); correct that line.") from error
    toml.check_keys(data, where, required=_TOP, optional=_TOP_OPTIONAL)
    if data["format"] != 1:
        raise SpecError(f"{where}: format {data['format']!r} is not known; this version reads format 1.")
    return data


def _levels(value: Any, where: str) -> tuple[str, ...]:
    levels = toml.strings(value, "levels", where)
    if levels[0] != "channel" or levels[-1] != "bank" or levels[1] not in ("rank", "pseudo_channel"):
        raise SpecError(f"{where}: levels must run from channel, then rank or pseudo_channel, to bank.")
    return levels


def _pe_levels(value: Any, levels: tuple[str, ...], where: str) -> dict[str, str]:
    """Levels of the standard's own at which PEs may sit, and the outermost resource that their data use."""
    found: dict[str, str] = {}
    for number, item in enumerate(toml.tables(value, f"{where} [[pe_level]]"), 1):
        here = f"{where} [[pe_level]] {number}"
        toml.check_keys(item, here, required=("level", "reach", "source"))
        toml.text(item, "source", here)
        level = toml.choice(item, "level", levels, here)
        if level in USUAL_PE_LEVELS or level in found:
            raise SpecError(f"{here}: what data use on their way to {level!r} is known; leave it out.")
        found[level] = toml.choice(item, "reach", LADDER[:-1], here)
    order = [USUAL_PE_LEVELS.get(level) or found.get(level) for level in reversed(levels[1:])]
    rungs = [LADDER.index(resource) for resource in order if resource]
    if rungs != sorted(rungs):
        raise SpecError(f"{where} [[pe_level]]: a level reaches less far than one inside it; change 'reach'.")
    return found


def _parameters(value: Any, where: str) -> tuple[str, ...]:
    names = toml.strings(value, "parameters", where)
    for name in names:
        if not _NAME.fullmatch(name):
            raise SpecError(f"{where}: parameter {name!r} has no unit; call it n... (cycles) or t..._ns.")
    return names


def _aliases(value: Any, known: tuple[str, ...], where: str) -> dict[str, str]:
    aliases = toml.table(value, f"{where} aliases")
    for alias, name in aliases.items():
        if name not in known:
            raise SpecError(str(unknown_name("name", name, known, where=f"{where} aliases {alias}")))
    return {str(alias): str(name) for alias, name in aliases.items()}


def _refresh(value: Any, known: tuple[str, ...], where: str) -> tuple[int | None, str | None]:
    """Limit of postponing, and timing name of the interval between refreshes of banks; both may lack."""
    if value is None:
        return None, None
    content = toml.table(value, where)
    toml.check_keys(content, where, required=_REFRESH, optional=["bank_interval"])
    toml.text(content, "source", where)
    if "bank_interval" not in content:
        return toml.count(content, "max_postponed", where), None
    name = toml.text(content, "bank_interval", where)
    cycles = [item for item in known if item.startswith("n")]
    if name not in cycles:
        raise SpecError(str(unknown_name("timing name", name, cycles, where=where)))
    return toml.count(content, "max_postponed", where), name


def _row_source(table: Mapping[str, Any], sources: Mapping[str, Any], section: str, where: str) -> str:
    if "source" in table:
        return toml.text(table, "source", where)
    return toml.text(sources, section, f"{where} [sources]")


def _scope(kind: str, levels: tuple[str, ...]) -> str:
    return levels[1] if kind in WIDE_KINDS else "bank"


def _commands(
    value: Any, levels: tuple[str, ...], sources: Mapping[str, Any], where: str
) -> tuple[Command, ...]:
    commands: list[Command] = []
    for number, item in enumerate(toml.tables(value, f"{where} [[command]]"), 1):
        here = f"{where} [[command]] {number}"
        toml.check_keys(item, here, required=_COMMAND, optional=["source", "alignment"])
        _row_source(item, sources, "commands", here)
        kind = toml.choice(item, "kind", PLAIN_KINDS, here)
        if item["scope"] not in levels:
            raise SpecError(str(unknown_name("scope", item["scope"], levels, where=here)))
        wanted = _scope(kind, levels)
        if item["scope"] != wanted:
            raise SpecError(f"{here}: a {kind} addresses a {wanted}; set scope = {wanted!r}.")
        slot = toml.choice(item, "slot", ("row", "column"), here)
        alignment = toml.count(item, "alignment", here) if "alignment" in item else 1
        commands.append(Command(toml.text(item, "name", here), kind, item["scope"], slot, alignment))
    names = [command.name for command in commands]
    if len(set(names)) != len(names):
        raise SpecError(f"{where}: a command is defined twice; keep one of {', '.join(names)}.")
    kinds = [command.kind for command in commands]
    for kind in _REQUIRED_KINDS:
        if kinds.count(kind) != 1:
            raise SpecError(f"{where}: {kinds.count(kind)} commands of kind {kind}; define exactly one.")
    return tuple(commands)


def _cycle_rules(
    value: Any, names: tuple[str, ...], sources: Mapping[str, Any], where: str
) -> dict[str, str]:
    rules = toml.table(value, f"{where} [cycles]")
    if rules:
        if "cycles" not in sources:
            raise SpecError(f"{where} [sources]: the key 'cycles' is missing; say where [cycles] comes from.")
        toml.text(sources, "cycles", f"{where} [sources]")
    known = [*names, *ORGANIZATION_NAMES]
    for name in rules:
        here = f"{where} [cycles] {name}"
        if not re.fullmatch(r"n[A-Z]\w*", name) or name in names:
            raise SpecError(f"{here}: must be a new name that starts with n and a capital letter.")
        for used in sorted(names_in(toml.text(rules, name, here), where=here)):
            if used not in known:
                raise SpecError(str(unknown_name("timing name", used, known, where=here)))
        known.append(name)
    return {name: str(rule) for name, rule in rules.items()}


def _rows(
    value: Any,
    levels: tuple[str, ...],
    commands: tuple[Command, ...],
    known: set[str],
    resources: str,
    sources: Mapping[str, Any],
    where: str,
) -> tuple[Row, ...]:
    kinds = {command.name: command.kind for command in commands}
    required = [*_CONSTRAINT, "resource"] if resources == "rows" else list(_CONSTRAINT)
    rows: list[Row] = []
    for number, item in enumerate(toml.tables(value, f"{where} [[constraint]]"), 1):
        here = f"{where} [[constraint]] {number}"
        toml.check_keys(item, here, required=required, optional=["window", "sibling", "source"])
        level = toml.choice(item, "level", levels, here)
        preceding = _command_names(item, "preceding", kinds, here)
        following = _command_names(item, "following", kinds, here)
        expression = toml.text(item, "cycles", here)
        for used in sorted(names_in(expression, where=here)):
            if used not in known:
                raise SpecError(str(unknown_name("timing name", used, known, where=here)))
        window = toml.count(item, "window", here) if "window" in item else 1
        sibling = toml.flag(item, "sibling", here) if "sibling" in item else False
        if sibling and (window > 1 or level == "channel"):
            raise SpecError(f"{here}: a sibling row needs window 1 and a level below the channel.")
        if sibling and "REFSB" in (kinds[name] for name in (*preceding, *following)):
            raise SpecError(f"{here}: kind REFSB stands at several nodes; no sibling row may name it.")
        row = Row(level, preceding, following, expression, window, sibling, "", "", here)
        resource = _resource(item, row, resources, levels, kinds)
        source = _row_source(item, sources, "constraints", here)
        rows.append(Row(level, preceding, following, expression, window, sibling, resource, source, here))
    return tuple(rows)


def _resource(
    item: Mapping[str, Any], row: Row, resources: str, levels: tuple[str, ...], kinds: Mapping[str, str]
) -> str:
    if resources == "rows":
        return toml.choice(item, "resource", [n for n in RESOURCES if n != "merge_path"], row.where)
    return compatibility_resource(
        levels.index(row.level),
        row.level,
        [kinds[name] for name in row.preceding],
        [kinds[name] for name in row.following],
        sibling=row.sibling,
        expression=row.expression,
        where=row.where,
    )


def _command_names(
    item: Mapping[str, Any], key: str, kinds: Mapping[str, str], where: str
) -> tuple[str, ...]:
    names = toml.strings(item[key], key, where)
    for name in names:
        if name not in kinds:
            raise SpecError(str(unknown_name("command", name, kinds, where=where)))
    return names
