# SPDX-License-Identifier: MIT
"""What traces are like: popularity, reuse, distances, caches; and recipes that imitate them."""

from __future__ import annotations

from heam_sim.analysis.caches import CACHE_LOOKUPS, PUBLISHED_BLOCKS, PUBLISHED_SIZES, hit_shares
from heam_sim.analysis.distances import COLD, previous_uses, stack_distances
from heam_sim.analysis.fit import FitQuality, compare_traces, fit_trace, write_recipe
from heam_sim.analysis.frames import (
    access_curve_of,
    access_curves,
    published_hits,
    r_row_shares,
    reuse_curve,
)
from heam_sim.analysis.measure import (
    TableSummary,
    access_curve,
    co_occurrence,
    popularity_distance,
    reuse_distance,
    reuse_histogram,
    row_counts,
    stack_histogram,
    summarise,
)

__all__ = [
    "CACHE_LOOKUPS",
    "COLD",
    "PUBLISHED_BLOCKS",
    "PUBLISHED_SIZES",
    "FitQuality",
    "TableSummary",
    "access_curve",
    "access_curve_of",
    "access_curves",
    "co_occurrence",
    "compare_traces",
    "fit_trace",
    "hit_shares",
    "popularity_distance",
    "previous_uses",
    "published_hits",
    "r_row_shares",
    "reuse_curve",
    "reuse_distance",
    "reuse_histogram",
    "row_counts",
    "stack_distances",
    "stack_histogram",
    "summarise",
    "write_recipe",
]
