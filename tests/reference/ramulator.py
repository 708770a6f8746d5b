# SPDX-License-Identifier: MIT
"""Recordings of Ramulator 2.1 as specs and request streams for the tests that compare with them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["RamulatorSpec", "Recording", "load_recording", "load_resolved", "recordings"]

KINDS = {"ACT": "ACT", "PREpb": "PRE", "PREab": "PREA", "RD": "RD", "WR": "WR", "REFab": "REF"}
BANK_SCOPE = frozenset({"ACT", "PREpb", "RD", "WR", "RDA", "WRA", "REFpb"})


@dataclass(frozen=True)
class RamulatorCommand:
    """One command of a resolved table."""

    name: str
    kind: str
    scope: str
    alignment: int = 1


@dataclass(frozen=True)
class RamulatorRow:
    """One constraint row of a resolved table."""

    level: str
    preceding: tuple[str, ...]
    following: tuple[str, ...]
    cycles: int
    window: int
    sibling: bool


@dataclass(frozen=True)
class RamulatorSpec:
    """A resolved table in the shape that the engine takes."""

    levels: tuple[str, ...]
    counts: dict[str, int]
    rows: int
    columns: int
    burst_bytes: int
    split_command_buses: bool
    timing: dict[str, int]
    commands: tuple[RamulatorCommand, ...]
    constraints: tuple[RamulatorRow, ...]
    read_latency: int
    refresh_interval: int
    banks: int


@dataclass(frozen=True)
class Recording:
    """A request stream and the commands that Ramulator issued for it.

    ``requests`` as :func:`tests.reference.plain.replay` takes them; ``commands`` per channel, as
    ``(clock, command, bank, row, column)``, with row and column 0 for PREab and REFab.
    """

    name: str
    spec: RamulatorSpec
    requests: list[tuple[int, int, int, int, bool, int]]
    commands: list[list[tuple[int, str, int, int, int]]]
    counters: list[dict[str, Any]]
    channels: int
    offers_per_cycle: int
    refresh: bool


def load_resolved(path: Path) -> RamulatorSpec:
    """Read a resolved table; auto-precharge and per-bank refresh are left out, as nothing issues them."""
    table = json.loads(path.read_text())
    levels = tuple(level.lower() for level in table["levels"][:-2])
    counts = {level.lower(): count for level, count in table["counts"].items()}
    commands = tuple(
        RamulatorCommand(name, KINDS[name], levels[-1] if name in BANK_SCOPE else levels[1])
        for name in table["commands"]
        if name in KINDS
    )
    rows = tuple(
        RamulatorRow(
            row["level"].lower(),
            tuple(row["preceding"]),
            tuple(row["following"]),
            row["cycles"],
            int(row.get("extra", [1])[0]),
            len(row.get("extra", [])) > 1 and bool(row["extra"][1]),
        )
        for row in table["constraints"]
    )
    banks = 1
    for level in levels[1:]:
        banks *= counts[level]
    prefetch = table["internal_prefetch"]
    return RamulatorSpec(
        levels=levels,
        counts={level: counts[level] for level in levels},
        rows=counts["row"],
        columns=counts["column"] // prefetch,
        burst_bytes=table["channel_width_bits"] // 8 * prefetch,
        split_command_buses=bool(table["column_commands"]),
        timing=dict(table["timing"]),
        commands=commands,
        constraints=rows,
        read_latency=table["read_latency_cycles"],
        refresh_interval=table["timing"]["nREFI"],
        banks=banks,
    )


def recordings(folder: Path) -> list[str]:
    """Names of the recordings below a Ramulator reference folder."""
    return sorted(path.stem for path in (folder / "command-traces").glob("*.json"))


def load_recording(folder: Path, name: str, *, limit: int | None = None) -> Recording:
    """Read one recording, with its first ``limit`` requests (default: all) mapped as RoBaRaCoCh."""
    traces = folder / "command-traces"
    info = json.loads((traces / f"{name}.json").read_text())
    spec = load_resolved(folder / "resolved" / _resolved_name(info))
    with np.load(traces / f"{name}.npz") as arrays:
        address, is_write = arrays["address"][:limit], arrays["is_write"][:limit]
        names, table = [str(n) for n in arrays["command_names"]], arrays["commands"]
    return Recording(
        name=name,
        spec=spec,
        requests=_map(spec, address, is_write, info["channels"], info["tx_bytes"]),
        commands=_commands(spec, names, table, info["channels"]),
        counters=info["per_channel"],
        channels=info["channels"],
        offers_per_cycle=info["offers_per_memory_cycle"],
        refresh=info["refresh"] == "AllBank",
    )


def _resolved_name(info: dict[str, Any]) -> str:
    if info["standard"] == "HBM2":
        return "hbm2_2000_4gb.json"
    speed = info["timing_preset"].split("_")[1].lower()
    return f"ddr4_{speed}_8gb_x8_{info['ranks']}rank.json"


def _map(
    spec: RamulatorSpec, address: Any, is_write: Any, channels: int, burst: int
) -> list[tuple[int, int, int, int, bool, int]]:
    """Channel from the lowest bits, then column, rank, bank group, bank, row."""
    requests = []
    for full, write in zip(address.tolist(), is_write.tolist(), strict=True):
        rest = full // burst
        rest, channel = divmod(rest, channels)
        rest, column = divmod(rest, spec.columns)
        place = {}
        for level in spec.levels[1:]:
            rest, place[level] = divmod(rest, spec.counts[level])
        bank = 0
        for level in spec.levels[1:]:
            bank = bank * spec.counts[level] + place[level]
        requests.append((channel, bank, rest % spec.rows, column, bool(write), full // burst))
    return requests


def _commands(
    spec: RamulatorSpec, names: list[str], table: Any, channels: int
) -> list[list[tuple[int, str, int, int, int]]]:
    result: list[list[tuple[int, str, int, int, int]]] = [[] for _ in range(channels)]
    for clock, command, channel, *path, row, column in table.tolist():
        bank = 0
        for level, node in zip(spec.levels[1:], path, strict=True):
            bank = bank * spec.counts[level] + max(node, 0)
        result[channel].append((clock, names[command], bank, max(row, 0), max(column, 0)))
    return result
