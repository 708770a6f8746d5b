# SPDX-License-Identifier: MIT
"""How long a command keeps what it is for, read from the constraint rows of its memory."""

from __future__ import annotations

from heam_sim.dram import Spec, earliest_gap

__all__ = ["command_cycles", "group_cycles"]

_COLUMNS = ("RD", "WR", "RDA", "WRA", "PIM_RD")


def command_cycles(spec: Spec) -> dict[str, int]:
    """Cycles that each command of a memory is drawn with, at least 1.

    ACT until its row may be read, PRE and refreshes until the bank may be activated, column commands until
    the bank may take another of their kind; the others one cycle, but PIM_MOV the distance of partials on
    their way to the merge node.
    """
    activations = spec.of_kind("ACT")
    reads = [name for kind in ("RD", "PIM_RD") for name in spec.of_kind(kind)]
    found: dict[str, int] = {}
    for command in spec.commands:
        after: list[str] = []
        if command.kind == "ACT":
            after = reads
        elif command.kind in _COLUMNS:
            after = [command.name]
        elif not command.kind.startswith("PIM_"):
            after = list(activations)
        gaps = [earliest_gap(spec, command.name, name, "bank") for name in after]
        found[command.name] = max(1, min((gap for gap in gaps if gap > 0), default=1))
    for row in spec.constraints:
        if row.resource == "merge_path":
            found |= dict.fromkeys(row.preceding, row.cycles)
    return found


def group_cycles(spec: Spec) -> dict[str, int]:
    """Cycles that a command keeps the I/O of its bank group; commands that do not use it are left out."""
    found: dict[str, int] = {}
    for row in spec.constraints:
        if row.level != "bank_group" or row.resource != "bank_group_io" or row.sibling or row.window != 1:
            continue
        for name in set(row.preceding) & set(row.following):
            if spec.command(name).scope == "bank":
                found[name] = max(found.get(name, 0), row.cycles)
    return found
