# SPDX-License-Identifier: MIT
"""Ways to write an address map: field lists, well-known names, DRAMsim3's letters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from heam_sim.address.address_map import AddressMap, Piece, Xor
from heam_sim.dram import Spec
from heam_sim.errors import ConfigError, unknown_name

__all__ = ["NAMED_MAPS", "parse_map"]

_DRAMSIM3 = {"ch": "channel", "ra": "rank", "bg": "bank_group", "ba": "bank", "ro": "row", "co": "column"}
_XOR = re.compile(r"(\w+)\.(\d+)\^(\w+)\.(\d+)")


def _bits(count: int) -> int:
    return (count - 1).bit_length()


def _robarach(spec: Spec) -> str:
    """Row, bank .. rank inside out, column, channel: the compatibility presets' map."""
    return " ".join(("row", *reversed(spec.levels[1:]), "column", "channel"))


def _chrabaroco(spec: Spec) -> str:
    return " ".join(("channel", *spec.levels[1:], "row", "column"))


def _mop4clxor(spec: Spec) -> str:
    """Lowest two column bits lowest; column bits XORed into rank, bank group, bank and row, in this order."""
    bits = _bits(spec.columns)
    low = min(2, bits)
    terms, position = [], 0
    for field, count in [(level, spec.counts[level]) for level in spec.levels[1:]] + [("row", spec.rows)]:
        terms += [f"{field}.{b}^column.{position + b}" for b in range(_bits(count)) if position + b < bits]
        position += _bits(count)
    fields = ("row", f"column:{bits - low}", *reversed(spec.levels[1:]), f"column:{low}", "channel")
    return " ".join(fields) + " | " + " ".join(terms)


#: Maps by the names that Ramulator gives them. The channel lies below everything in RoBaRaCoCh and MOP4CLXOR,
#: where Ramulator 2.1's channel mapper cuts it out, and on top in ChRaBaRoCo, as that name says.
NAMED_MAPS: Mapping[str, Callable[[Spec], str]] = {
    "RoBaRaCoCh": _robarach,
    "ChRaBaRoCo": _chrabaroco,
    "MOP4CLXOR": _mop4clxor,
}


def parse_map(text: str, spec: Spec, *, channels: int, vector_bursts: int = 1) -> AddressMap:
    """Read an address map.

    Parameters
    ----------
    text
        One of:

        - fields, most significant first: ``"row column bank rank bank_group channel column.vector"``.
          ``field:n`` takes n bits; without a number a field takes what its other pieces leave.
          ``column.vector`` are the columns inside a vector. ``rank`` also names a pseudo channel. XOR terms
          may follow a bar: ``"... | bank.0^row.0 bank.1^row.1"``;
        - a name: ``RoBaRaCoCh``, ``ChRaBaRoCo``, ``MOP4CLXOR``. With several channels Ramulator 2.1 cuts the
          channel out below its ``ChRaBaRoCo``: ``"rank bank_group bank row column channel"``;
        - DRAMsim3's letters, most significant first: ``rarocochbgba``.
    spec
        The memory.
    channels
        Of the tier; any number.
    vector_bursts
        Bursts in a vector, for ``column.vector``.

    Returns
    -------
    AddressMap
        Of bursts: an address counts ``burst_bytes`` each.

    Raises
    ------
    ConfigError
        A field is unknown, missing or of the wrong size, or a vector is longer than a row.
    """
    if not isinstance(text, str):
        raise ConfigError(
            f"address_map: {text!r} is no text; give a name, a list of fields or DRAMsim3's letters."
        )
    if text in NAMED_MAPS:
        text = NAMED_MAPS[text](spec)
    elif re.fullmatch(r"(?:ch|ra|bg|ba|ro|co){2,}", text):
        text = _from_dramsim3(text, spec)
    body, _, tail = text.partition("|")
    pieces = _pieces(body.split(), spec, channels, vector_bursts)
    levels = tuple((level, spec.counts[level]) for level in spec.levels[1:])
    return AddressMap(pieces, levels, _xors(tail, spec))


def _from_dramsim3(text: str, spec: Spec) -> str:
    names = [_DRAMSIM3[text[i : i + 2]] for i in range(0, len(text), 2)]
    # Levels that DRAMsim3 has no letters for (a stack identifier) go beside the rank.
    extra = [level for level in spec.levels[2:] if level not in names]
    at = names.index("rank") + 1 if "rank" in names else 0
    return " ".join((*names[:at], *extra, *names[at:]))


def _field(name: str, spec: Spec) -> str:
    return spec.second_level if name == "rank" else name


def _pieces(words: list[str], spec: Spec, channels: int, vector_bursts: int) -> tuple[Piece, ...]:
    totals = {"channel": channels, "row": spec.rows, "column": spec.columns}
    totals.update({level: spec.counts[level] for level in spec.levels[1:]})
    if spec.columns % vector_bursts:
        raise ConfigError(
            f"address_map: a vector of {vector_bursts} bursts does not fit into a row of {spec.columns} "
            f"bursts of "
            f"{spec.name}; use shorter vectors or another memory."
        )
    found: list[tuple[str, int | None]] = []
    for word in reversed(words):
        name, _, bits = word.partition(":")
        name, size = ("column", vector_bursts) if name == "column.vector" else (_field(name, spec), None)
        if name not in totals:
            raise unknown_name("field", name, [*totals, "column.vector"], where="address_map")
        if bits:
            if not bits.isdecimal():
                raise ConfigError(f"address_map: {word!r}: write the number of bits behind the colon.")
            size = 1 << int(bits)
        found.append((name, size))
    return tuple(Piece(name, size) for name, size in _fill(found, totals) if size is not None)


def _fill(found: list[tuple[str, int | None]], totals: Mapping[str, int]) -> list[tuple[str, int]]:
    """Give the pieces without a size what is left of their field."""
    left = dict(totals)
    for name, size in found:
        if size is not None:
            if left[name] % size:
                raise ConfigError(f"address_map: the pieces of {name} do not fit its {totals[name]} values.")
            left[name] //= size
    open_fields = [name for name, size in found if size is None]
    for name in totals:
        if open_fields.count(name) > 1:
            raise ConfigError(
                f"address_map: {name} stands twice without a number of bits; give one to all but one."
            )
        if name not in open_fields and left[name] != 1:
            raise ConfigError(
                f"address_map: {name} must stand exactly once; its pieces leave {left[name]} values out."
            )
    return [(name, left[name] if size is None else size) for name, size in found]


def _xors(text: str, spec: Spec) -> tuple[Xor, ...]:
    terms = []
    for word in text.split():
        match = _XOR.fullmatch(word)
        if match is None:
            raise ConfigError(f"address_map: {word!r} is no XOR term; write e.g. bank.0^row.0.")
        target, target_bit, source, source_bit = match.groups()
        terms.append(Xor(_field(target, spec), int(target_bit), _field(source, spec), int(source_bit)))
    return tuple(terms)
