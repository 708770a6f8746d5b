# SPDX-License-Identifier: MIT
"""Figures of the study: bars and curves stand where the table says."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from heam_sim import plotting
from heam_sim.errors import ConfigError
from heam_sim.experiments.tables import STEPS
from heam_sim.plotting import studies, times
from heam_sim.plotting.style import (
    ONE_COLUMN_IN,
    TWO_COLUMNS_IN,
    Look,
    component_looks,
    system_lines,
    system_looks,
)
from heam_sim.systems import known_systems
from tests.unit.test_plotting import check_layout

SYSTEMS = ("host-dimm", "recnmp", "heam")
HITS = ("row_hit_rate", "llc_hit_rate", "lut_share", "pe_cache_hit_rate", "cold_share")


def heights(figure: Figure, panel: int = 0) -> list[float]:
    """Of all bars of a panel, without those that are not there."""
    found = [float(bar.get_height()) for bar in figure.axes[panel].patches]  # type: ignore[attr-defined]
    return sorted(round(height, 9) for height in found if np.isfinite(height))


def expected(values: Any) -> list[float]:
    return sorted(round(float(value), 9) for value in values if np.isfinite(value))


def table(**columns: Any) -> pd.DataFrame:
    """Rows of three systems with full tables and with QR."""
    rows = [
        {"system": system, "embedding": embedding, "vector_bytes": 128, "variant": "default", "trace": "a"}
        for embedding in ("full", "qr:4:multiply")
        for system in SYSTEMS
    ]
    return pd.DataFrame(rows).assign(**columns)


COLUMNS = pytest.mark.parametrize("columns", [1, 2])


def check_page(figure: Figure, columns: int) -> None:
    """As wide as asked for, nothing over anything else, no text too small."""
    assert figure.get_size_inches()[0] == pytest.approx({1: ONE_COLUMN_IN, 2: TWO_COLUMNS_IN}[columns])
    check_layout(figure)
    assert figure.axes[0].get_ylabel() or figure.axes[0].get_yticklabels()


@COLUMNS
def test_accesses(columns: int) -> None:
    data = table(bank_vectors_per_lookup=[1, 2, 3, 4, 5, 6], activates_per_lookup=[6, 5, 4, 3, 2, 1.5])
    figure, same = plotting.access_bars(data, columns=columns)
    assert same is data
    check_page(figure, columns)
    assert heights(figure, 0) == expected(data["bank_vectors_per_lookup"])
    assert heights(figure, 1) == expected(data["activates_per_lookup"])


@COLUMNS
def test_hit_rates_leave_out_what_a_system_has_not(columns: int) -> None:
    data = table(**{name: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6] for name in HITS})
    data.loc[0, "lut_share"] = np.nan
    figure, _ = plotting.hit_rate_bars(data, columns=columns)
    check_page(figure, columns)
    assert heights(figure, 0) == expected(100 * data.loc[:2, list(HITS)].to_numpy().ravel())


@COLUMNS
def test_ablation(columns: int) -> None:
    rows = [
        {"step": step, "vector_bytes": size, "speedup_over_host_dimm": size + number}
        for number, step in enumerate(STEPS.values())
        for size in (64, 128)
    ]
    data = pd.DataFrame(rows).assign(energy_saved_over_host_dimm=0.25)
    figure, _ = plotting.ablation_bars(data, columns=columns)
    check_page(figure, columns)
    assert heights(figure, 0) == expected(data["speedup_over_host_dimm"])
    assert set(heights(figure, 1)) == {0.75}


@COLUMNS
def test_memories(columns: int) -> None:
    data = table(speedup_over_host_dimm=[1, 2, 3, 1, 4, 5])
    data["variant"] = ["default"] * 3 + ["HBM = HBM3"] * 3
    figure, _ = plotting.memory_bars(data, columns=columns)
    check_page(figure, columns)
    assert heights(figure) == [2, 3, 4, 5]  # without the baseline itself
    labels = [text.get_text().replace("\n", " ") for text in figure.axes[0].get_xticklabels()]
    assert labels == ["HBM2 legacy, DDR4-3200", "HBM3"]


@COLUMNS
def test_best_against_best(columns: int) -> None:
    data = table(published_speedup=[1, 2, 3, 1, 5, 6], best_speedup=[1, 3, 4, 1, 7, 8])
    figure, _ = plotting.best_bars(data, columns=columns)
    check_page(figure, columns)
    assert heights(figure, 0) == [1, 1, 2, 3, 3, 4] and heights(figure, 1) == [1, 1, 5, 6, 7, 8]


@COLUMNS
def test_sensitivity_draws_a_curve_per_system_in_the_order_of_settings(columns: int) -> None:
    data = table(factor="batch", lookups_per_second=2e6)
    data = pd.concat([data.assign(setting="1"), data.assign(setting="4", lookups_per_second=3e6)])
    figure, _ = plotting.sensitivity_curves(data, columns=columns)
    check_page(figure, columns)
    curves = {line.get_label(): line for line in figure.axes[0].lines}
    assert set(curves) == set(SYSTEMS)
    assert list(curves["heam"].get_ydata()) == [2.0, 3.0] and list(curves["heam"].get_xdata()) == [0, 1]
    assert figure.axes[0].get_yscale() == "log"


@COLUMNS
def test_compression_draws_a_curve_per_scheme(columns: int) -> None:
    data = table(scheme=["full"] * 3 + ["qr"] * 3, memory_share=[1.0] * 3 + [0.25] * 3)
    data = data.assign(time_ns_per_sample=7.0, energy_per_sample_pJ=8000.0, bank_vectors_per_lookup=1.0)
    figure, _ = plotting.compression_curves(data, columns=columns)
    check_page(figure, columns)
    assert len(figure.axes) == 3 * len(SYSTEMS)
    drawn = [line for line in figure.axes[0].lines if len(line.get_xdata())]  # type: ignore[arg-type]
    assert sorted(float(line.get_xdata()[0]) for line in drawn) == [0.25, 1.0]  # type: ignore[index]
    assert {float(line.get_ydata()[0]) for line in figure.axes[1].lines if len(line.get_ydata())} == {8.0}  # type: ignore[arg-type,index]


@COLUMNS
def test_roofline(columns: int) -> None:
    rows = [
        {"system": system, "lookups_per_second": 1e6, "tier": "dimm", "level": level}
        for system in SYSTEMS
        for level in ("bank", "host bus")
    ]
    data = pd.DataFrame(rows).assign(roof_lookups_per_second=[2e6, 3e6, 4e6, 5e6, np.inf, 6e6])
    figure, _ = plotting.roofline(data, columns=columns)
    check_page(figure, columns)
    assert heights(figure, 0) == [2.0, 3.0] and heights(figure, 2) == [6.0]
    assert [float(line.get_ydata()[0]) for line in figure.axes[0].lines] == [1.0]  # type: ignore[index]


def test_no_two_systems_have_the_same_curve() -> None:
    looks = {tuple(look.values()) for look in system_lines(known_systems()).values()}
    assert len(looks) == len(known_systems())


# -- widths


def test_a_figure_is_as_wide_as_its_content_needs() -> None:
    one = table(bank_vectors_per_lookup=1.0, activates_per_lookup=1.0)
    many = pd.concat([one.assign(system=f"{name}-{number}") for number in range(6) for name in SYSTEMS])
    assert plotting.access_bars(one)[0].get_size_inches()[0] == ONE_COLUMN_IN
    assert plotting.access_bars(many)[0].get_size_inches()[0] == TWO_COLUMNS_IN
    with pytest.raises(ConfigError, match="give 1 or 2"):
        plotting.access_bars(one, columns=3)


def test_a_single_bar_is_no_wider_than_one_of_many() -> None:
    data = pd.DataFrame(
        {"system": ["heam"], "embedding": "full", "tier": "hbm", "resource": "bank", "share": 1.0}
    )
    figure, _ = plotting.time_bars(data)
    figure.draw_without_rendering()
    (axis,) = figure.axes
    (bar,) = axis.patches
    width = bar.get_window_extent().width / figure.dpi
    assert figure.get_size_inches()[0] == ONE_COLUMN_IN
    assert width < 0.5


# -- colours and hatches


def lightness(colour: str) -> float:
    """CIE L* of an sRGB colour, 0 to 100: what is left in print without colour."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 116 * luminance ** (1 / 3) - 16 if luminance > 0.008856 else 903.3 * luminance


LEGENDS = {
    "systems": [*system_looks(known_systems()).values()],
    "components": [*component_looks().values()],
    "time parts": [look for _, look in times._GROUPS.values()],
    "hit rates": [look for _, look in studies._HIT_RATES.values()],
    "steps": [*studies._STEP_LOOKS],
}


@pytest.mark.parametrize("name", LEGENDS)
def test_looks_can_be_told_apart_without_colour(name: str) -> None:
    """Every two of a legend differ in their hatch, or clearly in lightness."""
    looks: list[Look] = LEGENDS[name]
    for number, one in enumerate(looks):
        for other in looks[:number]:
            apart = abs(lightness(one.colour) - lightness(other.colour))
            assert one.hatch != other.hatch or apart > 10, (one, other)


# -- waterfall


def steps(*totals: float) -> pd.DataFrame:
    names = [
        "start",
        *(f"hbm.pim.parameter_{n}: {n} -> {n + 1}; host.other: a -> b" for n in range(len(totals) - 1)),
    ]
    rates = {
        "samples_per_second": totals,
        "energy_per_sample_pJ": [1 / total if total else 1.0 for total in totals],
    }
    return plotting.walk_table(pd.DataFrame({"step": names, **rates}))


def test_the_factors_of_a_walk_multiply_to_the_whole() -> None:
    walk = steps(5.0, 10.0, 7.5, 30.0)
    assert list(walk["speedup"]) == [1, 2, 0.75, 4] and walk["speedup"].prod() == 6
    assert list(walk["total_speedup"]) == [1, 2, 1.5, 6]
    assert walk["energy_ratio"].prod() == pytest.approx(1 / 6)


@COLUMNS
def test_a_waterfall_steps_from_total_to_total(columns: int) -> None:
    walk = steps(5.0, 10.0, 7.5, 30.0)
    figure, same = plotting.waterfall(walk, columns=columns)
    assert same is walk
    check_page(figure, columns)
    assert len(figure.axes) == columns
    axis = figure.axes[0]
    spans = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axis.patches]
    assert spans == [(1, 2), (1.5, 2), (1.5, 6), (1, 6)]  # the last is the total
    assert axis.get_xscale() == "log"  # so equal factors are equally long
    assert [text.get_text() for text in axis.texts] == ["×2.00", "×0.75", "×4.00", "×6.00"]
    heights = [bar.get_y() for bar in axis.patches]
    assert heights == sorted(heights)
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert labels[0] == "start" and labels[-1] == "total" and labels[1].startswith("hbm.pim.parameter_0: 0")


@pytest.mark.parametrize("totals", [(1.0,), (1.0, 0.0), (1.0, float("nan"))])
def test_walks_that_lead_nowhere(totals: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="waterfall"):
        plotting.waterfall(steps(*totals))


# -- latency


def loads(systems: tuple[str, ...] = SYSTEMS) -> pd.DataFrame:
    rows = [
        {"system": system, "offered_load": load, "offered_samples_per_second": load * (number + 1) * 1e6}
        for load in (0.9, 0.1, 0.5)
        for number, system in enumerate(systems)
    ]
    frame = pd.DataFrame(rows).assign(embedding="full", vector_bytes=64, scope="bag")
    frame["samples_per_second"] = frame["offered_samples_per_second"]
    for number, name in enumerate(("mean", "p50", "p95", "p99")):
        frame[f"sample_latency_{name}_ns"] = (number + 1) * 100 / (1 - frame["offered_load"])
    closed = frame.iloc[:2].assign(offered_load=np.nan, offered_samples_per_second=np.nan)
    return pd.concat([closed, frame], ignore_index=True)


@COLUMNS
def test_latency_against_throughput(columns: int) -> None:
    data = plotting.latency_table(loads())
    assert len(data) == 9  # without the closed loops
    figure, same = plotting.latency_curves(data, columns=columns)
    assert same is data
    check_page(figure, columns)
    assert [axis.get_title() for axis in figure.axes] == [
        "mean",
        "median",
        "95th percentile",
        "99th percentile",
    ]
    for number, axis in enumerate(figure.axes):
        curves = [line for line in axis.lines if len(line.get_xdata()) == 3]  # type: ignore[arg-type]
        assert [list(line.get_xdata()) for line in curves] == [  # type: ignore[arg-type]
            pytest.approx([0.1 * n, 0.5 * n, 0.9 * n]) for n in (1, 2, 3)
        ]
        expected_us = [0.1 * (number + 1) / (1 - load) for load in (0.1, 0.5, 0.9)]
        assert list(curves[0].get_ydata()) == pytest.approx(expected_us)  # type: ignore[arg-type]
        closed = [line for line in axis.lines if line.get_linestyle() == ":" and len(line.get_xdata()) == 2]  # type: ignore[arg-type]
        assert [line.get_xdata()[0] for line in closed] == pytest.approx([1, 2, 3])  # type: ignore[index]


def test_one_statistic_of_latency() -> None:
    figure, _ = plotting.latency_curves(plotting.latency_table(loads()), statistic="p99")
    check_page(figure, 1)
    assert [axis.get_title() for axis in figure.axes] == ["99th percentile"]


def test_latencies_that_do_not_belong_together() -> None:
    data = plotting.latency_table(loads())
    with pytest.raises(ConfigError, match="did you mean 'p99'"):
        plotting.latency_curves(data, statistic="p9")
    with pytest.raises(ConfigError, match="--only embedding=full"):
        plotting.latency_curves(pd.concat([data, data.assign(embedding="qr:4")]))
    with pytest.raises(ConfigError, match="two points at"):
        plotting.latency_curves(pd.concat([data, data.iloc[:1]]))
    with pytest.raises(ConfigError, match="no rows"):
        plotting.latency_curves(data.iloc[:0])
    assert plotting.latency_table(table()).empty


# -- imbalance


@COLUMNS
def test_imbalance(columns: int) -> None:
    rows = [
        {"system": system, "tier": tier, "level": "bank_group", "channel": channel, "group": group}
        for system in ("heam", "host-hbm-dimm")
        for tier in ("hbm", "dimm")
        for channel in range(2)
        for group in range(4)
    ]
    data = pd.DataFrame(rows)
    data["reads_over_mean"] = np.linspace(0.2, 1.8, len(data))
    figure, same = plotting.imbalance_maps(data, columns=columns)
    assert same is data
    check_page(figure, columns)
    maps, bar = figure.axes[:-1], figure.axes[-1]
    assert [axis.get_title().splitlines()[0] for axis in maps] == [
        f"{system}, {tier}" for system in ("host-hbm-dimm", "heam") for tier in ("HBM", "DIMM")
    ]
    drawn = [np.asarray(axis.collections[0].get_array()) for axis in maps]
    expected_of_heam = data.loc[data["system"] == "heam", "reads_over_mean"].to_numpy()
    np.testing.assert_allclose(np.concatenate([one.ravel() for one in drawn[2:]]), expected_of_heam)
    assert maps[-1].get_title().endswith(f"max/mean {expected_of_heam.max():.2f}")
    assert {axis.collections[0].norm.vmin for axis in maps} == {0.0}  # type: ignore[attr-defined]
    assert len({axis.collections[0].norm.vmax for axis in maps}) == 1  # type: ignore[attr-defined]
    assert "over" in bar.get_ylabel()
    with pytest.raises(ConfigError, match="no rows"):
        plotting.imbalance_maps(data.iloc[:0])


def test_lightness_rises_all_along_the_colour_map() -> None:
    colours = [mpl.colors.to_hex(mpl.colormaps["cividis"](x)) for x in np.linspace(0, 1, 20)]
    assert np.all(np.diff([lightness(colour) for colour in colours]) > 0)
