# SPDX-License-Identifier: MIT
"""Figures: the tables behind them, their layout on the page, their files."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from heam_sim.energy import COMPONENTS
from heam_sim.errors import ConfigError, OutputError
from heam_sim.plotting import energy_stack, energy_table, save_figure, speedup_bars, speedup_table
from heam_sim.plotting.style import component_looks, figure_style, ordered_systems, system_looks
from tests.unit.results_cases import SYSTEMS, make_result, make_study

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def frame():
    return make_study(scopes=("sample", "bag")).to_frame()


def visible_texts(figure):
    outside = set()  # labels of ticks beyond the limits exist but are not drawn
    for axis in (part for axes in figure.axes for part in (axes.xaxis, axes.yaxis)):
        low, high = axis.get_view_interval()
        ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        outside |= {tick.label1 for tick in ticks if not low <= tick.get_loc() <= high}
    texts = (text for text in figure.findobj(Text) if text.get_visible() and text not in outside)
    return [text for text in texts if text.get_text().strip()]


def check_layout(figure):
    """Nothing too small, off the page, or over something else."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    page = figure.bbox
    boxes = []
    for text in visible_texts(figure):
        assert text.get_fontsize() >= 7
        box = text.get_window_extent(renderer)
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, text
        boxes.append((text, box))
    for i, (one, a) in enumerate(boxes):
        for other, b in boxes[i + 1 :]:
            assert not a.padded(-1).overlaps(b.padded(-1)), (one.get_text(), other.get_text())
    for legend in figure.legends:
        box = legend.get_window_extent(renderer)
        assert page.x0 <= box.x0 and box.x1 <= page.x1
        assert not any(axis.get_window_extent(renderer).overlaps(box) for axis in figure.axes)


def test_speedup_table(frame):
    table = speedup_table(frame)
    cell = table[(table["scope"] == "bag") & (table["collisions"] == 8)]
    for i, system in enumerate(SYSTEMS):
        rows = cell[cell["system"] == system]
        assert list(rows["vector_bytes"]) == [64, 512, "geomean"]
        assert np.allclose(rows["speedup"].to_numpy(dtype=float), i + 1)


def test_geomean_is_geometric_and_needs_every_size():
    frame = make_study(collisions=(4,)).to_frame()
    fast = (frame["system"] == "heam") & (frame["vector_bytes"] == 512)
    frame.loc[fast, "samples_per_second"] *= 4  # speed-ups 4 and 16
    frame = frame[~((frame["system"] == "recnmp") & (frame["vector_bytes"] == 64))]
    table = speedup_table(frame)
    means = table[table["vector_bytes"] == "geomean"].set_index("system")["speedup"]
    assert means["heam"] == pytest.approx(8.0)
    assert "recnmp" not in means.index


def test_another_baseline(frame):
    table = speedup_table(frame, baseline="heam")
    rows = table[table["system"] == "host-dimm"]
    assert np.allclose(rows["speedup"].to_numpy(dtype=float), 0.25)


def test_energy_table_sums_to_the_total(frame):
    table = energy_table(frame)
    parts = table[[f"{name}_pJ_per_sample" for name in COMPONENTS]].sum(axis=1)
    assert np.allclose(parts, table["total_pJ_per_sample"])
    assert (table["low_pJ_per_sample"] <= table["total_pJ_per_sample"]).all()
    assert (table["total_pJ_per_sample"] <= table["high_pJ_per_sample"]).all()


@pytest.mark.parametrize("make", [speedup_table, energy_table])
def test_wrong_tables_are_refused(frame, make):
    with pytest.raises(ConfigError, match="unknown column 'system'"):
        make(frame.drop(columns="system"))
    with pytest.raises(ConfigError, match="no rows"):
        make(frame.iloc[:0])
    with pytest.raises(ConfigError, match="occurs twice"):
        make(pd.concat([frame, frame.iloc[:1]]))


def test_wrong_values_are_refused(frame):
    with pytest.raises(ConfigError, match="did you mean 'host-dimm'"):
        speedup_table(frame, baseline="host-dim")
    first = (frame["system"] == "host-dimm") & (frame["vector_bytes"] == 64)
    with pytest.raises(ConfigError, match="no positive speed"):
        speedup_table(frame[~first])
    with pytest.raises(ConfigError, match="no samples"):
        energy_table(frame.assign(samples=0))
    with pytest.raises(ConfigError, match="do not sum"):
        energy_table(frame.assign(energy_io_pJ=frame["energy_io_pJ"] * 2))
    for draw in (speedup_bars, energy_stack):
        with pytest.raises(ConfigError, match="columns"):
            draw(frame, columns=3)


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("draw", [speedup_bars, energy_stack])
def test_layout_on_the_page(frame, draw, columns):
    figure, _ = draw(frame[frame["scope"] == "sample"], columns=columns)
    assert figure.get_size_inches()[0] == {1: 3.5, 2: 7.16}[columns]
    check_layout(figure)
    words = " ".join(text.get_text() for text in visible_texts(figure))
    assert "scope: sample" in words and "c = 4" in words and "c = 8" in words


def test_speedup_bars_have_the_heights_of_the_table(frame):
    figure, table = speedup_bars(frame)
    drawn = sorted(patch.get_height() for axis in figure.axes for patch in axis.patches)
    expected = sorted(table.loc[table["system"] != "host-dimm", "speedup"])
    assert drawn == pytest.approx(expected)


def test_energy_stack_reaches_the_total(frame):
    figure, table = energy_stack(frame)
    tops = {}
    for n, axis in enumerate(figure.axes):
        for patch in axis.patches:
            key = (n, round(patch.get_x(), 3))
            tops[key] = max(tops.get(key, 0.0), patch.get_y() + patch.get_height())
    assert sorted(tops.values()) == pytest.approx(sorted(table["total_pJ_per_sample"] / 1e3))
    assert "energy/sample (nJ)" in " ".join(text.get_text() for text in visible_texts(figure))


def test_odd_data_still_draw():
    single = make_study(collisions=(4,), sizes=(64,)).to_frame()
    extra = pd.concat([single, make_result("my-system", scope="sample").to_frame()]).drop(
        columns="collisions"
    )
    for draw in (speedup_bars, energy_stack):
        figure, _ = draw(extra)
        FigureCanvasAgg(figure).draw()
        assert "qr-c4-multiply, scope: sample" in " ".join(t.get_text() for t in visible_texts(figure))


def test_systems_keep_order_and_look():
    assert ordered_systems(["x", "heam", "host-dimm", "x"]) == ["host-dimm", "heam", "x"]
    assert system_looks(["x", "heam"])["heam"] == system_looks(["heam", "host-dimm"])["heam"]
    looks = list(system_looks(SYSTEMS).values())
    assert len(set(looks)) == len(looks)
    assert list(component_looks()) == list(COMPONENTS)
    assert len(set(component_looks().values())) == len(COMPONENTS)


def test_style_does_not_leak():
    before = mpl.rcParams["pdf.fonttype"], mpl.rcParams["font.size"]
    with figure_style():
        assert mpl.rcParams["pdf.fonttype"] == 42
    assert (mpl.rcParams["pdf.fonttype"], mpl.rcParams["font.size"]) == before


def test_files(frame, tmp_path):
    figure, table = speedup_bars(frame)
    pdf, png, csv = save_figure(figure, tmp_path / "new" / "fig.1", table)
    assert [path.name for path in (pdf, png, csv)] == ["fig.1.pdf", "fig.1.png", "fig.1.csv"]
    assert sorted(path.name for path in pdf.parent.iterdir()) == ["fig.1.csv", "fig.1.pdf", "fig.1.png"]
    assert pdf.read_bytes().startswith(b"%PDF") and b"/Type3" not in pdf.read_bytes()
    assert pdf.read_bytes().count(b"/FontFile2") == pdf.read_bytes().count(b"/Type /FontDescriptor") > 0
    width, height = figure.get_size_inches()
    pixels = mpl.image.imread(png).shape
    assert pixels[:2] == (round(height * 300), round(width * 300))
    assert len(pd.read_csv(csv)) == len(table)
    first = pdf.read_bytes()
    save_figure(figure, tmp_path / "new" / "fig.1", table)
    assert pdf.read_bytes() == first


@pytest.mark.parametrize("ending", ["pdf", "png", "csv"])
def test_the_name_of_one_of_the_files_names_all(frame, tmp_path, ending):
    figure, table = speedup_bars(frame)
    written = save_figure(figure, tmp_path / f"fig.1.{ending}", table)
    assert [path.name for path in written] == ["fig.1.pdf", "fig.1.png", "fig.1.csv"]


def test_an_unwritable_folder_is_a_typed_error(frame, tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    figure, table = speedup_bars(frame)
    with pytest.raises(OutputError, match="cannot be written"):
        save_figure(figure, tmp_path / "file" / "fig", table)


def test_too_many_systems_for_one_column():
    frame = make_study(collisions=(4,), sizes=(64, 128, 256, 512)).to_frame()
    more = [frame[frame["system"] == "heam"].assign(system=f"other-{i}") for i in range(6)]
    crowded = pd.concat([frame, *more])
    with pytest.raises(ConfigError, match="columns=2"):
        energy_stack(crowded, columns=1)
    assert len(energy_stack(crowded, columns=2)[0].axes) == 4
