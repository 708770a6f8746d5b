# SPDX-License-Identifier: MIT
"""Replay of a plain request stream on one memory, as a trace-driven memory simulator does it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heam_sim._core import LOG_DTYPE, ChannelParameters, Replay, SpecHandle, Statistic, counters
from heam_sim.address import parse_map
from heam_sim.dram import Controller, Spec, load_spec
from heam_sim.errors import ConfigError, unknown_name
from heam_sim.numbers import whole_number
from heam_sim.traffic.decode import BLOCK, Decoder
from heam_sim.traffic.independent import IndependentChannels
from heam_sim.traffic.latency import Latency
from heam_sim.traffic.streams import Requests

__all__ = ["ReplayResult", "replay", "replay_chunks"]

_FRONT_ENDS = ("shared", "per-channel")
_GROUP = 4 * BLOCK
# The core's limit.
_MOST_CHANNELS = 4096
_MOST = (1 << 31) - 1
_SUMMED_UP = ("queue_peak",)


@dataclass(frozen=True, repr=False)
class ReplayResult:
    """What a replay gives back.

    Attributes
    ----------
    cycles
        Clock of the memory when the last data arrived (or, with ``drain=False``, when the last request was
        accepted).
    time_ns
        The same in ns.
    counters
        Sums over channels by name (largest for ``queue_peak``).
    channel_counters
        One mapping per channel.
    latency
        Distribution of the read latencies, completion minus arrival in cycles, over all channels.
    channel_latency
        One distribution per channel.
    statistics
        Name, unit and description of every counter.
    commands
        Structured array with ``clock, command, channel``, the levels below the channel, ``row, column``;
        empty unless recorded.
        ``command`` indexes `command_names`. For a command of a whole rank the deeper fields are -1.
    command_names
        Names of the commands.
    log
        The same commands as a command log (docs/formats.md), for :func:`heam_sim.check.write_log`.
    spec
        The resolved memory.
    """

    cycles: int
    time_ns: float
    counters: dict[str, int]
    channel_counters: tuple[dict[str, int], ...]
    latency: Latency
    channel_latency: tuple[Latency, ...]
    statistics: tuple[Statistic, ...]
    commands: NDArray[Any]
    command_names: tuple[str, ...]
    log: NDArray[Any]
    spec: Spec

    def __repr__(self) -> str:
        return f"<ReplayResult {self.spec.name}: {self.requests} requests in {self.cycles} cycles>"

    @property
    def requests(self) -> int:
        """Requests accepted."""
        return self.counters["reads"] + self.counters["writes"]

    @property
    def mean_read_latency_cycles(self) -> float:
        """Mean over completed reads of completion minus arrival; NaN without reads."""
        return self.latency.mean

    @property
    def bandwidth_GBps(self) -> float:
        """Bytes of all requests over time, in GB/s (decimal)."""
        return self.requests * self.spec.burst_bytes / self.time_ns if self.time_ns else float("nan")


def replay(
    address: ArrayLike,
    is_write: ArrayLike,
    *,
    preset: str,
    channels: int = 1,
    overrides: Mapping[str, Any] | None = None,
    offers_per_cycle: int = 1,
    refresh: str = "all-bank",
    record_commands: bool = False,
    address_map: str = "RoBaRaCoCh",
    read_queue: int = 32,
    write_queue: int = 32,
    drain: bool = True,
    write_high_percent: int = 80,
    write_low_percent: int = 20,
    scheduler: str = "frfcfs",
    row_hit_cap: int | None = None,
    row_policy: str = "open",
    row_timeout: int | None = None,
    row_cap: int | None = None,
    refresh_stagger: bool = False,
    refresh_postpone: int = 0,
    front_end: str = "shared",
    threads: int = 1,
) -> ReplayResult:
    """Replay requests, one burst each, through controllers of the chosen policies.

    Parameters
    ----------
    address
        Byte addresses, integers of shape (requests,). As in Ramulator, addresses beyond the capacity wrap
        around, but only a queued write to the very same address answers a read or absorbs a write: neither
        one that wraps to the same place nor one to another byte of the burst does.
    is_write
        Integers or booleans of the same shape.
    preset
        ``"family/ORGANIZATION/TIMING"``, e.g. ``"ramulator-2.1/DDR4_8Gb_x8/DDR4_2400R"``.
    channels
        How many; bursts are interleaved as `address_map` says.
    overrides
        Counts and timings to change by name, e.g. ``{"rank": 2}``; derived values follow.
    offers_per_cycle
        Requests that the front end offers in a memory cycle (one in the first). A request that finds its
        queue full blocks
        all behind it.
    refresh
        ``"all-bank"``, ``"none"``, ``"per-bank"`` or ``"same-bank"`` (if the memory has it).
    record_commands
        Keep every command.
    address_map
        See :func:`heam_sim.address.parse_map`.
    read_queue, write_queue
        Entries per channel.
    drain
        Go on until all data have arrived; otherwise stop with the last acceptance.
    write_high_percent, write_low_percent, scheduler, row_hit_cap, row_policy, row_timeout, row_cap
        The rest of the controller: see :class:`heam_sim.dram.Controller`. With any but the default policies
        only the generic engine fits.
    refresh_stagger, refresh_postpone
        Likewise.
    front_end
        ``"shared"``: one for all channels, which a full queue of any channel blocks (as Ramulator has it).
        ``"per-channel"``: one for each channel, fed with that channel's requests in their order and making
        `offers_per_cycle` offers of its own. The channels then share nothing, and each ends, refreshes and
        counts up to its own last cycle.
    threads
        Threads for ``"per-channel"``, at most one a channel is used. The results are the same bytes on any
        number of them. A shared front end runs on one thread whatever is asked for.

    Raises
    ------
    ConfigError
        Arrays that are no integers or differ in length, or a parameter that cannot be.
    """
    whole = Requests(_addresses(address), _flags(is_write))
    if whole.address.size != whole.is_write.size:
        raise ConfigError(
            f"is_write: has {whole.is_write.size} entries, address {whole.address.size}; give as many."
        )
    return replay_chunks(
        [whole],
        preset=preset,
        channels=channels,
        overrides=overrides,
        offers_per_cycle=offers_per_cycle,
        refresh=refresh,
        record_commands=record_commands,
        address_map=address_map,
        read_queue=read_queue,
        write_queue=write_queue,
        drain=drain,
        write_high_percent=write_high_percent,
        write_low_percent=write_low_percent,
        scheduler=scheduler,
        row_hit_cap=row_hit_cap,
        row_policy=row_policy,
        row_timeout=row_timeout,
        row_cap=row_cap,
        refresh_stagger=refresh_stagger,
        refresh_postpone=refresh_postpone,
        front_end=front_end,
        threads=threads,
    )


def _array(name: str, values: ArrayLike) -> NDArray[Any]:
    if np.ma.is_masked(values):
        raise ConfigError(f"{name}: has masked entries, which no request stands for; leave them out.")
    try:
        return np.asarray(values)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{name}: is no array ({error}).") from None


def _addresses(values: ArrayLike) -> NDArray[np.uint64]:
    array = _array("address", values)
    if array.size == 0:
        return np.empty(0, np.uint64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ConfigError(
            f"address: needs a one-dimensional integer array, not {array.dtype} of {array.ndim} dimensions."
        )
    if array.dtype.kind == "i" and int(array.min()) < 0:
        raise ConfigError(f"address: entry {int(array.argmin())} is negative; addresses start at 0.")
    if int(array.max()) >= 1 << 63:
        raise ConfigError(f"address: entry {int(array.argmax())} lies beyond 2^63 - 1.")
    # Not copied where it need not be; a buffer that starts at any byte is.
    aligned = (
        np.require(array, requirements=["C", "A"]) if array.dtype == np.int64 else array.astype(np.uint64)
    )
    return aligned.view(np.uint64)


def _flags(values: ArrayLike) -> NDArray[np.uint8]:
    array = _array("is_write", values)
    if array.size == 0:
        return np.empty(0, np.uint8)
    if array.ndim != 1 or array.dtype.kind not in "iub":
        raise ConfigError(
            f"is_write: needs one-dimensional integers or booleans, not {array.dtype} of {array.ndim} "
            f"dimensions."
        )
    flags: NDArray[np.uint8] = np.not_equal(array, 0).view(np.uint8)
    return flags


def _yes_or_no(name: str, value: object) -> None:
    if not isinstance(value, bool | np.bool_):
        raise ConfigError(f"{name}: {value!r} is neither true nor false.")


def replay_chunks(
    chunks: Iterable[Requests],
    *,
    preset: str,
    channels: int = 1,
    overrides: Mapping[str, Any] | None = None,
    offers_per_cycle: int = 1,
    refresh: str = "all-bank",
    record_commands: bool = False,
    address_map: str = "RoBaRaCoCh",
    read_queue: int = 32,
    write_queue: int = 32,
    drain: bool = True,
    write_high_percent: int = 80,
    write_low_percent: int = 20,
    scheduler: str = "frfcfs",
    row_hit_cap: int | None = None,
    row_policy: str = "open",
    row_timeout: int | None = None,
    row_cap: int | None = None,
    refresh_stagger: bool = False,
    refresh_postpone: int = 0,
    front_end: str = "shared",
    threads: int = 1,
) -> ReplayResult:
    """Replay a stream that comes in chunks; memory does not grow with its length.

    Parameters
    ----------
    chunks
        The requests, in order.
    preset, channels, overrides, offers_per_cycle, refresh, record_commands, address_map, read_queue
        As in :func:`replay`.
    write_queue, drain, write_high_percent, write_low_percent, scheduler, row_hit_cap, row_policy, row_timeout
        As in :func:`replay`.
    row_cap, refresh_stagger, refresh_postpone, front_end, threads
        As in :func:`replay`.

    Returns
    -------
    ReplayResult
        Times in cycles of the memory's clock and in ns.

    Raises
    ------
    ConfigError
        As :func:`replay`.
    """
    if front_end not in _FRONT_ENDS:
        raise unknown_name("front end", front_end, _FRONT_ENDS, where="front_end")
    controller = Controller(
        scheduler=scheduler,
        row_hit_cap=row_hit_cap,
        row_policy=row_policy,
        row_timeout=row_timeout,
        row_cap=row_cap,
        refresh=refresh,
        refresh_stagger=refresh_stagger,
        refresh_postpone=refresh_postpone,
        read_queue=read_queue,
        write_queue=write_queue,
        write_high_percent=write_high_percent,
        write_low_percent=write_low_percent,
    )
    _yes_or_no("record_commands", record_commands)
    _yes_or_no("drain", drain)
    count = whole_number("channels", channels, minimum=1, maximum=_MOST_CHANNELS)
    spec = load_spec(preset, overrides=dict(overrides) if overrides else None)
    mapping = parse_map(address_map, spec, channels=count)
    parameters = ChannelParameters(kind="plain", period=1, **controller.parameters(spec))
    handle = SpecHandle(spec)
    offers = whole_number("offers_per_cycle", offers_per_cycle, minimum=1, maximum=_MOST)
    alone, workers = front_end == "per-channel", whole_number("threads", threads, minimum=1, maximum=_MOST)
    decoder = Decoder(mapping, spec, alone=alone)

    def create(channels: int) -> Replay:
        return Replay(
            handle,
            parameters=parameters,
            channels=channels,
            offers_per_cycle=offers,
            with_log=record_commands,
        )

    if alone:
        lanes = IndependentChannels(
            lambda: create(1), channels=count, threads=workers, decoder=decoder, with_log=record_commands
        )
        lanes.run((tuple(_pieces([group], BLOCK)) for group in _pieces(chunks, _GROUP)), drain=drain)
        return _collect(lanes, spec, lanes.take_log())
    core = create(count)
    logs = []
    for piece in _pieces(chunks, BLOCK):
        decoder.feed(core, piece)
        if record_commands:
            logs.append(core.take_log())
    core.drain() if drain else core.stop()
    logs.append(core.take_log())
    return _collect(core, spec, np.concatenate(logs) if record_commands else np.empty(0, LOG_DTYPE))


def _pieces(chunks: Iterable[Requests], size: int) -> Iterator[Requests]:
    """Cut chunks into pieces of at most `size` requests."""
    for chunk in chunks:
        for start in range(0, chunk.address.size, size):
            part = slice(start, start + size)
            yield Requests(chunk.address[part], chunk.is_write[part])


def _collect(core: Replay | IndependentChannels, spec: Spec, log: NDArray[Any]) -> ReplayResult:
    per_channel = tuple(core.channel_counters(channel) for channel in range(core.channels))
    sums = {name: sum(row[name] for row in per_channel) for name in per_channel[0]}
    sums.update({name: max(row[name] for row in per_channel) for name in _SUMMED_UP})
    sums["cycles"] = core.cycle
    names = tuple(command.name for command in spec.commands)
    latency = tuple(
        Latency(core.latencies(channel), row["read_latency"]) for channel, row in enumerate(per_channel)
    )
    return ReplayResult(
        cycles=core.cycle,
        time_ns=core.cycle * float(spec.tCK_ps) / 1000,
        counters=sums,
        channel_counters=per_channel,
        latency=Latency.total(latency),
        channel_latency=latency,
        statistics=counters(),
        commands=_commands(log, spec),
        command_names=names,
        log=log,
        spec=spec,
    )


def _commands(log: NDArray[Any], spec: Spec) -> NDArray[Any]:
    """Spell the flat bank out in levels; what a command does not address is -1."""
    levels = spec.levels[1:]
    fields = [("clock", "<i8"), ("command", "<i2"), ("channel", "<i4")]
    fields += [(level, "<i4") for level in levels] + [("row", "<i8"), ("column", "<i4")]
    out = np.zeros(log.size, np.dtype(fields))
    for name in ("clock", "command", "channel", "row", "column"):
        out[name] = log[name]
    rest = log["bank"].astype(np.int64)
    for level in reversed(levels):
        rest, out[level] = np.divmod(rest, spec.counts[level])
    depth = np.array([spec.depth(command.scope) for command in spec.commands])[log["command"]]
    for number, level in enumerate(levels, 1):
        out[level][depth < number] = -1
    wide = depth < len(levels)
    out["row"][wide] = -1
    out["column"][wide] = -1
    return out
