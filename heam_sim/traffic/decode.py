# SPDX-License-Identifier: MIT
"""Byte addresses to the coordinates that the core takes, in the core itself where the map allows it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim._core import Replay
from heam_sim.address import AddressMap, narrow
from heam_sim.dram import Spec
from heam_sim.traffic.streams import Requests

__all__ = ["BLOCK", "Decoder"]

#: Requests that are decoded at a time: temporary arrays of this size stay in a processor's caches.
BLOCK = 1 << 16


class Decoder:
    """Hands requests to replays of one memory.

    Parameters
    ----------
    mapping
        Of all channels together.
    spec
        The memory.
    alone
        The replays are of one channel each, and get what :meth:`by_channel` found for it.

    Attributes
    ----------
    images
        What the bits of a burst's address stand for, by field; None where a place is no XOR of its bits'.
    """

    def __init__(self, mapping: AddressMap, spec: Spec, *, alone: bool = False) -> None:
        self._mapping = mapping
        self._burst_bytes = np.uint64(spec.burst_bytes)
        self._burst_bits = spec.burst_bytes.bit_length() - 1
        self._channels = mapping.size("channel")
        self._alone = alone
        self.images = self._find_images() if _is_power(spec.burst_bytes) else None

    def _find_images(self) -> dict[str, NDArray[Any]] | None:
        images = self._mapping.images
        return None if images is None else self._seen(images)

    def _seen(self, places: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """A replay of one channel knows no other."""
        return {**places, "channel": np.zeros_like(places["channel"])} if self._alone else places

    def requests(self, chunk: Requests) -> dict[str, NDArray[Any]]:
        """Return place, flag and rest of every request as the core's ``run`` takes them."""
        burst, offset = np.divmod(chunk.address, self._burst_bytes)
        beyond, inside = np.divmod(burst, np.uint64(self._mapping.bursts))
        rest = beyond * self._burst_bytes + offset
        return {
            **self._seen(narrow(*self._mapping.decode(inside.astype(np.int64)))),
            "is_write": np.ascontiguousarray(chunk.is_write),
            **({"rest": rest} if rest.any() else {}),
        }

    def feed(self, core: Replay, chunk: Requests) -> None:
        """Let a replay run more requests."""
        if self.images is None:
            core.run(self.requests(chunk))
            return
        address, is_write = np.ascontiguousarray(chunk.address), np.ascontiguousarray(chunk.is_write)
        core.run_addresses(self.images, self._burst_bits, address, is_write)

    def by_channel(self, chunk: Requests) -> list[Requests]:
        """Return the requests of every channel in their order."""
        burst = chunk.address // self._burst_bytes % np.uint64(self._mapping.bursts)
        channel = self._mapping.split(burst.astype(np.int64))["channel"].astype(np.uint16)
        # Stable sorting of 16-bit numbers takes linear time.
        order = np.argsort(channel, kind="stable")
        address, is_write = np.take(chunk.address, order), np.take(chunk.is_write, order)
        ends = np.cumsum(np.bincount(channel, minlength=self._channels))
        return [
            Requests(address[start:end], is_write[start:end])
            for start, end in zip((0, *ends[:-1]), ends, strict=True)
        ]


def _is_power(size: int) -> bool:
    return size & (size - 1) == 0
