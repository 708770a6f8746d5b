# SPDX-License-Identifier: MIT
"""Inner loops of lowering in the core: places of addresses, and blocks of values put into program order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim._core._heam import ffi, lib
from heam_sim._core.calls import check_status, checked_array, pointer_to
from heam_sim._core.records import c_number
from heam_sim.errors import ConfigError

__all__ = ["PLACE_DTYPES", "find_places", "map_record", "put_block"]

#: What a burst's place consists of.
PLACE_DTYPES: dict[str, np.dtype[Any]] = {
    "channel": np.dtype(np.uint16),
    "bank": np.dtype(np.uint16),
    "row": np.dtype(np.uint32),
    "column": np.dtype(np.uint16),
}
_WORD = np.dtype(np.int64)


def map_record(images: Mapping[str, NDArray[Any]], burst_bits: int) -> dict[str, Any]:
    """Return a map as ``heam_map_desc`` has it; the arrays must outlive it.

    Parameters
    ----------
    images
        For every bit of a burst's address, what it stands for: arrays of :data:`PLACE_DTYPES`.
    burst_bits
        Bits of an address below those.

    Raises
    ------
    ConfigError
        An array is missing, or has the wrong dtype or length.
    """
    fields = {
        name: checked_array(images.get(name), dtype, f"images[{name!r}]")
        for name, dtype in PLACE_DTYPES.items()
    }
    sizes = {field.size for field in fields.values()}
    if len(sizes) != 1:
        raise ConfigError("images: the arrays differ in length.")
    bits = {"burst_bits": c_number(burst_bits, "burst_bits"), "bits": sizes.pop()}
    return {**bits, **{name: _integers(field) for name, field in fields.items()}}


def find_places(
    images: Mapping[str, NDArray[Any]], burst_bits: int, address: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    """Return the places of byte addresses.

    Parameters
    ----------
    images, burst_bits
        The map: the place of an address is the XOR of its bits' images.
    address
        int64, not negative; what lies beyond the map's capacity is left out.

    Returns
    -------
    dict
        ``channel``, ``bank``, ``row`` and ``column``: arrays of :data:`PLACE_DTYPES`.

    Raises
    ------
    ConfigError
        Another array than asked for, or images that need more than 63 bits.
    """
    desc = ffi.new("heam_map_desc *", map_record(images, burst_bits))
    checked_array(address, _WORD, "address")
    found: dict[str, NDArray[Any]] = {
        name: np.empty(address.size, kind) for name, kind in PLACE_DTYPES.items()
    }
    pointers = [_integers(field) for field in found.values()]
    check_status(
        lib.heam_lower_places(desc, address.size, pointer_to("uint64_t[]", address), *pointers), "address map"
    )
    return found


def put_block(
    room: Mapping[str, NDArray[Any]],
    values: Mapping[str, NDArray[Any] | int],
    *,
    entries: int,
    lookups: int,
    which: NDArray[np.int64] | None,
    start: NDArray[np.int64] | int,
    offset: int = 0,
    rank: NDArray[np.int64] | None = None,
    by_lookup: Mapping[str, NDArray[Any]],
) -> None:
    """Put values of some entries, each of which belongs to a lookup, where they are to stand.

    Entry ``i`` of lookup ``n = which[i]`` goes to ``start[n] + offset + rank[i]``.

    Parameters
    ----------
    room
        Arrays of one length that are written to.
    values
        By name of such an array, what is put into it: an array of its dtype with an entry's value each, or a
        number for all entries.
    entries, lookups
        How many there are.
    which
        int64 (entries,); ``None``: entry ``i`` is of lookup ``i``.
    start
        int64 (lookups,), or a number: lookup ``n`` then starts at ``n * start``.
    offset
        Added to it.
    rank
        int64 (entries,), added to it; ``None``: 0.
    by_lookup
        As `values`, but arrays with a lookup's value each.

    Raises
    ------
    ConfigError
        An array has the wrong dtype or length, or an entry names a lookup or a place that is not there. Some
        entries may have been put then.
    """
    sizes = {array.size for array in room.values()}
    if len(sizes) != 1:
        raise ConfigError("room: needs arrays of one length.")
    if which is None and entries > lookups:
        raise ConfigError(f"which: needs an array where {entries} entries are of {lookups} lookups.")
    desc: dict[str, Any] = {
        "entries": c_number(entries, "entries", bits=64),
        "lookups": c_number(lookups, "lookups", bits=64),
        "room": sizes.pop(),
        "offset": c_number(offset, "offset", bits=64),
    }
    if isinstance(start, np.ndarray):
        desc["start"] = _words(start, lookups, "start")
    else:
        desc["step"] = c_number(start, "start", bits=64)
    for name, numbers in (("which", which), ("rank", rank)):
        if numbers is not None:
            desc[name] = _words(numbers, entries, name)
    columns = [_column(room, name, value, lib.HEAM_OF_ENTRY, entries) for name, value in values.items()]
    columns += [_column(room, name, value, lib.HEAM_OF_LOOKUP, lookups) for name, value in by_lookup.items()]
    if not entries:
        return
    status = lib.heam_lower_put(
        ffi.new("heam_block *", desc), len(columns), ffi.new("heam_column[]", columns)
    )
    check_status(status, "block of items")


def _column(
    room: Mapping[str, NDArray[Any]], name: str, value: NDArray[Any] | int, of: int, size: int
) -> tuple[Any, Any, int, int]:
    """A ``heam_column``; what it points to keeps its array alive."""
    if name not in room:
        raise ConfigError(f"{name}: there is no such array to put values into.")
    to = checked_array(room[name], room[name].dtype, name)
    if to.dtype.kind != "u" or not to.flags.writeable:
        raise ConfigError(f"{name}: needs a writable array of unsigned integers.")
    if isinstance(value, np.ndarray):
        source = _sized(value, to.dtype, size, name)
    else:
        of = lib.HEAM_OF_BLOCK
        source = np.array([c_number(value, name, bits=8 * to.itemsize)], to.dtype)
    return ffi.from_buffer(source), ffi.from_buffer(to), to.itemsize, of


def _words(values: NDArray[np.int64], size: int, what: str) -> Any:
    return pointer_to("uint64_t[]", _sized(values, _WORD, size, what))


def _integers(values: NDArray[Any]) -> Any:
    return pointer_to(f"uint{8 * values.itemsize}_t[]", values)


def _sized(values: Any, dtype: np.dtype[Any], size: int, what: str) -> NDArray[Any]:
    array = checked_array(values, dtype, what)
    if array.size != size:
        raise ConfigError(f"{what}: has {array.size} entries, not {size}.")
    return array
