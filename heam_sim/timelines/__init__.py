# SPDX-License-Identifier: MIT
"""Looking inside a run: its command log as tracks and slices, for a browser and for a page."""

from __future__ import annotations

from heam_sim.timelines.memories import Memories, memories_of_system, memory_of_spec
from heam_sim.timelines.timeline import (
    ENDINGS,
    MOST_SLICES,
    Timeline,
    check_timeline_ending,
    log_timeline,
    timeline,
)
from heam_sim.timelines.window import Window

__all__ = [
    "ENDINGS",
    "MOST_SLICES",
    "Memories",
    "Timeline",
    "Window",
    "check_timeline_ending",
    "log_timeline",
    "memories_of_system",
    "memory_of_spec",
    "timeline",
]
