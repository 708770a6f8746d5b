# SPDX-License-Identifier: MIT
"""Schedulers, row policies, refreshes: sequences derived by hand, of the reference and of the core."""

from __future__ import annotations

from dataclasses import replace as changed
from typing import Any

import pytest

from heam_sim.errors import ConfigError
from tests.equivalence.core_runs import assert_equal_replay, core_replay
from tests.reference.hand import ROWS, make_spec
from tests.reference.plain import replay
from tests.reference.random_specs import SmallCommand, SmallRow, SmallSpec

# Beside the numbers of the hand-made standard (nRCD 5, nRAS 9, nRP 3, nRTP 4, nRFC 10, nCCD 2): a refresh of
# banks lasts 6 cycles, and keeps the rest of its rank from ACT for 2 and from the next refresh for 4.
BOTH = ("REFpb", "REFsb")
REFRESH_ROWS = (
    SmallRow("bank", ("PREpb",), BOTH, 3),
    SmallRow("bank", BOTH, ("ACT",), 6),
    SmallRow("rank", BOTH, ("ACT",), 2),
    SmallRow("rank", BOTH, BOTH, 4),
)


def spec_with_bank_refresh(*, ranks: int = 1, refi: int) -> SmallSpec:
    """Two bank groups of two banks; bank b of group g is number 2 g + b."""
    plain = make_spec(ranks=ranks, banks=4, rows=(*ROWS, *REFRESH_ROWS), refi=refi)
    return changed(
        plain,
        levels=("channel", "rank", "bank_group", "bank"),
        counts={"channel": 1, "rank": ranks, "bank_group": 2, "bank": 2},
        commands=(
            *plain.commands,
            SmallCommand("REFpb", "REFPB", "bank"),
            SmallCommand("REFsb", "REFSB", "bank"),
        ),
    )


def read(bank: int, row: int, column: int = 0) -> tuple[int, int, int, int, bool, int]:
    return (0, bank, row, column, False, (bank * 16 + row) * 16 + column)


def play(spec: Any, requests: list[Any], **options: Any) -> tuple[list[tuple[int, str, int]], dict[str, int]]:
    """All requests of a case but the first arrive in cycle 2; the first in cycle 1."""
    case = {
        "spec": spec,
        "requests": requests,
        "channels": 1,
        "offers_per_cycle": 32,
        "refresh": "none",
        **options,
    }
    expected = replay(**case)
    assert_equal_replay(core_replay(case), expected)
    return [command[:3] for command in expected[0].commands], expected[0].counters


# -- commands that do not start in every cycle


def test_commands_start_on_their_beat_and_precharges_at_any_time() -> None:
    plain = make_spec()
    commands = tuple(
        command if command.kind in ("PRE", "PREA") else changed(command, alignment=2)
        for command in plain.commands
    )
    found, _ = play(changed(plain, commands=commands), [read(0, 1), read(1, 1), read(0, 2)])
    assert found == [
        (1, "ACT", 0),
        (3, "ACT", 1),  # ready in 2
        (7, "RD", 0),  # nRCD 5 after 1 is 6
        (9, "RD", 1),
        (11, "PREpb", 0),
        (15, "ACT", 0),  # nRP 3 after 11 is 14
        (21, "RD", 0),
    ]
    slower = changed(
        plain, rows=16, constraints=(*plain.constraints, SmallRow("bank", ("RD",), ("PREpb",), 5))
    )
    found, _ = play(changed(slower, commands=commands), [read(0, 1), read(1, 1), read(0, 2)])
    assert found[4:6] == [(12, "PREpb", 0), (15, "ACT", 0)]


# -- schedulers


def test_fcfs_serves_one_request_after_the_other() -> None:
    commands, _ = play(make_spec(), [read(0, 1), read(1, 1), read(0, 1, 1)], scheduler="fcfs")
    # Bank 1 could be activated in 2, and the third request hits from 6 on; both wait for their turn.
    assert commands == [(1, "ACT", 0), (6, "RD", 0), (7, "ACT", 1), (12, "RD", 1), (14, "RD", 0)]


def test_fcfs_changes_between_reads_and_writes_without_a_standstill() -> None:
    write = (0, 0, 2, 0, True, 0)
    commands, _ = play(make_spec(), [read(0, 1), write, read(0, 3)], scheduler="fcfs", write_queue=1)
    # One write fills its queue: it goes first as soon as the active read is served.
    assert commands[:5] == [(1, "ACT", 0), (6, "RD", 0), (10, "PREpb", 0), (13, "ACT", 0), (18, "WR", 0)]
    assert [command[1] for command in commands[5:]] == ["PREpb", "ACT", "RD"]


CONFLICT = [read(0, 1), read(0, 2), read(0, 1, 1), read(0, 1, 2), read(0, 1, 3)]


@pytest.mark.parametrize(
    ("options", "hits_before"),
    [
        ({"scheduler": "frfcfs"}, 4),
        ({"scheduler": "frfcfs-cap", "row_hit_cap": 8}, 4),
        ({"scheduler": "frfcfs-cap", "row_hit_cap": 3}, 3),
        ({"scheduler": "frfcfs-cap", "row_hit_cap": 2}, 2),
        ({"scheduler": "frfcfs-cap", "row_hit_cap": 1}, 1),
        ({"scheduler": "frfcfs-cap", "row_hit_cap": 0}, 1),
    ],
)
def test_hits_keep_an_older_request_waiting_up_to_the_cap(options: dict[str, Any], hits_before: int) -> None:
    commands, counters = play(make_spec(), CONFLICT, **options)
    # The first request's own read at 6, hits 2 cycles apart, nRTP 4 after the last of them the row is closed.
    last = 6 + 2 * (hits_before - 1)
    expected = [(1, "ACT", 0), *[(6 + 2 * i, "RD", 0) for i in range(hits_before)]]
    assert commands[: hits_before + 4] == [
        *expected,
        (last + 4, "PREpb", 0),
        (last + 7, "ACT", 0),
        (last + 12, "RD", 0),
    ]
    assert counters["num_read_reqs_served"] == 5
    assert counters["pre_unasked"] == 0


def test_hits_come_before_older_requests_that_are_ready_too() -> None:
    requests = [read(0, 1), read(1, 1), read(2, 1), read(0, 1, 1)]
    rows = (*ROWS, SmallRow("rank", ("ACT",), ("ACT",), 7))
    spec = make_spec(rows=rows)
    # ACT of bank 1 waits for 8; in that cycle the hit on bank 0 could come as well.
    assert play(spec, requests)[0][:4] == [(1, "ACT", 0), (6, "RD", 0), (8, "ACT", 1), (9, "RD", 0)]
    capped, _ = play(spec, requests, scheduler="frfcfs-cap", row_hit_cap=4)
    assert capped[:4] == [(1, "ACT", 0), (6, "RD", 0), (8, "RD", 0), (9, "ACT", 1)]


# -- row policies

QUIET = [read(0, 1), read(1, 1), read(1, 2)]  # bank 0 has nothing more to do, bank 1 has


@pytest.mark.parametrize(
    ("options", "closed_at"),
    [
        ({"row_policy": "open"}, None),
        ({"row_policy": "closed"}, 10),  # nRTP 4 after RD at 6, nRAS 9 after ACT at 1
        ({"row_policy": "timeout", "row_timeout": 3}, 10),
        ({"row_policy": "timeout", "row_timeout": 5}, 11),
        ({"row_policy": "timeout", "row_timeout": 11}, 17),
        ({"row_policy": "capped", "row_cap": 1}, 10),
        ({"row_policy": "capped", "row_cap": 2}, None),
    ],
)
def test_an_idle_row_is_closed_by_the_policy(options: dict[str, Any], closed_at: int | None) -> None:
    commands, counters = play(make_spec(), QUIET, **options)
    closing = [clock for clock, command, bank in commands if (command, bank) == ("PREpb", 0)]
    assert closing == ([] if closed_at is None else [closed_at])
    # Bank 1's row is closed by the request that wants another one, which comes first: nRTP after RD at 8.
    assert [c for c in commands if c[2] == 1] == [
        (2, "ACT", 1),
        (8, "RD", 1),
        (12, "PREpb", 1),
        (15, "ACT", 1),
        (20, "RD", 1),
    ]
    assert counters["pre_unasked"] == len(closing)


def test_a_wanted_row_stays_open_but_for_the_cap() -> None:
    hits = [read(0, 1, column) for column in range(4)]
    assert [c[1] for c in play(make_spec(), hits, row_policy="closed")[0]] == ["ACT", *["RD"] * 4]
    commands, counters = play(make_spec(), hits, row_policy="capped", row_cap=2)
    assert commands == [
        (1, "ACT", 0),
        (6, "RD", 0),
        (8, "RD", 0),
        (12, "PREpb", 0),
        (15, "ACT", 0),
        (20, "RD", 0),
        (22, "RD", 0),
    ]
    assert counters["pre_unasked"] == 1
    # Both later reads find the bank closed: the third opens it, the fourth hits again.
    assert (counters["row_misses"], counters["row_hits"]) == (2, 2)


def test_the_policys_precharge_takes_the_row_slot_only() -> None:
    # Bank 0 is closed in 10, in which bank 1 gives its burst: one slot makes one of them wait.
    requests = [read(0, 1), read(1, 1), read(1, 1, 1)]
    split, _ = play(make_spec(split=True), requests, row_policy="closed")
    assert split[-2:] == [(10, "RD", 1), (10, "PREpb", 0)]
    whole, _ = play(make_spec(), [*requests, read(2, 1), read(2, 2)], row_policy="closed")
    assert (10, "PREpb", 0) not in whole


# -- refresh

BUSY = [
    read(0, 1),
    *[read(3, row) for row in range(1, 9)],
]  # one row of bank 3 after the other, 12 cycles each


def only(commands: list[tuple[int, str, int]], *names: str) -> list[tuple[int, str, int]]:
    return [command for command in commands if command[1] in names]


def test_banks_are_refreshed_in_turn_while_others_work() -> None:
    commands, counters = play(spec_with_bank_refresh(refi=60), BUSY[:4], refresh="per-bank")
    # Due every 15 cycles. Bank 0 still has its row open: closed in 15, refreshed nRP 3 later.
    assert [c for c in commands if c[2] == 0] == [
        (1, "ACT", 0),
        (6, "RD", 0),
        (15, "PREpb", 0),
        (18, "REFpb", 0),
    ]
    assert only(commands, "REFpb")[1:] == [(30, "REFpb", 1)]
    # Bank 3 would have had PREpb 12, ACT 15: that slot went to the refresh's precharge.
    assert [c for c in commands if c[2] == 3][:5] == [
        (2, "ACT", 3),
        (8, "RD", 3),
        (12, "PREpb", 3),
        (16, "ACT", 3),
        (21, "RD", 3),
    ]
    assert counters["ref_bank"] == 2
    assert counters["pre_unasked"] == 1


def test_nothing_new_starts_in_a_bank_that_waits_for_its_refresh() -> None:
    requests = [read(0, 1, column) for column in range(6)]
    commands, counters = play(spec_with_bank_refresh(refi=48), requests, refresh="per-bank")
    # Reads every 2 cycles would go on until 16; the refresh that is due in 12 keeps them waiting.
    assert commands == [
        (1, "ACT", 0),
        (6, "RD", 0),
        (8, "RD", 0),
        (10, "RD", 0),
        (14, "PREpb", 0),
        (17, "REFpb", 0),
        (23, "ACT", 0),
        (24, "REFpb", 1),
        (28, "RD", 0),
        (30, "RD", 0),
        (32, "RD", 0),
    ]
    assert (counters["row_misses"], counters["row_hits"]) == (2, 4)


def test_the_same_bank_of_every_group_is_refreshed_at_once() -> None:
    commands, counters = play(spec_with_bank_refresh(refi=60), BUSY[:4], refresh="same-bank")
    # Due every 30 cycles: banks 0 and 2 in 30, banks 1 and 3 in 60. Bank 0 is closed for it, bank 2 is idle.
    assert only(commands, "REFsb") == [(33, "REFsb", 0)]
    assert (30, "PREpb", 0) in commands
    assert counters["ref_bank"] == 1
    longer, _ = play(spec_with_bank_refresh(refi=60), BUSY, refresh="same-bank")
    second = only(longer, "REFsb")[1]
    assert second[2] == 1
    # Bank 3 is concerned: its row is closed by the refresh, and nothing comes there for 6 cycles.
    of_bank_3 = [c for c in longer if c[2] == 3]
    after = next(c for c in of_bank_3 if c[0] > second[0])
    assert after == (second[0] + 6, "ACT", 3)


def test_staggered_ranks_are_due_evenly_apart() -> None:
    spec = spec_with_bank_refresh(ranks=2, refi=100)
    busy = [read(1, row) for row in range(1, 14)]
    together, _ = play(spec, busy, refresh="all-bank")
    apart, _ = play(spec, busy, refresh="all-bank", refresh_stagger=True)
    # Rank 1 (banks 4 to 7) is idle: its REFab comes behind that of rank 0, or in the due cycle but for an RD.
    first_of_1 = [min(c[0] for c in only(run, "REFab") if c[2] == 4) for run in (together, apart)]
    assert 100 <= first_of_1[0] < 120
    assert (100, "RD", 1) in apart
    assert first_of_1[1] == 101
    assert 50 <= min(c[0] for c in only(apart, "REFab") if c[2] == 0) < 70


@pytest.mark.parametrize(("postpone", "earliest"), [(0, 40), (1, 60), (2, 100), (4, 180)])
def test_a_wanted_rank_is_refreshed_when_its_refresh_is_urgent(postpone: int, earliest: int) -> None:
    spec = spec_with_bank_refresh(refi=40)
    busy = [read(3, row % 16, row // 16) for row in range(30)]
    commands, counters = play(spec, busy, refresh="all-bank", refresh_postpone=postpone)
    refreshes = only(commands, "REFab")
    # Urgent P intervals less half of one after it was due in 40; then at most a row's cycle and nRP go by.
    assert earliest <= refreshes[0][0] <= earliest + 20
    # What is still owed when the last request is served comes then, nRFC 10 apart.
    assert counters["num_maintenance_reqs_served"] == len(refreshes) == refreshes[-1][0] // 40


def test_an_owed_refresh_comes_as_soon_as_nobody_wants_the_banks() -> None:
    spec = spec_with_bank_refresh(ranks=2, refi=40)
    busy = [read(0, row) for row in range(1, 6)]  # of rank 0, until 60
    commands, _ = play(spec, busy, refresh="all-bank", refresh_postpone=8)
    refreshes = only(commands, "REFab")
    last_read = only(commands, "RD")[-1][0]
    # Rank 1 is idle when its first refresh falls due; rank 0 pays what it owes at the end.
    assert next(c[0] for c in refreshes if c[2] == 4) == 40
    assert next(c[0] for c in refreshes if c[2] == 0) > last_read
    by_bank, _ = play(spec, busy, refresh="per-bank", refresh_postpone=8)
    # Bank 0 is wanted, and the banks of a rank have their turns in order. Requests come first, here at 10.
    assert next(c[0] for c in only(by_bank, "REFpb") if c[2] < 4) > last_read
    assert (10, "PREpb", 0) in by_bank
    assert only(by_bank, "REFpb")[0] == (11, "REFpb", 4)


def test_what_the_core_refuses() -> None:
    for options in (
        {"refresh": "per-bank"},  # no such command
        {"row_policy": "capped", "row_cap": 0},
        {"refresh": "all-bank", "refresh_postpone": 9},
        {"refresh": "all-bank", "refresh_stagger": 2},
    ):
        with pytest.raises(ConfigError, match="HEAM_BAD_CHANNEL"):
            core_replay({"spec": make_spec(), "requests": [], "channels": 1, **options})
