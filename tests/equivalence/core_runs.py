# SPDX-License-Identifier: MIT
"""How the tests run the C core on the work of the slow reference, and set both answers side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from heam_sim._core import (
    PSEUDO_COMMANDS,
    STATE_DONE,
    STATE_NEED_INPUT,
    STATE_PAUSED,
    ChannelParameters,
    HostParameters,
    Replay,
    SpecHandle,
    System,
    latency_edges,
)
from heam_sim.dram.model import Command, Constraint, Spec
from tests.reference.plain import ReplayChannel
from tests.reference.random_specs import ITEM_DTYPES, RandomSystem
from tests.reference.timing import BOUND_NONE

__all__ = [
    "FOREVER",
    "REPLAY_COUNTERS",
    "CoreRun",
    "as_spec",
    "assert_equal_replay",
    "assert_equal_system",
    "core_replay",
    "core_system",
    "log_tuples",
    "make_system",
    "request_arrays",
]

FOREVER = 2**40

# Ramulator's names (and the reference's) for the core's counters of a replay.
REPLAY_COUNTERS = {
    "cycles": "cycles",
    "row_hits": "row_hits",
    "row_misses": "row_misses",
    "row_conflicts": "row_conflicts",
    "num_read_reqs": "reads",
    "num_write_reqs": "writes",
    "num_read_reqs_served": "reads_retired",
    "num_write_reqs_served": "writes_retired",
    "num_read_reqs_forwarded": "forwarded",
    "num_write_reqs_coalesced": "coalesced",
    "num_maintenance_reqs_served": "ref",
    "read_latency": "read_latency",
}
# What Ramulator has no counter for.
POLICY_COUNTERS = {"ref_bank": "ref_bank", "pre_unasked": "pre_unasked"}
# What describes a stream and how it is played; the rest of a case describes the controller.
_STREAM = ("spec", "requests", "channels", "offers_per_cycle", "drain")


class CoreRun(NamedTuple):
    """Everything that a run of the core says."""

    time: int
    log: list[tuple[Any, ...]]
    latencies: dict[int, tuple[int, int]]
    counters: list[dict[str, int]]
    host: dict[str, int]
    bounds: list[list[int]]
    bank_reads: list[list[int]]
    spent: list[list[list[int]]]


def as_spec(small: Any) -> Spec:
    """Give a standard of the reference's tests the type that the core's wrapper takes."""
    if isinstance(small, Spec):
        return small
    return Spec(
        name="test/RANDOM/RANDOM",
        standard="test",
        source="made by a test",
        levels=tuple(small.levels),
        counts=dict(small.counts),
        rows=small.rows,
        columns=small.columns,
        burst_bytes=small.burst_bytes,
        devices=1,
        split_command_buses=small.split_command_buses,
        tCK_ps=Fraction(1000),
        timing={**small.timing, "nREFI": small.refresh_interval},
        commands=tuple(Command(c.name, c.kind, c.scope, alignment=c.alignment) for c in small.commands),
        constraints=tuple(
            Constraint(r.level, r.preceding, r.following, r.cycles, r.window, r.sibling, "bank")
            for r in small.constraints
        ),
    )


def log_tuples(log: np.ndarray, names: Sequence[Sequence[str]]) -> list[tuple[Any, ...]]:
    """Turn the core's log into tuples like the reference's records, except for the codes of ``bound``."""
    fields = ("clock", "channel", "command", "bank", "row", "column", "tag", "slot", "unit", "bound", "role")
    columns = [log[name].tolist() for name in fields]
    columns[2] = [
        PSEUDO_COMMANDS[command] if command in PSEUDO_COMMANDS else names[channel][command]
        for channel, command in zip(columns[1], columns[2], strict=True)
    ]
    return list(zip(*columns, strict=True))


def _without_codes(records: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The reference knows rows of the standard only: all other reasons are one to it."""
    return [(*record[:9], max(record[9], BOUND_NONE), record[10]) for record in records]


def make_system(case: RandomSystem, *, with_log: bool = True) -> System:
    """Create the system of a random case, without its work."""
    host = {name: value for name, value in case.host.items() if name != "instruction_buffer"}
    if host["llc_sets"] == 0:
        host["llc_ways"] = 0
    handles = [SpecHandle(as_spec(options["spec"])) for options in case.channels]
    channels = []
    for options in case.channels:
        rest = {name: value for name, value in options.items() if name != "spec"}
        if rest["kind"] == "pim":
            rest["unit_level"] = list(options["spec"].levels).index(rest["unit_level"])
            rest["instruction_buffer"] = case.host["instruction_buffer"]
        channels.append(ChannelParameters(**rest))
    host.setdefault("ledger_ticks", 100)
    return System(HostParameters(**host), channels=channels, specs=handles, with_log=with_log)


_Chunk = tuple[dict[str, np.ndarray], np.ndarray, np.ndarray | None]


def _chunks(case: RandomSystem, cuts: Sequence[int]) -> list[_Chunk]:
    """The work, cut before the GnRs in `cuts`; offsets of every chunk start at 0."""
    gnrs = len(case.gnr_offsets) - 1
    chunks = []
    for first, end in pairwise((0, *sorted(cuts), gnrs)):
        offsets = case.gnr_offsets[first : end + 1]
        start, stop = int(offsets[0]), int(offsets[-1])
        items = {name: case.items[name][start:stop] for name in ITEM_DTYPES}
        arrivals = None if case.arrivals is None else case.arrivals[first:end].copy()
        chunks.append((items, offsets - offsets[0], arrivals))
    return chunks


def core_system(
    case: RandomSystem, *, cuts: Sequence[int] = (), max_steps: int = FOREVER, with_log: bool = True
) -> CoreRun:
    """Run a system on the core, its work fed in pieces and its time cut into calls of `max_steps` events.

    Without a log the host may be ahead of the channels.
    """
    system = make_system(case, with_log=with_log)
    names = [[command.name for command in options["spec"].commands] for options in case.channels]
    chunks = _chunks(case, cuts)
    log: list[tuple[Any, ...]] = []
    latencies: dict[int, tuple[int, int]] = {}
    for number, (items, offsets, arrivals) in enumerate(chunks, start=1):
        system.feed(items, offsets, last=number == len(chunks), arrivals=arrivals)
        state = STATE_PAUSED
        while state == STATE_PAUSED:
            state = system.run(max_steps)
            log += log_tuples(system.take_log(), names)
            latencies |= {gnr: (arrival, finish) for gnr, arrival, finish in system.take_latencies().tolist()}
        assert state == (STATE_DONE if number == len(chunks) else STATE_NEED_INPUT)
    count = len(case.channels)
    return CoreRun(
        time=system.time,
        log=log,
        latencies=latencies,
        counters=[system.channel_counters(channel) for channel in range(count)],
        host=system.host_counters(),
        bounds=[system.bounds(channel).tolist() for channel in range(count)],
        bank_reads=[system.bank_reads(channel).tolist() for channel in range(count)],
        spent=[[part.tolist() for part in system.spent(place)] for place in range(count + 1)],
    )


def assert_equal_system(core: CoreRun, reference: Mapping[str, Any]) -> None:
    """Every record, every counter that both have, and every GnR's times."""
    expected = _without_codes(reference["log"])
    found = _without_codes(core.log)
    for number, (theirs, ours) in enumerate(zip(expected, found, strict=False)):
        assert ours == theirs, f"record {number}"
    assert len(found) == len(expected)
    assert core.time == reference["time"]
    times = list(zip(reference["arrival"], reference["finish"], strict=True))
    assert core.latencies == dict(enumerate(times))
    for ours_of, theirs_of in zip(core.counters, reference["counters"], strict=True):
        assert {name: ours_of[name] for name in theirs_of} == theirs_of
    assert core.bank_reads == reference["bank_reads"]
    host = reference["host"]
    assert core.host["gnrs"] == len(times)
    assert core.host["llc_hits"] == host["llc_hits"]
    assert core.host["lines"] == host["llc_hits"] + host["llc_misses"]
    assert core.host["bursts_read"] == host["read_bursts"]
    assert core.host["result_bursts"] == host["result_bursts"]
    assert core.host["latency_ticks"] == sum(finish - arrival for arrival, finish in times)
    issued = [sum(record[9] == -1 - reason for record in core.log) for reason in range(6)]
    commands = sum(record[2] != "LLC_HIT" for record in core.log)
    assert sum(map(sum, core.bounds)) == commands
    assert [sum(part[-6:][reason] for part in core.bounds) for reason in range(1, 6)] == issued[1:]


def request_arrays(requests: Sequence[Sequence[Any]]) -> dict[str, np.ndarray]:
    """Turn ``(channel, bank, row, column, is_write, address)`` into the arrays of a replay.

    Where two addresses lie at one place, the address is handed over as the rest beside the place.
    """
    dtypes = {
        "channel": np.uint16,
        "bank": np.uint16,
        "row": np.uint32,
        "column": np.uint16,
        "is_write": np.uint8,
        "rest": np.uint64,
    }
    arrays = {
        name: np.array([request[place] for request in requests], dtype=dtype)
        for place, (name, dtype) in enumerate(dtypes.items())
    }
    if len({tuple(request[:4]) for request in requests}) == len({(*r[:4], r[5]) for r in requests}):
        del arrays["rest"]
    return arrays


def core_replay(case: Mapping[str, Any], *, cuts: Sequence[int] = ()) -> list[ReplayChannel]:
    """Play a request stream on the core, handed over in pieces."""
    controller = {name: value for name, value in case.items() if name not in _STREAM}
    replay = Replay(
        SpecHandle(as_spec(case["spec"])),
        parameters=ChannelParameters(kind="plain", period=1, **controller),
        channels=case["channels"],
        offers_per_cycle=case.get("offers_per_cycle", 1),
        with_log=True,
    )
    arrays = request_arrays(case["requests"])
    for start, stop in pairwise((0, *sorted(cuts), len(case["requests"]))):
        replay.run({name: array[start:stop] for name, array in arrays.items()})
    if case.get("drain", True):
        replay.drain()
    else:
        replay.stop()
    names = [[command.name for command in case["spec"].commands]] * case["channels"]
    log = log_tuples(replay.take_log(), names)
    parts = []
    for channel in range(case["channels"]):
        counters = replay.channel_counters(channel)
        parts.append(
            ReplayChannel(
                [(r[0], r[2], r[3], r[4], r[5], max(r[9], BOUND_NONE)) for r in log if r[1] == channel],
                {name: counters[ours] for name, ours in {**REPLAY_COUNTERS, **POLICY_COUNTERS}.items()},
                _expand(replay.latencies(channel)),
            )
        )
    return parts


def _expand(counts: np.ndarray) -> list[int]:
    """The latencies of a histogram, in order; those in a wide bin as its least one."""
    return [int(latency) for latency in np.repeat(latency_edges()[:-1], counts.astype(np.int64))]


def _binned(latencies: Sequence[int]) -> list[int]:
    """Latencies as :func:`_expand` gives them back."""
    edges = latency_edges()
    return [int(edges[int(np.searchsorted(edges, one, side="right")) - 1]) for one in sorted(latencies)]


def assert_equal_replay(core: Sequence[ReplayChannel], reference: Sequence[ReplayChannel]) -> None:
    """Every command with clock, place and row of the standard, and every counter."""
    for channel, (ours, theirs) in enumerate(zip(core, reference, strict=True)):
        for number, (mine, its) in enumerate(zip(ours.commands, theirs.commands, strict=False)):
            assert mine == its, f"channel {channel}, command {number}"
        assert len(ours.commands) == len(theirs.commands), f"channel {channel}"
        assert ours.counters == theirs.counters, f"channel {channel}"
        assert ours.latencies == _binned(theirs.latencies), f"channel {channel}"
