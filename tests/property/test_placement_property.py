# SPDX-License-Identifier: MIT
"""Whatever the system, scheme and size: every row has places of its own, PEs read their own banks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heam_sim.placement import Located, TierLayout
from heam_sim.planning import Plan, plan
from heam_sim.verification import declare_homes
from tests.functional.small import ON_HBM, PSEUDO_CHANNELS, SYSTEMS, mixed_trace


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """A random system with a random model of up to 200,000 rows."""
    system = draw(st.sampled_from(SYSTEMS))
    overrides: dict[str, Any] = {
        "dimm.channels": draw(st.integers(1, 3)),
        "dimm.pages": draw(st.sampled_from(["random", "table-order"])),
    }
    if system in ON_HBM:
        overrides |= draw(st.sampled_from([{}, PSEUDO_CHANNELS]))
        overrides["hbm.channels"] = draw(st.sampled_from([1, 3, 8]))
        overrides["placement.hot_share"] = draw(st.sampled_from([0, 0.4, 1]))
    if system == "heam":
        overrides["hbm.pim.lut_bytes"] = draw(st.sampled_from([0, 1024, 131072]))
        overrides["hbm.pim.unit_level"] = draw(st.sampled_from(["bank", "bank_group"]))
    if system == "tensordimm":
        overrides["placement.stripe"] = draw(st.sampled_from(["tier", "channel"]))
    embeddings = [
        "full",
        "hash:0.3",
        "qr:3",
        "qr:4:add",
        "qr:50:multiply:3",
        "partitions:3",
        "qr:3:concatenate:3",
    ]
    embeddings += [] if system == "tensordimm" else ["tt:16", "tt:3:auto:3"]
    if system in ("host-hbm-dimm", "recnmp", "heam"):
        overrides["dimm.page_bytes"] = draw(st.sampled_from([1024, 4096, 65536]))
    if system.startswith("trim"):
        overrides["placement.replicate_share"] = draw(st.sampled_from([0.0, 0.3, 1.0]))
    cardinalities = draw(st.lists(st.sampled_from([1, 3, 70, 900, 200_000]), min_size=1, max_size=3))
    return plan(
        mixed_trace(samples=6, cardinalities=cardinalities, seed=draw(st.integers(0, 9))),
        system=system,
        embedding=draw(st.sampled_from(embeddings)),
        vector_bytes=draw(st.sampled_from([128, 256, 1024])),
        profile=0.5,
        overrides=overrides,
    )


def _inside(layout: TierLayout, place: Located, bursts: int) -> None:
    spec = layout.spec
    assert (
        (place.channel >= layout.first_channel)
        & (place.channel < layout.first_channel + layout.tier.channels)
    ).all()
    assert ((place.bank >= 0) & (place.bank < spec.banks)).all()
    assert ((place.row >= 0) & (place.row < spec.rows)).all()
    assert ((place.column >= 0) & (place.column + bursts <= spec.columns)).all()
    assert (place.column % bursts == 0).all(), "a part of a row lies whole in one DRAM row"
    assert (place.unit == place.bank // layout.unit_stride).all()


def _keys(place: Located) -> set[tuple[int, int, int, int]]:
    columns = (place.channel, place.bank, place.row, place.column)
    return set(zip(*(column.tolist() for column in columns), strict=True))


@settings(max_examples=40)
@given(plans(), st.integers(0, 2**32))
def test_every_row_has_a_place_of_its_own(planned: Plan, seed: int) -> None:
    for layout in planned.placement.layouts.values():
        ordinary: set[tuple[int, int, int, int]] = set()
        lines: list[np.ndarray] = []
        expected = 0
        for size, region in layout.regions.items():
            shape = region.shape
            bursts = shape.slot_bytes // layout.spec.burst_bytes
            chosen = np.unique(
                np.random.default_rng(seed).integers(0, region.slots(layout) // shape.slices, 300)
            )
            for part in range(shape.parts):
                place = layout.locate(size, chosen, part)
                _inside(layout, place, bursts)
                ordinary |= _keys(place)
                lines.append(place.line)
                expected += chosen.size
                assert (place.line % (shape.slot_bytes // layout.line_bytes) == 0).all()
                if layout.reserved_rows:
                    assert (place.row < layout.spec.rows - layout.reserved_rows).all()
        assert len(ordinary) == expected == len(np.unique(np.concatenate(lines)))


@settings(max_examples=40)
@given(plans())
def test_copies_are_apart_from_everything_and_near_their_pe(planned: Plan) -> None:
    layout = planned.placement.pim_layout
    if layout is None:
        return
    found: set[tuple[int, int, int, int]] = set()
    expected = 0
    for size, area in layout.replicas.items():
        number = np.unique(np.r_[np.arange(min(area.rows, 200)), area.rows - 1])
        bursts = area.shape.slot_bytes // layout.spec.burst_bytes
        for unit in range(0, layout.units, 3):
            where = np.full_like(number, layout.first_channel), np.full_like(number, unit)
            for part in range(area.shape.pieces):
                place = layout.locate_replica(size, number, *where, part)
                _inside(layout, place, bursts)
                assert (place.unit == unit).all()
                assert (place.row >= layout.spec.rows - layout.reserved_rows).all()
                found |= _keys(place)
                expected += number.size
    assert len(found) == expected


@settings(max_examples=25)
@given(plans())
def test_parts_of_a_row_stay_together_or_apart(planned: Plan) -> None:
    """Pieces of a long row lie at one PE; slices of a striped vector at different ones."""
    layout = planned.placement.home
    number = np.arange(60)
    for size, region in layout.regions.items():
        shape = region.shape
        places = [layout.locate(size, number, part) for part in range(shape.parts)]
        nodes = np.stack(
            [np.int64(65536) * place.channel + place.bank // layout.unit_stride for place in places]
        )
        if shape.pieces > 1:
            assert (nodes == nodes[0]).all()
            assert (np.stack([place.bank for place in places]) == places[0].bank).all()
        if shape.slices > 1:
            assert all(len(set(column)) == shape.slices for column in nodes.T.tolist())


@settings(max_examples=25)
@given(plans())
def test_no_two_rows_share_a_home(planned: Plan) -> None:
    homes = declare_homes(planned)
    where = np.stack((homes.channel, homes.bank, homes.dram_row, homes.column), axis=1)
    assert len(np.unique(where, axis=0)) == len(where)


@settings(max_examples=25)
@given(plans())
def test_operands_go_where_their_rows_live(planned: Plan) -> None:
    """Items in program order: R before its Q, both at one PE when they are multiplied there."""
    items = planned.lowered(0, planned.simulated.samples).items
    homes = declare_homes(planned)
    known = {
        key: (int(table), int(row), int(burst))
        for key, table, row, burst in zip(
            zip(
                homes.channel.tolist(),
                homes.bank.tolist(),
                homes.dram_row.tolist(),
                homes.column.tolist(),
                strict=True,
            ),
            homes.subtable_id,
            homes.row,
            homes.burst,
            strict=True,
        )
    }
    banked = items["kind"] < 2
    keys = zip(*(items[name][banked].tolist() for name in ("channel", "bank", "row", "column")), strict=True)
    whole = planned.placement.home.tier.pim is None or planned.system.placement.partition == "horizontal"
    if whole and not planned.scheme.label.startswith("tt"):
        assert all(known[key][2] == 0 for key in keys), "an operand starts at the first burst of a row"
    else:
        assert all(key in known for key in keys)
    role, pim = items["role"], items["kind"] > 0
    linked = np.flatnonzero(pim & ((role == 1) | (role == 3)))
    assert np.isin(role[linked + 1], (2, 3)).all() and (role[linked + 1] != 1).all()
    assert int((pim & (role == 1)).sum()) == int((pim & (role == 2)).sum())
    for name in ("channel", "unit", "slot"):
        assert (items[name][linked] == items[name][linked + 1]).all()


@pytest.mark.parametrize("system", SYSTEMS)
def test_huge_models_cost_no_memory(system: str) -> None:
    """A table of 2**28 rows is placed without building anything of its size."""
    trace = mixed_trace(samples=4, cardinalities=(1 << 28,))
    planned = plan(trace, system=system, embedding="full", vector_bytes=64, profile=0.5)
    assert planned.placement.first_row.nbytes + planned.placement.hot.rows.nbytes < 1000
    _inside(planned.placement.home, planned.placement.home.locate(64, np.array([0, (1 << 28) - 1])), 1)
