# SPDX-License-Identifier: MIT
# Read by type checkers, and at run time by __init__.py: each name is imported when it is first used.
from .caches import CACHE_LOOKUPS as CACHE_LOOKUPS
from .caches import PUBLISHED_BLOCKS as PUBLISHED_BLOCKS
from .caches import PUBLISHED_SIZES as PUBLISHED_SIZES
from .caches import hit_shares as hit_shares
from .distances import COLD as COLD
from .distances import previous_uses as previous_uses
from .distances import stack_distances as stack_distances
from .fit import FitQuality as FitQuality
from .fit import compare_traces as compare_traces
from .fit import fit_trace as fit_trace
from .fit import write_recipe as write_recipe
from .frames import access_curve_of as access_curve_of
from .frames import access_curves as access_curves
from .frames import published_hits as published_hits
from .frames import r_row_shares as r_row_shares
from .frames import reuse_curve as reuse_curve
from .measure import TableSummary as TableSummary
from .measure import access_curve as access_curve
from .measure import co_occurrence as co_occurrence
from .measure import popularity_distance as popularity_distance
from .measure import reuse_distance as reuse_distance
from .measure import reuse_histogram as reuse_histogram
from .measure import row_counts as row_counts
from .measure import stack_histogram as stack_histogram
from .measure import summarise as summarise
