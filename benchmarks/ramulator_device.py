# SPDX-License-Identifier: MIT
"""Ramulator 2.1's device model as a judge of command logs.

Plays the plain commands of a log, channel by channel, on the device that Ramulator's own device tests use
(module ``ramulator._ramulator_test``, part of a build of its Python package). Before each command the device
is asked for the command that its state wants first (an ACT before a RD on a closed bank, a PREpb on another
row) and whether all its timing constraints allow the command in that cycle; then it is issued. The judge has
nothing of this project: tables, states and arithmetic are Ramulator's. It has no data bus, no queues and no
refresh deadlines, so those are not judged.

    python benchmarks/ramulator_device.py commands.npz ramulator-2.1/DDR4_8Gb_x8/DDR4_2400R --set rank=2
    python benchmarks/ramulator_device.py --self-test

The self-test replays random streams with refresh on DDR4, DDR5, HBM2 and HBM3, has the logs judged, and then
moves single commands, whose time a constraint row set, one cycle ahead: the judge must object to each.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from heam_sim import replay
from heam_sim.check import read_any_log
from heam_sim.cli.options import parse_overrides
from heam_sim.dram import Spec, load_spec

# Memory, overrides, channels and offers per cycle of the self-test.
CASES: tuple[tuple[str, dict[str, Any], int, int], ...] = (
    ("ramulator-2.1/DDR4_8Gb_x8/DDR4_2400R", {"rank": 2}, 1, 1),
    ("ramulator-2.1/DDR4_8Gb_x8/DDR4_3200AA", {"rank": 1}, 2, 2),
    ("ramulator-2.1/DDR5_16Gb_x8/DDR5_4800BN", {"rank": 2}, 1, 1),
    ("ramulator-2.1/HBM2_4Gb/HBM2_2000Mbps", {}, 4, 4),
    ("ramulator-2.1/HBM3_8Gb_8hi/HBM3_6400Mbps", {}, 4, 4),
)


@dataclass(frozen=True)
class Refusal:
    """The first command that the judge did not accept."""

    row: int
    text: str


def judge(preset: str, overrides: dict[str, Any]) -> tuple[Any, list[str]]:
    """A new device of Ramulator's, and the names of its levels."""
    import ramulator
    from ramulator._ramulator_test import _DeviceUnderTest

    _, organisation, timing = preset.split("/")
    device = getattr(ramulator.dram, organisation.split("_")[0])
    config = device(org_preset=organisation, timing_preset=timing, **overrides).to_config()
    made = _DeviceUnderTest(config, channel_id=0)
    return made, list(made.level_names)


def commands(
    log: np.ndarray, names: tuple[str, ...], spec: Spec, levels: list[str]
) -> Iterator[tuple[int, str, list[int], int]]:
    """Log row, name, address by level (-1: all) and clock of every command of one channel."""
    below = list(spec.levels[1:])
    places = {
        level.replace("_", ""): levels.index(name)
        for name in levels
        for level in spec.levels
        if level.replace("_", "") == name.lower()
    }
    depth = {command.name: spec.depth(command.scope) for command in spec.commands}
    for number, record in enumerate(log):
        name = names[record["command"]]
        address = [-1] * len(levels)
        address[levels.index("Channel")] = 0
        rest = int(record["bank"])
        for level in reversed(below):
            rest, node = divmod(rest, spec.counts[level])
            if spec.depth(level) <= depth[name]:
                address[places[level.replace("_", "")]] = node
        if depth[name] == len(below):
            address[levels.index("Row")], address[levels.index("Column")] = (
                int(record["row"]),
                int(record["column"]),
            )
        yield number, name, address, int(record["clock"])


def accepts(
    log: np.ndarray, names: tuple[str, ...], spec: Spec, preset: str, overrides: dict[str, Any]
) -> Refusal | None:
    """Have the commands of one channel judged in their order; returns the first that is refused."""
    device, levels = judge(preset, overrides)
    for number, name, address, clock in commands(log, names, spec, levels):
        answer = device.probe(name, address, clock)
        if not answer["ready"]:
            why = (
                f"it wants {answer['preq']} first"
                if answer["preq"] != name
                else "a timing constraint forbids it"
            )
            return Refusal(number, f"{name} at {address} in cycle {clock}: {why}")
        device.issue(name, address, clock)
    return None


def channels(log: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """The commands of every channel."""
    for channel in np.unique(log["channel"]):
        yield int(channel), log[log["channel"] == channel]


def judged(log: np.ndarray, names: tuple[str, ...], preset: str, overrides: dict[str, Any]) -> str | None:
    """Have a log judged; returns what was refused first."""
    spec = load_spec(preset, overrides=overrides or None)
    for channel, part in channels(log):
        refusal = accepts(part, names, spec, preset, overrides)
        if refusal is not None:
            return f"channel {channel}, its command {refusal.row}: {refusal.text}"
    return None


def moved_are_refused(
    log: np.ndarray, names: tuple[str, ...], preset: str, overrides: dict[str, Any], count: int
) -> int:
    """Move commands ahead by a cycle, one at a time, and let each be refused; returns the kinds moved."""
    spec, rng = load_spec(preset, overrides=overrides or None), np.random.default_rng(4)
    part = next(channels(log))[1]
    bound = np.flatnonzero(part["bound"] >= 0)
    kinds = [bound[part["command"][bound] == kind] for kind in np.unique(part["command"][bound])]
    for number in [int(rng.choice(kinds[i % len(kinds)])) for i in range(count)]:
        changed = part[: number + 1].copy()
        changed["clock"][number] -= 1
        refusal = accepts(changed, names, spec, preset, overrides)
        if refusal is None or refusal.row != number:
            sys.exit(
                f"{preset}: command {number} was moved to {changed['clock'][number]}; "
                f"the judge said {refusal}."
            )
    return len(kinds)


def self_test(requests: int, moves: int) -> None:
    """Judge logs of our own, as they are and with moved commands."""
    rng = np.random.default_rng(3)
    for preset, overrides, count, offers in CASES:
        spec = load_spec(preset, overrides=overrides or None)
        # Half of them in few rows, so that there are hits, misses and conflicts.
        burst = np.where(
            rng.random(requests) < 0.5, rng.integers(0, 1 << 14, requests), rng.integers(0, 1 << 26, requests)
        )
        result = replay(
            burst * spec.burst_bytes, rng.random(requests) < 1 / 3, preset=preset, overrides=overrides,
            channels=count, offers_per_cycle=offers, record_commands=True,
        )  # fmt: skip
        refused = judged(result.log, result.command_names, preset, overrides)
        if refused is not None:
            sys.exit(f"{preset}: {refused}")
        kinds = moved_are_refused(result.log, result.command_names, preset, overrides, moves)
        print(
            f"{preset} {overrides}: {result.log.size:,} commands accepted in {count} channels; "
            f"{moves} moves of {kinds} commands refused"
        )


def main() -> None:
    """Judge one file, or run the self-test."""
    parser = argparse.ArgumentParser(description="Ramulator 2.1's device model as a judge of command logs.")
    parser.add_argument("log", type=Path, nargs="?", help="command log (.npz or .csv)")
    parser.add_argument("preset", nargs="?", help="ramulator-2.1/ORGANISATION/TIMING")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--requests", type=int, default=20_000, help="of the self-test, per memory")
    parser.add_argument("--moves", type=int, default=60, help="of the self-test, per memory")
    options = parser.parse_args()
    try:
        import ramulator._ramulator_test  # noqa: F401
    except ImportError:
        sys.exit(
            "`import ramulator._ramulator_test` fails: build Ramulator 2.1 with its Python package first."
        )
    if options.self_test:
        self_test(options.requests, options.moves)
        return
    if options.log is None or options.preset is None or not options.preset.startswith("ramulator-2.1/"):
        parser.error("name a log and one of the presets ramulator-2.1/..., or give --self-test.")
    overrides = parse_overrides(tuple(options.settings))
    stored = read_any_log(options.log, load_spec(options.preset, overrides=overrides or None))
    refused = judged(stored.log, stored.command_names, options.preset, overrides)
    if refused is not None:
        sys.exit(f"{options.log}: {refused}")
    print(f"{len(stored.log):,} commands accepted")


if __name__ == "__main__":
    main()
