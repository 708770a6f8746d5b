# SPDX-License-Identifier: MIT
"""Channels that share nothing: each has a front end of its own, so that they run on several threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim._core import LOG_DTYPE, Replay
from heam_sim.traffic.decode import Decoder
from heam_sim.traffic.streams import Requests

__all__ = ["IndependentChannels"]

_Parts = list[Requests]


class IndependentChannels:
    """One replay per channel. The results do not depend on the number of threads.

    Parameters
    ----------
    create
        Makes the replay of one channel.
    channels
        How many.
    threads
        Threads that decode addresses and simulate; the core does not hold Python's lock.
    decoder
        Finds the channel and place of every request; made for channels that stand ``alone``.
    with_log
        Keep the command log.
    """

    def __init__(
        self,
        create: Callable[[], Replay],
        *,
        channels: int,
        threads: int,
        decoder: Decoder,
        with_log: bool,
    ) -> None:
        self.channels = channels
        self._cores = [create() for _ in range(channels)]
        self._threads = min(threads, channels)
        self._decoder = decoder
        self._with_log = with_log
        self._logs: list[list[NDArray[Any]]] = [[] for _ in range(channels)]

    def run(self, blocks: Iterable[tuple[Requests, ...]], *, drain: bool) -> None:
        """Run a whole stream.

        Parameters
        ----------
        blocks
            The stream: groups of blocks. A group is decoded while the one before it is simulated.
        drain
            Go on until all data have arrived; otherwise each channel stops with its last acceptance.
        """
        with ThreadPoolExecutor(self._threads) as pool:
            decoded: list[Future[_Parts]] = []
            turns: list[Future[None]] = []
            for group in blocks:
                coming = [pool.submit(self._decoder.by_channel, block) for block in group]
                turns = self._submit(pool, decoded, turns)
                decoded = coming
            turns = self._submit(pool, decoded, turns)
            finish = [
                pool.submit(self._finish, turn, core, drain)
                for turn, core in zip(turns, self._cores, strict=True)
            ]
            for end in finish:
                end.result()

    def _submit(
        self, pool: ThreadPoolExecutor, decoded: list[Future[_Parts]], before: list[Future[None]]
    ) -> list[Future[None]]:
        """Let every channel simulate a decoded group behind its group before; wait for the latter."""
        groups = [part.result() for part in decoded]
        waits: Sequence[Future[None] | None] = before or [None] * self.channels
        turns = [
            pool.submit(self._turn, wait, channel, [parts[channel] for parts in groups])
            for channel, wait in enumerate(waits)
        ]
        for turn in before:
            turn.result()
        return turns

    def _turn(self, before: Future[None] | None, channel: int, parts: _Parts) -> None:
        if before is not None:
            before.result()  # was handed out earlier, so another thread has at least begun it
        core = self._cores[channel]
        for part in parts:
            self._decoder.feed(core, part)
            if self._with_log:
                self._logs[channel].append(core.take_log())

    def _finish(self, before: Future[None], core: Replay, drain: bool) -> None:
        before.result()
        core.drain() if drain else core.stop()

    @property
    def cycle(self) -> int:
        """The last cycle of the channel that took longest."""
        return max(core.cycle for core in self._cores)

    def channel_counters(self, channel: int) -> dict[str, int]:
        """Return the counters of one channel by name, at its own last cycle."""
        return self._cores[channel].channel_counters(0)

    def latencies(self, channel: int) -> NDArray[np.uint64]:
        """Return the completed reads of one channel by bin of latency."""
        return self._cores[channel].latencies(0)

    def take_log(self) -> NDArray[Any]:
        """Return the commands of all channels in order of clock, then channel."""
        merged = []
        for channel, parts in enumerate(self._logs):
            log = np.concatenate([np.empty(0, LOG_DTYPE), *parts, self._cores[channel].take_log()])
            log["channel"] = channel
            merged.append(log)
            parts.clear()
        log = np.concatenate(merged)
        # Stable: commands of one channel and clock keep their order of issue.
        return log[np.argsort(log["clock"], kind="stable")]
