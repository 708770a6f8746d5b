# SPDX-License-Identifier: MIT
"""Rows by how long ago they were used, for generators."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heam_sim._core._heam import ffi, lib
from heam_sim._core.calls import Handle, check_status, checked_array, pointer_to
from heam_sim._core.records import c_number

__all__ = ["RowStack"]


class RowStack(Handle):
    """The rows of a table, the one used last on top; none has been used at first.

    Parameters
    ----------
    rows
        Rows of the table, at least 1.

    Raises
    ------
    ConfigError
        If `rows` is no such number.
    """

    def __init__(self, rows: int) -> None:
        out = ffi.new("heam_row_stack **")
        check_status(lib.heam_row_stack_create(c_number(rows, "rows", bits=64), out), "rows")
        super().__init__(out[0], lib.heam_row_stack_destroy)

    def take(self, distances: NDArray[np.int64]) -> NDArray[np.int64]:
        """Use rows, one after the other.

        Parameters
        ----------
        distances
            int64, from 0 on: how many rows were used since the wanted one. Where the stack is not that deep
            the row is one that was never used, or when there is none the one not used for longest.

        Returns
        -------
        NDArray[np.int64]
            The rows, numbered in the order of their first use.

        Raises
        ------
        ConfigError
            Another array than asked for, or more than 2^32 - 1 rows may be in use.
        MemoryError
            No room for more rows.
        """
        checked_array(distances, np.dtype(np.int64), "distances")
        rows = np.empty_like(distances)
        with self.exclusive() as pointer:
            status = lib.heam_row_stack_take(
                pointer, distances.size, pointer_to("uint64_t[]", distances), pointer_to("uint64_t[]", rows)
            )
        check_status(status, "distances")
        return rows
