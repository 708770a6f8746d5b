# SPDX-License-Identifier: MIT
"""Figures by name: what they are drawn from, what they refuse, and the scripts that draw them."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from heam_sim.datasets import generate
from heam_sim.errors import ConfigError
from heam_sim.experiments.figure_texts import FIGURE_TEXTS
from heam_sim.experiments.figures import FIGURES, Material, draw, select
from heam_sim.experiments.stored import load_material, material_of
from heam_sim.results import ResultSet
from heam_sim.results.export import records
from tests.unit.results_cases import make_result, make_study

PLOTS = Path(__file__).resolve().parents[2] / "plots"


def test_every_figure_has_a_script_and_says_what_it_shows():
    assert list(FIGURE_TEXTS) == list(FIGURES)
    assert {path.stem for path in PLOTS.glob("*.py")} == {*FIGURES, "trace"}
    for name in FIGURES:
        assert f'main(["plot", "{name}", *sys.argv[1:]])' in (PLOTS / f"{name}.py").read_text(
            encoding="utf-8"
        )


def test_a_script_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_study(collisions=(4,)).save(tmp_path / "results.h5")
    script = str(PLOTS / "energy.py")
    monkeypatch.setattr(sys, "argv", [script, str(tmp_path / "results.h5"), "--columns", "2"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(script, run_name="__main__")
    assert ended.value.code == 0
    written = [Path(line.removeprefix("wrote ")) for line in capsys.readouterr().out.splitlines()]
    assert [path.name for path in written] == ["energy.pdf", "energy.png", "energy.csv"]
    assert all(path.stat().st_size > 100 for path in written)
    monkeypatch.setattr(sys, "argv", [script, str(tmp_path / "none.h5")])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(script, run_name="__main__")
    assert ended.value.code == 2 and "no such file" in capsys.readouterr().err


def test_a_script_draws_a_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generate("criteo-kaggle", samples=50).save(tmp_path / "trace.h5")
    script = str(PLOTS / "trace.py")
    monkeypatch.setattr(sys, "argv", [script, str(tmp_path / "trace.h5"), str(tmp_path / "out")])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(script, run_name="__main__")
    assert ended.value.code == 0
    drawn = {path.name for path in (tmp_path / "out").iterdir()}
    endings = ("pdf", "png", "csv")
    assert drawn == {f"{name}.{end}" for name in ("access", "reuse", "cache") for end in endings}


def test_a_file_and_a_table_give_the_same_figure(tmp_path):
    study = make_study(collisions=(4,))
    study.save(tmp_path / "results.h5")
    study.write(tmp_path / "summary.csv")
    tables = [
        draw(load_material(tmp_path / name), "speedup")["speedup"][1]
        for name in ("results.h5", "summary.csv")
    ]
    pd.testing.assert_frame_equal(*tables)


def test_a_table_of_a_search(tmp_path):
    rows = {"system": ["host-dimm", "heam"], "embedding": "full"}
    table = pd.DataFrame({**rows, "published_speedup": [1.0, 2.0], "best_speedup": [1.0, 3.0]})
    table.to_csv(tmp_path / "tuned.csv", index=False)
    material = load_material(tmp_path / "tuned.csv")
    drawn, shown = draw(material, "best")["best"]
    assert sorted(bar.get_height() for bar in drawn.axes[0].patches) == [1.0, 1.0, 2.0, 3.0]
    assert list(shown["best_speedup"]) == [1.0, 3.0]
    study = ResultSet(make_study(), provenance={"study": "tune", "searches": records(table)})
    study.save(tmp_path / "results.h5")
    pd.testing.assert_frame_equal(draw(load_material(tmp_path / "results.h5"), "best")["best"][1], shown)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ablation", "figure ablation: these results are no reproduction study"),
        ("best", "tuned.csv"),
        ("rooflines", "did you mean 'roofline'"),
        ("time-parts", "occurs twice; choose rows"),
        ("roofline", "occurs twice; choose rows"),
    ],
)
def test_what_plain_results_do_not_have(name, message):
    with pytest.raises(ConfigError, match=message):
        draw(material_of(make_study()), name)


def test_a_table_has_no_times():
    with pytest.raises(ConfigError, match=r"give a results\.h5"):
        draw(Material(make_study().to_frame()), "time-parts")


def test_options_belong_to_figures():
    with pytest.raises(ConfigError, match="figure energy: no option 'baseline'; it has columns"):
        draw(material_of(make_study()), "energy", baseline="heam")


def test_rows_are_chosen_with_their_results():
    material = select(material_of(make_study()), {"vector_bytes": "512", "collisions": "8"})
    assert [result.system for result in material.results] == list(material.frame["system"])
    assert {result.vector_bytes for result in material.results} == {512}
    assert {result.config["embedding"]["collisions"] for result in material.results} == {8}
    with pytest.raises(ConfigError, match="no such rows; there are 512"):
        select(material, {"vector_bytes": "64"})
    with pytest.raises(ConfigError, match="did you mean 'vector_bytes'"):
        select(material, {"vector_byte": "64"})


def test_one_figure_per_trace():
    frame = pd.concat([make_study(collisions=(4,)).to_frame().assign(trace=name) for name in ("a", "b")])
    drawn = draw(Material(frame.reset_index(drop=True)), "energy")
    assert list(drawn) == ["energy-a", "energy-b"]


def test_a_study_of_an_older_version_is_refused():
    old = ResultSet([make_result()], provenance={"points": [["one-hot", "default"]], "selection": "quick"})
    with pytest.raises(ConfigError, match=r"summary\.csv beside them"):
        material_of(old)


def test_points_that_occur_twice_are_refused():
    said = {"points": [["one-hot", "default"]] * 2, "selection": "quick", "cardinalities": {"one-hot": [9]}}
    with pytest.raises(ConfigError, match="on trace one-hot twice"):
        material_of(ResultSet([make_result(), make_result()], provenance=said))


def test_bars_are_those_of_the_table():
    drawn, table = draw(material_of(make_study(collisions=(4,))), "speedup")["speedup"]
    heights = sorted(bar.get_height() for bar in drawn.axes[0].patches)
    expected = sorted(table.loc[table["system"] != "host-dimm", "speedup"])
    np.testing.assert_allclose(heights, expected)
