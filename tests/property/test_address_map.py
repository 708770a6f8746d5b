# SPDX-License-Identifier: MIT
"""Address maps are one-to-one, whatever their notation, XOR terms or number of channels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heam_sim.address import NAMED_MAPS, AddressMap, Piece, Xor, parse_map
from heam_sim.dram import load_spec
from heam_sim.errors import ConfigError

DDR4 = load_spec("native/DDR4_8Gb_x8/DDR4_3200", overrides={"rank": 2})
HBM2 = load_spec("native/HBM2_4Gb/HBM2_2000")
LEGACY = load_spec("native/HBM2_4Gb_legacy/HBM2_2000")
FIELDS = ("channel", "rank", "bank", "row", "column")


@st.composite
def maps(draw: st.DrawFn) -> AddressMap:
    bits = {name: draw(st.integers(0, 3)) for name in FIELDS[1:]}
    channels = draw(st.integers(1, 6))
    pieces = [Piece("channel", channels)]
    for name, count in bits.items():
        cut = draw(st.integers(0, count))
        pieces += [Piece(name, 1 << cut), Piece(name, 1 << (count - cut))]
    pieces = draw(st.permutations(pieces))
    usable = [name for name in bits if bits[name]]
    xors = []
    for _ in range(draw(st.integers(0, 4)) if len(usable) > 1 else 0):
        target, source = draw(st.permutations(usable))[:2]
        target_bit, source_bit = (
            draw(st.integers(0, bits[target] - 1)),
            draw(st.integers(0, bits[source] - 1)),
        )
        xors.append(Xor(target, target_bit, source, source_bit))
    levels = (("rank", 1 << bits["rank"]), ("bank", 1 << bits["bank"]))
    return AddressMap(tuple(pieces), levels, tuple(xors))


@given(maps())
def test_every_address_has_its_own_burst(mapping: AddressMap) -> None:
    address = np.arange(mapping.bursts, dtype=np.int64)
    places = np.stack(mapping.decode(address), axis=1)
    assert len(np.unique(places, axis=0)) == mapping.bursts
    np.testing.assert_array_equal(mapping.join(mapping.split(address)), address)


@pytest.mark.parametrize("spec", [DDR4, HBM2, LEGACY], ids=lambda spec: spec.name)
@pytest.mark.parametrize(
    "text", [*NAMED_MAPS, "rarocochbgba", "roracochbgba", "robabgrachco", "rochrababgco"]
)
@pytest.mark.parametrize("channels", [1, 3, 8])
def test_notations_are_one_to_one_on_real_memories(spec, text, channels) -> None:
    mapping = parse_map(text, spec, channels=channels)
    assert mapping.bursts == channels * spec.banks * spec.rows * spec.columns
    address = np.random.default_rng(1).integers(0, mapping.bursts, 2000)
    np.testing.assert_array_equal(mapping.join(mapping.split(address)), address)
    channel, bank, row, column = mapping.decode(address)
    assert (
        channel.max() < channels
        and bank.max() < spec.banks
        and row.max() < spec.rows
        and column.max() < spec.columns
    )


def test_the_compatibility_map_takes_channel_column_rank_group_bank_row_from_below() -> None:
    mapping = parse_map("RoBaRaCoCh", DDR4, channels=2)
    # channel 1, column 5, rank 1, bank group 2, bank 3, row 7, written out by hand:
    address = 1 + 2 * (5 + 128 * (1 + 2 * (2 + 4 * (3 + 4 * 7))))
    channel, bank, row, column = mapping.decode(np.array([address]))
    assert (channel[0], bank[0], row[0], column[0]) == (1, (1 * 4 + 2) * 4 + 3, 7, 5)


def test_dramsim3_letters_read_from_the_left() -> None:
    mapping = parse_map("rochrababgco", DDR4, channels=2)
    _, bank, row, column = mapping.decode(np.array([1, 128, 128 * 4]))
    assert list(column) == [1, 0, 0] and list(bank) == [0, 4, 1] and list(row) == [0, 0, 0]


def test_mop4clxor_by_hand() -> None:
    mapping = parse_map("MOP4CLXOR", DDR4, channels=1)
    _, bank, row, column = mapping.decode(np.arange(5))
    # Column bit 0 flips the rank (16 banks), bit 1 the lower bit of the bank group (4 banks).
    assert list(column) == [0, 1, 2, 3, 0] and list(bank) == [0, 16, 4, 20, 16] and list(row) == [0] * 5


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("row column bank rank channel", "bank_group"),
        ("row column bank rank bank_group channel bank", "bank stands twice"),
        ("row colum bank rank bank_group channel", "did you mean 'column'"),
        ("row column bank:1 rank bank_group channel", "bank must stand exactly once"),
        ("row column bank:3 rank bank_group channel", "do not fit"),
        ("row column bank:x rank bank_group channel", "number of bits"),
        ("row column bank rank bank_group channel | bank.0^bank.1", "with itself"),
        ("row column bank rank bank_group channel | bank.7^row.1", "bit 7"),
        ("row column bank rank bank_group channel | bank.0+row.1", "no XOR term"),
    ],
)
def test_bad_maps_say_what_is_wrong(text: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        parse_map(text, DDR4, channels=2)


def test_a_vector_longer_than_a_row_is_refused() -> None:
    with pytest.raises(ConfigError, match="does not fit"):
        parse_map(
            "row column bank rank bank_group channel column.vector", DDR4, channels=2, vector_bursts=256
        )


def test_vectors_stay_together_only_with_their_columns_lowest() -> None:
    text = "row column bank rank bank_group channel column.vector"
    assert parse_map(text, DDR4, channels=2, vector_bursts=8).keeps_vectors(8)
    assert not parse_map("rarocochbgba", DDR4, channels=2).keeps_vectors(2)
    assert not parse_map(text + " | column.0^row.0", DDR4, channels=2, vector_bursts=8).keeps_vectors(8)
