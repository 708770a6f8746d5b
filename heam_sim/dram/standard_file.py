# SPDX-License-Identifier: MIT
"""Reading one standard from its TOML file: keys, names and sources are checked here."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from heam_sim.dram.expressions import ROUNDINGS, names_in
from heam_sim.dram.model import PLAIN_KINDS, RESOURCES, Command
from heam_sim.dram.resources import compatibility_resource
from heam_sim.errors import SpecError, unknown_name

__all__ = ["Block", "Row", "StandardFile", "parse_standard"]

_TOP = ("format", "standard", "sources", "cycles", "command", "constraint", "organization", "timing")
_STANDARD = ("name", "source", "levels", "split_command_buses", "rounding", "resources", "parameters")
_COMMAND = ("name", "kind", "scope", "slot")
_CONSTRAINT = ("level", "preceding", "following", "cycles")
_ORGANIZATION = ("source", "counts", "rows", "columns", "burst_bytes", "devices")
_TIMING = ("source", "rate_MTps", "tCK_ps")
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
class Block:
    """One ``[organization.NAME]`` or ``[timing.NAME]``: its fixed keys and its timing parameters."""

    name: str
    source: str
    fields: Mapping[str, Any]
    parameters: Mapping[str, Fraction]
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
    parameters: tuple[str, ...]
    cycles: Mapping[str, str]
    commands: tuple[Command, ...]
    rows: tuple[Row, ...]
    organizations: Mapping[str, Block]
    timings: Mapping[str, Block]

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
    try:
        data = tomllib.loads(text, parse_float=Fraction)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{where}: not valid TOML ({error}); correct that line.") from error
    _keys(data, where, required=[k for k in _TOP if k != "cycles"], optional=["cycles"])
    if data["format"] != 1:
        raise SpecError(f"{where}: format {data['format']!r} is not known; this version reads format 1.")
    head = _table(data["standard"], f"{where} [standard]")
    _keys(head, f"{where} [standard]", required=_STANDARD)
    sources = _table(data["sources"], f"{where} [sources]")
    _keys(sources, f"{where} [sources]", required=["commands", "constraints"], optional=["cycles"])
    levels = _levels(head["levels"], f"{where} [standard]")
    parameters = _parameters(head["parameters"], f"{where} [standard]")
    commands = _commands(data["command"], levels, sources, where)
    rules = _cycle_rules(data.get("cycles", {}), parameters, sources, where)
    known = {name for name in (*parameters, *rules) if name.startswith("n")}
    if _choice(head, "rounding", ("none", *ROUNDINGS), where) == "none" and rules:
        raise SpecError(f"{where}: [cycles] needs a rounding rule; set rounding in [standard].")
    resources = _choice(head, "resources", ("rows", "compatibility-table"), where)
    organizations = _blocks(data["organization"], "organization", _ORGANIZATION, (), parameters, where)
    return StandardFile(
        where=where,
        name=_text(head, "name", f"{where} [standard]"),
        source=_text(head, "source", f"{where} [standard]"),
        levels=levels,
        split_command_buses=_flag(head, "split_command_buses", f"{where} [standard]"),
        rounding=head["rounding"],
        parameters=parameters,
        cycles=rules,
        commands=commands,
        rows=_rows(data["constraint"], levels, commands, known, resources, sources, where),
        organizations=organizations,
        timings=_blocks(data["timing"], "timing", _TIMING, ("organizations",), parameters, where),
    )


def _keys(
    table: Mapping[str, Any], where: str, *, required: Iterable[str], optional: Iterable[str] = ()
) -> None:
    required = list(required)
    known = [*required, *optional]
    for key in table:
        if key not in known:
            raise SpecError(str(unknown_name("key", key, known, where=where)))
    for key in required:
        if key not in table:
            raise SpecError(f"{where}: the key {key!r} is missing; add it.")


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise SpecError(f"{where}: a table is expected here; write it as [name] with keys below.")
    return value


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table[key]
    if not isinstance(value, str) or not value.strip():
        raise SpecError(f"{where}: {key!r} must be a non-empty text; say what it is or where it comes from.")
    return value


def _flag(table: Mapping[str, Any], key: str, where: str) -> bool:
    if not isinstance(table[key], bool):
        raise SpecError(f"{where}: {key!r} is {table[key]!r}; write true or false.")
    return bool(table[key])


def _count(table: Mapping[str, Any], key: str, where: str) -> int:
    value = table[key]
    if type(value) is not int or value < 1:
        raise SpecError(f"{where}: {key!r} is {value!r}; write a whole number of at least 1.")
    return value


def _strings(value: Any, key: str, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise SpecError(f"{where}: {key!r} must be a list of names.")
    if len(set(value)) != len(value):
        raise SpecError(f"{where}: {key!r} names something twice; keep one.")
    return tuple(value)


def _choice(table: Mapping[str, Any], key: str, known: Iterable[str], where: str) -> str:
    known = list(known)
    if table[key] not in known:
        raise SpecError(str(unknown_name(key, table[key], known, where=f"{where} [standard]")))
    return str(table[key])


def _levels(value: Any, where: str) -> tuple[str, ...]:
    levels = _strings(value, "levels", where)
    if levels[0] != "channel" or levels[-1] != "bank" or levels[1] not in ("rank", "pseudo_channel"):
        raise SpecError(f"{where}: levels must run from channel, then rank or pseudo_channel, to bank.")
    return levels


def _parameters(value: Any, where: str) -> tuple[str, ...]:
    names = _strings(value, "parameters", where)
    for name in names:
        if not _NAME.fullmatch(name):
            raise SpecError(f"{where}: parameter {name!r} has no unit; call it n... (cycles) or t..._ns.")
    return names


def _row_source(table: Mapping[str, Any], sources: Mapping[str, Any], section: str, where: str) -> str:
    if "source" in table:
        return _text(table, "source", where)
    return _text(sources, section, f"{where} [sources]")


def _commands(
    value: Any, levels: tuple[str, ...], sources: Mapping[str, Any], where: str
) -> tuple[Command, ...]:
    commands: list[Command] = []
    for number, item in enumerate(_list(value, f"{where} [[command]]"), 1):
        here = f"{where} [[command]] {number}"
        _keys(item, here, required=_COMMAND, optional=["source"])
        _row_source(item, sources, "commands", here)
        if item["kind"] not in PLAIN_KINDS:
            raise SpecError(str(unknown_name("kind", item["kind"], PLAIN_KINDS, where=here)))
        if item["scope"] not in levels:
            raise SpecError(str(unknown_name("scope", item["scope"], levels, where=here)))
        wanted = levels[1] if item["kind"] in ("PREA", "REF") else "bank"
        if item["scope"] != wanted:
            raise SpecError(f"{here}: a {item['kind']} addresses a {wanted}; set scope = {wanted!r}.")
        if item["slot"] not in ("row", "column"):
            raise SpecError(str(unknown_name("slot", item["slot"], ["row", "column"], where=here)))
        commands.append(Command(_text(item, "name", here), item["kind"], item["scope"], item["slot"]))
    names = [command.name for command in commands]
    if len(set(names)) != len(names):
        raise SpecError(f"{where}: a command is defined twice; keep one of {', '.join(names)}.")
    kinds = [command.kind for command in commands]
    for kind in _REQUIRED_KINDS:
        if kinds.count(kind) != 1:
            raise SpecError(f"{where}: {kinds.count(kind)} commands of kind {kind}; define exactly one.")
    return tuple(commands)


def _list(value: Any, where: str) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise SpecError(f"{where}: write this section as a list of [[...]] tables.")
    return value


def _cycle_rules(
    value: Any, parameters: tuple[str, ...], sources: Mapping[str, Any], where: str
) -> dict[str, str]:
    rules = _table(value, f"{where} [cycles]")
    if rules:
        if "cycles" not in sources:
            raise SpecError(f"{where} [sources]: the key 'cycles' is missing; say where [cycles] comes from.")
        _text(sources, "cycles", f"{where} [sources]")
    known = list(parameters)
    for name in rules:
        here = f"{where} [cycles] {name}"
        if not re.fullmatch(r"n[A-Z]\w*", name) or name in parameters:
            raise SpecError(f"{here}: must be a new name that starts with n and a capital letter.")
        for used in sorted(names_in(_text(rules, name, here), where=here)):
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
    named = resources == "rows"
    rows: list[Row] = []
    for number, item in enumerate(_list(value, f"{where} [[constraint]]"), 1):
        here = f"{where} [[constraint]] {number}"
        required = [*_CONSTRAINT, "resource"] if named else list(_CONSTRAINT)
        _keys(item, here, required=required, optional=["window", "sibling", "source"])
        if item["level"] not in levels:
            raise SpecError(str(unknown_name("level", item["level"], levels, where=here)))
        preceding = _command_names(item, "preceding", kinds, here)
        following = _command_names(item, "following", kinds, here)
        expression = _text(item, "cycles", here)
        for used in sorted(names_in(expression, where=here)):
            if used not in known:
                raise SpecError(str(unknown_name("timing name", used, known, where=here)))
        window = _count(item, "window", here) if "window" in item else 1
        sibling = _flag(item, "sibling", here) if "sibling" in item else False
        if sibling and (window > 1 or item["level"] == "channel"):
            raise SpecError(f"{here}: a sibling row needs window 1 and a level below the channel.")
        if named:
            allowed = [name for name in RESOURCES if name != "merge_path"]
            if item["resource"] not in allowed:
                raise SpecError(str(unknown_name("resource", item["resource"], allowed, where=here)))
            resource = str(item["resource"])
        else:
            resource = compatibility_resource(
                levels.index(item["level"]),
                item["level"],
                [kinds[name] for name in preceding],
                [kinds[name] for name in following],
                sibling=sibling,
                expression=expression,
                where=here,
            )
        source = _row_source(item, sources, "constraints", here)
        rows.append(
            Row(item["level"], preceding, following, expression, window, sibling, resource, source, here)
        )
    return tuple(rows)


def _command_names(
    item: Mapping[str, Any], key: str, kinds: Mapping[str, str], where: str
) -> tuple[str, ...]:
    names = _strings(item[key], key, where)
    for name in names:
        if name not in kinds:
            raise SpecError(str(unknown_name("command", name, kinds, where=where)))
    return names


def _blocks(
    value: Any,
    section: str,
    fixed: tuple[str, ...],
    optional: tuple[str, ...],
    parameters: tuple[str, ...],
    where: str,
) -> dict[str, Block]:
    blocks: dict[str, Block] = {}
    for name, content in _table(value, f"{where} [{section}]").items():
        here = f"{where} [{section}.{name}]"
        table = _table(content, here)
        _keys(table, here, required=fixed, optional=[*optional, *parameters])
        source = _text(table, "source", here)
        given = {key: _number(table, key, here) for key in parameters if key in table}
        fields = {key: table[key] for key in (*fixed, *optional) if key in table and key != "source"}
        _check_fields(fields, here)
        blocks[name] = Block(name, source, fields, given, here)
    return blocks


def _check_fields(fields: dict[str, Any], where: str) -> None:
    for key in ("rows", "columns", "burst_bytes", "devices", "rate_MTps"):
        if key in fields:
            _count(fields, key, where)
    if "counts" in fields:
        counts = _table(fields["counts"], f"{where} counts")
        for level in counts:
            _count(counts, level, f"{where} counts")
    if "organizations" in fields:
        _strings(fields["organizations"], "organizations", where)
    if "tCK_ps" in fields:
        # A period such as 2500/3 ps has no finite decimal form, so it may be written as a text "2500/3".
        try:
            fields["tCK_ps"] = Fraction(fields["tCK_ps"])
        except (ValueError, TypeError, ZeroDivisionError) as error:
            raise SpecError(f"{where}: tCK_ps is no number; write 625 or '2500/3'.") from error
        if fields["tCK_ps"] <= 0:
            raise SpecError(f"{where}: tCK_ps must be above zero.")


def _number(table: Mapping[str, Any], key: str, where: str) -> Fraction:
    value = table[key]
    whole = type(value) is int
    if not (whole or (isinstance(value, Fraction) and key.endswith("_ns"))) or value < 0:
        kind = "nanoseconds (a number)" if key.endswith("_ns") else "a whole number of cycles"
        raise SpecError(f"{where}: {key!r} is {value!r}; write {kind} of at least 0.")
    return Fraction(value)
