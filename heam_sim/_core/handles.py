# SPDX-License-Identifier: MIT
"""Owners of the core's handles. Arrays are checked here: the core sees only what its header promises."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim._core._heam import ffi, lib
from heam_sim._core.records import (
    ENGINES,
    ITEM_DTYPES,
    LATENCY_DTYPE,
    LOG_DTYPE,
    ChannelParameters,
    HostParameters,
    counters,
    host_counters,
    text,
)
from heam_sim.dram import Spec
from heam_sim.errors import CapacityError, ConfigError, CoreError, unknown_name

__all__ = ["Device", "Replay", "SpecHandle", "System"]

_KINDS = {text(lib.heam_kind_name(kind)): kind for kind in range(lib.HEAM_KIND_OTHER + 1)}


def _check(status: int, what: str, detail: int | None = None) -> None:
    if status == 0:
        return
    name = text(lib.heam_status_name(status))
    where = "" if detail is None else f" (at index {detail})"
    message = f"{what}: {text(lib.heam_status_text(status))}{where} [{name}]."
    if name == "HEAM_OUT_OF_MEMORY":
        raise MemoryError(message)
    if name in ("HEAM_BAD_CHANNEL", "HEAM_BAD_HOST", "HEAM_BAD_ARGUMENT", "HEAM_BAD_ENGINE"):
        raise ConfigError(message)
    if name == "HEAM_BAD_LEVELS":
        raise CapacityError(message)
    raise CoreError(message)


def _array(values: Any, dtype: np.dtype[Any], what: str) -> NDArray[Any]:
    """Accept a contiguous array of exactly this dtype; cffi would reinterpret others without a word."""
    if (
        not isinstance(values, np.ndarray)
        or values.dtype != dtype
        or values.ndim != 1
        or not values.flags.c_contiguous
    ):
        got = (
            f"{values.dtype} of {values.ndim} dimensions"
            if isinstance(values, np.ndarray)
            else type(values).__name__
        )
        raise ConfigError(
            f"{what}: needs a contiguous one-dimensional {dtype} array, not {got}; use "
            f"numpy.ascontiguousarray."
        )
    return values


def _pointer(ctype: str, values: NDArray[Any]) -> Any:
    return ffi.from_buffer(ctype, values) if values.size else ffi.NULL


class _Handle:
    """A C handle that only one thread may use at a time."""

    def __init__(self, pointer: Any, destroy: Any) -> None:
        self._pointer = ffi.gc(pointer, destroy)
        self._lock = threading.Lock()

    @contextmanager
    def _exclusive(self) -> Iterator[Any]:
        if not self._lock.acquire(blocking=False):
            raise CoreError("another thread is using this handle; give every thread a handle of its own.")
        try:
            if self._pointer is None:
                raise CoreError("the handle is closed; create a new one.")
            yield self._pointer
        finally:
            self._lock.release()

    def close(self) -> None:
        """Free the core's memory now; later calls raise :class:`CoreError`."""
        with self._exclusive() as pointer:
            ffi.release(pointer)
            self._pointer = None


class SpecHandle(_Handle):
    """A resolved standard, compiled by the core.

    Parameters
    ----------
    spec
        What :func:`heam_sim.dram.load_spec` or :func:`heam_sim.dram.derive_pim` returned.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.command_names = tuple(command.name for command in spec.commands)
        self.row_labels: list[str] = []
        arrays = self._flatten(spec)
        out, detail = ffi.new("heam_spec **"), ffi.new("uint64_t *")
        desc = ffi.new(
            "heam_spec_desc *",
            {
                "levels": len(spec.levels),
                "commands": len(spec.commands),
                "rows": len(arrays["row_level"]),
                "dram_rows": spec.rows,
                "dram_columns": spec.columns,
                "split_buses": int(spec.split_command_buses),
                "read_latency": spec.read_latency,
                "burst_cycles": spec.timing["nBL"],
                "burst_bytes": spec.burst_bytes,
                "refresh_interval": spec.refresh_interval,
            },
        )
        held = {
            name: _pointer(f"{ctype}[]", np.asarray(values, dtype))
            for name, (ctype, dtype, values) in arrays_typed(arrays).items()
        }
        for name, pointer in held.items():
            setattr(desc, name, pointer)
        status = lib.heam_spec_create(desc, out, detail)
        _check(status, f"memory {spec.name}", int(detail[0]))
        super().__init__(out[0], lib.heam_spec_destroy)

    def _flatten(self, spec: Spec) -> dict[str, list[int]]:
        index = {name: number for number, name in enumerate(self.command_names)}
        level = {name: number for number, name in enumerate(spec.levels)}
        arrays: dict[str, list[int]] = {
            "counts": [spec.counts[name] for name in spec.levels],
            "kind": [_KINDS.get(command.kind, lib.HEAM_KIND_OTHER) for command in spec.commands],
            "scope": [level[command.scope] for command in spec.commands],
        }
        rows = [
            (level[row.level], index[before], index[after], row.cycles, row.window, int(row.sibling), number)
            for number, row in enumerate(spec.constraints)
            for before in row.preceding
            for after in row.following
        ]
        names = (
            "row_level",
            "row_preceding",
            "row_following",
            "row_cycles",
            "row_window",
            "row_sibling",
            "row_id",
        )
        columns = zip(*rows, strict=True) if rows else [()] * len(names)
        arrays.update({name: list(column) for name, column in zip(names, columns, strict=True)})
        self.row_labels = [row.describe() for row in spec.constraints]
        return arrays


_SPEC_TYPES = {
    "counts": ("uint32_t", np.uint32),
    "kind": ("uint8_t", np.uint8),
    "scope": ("uint8_t", np.uint8),
    "row_level": ("uint8_t", np.uint8),
    "row_preceding": ("uint8_t", np.uint8),
    "row_following": ("uint8_t", np.uint8),
    "row_cycles": ("uint32_t", np.uint32),
    "row_window": ("uint16_t", np.uint16),
    "row_sibling": ("uint8_t", np.uint8),
    "row_id": ("int16_t", np.int16),
}


def arrays_typed(arrays: Mapping[str, list[int]]) -> dict[str, tuple[str, Any, list[int]]]:
    """Attach the C type and the dtype to every array of a spec description."""
    return {name: (*_SPEC_TYPES[name], values) for name, values in arrays.items()}


class Device(_Handle):
    """The bare device of one channel: for tests, and for playing the commands of other simulators.

    Parameters
    ----------
    spec
        The compiled standard.
    """

    def __init__(self, spec: SpecHandle) -> None:
        self._commands = {name: number for number, name in enumerate(spec.command_names)}
        out = ffi.new("heam_device **")
        with spec._exclusive() as pointer:
            _check(lib.heam_device_create(pointer, out), "device")
        super().__init__(out[0], lib.heam_device_destroy)

    def _number(self, command: str) -> int:
        if command not in self._commands:
            raise ConfigError(f"command: {command!r} is not one of {', '.join(self._commands)}.")
        return self._commands[command]

    def earliest(self, command: str, bank: int) -> tuple[int, int]:
        """Return the earliest cycle of `command` at flat `bank`, and the row that sets it (-1: none)."""
        cycle, row = ffi.new("uint64_t *"), ffi.new("int32_t *")
        with self._exclusive() as pointer:
            _check(
                lib.heam_device_earliest(pointer, self._number(command), bank, cycle, row),
                f"{command} at bank {bank}",
            )
        return int(cycle[0]), int(row[0])

    def probe(self, command: str, bank: int, *, row: int = 0, cycle: int) -> bool:
        """Return whether `command` is legal (state and timing) at `cycle`."""
        with self._exclusive() as pointer:
            status = lib.heam_device_probe(pointer, self._number(command), bank, row, cycle)
        if text(lib.heam_status_name(status)) in ("HEAM_BAD_STATE", "HEAM_TOO_EARLY"):
            return False
        _check(status, f"{command} at bank {bank}")
        return True

    def issue(self, command: str, bank: int, *, row: int = 0, cycle: int) -> None:
        """Issue `command`; :class:`CoreError` if it is not legal at `cycle`."""
        with self._exclusive() as pointer:
            status = lib.heam_device_issue(pointer, self._number(command), bank, row, cycle)
        _check(status, f"{command} at bank {bank}, row {row}, cycle {cycle}")


def _descriptions(channels: Sequence[ChannelParameters]) -> Any:
    return ffi.new("heam_channel_desc[]", [channel.to_c() for channel in channels])


def _read_counters(call: Any, names: Sequence[str]) -> dict[str, int]:
    values = np.zeros(len(names), np.uint64)
    call(_pointer("uint64_t[]", values), len(names))
    return dict(zip(names, (int(value) for value in values), strict=True))


def _take(call: Any, pointer: Any, size: int, dtype: np.dtype[Any], ctype: str) -> NDArray[Any]:
    out = np.empty(size, dtype)
    if size:
        call(pointer, ffi.cast(ctype, ffi.from_buffer(out)), size)
    return out


class System(_Handle):
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
        pointers = ffi.new("heam_spec *[]", [spec._pointer for spec in specs])
        status = lib.heam_system_create(
            desc, len(channels), _descriptions(channels), pointers, int(with_log), out, detail
        )
        _check(status, "system", int(detail[0]))
        super().__init__(out[0], lib.heam_system_destroy)
        self.channels = len(channels)

    def feed(self, items: Mapping[str, NDArray[Any]], offsets: NDArray[np.uint64], *, last: bool) -> None:
        """Hand over the operands of more bags.

        Parameters
        ----------
        items
            The arrays of :data:`~heam_sim._core.records.ITEM_DTYPES`, all of one length.
        offsets
            uint64, bags + 1 entries: items ``offsets[g]:offsets[g + 1]`` belong to bag ``g``.
        last
            No more will come.
        """
        offsets = _array(offsets, np.dtype(np.uint64), "offsets")
        if offsets.size == 0:
            raise ConfigError("offsets: needs at least one entry.")
        count = int(offsets[-1])
        record: dict[str, Any] = {"gnrs": offsets.size - 1, "offsets": _pointer("uint64_t[]", offsets)}
        for name, dtype in ITEM_DTYPES.items():
            array = _array(items.get(name), dtype, f"items[{name!r}]")
            if array.size != count:
                raise ConfigError(f"items[{name!r}]: has {array.size} entries, the offsets end at {count}.")
            bits = 8 * dtype.itemsize
            record[name] = _pointer(f"uint{bits}_t[]", array)
        detail = ffi.new("uint64_t *")
        with self._exclusive() as pointer:
            status = lib.heam_system_feed(pointer, ffi.new("heam_items *", record), int(last), detail)
        _check(status, "work arrays", int(detail[0]))

    def run(self, max_steps: int) -> int:
        """Simulate at most `max_steps` events; return one of the STATE constants."""
        state = ffi.new("uint32_t *")
        with self._exclusive() as pointer:
            status = lib.heam_system_run(pointer, max_steps, state)
        _check(status, "simulation")
        return int(state[0])

    @property
    def time(self) -> int:
        """Tick of the last finish so far."""
        with self._exclusive() as pointer:
            return int(lib.heam_system_time(pointer))

    @property
    def finished(self) -> int:
        """Bags finished so far."""
        with self._exclusive() as pointer:
            return int(lib.heam_system_finished(pointer))

    def channel_counters(self, channel: int) -> dict[str, int]:
        """Return the counters of one channel by name."""
        names = [item.name for item in counters()]
        with self._exclusive() as pointer:
            return _read_counters(
                lambda out, size: lib.heam_system_counters(pointer, channel, out, size), names
            )

    def host_counters(self) -> dict[str, int]:
        """Return the counters of the host by name."""
        names = [item.name for item in host_counters()]
        with self._exclusive() as pointer:
            return _read_counters(lambda out, size: lib.heam_system_host_counters(pointer, out, size), names)

    def bounds(self, channel: int) -> NDArray[np.uint64]:
        """Return how many commands each row set the time of; the last six are the reasons of BOUND_NAMES."""
        with self._exclusive() as pointer:
            size = lib.heam_system_bounds(pointer, channel, ffi.NULL, 0)
            out = np.zeros(size, np.uint64)
            lib.heam_system_bounds(pointer, channel, _pointer("uint64_t[]", out), size)
        return out

    def take_log(self) -> NDArray[Any]:
        """Move the command log collected so far out of the core."""
        with self._exclusive() as pointer:
            size = int(lib.heam_system_log_size(pointer))
            return _take(lib.heam_system_take_log, pointer, size, LOG_DTYPE, "heam_log_record *")

    def take_latencies(self) -> NDArray[Any]:
        """Move arrival and finish (ticks) of the bags finished so far out of the core."""
        with self._exclusive() as pointer:
            size = int(lib.heam_system_latencies_size(pointer))
            return _take(
                lib.heam_system_take_latencies, pointer, size, LATENCY_DTYPE, "heam_latency_record *"
            )


_REQUEST_DTYPES = {
    "channel": np.uint16,
    "bank": np.uint16,
    "row": np.uint32,
    "column": np.uint16,
    "is_write": np.uint8,
}


class Replay(_Handle):
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
        desc = _descriptions([parameters])
        with spec._exclusive() as pointer:
            status = lib.heam_replay_create_engine(
                channels, desc, pointer, offers_per_cycle, int(with_log), ENGINES.index(engine), out
            )
        _check(status, "replay" if engine == "auto" else f"engine {engine!r}")
        super().__init__(out[0], lib.heam_replay_destroy)
        self.channels = channels

    @property
    def engine(self) -> str:
        """The engine in use; never ``"auto"``."""
        with self._exclusive() as pointer:
            return ENGINES[lib.heam_replay_engine(pointer)]

    def run(self, requests: Mapping[str, NDArray[Any]]) -> None:
        """Run more requests (channel, bank, row, column, is_write) until the last of them is accepted."""
        arrays = {
            name: _array(requests.get(name), np.dtype(dtype), name) for name, dtype in _REQUEST_DTYPES.items()
        }
        sizes = {array.size for array in arrays.values()}
        if len(sizes) != 1:
            raise ConfigError("requests: the arrays differ in length.")
        pointers = [_pointer(f"uint{8 * array.itemsize}_t[]", array) for array in arrays.values()]
        detail = ffi.new("uint64_t *")
        with self._exclusive() as pointer:
            status = lib.heam_replay_run(pointer, sizes.pop(), *pointers, detail)
        _check(status, "requests", int(detail[0]))

    def stop(self) -> None:
        """Bring the counters to the clock at which the last request was accepted."""
        with self._exclusive() as pointer:
            _check(lib.heam_replay_stop(pointer), "replay")

    def drain(self) -> None:
        """Go on until every request has retired and its data have arrived."""
        with self._exclusive() as pointer:
            _check(lib.heam_replay_drain(pointer), "replay")

    @property
    def cycle(self) -> int:
        """The last cycle so far."""
        with self._exclusive() as pointer:
            return int(lib.heam_replay_cycle(pointer))

    def channel_counters(self, channel: int) -> dict[str, int]:
        """Return the counters of one channel by name."""
        names = [item.name for item in counters()]
        with self._exclusive() as pointer:
            return _read_counters(
                lambda out, size: lib.heam_replay_counters(pointer, channel, out, size), names
            )

    def take_log(self) -> NDArray[Any]:
        """Move the command log collected so far out of the core."""
        with self._exclusive() as pointer:
            size = int(lib.heam_replay_log_size(pointer))
            return _take(lib.heam_replay_take_log, pointer, size, LOG_DTYPE, "heam_log_record *")
