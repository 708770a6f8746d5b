# SPDX-License-Identifier: MIT
"""Resources of the rows of compatibility presets.

A row of a Ramulator table sits at some level for reasons of bookkeeping; the level is not the resource (a
DDR4 rank row can stand for the channel's data bus). So the resource is looked up here, by level, kinds, and
whether the row binds siblings.
"""

from __future__ import annotations

from collections.abc import Iterable

from heam_sim.errors import SpecError

__all__ = ["compatibility_resource"]

_COLUMN = ("RD", "WR")

_HOST_BUS = {("RD", "RD"), ("WR", "WR")}
_SIBLING_HOST_BUS = {("RD", "RD"), ("RD", "WR"), ("WR", "RD"), ("WR", "WR")}
_SECOND = {
    **{(first, second): "rank_io" for first in _COLUMN for second in _COLUMN},
    ("ACT", "ACT"): "activation_power",
    ("RD", "PREA"): "state",
    ("WR", "PREA"): "state",
    ("ACT", "PREA"): "state",
    ("PREA", "ACT"): "state",
    **{(first, second): "state" for first in ("PRE", "PREA") for second in ("PRE", "PREA")},
    **{(kind, "REF"): "refresh" for kind in ("ACT", "PRE", "PREA", "RD", "WR", "REF")},
    ("REF", "ACT"): "refresh",
    ("REF", "PREA"): "refresh",
    ("REFPB", "ACT"): "refresh",
    ("ACT", "REFPB"): "refresh",
    ("REFPB", "REFPB"): "refresh",
}
_SID = {("RD", "RD"): "rank_io", ("WR", "WR"): "rank_io"}
_BANK_GROUP = {
    **{(first, second): "bank_group_io" for first in _COLUMN for second in _COLUMN},
    ("ACT", "ACT"): "activation_power",
}
_BANK = {
    ("ACT", "ACT"): "bank",
    ("ACT", "RD"): "bank",
    ("ACT", "WR"): "bank",
    ("ACT", "PRE"): "bank",
    ("PRE", "ACT"): "bank",
    ("RD", "PRE"): "bank",
    ("WR", "PRE"): "bank",
    ("RD", "ACT"): "bank",
    ("WR", "ACT"): "bank",
    ("REFPB", "ACT"): "refresh",
    ("ACT", "REFPB"): "refresh",
    ("PRE", "REFPB"): "refresh",
}
_BELOW = {"sid": _SID, "bank_group": _BANK_GROUP, "bank": _BANK}

# An automatic precharge changes when a row binds, not what it stands for; refresh management works as
# refresh.
_BASE_KIND = {"RDA": "RD", "WRA": "WR", "RFM": "REF", "RFMPB": "REFPB"}


def compatibility_resource(
    depth: int,
    level: str,
    preceding: Iterable[str],
    following: Iterable[str],
    *,
    sibling: bool,
    expression: str,
    where: str,
) -> str:
    """Return the resource of one row of a compatibility preset.

    Parameters
    ----------
    depth, level
        Position of the row's level (0: channel) and its name.
    preceding, following
        Kinds of the commands on either side.
    sibling
        Whether the row binds the siblings.
    expression
        The row's cycles as written: a pseudo channel has two rows between reads, and the one that is exactly
        ``nBL`` is the occupancy of the bus; at the channel a bare number is the length of a command.
    where
        File and row for the message.

    Raises
    ------
    SpecError
        No entry, or the pairs of one row belong to different resources.
    """
    pairs = [(_BASE_KIND.get(a, a), _BASE_KIND.get(b, b)) for a in preceding for b in following]
    found = {_lookup(depth, level, pair, sibling, expression.strip()) for pair in pairs}
    if len(found) != 1 or None in found:
        raise SpecError(
            f"{where}: no single resource is known for a {level} row with the pairs {pairs}; "
            "name it in the row and set resources = 'rows'."
        )
    return str(found.pop())


def _lookup(depth: int, level: str, pair: tuple[str, str], sibling: bool, expression: str) -> str | None:
    burst = expression == "nBL"
    if sibling:
        # Another rank shares the channel's pins, another stack ID the vias of its pseudo channel.
        if depth == 1:
            return "host_bus" if pair in _SIBLING_HOST_BUS else None
        return "dram_bus" if level == "sid" and pair == ("RD", "RD") else None
    if depth == 0:
        # A bare number is the length of a command on its bus, whatever follows.
        if expression.isdigit():
            return "command_bus"
        return "host_bus" if burst and pair in _HOST_BUS else None
    if depth == 1:
        return "host_bus" if burst and pair in _HOST_BUS else _SECOND.get(pair)
    return _BELOW.get(level, {}).get(pair)
