# SPDX-License-Identifier: MIT
"""Amazon reviews: one JSON object per line, or ratings as CSV."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from heam_sim.datasets.delimited import Chunk, TextKeys, read_blocks, shown
from heam_sim.datasets.interactions import open_amazon_ratings, start_of
from heam_sim.datasets.opened import Column, History, Opened
from heam_sim.datasets.options import Faults, ReadOptions, RowFilter
from heam_sim.datasets.textblocks import LineBlock, Progress

__all__ = ["open_amazon"]

# Where a product has variants, the name of all of them together comes first.
_NAMES = {
    "user": ("reviewerID", "user_id"),
    "item": ("parent_asin", "asin"),
    "time": ("unixReviewTime", "timestamp"),
}
_BLOCK_BYTES = 1 << 22  # reviews are long lines


def open_amazon(files: list[Path], options: ReadOptions) -> Opened:
    """Return users and items of Amazon's reviews or ratings; a user's reviews are the bag."""
    if not start_of(files[0], options).lstrip().startswith("{"):
        return open_amazon_ratings(files, options)

    def chunks(
        rows: RowFilter, faults: Faults, texts: TextKeys, progress: Progress | None
    ) -> Iterator[Chunk]:
        def read(block: LineBlock, source: Path, row: int) -> Chunk:
            return _read_block(block, source, rows, row, faults, texts)

        return read_blocks(files, _BLOCK_BYTES, "", rows, faults, progress, read)

    columns = (Column("user", "text"), Column("item", "text"))
    return Opened(columns, chunks, History(user=0, time=2))


def _read_block(
    block: LineBlock, source: Path, rows: RowFilter, row: int, faults: Faults, texts: TextKeys
) -> Chunk:
    lines = block.text.split(b"\n")[:-1]
    chosen = rows.select(row, len(lines))
    found: list[tuple[int, int, int]] = []
    for place in range(len(lines)) if chosen is None else chosen.tolist():
        try:
            found.append(_keys(lines[place], texts))
        except (ValueError, RecursionError) as error:
            faults.add(f"{source}:{block.line + place}: {error}; correct or remove the line.")
    users, items, times = zip(*found, strict=True) if found else ((), (), ())
    keys = (np.array(users, np.uint64), np.array(items, np.uint64), np.array(times, np.int64).view(np.uint64))
    return Chunk(keys, row, len(lines))


def _keys(line: bytes, texts: TextKeys) -> tuple[int, int, int]:
    try:
        review = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError(f"{shown(line)} is no JSON object") from None
    if not isinstance(review, dict):
        raise ValueError(f"{shown(line)} is no JSON object")
    values = []
    for role, names in _NAMES.items():
        name = next((name for name in names if name in review), None)
        if name is None:
            raise ValueError(f"the review names no {role} ({' or '.join(names)})")
        values.append((name, review[name]))
    (_, user), (_, item), (name, time) = values
    for name_of_text, value in values[:2]:
        if not isinstance(value, str):
            raise ValueError(f"{name_of_text} is {str(value)[:24]!r}, not a text")
    if isinstance(time, bool) or not isinstance(time, int) or not -(2**63) <= time < 2**63:
        raise ValueError(f"{name} is {str(time)[:24]!r}, not a whole number of 64 bits")
    return texts.key(_utf8(user)), texts.key(_utf8(item)), time


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
