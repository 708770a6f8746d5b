# SPDX-License-Identifier: MIT
"""Figures of the study: bars and curves stand where the table says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from heam_sim import plotting
from heam_sim.experiments.tables import STEPS
from heam_sim.plotting.style import SMALLEST_PT, TWO_COLUMNS_IN, system_lines
from heam_sim.systems import known_systems

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


def check_page(figure: Figure) -> None:
    """As wide as a page, no text too small."""
    assert figure.get_size_inches()[0] == pytest.approx(TWO_COLUMNS_IN)
    figure.draw_without_rendering()
    for axis in figure.axes:
        texts = [*axis.get_xticklabels(), *axis.get_yticklabels(), axis.title, *axis.texts]
        assert all(text.get_fontsize() >= SMALLEST_PT for text in texts if text.get_text())
        assert axis.get_ylabel() or axis is not figure.axes[0]


def test_accesses() -> None:
    data = table(bank_vectors_per_lookup=[1, 2, 3, 4, 5, 6], activates_per_lookup=[6, 5, 4, 3, 2, 1.5])
    figure, same = plotting.access_bars(data)
    assert same is data
    check_page(figure)
    assert heights(figure, 0) == expected(data["bank_vectors_per_lookup"])
    assert heights(figure, 1) == expected(data["activates_per_lookup"])


def test_hit_rates_leave_out_what_a_system_has_not() -> None:
    data = table(**{name: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6] for name in HITS})
    data.loc[0, "lut_share"] = np.nan
    figure, _ = plotting.hit_rate_bars(data)
    check_page(figure)
    assert heights(figure, 0) == expected(100 * data.loc[:2, list(HITS)].to_numpy().ravel())


def test_ablation() -> None:
    rows = [
        {"step": step, "vector_bytes": size, "speedup_over_host_dimm": size + number}
        for number, step in enumerate(STEPS.values())
        for size in (64, 128)
    ]
    data = pd.DataFrame(rows).assign(energy_saved_over_host_dimm=0.25)
    figure, _ = plotting.ablation_bars(data)
    check_page(figure)
    assert heights(figure, 0) == expected(data["speedup_over_host_dimm"])
    assert set(heights(figure, 1)) == {0.75}


def test_memories() -> None:
    data = table(speedup_over_host_dimm=[1, 2, 3, 1, 4, 5])
    data["variant"] = ["default"] * 3 + ["HBM = HBM3"] * 3
    figure, _ = plotting.memory_bars(data)
    check_page(figure)
    assert heights(figure) == [2, 3, 4, 5]  # without the baseline itself
    labels = [text.get_text().replace("\n", " ") for text in figure.axes[0].get_xticklabels()]
    assert labels == ["HBM2 legacy, DDR4-3200", "HBM3"]


def test_best_against_best() -> None:
    data = table(published_speedup=[1, 2, 3, 1, 5, 6], best_speedup=[1, 3, 4, 1, 7, 8])
    figure, _ = plotting.best_bars(data)
    check_page(figure)
    assert heights(figure, 0) == [1, 1, 2, 3, 3, 4] and heights(figure, 1) == [1, 1, 5, 6, 7, 8]


def test_sensitivity_draws_a_curve_per_system_in_the_order_of_settings() -> None:
    data = table(factor="batch", lookups_per_second=2e6)
    data = pd.concat([data.assign(setting="1"), data.assign(setting="4", lookups_per_second=3e6)])
    figure, _ = plotting.sensitivity_curves(data)
    check_page(figure)
    curves = {line.get_label(): line for line in figure.axes[0].lines}
    assert set(curves) == set(SYSTEMS)
    assert list(curves["heam"].get_ydata()) == [2.0, 3.0] and list(curves["heam"].get_xdata()) == [0, 1]
    assert figure.axes[0].get_yscale() == "log"


def test_compression_draws_a_curve_per_scheme() -> None:
    data = table(scheme=["full"] * 3 + ["qr"] * 3, memory_share=[1.0] * 3 + [0.25] * 3)
    data = data.assign(time_ns_per_sample=7.0, energy_per_sample_pJ=8000.0, bank_vectors_per_lookup=1.0)
    figure, _ = plotting.compression_curves(data)
    check_page(figure)
    assert len(figure.axes) == 3 * len(SYSTEMS)
    drawn = [line for line in figure.axes[0].lines if len(line.get_xdata())]  # type: ignore[arg-type]
    assert sorted(float(line.get_xdata()[0]) for line in drawn) == [0.25, 1.0]  # type: ignore[index]
    assert {float(line.get_ydata()[0]) for line in figure.axes[1].lines if len(line.get_ydata())} == {8.0}  # type: ignore[arg-type,index]


def test_roofline() -> None:
    rows = [
        {"system": system, "lookups_per_second": 1e6, "tier": "dimm", "level": level}
        for system in SYSTEMS
        for level in ("bank", "host bus")
    ]
    data = pd.DataFrame(rows).assign(roof_lookups_per_second=[2e6, 3e6, 4e6, 5e6, np.inf, 6e6])
    figure, _ = plotting.roofline(data)
    check_page(figure)
    assert heights(figure, 0) == [2.0, 3.0] and heights(figure, 2) == [6.0]
    assert [float(line.get_ydata()[0]) for line in figure.axes[0].lines] == [1.0]  # type: ignore[index]


def test_no_two_systems_have_the_same_curve() -> None:
    looks = {tuple(look.values()) for look in system_lines(known_systems()).values()}
    assert len(looks) == len(known_systems())
