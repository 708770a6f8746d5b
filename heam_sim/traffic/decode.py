# SPDX-License-Identifier: MIT
"""Byte addresses to the coordinates that the core takes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim.address import AddressMap
from heam_sim.dram import Spec
from heam_sim.traffic.streams import Requests

__all__ = ["BLOCK", "Decoder"]

#: Requests that are decoded at a time: temporary arrays of this size stay in a processor's caches.
BLOCK = 1 << 16


class Decoder:
    """Decodes requests for one memory.

    Parameters
    ----------
    mapping
        Of all channels together.
    spec
        The memory.
    """

    def __init__(self, mapping: AddressMap, spec: Spec) -> None:
        self._mapping = mapping
        self._burst_bytes = np.uint64(spec.burst_bytes)
        self._channels = mapping.size("channel")

    def requests(self, chunk: Requests) -> dict[str, NDArray[Any]]:
        """Return channel, bank, row, column and is_write of every request; bits beyond the capacity wrap."""
        burst = (chunk.address // self._burst_bytes).astype(np.int64)
        channel, bank, row, column = self._mapping.decode(burst % self._mapping.bursts)
        return {
            "channel": channel.astype(np.uint16),
            "bank": bank.astype(np.uint16),
            "row": row.astype(np.uint32),
            "column": column.astype(np.uint16),
            "is_write": np.ascontiguousarray(chunk.is_write),
        }

    def by_channel(self, chunk: Requests) -> list[dict[str, NDArray[Any]]]:
        """Return the requests of every channel, in trace order, each as a memory of one channel sees them."""
        fields = self.requests(chunk)
        # Stable sorting of 16-bit numbers takes linear time.
        order = np.argsort(fields["channel"], kind="stable")
        ends = np.cumsum(np.bincount(fields["channel"], minlength=self._channels))
        fields["channel"] = np.zeros_like(fields["channel"])
        fields = {name: np.take(values, order) for name, values in fields.items()}
        return [
            {name: values[start:end] for name, values in fields.items()}
            for start, end in zip((0, *ends[:-1]), ends, strict=True)
        ]
