# SPDX-License-Identifier: MIT
"""Figures of traces: what they show, and that nothing overlaps or leaves the page."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from heam_sim.analysis import (
    PUBLISHED_BLOCKS,
    access_curve_of,
    access_curves,
    hit_shares,
    published_hits,
    r_row_shares,
    reuse_curve,
    reuse_histogram,
    stack_histogram,
)
from heam_sim.datasets import generate
from heam_sim.plotting import access_figure, cache_figure, figure_style, fit_figure, reuse_figure
from heam_sim.trace import LookupTrace
from tests.unit.test_plotting import visible_texts


@pytest.fixture(scope="module")
def trace() -> LookupTrace:
    return generate("criteo-kaggle", samples=2000)


def figures(trace: LookupTrace) -> dict[str, Figure]:
    sizes = hit_shares(trace)
    blocks = hit_shares(trace, cache_bytes=(1 << 20,), block_bytes=tuple(PUBLISHED_BLOCKS))
    labels = ("measured", "generated from the recipe")
    return {
        "access": access_figure(access_curves(trace, (2, 4, 8)), r_row_shares(trace, (2, 4, 8))),
        "reuse": reuse_figure(reuse_histogram(trace), stack_histogram(trace), note="first 52,000 lookups"),
        "cache": cache_figure(sizes, blocks, published_hits(), note="4-way LRU"),
        "bare cache": cache_figure(sizes, blocks, published_hits()[:0]),
        "fit": fit_figure(
            pd.concat([access_curve_of(trace, label) for label in labels]),
            pd.concat([reuse_curve(trace, label) for label in labels]),
            note="largest difference: 0",
        ),
    }


def test_layout_on_the_page(trace: LookupTrace) -> None:
    for name, figure in figures(trace).items():
        canvas = FigureCanvasAgg(figure)
        with figure_style():
            canvas.draw()
        renderer = canvas.get_renderer()
        texts = visible_texts(figure)
        boxes = [text.get_window_extent(renderer) for text in texts]
        for text, box in zip(texts, boxes, strict=True):
            assert box.x0 >= -1 and box.y0 >= -1, (name, text.get_text())
            assert box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1, (name, text.get_text())
            assert text.get_fontsize() >= 7 or text.get_text().startswith("$"), (name, text.get_text())
        for (one, first), (other, second) in itertools.combinations(zip(texts, boxes, strict=True), 2):
            assert not first.shrunk(0.9, 0.9).overlaps(second.shrunk(0.9, 0.9)), (
                name,
                one.get_text(),
                other.get_text(),
            )
        for axis in figure.axes:
            assert axis.get_xlabel()
        assert figure.axes[0].get_ylabel()


def test_bars_and_curves_are_the_numbers(trace: LookupTrace) -> None:
    drawn = figures(trace)
    curves = access_curves(trace, (2, 4, 8))
    line = drawn["access"].axes[0].lines[0]
    np.testing.assert_allclose(
        line.get_ydata(), 100 * curves[curves["rows"] == "original rows"]["access_share"]
    )
    reuse = reuse_histogram(trace)
    heights = [patch.get_height() for patch in drawn["reuse"].axes[0].patches]
    np.testing.assert_allclose(heights[: len(reuse)], 100 * reuse["lookup_share"])
    published = [mark for mark in drawn["cache"].axes[0].lines if "published" in str(mark.get_label())]
    assert sorted(published[1].get_ydata()) == pytest.approx([33.2, 36.6, 40.1, 41.7])
    assert len(drawn["bare cache"].axes[0].lines) == 2
