# SPDX-License-Identifier: MIT
"""The lookup trace in memory: what it accepts, what it refuses, and what it computes."""

from __future__ import annotations

import hashlib
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heam_sim.errors import ConfigError, HeamSimError, TraceError
from heam_sim.trace import LookupTrace


def small() -> LookupTrace:
    return LookupTrace.from_arrays([[3, 1, 1], [0, 5]], [[0, 2, 2, 3], [0, 0, 1, 2]], cardinalities=[4, 9])


def test_properties_and_dtypes() -> None:
    trace = small()
    assert (trace.tables, trace.samples, trace.lookups) == (2, 3, 5)
    for array in (*trace.indices, *trace.offsets, trace.cardinalities):
        assert array.dtype == np.int64
        assert not array.flags.writeable
    assert trace.provenance == {}


def test_one_hot_is_the_default() -> None:
    trace = LookupTrace.from_arrays([[3, 1], [0, 5]])
    assert [cuts.tolist() for cuts in trace.offsets] == [[0, 1, 2], [0, 1, 2]]
    assert trace.cardinalities.tolist() == [4, 6]


@pytest.mark.parametrize("dtype", ["i1", "u1", "<i2", ">i4", "u4", "i8", "u8"])
def test_any_integer_dtype(dtype: str) -> None:
    trace = LookupTrace.from_arrays([np.array([7, 0, 100], dtype=dtype)], [np.array([0, 1, 3], dtype=dtype)])
    assert trace.indices[0].tolist() == [7, 0, 100]
    assert trace.offsets[0].tolist() == [0, 1, 3]


def test_the_callers_array_is_copied() -> None:
    mine = np.array([1, 2, 3])
    trace = LookupTrace.from_arrays([mine])
    mine[0] = 99
    assert trace.indices[0].tolist() == [1, 2, 3]


def test_strided_arrays_are_made_contiguous() -> None:
    trace = LookupTrace.from_arrays([np.arange(10)[::3]])
    assert trace.indices[0].tolist() == [0, 3, 6, 9]
    assert trace.indices[0].flags.c_contiguous


def test_zero_samples_and_empty_bags_are_legal() -> None:
    nothing = LookupTrace.from_arrays([[], []])
    assert (nothing.samples, nothing.lookups, nothing.cardinalities.tolist()) == (0, 0, [1, 1])
    empty_bags = LookupTrace.from_arrays([np.zeros(0, np.int64)], [[0, 0, 0]])
    assert (empty_bags.samples, empty_bags.lookups) == (2, 0)
    assert nothing.content_hash != empty_bags.content_hash


BAD_ARRAYS = {
    "no table": ([], None, "at least one table"),
    "float indices": ([[1.0, 2.0]], None, "indices of table 0 holds float64"),
    "float of a later table": ([[1], [2.5]], None, "indices of table 1 holds float64"),
    "empty float array": ([np.zeros(0)], None, "indices of table 0 holds float64"),
    "float offsets": ([[1]], [[0.0, 1.0]], "offsets of table 0 holds float64"),
    "booleans": ([[True, False]], None, "indices of table 0 holds bool"),
    "text": ([["a", "b"]], None, "indices of table 0 holds str"),
    "ragged": ([[[1], [2, 3]]], None, "indices of table 0 is no integer array"),
    "two dimensions": ([[[1, 2], [3, 4]]], None, "2 dimensions"),
    "a flat list": ([1, 2, 3], None, "0 dimensions"),
    "no sequence": (7, None, "not int"),
    "huge unsigned": ([np.array([1, 2**63], dtype=np.uint64)], None, "position 1: 9223372036854775808"),
    "huge Python integer": ([[2**70]], None, "indices of table 0 holds object"),
    "negative index": ([[0], [3, -1]], [[0, 1], [0, 2]], "table 1, position 1: -1 is negative"),
    "offsets start late": ([[1, 2]], [[1, 2]], "position 0: the first offset is 1"),
    "negative offset": ([[1, 2]], [[0, -1, 2]], "position 1: -1 comes after 0"),
    "decreasing offset": ([[1, 2]], [[0, 2, 1, 2]], "position 2: 1 comes after 2"),
    "offsets without the end": ([[1, 2, 3]], [[0, 1, 2]], "the last offset is 2 but the table has 3 indices"),
    "offsets beyond the end": ([[1, 2, 3]], [[0, 1, 4]], "the last offset is 4 but the table has 3 indices"),
    "no offsets at all": ([[]], [[]], r"give samples \+ 1 entries"),
    "too few offset arrays": ([[1], [1]], [[0, 1]], "offsets has 1 arrays for 2 tables"),
    "unequal one-hot samples": ([[1, 2], [1]], None, "table 1 has 1 samples but table 0 has 2"),
    "unequal bags": ([[1, 2], [1, 2]], [[0, 1, 2], [0, 2]], "table 1 has 1 samples but table 0 has 2"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS, ids=str)
def test_bad_arrays(case: str) -> None:
    indices, offsets, message = BAD_ARRAYS[case]
    with pytest.raises(TraceError, match=message) as caught:
        LookupTrace.from_arrays(indices, offsets)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_index_at_its_cardinality() -> None:
    assert LookupTrace.from_arrays([[0, 3]], cardinalities=[4]).cardinalities.tolist() == [4]
    with pytest.raises(TraceError, match=r"table 1, position 2: 4 is not below the table's cardinality 4"):
        LookupTrace.from_arrays([[0] * 3, [0, 1, 4]], cardinalities=[4, 4])


def test_largest_index_has_no_cardinality() -> None:
    with pytest.raises(TraceError, match="not below"):
        LookupTrace.from_arrays([[2**63 - 1]])


@pytest.mark.parametrize(
    ("cardinalities", "message"),
    [
        ([4], "1 entries for 2 tables"),
        ([4, 0], r"cardinalities\[1\] is 0"),
        ([4.0, 4.0], "float64"),
        (4, "dimensions"),
    ],
)
def test_bad_cardinalities(cardinalities: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LookupTrace.from_arrays([[1], [1]], cardinalities=cardinalities)


@pytest.mark.parametrize("provenance", [["a"], {"a": {1, 2}}, {"a": float("nan")}, {"a": np.int64(1)}])
def test_bad_provenance(provenance: object) -> None:
    with pytest.raises(ConfigError, match="provenance"):
        LookupTrace.from_arrays([[1]], provenance=provenance)  # type: ignore[arg-type]


def test_the_constructor_checks_too() -> None:
    with pytest.raises(TraceError, match="is negative"):
        LookupTrace((np.array([-1]),), (np.array([0, 1]),), np.array([4]))


def test_slices_are_the_same_bags() -> None:
    trace = small()
    part = trace.samples_slice(1, 3)
    assert [rows.tolist() for rows in part.indices] == [[1], [0, 5]]
    assert [cuts.tolist() for cuts in part.offsets] == [[0, 0, 1], [0, 1, 2]]
    assert part.cardinalities.tolist() == [4, 9]
    assert part.provenance["samples_slice"] == [1, 3]
    assert part.samples_slice(1, 2).provenance["samples_slice"] == [2, 3]
    assert not part.indices[0].flags.writeable
    assert not part.offsets[0].flags.writeable
    again = LookupTrace.from_arrays([[1], [0, 5]], [[0, 0, 1], [0, 1, 2]], cardinalities=[4, 9])
    assert part == again
    assert part != trace


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (2, 1), (0, 4), (0, 1.5), (None, 2), (False, True)])
def test_bad_slices(start: object, stop: object) -> None:
    with pytest.raises(ConfigError, match=r"start|stop"):
        small().samples_slice(start, stop)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("profile", "first"), [(0, 0), (0.2, 2), (0.25, 2), (0.999, 9), (1.0, 10), (np.float32(0.5), 5)]
)
def test_split_takes_the_floor(profile: float, first: int) -> None:
    trace = LookupTrace.from_arrays([list(range(10))])
    head, tail = trace.split(profile)
    assert head.indices[0].tolist() == list(range(first))
    assert tail.indices[0].tolist() == list(range(first, 10))


@pytest.mark.parametrize("profile", [-0.1, 1.1, float("nan"), "0.2", None, True])
def test_bad_profile(profile: object) -> None:
    with pytest.raises(ConfigError, match="profile"):
        small().split(profile)  # type: ignore[arg-type]


def test_content_hash_sees_every_part_but_provenance() -> None:
    base = LookupTrace.from_arrays([[3, 1], [0, 5]], cardinalities=[9, 9])
    same = LookupTrace.from_arrays(
        [np.array([3, 1], "u1"), [0, 5]], [[0, 1, 2], [0, 1, 2]], cardinalities=[9, 9], provenance={"a": 1}
    )
    assert same.content_hash == base.content_hash
    assert hash(same) == hash(base)
    others = [
        LookupTrace.from_arrays([[3, 2], [0, 5]], cardinalities=[9, 9]),
        LookupTrace.from_arrays([[0, 5], [3, 1]], cardinalities=[9, 9]),
        LookupTrace.from_arrays([[3, 1], [0, 5]], cardinalities=[9, 8]),
        LookupTrace.from_arrays([[3, 1], [0, 5]], [[0, 0, 2], [0, 1, 2]], cardinalities=[9, 9]),
        LookupTrace.from_arrays([[3, 1], [0, 5]], [[0, 2], [0, 2]], cardinalities=[9, 9]),
        LookupTrace.from_arrays([[3, 1]], cardinalities=[9]),
    ]
    assert len({base.content_hash, *(other.content_hash for other in others)}) == 1 + len(others)
    assert base != "trace"


def test_content_hash_is_pinned() -> None:
    # The hash names traces in result files, so it may not change within a format version. It is that of the
    # byte string that docs/formats.md describes.
    content = struct.pack("<QQ", 2, 3)
    content += struct.pack("<qQ", 4, 3) + b"R" + struct.pack("<4q", 0, 2, 2, 3) + struct.pack("<3q", 3, 1, 1)
    content += struct.pack("<qQ", 9, 2) + b"R" + struct.pack("<4q", 0, 0, 1, 2) + struct.pack("<2q", 0, 5)
    expected = hashlib.blake2b(content, digest_size=32, person=b"heam_sim/trace/1").hexdigest()
    assert small().content_hash == expected
    pairs = LookupTrace.from_arrays([[3, 1]], [[0, 2]], cardinalities=[4])
    content = (
        struct.pack("<QQ", 1, 1)
        + struct.pack("<qQ", 4, 2)
        + b"U"
        + struct.pack("<Q", 2)
        + struct.pack("<2q", 3, 1)
    )
    assert (
        pairs.content_hash == hashlib.blake2b(content, digest_size=32, person=b"heam_sim/trace/1").hexdigest()
    )


def test_pickles_stay_read_only() -> None:
    copy = pickle.loads(pickle.dumps(small()))
    assert copy == small()
    assert not copy.indices[0].flags.writeable
    assert not copy.offsets[1].flags.writeable


def test_frozen() -> None:
    with pytest.raises(AttributeError):
        small().indices = ()  # type: ignore[misc]
    assert issubclass(TraceError, HeamSimError)
    assert repr(small()) == "LookupTrace(tables=2, samples=3, lookups=5)"


# --- weights


def weighted() -> LookupTrace:
    return LookupTrace.from_arrays(
        [[3, 1, 2], [0, 0]], [[0, 1, 3], [0, 2, 2]], weights=[[0.5, 2, 1], [-1, 0]]
    )


def test_weights_go_with_their_lookups(tmp_path: Path) -> None:
    trace = weighted()
    assert trace.weights is not None
    assert [one.dtype for one in trace.weights] == [np.float32] * 2
    with pytest.raises(ValueError, match="read-only"):
        trace.weights[0][0] = 1
    trace.save(tmp_path / "t.h5")
    again = LookupTrace.load(tmp_path / "t.h5")
    assert again == trace and again.weights is not None
    assert [one.tolist() for one in again.weights] == [[0.5, 2, 1], [-1, 0]]
    part = trace.samples_slice(1, 2)
    assert part.weights is not None and [one.tolist() for one in part.weights] == [[2, 1], []]
    assert pickle.loads(pickle.dumps(trace)) == trace


def test_weights_are_content() -> None:
    trace = weighted()
    plain = LookupTrace.from_arrays(trace.indices, trace.offsets)
    ones = LookupTrace.from_arrays(trace.indices, trace.offsets, weights=[[1, 1, 1], [1, 1]])
    assert len({trace.content_hash, plain.content_hash, ones.content_hash}) == 3


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([[1, 1, 1]], "1 arrays for 2 tables"),
        ([[1, 1, 1], [1]], "weights of table 1 have shape"),
        ([[1, 1, 1], ["a", "b"]], "weights of table 1"),
        ([[1, 1, 1], [1, float("inf")]], "table 1, position 1"),
        ([[1, 1e39, 1], [1, 1]], "table 0, position 1"),
        (3, "no arrays"),
    ],
)
def test_bad_weights(weights: Any, words: str) -> None:
    with pytest.raises(TraceError, match=words):
        LookupTrace.from_arrays([[3, 1, 2], [0, 0]], [[0, 1, 3], [0, 2, 2]], weights=weights)
