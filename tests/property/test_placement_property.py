# SPDX-License-Identifier: MIT
"""Whatever the system, scheme and size: every row has places of its own, PEs read their own banks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heam_sim.placement import Located, TierLayout
from heam_sim.simulation import Plan, plan
from heam_sim.verification import declare_homes
from tests.functional.small import PSEUDO_CHANNELS, SYSTEMS, mixed_trace


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """A random system with a random model of up to 200,000 rows."""
    system = draw(st.sampled_from(SYSTEMS))
    overrides: dict[str, Any] = {
        "dimm.channels": draw(st.integers(1, 3)),
        "dimm.pages": draw(st.sampled_from(["random", "table-order"])),
    }
    if system in ("heam", "host-hbm-dimm"):
        overrides |= draw(st.sampled_from([{}, PSEUDO_CHANNELS]))
        overrides["hbm.channels"] = draw(st.sampled_from([1, 3, 8]))
        overrides["placement.hot_share"] = draw(st.sampled_from([0, 0.4, 1]))
    if system == "heam":
        overrides["hbm.pim.lut_bytes"] = draw(st.sampled_from([0, 1024, 131072]))
        overrides["hbm.pim.unit_level"] = draw(st.sampled_from(["bank", "bank_group"]))
    cardinalities = draw(st.lists(st.sampled_from([1, 3, 70, 900, 200_000]), min_size=1, max_size=3))
    return plan(
        mixed_trace(samples=6, cardinalities=cardinalities, seed=draw(st.integers(0, 9))),
        system=system,
        embedding=draw(st.sampled_from(["full", "qr:3", "qr:4:add", "qr:50:multiply:3"])),
        vector_bytes=draw(st.sampled_from([64, 256, 1024])),
        profile=0.5,
        overrides=overrides,
    )


def _inside(layout: TierLayout, place: Located) -> None:
    spec = layout.spec
    assert (
        (place.channel >= layout.first_channel)
        & (place.channel < layout.first_channel + layout.tier.channels)
    ).all()
    assert ((place.bank >= 0) & (place.bank < spec.banks)).all()
    assert ((place.row >= 0) & (place.row < spec.rows)).all()
    assert ((place.column >= 0) & (place.column + layout.vector_bursts <= spec.columns)).all()
    assert (place.column % layout.vector_bursts == 0).all(), "a vector lies whole in one DRAM row"
    assert (place.unit == place.bank // layout.unit_stride).all()


def _keys(place: Located) -> set[tuple[int, int, int, int]]:
    columns = (place.channel, place.bank, place.row, place.column)
    return set(zip(*(column.tolist() for column in columns), strict=True))


@settings(max_examples=25)
@given(plans(), st.integers(0, 2**32))
def test_every_vector_has_a_place_of_its_own(planned: Plan, seed: int) -> None:
    for layout in planned.placement.layouts.values():
        vectors = layout.capacity_bytes // layout.vector_bytes
        chosen = np.unique(np.random.default_rng(seed).integers(0, vectors, 500))
        place = layout.locate(layout.vector_bytes, chosen)
        _inside(layout, place)
        ordinary = _keys(place)
        assert len(ordinary) == chosen.size
        assert len(np.unique(place.line)) == chosen.size
        assert (place.line % (layout.vector_bytes // layout.line_bytes) == 0).all()
        assert (place.row < layout.spec.rows - layout.reserved_rows).all() or not layout.reserved_rows


@settings(max_examples=25)
@given(plans())
def test_replicas_are_apart_from_everything_and_near_their_pe(planned: Plan) -> None:
    model = planned.placement
    layout = model.pim_layout
    if layout is None or model.small_rows == model.lut_rows or not model.replicated:
        return
    number = np.arange(model.small_rows - model.lut_rows, dtype=np.int64)
    found: set[tuple[int, int, int, int]] = set()
    for unit in range(layout.units):
        place = layout.locate_replica(
            layout.vector_bytes, number, np.full_like(number, layout.first_channel), np.full_like(number, unit)
        )
        _inside(layout, place)
        assert (place.unit == unit).all()
        assert (place.row >= layout.spec.rows - layout.reserved_rows).all()
        found |= _keys(place)
    assert len(found) == number.size * layout.units


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
    banked = items["kind"] != 2
    keys = zip(*(items[name][banked].tolist() for name in ("channel", "bank", "row", "column")), strict=True)
    assert all(known[key][2] == 0 for key in keys), "an operand starts at the first burst of a row"
    load = np.flatnonzero((items["role"] == 1) & (items["kind"] > 0))
    assert (items["role"][load + 1] == 2).all()
    for name in ("channel", "unit", "slot"):
        assert (items[name][load] == items[name][load + 1]).all()


@pytest.mark.parametrize("system", SYSTEMS)
def test_huge_models_cost_no_memory(system: str) -> None:
    """A table of 2**28 rows is placed without building anything of its size."""
    trace = mixed_trace(samples=4, cardinalities=(1 << 28,))
    planned = plan(trace, system=system, embedding="full", vector_bytes=64, profile=0.5)
    assert planned.placement.first_row.nbytes + planned.placement.hot.rows.nbytes < 1000
    _inside(planned.placement.home, planned.placement.home.locate(64, np.array([0, (1 << 28) - 1])))
