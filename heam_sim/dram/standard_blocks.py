# SPDX-License-Identifier: MIT
"""The ``[organization.NAME]`` and ``[timing.NAME]`` blocks of a standard's file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from heam_sim.dram import toml_checks as toml
from heam_sim.errors import SpecError

__all__ = ["ORGANIZATION_NAMES", "Block", "Value", "parse_blocks"]

Value = Fraction | Mapping[str, Fraction]

# Properties of an organisation that [cycles] may use, beside the numbers of nodes of its levels.
ORGANIZATION_NAMES = ("density_Mb", "device_width")

_KEYS = {
    "organization": ("source", "counts", "rows", "columns", "burst_bytes", "devices"),
    "timing": ("source", "rate_MTps", "tCK_ps"),
}
_OPTIONAL = {"organization": ORGANIZATION_NAMES, "timing": ("organizations", "tick_ps")}
_COUNTS = ("rows", "columns", "burst_bytes", "devices", "rate_MTps", *ORGANIZATION_NAMES)
_WIDTH = re.compile(r"x[1-9]\d*")


@dataclass(frozen=True)
class Block:
    """One block: its fixed keys and its timing parameters.

    A parameter is a number, or a table from device width (``"x8"``) to number.
    """

    name: str
    source: str
    fields: Mapping[str, Any]
    parameters: Mapping[str, Value]
    where: str

    def parameter(self, key: str, organization: Block) -> Fraction:
        """Return a parameter for an organisation: a value by device width is looked up."""
        value = self.parameters[key]
        if isinstance(value, Fraction):
            return value
        width = organization.fields.get("device_width")
        if f"x{width}" not in value:
            known = ", ".join(value)
            raise SpecError(
                f"{self.where}: {key!r} is given for {known} only; add it for {organization.name!r} "
                f"(device_width {width}) or name the organizations of this block."
            )
        return value[f"x{width}"]


def parse_blocks(value: Any, section: str, parameters: tuple[str, ...], where: str) -> dict[str, Block]:
    """Parse all blocks of one section (``"organization"`` or ``"timing"``)."""
    fixed, optional = _KEYS[section], _OPTIONAL[section]
    blocks: dict[str, Block] = {}
    for name, content in toml.table(value, f"{where} [{section}]").items():
        here = f"{where} [{section}.{name}]"
        table = toml.table(content, here)
        toml.check_keys(table, here, required=fixed, optional=[*optional, *parameters])
        source = toml.text(table, "source", here)
        given = {key: _value(table[key], key, here) for key in parameters if key in table}
        fields = {key: table[key] for key in (*fixed, *optional) if key in table and key != "source"}
        _check_fields(fields, here)
        blocks[name] = Block(name, source, fields, given, here)
    return blocks


def _value(value: Any, key: str, where: str) -> Value:
    if not isinstance(value, dict):
        return toml.number(value, key, where)
    for width in value:
        if not _WIDTH.fullmatch(width):
            raise SpecError(f"{where}: {key!r} has the key {width!r}; write device widths such as x8.")
    return {width: toml.number(item, key, where) for width, item in value.items()}


def _check_fields(fields: dict[str, Any], where: str) -> None:
    for key in _COUNTS:
        if key in fields:
            toml.count(fields, key, where)
    if "counts" in fields:
        counts = toml.table(fields["counts"], f"{where} counts")
        for level in counts:
            toml.count(counts, level, f"{where} counts")
    if "organizations" in fields:
        toml.strings(fields["organizations"], "organizations", where)
    for key in ("tCK_ps", "tick_ps"):
        if key in fields:
            fields[key] = toml.period(fields, key, where)
