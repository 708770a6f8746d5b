# SPDX-License-Identifier: MIT
"""A standard whose numbers are made for derivations by hand."""

from __future__ import annotations

from tests.reference.random_specs import SmallCommand, SmallRow, SmallSpec

__all__ = ["ROWS", "make_spec"]

# Numbers of the hand-made standard: nRCD 5, nRAS 9, nRP 3, nRTP 4, nRFC 10, nCCD 2, nCL 6, nBL 2.
ROWS = (
    SmallRow("bank", ("ACT",), ("RD", "WR", "PIM_RD"), 5),
    SmallRow("bank", ("ACT",), ("PREpb",), 9),
    SmallRow("rank", ("ACT",), ("PREab",), 9),
    SmallRow("bank", ("PREpb",), ("ACT",), 3),
    SmallRow("rank", ("PREab",), ("ACT", "REFab"), 3),
    SmallRow("bank", ("RD", "PIM_RD"), ("PREpb",), 4),
    SmallRow("rank", ("RD", "PIM_RD"), ("PREab",), 4),
    SmallRow("rank", ("REFab",), ("ACT", "PREab", "REFab"), 10),
    SmallRow("rank", ("RD", "PIM_RD"), ("RD", "PIM_RD"), 2),
)
COMMANDS = tuple(
    SmallCommand(name, kind, scope)
    for name, kind, scope in (
        ("ACT", "ACT", "bank"),
        ("PREpb", "PRE", "bank"),
        ("PREab", "PREA", "rank"),
        ("RD", "RD", "bank"),
        ("WR", "WR", "bank"),
        ("REFab", "REF", "rank"),
        ("PIM_RD", "PIM_RD", "bank"),
        ("PIM_MOV", "PIM_MOV", "bank"),
        ("PIM_RDRES", "PIM_RDRES", "rank"),
        ("PIM_WRLUT", "PIM_WRLUT", "rank"),
        ("PIM_WRIMM", "PIM_WRIMM", "bank"),
        ("PIM_LUT", "PIM_LUT", "bank"),
    )
)


def make_spec(
    *,
    ranks: int = 1,
    banks: int = 8,
    split: bool = False,
    rows: tuple[SmallRow, ...] = ROWS,
    refi: int = 1000,
) -> SmallSpec:
    """One channel of ``ranks`` x ``banks`` banks, of 64-byte bursts."""
    return SmallSpec(
        levels=("channel", "rank", "bank"),
        counts={"channel": 1, "rank": ranks, "bank": banks},
        rows=16,
        columns=16,
        burst_bytes=64,
        split_command_buses=split,
        timing={"nCL": 6, "nBL": 2},
        commands=COMMANDS,
        constraints=rows,
        read_latency=8,
        refresh_interval=refi,
        banks=ranks * banks,
    )
