# SPDX-License-Identifier: MIT
"""From an address inside a tier to channel, bank, row and column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heam_sim.dram import Spec
from heam_sim.errors import ConfigError, unknown_name

__all__ = ["AddressMap"]

_Int = NDArray[np.int64]


@dataclass(frozen=True)
class AddressMap:
    """A mixed-radix address map over bursts.

    Parameters
    ----------
    fields
        ``(name, size)`` from the least significant on: ``channel``, the spec's levels below it, ``row``,
        ``column`` (may occur twice: the part inside a vector and the rest).
    levels
        The spec's levels below the channel, outermost first, with their counts.
    """

    fields: tuple[tuple[str, int], ...]
    levels: tuple[tuple[str, int], ...]

    @classmethod
    def parse(cls, text: str, spec: Spec, *, channels: int, vector_bursts: int) -> AddressMap:
        """Read a map such as ``"row column bank rank bank_group channel column.vector"``.

        Parameters
        ----------
        text
            Field names, most significant first. ``column.vector`` stands for the columns inside a vector,
            ``column``
            for the others; ``rank`` also names a pseudo channel.
        spec
            The memory.
        channels
            Of the tier.
        vector_bursts
            Bursts in a vector.

        Raises
        ------
        ConfigError
            A field is unknown, missing or doubled, or a vector is longer than a row.
        """
        if spec.columns % vector_bursts:
            raise ConfigError(
                f"address_map: a vector of {vector_bursts} bursts does not fit into a row of "
                f"{spec.columns} bursts of {spec.name};"
                " use shorter vectors or another memory."
            )
        second = spec.second_level
        sizes = {
            "channel": channels,
            "row": spec.rows,
            "column": spec.columns // vector_bursts,
            "column.vector": vector_bursts,
        }
        sizes.update({level: spec.counts[level] for level in spec.levels[1:]})
        names = [second if name == "rank" else name for name in text.split()]
        for name in names:
            if name not in sizes:
                raise unknown_name("field", name, sizes, where="address_map")
        if sorted(names) != sorted(sizes):
            odd = sorted(set(sizes) ^ set(names)) or sorted({name for name in names if names.count(name) > 1})
            raise ConfigError(f"address_map: every field must stand exactly once; look at {', '.join(odd)}.")
        fields = tuple((name, sizes[name]) for name in reversed(names))
        return cls(fields, tuple((level, spec.counts[level]) for level in spec.levels[1:]))

    @property
    def bursts(self) -> int:
        """Bursts that the map covers."""
        return int(np.prod([size for _, size in self.fields], dtype=object))

    @property
    def keeps_vectors(self) -> bool:
        """Whether the bursts of a vector lie side by side in one row of one bank."""
        return self.fields[0][0] == "column.vector"

    @property
    def row_is_outermost(self) -> bool:
        """Whether dropping the highest addresses drops whole rows of all banks."""
        return self.fields[-1][0] == "row"

    def decode(self, address: _Int) -> tuple[_Int, _Int, _Int, _Int]:
        """Split burst addresses.

        Parameters
        ----------
        address
            int64, in bursts, below :attr:`bursts`.

        Returns
        -------
        tuple of int64 arrays
            Channel in the tier, flat bank in the channel, row, column (in bursts).
        """
        rest = address
        found: dict[str, _Int] = {}
        for name, size in self.fields:
            if size & (size - 1) == 0:
                found[name] = rest & (size - 1)
                rest = rest >> (size.bit_length() - 1)
            else:
                rest, found[name] = np.divmod(rest, size)
        bank = np.zeros_like(address)
        for level, count in self.levels:
            bank = bank * count + found[level]
        inner = dict(self.fields)["column.vector"]
        column = found["column"] * inner + found["column.vector"]
        return found["channel"], bank, found["row"], column
