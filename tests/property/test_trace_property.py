# SPDX-License-Identifier: MIT
"""What holds for every trace."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heam_sim.datasets import expand_multi_hot, generate
from heam_sim.datasets.idmap import IdMap
from heam_sim.datasets.permutation import permute
from heam_sim.datasets.zipf import BLOCK, ZipfSampler
from heam_sim.trace import LookupTrace, TraceFile, TraceWriter, trace_file
from heam_sim.trace import writer as writer_module


@st.composite
def traces(draw: st.DrawFn) -> LookupTrace:
    samples = draw(st.integers(0, 6))
    indices, offsets, cardinalities = [], [], []
    for _ in range(draw(st.integers(1, 4))):
        rows = draw(st.sampled_from([1, 2, 255, 256, 257, 65537, 2**32, 2**33, 2**63 - 1]))
        bags = draw(
            st.lists(st.lists(st.integers(0, rows - 1), max_size=4), min_size=samples, max_size=samples)
        )
        indices.append([index for bag in bags for index in bag])
        offsets.append([0, *np.cumsum([len(bag) for bag in bags], dtype=np.int64).tolist()])
        cardinalities.append(rows)
    return LookupTrace.from_arrays(
        indices, offsets, cardinalities=cardinalities, provenance={"samples": samples}
    )


@settings(max_examples=40)
@given(traces())
def test_files_give_back_what_they_got(trace: LookupTrace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.h5"
        trace.save(path)
        again = LookupTrace.load(path)
    for one, other in zip(
        (*again.indices, *again.offsets, again.cardinalities),
        (*trace.indices, *trace.offsets, trace.cardinalities),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    assert again.content_hash == trace.content_hash
    assert again.provenance == trace.provenance


@settings(max_examples=60, deadline=None)
@given(traces(), st.data(), st.sampled_from([1, 3, 1 << 16]), st.booleans())
def test_pieces_give_the_same_file(
    trace: LookupTrace, data: st.DataObject, chunk: int, weighted: bool
) -> None:
    if weighted:
        weights = [np.arange(len(rows), dtype=np.float32) for rows in trace.indices]
        trace = LookupTrace.from_arrays(
            trace.indices, trace.offsets, cardinalities=trace.cardinalities, weights=weights
        )
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, trace.samples), max_size=4))), trace.samples]
    known = data.draw(st.booleans())
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer_module, "_LARGEST_CHUNK", chunk)
        patch.setattr(trace_file, "_PIECE", chunk)
        path = Path(folder) / "t.h5"
        rows = trace.cardinalities
        with TraceWriter(
            path, tables=trace.tables, cardinalities=rows if known else None, weighted=weighted
        ) as writer:
            for start, stop in itertools.pairwise(cuts):
                writer.append_trace(trace.samples_slice(start, stop))
            assert writer.finish(cardinalities=None if known else rows) == trace.content_hash
        assert LookupTrace.load(path) == trace
        with TraceFile(path) as file:
            file.verify()
            assert file.lookups == trace.lookups
            assert file.read() == trace
            for start, stop in itertools.pairwise(cuts):
                assert file.samples_slice(start, stop) == trace.samples_slice(start, stop)
            pieces = list(file.chunks(data.draw(st.integers(1, 9))))
            assert sum(piece.samples for piece in pieces) == trace.samples
            for table in range(trace.tables if pieces else 0):
                joined = np.concatenate([piece.indices[table] for piece in pieces])
                np.testing.assert_array_equal(joined, trace.indices[table])
            head, tail = file.split(0.5)
            assert (head, tail.read()) == trace.split(0.5)


@given(traces(), st.data())
def test_slices_agree_with_the_bags(trace: LookupTrace, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, trace.samples))
    stop = data.draw(st.integers(start, trace.samples))
    part = trace.samples_slice(start, stop)
    assert part.samples == stop - start
    for table in range(trace.tables):
        for sample in range(part.samples):
            mine = part.indices[table][part.offsets[table][sample] : part.offsets[table][sample + 1]]
            cuts = trace.offsets[table]
            whole = trace.indices[table][cuts[start + sample] : cuts[start + sample + 1]]
            assert mine.tolist() == whole.tolist()
    rebuilt = LookupTrace.from_arrays(part.indices, part.offsets, cardinalities=part.cardinalities)
    assert rebuilt == part


@given(traces(), st.floats(0, 1))
def test_split_loses_nothing(trace: LookupTrace, profile: float) -> None:
    head, tail = trace.split(profile)
    assert head.samples + tail.samples == trace.samples
    for table in range(trace.tables):
        both = np.concatenate([head.indices[table], tail.indices[table]])
        np.testing.assert_array_equal(both, trace.indices[table])


@given(st.lists(st.lists(st.integers(0, 30), max_size=40), max_size=6), st.integers(1, 2**32))
def test_ids_follow_first_appearance(blocks: list[list[int]], scale: int) -> None:
    ids, dictionary = IdMap(), dict[int, int]()
    for block in blocks:
        expected = [dictionary.setdefault(key * scale, len(dictionary)) for key in block]
        assert ids.ids(np.array([key * scale for key in block], dtype=np.uint64)).tolist() == expected
    assert len(ids) == len(dictionary)


@settings(max_examples=25)
@given(
    st.one_of(st.integers(1, 300), st.sampled_from([65535, 65536, 65537, 100_003, 131_072])),
    st.integers(0, 2**64 - 1),
)
def test_permutations_are_one_to_one(rows: int, seed: int) -> None:
    image = permute(np.arange(rows), rows, seed=seed, key=(3, 1))
    assert image.dtype == np.int64
    np.testing.assert_array_equal(np.sort(image), np.arange(rows))


@settings(max_examples=30)
@given(st.integers(1, 2**62), st.floats(0, 16), st.integers(0, 2**32))
def test_ranks_stay_inside(rows: int, exponent: float, seed: int) -> None:
    ranks = ZipfSampler(rows, exponent).ranks(seed, (0,), 500)
    assert ranks.dtype == np.int64
    assert ranks.min() >= 0
    assert ranks.max() < rows


@settings(max_examples=10)
@given(st.integers(0, BLOCK + 50), st.sampled_from([0.0, 0.7, 1.0, 1.05, 3.0]))
def test_fewer_ranks_are_a_prefix(count: int, exponent: float) -> None:
    sampler = ZipfSampler(9000, exponent)
    whole = sampler.ranks(7, (2, 0), BLOCK + 60)
    np.testing.assert_array_equal(sampler.ranks(7, (2, 0), count), whole[:count])


@settings(max_examples=10)
@given(st.integers(0, 200), st.integers(1, 5), st.integers(0, 2**64 - 1))
def test_a_shorter_trace_is_a_prefix(samples: int, pooling: int, seed: int) -> None:
    whole = generate("criteo-kaggle", samples=200, pooling=pooling, seed=seed)
    part = generate("criteo-kaggle", samples=samples, pooling=pooling, seed=seed)
    assert part == whole.samples_slice(0, samples)


@settings(max_examples=15)
@given(st.lists(st.integers(0, 50), max_size=30), st.integers(1, 6), st.integers(0, 2**64 - 1))
def test_multi_hot_keeps_the_first_and_invents_nothing(rows: list[int], pooling: int, seed: int) -> None:
    trace = LookupTrace.from_arrays([rows], cardinalities=[60])
    wide = expand_multi_hot(trace, pooling=pooling, seed=seed)
    bags = wide.indices[0].reshape(-1, pooling)
    assert bags[:, 0].tolist() == rows
    assert set(bags.reshape(-1).tolist()) <= set(rows)
    assert wide.offsets[0].tolist() == [sample * pooling for sample in range(len(rows) + 1)]
