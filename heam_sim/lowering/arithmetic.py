# SPDX-License-Identifier: MIT
"""How many elements are added and multiplied, in the PEs and in the host."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heam_sim.embedding.tables import ELEMENT_BYTES
from heam_sim.placement import ModelPlacement

__all__ = ["Work", "count_work", "products_of_sums"]

_Int = NDArray[np.int64]


@dataclass(frozen=True)
class Work:
    """Floating-point operations on elements, without the sums of partials; and bytes read from LUTs."""

    pe_adds: int = 0
    pe_multiplies: int = 0
    host_multiplies: int = 0
    lut_bytes: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.pe_adds + other.pe_adds,
            self.pe_multiplies + other.pe_multiplies,
            self.host_multiplies + other.host_multiplies,
            self.lut_bytes + other.lut_bytes,
        )


def count_work(
    placement: ModelPlacement,
    table: _Int,
    has: NDArray[np.bool_],
    in_pim: NDArray[np.bool_],
    meets: NDArray[np.bool_],
    compose: str | None,
    *,
    weighted: bool,
    lut_bytes: int,
) -> Work:
    """Count the operations of some lookups.

    Parameters
    ----------
    placement
        With the subtables.
    table
        int64 (operands of a lookup, lookups): subtables, -1 where a lookup has fewer operands.
    has, in_pim
        bool, like `table`: there is such an operand, and a PE reads it.
    meets
        bool (lookups,): the lookup's rows are multiplied with each other.
    compose
        How.
    weighted
        Every vector is multiplied with a weight before it is added: one product per element that is added.
    lut_bytes
        Passed on.
    """
    elements = np.array([part.row_bytes // ELEMENT_BYTES for part in placement.subtables], np.int64)
    macs = np.array([part.macs for part in placement.subtables], np.int64)
    vector = placement.home.vector_bytes // ELEMENT_BYTES
    last = len(table) - 1
    adds, products = 0, [0, 0]  # of the PEs; of the host and of the PEs
    main, all_meet = in_pim[last], bool(meets.all())
    for operand, pim in enumerate(in_pim):
        there = has[operand] & meets
        for at_pe in (False, True):
            # A row on its own is added where it is. (The rows of a chain are all where its main row is.)
            single = (
                0 if all_meet else _sum_of(elements, table[operand], has[operand] & ~meets & (pim == at_pe))
            )
            adds += single * at_pe
            products[at_pe] += single * weighted
            chained = there & main if at_pe else there & ~main
            vectors = int(np.count_nonzero(chained)) * vector
            if compose == "gemm":
                # Every matrix product adds as often as it multiplies.
                multiplied = _sum_of(macs, table[operand], chained)
                adds += multiplied * at_pe
                products[at_pe] += multiplied
            elif operand < last:
                products[at_pe] += vectors  # one factor more than products
            if operand == last:
                # The vector of a chain is added once.
                adds += vectors * at_pe
                products[at_pe] += vectors * weighted
    return Work(adds, products[True], products[False], lut_bytes)


def _sum_of(values: _Int, table: _Int, which: NDArray[np.bool_]) -> int:
    """Sum of the values of chosen operands' subtables."""
    if not which.any():
        return 0
    if (values == values[0]).all():
        return int(np.count_nonzero(which)) * int(values[0])
    return int(values[table[which]].sum())


def products_of_sums(table: _Int, gnr_offsets: _Int, placement: ModelPlacement) -> Work:
    """Count what the host multiplies when parts are pooled first: per bag, one product less than parts.

    Parameters
    ----------
    table
        As for :func:`count_work`.
    gnr_offsets
        int64 (bags + 1,): the lookups of each bag, which are of one table.
    placement
        With the subtables.
    """
    elements = placement.home.vector_bytes // ELEMENT_BYTES
    of_table = np.array([part.table for part in placement.subtables])
    parts = np.bincount(of_table)[of_table]
    first = gnr_offsets[:-1][np.diff(gnr_offsets) > 0]
    return Work(host_multiplies=int((parts[table[-1, first]] - 1).sum()) * elements)
