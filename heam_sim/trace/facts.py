# SPDX-License-Identifier: MIT
"""A trace in words, for a notebook."""

from __future__ import annotations

import json
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["short_origin", "trace_facts"]

_LONGEST = 400


class _Trace(Protocol):
    @property
    def tables(self) -> int: ...
    @property
    def samples(self) -> int: ...
    @property
    def lookups(self) -> int: ...
    @property
    def cardinalities(self) -> NDArray[np.int64]: ...
    @property
    def weighted(self) -> bool: ...
    @property
    def provenance(self) -> dict[str, Any]: ...


def trace_facts(trace: _Trace) -> list[tuple[str, str]]:
    """Return size, shape and origin: name and value, as text. Reads no lookups."""
    bags = trace.samples * trace.tables
    return [
        ("tables", f"{trace.tables:,}"),
        ("samples", f"{trace.samples:,}"),
        ("lookups", f"{trace.lookups:,}"),
        ("lookups per bag", f"{trace.lookups / bags:.2f}" if bags else ""),
        ("rows", f"{int(trace.cardinalities.sum()):,}"),
        ("weights", "yes" if trace.weighted else "no"),
        ("provenance", short_origin(trace.provenance)),
    ]


def short_origin(provenance: dict[str, Any]) -> str:
    """Return a provenance as one line of JSON, cut where it gets long."""
    text = json.dumps(provenance, sort_keys=True)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
