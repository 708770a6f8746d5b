# SPDX-License-Identifier: MIT
"""Where table rows live, as declared by a placement, and the way back from a physical address to a row."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from heam_sim.errors import CheckError

__all__ = ["AddressMap", "Homes"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Homes:
    """Every place where a burst of a table row may be read, replicas included: seven int64 arrays.

    Attributes
    ----------
    subtable_id, row, burst
        What lives there: ``burst`` counts the row's bursts, in bursts of the channel it lives in.
    channel, bank, dram_row, column
        Where: channel over all tiers, bank flat in its channel, column in bursts; as in the command log.

    Raises
    ------
    CheckError
        The arrays are no integers, differ in length or hold numbers that a command log cannot.
    """

    subtable_id: IntArray
    row: IntArray
    burst: IntArray
    channel: IntArray
    bank: IntArray
    dram_row: IntArray
    column: IntArray

    def __post_init__(self) -> None:
        widths = {
            "channel": 16,
            "bank": 16,
            "dram_row": 32,
            "column": 16,
            "subtable_id": 24,
            "row": 62,
            "burst": 16,
        }
        for field in fields(self):
            array = np.asarray(getattr(self, field.name))
            if array.ndim != 1 or array.dtype.kind not in "iu":
                raise CheckError(
                    f"homes: {field.name} is not a one-dimensional integer array; pass integers."
                )
            if len(array) != len(self.subtable_id):
                raise CheckError(
                    f"homes: {field.name} has {len(array)} elements, subtable_id {len(self.subtable_id)}."
                )
            if len(array) and (int(array.min()) < 0 or int(array.max()) >= 1 << widths[field.name]):
                raise CheckError(
                    f"homes: {field.name} leaves the range 0 to {(1 << widths[field.name]) - 1}."
                )
            object.__setattr__(self, field.name, array.astype(np.int64))


@dataclass(frozen=True, eq=False)
class AddressMap:
    """The way back from a place to an entry of the homes; built once, searched with whole arrays."""

    nodes: IntArray
    keys: IntArray
    entry: IntArray

    @classmethod
    def of(cls, homes: Homes) -> AddressMap:
        """Sort the homes by place.

        Raises
        ------
        CheckError
            Two different bursts of table rows live in one place.
        """
        node = homes.channel << 16 | homes.bank
        nodes = np.unique(node)
        key = cls._key(np.searchsorted(nodes, node), homes.dram_row, homes.column)
        order = np.argsort(key, kind="stable")
        key = key[order]
        same = np.flatnonzero(key[1:] == key[:-1])
        a, b = order[same], order[same + 1]
        differ = (homes.subtable_id[a] != homes.subtable_id[b]) | (homes.row[a] != homes.row[b])
        differ |= homes.burst[a] != homes.burst[b]
        if differ.any():
            i = int(np.flatnonzero(differ)[0])
            one, two = (
                f"burst {homes.burst[e]} of row {homes.row[e]} of subtable {homes.subtable_id[e]}"
                for e in (a[i], b[i])
            )
            where = (
                f"channel {homes.channel[a[i]]}, bank {homes.bank[a[i]]}, row {homes.dram_row[a[i]]}, "
                f"column {int(homes.column[a[i]])}"
            )
            raise CheckError(f"collision: {one} and {two} both live in {where}; give each its own place.")
        return cls(nodes, key, order)

    @staticmethod
    def _key(node: IntArray, row: IntArray, column: IntArray) -> IntArray:
        # At most 2**15 different banks in use keep this inside 63 bits.
        if len(node) and int(node.max()) >= 1 << 15:
            raise CheckError("homes: more than 32768 banks are in use; check fewer channels at a time.")
        return node.astype(np.int64) << 48 | row << 16 | column

    def find(self, channel: IntArray, bank: IntArray, row: IntArray, column: IntArray) -> IntArray:
        """Entry of the homes at each place; -1 where nothing lives."""
        result = np.full(len(channel), -1, dtype=np.int64)
        if len(self.keys) == 0 or len(channel) == 0:
            return result
        node = channel << 16 | bank
        number = np.minimum(np.searchsorted(self.nodes, node), len(self.nodes) - 1)
        key = self._key(number, row, column)
        at = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
        hit = (self.nodes[number] == node) & (self.keys[at] == key)
        result[hit] = self.entry[at[hit]]
        return result
