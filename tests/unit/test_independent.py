# SPDX-License-Identifier: MIT
"""Channels with a front end each: what they are, on one thread and on two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import heam_sim
from heam_sim.errors import ConfigError
from heam_sim.traffic import ReplayResult, Requests, replay_chunks

HBM2 = "ramulator-2.1/HBM2_4Gb/HBM2_2000Mbps"
CHANNELS = 4


def stream(count: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Random bursts, a third of them writes; the first channels get more than the last."""
    rng = np.random.default_rng(seed)
    burst = rng.integers(0, 1 << 22, count) * CHANNELS + np.minimum(
        rng.geometric(0.4, count) - 1, CHANNELS - 1
    )
    return burst * 32, rng.random(count) < 1 / 3


def run(address: np.ndarray, is_write: np.ndarray, **options: Any) -> ReplayResult:
    return heam_sim.replay(
        address,
        is_write,
        preset=HBM2,
        **{"channels": CHANNELS, "front_end": "per-channel", "record_commands": True, **options},
    )


def same(one: ReplayResult, other: ReplayResult) -> bool:
    return (
        one.cycles == other.cycles
        and one.counters == other.counters
        and one.channel_counters == other.channel_counters
        and one.log.tobytes() == other.log.tobytes()
        and one.commands.tobytes() == other.commands.tobytes()
    )


@pytest.mark.parametrize("drain", [True, False])
def test_threads_change_nothing(drain: bool) -> None:
    # More than two groups of blocks, so that the pipeline of groups is in use.
    address, is_write = stream(540_000)
    runs = [run(address, is_write, drain=drain, threads=threads) for threads in (1, 2, 16)]
    assert same(runs[0], runs[1]) and same(runs[0], runs[2])
    assert runs[0].requests == 540_000 and runs[0].log.size > 540_000


@pytest.mark.parametrize("drain", [True, False])
@pytest.mark.parametrize(("channels", "offers"), [(CHANNELS, 1), (CHANNELS, 3), (3, 1)])
def test_a_channel_behaves_as_if_it_were_alone(drain: bool, channels: int, offers: int) -> None:
    """With four channels the core finds the places; three are no power of two, so they are found before."""
    address, is_write = stream(9000)
    together = run(address, is_write, channels=channels, threads=2, drain=drain, offers_per_cycle=offers)
    burst = address // 32
    ends = []
    for channel in range(channels):
        mine = burst % channels == channel
        alone = run(
            burst[mine] // channels * 32, is_write[mine],
            channels=1, front_end="shared", drain=drain, offers_per_cycle=offers,
        )  # fmt: skip
        assert together.channel_counters[channel] == alone.channel_counters[0]
        log = together.log[together.log["channel"] == channel]
        log["channel"] = 0
        np.testing.assert_array_equal(log, alone.log)
        ends.append(alone.cycles)
    assert together.cycles == max(ends) and len(set(ends)) == channels
    assert together.counters["reads"] == int((~is_write).sum())


def test_the_log_is_in_order_of_clock_and_channel() -> None:
    log = run(*stream(5000), threads=2).log
    key = log["clock"].astype(np.int64) * CHANNELS + log["channel"]
    assert (np.diff(key) >= 0).all()


def test_one_channel_is_the_shared_front_end() -> None:
    address, is_write = stream(3000)
    assert same(run(address, is_write, channels=1), run(address, is_write, channels=1, front_end="shared"))


def test_a_shared_front_end_is_the_same_on_any_number_of_threads() -> None:
    address, is_write = stream(3000)
    runs = [run(address, is_write, front_end="shared", threads=threads) for threads in (1, 2)]
    assert same(*runs)


def test_chunks_change_nothing_and_empty_channels_are_legal() -> None:
    address = np.arange(900, dtype=np.uint64) * 32 * CHANNELS  # all in channel 0
    flags = (np.arange(900) % 5 == 0).astype(np.uint8)
    options: dict[str, Any] = {"preset": HBM2, "channels": CHANNELS, "front_end": "per-channel", "threads": 2}
    pieces = [Requests(address[i : i + 7], flags[i : i + 7]) for i in range(0, 900, 7)]
    parts = replay_chunks(pieces, **options)
    assert same(parts, replay_chunks([Requests(address, flags)], **options))
    assert [row["cycles"] for row in parts.channel_counters][1:] == [0] * (CHANNELS - 1)
    nothing = replay_chunks([], **options)
    assert nothing.requests == nothing.cycles == nothing.log.size == 0


@pytest.mark.parametrize(
    "options", [{"front_end": "private"}, {"threads": 0}, {"threads": 1.5}, {"threads": True}]
)
def test_bad_arguments_are_config_errors(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        run(*stream(10), **options)


def test_an_error_in_the_stream_reaches_the_caller() -> None:
    def broken() -> Any:
        yield Requests(*(np.zeros(300_000, dtype) for dtype in (np.uint64, np.uint8)))
        raise ConfigError("here: it ends.")

    with pytest.raises(ConfigError, match="it ends"):
        replay_chunks(broken(), preset=HBM2, channels=2, front_end="per-channel", threads=2)
