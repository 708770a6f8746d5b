# SPDX-License-Identifier: MIT
"""The slow reference against cycle counts derived by hand, recordings and its own invariants."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from tests.reference.plain import PlainChannel, ReplayChannel, Request, replay
from tests.reference.ramulator import load_recording
from tests.reference.random_specs import (
    ITEM_DTYPES,
    RandomSystem,
    SmallCommand,
    SmallRow,
    SmallSpec,
    replays,
    systems,
)
from tests.reference.system import HOST_READ, PIM_LUT, PIM_READ, simulate
from tests.reference.timing import ROLE_ACC, ROLE_LOAD, ROLE_MAC, Timing

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "reference" / "ramulator-2.1"
NAMES = (
    "ddr4_2400r_2rank_gather",
    "ddr4_2400r_2rank_gatherwr",
    "ddr4_2400r_2rank_mix",
    "ddr4_2400r_2rank_rand",
    "ddr4_2400r_2rank_rand_norefresh",
    "ddr4_2400r_2rank_seq",
    "ddr4_3200aa_1rank_mix",
    "hbm2_2000_1ch_rand_norefresh",
    "hbm2_2000_8ch_gather",
    "hbm2_2000_8ch_mix",
    "hbm2_2000_8ch_rand",
)

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


def read(bank: int, row: int = 0, column: int = 0) -> tuple[int, int, int, int, bool, int]:
    return (0, bank, row, column, False, (bank * 16 + row) * 16 + column)


def write(bank: int, row: int = 0, column: int = 0) -> tuple[int, int, int, int, bool, int]:
    return (0, bank, row, column, True, (bank * 16 + row) * 16 + column)


def play(spec: Any, requests: list[tuple[int, int, int, int, bool, int]], **options: Any) -> ReplayChannel:
    options = {"channels": 1, "refresh": False, **options}
    return replay(spec, requests, **options)[0]


def short(commands: list[Any]) -> list[tuple[int, str, int]]:
    return [command[:3] for command in commands]


# -- timing


def test_window_counts_the_current_command_and_siblings_exclude_the_node() -> None:
    rows = (
        SmallRow("rank", ("ACT",), ("ACT",), 20, window=2),
        SmallRow("rank", ("RD",), ("RD", "WR"), 7, sibling=True),
    )
    timing = Timing(make_spec(ranks=2, banks=2, rows=rows))
    timing.issue("ACT", 0, 3, 10)
    assert timing.earliest("ACT", 1) == (0, -1)
    timing.issue("ACT", 1, 3, 14)
    assert timing.earliest("ACT", 0) == (30, 0)
    assert timing.earliest("ACT", 2) == (0, -1)
    timing.issue("RD", 0, 3, 15)
    assert timing.earliest("RD", 1) == (0, -1)
    assert timing.earliest("RD", 2) == (22, 1)
    assert timing.open_row == [3, 3, None, None]


def test_the_outer_level_keeps_a_tie_and_the_first_row_too() -> None:
    rows = (
        SmallRow("bank", ("ACT",), ("RD",), 5),
        SmallRow("channel", ("ACT",), ("RD",), 5),
        SmallRow("channel", ("ACT",), ("RD",), 5),
    )
    timing = Timing(make_spec(rows=rows))
    timing.issue("ACT", 0, 0, 1)
    assert timing.earliest("RD", 0) == (6, 1)


def test_rows_below_the_scope_of_either_command_do_not_bind() -> None:
    rows = (SmallRow("bank", ("PREab", "ACT"), ("ACT", "REFab"), 50),)
    timing = Timing(make_spec(rows=rows))
    timing.issue("PREab", 0, 0, 1)
    assert timing.earliest("ACT", 0) == (0, -1)
    timing.issue("ACT", 0, 0, 2)
    assert timing.earliest("REFab", 0) == (0, -1)
    assert timing.earliest("ACT", 0) == (52, 0)


# -- plain channel


def test_a_single_read_on_a_closed_bank() -> None:
    result = play(make_spec(), [read(2, row=7, column=3)])
    # ACT in the first cycle, RD after nRCD 5, data 8 cycles later; the request is stamped 0.
    assert result.commands == [(1, "ACT", 2, 7, 3, -1), (6, "RD", 2, 7, 3, 0)]
    assert result.counters["cycles"] == 14
    assert result.counters["read_latency"] == 14
    assert result.counters["row_misses"] == 1


def test_a_row_conflict_waits_for_the_active_request() -> None:
    result = play(make_spec(), [read(0, row=1), read(0, row=2)])
    assert short(result.commands) == [
        (1, "ACT", 0),
        (6, "RD", 0),
        (10, "PREpb", 0),  # nRTP 4 after RD, nRAS 9 after ACT
        (13, "ACT", 0),
        (18, "RD", 0),
    ]
    assert (result.counters["row_misses"], result.counters["row_conflicts"]) == (1, 1)


@pytest.mark.parametrize(("split", "second_act"), [(False, 7), (True, 6)])
def test_split_buses_issue_a_column_and_a_row_command_together(split: bool, second_act: int) -> None:
    rows = (*ROWS, SmallRow("rank", ("ACT",), ("ACT",), 5))
    result = play(make_spec(split=split, rows=rows), [read(0), read(1)])
    assert short(result.commands)[:3] == [(1, "ACT", 0), (6, "RD", 0), (second_act, "ACT", 1)]


def offer_all(channel: PlainChannel, requests: list[tuple[int, int, int, int, bool, int]]) -> None:
    for _, bank, row, column, is_write, address in requests:
        assert channel.offer(Request(bank, row, column, is_write, address))


@pytest.mark.parametrize(("writes", "first_bank"), [(4, 0), (5, 1)])
def test_write_mode_needs_more_than_four_fifths(writes: int, first_bank: int) -> None:
    channel = PlainChannel(make_spec(), write_queue=5, refresh=False)
    offer_all(channel, [read(0)] + [write(1 + i) for i in range(writes)])
    channel.cycle()
    assert channel.log[0].bank == first_bank


def test_write_mode_ends_below_one_fifth_only() -> None:
    channel = PlainChannel(make_spec(rows=()), write_queue=10, refresh=False)
    offer_all(
        channel, [read(7)] + [write(i % 7, row=i) for i in range(7)] + [write(0, row=8), write(0, row=9)]
    )
    order = []
    while channel.busy:
        channel.cycle()
    for record in channel.log:
        if record.command in ("RD", "WR"):
            order.append(record.command)
    # 9 > 8 starts with writes; the read comes when 1 write is left: 1 < 2, whereas 2 < 2 is false.
    assert order == ["WR"] * 8 + ["RD", "WR"]


def test_forwarding_and_coalescing_look_at_the_write_queue_only() -> None:
    same = [write(0, row=1), write(0, row=2), write(0, row=2), read(0, row=2)]
    result = play(make_spec(), same)
    assert result.counters["num_write_reqs_coalesced"] == 1
    assert result.counters["num_read_reqs_forwarded"] == 1
    assert result.counters["read_latency"] == 1
    assert Counter(c[1] for c in result.commands) == {"ACT": 2, "WR": 2, "PREpb": 1}
    # A write whose ACT is out has left the queue and answers nobody.
    moved = play(make_spec(), [write(0, row=1), read(0, row=1)])
    assert moved.counters["num_read_reqs_forwarded"] == 0
    assert moved.counters["row_hits"] == 1


def test_equal_stamps_are_served_in_order_of_activation() -> None:
    rows = (
        SmallRow("bank", ("ACT",), ("RD",), 5),
        SmallRow("rank", ("ACT",), ("ACT",), 1),
        SmallRow("bank", ("PREpb",), ("ACT",), 3),
    )
    channel = PlainChannel(make_spec(rows=rows), refresh=False)
    offer_all(channel, [read(0, row=1)])
    for _ in range(6):
        channel.cycle()
    # Bank 0 holds row 1. Of the two that arrive together, bank 1 is activated first, bank 0 needs PREpb.
    offer_all(channel, [read(0, row=2), read(1, row=2)])
    while channel.busy:
        channel.cycle()
    assert [(r.clock, r.command, r.bank) for r in channel.log if r.clock > 6] == [
        (7, "PREpb", 0),
        (8, "ACT", 1),
        (10, "ACT", 0),
        (13, "RD", 1),
        (15, "RD", 0),
    ]


def test_refresh_precharges_waits_and_holds_back_the_queues() -> None:
    channel = PlainChannel(make_spec(refi=20), refresh=True)
    offer_all(channel, [read(0)])
    while channel.clock < 19:
        channel.cycle()
    offer_all(channel, [read(1)])
    while channel.clock < 39:
        channel.cycle()
    assert [(r.clock, r.command) for r in channel.log] == [
        (1, "ACT"),
        (6, "RD"),
        (20, "PREab"),
        (23, "REFab"),
        (33, "ACT"),
        (38, "RD"),
    ]


def test_precharge_all_waits_for_an_active_request() -> None:
    channel = PlainChannel(make_spec(refi=20), refresh=True)
    while channel.clock < 18:
        channel.cycle()
    offer_all(channel, [read(0)])
    while channel.clock < 35:
        channel.cycle()
    assert [(r.clock, r.command) for r in channel.log] == [
        (19, "ACT"),
        (24, "RD"),
        (28, "PREab"),
        (31, "REFab"),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_recordings_of_ramulator(name: str) -> None:
    if not RECORDINGS.is_dir():
        pytest.skip("the Ramulator 2.1 recordings are not part of this repository")
    recording = load_recording(RECORDINGS, name, limit=800)
    result = replay(
        recording.spec,
        recording.requests,
        channels=recording.channels,
        offers_per_cycle=recording.offers_per_cycle,
        refresh=recording.refresh,
        drain=False,
    )
    for mine, theirs in zip(result, recording.commands, strict=True):
        prefix = [command for command in theirs if command[0] <= mine.counters["cycles"]]
        assert [command[:5] for command in mine.commands] == prefix
    assert sum(len(part.commands) for part in result) > 500


# -- PIM channel and host

PIM = {
    "kind": "pim",
    "period": 1,
    "unit_level": "bank",
    "merge": True,
    "queue_depth": 4,
    "batch_tags": 4,
    "instruction_cycles": 1,
    "decode_cycles": 0,
    "alu_cycles": 3,
    "alu_latency": 4,
    "merge_cycles": 5,
    "mov_latency": 2,
    "res_latency": 7,
    "lut_cycles": 4,
    "lut_load": 0,
    "result_bursts": 1,
    "refresh": False,
}
HOST = {
    "period": 1,
    "issue_per_cycle": 2,
    "outstanding": 8,
    "add_bytes_per_cycle": 64,
    "line_bytes": 64,
    "llc_sets": 1,
    "llc_ways": 2,
    "window": 4,
    "batch": 0,
    "instruction_buffer": 8,
}


def item(kind: int, role: int = ROLE_ACC, *, bank: int = 0, unit: int = 0, **rest: int) -> dict[str, int]:
    base = {"channel": 0, "row": 0, "column": 0, "bursts": 1, "slot": 0, "line": 0}
    return {**base, "kind": kind, "role": role, "bank": bank, "unit": unit, **rest}


def run(
    bags: list[list[dict[str, int]]],
    *,
    spec: SmallSpec | None = None,
    host: dict[str, int] | None = None,
    **options: Any,
) -> dict[str, Any]:
    channel: dict[str, Any] = {"spec": spec or make_spec(), **(PIM if options.get("kind") != "plain" else {})}
    rows = [row for bag in bags for row in bag]
    items = {n: np.array([row[n] for row in rows], dtype=d) for n, d in ITEM_DTYPES.items()}
    offsets = np.cumsum([0] + [len(bag) for bag in bags])
    return simulate([{**channel, **options}], {**HOST, **(host or {})}, items, offsets)


def timeline(result: dict[str, Any], *commands: str) -> list[tuple[int, str, int]]:
    log = [(r.clock, r.command, r.bank) for r in result["log"]]
    return [entry for entry in log if not commands or entry[1] in commands]


TWO_UNITS = [[item(PIM_READ, bank=0, unit=0), item(PIM_READ, bank=3, unit=3)]]


@pytest.mark.parametrize(("period", "host_period", "time"), [(1, 1, 48), (3, 2, 144)])
def test_one_gnr_on_two_units(period: int, host_period: int, time: int) -> None:
    result = run(
        TWO_UNITS, instruction_cycles=2, decode_cycles=1, period=period, host={"period": host_period}
    )
    assert timeline(result) == [
        (4, "ACT", 0),  # delivered in 1, two cycles on the path, one to decode
        (6, "ACT", 3),
        (9, "PIM_RD", 0),  # data in 17, added by 20, sum in 24
        (11, "PIM_RD", 3),  # data in 19, added by 22, sum in 26
        (24, "PIM_MOV", 0),  # arrives in 28, merged by 33
        (26, "PIM_MOV", 3),  # arrives in 30, merged by 38
        (38, "PIM_RDRES", 0),  # at the host in 47
    ]
    # Host cycle 47 (or ceil(47 * 3 / 2) = 71) collects, one more adds the burst.
    assert result["time"] == time
    assert result["arrival"] == [0]


@pytest.mark.parametrize(("lut_cycles", "mov"), [(4, 26), (30, 42)])
def test_lut_load_and_mac(lut_cycles: int, mov: int) -> None:
    bag = [item(PIM_LUT, ROLE_LOAD, row=6), item(PIM_READ, ROLE_MAC, bursts=2)]
    result = run([bag], lut_cycles=lut_cycles)
    # Products end at max(data 16, register 2 + lut_cycles) + 3 and 3 later; the sum 4 after that.
    assert timeline(result)[:5] == [
        (2, "PIM_LUT", 0),
        (3, "ACT", 0),
        (8, "PIM_RD", 0),
        (10, "PIM_RD", 0),
        (mov, "PIM_MOV", 0),
    ]
    assert [r.column for r in result["log"][2:4]] == [0, 1]
    assert result["log"][0].row == 6


def test_a_mac_reads_only_after_its_load_has_left() -> None:
    bag = [item(PIM_READ, ROLE_LOAD, bank=1, bursts=4), item(PIM_READ, ROLE_MAC, bank=0)]
    result = run([bag], unit_level="rank")
    assert timeline(result, "ACT", "PIM_RD") == [
        (2, "ACT", 1),
        (3, "ACT", 0),
        (7, "PIM_RD", 1),
        (9, "PIM_RD", 1),
        (11, "PIM_RD", 1),
        (13, "PIM_RD", 1),
        (15, "PIM_RD", 0),
    ]


@pytest.mark.parametrize(("split", "act"), [(False, 8), (True, 7)])
def test_a_unit_has_a_slot_for_rows_only_with_split_buses(split: bool, act: int) -> None:
    # Bank 1 would be activated in the very cycle of the read on bank 0.
    bag = [item(PIM_READ, bank=0), item(PIM_READ, bank=1)]
    rows = (*ROWS, SmallRow("rank", ("ACT",), ("ACT",), 5))
    result = run([bag], unit_level="rank", spec=make_spec(split=split, rows=rows))
    assert timeline(result)[:3] == [(2, "ACT", 0), (7, "PIM_RD", 0), (act, "ACT", 1)]


def test_refresh_waits_for_started_entries_and_holds_back_the_others() -> None:
    bag = [item(PIM_READ, bank=0), item(PIM_READ, bank=1), item(PIM_READ, bank=1, row=2)]
    spec = make_spec(refi=30)
    result = run([bag], unit_level="rank", refresh=True, queue_depth=2, lut_load=24, spec=spec)
    # Loading LUTs takes 24 cycles, so the first delivery is in 25. Refresh is due in 30: both rows are open
    # by then and are read; the third entry waits for REFab.
    assert timeline(result)[24:32] == [
        (26, "ACT", 0),
        (27, "ACT", 1),
        (31, "PIM_RD", 0),
        (33, "PIM_RD", 1),
        (37, "PREab", 0),  # nRTP 4 after the second read
        (40, "REFab", 0),
        (50, "ACT", 1),
        (55, "PIM_RD", 1),
    ]


def test_a_waiting_load_and_a_refresh_do_not_lock_each_other() -> None:
    slow = (*ROWS, SmallRow("bank", ("PIM_RD",), ("PREpb",), 40))
    bag = [
        item(PIM_READ, bank=0, row=1),
        item(PIM_READ, ROLE_LOAD, bank=0, row=2),
        item(PIM_READ, ROLE_MAC, bank=1),
    ]
    result = run([bag], unit_level="rank", refresh=True, spec=make_spec(rows=slow, refi=30))
    # The LOAD cannot close its bank before 47, so the MAC leaves its own bank closed and REFab gets through.
    assert timeline(result)[:5] == [
        (2, "ACT", 0),
        (7, "PIM_RD", 0),
        (30, "PREab", 0),
        (33, "REFab", 0),
        (43, "ACT", 0),
    ]
    assert timeline(result, "ACT")[-1] == (44, "ACT", 1)
    assert result["counters"][0]["pim_rd"] == 3


@pytest.mark.parametrize(("tags", "second"), [(1, 15), (2, 6)])
def test_batch_tags_run_out(tags: int, second: int) -> None:
    bags = [[item(PIM_LUT)], [item(PIM_LUT)]]
    result = run(bags, batch_tags=tags, merge=False)
    # Row at 2, there in 6, added by 9, sum in 13: read out in 13, the next delivery in 14. With a second tag
    # only the LUT port is in the way.
    assert timeline(result, "PIM_LUT") == [(2, "PIM_LUT", 0), (second, "PIM_LUT", 0)]
    assert timeline(result, "PIM_RDRES")[0] == (13, "PIM_RDRES", 0)


def test_without_a_merge_node_every_unit_is_read_out() -> None:
    result = run(TWO_UNITS, merge=False, result_bursts=2)
    bursts = [(r.unit, r.bank, r.column) for r in result["log"] if r.command == "PIM_RDRES"]
    assert bursts == [(0, 0, 0), (0, 0, 1), (3, 3, 0), (3, 3, 1)]
    assert result["host"]["result_bursts"] == 4


def test_lut_loading_comes_first_rank_by_rank() -> None:
    result = run([[item(PIM_LUT)]], lut_load=2, spec=make_spec(ranks=2, banks=2))
    loads = [(r.clock, r.bank, r.column) for r in result["log"] if r.command == "PIM_WRLUT"]
    assert loads == [(1, 0, 0), (2, 2, 0), (3, 0, 1), (4, 2, 1)]
    assert timeline(result, "PIM_LUT") == [(6, "PIM_LUT", 0)]


def test_a_host_read_and_its_hit() -> None:
    bag = [item(HOST_READ, line=9), item(HOST_READ, line=9, slot=1)]
    result = run([bag], kind="plain", period=1, refresh=False)
    assert timeline(result) == [(0, "LLC_HIT", 0), (1, "ACT", 0), (6, "RD", 0)]
    # Complete in 14, added by 15; the hit has been added long before.
    assert result["time"] == 15
    assert (result["host"]["llc_hits"], result["host"]["llc_misses"]) == (1, 1)


def test_lru_by_last_use() -> None:
    lines = [1, 2, 1, 3, 1, 2]
    bag = [item(HOST_READ, line=line, column=line) for line in lines]
    result = run([bag], kind="plain", period=1, refresh=False)
    # Two ways: 3 drives out 2, as 1 was used after it.
    assert [r.column for r in result["log"] if r.command == "LLC_HIT"] == [1, 1]


def test_outstanding_bursts_are_limited() -> None:
    bag = [item(HOST_READ, line=i, column=i) for i in range(2)]
    result = run([bag], kind="plain", period=1, refresh=False, host={"outstanding": 1})
    # The second is issued by host cycle 14, which collects the first, and enters its queue in cycle 14.
    assert timeline(result, "RD") == [(6, "RD", 0), (14, "RD", 0)]


@pytest.mark.parametrize(("batch", "second"), [(0, 0), (1, 15)])
def test_a_barrier_admits_after_the_last_finish(batch: int, second: int) -> None:
    bags = [[item(HOST_READ, line=i, column=i)] for i in range(2)]
    result = run(bags, kind="plain", period=1, refresh=False, host={"batch": batch})
    assert result["arrival"] == [0, second]


def test_empty_bags_finish_at_once_and_an_empty_trace_is_legal() -> None:
    result = run([[], []], kind="plain", period=1, refresh=False, host={"window": 1})
    assert (result["arrival"], result["finish"], result["time"]) == ([0, 1], [0, 1], 1)
    assert run([], kind="plain", period=1, refresh=False)["time"] == 0


# -- invariants on random standards

FEW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def node_of(spec: SmallSpec, level: str, bank: int) -> int:
    below = 1
    for name in spec.levels[spec.levels.index(level) + 1 :]:
        below *= spec.counts[name]
    return bank // below


def assert_rows_hold(spec: SmallSpec, log: list[tuple[int, str, int]]) -> None:
    """Compare every pair of commands with every row, without the bookkeeping of the reference."""
    scope = {c.name: spec.levels.index(c.scope) for c in spec.commands}
    for row in spec.constraints:
        depth = spec.levels.index(row.level)
        for first in row.preceding:
            past = [(i, e) for i, e in enumerate(log) if e[1] == first and scope[first] >= depth]
            for at, (_, (clock, _, bank)) in enumerate(past):
                node = node_of(spec, row.level, bank)
                same = [e for e in past[: at + 1] if node_of(spec, row.level, e[1][2]) == node]
                if len(same) < row.window:
                    continue
                earliest = same[-row.window][1][0] + row.cycles
                for later_clock, later, later_bank in log[past[at][0] + 1 :]:
                    if later not in row.following or scope[later] < depth:
                        continue
                    other = node_of(spec, row.level, later_bank)
                    siblings = other // spec.counts[row.level] == node // spec.counts[row.level]
                    hit = other != node and siblings if row.sibling else other == node
                    assert not hit or later_clock >= earliest, (row, clock, later_clock)


@FEW
@given(replays(max_requests=60))
def test_random_replays_drain_and_obey_every_row(case: dict[str, Any]) -> None:
    case = {**case, "drain": True}
    spec, requests = case.pop("spec"), case.pop("requests")
    result = replay(spec, requests, **case)
    for channel, part in enumerate(result):
        mine = [request for request in requests if request[0] == channel]
        count = part.counters
        assert count["num_read_reqs"] + count["num_write_reqs"] == len(mine)
        served = count["num_read_reqs_served"] + count["num_write_reqs_served"]
        assert served + count["num_read_reqs_forwarded"] + count["num_write_reqs_coalesced"] == len(mine)
        assert count["row_hits"] + count["row_misses"] + count["row_conflicts"] == served
        assert_rows_hold(spec, short(part.commands))


@FEW
@given(systems())
def test_random_systems_finish_and_obey_every_row(case: RandomSystem) -> None:
    result = simulate(case.channels, case.host, case.items, case.gnr_offsets)
    items = case.items
    for index, options in enumerate(case.channels):
        count = result["counters"][index]
        mine = items["channel"] == index
        in_memory = mine & (items["kind"] == PIM_READ)
        assert count["pim_rd"] == items["bursts"][in_memory].sum()
        assert count["pim_lut"] == (mine & (items["kind"] == PIM_LUT)).sum()
        if options["kind"] == "pim":
            assert count["row_hits"] + count["row_misses"] + count["row_conflicts"] == in_memory.sum()
            assert count["instructions"] == mine.sum()
        else:
            assert count["rd"] == count["reads"]
        records = [r for r in result["log"] if r.channel == index and r.command not in ("LLC_HIT", "PIM_LUT")]
        assert_rows_hold(options["spec"], [(r.clock, r.command, r.bank) for r in records])
        assert_reads_hit_open_rows(options["spec"], records)
    assert all(f >= a for a, f in zip(result["arrival"], result["finish"], strict=True))


def assert_reads_hit_open_rows(spec: SmallSpec, records: list[Any]) -> None:
    rank = spec.levels[1]
    rows: dict[int, int] = {}
    for record in records:
        if record.command == "ACT":
            assert record.bank not in rows
            rows[record.bank] = record.row
        elif record.command == "PREpb":
            del rows[record.bank]
        elif record.command == "PREab":
            node = node_of(spec, rank, record.bank)
            rows = {b: r for b, r in rows.items() if node_of(spec, rank, b) != node}
        elif record.command in ("RD", "PIM_RD"):
            assert rows[record.bank] == record.row
