# SPDX-License-Identifier: MIT
"""Homes of rows: layouts, pages, hot rows, replicas, and what does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heam_sim.errors import CapacityError, ConfigError
from heam_sim.placement import ModelPlacement, TierLayout
from heam_sim.placement.hot import RowSet
from heam_sim.planning import plan
from tests.functional.small import DIMM_IN_ORDER, IN_ORDER, PSEUDO_CHANNELS, trace_of


def placed(bags: Any, cardinalities: list[int], **options: Any) -> ModelPlacement:
    options = {"vector_bytes": 64, "profile": 0.5, "embedding": "full", **options}
    return plan(trace_of(bags, cardinalities=cardinalities), **options).placement


def layout_of(tier: str, **options: Any) -> TierLayout:
    return placed([[[0], [0]]], [64], **options).layouts[tier]


def place(layout: TierLayout, vectors: list[int]) -> list[tuple[int, int, int, int, int]]:
    """(channel, bank, row, column, unit) of vectors by their number in the tier."""
    found = layout.locate(layout.vector_bytes, np.array(vectors, np.int64))
    columns = zip(found.channel, found.bank, found.row, found.column, found.unit, strict=True)
    return [tuple(int(value) for value in row) for row in columns]  # type: ignore[misc]


def test_places_in_table_order_follow_the_address_map() -> None:
    """Least significant first: column in the vector, channel, bank group, rank, bank, column, row."""
    layout = layout_of("dimm", system="host-dimm", vector_bytes=256, overrides=DIMM_IN_ORDER)
    vectors = [0, 1, 2, 8, 16, 64, 64 * 32]
    assert [where[:4] for where in place(layout, vectors)] == [
        (0, 0, 0, 0),
        (1, 0, 0, 0),
        (0, 4, 0, 0),  # bank group 1
        (0, 16, 0, 0),  # rank 1
        (0, 1, 0, 0),  # bank 1 of bank group 0
        (0, 0, 0, 4),  # the next vector of the row
        (0, 0, 1, 0),  # 32 vectors fill a row of 8 KiB
    ]


def test_units_are_nodes_of_their_level() -> None:
    ranks = layout_of("dimm", system="recnmp", overrides=DIMM_IN_ORDER)
    assert (ranks.units, ranks.unit_stride) == (2, 16)
    assert [where[4] for where in place(ranks, [0, 2, 8, 10])] == [0, 0, 1, 1]
    groups = layout_of("hbm", system="heam", overrides=IN_ORDER)
    assert (groups.units, groups.unit_stride) == (4, 4)
    assert [where[4] for where in place(groups, [0, 8, 16, 24, 32])] == [0, 1, 2, 3, 0]
    pseudo = layout_of("hbm", system="heam", overrides={**IN_ORDER, **PSEUDO_CHANNELS})
    assert (pseudo.units, pseudo.unit_stride) == (8, 4)
    banks = layout_of("hbm", system="heam", overrides={"hbm.pim.unit_level": "bank"})
    assert (banks.units, banks.unit_stride) == (16, 1)
    die = layout_of(
        "hbm", system="heam", overrides={"hbm.pim.unit_level": "channel", "hbm.pim.merge_level": ""}
    )
    assert (die.units, die.unit_stride) == (1, 16)


def test_channels_are_numbered_over_all_tiers_and_lines_do_not_meet() -> None:
    layouts = placed([[[0], [0]]], [64], system="host-hbm-dimm").layouts
    hbm, dimm = layouts["hbm"], layouts["dimm"]
    assert (hbm.first_channel, dimm.first_channel) == (0, 8)
    assert hbm.line_base == 0
    assert dimm.line_base == (4 << 30) // 64  # behind the last line of the HBM


def test_pages_are_whole_and_at_random_places() -> None:
    ordered = layout_of("dimm", system="host-dimm", overrides=DIMM_IN_ORDER)
    random = layout_of("dimm", system="host-dimm")
    vector = np.arange(4 * 64, dtype=np.int64)
    moved = random.locate(64, vector).line * 64
    assert (moved % 4096 == vector * 64 % 4096).all(), "a page stays in one piece"
    frames = moved.reshape(4, -1) // 4096
    assert (frames == frames[:, :1]).all() and len(np.unique(frames)) == 4
    assert (random.locate(64, vector).line != ordered.locate(64, vector).line).any()
    other = layout_of("dimm", system="host-dimm", overrides={"dimm.page_seed": 7})
    assert (other.locate(64, vector).line != random.locate(64, vector).line).any()
    again = layout_of("dimm", system="host-dimm")
    assert (again.locate(64, vector).line == random.locate(64, vector).line).all()


def test_every_frame_is_used_once_when_a_tier_is_full() -> None:
    overrides = {"dimm.channels": 1, "dimm.overrides": {"rank": 1, "rows": 32}}
    layout = layout_of("dimm", system="host-dimm", overrides=overrides)
    assert layout.capacity_bytes == 16 * 32 * 8192
    every = np.arange(layout.capacity_bytes // 64, dtype=np.int64)
    found = layout.locate(64, every)
    keys = (found.bank * 32 + found.row) * 128 + found.column
    assert len(np.unique(keys)) == every.size == keys.max() + 1
    assert len(np.unique(found.line)) == every.size


# --- hot rows ---


def hot_rows(profile: list[int], share: float, **overrides: Any) -> tuple[list[int], float]:
    model = placed(
        [[profile, []]], [64], system="host-hbm-dimm", overrides={"placement.hot_share": share, **overrides}
    )
    return model.hot.rows.tolist(), model.hot.share


def test_hot_rows_are_the_fewest_that_reach_the_share() -> None:
    profile = [9] * 5 + [3] * 3 + [40] * 1 + [7] * 1
    assert hot_rows(profile, 0.5) == ([9], 0.5)
    assert hot_rows(profile, 0.51) == ([3, 9], 0.8)
    assert hot_rows(profile, 0.8) == ([3, 9], 0.8)
    assert hot_rows(profile, 0.81) == ([3, 7, 9], 0.9)  # of equals the lower row
    assert hot_rows(profile, 1) == ([3, 7, 9, 40], 1.0)
    assert hot_rows(profile, 0) == ([], 0.0)
    assert hot_rows([], 0.9) == ([], 0.0)


def test_hot_rows_are_cut_at_the_capacity() -> None:
    small = {"hbm.channels": 1, "hbm.overrides": {"rows": 1, "bank": 1, "bank_group": 1}}
    small["hbm.page_bytes"] = 2048
    rows, share = hot_rows(list(range(40)), 1, **small)  # one DRAM row of 2 KiB holds 32 vectors of 64 B
    assert rows == list(range(32)) and share == 0.8


def test_r_rows_do_not_count_and_come_first_without_a_lut() -> None:
    bags = [[[0, 1, 2, 21], [0]]]
    host = placed(
        bags, [64], system="host-hbm-dimm", embedding="qr:4", overrides={"placement.hot_share": 0.7}
    )
    # R is subtable 0 with rows 0 to 3 of the model, Q behind it; Q0 takes three of four accesses.
    assert host.hot.rows.tolist() == [4] and host.hot.share == 0.75
    assert host.hot_small.tolist() == [0, -1] and host.hot.slot.tolist() == [4]
    heam = placed(bags, [64], system="heam", embedding="qr:4", overrides={"placement.hot_share": 0.7})
    assert heam.hot_small.tolist() == [-1, -1] and heam.hot.slot.tolist() == [0]
    assert heam.lut_rows == 4 and heam.small.tolist() == [0, -1]


def test_finding_hot_rows() -> None:
    model = placed([[[9, 9, 3], []]], [64], system="host-hbm-dimm", overrides={"placement.hot_share": 1})
    assert model.hot.find(np.array([3, 9, 0, 10, 63])).tolist() == [0, 1, -1, -1, -1]
    nothing = placed([[[9], []]], [64], system="host-hbm-dimm", overrides={"placement.hot_share": 0})
    assert nothing.hot.find(np.array([9])).tolist() == [-1]


def test_the_profile_alone_decides() -> None:
    """What is simulated has no say in what is hot."""
    one = placed([[[5, 5], [7] * 9]], [64], system="heam")
    two = placed([[[5, 5], [30] * 9]], [64], system="heam")
    assert one.hot.rows.tolist() == two.hot.rows.tolist() == [5]


# --- R: LUT, replicas, home ---


@pytest.mark.parametrize(
    ("system", "embedding", "overrides", "lut_rows", "replicated"),
    [
        ("heam", "qr:8", {}, 8 + 5, True),
        ("heam", "qr:8:add", {}, 8 + 5, True),
        ("heam", "qr:8", {"hbm.pim.lut_bytes": 3 * 64 + 63}, 3, True),
        ("heam", "qr:8", {"hbm.pim.lut_bytes": 0}, 0, True),
        ("heam", "full", {}, 0, True),
        ("recnmp", "qr:8", {}, 0, True),
        ("recnmp", "qr:8:add", {}, 0, False),
        ("host-dimm", "qr:8", {}, 0, False),
    ],
)
def test_where_r_lives(
    system: str, embedding: str, overrides: dict[str, Any], lut_rows: int, replicated: bool
) -> None:
    model = placed([[[0], []], [[0], []]], [64, 5], system=system, embedding=embedding, overrides=overrides)
    assert (model.lut_rows, model.replicated) == (lut_rows, replicated)


def test_replicas_take_the_top_rows_of_every_bank() -> None:
    """100 R rows of 64 B in 4 banks a unit, 32 to a DRAM row: one row of every bank."""
    options: dict[str, Any] = {
        "system": "heam",
        "embedding": "qr:100",
        "overrides": {**IN_ORDER, "hbm.pim.lut_bytes": 0},
    }
    model = placed([[[0], []]], [1000], **options)
    layout = model.layouts["hbm"]
    assert (model.small_rows, model.lut_rows, layout.reserved_rows) == (100, 0, 1)
    assert layout.capacity_bytes == 8 * 16 * (16384 - 1) * 2048
    numbers = np.arange(100, dtype=np.int64)
    copies = layout.locate_replica(64, numbers, np.full(100, 3), np.full(100, 2))
    assert (copies.channel == 3).all() and (copies.unit == 2).all()
    assert copies.bank.tolist() == [8 + n % 4 for n in range(100)]  # the banks of bank group 2
    assert (copies.row == 16383).all()
    assert copies.column.tolist() == [n // 4 for n in range(100)]


def test_capacity_leaves_out_the_replicas() -> None:
    full = layout_of("dimm", system="recnmp", embedding="qr:4:add")
    assert (full.reserved_rows, full.capacity_bytes) == (0, 32 << 30)
    less = layout_of("dimm", system="recnmp", embedding="qr:4")
    assert (less.reserved_rows, less.capacity_bytes) == (1, (32 << 30) - 2 * 32 * 8192)


# --- what cannot be ---


def test_the_error_says_by_how_much() -> None:
    small = {"dimm.channels": 1, "dimm.overrides": {"rank": 1, "rows": 1}}  # 16 banks x 8 KiB = 2048 vectors
    placed([[[0], []]], [2048], system="host-dimm", overrides=small)
    with pytest.raises(CapacityError, match="needs 131136 bytes, 64 more than the 131072"):
        placed([[[0], []]], [2049], system="host-dimm", overrides=small)
    # Compression makes it fit: 1025 Q rows and 2 R rows.
    placed([[[0], []]], [2049], system="host-dimm", embedding="qr:2", overrides=small)


def test_vectors_split_over_pes_are_refused() -> None:
    split = {"dimm.address_map": "row column bank rank bank_group column.vector channel"}
    with pytest.raises(ConfigError, match="tier dimm: address_map splits a vector"):
        placed([[[0], []]], [64], system="recnmp", vector_bytes=128, overrides=split)
    # A vector of one burst cannot be split.
    placed([[[0], []]], [64], system="recnmp", vector_bytes=64, overrides=split)


@given(
    st.lists(st.integers(0, 2**45), unique=True, max_size=200),
    st.integers(1, 3),
    st.lists(st.integers(-1, 2**45), max_size=50),
)
def test_a_row_set_finds_its_rows_and_no_others(rows: list[int], stride: int, others: list[int]) -> None:
    """Neighbours too, which share buckets with rows far away."""
    members = np.unique(np.array([row + i * stride for row in rows for i in range(3)], np.int64))
    sizes = np.where(members % 2 == 0, 64, 128)
    found = RowSet(members, sizes, {64: 10}, 0.5)
    assert found.find(members).tolist() == found.slot.tolist()
    assert sorted(found.slot[sizes == 64].tolist()) == list(range(10, 10 + int((sizes == 64).sum())))
    outside = np.array([row for row in others if row not in set(members.tolist())], np.int64)
    assert (found.find(outside) == -1).all() and found.find(outside).size == outside.size
    assert found.find(np.array([[-1, -1]])).tolist() == [[-1, -1]]
