# SPDX-License-Identifier: MIT
"""A streaming dictionary from 64-bit keys to dense ids in order of first appearance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_IDS", "IdMap"]

MAX_IDS = 2**29
_ODD = np.uint64(0x9E3779B97F4A7C15)  # golden ratio, odd: spreads keys that differ in few bits
_NO_KEY = np.uint64(2**64 - 1)
_SMALLEST_BITS = 8
_PIECE = 1 << 15

_Keys = NDArray[np.uint64]
_Ids = NDArray[np.int32]
_Places = NDArray[np.int64]


class IdMap:
    """Give every distinct key the next free id.

    A hash table with open addressing whose steps work on whole arrays. Slots of 4 bytes, at most a quarter of
    them taken, name the place of a key in a dense array: 24 to 40 bytes per key, where a Python dict needs
    more than 100. Keys are below ``2**64 - 1``, and there are at most :data:`MAX_IDS` of them.
    """

    def __init__(self) -> None:
        self._bits = _SMALLEST_BITS
        self._mask = (1 << self._bits) - 1
        # A slot holds id + 1, so that 0 is empty and leads to a key that nobody has.
        self._slots = np.zeros(1 << self._bits, dtype=np.int32)
        self._keys = np.empty((1 << (self._bits - 2)) + 1, dtype=np.uint64)
        self._keys[0] = _NO_KEY
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def keys(self) -> _Keys:
        """All keys in the order of their ids."""
        return self._keys[1 : self._count + 1]

    def ids(self, keys: _Keys) -> _Ids:
        """Return the ids of `keys`, int32, shape like `keys`; new keys are numbered on in their order."""
        if len(keys) > _PIECE:  # bounds what is set aside for keys that may all be new
            return np.concatenate([self.ids(keys[at : at + _PIECE]) for at in range(0, len(keys), _PIECE)])
        at = self._homes(keys)
        found = self._slots.take(at)
        missed = np.flatnonzero(self._keys.take(found) != keys)
        if len(missed):
            found[missed] = self._search(keys[missed], at[missed], found[missed])
            fresh = missed[found[missed] == 0]
            if len(fresh):
                found[fresh] = self._add(keys[fresh])
        found -= 1
        return found

    def _homes(self, keys: _Keys) -> _Places:
        places = keys * _ODD
        places >>= np.uint64(64 - self._bits)
        return places.view(np.int64)

    def _next(self, at: _Places, keys: _Keys) -> _Places:
        # Odd strides that depend on the key: short searches, and every slot is met.
        return (at + (keys.view(np.int64) >> 3 | 1)) & self._mask

    def _search(self, keys: _Keys, at: _Places, found: _Ids) -> _Ids:
        """Return slot values of keys whose slot held `found`, another key's or none; 0 where unknown."""
        result = np.zeros(len(keys), dtype=np.int32)
        places = np.flatnonzero(found)
        keys, at = keys[places], at[places]
        while len(places):
            at = self._next(at, keys)
            found = self._slots[at]
            same = self._keys[found] == keys
            result[places[same]] = found[same]
            left = np.flatnonzero(~same & (found != 0))
            places, at, keys = places[left], at[left], keys[left]
        return result

    def _add(self, keys: _Keys) -> _Ids:
        """Number unknown keys, which may repeat, and return their slot values."""
        self._grow(self._count + len(keys))
        leader = np.empty(len(keys), dtype=np.int64)  # the place at which each key stood first
        home = np.empty(len(keys), dtype=np.int64)
        places, at = np.arange(len(keys), dtype=np.int64), self._homes(keys)
        while len(places):
            free = np.flatnonzero(self._slots[at] == 0)[::-1]
            # Of several that want a slot the last one written gets it; backwards, that is the first key.
            self._slots[at[free]] = (-1 - places[free]).astype(np.int32)
            claim = -1 - self._slots[at].astype(np.int64)
            mine = (claim >= 0) & (keys[np.maximum(claim, 0)] == keys[places])
            leader[places[mine]], home[places[mine]] = claim[mine], at[mine]
            left = np.flatnonzero(~mine)
            places = places[left]
            at = self._next(at[left], keys[places])
        leaders = np.flatnonzero(leader == np.arange(len(keys)))
        first, self._count = self._count + 1, self._count + len(leaders)
        values = np.empty(len(keys), dtype=np.int32)
        values[leaders] = np.arange(first, self._count + 1, dtype=np.int32)
        self._slots[home[leaders]] = values[leaders]
        self._keys[first : self._count + 1] = keys[leaders]
        return values[leader]

    def _grow(self, room: int) -> None:
        """Make at least four times as many slots as `room` keys."""
        bits = self._bits
        while 4 * room > 1 << bits:
            bits += 1
        if bits == self._bits:
            return
        dense = np.empty((1 << (bits - 2)) + 1, dtype=np.uint64)
        dense[: self._count + 1] = self._keys[: self._count + 1]
        self._keys, self._bits, self._mask = dense, bits, (1 << bits) - 1
        self._slots = np.zeros(1 << bits, dtype=np.int32)
        for first in range(1, self._count + 1, _PIECE):
            self._place(first, min(first + _PIECE, self._count + 1))

    def _place(self, first: int, last: int) -> None:
        values, at = np.arange(first, last, dtype=np.int32), self._homes(self._keys[first:last])
        while len(values):
            free = self._slots[at] == 0
            self._slots[at[free]] = values[free]
            left = np.flatnonzero(self._slots[at] != values)
            values = values[left]
            at = self._next(at[left], self._keys[values])
