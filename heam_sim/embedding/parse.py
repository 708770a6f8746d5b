# SPDX-License-Identifier: MIT
"""Embedding schemes from their short names, for command lines and configuration files."""

from __future__ import annotations

from heam_sim.embedding.schemes import COMPOSE_NAMES, QR, Full
from heam_sim.errors import ConfigError, unknown_name

__all__ = ["parse_embedding"]


def parse_embedding(text: str) -> Full | QR:
    """Read ``"full"`` or ``"qr:COLLISIONS[:multiply|add[:THRESHOLD]]"``.

    The composition is ``multiply`` and the threshold 0 unless given. ``parse_embedding(scheme.label) ==
    scheme``.

    Raises
    ------
    ConfigError
        If the name is unknown or a number is none.
    """
    if not isinstance(text, str):
        raise ConfigError(f"embedding must be a text such as 'full' or 'qr:4:add', not {text!r}.")
    scheme, *options = text.strip().lower().split(":")
    if scheme == "full" and not options:
        return Full()
    if scheme == "qr" and 1 <= len(options) <= 3:
        collisions = _number(text, "collisions", options[0])
        compose = options[1] if len(options) > 1 else "multiply"
        threshold = _number(text, "threshold", options[2]) if len(options) > 2 else 0
        if compose == "multiply":
            return QR(collisions, "multiply", threshold)
        if compose == "add":
            return QR(collisions, "add", threshold)
        raise unknown_name("composition", compose, COMPOSE_NAMES, where=f"embedding {text!r}")
    if scheme in ("full", "qr"):
        raise ConfigError(
            f"embedding {text!r} is incomplete or too long; write 'full' or "
            "'qr:COLLISIONS[:multiply|add[:THRESHOLD]]'."
        )
    raise unknown_name("embedding", text, ("full", "qr:4", "qr:4:add"))


def _number(text: str, name: str, digits: str) -> int:
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
        raise ConfigError(f"embedding {text!r}: {name} must be a whole number, not {digits!r}.")
    return int(digits)
