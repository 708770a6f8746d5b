# SPDX-License-Identifier: MIT
"""Some rows of a model with a number each, for placement."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heam_sim._core._heam import ffi, lib
from heam_sim._core.calls import Handle, check_status, checked_array, pointer_to
from heam_sim.errors import ConfigError

__all__ = ["RowNumbers"]

_WORD = np.dtype(np.int64)


class RowNumbers(Handle):
    """Finds the numbers of many rows at once.

    Parameters
    ----------
    rows, numbers
        int64, of one length: different rows, and a number from 0 for each.

    Raises
    ------
    ConfigError
        Another array than asked for, a row twice, or a negative number.
    MemoryError
        No room for so many rows.
    """

    def __init__(self, rows: NDArray[np.int64], numbers: NDArray[np.int64]) -> None:
        checked_array(rows, _WORD, "rows")
        checked_array(numbers, _WORD, "numbers")
        if rows.size != numbers.size or (numbers < 0).any():
            raise ConfigError("numbers: needs a number from 0 for every row.")
        out, pointers = (
            ffi.new("heam_row_set **"),
            (pointer_to("uint64_t[]", each) for each in (rows, numbers)),
        )
        check_status(lib.heam_row_set_create(rows.size, *pointers, out), "rows")
        super().__init__(out[0], lib.heam_row_set_destroy)

    def find(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of each row (int64, like `rows`), -1 for those that do not belong.

        Parameters
        ----------
        rows
            int64, contiguous, of any shape.
        """
        flat = checked_array(rows.reshape(-1), _WORD, "rows")
        found = np.empty_like(flat)
        pointers = (pointer_to("uint64_t[]", each) for each in (flat, found))
        check_status(lib.heam_row_set_find(self.held(), flat.size, *pointers), "rows")
        return found.reshape(rows.shape)
