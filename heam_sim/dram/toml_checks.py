# SPDX-License-Identifier: MIT
"""Small checks for values read from TOML; each failure is one sentence with file, block and remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from heam_sim.errors import SpecError, unknown_name
from heam_sim.numbers import whole_number

__all__ = ["check_keys", "choice", "count", "flag", "number", "period", "strings", "table", "tables", "text"]


def check_keys(
    content: Mapping[str, Any], where: str, *, required: Iterable[str], optional: Iterable[str] = ()
) -> None:
    """Refuse unknown and missing keys."""
    required = list(required)
    known = [*required, *optional]
    for key in content:
        if key not in known:
            raise SpecError(str(unknown_name("key", key, known, where=where)))
    for key in required:
        if key not in content:
            raise SpecError(f"{where}: the key {key!r} is missing; add it.")


def table(value: Any, where: str) -> Mapping[str, Any]:
    """Return a TOML table."""
    if not isinstance(value, dict):
        raise SpecError(f"{where}: a table is expected here; write it as [name] with keys below.")
    return value


def tables(value: Any, where: str) -> list[Mapping[str, Any]]:
    """Return a list of TOML tables."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise SpecError(f"{where}: write this section as a list of [[...]] tables.")
    return value


def text(content: Mapping[str, Any], key: str, where: str) -> str:
    """Return a non-empty text."""
    value = content[key]
    if not isinstance(value, str) or not value.strip():
        raise SpecError(f"{where}: {key!r} must be a non-empty text; say what it is or where it comes from.")
    return value


def flag(content: Mapping[str, Any], key: str, where: str) -> bool:
    """Return a boolean."""
    if not isinstance(content[key], bool):
        raise SpecError(f"{where}: {key!r} is {content[key]!r}; write true or false.")
    return bool(content[key])


def count(content: Mapping[str, Any], key: str, where: str) -> int:
    """Return a whole number of at least 1."""
    return whole_number(f"{where}: {key!r}", content[key], minimum=1, error=SpecError)


def strings(value: Any, key: str, where: str) -> tuple[str, ...]:
    """Return a non-empty list of different names."""
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise SpecError(f"{where}: {key!r} must be a list of names.")
    if len(set(value)) != len(value):
        raise SpecError(f"{where}: {key!r} names something twice; keep one.")
    return tuple(value)


def choice(content: Mapping[str, Any], key: str, known: Iterable[str], where: str) -> str:
    """Return one of the known words."""
    known = list(known)
    if content[key] not in known:
        raise SpecError(str(unknown_name(key, content[key], known, where=where)))
    return str(content[key])


def number(value: Any, key: str, where: str) -> Fraction:
    """Return cycles (whole, key ``n...``) or nanoseconds (key ``t..._ns``)."""
    whole = type(value) is int
    if not (whole or (isinstance(value, Fraction) and key.endswith("_ns"))) or value < 0:
        kind = "nanoseconds (a number)" if key.endswith("_ns") else "a whole number of cycles"
        raise SpecError(f"{where}: {key!r} is {value!r}; write {kind} of at least 0.")
    return Fraction(value)


def period(content: Mapping[str, Any], key: str, where: str) -> Fraction:
    """Return a clock period in ps; one without a finite decimal form is a text such as ``"2500/3"``."""
    try:
        value = Fraction(content[key])
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise SpecError(f"{where}: {key} is no number; write 625 or '2500/3'.") from error
    if value <= 0:
        raise SpecError(f"{where}: {key} must be above zero.")
    return value
