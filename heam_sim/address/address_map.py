# SPDX-License-Identifier: MIT
"""A map from burst addresses to the coordinates of a burst: pieces of fields, then XOR terms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim.errors import ConfigError

__all__ = ["AddressMap", "Piece", "Xor", "divided", "narrow", "split_at"]

_Int = NDArray[np.int64]


@dataclass(frozen=True)
class Piece:
    """The next part of an address, from the least significant end: `size` values of `field`.

    A field may come in several pieces; the first of them is its least significant part.

    Attributes
    ----------
    field
        Name of a level, ``"row"`` or ``"column"``.
    size
        Number of values; any number from 1.
    """

    field: str
    size: int


@dataclass(frozen=True)
class Xor:
    """``target[target_bit] ^= source[source_bit]``, applied in order after the address has been split.

    Attributes
    ----------
    target
        Field that is changed.
    target_bit
        Its bit, from 0.
    source
        Field that is read.
    source_bit
        Its bit, from 0.
    """

    target: str
    target_bit: int
    source: str
    source_bit: int


@dataclass(frozen=True)
class AddressMap:
    """A one-to-one map between ``[0, bursts)`` and the bursts of a tier.

    Parameters
    ----------
    pieces
        From the least significant on. Sizes need not be powers of two, but where a field has several pieces
        or takes
        part in an XOR, they do.
    levels
        The memory's levels below the channel, outermost first, with their counts.
    xors
        Applied in order.

    Raises
    ------
    ConfigError
        The pieces do not cover every level exactly, or an XOR would not be one-to-one.
    """

    pieces: tuple[Piece, ...]
    levels: tuple[tuple[str, int], ...]
    xors: tuple[Xor, ...] = ()

    def __post_init__(self) -> None:
        for field, sizes in self._sizes().items():
            if len(sizes) > 1 and any(not _is_power(size) for size in sizes):
                raise ConfigError(
                    f"address_map: {field} comes in pieces; each must be a power of two, not {sizes}."
                )
        missing = {"channel", "row", "column", *(level for level, _ in self.levels)} ^ set(self._sizes())
        if missing:
            raise ConfigError(
                f"address_map: look at {', '.join(sorted(missing))}; every field must be there once."
            )
        for level, count in self.levels:
            if self.size(level) != count:
                raise ConfigError(
                    f"address_map: the pieces of {level} give {self.size(level)} values, not {count}."
                )
        for term in self.xors:
            self._check_xor(term)

    def _sizes(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for piece in self.pieces:
            found.setdefault(piece.field, []).append(piece.size)
        return found

    def _check_xor(self, term: Xor) -> None:
        if term.target == term.source:
            raise ConfigError(f"address_map: {term.target} cannot be XORed with itself.")
        for field, bit in ((term.target, term.target_bit), (term.source, term.source_bit)):
            if field not in self._sizes():
                raise ConfigError(f"address_map: an XOR names the unknown field {field!r}.")
            size = self.size(field)
            if not _is_power(size) or not 0 <= bit < size.bit_length() - 1:
                raise ConfigError(f"address_map: {field} has {size} values; bit {bit} cannot be XORed.")

    def size(self, field: str) -> int:
        """Return how many values a field has.

        Parameters
        ----------
        field
            Name of the field.

        Returns
        -------
        int
            Product of its pieces.
        """
        return math.prod(self._sizes()[field])

    @property
    def bursts(self) -> int:
        """Bursts that the map covers."""
        return math.prod(piece.size for piece in self.pieces)

    def keeps_vectors(self, bursts: int) -> bool:
        """Whether aligned groups of so many bursts lie side by side in one row of one bank."""
        plain = not any(term.target == "column" for term in self.xors)
        return bursts == 1 or (
            plain and self.pieces[0].field == "column" and self.pieces[0].size % bursts == 0
        )

    @property
    def row_is_outermost(self) -> bool:
        """Whether dropping the highest addresses drops whole rows of all banks."""
        return self.pieces[-1].field == "row" and not any(term.target == "row" for term in self.xors)

    def split(self, address: _Int) -> dict[str, _Int]:
        """Split burst addresses (int64, below :attr:`bursts`) into fields.

        Parameters
        ----------
        address
            Burst addresses, int64, any shape.

        Returns
        -------
        dict
            Field to int64 array like `address`.
        """
        rest = address
        found: dict[str, _Int] = {}
        weight: dict[str, int] = {}
        for piece in self.pieces:
            rest, part = (rest, np.zeros_like(rest)) if piece.size == 1 else split_at(rest, piece.size)
            if piece.field in found:
                found[piece.field] = found[piece.field] + part * weight[piece.field]
            else:
                found[piece.field] = part
            weight[piece.field] = weight.get(piece.field, 1) * piece.size
        for term in self.xors:
            bit = (found[term.source] >> term.source_bit) & 1
            found[term.target] = found[term.target] ^ (bit << term.target_bit)
        return found

    def join(self, fields: dict[str, _Int]) -> _Int:
        """Return the burst address of every set of fields: the inverse of :meth:`split`.

        Parameters
        ----------
        fields
            Every field, int64 arrays of one shape.

        Returns
        -------
        int64 array
            Like the fields.
        """
        found = dict(fields)
        for term in reversed(self.xors):
            bit = (found[term.source] >> term.source_bit) & 1
            found[term.target] = found[term.target] ^ (bit << term.target_bit)
        address = np.zeros_like(next(iter(found.values())))
        weight = 1
        for piece in self.pieces:
            found[piece.field], part = np.divmod(found[piece.field], piece.size)
            address = address + part * weight
            weight *= piece.size
        return address

    def decode(self, address: _Int) -> tuple[_Int, _Int, _Int, _Int]:
        """Return channel in the tier, flat bank in the channel, row and column (in bursts).

        Parameters
        ----------
        address
            Burst addresses, int64, any shape.

        Returns
        -------
        four int64 arrays
            Like `address`.
        """
        fields = self.split(address)
        bank = fields[self.levels[0][0]]
        for level, count in self.levels[1:]:
            bank = bank * count
            bank += fields[level]
        return fields["channel"], bank, fields["row"], fields["column"]

    @cached_property
    def images(self) -> dict[str, NDArray[Any]] | None:
        """What every bit of a burst's address stands for, as the core takes it.

        ``channel``, ``bank``, ``column`` (uint16) and ``row`` (uint32), the lowest bit first: a place is the
        XOR of its address's bits' images. None where it is not, because a piece is no power of two.
        """
        if not all(_is_power(piece.size) for piece in self.pieces):
            return None
        bits = np.int64(1) << np.arange(self.bursts.bit_length() - 1, dtype=np.int64)
        return narrow(*self.decode(bits))


def narrow(channel: NDArray[np.integer[Any]], bank: _Int, row: _Int, column: _Int) -> dict[str, NDArray[Any]]:
    """Return places in the widths that the core has for them.

    Parameters
    ----------
    channel, bank, row, column
        Integers, as :meth:`AddressMap.decode` finds them.

    Returns
    -------
    dict
        ``channel``, ``bank``, ``column`` (uint16) and ``row`` (uint32).
    """
    return {
        "channel": channel.astype(np.uint16),
        "bank": bank.astype(np.uint16),
        "row": row.astype(np.uint32),
        "column": column.astype(np.uint16),
    }


def divided(values: _Int, size: int) -> _Int:
    """Return ``values // size`` of numbers that are not negative; a shift is several times faster.

    Parameters
    ----------
    values
        A number, or an int64 array.
    size
        What they are divided by, from 1.

    Returns
    -------
    int or int64 array
        Like `values`.
    """
    return values >> (size.bit_length() - 1) if _is_power(size) else values // size


def split_at(values: _Int, size: int) -> tuple[_Int, _Int]:
    """Return quotient and remainder of numbers that are not negative.

    Parameters
    ----------
    values
        A number, or an int64 array.
    size
        What they are divided by, from 1.

    Returns
    -------
    tuple of int or of int64 arrays
        Each like `values`.
    """
    if _is_power(size):
        return divided(values, size), values & (size - 1)
    return np.divmod(values, size)


def _is_power(size: int) -> bool:
    return size > 0 and size & (size - 1) == 0
