# SPDX-License-Identifier: MIT
"""Plain request streams: readers of other simulators' traces, and the replay of a stream on one memory."""

from __future__ import annotations

from heam_sim.traffic.latency import Latency
from heam_sim.traffic.replay import ReplayResult, replay, replay_chunks
from heam_sim.traffic.streams import (
    Requests,
    read_requests,
    write_request_chunks,
    write_request_text,
    write_requests,
)

__all__ = [
    "Latency",
    "ReplayResult",
    "Requests",
    "read_requests",
    "replay",
    "replay_chunks",
    "write_request_chunks",
    "write_request_text",
    "write_requests",
]
