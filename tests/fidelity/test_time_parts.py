# SPDX-License-Identifier: MIT
"""What the time went to: parts that sum to the whole, and chains derived by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import heam_sim
from heam_sim.planning import plan
from heam_sim.results import Result
from heam_sim.systems import known_systems
from tests.fidelity.test_micro_heam import BASE, ONE, TWO, TWO_OPTIONS
from tests.fidelity.test_micro_space import MIXED, MIXED_OPTIONS
from tests.functional.small import trace_of

ZIPF = heam_sim.datasets.generate("criteo-kaggle", samples=60)
LONGER = heam_sim.datasets.generate("criteo-kaggle", samples=1500)


def _parts(result: Result) -> dict[tuple[str, str], float]:
    return {(row["tier"], row["resource"]): row["time_ns"] for row in result.time_parts if row["time_ns"]}


@pytest.mark.parametrize("embedding", ["full", "qr:4"])
@pytest.mark.parametrize("system", known_systems())
def test_parts_sum_to_the_time(system: str, embedding: str) -> None:
    result = heam_sim.simulate(ZIPF, system=system, embedding=embedding, vector_bytes=128)
    assert sum(_parts(result).values()) == pytest.approx(result.time_ns, rel=1e-12)
    assert ("host", "not traced") not in _parts(result)
    assert all(row["time_ns"] >= 0 and row["waits"] > 0 for row in result.time_parts)
    assert [row["time_ns"] for row in result.time_parts] == sorted(
        (row["time_ns"] for row in result.time_parts), reverse=True
    )
    first = result.time_parts[0]
    assert result.bound_by == f"{first['tier']}: {first['resource']}"
    assert result.bound_by_share == pytest.approx(first["time_ns"] / result.time_ns)


def test_an_empty_trace_takes_no_time() -> None:
    result = heam_sim.simulate(trace_of([[[], []]], cardinalities=[64]), system="heam", profile=0.5)
    assert (result.time_ns, result.bound_by) == (0, "unknown")
    assert np.isnan(result.bound_by_share)


def test_one_lookup_of_heam() -> None:
    # From the end (docs/models/heam.md, A): the host adds until 79; PIM_RDRES 62, on its way until 78;
    # PIM_MOV 45, at the adder until 62; PIM_RD 25, through the ALU at 42, ready 3 cycles later; nRCD before;
    # delivered at 9, the instruction before it at 8, each 1 cycle on the path, and the second decoded for 1
    # more; the four PIM_WRLUT from cycle 1 to 7 have occupied bus and path.
    assert _parts(heam_sim.simulate(ONE, **BASE)) == {
        ("hbm", "data latency"): 16 + 17 + 3 + 17,
        ("hbm", "bank"): 14,
        ("hbm", "host bus"): 6,
        ("hbm", "instruction path"): 1 + 1 + 1 + 2,
        ("host", "host adder"): 1,
    }


def test_two_units_of_heam() -> None:
    # B: the last burst is the second of PIM_RDRES at 78 and 80 (nBL on the host's bus); the result is ready
    # at 78, 17 after the last PIM_MOV, which follows its neighbours on the vias: 61, 59, back to those of the
    # first unit, 57 and 55; that of 55 was ready with the data of the second PIM_RD: 35 + 17 (ALU), 3 later.
    parts = _parts(heam_sim.simulate(TWO, **TWO_OPTIONS))
    assert parts["hbm", "data latency"] == 16 + 17 + 3 + 17
    assert parts["hbm", "dram bus"] == 6
    assert parts["hbm", "bank group io"] == 2  # PIM_RD 33 and 35 in one bank group
    assert parts["hbm", "bank"] == 14
    assert sum(parts.values()) == 97


def test_a_cold_row_of_space() -> None:
    # docs/models/space.md, A: the host adds until 74; PIM_RDRES 57; PIM_XMOV 41, added in the stack by 57;
    # the sum of channel 0 is ready 3 after the immediate is added at 38, whose PIM_WRIMM went at 31, when the
    # host had the row of RD 23 (14.375 ns), nRCD after ACT 1.
    assert _parts(heam_sim.simulate(MIXED, **MIXED_OPTIONS)) == {
        ("hbm", "data latency"): 16 + 16 + 3 + 7,
        ("dimm", "data latency"): 31 - 23 * 0.625,
        ("dimm", "bank"): 22 * 0.625,
        ("dimm", "host issue"): 0.625,
        ("host", "host adder"): 1,
    }


def test_a_new_row_in_every_bank_in_turn_is_bound_by_the_activation_window() -> None:
    # One HBM2 channel read by a host without LLC, round its 16 banks and always to new rows of 32 bursts. Row
    # and column commands have slots of their own, so four ACTs take nFAW = 30 and nothing else counts.
    rows = np.arange(150).repeat(16) * 16 * 32 + np.tile(np.arange(16), 150)
    trace = trace_of([[list(rows)]], cardinalities=[int(rows.max()) + 1])
    options: dict[str, Any] = {
        "host.llc_bytes": 0,
        "dimm.memory": "native/HBM2_4Gb_legacy/HBM2_2000",
        "dimm.overrides": {},
        "dimm.power": "hbm2-4gb-legacy",
        "dimm.channels": 1,
        "dimm.refresh": False,
        "dimm.pages": "table-order",
    }
    result = heam_sim.simulate(trace, system="host-dimm", vector_bytes=64, profile=0, overrides=options)
    # The last of 2,400 ACTs is the fourth of its window, 3 x nRRDS after the first: 599 x 30 + 12 after the
    # first of all, of which the walk goes back through 599 windows and 3 single distances.
    assert _parts(result)["dimm", "activation power"] == 599 * 30 + 12
    assert result.bound_by == "dimm: activation power"
    assert result.bound_by_share > 0.99


def test_longer_walks_give_the_same_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the chain is cut hardly matters: a whole run and pieces of 20 us agree within 2 % of the time."""
    shares = []
    for walk in (20_000_000, 10**12):
        monkeypatch.setattr("heam_sim.planning._WALK_PS", walk)
        result = heam_sim.simulate(LONGER, system="heam", embedding="qr:4", vector_bytes=128)
        shares.append({key: part / result.time_ns for key, part in _parts(result).items()})
    names = shares[0].keys() | shares[1].keys()
    assert max(abs(shares[0].get(name, 0) - shares[1].get(name, 0)) for name in names) < 0.02


@pytest.mark.parametrize("system", ["recnmp", "heam", "proactivepim"])
def test_a_command_log_changes_no_account(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """ALUs finish cores of tensor trains many walks after they were read; without a log the host is ahead."""
    monkeypatch.setattr("heam_sim.planning._WALK_PS", 50_000)
    trace = heam_sim.generate("criteo-kaggle", samples=20)
    options: dict[str, Any] = {"system": system, "embedding": "tt:16", "vector_bytes": 512, "scope": "bag"}
    silent = heam_sim.simulate(trace, **options)
    assert heam_sim.simulate(trace, check=True, **options).time_parts == silent.time_parts


def test_faster_where_the_account_says_so() -> None:
    """HEAM at 64 B waits for latencies and holds all batch tags: more tags help, a wider ALU does not."""
    options: dict[str, Any] = {"embedding": "qr:4", "vector_bytes": 64}
    base = heam_sim.simulate(LONGER, system="heam", **options)
    waits = {row["resource"]: row["waits"] for row in base.time_parts}
    assert waits["batch tags"] > 0 and "ALU" not in waits
    tags = heam_sim.simulate(LONGER, system="heam", overrides={"hbm.pim.batch_tags": 16}, **options)
    alu = heam_sim.simulate(LONGER, system="heam", overrides={"hbm.pim.alu_bytes_per_cycle": 128}, **options)
    assert tags.time_ns < 0.8 * base.time_ns
    assert alu.time_ns == pytest.approx(base.time_ns, rel=0.01)
    assert plan(LONGER, system="heam").host_parameters().ledger_ticks > 0
