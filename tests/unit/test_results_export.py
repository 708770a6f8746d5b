# SPDX-License-Identifier: MIT
"""Results as files of other tools, and in a notebook."""

from __future__ import annotations

import builtins
import dataclasses
import json
import math

import h5py
import numpy as np
import pandas as pd
import pytest

from heam_sim.errors import ConfigError, OutputError
from heam_sim.results import ResultSet, latex_table, write_table
from heam_sim.results.export import json_text, records
from heam_sim.systems import load_system
from heam_sim.trace import LookupTrace, TraceFile
from tests.unit.results_cases import make_result, make_study


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_tables_come_back(tmp_path, ending):
    frame = make_study().to_frame()
    make_study().write(tmp_path / f"table{ending}")
    read = pd.read_csv if ending == ".csv" else pd.read_parquet
    back = read(tmp_path / f"table{ending}")
    assert list(back.columns) == list(frame.columns)
    for column in ("system", "time_ns", "energy_pJ", "lookups"):
        assert list(back[column]) == list(frame[column])
    assert [path.name for path in tmp_path.iterdir()] == [f"table{ending}"]


def test_mixed_columns_are_text_in_parquet(tmp_path):
    frame = pd.DataFrame({"first": [1, "a", None], "x": [0.5, 1.5, 2.5]}, dtype=object).astype({"x": float})
    write_table(tmp_path / "t.parquet", frame)
    back = pd.read_parquet(tmp_path / "t.parquet")
    assert list(back["first"][:2]) == ["1", "a"] and pd.isna(back["first"][2])
    assert list(back["x"]) == [0.5, 1.5, 2.5]
    assert list(frame["first"]) == [1, "a", None], "the table itself stays"


def test_json_holds_everything(tmp_path):
    results = ResultSet([make_result(time_ns=0.0, samples=0, gnrs=0, lookups=0)], provenance={"a": 1})
    results.write(tmp_path / "r.json")
    read = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert read["provenance"] == {"a": 1}
    assert read["units"]["fields"]["time_ns"] == "ns" and read["units"]["counters"]["cycles"] == "cycles"
    (one,) = read["results"]
    fields = {item.name for item in dataclasses.fields(make_result())}
    assert fields | {"summary"} == set(one)
    assert one["channel_counters"][0]["rd"] == 2**63
    assert one["summary"]["lookups_per_second"] is None, "JSON has no NaN"
    parts = {(part["tier"], part["component"]): part["energy_pJ"] for part in one["energy"]}
    assert math.fsum(parts.values()) == pytest.approx(results[0].energy_pJ)


def test_hdf5_says_its_units(tmp_path):
    make_study().save(tmp_path / "r.h5")
    with h5py.File(tmp_path / "r.h5") as file:
        units = json.loads(file.attrs["units"])
    assert units["fields"]["latency_ns"] == "ns" and units["counters"]["rank_active"] == "cycles"


def test_json_text_of_odd_values():
    value = {"a": np.int64(3), "b": [math.inf, np.float32(0.5), np.bool_(True)], "c": (None, "µ")}
    assert json.loads(json_text(value)) == {"a": 3, "b": [None, 0.5, True], "c": [None, "µ"]}
    assert records(pd.DataFrame({"x": [1.5, math.nan]})) == [{"x": 1.5}, {"x": None}]


def test_latex():
    frame = pd.DataFrame(
        {
            "system": ["a_b & 50 %", "c"],
            "time_ns": [1234.5678, math.nan],
            "lookups_per_second": [1.5e9, math.inf],
            "vector_bytes": [64, 128],
        }
    )
    assert latex_table(frame).splitlines() == [
        r"% needs \usepackage{booktabs}",
        r"\begin{tabular}{lrrr}",
        r"\toprule",
        r"system & time (ns) & lookups per s & vector (B) \\",
        r"\midrule",
        r"a\_b \& 50 \% & 1235 & $1.5 \cdot 10^{9}$ & 64 \\",
        r"c & -- & $\infty$ & 128 \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_what_cannot_be_written(tmp_path, monkeypatch):
    frame = make_study().to_frame()
    with pytest.raises(ConfigError, match=r"unknown ending '\.xlsx'"):
        write_table(tmp_path / "t.xlsx", frame)
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written"):
        write_table(tmp_path / "file" / "t.tex", frame)

    original = builtins.__import__

    def without_pyarrow(name, *arguments, **options):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without_pyarrow)
    with pytest.raises(ConfigError, match="pip install"):
        write_table(tmp_path / "t.parquet", frame)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# -- in a notebook


def test_results_show_themselves():
    text = make_result(notes=("a < b",))._repr_html_()
    assert "<caption>host-dimm, qr-c4-multiply, 64 B, scope bag</caption>" in text
    assert "<th>time</th><td>1,000.0</td><td>ns</td>" in text and "a &lt; b" in text
    study = make_study()._repr_html_()
    assert study.count("<tr>") == len(make_study()) + 1 and "<th>system</th>" in study


def test_traces_show_themselves(tmp_path):
    trace = LookupTrace.from_arrays([[0, 4], [1, 2]], cardinalities=[5, 6], provenance={"from": "<here>"})
    text = trace._repr_html_()
    for cells in ("<th>tables</th><td>2</td>", "<th>rows</th><td>11</td>", "&lt;here&gt;"):
        assert cells in text
    trace.save(tmp_path / "t.h5")
    with TraceFile(tmp_path / "t.h5") as stored:
        assert trace.content_hash in stored._repr_html_()


def test_systems_show_themselves():
    system = load_system("heam")
    text = system._repr_html_()
    for tier in system.tiers:
        assert f"<th>{tier.name}</th><td>{tier.channels}</td><td>{tier.memory}</td>" in text


def test_results_plot_themselves():
    figure = make_study(collisions=(4,)).plot(columns=1)
    assert [axis.get_title() for axis in figure.axes] == ["c = 4, scope: sample"]
    parts = [{"tier": "dimm", "resource": "bank", "time_ns": 1000.0, "waits": 1}]
    drawn = make_result(time_parts=parts).plot()
    assert [bar.get_height() for bar in drawn.axes[0].patches] == [1.0]
    with pytest.raises(ConfigError, match="no option 'baseline'; it has columns"):
        make_result().plot(baseline="heam")
    with pytest.raises(ConfigError, match="these results have no rows"):
        make_result().plot()
