# SPDX-License-Identifier: MIT
"""How many elements are added and multiplied, in the PEs and in the host."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heam_sim.embedding.tables import ELEMENT_BYTES
from heam_sim.placement import ModelPlacement
from heam_sim.trace import LookupTrace

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
    in_pim
        bool, like `table`: read by a PE.
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
    has, last = table >= 0, len(table) - 1
    chained = has & meets
    single = np.where(has & ~meets, elements[table], 0)
    added = np.where(chained[last], vector, 0)
    products = np.where(chained, vector, 0)
    products[last] = 0  # one factor more than products
    if compose == "gemm":
        products = np.where(chained, macs[table], 0)
        added = added + products.sum(axis=0)
    if weighted:
        products = products + single
        products[last] += np.where(chained[last], vector, 0)
    # The rows of a chain are all where its main row is.
    at_pe = np.where(meets, in_pim[last], in_pim)
    return Work(
        pe_adds=int(single[at_pe].sum()) + int(added[in_pim[last]].sum()),
        pe_multiplies=int(products[at_pe].sum()),
        host_multiplies=int(products[~at_pe].sum()),
        lut_bytes=lut_bytes,
    )


def products_of_sums(trace: LookupTrace, placement: ModelPlacement) -> Work:
    """Count what the host multiplies when parts are pooled first: per bag, one product less than parts."""
    elements = placement.home.vector_bytes // ELEMENT_BYTES
    parts = np.bincount([part.table for part in placement.subtables], minlength=trace.tables)
    bags = [int(np.count_nonzero(np.diff(offsets))) for offsets in trace.offsets]
    products = sum(count * (int(own) - 1) for count, own in zip(bags, parts, strict=True))
    return Work(host_multiplies=products * elements)
