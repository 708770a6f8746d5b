# SPDX-License-Identifier: MIT
"""Misuse of lowering's inner loops and of row numbers: typed errors, and no array is left."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heam_sim._core import RowNumbers, find_places, put_block
from heam_sim.address import AddressMap, Piece, narrow
from heam_sim.errors import ConfigError

MAP = AddressMap((Piece("column", 4), Piece("channel", 2), Piece("bank", 4), Piece("row", 8)), (("bank", 4),))
NUMBERS = np.arange(3, dtype=np.int64)


def images() -> dict[str, Any]:
    found = MAP.images
    assert found is not None
    return dict(found)


def test_places_are_those_of_the_map() -> None:
    address = np.arange(MAP.bursts * 32, dtype=np.int64)
    found, expected = find_places(images(), 5, address), narrow(*MAP.decode(address // 32))
    for name, values in expected.items():
        assert found[name].dtype == values.dtype
        np.testing.assert_array_equal(found[name], values)
    assert find_places(images(), 5, address[:0])["row"].size == 0
    assert AddressMap((*MAP.pieces[:-1], Piece("row", 7)), MAP.levels).images is None


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("row", None, "row"),
        ("row", np.zeros(8, np.uint16), "row"),
        ("bank", np.zeros(7, np.uint16), "differ in length"),
        ("channel", np.zeros((8, 1), np.uint16), "channel"),
    ],
)
def test_bad_images(name: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_places({**images(), name: value}, 5, NUMBERS)


def test_bad_addresses() -> None:
    for address in (NUMBERS.astype(np.uint32), NUMBERS[::2], [1, 2]):
        with pytest.raises(ConfigError, match="address"):
            find_places(images(), 5, address)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="burst_bits"):
        find_places(images(), -1, NUMBERS)
    with pytest.raises(ConfigError, match="BAD_ARGUMENT"):
        find_places(images(), 60, NUMBERS)


def put(**changed: Any) -> dict[str, Any]:
    """Put entries 7, 8, 9 of lookups 2, 0, 1 into arrays of six; returns the arrays."""
    given: dict[str, Any] = {
        "room": {
            "row": np.zeros(6, np.uint32),
            "unit": np.zeros(6, np.uint16),
            "kind": np.zeros(6, np.uint8),
        },
        "values": {"row": np.array([7, 8, 9], np.uint32), "kind": 3},
        "by_lookup": {"unit": np.array([4, 5, 6], np.uint16)},
        "entries": 3,
        "lookups": 3,
        "which": np.array([2, 0, 1], np.int64),
        "start": 2,
        "offset": 1,
        **changed,
    }
    room: dict[str, Any] = given.pop("room")
    put_block(room, given.pop("values"), **given)
    return room


def test_entries_stand_where_they_should() -> None:
    by_step, by_start = put(), put(start=np.array([0, 2, 4], np.int64))
    for room in (by_step, by_start, put(offset=0, rank=np.ones(3, np.int64))):
        assert room["row"].tolist() == [0, 8, 0, 9, 0, 7]
        assert room["unit"].tolist() == [0, 4, 0, 5, 0, 6]
        assert room["kind"].tolist() == [0, 3, 0, 3, 0, 3]
    assert put(which=None, start=1, offset=3)["row"].tolist() == [0, 0, 0, 7, 8, 9]
    assert not put(entries=0, values={}, which=NUMBERS[:0])["row"].any()


@pytest.mark.parametrize(
    "changed",
    [
        {"room": {}},
        {
            "room": {
                "row": np.zeros(6, np.uint32),
                "unit": np.zeros(5, np.uint16),
                "kind": np.zeros(6, np.uint8),
            }
        },
        {
            "room": {
                "row": np.zeros(6, np.uint64),
                "unit": np.zeros(6, np.uint16),
                "kind": np.zeros(6, np.uint8),
            }
        },
        {"room": {"row": np.zeros(6, np.uint32), "unit": np.zeros(6, np.uint16)}},
        {"room": {name: np.zeros(6, np.float32) for name in ("row", "unit", "kind")}},
        {"values": {"row": np.zeros(2, np.uint32)}},
        {"values": {"kind": 256}},
        {"values": {"kind": -1}},
        {"by_lookup": {"unit": np.zeros(2, np.uint16)}},
        {"by_lookup": {"unit": np.zeros(3, np.int16)}},
        {"which": np.array([2, 0, 3], np.int64)},
        {"which": np.array([2, 0, -1], np.int64)},
        {"which": np.array([2, 0, 1], np.int32)},
        {"which": np.array([2, 0], np.int64)},
        {"which": None, "entries": 4},
        {"start": np.array([0, 2], np.int64)},
        {"start": np.array([0, 2, -9], np.int64)},
        {"start": 2**63},
        {"start": -1},
        {"offset": 2},
        {"offset": 2**64 - 1},
        {"rank": np.array([0, 0, 1], np.int64), "start": 2, "offset": 4},
        {"rank": np.zeros(2, np.int64)},
        {"entries": -3},
        {"lookups": 2},
    ],
    ids=str,
)
def test_bad_blocks(changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        put(**changed)


def test_what_cannot_be_written_is_refused() -> None:
    room = {"row": np.zeros(6, np.uint32)}
    room["row"].flags.writeable = False
    with pytest.raises(ConfigError, match="writable"):
        put(room=room, values={"row": 1}, by_lookup={})


def test_row_numbers() -> None:
    rows = np.array([5, 2**62, 0], np.int64)
    numbers = RowNumbers(rows, np.array([0, 9, 9], np.int64))
    assert numbers.find(np.array([[0, 1], [5, 2**62]], np.int64)).tolist() == [[9, -1], [0, 9]]
    assert numbers.find(np.array([-1], np.int64)).tolist() == [-1]
    for bad_rows, bad_numbers in (
        (rows[:2], NUMBERS),
        (rows, -NUMBERS),
        (np.array([1, 2, 1], np.int64), NUMBERS),
        (rows.astype(np.int32), NUMBERS),
        (rows, NUMBERS.astype(np.uint64)),
    ):
        with pytest.raises(ConfigError):
            RowNumbers(bad_rows, bad_numbers)
    with pytest.raises(ConfigError, match="rows"):
        numbers.find(np.zeros(2, np.float64))  # type: ignore[arg-type]
