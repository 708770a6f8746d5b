# SPDX-License-Identifier: MIT
"""PIM channel and host of the slow reference: cycles derived by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.reference.hand import ROWS, make_spec
from tests.reference.random_specs import ITEM_DTYPES, SmallRow, SmallSpec
from tests.reference.system import (
    CACHE,
    CARRIED,
    HOST_READ,
    PIM_IMMEDIATE,
    PIM_LUT,
    PIM_READ,
    UNADDED,
    simulate,
)
from tests.reference.timing import ROLE_ACC, ROLE_FILL, ROLE_LOAD, ROLE_MAC, ROLE_MUL

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
    "port_bytes_per_cycle": 16,
    "lut_load": 0,
    "result_bursts": 4,
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
    items = {n: np.array([row.get(n, 0) for row in rows], dtype=d) for n, d in ITEM_DTYPES.items()}
    offsets = np.cumsum([0] + [len(bag) for bag in bags])
    return simulate([{**channel, **options}], {**HOST, **(host or {})}, items, offsets)


def timeline(result: dict[str, Any], *commands: str) -> list[tuple[int, str, int]]:
    log = [(r.clock, r.command, r.bank) for r in result["log"]]
    return [entry for entry in log if not commands or entry[1] in commands]


TWO_UNITS = [[item(PIM_READ, bank=0, unit=0), item(PIM_READ, bank=3, unit=3)]]


def test_a_stack_node() -> None:
    """Two channels' sums, ready in 31 both, meet in the stack and leave over the first one's bus."""
    node = {"stack": 1, "stack_tags": 1, "stack_cycles": 5, "xmov_cycles": 3, "xmov_latency": 4}
    bag = [item(PIM_READ), item(PIM_READ, channel=1)]
    rows = [*bag, *bag]
    items = {n: np.array([row.get(n, 0) for row in rows], dtype=d) for n, d in ITEM_DTYPES.items()}
    result = simulate([{"spec": make_spec(), **PIM, **node}] * 2, HOST, items, [0, 2, 4])
    moves = ("PIM_MOV", "PIM_XMOV", "PIM_RDRES")
    assert [(r.clock, r.channel, r.command, r.tag) for r in result["log"] if r.command in moves] == [
        (22, 0, "PIM_MOV", 0),
        (22, 1, "PIM_MOV", 0),
        (31, 0, "PIM_XMOV", 0),  # there in 38, added by 43
        (34, 1, "PIM_XMOV", 0),  # there in 41, added by 48
        (48, 0, "PIM_RDRES", 0),
        # The accumulator is free for the second bag in 49: delivered then, read in 50 from the open row.
        (65, 0, "PIM_MOV", 1),
        (65, 1, "PIM_MOV", 1),
        (74, 0, "PIM_XMOV", 1),
        (77, 1, "PIM_XMOV", 1),
        (91, 1, "PIM_RDRES", 1),
    ]
    assert [part["stack_busy"] for part in result["counters"]] == [10, 10]


PLAIN = {"kind": "plain", "period": 1, "refresh": False}


@pytest.mark.parametrize(("flags", "sent"), [(UNADDED, 14), (0, 15)])
def test_an_immediate(flags: int, sent: int) -> None:
    """The host sends a row on, at once or when it has passed its adder; another operand overtakes."""
    rows = [
        item(HOST_READ, unit=65535, channel=1, flags=flags),
        item(PIM_IMMEDIATE, row=1, unit=3, segment=2, slot=7),
        item(PIM_READ, bank=3, unit=3, slot=8),
    ]
    items = {n: np.array([row.get(n, 0) for row in rows], dtype=d) for n, d in ITEM_DTYPES.items()}
    channels = [{"spec": make_spec(), **PIM, "imm_latency": 3}, {"spec": make_spec(), **PLAIN}]
    result = simulate(channels, HOST, items, [0, 3])
    log = [(r.clock, r.channel, r.command, r.column, r.slot) for r in result["log"]]
    assert log == [
        (1, 1, "ACT", 0, 0),
        (3, 0, "ACT", 0, 8),  # its instruction is delivered in 2, behind that of the immediate
        (6, 1, "RD", 0, 0),  # at the host in 14, through its adder in 15
        (8, 0, "PIM_RD", 0, 8),
        (sent, 0, "PIM_WRIMM", 2, 7),  # at the ALU 5 cycles later, added in 3, the sum 4 later
        (sent + 12, 0, "PIM_MOV", 0, 0),
        (sent + 13, 0, "PIM_MOV", 2, 0),
        (sent + 26, 0, "PIM_RDRES", 0, 0),  # there in sent + 16 and 17, through the merge node 5 cycles each
        (sent + 27, 0, "PIM_RDRES", 2, 0),
    ]


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


@pytest.mark.parametrize(("port_bytes", "mov"), [(16, 26), (2, 44)])
def test_lut_load_and_mac(port_bytes: int, mov: int) -> None:
    bag = [item(PIM_LUT, ROLE_LOAD, row=6), item(PIM_READ, ROLE_MAC, bursts=2)]
    result = run([bag], port_bytes_per_cycle=port_bytes)
    # Products end at max(data 16, register 2 + 64 / port) + 3 and 3 later; the sum 4 after that.
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


def test_a_load_that_a_started_mac_waits_for_is_not_held_by_refresh() -> None:
    slow = (*ROWS, SmallRow("bank", ("PIM_RD",), ("PREpb",), 40))
    bag = [
        item(PIM_READ, bank=0, row=1),
        item(PIM_READ, ROLE_LOAD, bank=0, row=2),
        item(PIM_READ, ROLE_MAC, bank=1),
    ]
    result = run([bag], unit_level="rank", refresh=True, spec=make_spec(rows=slow, refi=30))
    # Due in 30, but the MAC holds bank 1 open since 4 and its LOAD cannot close bank 0 before 47.
    assert timeline(result)[:9] == [
        (2, "ACT", 0),
        (4, "ACT", 1),
        (7, "PIM_RD", 0),
        (47, "PREpb", 0),
        (50, "ACT", 0),
        (55, "PIM_RD", 0),
        (57, "PIM_RD", 1),
        (61, "PREab", 0),
        (64, "REFab", 0),
    ]


def test_an_older_entry_that_is_held_by_refresh_does_not_keep_its_row_open() -> None:
    bag = [
        item(PIM_READ, bank=0, row=1, bursts=8),
        item(PIM_READ, bank=0, row=1),
        item(PIM_READ, ROLE_LOAD, bank=0, row=2),
        item(PIM_READ, ROLE_MAC, bank=1),
    ]
    spec = make_spec(refi=44)
    result = run([bag], unit_level="rank", refresh=True, lut_load=34, spec=spec)
    # Due in 44: the long read goes on to 55, the second entry is held, and the MAC, started in 39, waits for
    # its LOAD. If the second entry kept row 1 open, all would wait for one another.
    assert timeline(result, "PREpb", "ACT", "PIM_RD", "PREab")[10:15] == [
        (59, "PREpb", 0),
        (62, "ACT", 0),
        (67, "PIM_RD", 0),
        (69, "PIM_RD", 1),
        (73, "PREab", 0),
    ]


def test_an_older_entry_keeps_its_row_open() -> None:
    rows = (*(r for r in ROWS if r.following != ("PREpb",)), SmallRow("rank", ("PIM_RD",), ("PIM_RD",), 6))
    bag = [item(PIM_READ), item(PIM_READ, bank=1), item(PIM_READ), item(PIM_READ, row=1)]
    result = run([bag], unit_level="rank", spec=make_spec(rows=rows))
    # In 8 and later bank 0 is unused and PREpb is free, but the third entry still wants row 0 until 19.
    assert timeline(result)[:7] == [
        (2, "ACT", 0),
        (3, "ACT", 1),
        (7, "PIM_RD", 0),
        (13, "PIM_RD", 1),
        (19, "PIM_RD", 0),
        (20, "PREpb", 0),
        (23, "ACT", 0),
    ]


@pytest.mark.parametrize(("tags", "second"), [(1, 15), (2, 6)])
def test_batch_tags_run_out(tags: int, second: int) -> None:
    bags = [[item(PIM_LUT)], [item(PIM_LUT)]]
    result = run(bags, batch_tags=tags, merge=False)
    # Row at 2, there in 6, added by 9, sum in 13: read out in 13, the next delivery in 14. With a second tag
    # only the LUT port is in the way.
    assert timeline(result, "PIM_LUT") == [(2, "PIM_LUT", 0), (second, "PIM_LUT", 0)]
    assert timeline(result, "PIM_RDRES")[0] == (13, "PIM_RDRES", 0)


def test_without_a_merge_node_every_unit_is_read_out() -> None:
    bag = [item(PIM_READ, bank=unit, unit=unit, bursts=2) for unit in (0, 3)]
    result = run([bag], merge=False)
    bursts = [(r.unit, r.bank, r.column) for r in result["log"] if r.command == "PIM_RDRES"]
    assert bursts == [(0, 0, 0), (0, 0, 1), (3, 3, 0), (3, 3, 1)]
    assert result["host"]["result_bursts"] == 4


def test_slices_of_different_units_are_put_together_not_added() -> None:
    """Bursts 0 and 3 from unit 0, bursts 1 and 2 from unit 3, burst 1 once more from unit 5."""
    bag = [
        item(PIM_READ, bank=0, unit=0, segment=3),
        item(PIM_READ, bank=0, unit=0, segment=0),
        item(PIM_READ, bank=3, unit=3, segment=1, bursts=2),
        item(PIM_READ, bank=5, unit=5, segment=1, bursts=3, covers=1),
    ]
    result = run([bag])
    moves = [(r.unit, r.column) for r in result["log"] if r.command == "PIM_MOV"]
    assert sorted(moves) == [(0, 0), (0, 3), (3, 1), (3, 2), (5, 1)]
    assert [r.column for r in result["log"] if r.command == "PIM_RDRES"] == [0, 1, 2, 3]
    # Nobody covers burst 2 of the second bag: it neither moves nor leaves.
    partly = run([bag[:2]])
    assert [r.column for r in partly["log"] if r.command == "PIM_RDRES"] == [0, 3]
    assert partly["host"]["result_bursts"] == 2


def test_a_chain_multiplies_link_by_link() -> None:
    bag = [
        item(PIM_LUT, ROLE_LOAD),
        item(PIM_READ, ROLE_MUL, bank=0, alu=10),
        item(PIM_LUT, ROLE_MUL),
        item(PIM_READ, ROLE_MAC, bank=1, alu=2),
    ]
    result = run([bag], unit_level="rank", alu_latency=1)
    # Register 6. Row 0 is there in 16, combined by 26: register 27, and the second MUL has its row in 12. ALU
    # until 30: register 31. The second row is there in 21; added by 33, the sum in 34.
    assert timeline(result) == [
        (2, "PIM_LUT", 0),
        (3, "ACT", 0),
        (5, "ACT", 1),
        (8, "PIM_RD", 0),
        (8, "PIM_LUT", 0),
        (10, "PIM_RD", 1),
        (34, "PIM_MOV", 0),
        (43, "PIM_RDRES", 0),
    ]


def test_a_broadcast_takes_the_path_once_and_every_ranks_path_once() -> None:
    spec = make_spec(ranks=2)
    bag = [
        item(PIM_READ, bank=0, unit=0),
        *(item(PIM_READ, bank=unit, unit=unit, flags=CARRIED) for unit in (1, 8, 9)),
        item(PIM_READ, bank=2, unit=2),
    ]
    result = run([bag], spec=spec, instruction_cycles=3, second_stage_cycles=4, decode_cycles=1)
    # Delivered in 1, sent by 4, across both paths of ranks by 8. The next instruction is sent by 7, but has
    # to wait for the path of rank 0 until 8.
    acts = [(9, "ACT", bank) for bank in (0, 1, 8, 9)]
    assert timeline(result, "ACT") == [*acts, (13, "ACT", 2)]
    assert result["counters"][0]["instructions"] == 2
    assert result["counters"][0]["path_busy"] == 2 * 3 + 1
    assert result["counters"][0]["second_busy"] == 3 * 4
    assert result["host"]["tokens"] == 2


def test_a_carried_item_waits_for_room_and_keeps_back_what_is_behind_it() -> None:
    bag = [
        item(PIM_READ, bank=0, unit=0),
        item(PIM_READ, bank=0, unit=0, flags=CARRIED),
        item(PIM_READ, bank=1, unit=1, flags=CARRIED),
        item(PIM_READ, bank=2, unit=2),
    ]
    result = run([bag], queue_depth=1, instruction_cycles=9)
    # Delivered in 1, available in 10. Its row read in 15, the second has its place in 16 and finds the row
    # open; only now the third and the next instruction come, which takes nine cycles of its own.
    assert timeline(result, "ACT", "PIM_RD") == [
        (10, "ACT", 0),
        (15, "PIM_RD", 0),
        (16, "ACT", 1),
        (17, "PIM_RD", 0),
        (21, "PIM_RD", 1),
        (25, "ACT", 2),
        (30, "PIM_RD", 2),
    ]


@pytest.mark.parametrize(("split", "act"), [(False, 9), (True, 8)])
def test_a_host_driven_channel_has_one_command_bus(split: bool, act: int) -> None:
    bag = [item(PIM_READ, bank=bank, unit=bank) for bank in (0, 1, 2)]
    rows = (*ROWS, SmallRow("rank", ("ACT",), ("ACT",), 3), SmallRow("bank", ("ACT",), ("PIM_RD",), 7))
    options = {"host_driven": True, "instruction_cycles": 0}
    result = run([bag], host={"issue_per_cycle": 4}, spec=make_spec(split=split, rows=rows), **options)
    # All three are available in 1, and share the bus though each has a unit of its own.
    assert timeline(result, "ACT") == [(1, "ACT", 0), (4, "ACT", 1), (7, "ACT", 2)]
    assert timeline(result, "PIM_RD")[0] == (8, "PIM_RD", 0)
    again = run([[*bag, item(PIM_READ, bank=3, unit=3)]], host={"issue_per_cycle": 4}, **options)
    assert timeline(again, "ACT") == [(cycle, "ACT", cycle - 1) for cycle in (1, 2, 3, 4)]
    late = (*rows[:-2], SmallRow("rank", ("ACT",), ("ACT",), 7), rows[-1])
    result = run([bag[:2]], host={"issue_per_cycle": 4}, spec=make_spec(split=split, rows=late), **options)
    assert timeline(result)[:3] == [(1, "ACT", 0), (8, "PIM_RD", 0), (act, "ACT", 1)]
    assert result["counters"][0]["path_busy"] == 0


def test_an_identical_operand_follows_the_one_that_is_queued() -> None:
    """Both bursts are there in 15 and 17; added by 18 and 21, the follower's by 27, and the sum 4 later."""
    twins = [item(PIM_READ, bursts=2, line=7), item(PIM_READ, bursts=2, line=7)]
    result = run([twins], merge_identical=True)
    assert timeline(result) == [
        (2, "ACT", 0),
        (7, "PIM_RD", 0),
        (9, "PIM_RD", 0),
        (9, "MERGED", 0),
        (31, "PIM_MOV", 0),  # there in 35, added by 40
        (32, "PIM_MOV", 0),  # there in 36, added by 45
        (45, "PIM_RDRES", 0),
        (46, "PIM_RDRES", 0),
    ]
    assert result["counters"][0]["merged"] == 1
    apart = [item(PIM_READ, bursts=2, line=7), item(PIM_READ, bank=1, bursts=2, line=8)]
    assert run([apart], unit_level="rank", merge_identical=True)["counters"][0]["merged"] == 0
    # Read in 26 and 28, and delivered in 21 and 41: the third finds nobody to follow.
    late = run([[*twins, twins[0]]], merge_identical=True, instruction_cycles=20)
    assert late["counters"][0]["pim_rd"] == 4


def test_a_product_of_a_row_with_itself_is_read_once() -> None:
    chain = [item(PIM_READ, ROLE_LOAD, line=7), item(PIM_READ, ROLE_MAC, line=7)]
    result = run([chain], merge_identical=True)
    # Register and row are there in 15, the product by 18, the sum in 22.
    assert timeline(result)[:4] == [(2, "ACT", 0), (7, "PIM_RD", 0), (7, "MERGED", 0), (22, "PIM_MOV", 0)]


def test_a_cached_row_comes_through_the_port() -> None:
    keep = {"line": 5, "flags": CACHE}
    bags = [[item(PIM_READ, **keep)], [item(PIM_READ, **keep)], [item(PIM_READ, line=5)]]
    options: dict[str, Any] = {"cache_sets": 1, "cache_ways": 1, "merge": False}
    result = run(bags, host={"issue_per_cycle": 1}, **options)
    # The second finds the row on its way and takes it when its burst is read; so does the third.
    assert timeline(result)[:4] == [(2, "ACT", 0), (7, "PIM_RD", 0), (7, "MERGED", 0), (7, "MERGED", 0)]
    counters = result["counters"][0]
    assert (counters["pe_hits"], counters["pe_misses"], counters["merged"]) == (2, 1, 2)
    later = run(bags, instruction_cycles=6, **options)
    # Delivered in 1, 7 and 13: the second before the read in 12, the third finds the row in the cache.
    assert timeline(later)[:4] == [(7, "ACT", 0), (12, "PIM_RD", 0), (12, "MERGED", 0), (19, "PE_HIT", 0)]
    hit = next(r for r in later["log"] if r.command == "PE_HIT")
    assert (hit.bank, hit.row, hit.column, hit.tag) == (0, 0, 0, 2)


def test_the_least_recently_used_row_leaves_the_cache() -> None:
    rows = [3, 4, 3, 5, 3, 4]
    bag = [item(PIM_READ, bank=0, row=row, line=row, flags=CACHE) for row in rows]
    result = run([bag], cache_sets=1, cache_ways=2, instruction_cycles=40, result_bursts=1)
    assert [(r.command, r.row) for r in result["log"] if r.command in ("PIM_RD", "PE_HIT")] == [
        ("PIM_RD", 3),
        ("PIM_RD", 4),
        ("PE_HIT", 3),
        ("PIM_RD", 5),
        ("PE_HIT", 3),
        ("PIM_RD", 4),
    ]
    # Without the flag nothing is kept.
    plain = [item(PIM_READ, row=row, line=row) for row in rows]
    assert run([plain], cache_sets=1, cache_ways=2)["counters"][0]["pe_misses"] == 6


def test_a_fill_belongs_to_no_sum_and_delays_nobody() -> None:
    fill = item(PIM_READ, ROLE_FILL, bank=1, row=2, line=9)
    bags = [[fill], [item(PIM_READ, bank=0, line=1)], [item(PIM_READ, bank=1, row=2, line=9)]]
    options: dict[str, Any] = {"unit_level": "rank", "cache_sets": 2, "cache_ways": 1}
    result = run(bags, instruction_cycles=20, **options)
    reads = [(r.command, r.row, r.tag, r.role) for r in result["log"] if r.command in ("PIM_RD", "PE_HIT")]
    assert reads == [("PIM_RD", 2, 0, ROLE_FILL), ("PIM_RD", 0, 1, 0), ("PE_HIT", 2, 2, 0)]
    assert result["finish"][0] == 0
    assert result["host"]["result_bursts"] == 2
    # A row that is there, or on its way, is not read again.
    assert run([[fill, fill], bags[1]], **options)["counters"][0]["pim_rd"] == 2


@pytest.mark.parametrize(
    ("path_uses_dq", "res_latency", "second"),
    [(False, 1, 17), (True, 1, 19), (True, 2, 20), (True, 3, 17)],
)
def test_instructions_on_the_data_pins_keep_clear_of_results(
    path_uses_dq: bool, res_latency: int, second: int
) -> None:
    options: dict[str, Any] = {"batch_tags": 1, "merge": False, "instruction_cycles": 2}
    bags = [[item(PIM_LUT)], [item(PIM_LUT)]]
    result = run(bags, **options, path_uses_dq=path_uses_dq, res_latency=res_latency)
    # Delivered in 1 over two cycles: row at 3, there in 7, sum in 14. The next delivery could be in 15 and
    # take cycles 15 and 16; the result's burst has the pins for two cycles from 14 + res_latency.
    assert timeline(result, "PIM_RDRES")[0] == (14, "PIM_RDRES", 0)
    assert timeline(result, "PIM_LUT")[1] == (second, "PIM_LUT", 0)


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
    lines = [1, 2, 2, 1, 3, 1, 2]
    bag = [item(HOST_READ, line=line, column=line) for line in lines]
    result = run([bag], kind="plain", period=1, refresh=False)
    # Two ways: 3 drives out 2, as 1 was used after it.
    assert [r.column for r in result["log"] if r.command == "LLC_HIT"] == [2, 1, 1]


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


def test_a_mac_on_an_open_row_waits_for_its_load() -> None:
    bag = [item(PIM_READ), item(PIM_READ, ROLE_LOAD, bank=1), item(PIM_READ, ROLE_MAC)]
    result = run([bag], unit_level="rank", instruction_cycles=3)
    # The MAC is available in 10 and timing would let it read in 11.
    assert timeline(result, "PIM_RD") == [(9, "PIM_RD", 0), (12, "PIM_RD", 1), (14, "PIM_RD", 0)]


def test_a_started_entry_keeps_its_row_open() -> None:
    rows = tuple(row for row in ROWS if row.following != ("PREpb",) or row.preceding != ("ACT",))
    result = run([[item(PIM_READ), item(PIM_READ, row=1)]], unit_level="rank", spec=make_spec(rows=rows))
    assert timeline(result)[:4] == [(2, "ACT", 0), (7, "PIM_RD", 0), (11, "PREpb", 0), (14, "ACT", 0)]


@pytest.mark.parametrize(("depth", "act"), [(1, 9), (2, 3)])
def test_a_full_queue_stops_delivery(depth: int, act: int) -> None:
    bag = [item(PIM_READ), item(PIM_READ, bank=1)]
    result = run([bag], unit_level="rank", queue_depth=depth)
    # The first leaves in 7, so with one place the second is delivered in 8.
    assert (act, "ACT", 1) in timeline(result)


def test_refresh_waits_for_started_entries_even_if_timing_does_not() -> None:
    rows = tuple(row for row in ROWS if "PREab" not in row.following)
    bag = [item(PIM_READ, bank=0), item(PIM_READ, bank=1)]
    spec = make_spec(refi=30, rows=rows)
    result = run([bag], unit_level="rank", refresh=True, lut_load=24, spec=spec)
    assert timeline(result, "PIM_RD", "PREab") == [(31, "PIM_RD", 0), (33, "PIM_RD", 1), (34, "PREab", 0)]


def test_an_open_row_is_not_enough_to_read_while_refresh_is_owed() -> None:
    bag = [item(PIM_READ), item(PIM_READ, bank=1, unit=1, bursts=8), item(PIM_READ)]
    result = run([bag], refresh=True, spec=make_spec(refi=22))
    log = timeline(result, "ACT", "PIM_RD", "PREab", "REFab")
    # The long read takes 9, 11, ... 23; the row of bank 0 is still open in 25, but REFab is due since 22.
    assert log[11:15] == [(27, "PREab", 0), (30, "REFab", 0), (40, "ACT", 0), (45, "PIM_RD", 0)]


def test_results_leave_in_order_of_becoming_ready() -> None:
    units = (0, 3, 5, 5)
    bags = [[item(PIM_LUT, unit=unit)] for unit in units]
    bags[0] = [item(PIM_READ)]
    result = run(bags, merge=False, instruction_cycles=8)
    # GnR 0: ACT 9, PIM_RD 14, sum in 29. GnR 1: row at 17, sum in 28. The path is taken from 25 to 32.
    order = [(r.clock, r.tag) for r in result["log"] if r.command == "PIM_RDRES"]
    assert order[:2] == [(33, 1), (34, 0)]


@pytest.mark.parametrize(("places", "third"), [(1, 2), (8, 1)])
def test_a_full_instruction_buffer_stops_the_host(places: int, third: int) -> None:
    result = run([[item(PIM_LUT)]] * 3, host={"instruction_buffer": places}, instruction_cycles=4)
    # With one place the second instruction follows in host cycle 2, after the delivery of channel cycle 1.
    assert result["arrival"] == [0, 0, third]


def test_a_younger_entry_that_has_started_keeps_its_row_open_too() -> None:
    rows = (
        SmallRow("bank", ("ACT",), ("PIM_RD",), 5),
        SmallRow("bank", ("ACT",), ("PREpb",), 20),
        SmallRow("rank", ("PIM_RD",), ("PIM_RD",), 6),
    )
    bag = [item(PIM_READ), item(PIM_READ, row=1), item(PIM_READ, bursts=3)]
    result = run([bag], unit_level="rank", spec=make_spec(rows=rows))
    # Timing would allow PREpb in 22, between the second and the third burst of the youngest.
    assert timeline(result)[2:6] == [
        (13, "PIM_RD", 0),
        (19, "PIM_RD", 0),
        (25, "PIM_RD", 0),
        (26, "PREpb", 0),
    ]


def test_a_mac_is_held_by_refresh_even_if_its_load_has_started() -> None:
    bag = [item(PIM_READ, ROLE_LOAD, bank=1, bursts=8), item(PIM_READ, ROLE_MAC)]
    spec = make_spec(refi=34)
    result = run([bag], unit_level="rank", refresh=True, lut_load=18, instruction_cycles=8, spec=spec)
    # The LOAD reads from 32 to 46; due in 34, PREab in 50, REFab in 53. The MAC is available in 35.
    assert timeline(result, "ACT", "REFab")[:3] == [(27, "ACT", 1), (53, "REFab", 0), (63, "ACT", 0)]


def test_nothing_is_delivered_between_two_loads_of_a_lut() -> None:
    rows = (SmallRow("channel", ("PIM_WRLUT",), ("PIM_WRLUT",), 4),)
    result = run([[item(PIM_LUT)]], lut_load=2, spec=make_spec(rows=rows))
    assert timeline(result)[:3] == [(1, "PIM_WRLUT", 0), (5, "PIM_WRLUT", 0), (7, "PIM_LUT", 0)]
