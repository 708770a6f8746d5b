# SPDX-License-Identifier: MIT
"""Owners of simulations. Arrays are checked here: the core sees only what its header promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim._core._heam import ffi, lib
from heam_sim._core.calls import Handle, check_status, checked_array, pointer_to
from heam_sim._core.lowering import PLACE_DTYPES, map_record
from heam_sim._core.records import (
    ENGINES,
    LATENCY_DTYPE,
    LOG_DTYPE,
    OPTIONAL_ITEMS,
    ChannelParameters,
    HostParameters,
    c_number,
    counters,
    host_counters,
)
from heam_sim._core.specs import SpecHandle
from heam_sim._core.work import items_record
from heam_sim.errors import ConfigError, unknown_name

__all__ = ["Replay", "System", "latency_edges"]


def _descriptions(channels: Sequence[ChannelParameters]) -> Any:
    return ffi.new("heam_channel_desc[]", [channel.to_c() for channel in channels])


def _read_counters(call: Any, names: Sequence[str]) -> dict[str, int]:
    values = np.zeros(len(names), np.uint64)
    call(pointer_to("uint64_t[]", values), len(names))
    return dict(zip(names, (int(value) for value in values), strict=True))


def _take(call: Any, pointer: Any, size: int, dtype: np.dtype[Any], ctype: str) -> NDArray[Any]:
    out = np.empty(size, dtype)
    if size:
        call(pointer, ffi.cast(ctype, ffi.from_buffer(out)), size)
    return out


class _Run(Handle):
    """A handle with channels."""

    channels: int

    def _check_channel(self, channel: int) -> None:
        if c_number(channel, "channel") >= self.channels:
            raise ConfigError(
                f"channel: there is no channel {channel}; the channels are 0 to {self.channels - 1}."
            )


class System(_Run):
    """Host and channels in one run.

    Parameters
    ----------
    host
        Parameters of the host.
    channels
        One record per channel.
    specs
        The compiled standard of each channel.
    with_log
        Keep the command log.
    """

    def __init__(
        self,
        host: HostParameters,
        *,
        channels: Sequence[ChannelParameters],
        specs: Sequence[SpecHandle],
        with_log: bool = False,
    ) -> None:
        if len(channels) != len(specs) or not channels:
            raise ConfigError("channels: every channel needs a spec, and there must be one at least.")
        out, detail = ffi.new("heam_system **"), ffi.new("uint64_t *")
        desc = ffi.new("heam_host_desc *", host.to_c())
        compiled = [spec.held() for spec in specs]
        pointers = ffi.new("heam_spec *[]", compiled)
        status = lib.heam_system_create(
            desc, len(channels), _descriptions(channels), pointers, int(with_log), out, detail
        )
        check_status(status, "system", int(detail[0]))
        super().__init__(out[0], lib.heam_system_destroy)
        self.channels = len(channels)

    def feed(
        self,
        items: Mapping[str, NDArray[Any]],
        offsets: NDArray[np.uint64],
        *,
        last: bool,
        arrivals: NDArray[np.uint64] | None = None,
    ) -> None:
        """Hand over the operands of more bags.

        Parameters
        ----------
        items
            The arrays of :data:`~heam_sim._core.records.ITEM_DTYPES`, all of one length; those of
            :data:`~heam_sim._core.records.OPTIONAL_ITEMS` are zero where they are missing.
        offsets
            uint64, bags + 1 entries: items ``offsets[g]:offsets[g + 1]`` belong to bag ``g``.
        last
            No more will come.
        arrivals
            uint64, per bag: tick before which the host does not start it. None: all are there from the start.
        """
        record, _ = items_record(items, offsets, optional=OPTIONAL_ITEMS)
        if arrivals is not None:
            arrivals = checked_array(arrivals, np.dtype(np.uint64), "arrivals")
            if arrivals.size != record["gnrs"]:
                raise ConfigError(
                    f"arrivals: has {arrivals.size} entries, but there are {record['gnrs']} bags."
                )
            record["arrival"] = pointer_to("uint64_t[]", arrivals)
        detail = ffi.new("uint64_t *")
        with self.exclusive() as pointer:
            status = lib.heam_system_feed(pointer, ffi.new("heam_items *", record), int(last), detail)
        check_status(status, "work arrays", int(detail[0]))

    def run(self, max_steps: int) -> int:
        """Simulate at most `max_steps` events; return one of the STATE constants."""
        state, steps = ffi.new("uint32_t *"), c_number(max_steps, "max_steps", bits=64)
        with self.exclusive() as pointer:
            status = lib.heam_system_run(pointer, steps, state)
        check_status(status, "simulation")
        return int(state[0])

    @property
    def time(self) -> int:
        """Tick of the last finish so far."""
        with self.exclusive() as pointer:
            return int(lib.heam_system_time(pointer))

    @property
    def finished(self) -> int:
        """Bags finished so far."""
        with self.exclusive() as pointer:
            return int(lib.heam_system_finished(pointer))

    def channel_counters(self, channel: int) -> dict[str, int]:
        """Return the counters of one channel by name."""
        self._check_channel(channel)
        names = [item.name for item in counters()]
        with self.exclusive() as pointer:
            return _read_counters(
                lambda out, size: lib.heam_system_counters(pointer, channel, out, size), names
            )

    def host_counters(self) -> dict[str, int]:
        """Return the counters of the host by name."""
        names = [item.name for item in host_counters()]
        with self.exclusive() as pointer:
            return _read_counters(lambda out, size: lib.heam_system_host_counters(pointer, out, size), names)

    def bounds(self, channel: int) -> NDArray[np.uint64]:
        """Return how many commands each row set the time of; the last six are the reasons of BOUND_NAMES."""
        self._check_channel(channel)
        with self.exclusive() as pointer:
            size = lib.heam_system_bounds(pointer, channel, ffi.NULL, 0)
            out = np.zeros(size, np.uint64)
            lib.heam_system_bounds(pointer, channel, pointer_to("uint64_t[]", out), size)
        return out

    def bank_reads(self, channel: int) -> NDArray[np.uint64]:
        """Return how often every bank of a channel was read (RD and PIM_RD), uint64 (banks,)."""
        self._check_channel(channel)
        with self.exclusive() as pointer:
            size = lib.heam_system_bank_reads(pointer, channel, ffi.NULL, 0)
            out = np.zeros(size, np.uint64)
            lib.heam_system_bank_reads(pointer, channel, pointer_to("uint64_t[]", out), size)
        return out

    def spent(self, place: int) -> NDArray[np.uint64]:
        """Return the ticks that went to a channel or, as number of channels, to the host.

        uint64 (2, rows + reasons): ticks, and how often each was waited for; by constraint row, then by the
        reasons of :func:`~heam_sim._core.records.reasons`. All zero without `ledger_ticks`. Once the run is
        done, the ticks of all places together are its time.
        """
        if place != self.channels:
            self._check_channel(place)
        with self.exclusive() as pointer:
            size = lib.heam_system_spent(pointer, place, ffi.NULL, 0)
            out = np.zeros(size, np.uint64)
            lib.heam_system_spent(pointer, place, pointer_to("uint64_t[]", out), size)
        return out.reshape(2, -1)

    def take_log(self) -> NDArray[Any]:
        """Move the command log collected so far out of the core."""
        with self.exclusive() as pointer:
            size = int(lib.heam_system_log_size(pointer))
            return _take(lib.heam_system_take_log, pointer, size, LOG_DTYPE, "heam_log_record *")

    def take_latencies(self, most: int = 2**63) -> NDArray[Any]:
        """Move arrival and finish (ticks) of the bags finished first, `most` of them, out of the core."""
        with self.exclusive() as pointer:
            size = min(int(lib.heam_system_latencies_size(pointer)), most)
            return _take(
                lib.heam_system_take_latencies, pointer, size, LATENCY_DTYPE, "heam_latency_record *"
            )


def latency_edges() -> NDArray[np.uint64]:
    """Return the least latency of every bin in cycles, and 2^64 - 1 behind the last (uint64, bins + 1)."""
    bins = range(lib.HEAM_LATENCY_BINS + 1)
    return np.array([lib.heam_latency_least(number) for number in bins], np.uint64)


_REQUEST_DTYPES = {**PLACE_DTYPES, "is_write": np.dtype(np.uint8)}


class Replay(_Run):
    """Plain request streams through the compatibility front end.

    Parameters
    ----------
    spec
        The compiled standard.
    parameters
        Of every channel.
    channels
        How many.
    offers_per_cycle
        Requests offered in every cycle but the first.
    with_log
        Keep the command log.
    engine
        One of :data:`~heam_sim._core.records.ENGINES`. All give the same results; ``"auto"`` takes the
        fastest that this memory and this processor allow.

    Raises
    ------
    ConfigError
        If `engine` is unknown, or cannot do this memory on this processor.
    """

    def __init__(
        self,
        spec: SpecHandle,
        *,
        parameters: ChannelParameters,
        channels: int = 1,
        offers_per_cycle: int = 1,
        with_log: bool = False,
        engine: str = "auto",
    ) -> None:
        if engine not in ENGINES:
            raise unknown_name("engine", engine, ENGINES)
        out = ffi.new("heam_replay **")
        count, offers = c_number(channels, "channels"), c_number(offers_per_cycle, "offers_per_cycle")
        desc = _descriptions([parameters])
        with spec.exclusive() as pointer:
            status = lib.heam_replay_create_engine(
                count, desc, pointer, offers, int(with_log), ENGINES.index(engine), out
            )
        check_status(status, "replay" if engine == "auto" else f"engine {engine!r}")
        super().__init__(out[0], lib.heam_replay_destroy)
        self.channels = channels

    @property
    def engine(self) -> str:
        """The engine in use; never ``"auto"``."""
        with self.exclusive() as pointer:
            return ENGINES[lib.heam_replay_engine(pointer)]

    def run(self, requests: Mapping[str, NDArray[Any]]) -> None:
        """Run more requests until the last of them is accepted.

        Parameters
        ----------
        requests
            Arrays of one length: ``channel``, ``bank``, ``column`` (uint16), ``row`` (uint32), ``is_write``
            (uint8), and perhaps ``rest`` (uint64), what the addresses hold beside that place: a queued write
            answers or absorbs only requests with the same place and rest. Left out: all 0.
        """
        arrays = {
            name: checked_array(requests.get(name), dtype, name) for name, dtype in _REQUEST_DTYPES.items()
        }
        if "rest" in requests:
            arrays["rest"] = checked_array(requests["rest"], np.dtype(np.uint64), "rest")
        sizes = {array.size for array in arrays.values()}
        if len(sizes) != 1:
            raise ConfigError("requests: the arrays differ in length.")
        pointers = [pointer_to(f"uint{8 * array.itemsize}_t[]", array) for array in arrays.values()]
        if "rest" not in arrays:
            pointers.append(ffi.NULL)
        detail = ffi.new("uint64_t *")
        with self.exclusive() as pointer:
            status = lib.heam_replay_run(pointer, sizes.pop(), *pointers, detail)
        check_status(status, "requests", int(detail[0]))

    def run_addresses(
        self, images: Mapping[str, NDArray[Any]], burst_bits: int, address: Any, is_write: Any
    ) -> None:
        """Run requests by their addresses, as :meth:`run` does; the core finds the places.

        Parameters
        ----------
        images
            For every bit of a burst's address, the ``channel``, ``bank``, ``column`` (uint16) and ``row``
            (uint32) that it stands for; the place of an address is the XOR of its bits' images.
        burst_bits
            Bits of an address below those.
        address
            uint64, bytes, below 2^63.
        is_write
            uint8, of the same length.
        """
        address = checked_array(address, np.dtype(np.uint64), "address")
        is_write = checked_array(is_write, np.dtype(np.uint8), "is_write")
        if address.size != is_write.size:
            raise ConfigError("requests: the arrays differ in length.")
        desc = ffi.new("heam_map_desc *", map_record(images, burst_bits))
        flags, numbers = pointer_to("uint8_t[]", is_write), pointer_to("uint64_t[]", address)
        with self.exclusive() as pointer:
            status = lib.heam_replay_run_addresses(pointer, desc, address.size, numbers, flags)
        check_status(status, "requests")

    def stop(self) -> None:
        """Bring the counters to the clock at which the last request was accepted."""
        with self.exclusive() as pointer:
            check_status(lib.heam_replay_stop(pointer), "replay")

    def drain(self) -> None:
        """Go on until every request has retired and its data have arrived."""
        with self.exclusive() as pointer:
            check_status(lib.heam_replay_drain(pointer), "replay")

    @property
    def cycle(self) -> int:
        """The last cycle so far."""
        with self.exclusive() as pointer:
            return int(lib.heam_replay_cycle(pointer))

    def channel_counters(self, channel: int) -> dict[str, int]:
        """Return the counters of one channel by name."""
        self._check_channel(channel)
        names = [item.name for item in counters()]
        with self.exclusive() as pointer:
            return _read_counters(
                lambda out, size: lib.heam_replay_counters(pointer, channel, out, size), names
            )

    def latencies(self, channel: int) -> NDArray[np.uint64]:
        """Return the completed reads of one channel by bin of latency (see :func:`latency_edges`)."""
        self._check_channel(channel)
        out = np.zeros(lib.HEAM_LATENCY_BINS, np.uint64)
        with self.exclusive() as pointer:
            lib.heam_replay_latencies(pointer, channel, pointer_to("uint64_t[]", out), out.size)
        return out

    def take_log(self) -> NDArray[Any]:
        """Move the command log collected so far out of the core."""
        with self.exclusive() as pointer:
            size = int(lib.heam_replay_log_size(pointer))
            return _take(lib.heam_replay_take_log, pointer, size, LOG_DTYPE, "heam_log_record *")
