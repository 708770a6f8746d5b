# SPDX-License-Identifier: MIT
"""Results against results: every change is named with its size, and files become one without loss."""

from __future__ import annotations

import dataclasses
import math

import pytest

from heam_sim.errors import ConfigError
from heam_sim.results import ResultSet, diff_results, merge_results, statistics, unit_of
from tests.unit.results_cases import make_result, make_study


def changes(first, second, **options):
    """Statistic to (first, second) of a comparison of two results."""
    found = diff_results([first], [second], **options)
    return {row["statistic"]: (row["first"], row["second"]) for row in found.to_dict("records")}


def test_equal_results_have_no_differences():
    found = diff_results(make_study(), make_study())
    assert found.empty
    assert list(found.columns) == [
        *("result", "statistic", "first", "second", "difference", "relative", "unit")
    ]


def test_every_kind_of_statistic_is_named():
    first = make_result()
    second = make_result(
        counters={"dimm": {**first.counters["dimm"], "act": 12}},
        channel_counters=[{"channel": 0, "rd": 2**63 + 1, "hit_rate": 1 / 3}],
        host={"llc_hits": 7, "lines": 1},
        ceilings=[{"resource": "host-side bus", "time_ns": 501.0}, {"resource": "tFAW", "time_ns": 400.0}],
        config={"embedding": {"kind": "qr", "collisions": 4}, "window": 8, "note": "µ"},
        provenance={"trace_hash": "ab13", "software_version": "0.1.0"},
        latency_ns={**first.latency_ns, "p99": 2e-300},
        notes=("capacity_scale = 2", "refresh off"),
    )
    assert changes(first, second) == {
        "config.window": (None, 8),
        "provenance.trace_hash": ("ab12", "ab13"),
        "latency_ns.p99": (1e-300, 2e-300),
        "counters.dimm.act": (10, 12),
        "channel_counters.0.rd": (2**63, 2**63 + 1),
        "host.lines": (None, 1),
        # Its place in the list does not count.
        "ceilings.host-side bus.time_ns": (500.0, 501.0),
        "notes.1": ("refresh on", "refresh off"),
    }


def test_energy_is_compared_part_by_part_with_its_interval():
    first, second = make_result(vector_bytes=64), make_result(vector_bytes=128)
    second = dataclasses.replace(first, energy=second.energy)
    found = changes(first, second)
    assert all(name.startswith("energy_pJ.") for name in found)
    key = ("dimm", "cell")
    for tail, part in (("", "value"), (".low", "low"), (".high", "high")):
        pair = tuple(getattr(one.energy.components_pJ[key], part) for one in (first, second))
        assert found[f"energy_pJ.dimm.cell{tail}"] == pair


def test_rows_are_named_by_what_they_are():
    first = make_result(config={"tiers": [{"name": "hbm", "tags": 4}, {"name": "dimm", "tags": 1}]})
    second = make_result(config={"tiers": [{"name": "dimm", "tags": 1}, {"name": "hbm", "tags": 8}]})
    assert changes(first, second) == {"config.tiers.hbm.tags": (4, 8)}
    twice = make_result(config={"tiers": [{"name": "hbm", "tags": 4}, {"name": "hbm", "tags": 1}]})
    assert statistics(twice)["config.tiers.1.tags"] == 1


def test_size_and_unit_of_a_difference():
    found = diff_results([make_result(time_ns=200.0)], [make_result(time_ns=250.0)])
    row = found.set_index("statistic").loc["time_ns"]
    assert (row["difference"], row["relative"], row["unit"]) == (50.0, 0.25, "ns")
    found = diff_results([make_result(host={"llc_hits": 0})], [make_result(host={"llc_hits": 3})])
    assert (found.loc[0, "difference"], found.loc[0, "relative"]) == (3, math.inf)
    found = diff_results([make_result(notes=("a",))], [make_result(notes=("b",))])
    assert math.isnan(found.loc[0, "difference"]) and math.isnan(found.loc[0, "relative"])


def test_a_tolerance_holds_for_numbers_but_not_for_configurations():
    first = make_result(config={"window": 1000})
    second = make_result(config={"window": 1001}, time_ns=1000.5)
    assert set(changes(first, second, tolerance=1e-3)) == {"config.window"}
    assert "time_ns" in changes(first, second, tolerance=1e-4)
    with pytest.raises(ConfigError, match="tolerance"):
        diff_results([], [], tolerance=math.nan)


def test_a_number_and_a_truth_value_differ():
    assert changes(make_result(config={"a": 1}), make_result(config={"a": True})) == {"config.a": (1, True)}


def test_results_find_their_partners():
    slow, fast = make_result(config={"tags": 4}), make_result(config={"tags": 16}, speed=2.0)
    assert diff_results([slow, fast], [fast, slow]).empty, "order is no difference"
    found = diff_results([slow, fast], [fast, make_result("heam")])
    assert list(found["result"]) == [
        "host-dimm qr-c4-multiply 64 B bag",
        "heam qr-c4-multiply 64 B bag",
    ]
    assert list(found["first"]) == ["there", None] and list(found["second"]) == [None, "there"]
    # Another configuration of the same name, when nothing closer is left.
    assert "config.tags" in set(diff_results([slow], [fast])["statistic"])


def test_statistics_hold_every_number_of_a_result():
    found = statistics(make_result())
    assert found["latency_ns.mean"] == 0.1 + 0.2
    assert found["ceilings.tFAW.time_ns"] == 400.0
    assert found["config.embedding.collisions"] == 4
    assert found["channel_counters.0.rd"] == 2**63


def test_units():
    expected = {
        "time_ns": "ns",
        "latency_ns.p99": "ns",
        "lookups_per_second": "1/s",
        "vector_bytes": "B",
        "energy_pJ.hbm.activation.low": "pJ",
        "power.hbm.peak_power_W": "W",
        "sram_mm2": "mm2",
        "counters.hbm.cycles": "cycles",
        "counters.hbm.energy_peak": "fJ",
        "samples": "",
        "notes.0": "",
        "config.system.host.llc_bytes": "B",
        "counters.dimm.bound_by host_bus": "commands",
    }
    assert {name: unit_of(name) for name in expected} == expected


# -- merging


def test_a_merge_keeps_every_run_once():
    whole = make_study()
    merged = merge_results({"a": ResultSet(whole[i] for i in range(10)), "b": whole})
    assert list(merged) == list(whole)
    assert merged.provenance == {"merged": {"a": {}, "b": {}}}
    rewritten = ResultSet(
        dataclasses.replace(one, provenance={**one.provenance, "software_version": "9"}) for one in whole
    )
    assert list(merge_results({"a": whole, "b": rewritten})) == list(whole), "the first is kept"


def test_contradictions_are_not_merged():
    first, second = make_result(), make_result(speed=2.0)
    with pytest.raises(ConfigError, match=r"one\.h5 and two\.h5 have different results of the same run"):
        merge_results({"one.h5": ResultSet([first]), "two.h5": ResultSet([second])})
    with pytest.raises(ConfigError, match="nothing to merge"):
        merge_results({})


def study_part(results, trace="one-hot", selection="quick", seed=1):
    provenance = {"study": "s", "seed": seed, "selection": selection}
    parts = {"points": [[trace, "default"] for _ in results], "cardinalities": {trace: [5, 6]}}
    return ResultSet(results, provenance=provenance | parts)


def test_parts_of_a_study_stay_one():
    first = study_part([make_result()])
    second = study_part([make_result("heam"), make_result()], selection="full")
    merged = merge_results({"a": first, "b": second})
    assert [result.system for result in merged] == ["host-dimm", "heam"]
    assert merged.provenance["points"] == [["one-hot", "default"]] * 2
    assert merged.provenance["cardinalities"] == {"one-hot": [5, 6]}
    assert merged.provenance["selection"] == "full"
    searched = ResultSet(second, provenance={**second.provenance, "searches": [{"system": "heam"}]})
    assert merge_results({"a": first, "b": searched}).provenance == {
        **merged.provenance,
        "searches": [{"system": "heam"}],
    }
    other = study_part([make_result(provenance={"trace_hash": "other"})])
    for foreign in (study_part([make_result("heam")], seed=2), other, ResultSet([make_result("heam")])):
        assert "points" not in merge_results({"a": first, "b": foreign}).provenance
