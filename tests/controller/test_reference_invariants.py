# SPDX-License-Identifier: MIT
"""The slow reference on random standards: everything drains and every command obeys every row."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings

from tests.reference.plain import replay
from tests.reference.random_specs import RandomSystem, SmallSpec, replays, systems
from tests.reference.system import PIM_LUT, PIM_READ, simulate

CARRIED = 1
NO_TIMING = ("LLC_HIT", "PIM_LUT", "PE_HIT", "MERGED")
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
        assert_rows_hold(spec, [command[:3] for command in part.commands])


@FEW
@given(systems())
def test_random_systems_finish_and_obey_every_row(case: RandomSystem) -> None:
    result = simulate(case.channels, case.host, case.items, case.gnr_offsets)
    items = case.items
    for index, options in enumerate(case.channels):
        count = result["counters"][index]
        mine = items["channel"] == index
        in_memory = mine & (items["kind"] == PIM_READ)
        assert count["pim_lut"] == (mine & (items["kind"] == PIM_LUT)).sum()
        if options["kind"] == "pim":
            read = count["row_hits"] + count["row_misses"] + count["row_conflicts"]
            spared = options.get("cache_sets", 0) or options.get("merge_identical", False)
            most = (in_memory.sum(), items["bursts"][in_memory].sum())
            assert read <= most[0] and count["pim_rd"] <= most[1]
            assert spared or (read, count["pim_rd"]) == most
            carried = items["flags"] & CARRIED != 0
            assert count["instructions"] == (mine & ~carried).sum()
        else:
            assert count["rd"] == count["reads"]
        records = [r for r in result["log"] if r.channel == index and r.command not in NO_TIMING]
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
