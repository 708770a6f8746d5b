# SPDX-License-Identifier: MIT
"""Timing and plain channel of the slow reference: cycles derived by hand, and recordings of Ramulator 2.1."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.reference.hand import ROWS, make_spec
from tests.reference.plain import PlainChannel, ReplayChannel, Request, replay
from tests.reference.ramulator import load_recording
from tests.reference.random_specs import SmallRow
from tests.reference.timing import Timing

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
    # Without the row ACT -> PREab nothing but the active request holds PREab back in 20.
    rows = tuple(row for row in ROWS if row.preceding != ("ACT",) or row.following != ("PREab",))
    channel = PlainChannel(make_spec(refi=20, rows=rows), refresh=True)
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
