# SPDX-License-Identifier: MIT
"""Results: derived numbers, tables, files."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from heam_sim.energy import COMPONENTS
from heam_sim.errors import ConfigError, DatasetError, OutputError
from heam_sim.results import ResultSet, read_frame, write_atomically
from tests.unit.results_cases import make_result, make_study


def test_rates_and_ceilings():
    result = make_result(speed=2.0)  # 10 samples, 260 GnRs, 520 lookups in 500 ns
    assert result.samples_per_second == pytest.approx(10 / 500e-9)
    assert result.gnrs_per_second == pytest.approx(260 / 500e-9)
    assert result.lookups_per_second == pytest.approx(520 / 500e-9)
    assert result.bound == "host-side bus"
    assert result.achieved_fraction == pytest.approx(1.0)
    assert result.energy_per_sample_pJ == pytest.approx(result.energy_pJ / 10)
    assert result.average_power_W * 500 * 1e3 == pytest.approx(result.energy_pJ)


def test_an_empty_run_is_legal():
    empty = make_result(samples=0, gnrs=0, lookups=0, time_ns=0.0, ceilings=[])
    assert math.isnan(empty.samples_per_second) and math.isnan(empty.energy_per_sample_pJ)
    assert math.isnan(empty.achieved_fraction) and empty.bound == ""
    assert len(empty.to_frame()) == 1


def test_frame_is_one_row_with_units():
    result = make_result()
    frame = result.to_frame()
    assert len(frame) == 1
    row = frame.iloc[0]
    assert row["collisions"] == 4 and row["latency_p95_ns"] == 2.0 and row["bound"] == "host-side bus"
    parts = [row[f"energy_{name}_pJ"] for name in COMPONENTS]
    assert math.fsum(parts) == pytest.approx(row["energy_pJ"]) == pytest.approx(result.energy_pJ)
    assert row["energy_low_pJ"] < row["energy_pJ"] < row["energy_high_pJ"]
    assert row["energy_per_sample_pJ"] == pytest.approx(row["energy_pJ"] / 10)


def test_repr_is_short():
    assert repr(make_result()).startswith(
        "<Result host-dimm, qr-c4-multiply, 64 B, scope bag: 10 samples in 1000 ns"
    )
    assert len(repr(make_result())) < 140
    assert repr(make_study()) == "<ResultSet of 16 results: host-dimm, host-hbm-dimm, recnmp, heam>"


def test_numpy_values_become_plain():
    result = make_result(
        samples=np.int64(3), config={"a": np.arange(2), "b": (np.float64(0.5), np.bool_(True))}
    )
    assert type(result.samples) is int
    assert result.config == {"a": [0, 1], "b": [0.5, True]}
    assert type(result.config["b"][1]) is bool


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": -1}, "samples"),
        ({"samples": 1.5}, "samples"),
        ({"system": ""}, "system"),
        ({"time_ns": math.inf}, "time_ns"),
        ({"latency_ns": {"mean": 1.0}}, "latency_ns lacks 'p50'"),
        ({"ceilings": [{"resource": "x"}]}, "ceiling"),
        ({"config": {"path": Path("x")}}, "config.path"),
        ({"config": {"a": {1: 2}}}, "config.a: key 1"),
    ],
)
def test_wrong_fields_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        make_result(**change)


def test_a_result_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_result().system = "other"  # type: ignore[misc]


def test_set_is_a_list():
    results = make_study()
    assert len(results) == 16 and results[0].system == "host-dimm" and len(list(results)) == 16
    assert len(results.to_frame()) == 16
    with pytest.raises(ConfigError, match="give a Result"):
        results.append("x")  # type: ignore[arg-type]


def test_hdf5_round_trip_is_lossless(tmp_path):
    saved = ResultSet(make_study(), provenance={"command": ["heam-sim", "reproduce"]})
    # More JSON than fits into an HDF5 attribute.
    saved.append(make_result("other", channel_counters=[{"channel": i, "x": "y" * 100} for i in range(2000)]))
    path = tmp_path / "deep" / "results.h5"
    saved.save(path)
    loaded = ResultSet.load(path)
    assert loaded == saved
    assert loaded != make_study()
    pd.testing.assert_frame_equal(loaded.to_frame(), saved.to_frame())
    assert [entry.name for entry in path.parent.iterdir()] == ["results.h5"]
    with h5py.File(path, "r") as file:
        names = {"filetype", "format_version", "software_version", "created_utc", "uuid", "provenance"}
        assert names <= set(file.attrs)
        assert list(file.attrs["format_version"]) == [1, 3]


def test_an_empty_set_round_trips(tmp_path):
    ResultSet().save(tmp_path / "r.h5")
    assert ResultSet.load(tmp_path / "r.h5") == ResultSet()


def test_saving_replaces(tmp_path):
    path = tmp_path / "r.h5"
    make_study().save(path)
    ResultSet([make_result()]).save(path)
    assert len(ResultSet.load(path)) == 1


def _edit(path, change):
    with h5py.File(path, "r+") as file:
        change(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.attrs.modify("filetype", "heam_sim.trace"), "'heam_sim.trace'"),
        (lambda f: f.attrs.__delitem__("filetype"), "without a filetype"),
        (lambda f: f.attrs.modify("format_version", np.array([2, 0])), "newer"),
        (lambda f: f.attrs.modify("format_version", np.array([0, 9])), "older"),
        (lambda f: f.attrs.__delitem__("format_version"), "damaged"),
        (lambda f: f.__delitem__("results/000003"), "damaged"),
        (lambda f: f.__delitem__("results/000003/energy"), "damaged"),
        (lambda f: f["results/000000/config"].__setitem__((), "{"), "damaged"),
        (lambda f: f["results/000000"].attrs.modify("samples", -5), "samples"),
        (lambda f: f["results/000000/energy/energy_pJ"].__setitem__((0, 0), 1e99), "damaged"),
    ],
)
def test_a_foreign_or_damaged_file_is_refused(tmp_path, change, message):
    path = tmp_path / "r.h5"
    make_study().save(path)
    _edit(path, change)
    with pytest.raises(DatasetError, match=message) as caught:
        ResultSet.load(path)
    assert "r.h5" in str(caught.value)


@pytest.mark.parametrize("keep", [0, 4, 100, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path, keep):
    path = tmp_path / "r.h5"
    make_study().save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(DatasetError, match=r"r\.h5"):
        ResultSet.load(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="no such file"):
        ResultSet.load(tmp_path / "none.h5")


def test_csv_holds_the_frame(tmp_path):
    results = make_study()
    results.write(tmp_path / "summary.csv")
    results.save(tmp_path / "results.h5")
    from_csv, from_h5 = (read_frame(tmp_path / name) for name in ("summary.csv", "results.h5"))
    pd.testing.assert_frame_equal(from_csv, from_h5, check_dtype=False)
    with pytest.raises(DatasetError, match=r"none\.csv"):
        read_frame(tmp_path / "none.csv")


def test_an_unwritable_place_is_a_typed_error(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("x", encoding="utf-8")
    for write in (make_study().save, make_study().write):
        with pytest.raises(OutputError, match="cannot be written"):
            write(blocker / "sub" / "out.h5")
    target = tmp_path / "taken.h5"
    target.mkdir()
    with pytest.raises(OutputError, match=r"taken\.h5"):
        make_study().save(target)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "taken.h5"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("old", encoding="utf-8")

    def write(part):
        part.write_text("half", encoding="utf-8")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, write)
    assert path.read_text(encoding="utf-8") == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.txt"]
