# SPDX-License-Identifier: MIT
"""Work arrays as the core reads them: checked, never copied."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim._core.calls import checked_array, pointer_to
from heam_sim._core.records import ITEM_DTYPES
from heam_sim.errors import ConfigError

__all__ = ["items_record"]


def items_record(
    items: Mapping[str, NDArray[Any]], offsets: NDArray[np.uint64], *, optional: Collection[str]
) -> tuple[dict[str, Any], int]:
    """Return what ``heam_items`` points to, and how many items there are.

    Parameters
    ----------
    items
        The arrays of :data:`~heam_sim._core.records.ITEM_DTYPES`, all of one length.
    offsets
        uint64, bags + 1 entries.
    optional
        Arrays that may be missing.

    Raises
    ------
    ConfigError
        An array is missing, or has the wrong dtype or length.
    """
    offsets = checked_array(offsets, np.dtype(np.uint64), "offsets")
    if offsets.size == 0:
        raise ConfigError("offsets: needs at least one entry.")
    count = int(offsets[-1])
    record: dict[str, Any] = {"gnrs": offsets.size - 1, "offsets": pointer_to("uint64_t[]", offsets)}
    for name, dtype in ITEM_DTYPES.items():
        if name in optional and name not in items:
            continue
        array = checked_array(items.get(name), dtype, f"items[{name!r}]")
        if array.size != count:
            raise ConfigError(f"items[{name!r}]: has {array.size} entries, the offsets end at {count}.")
        record[name] = pointer_to(f"uint{8 * dtype.itemsize}_t[]", array)
    return record, count
