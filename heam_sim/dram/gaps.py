# SPDX-License-Identifier: MIT
"""Which distance the rows of a spec demand between two commands, without running anything."""

from __future__ import annotations

from heam_sim.dram.model import Spec
from heam_sim.errors import ConfigError, unknown_name

__all__ = ["RELATIONS", "earliest_gap"]

#: How near two banks are, the nearest first (:func:`earliest_gap`).
RELATIONS = ("bank", "bank_group", "rank", "other_rank")


def earliest_gap(spec: Spec, first: str, second: str, relation: str) -> int:
    """Return the smallest distance in cycles from command `first` to command `second`.

    Parameters
    ----------
    spec
        Plain or derived.
    first, second
        Command names.
    relation
        The innermost node that the addressed banks share: ``"bank"`` (same bank), ``"bank_group"`` (another
        bank of the group), ``"rank"`` (another bank group of the same rank or pseudo channel),
        ``"other_rank"`` (another rank or pseudo channel of the channel).

    Returns
    -------
    int
        The largest ``cycles`` of the window-1 rows that bind; 0 if none does.

    Notes
    -----
    Rows below the scope of either command do not count, as in the engine: `first` does not reach such nodes
    and `second` does not look at them.
    """
    if relation not in (*RELATIONS, *spec.levels):
        raise ConfigError(str(unknown_name("relation", relation, [*RELATIONS, *spec.levels])))
    groups = spec.levels[spec.depth("bank_group") - 1] if "bank_group" in spec.levels else spec.second_level
    common = spec.depth({"rank": groups, "other_rank": "channel"}.get(relation, relation))
    reach = min(spec.depth(spec.command(first).scope), spec.depth(spec.command(second).scope))
    gap = 0
    for row in spec.constraints:
        if row.window == 1 and first in row.preceding and second in row.following:
            depth = spec.depth(row.level)
            binds = depth == common + 1 if row.sibling else depth <= common
            if binds and depth <= reach:
                gap = max(gap, row.cycles)
    return gap
