# SPDX-License-Identifier: MIT
"""Request files as text: blocks read as arrays say what reading line by line says, errors included."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heam_sim.errors import DatasetError
from heam_sim.traffic import text as module
from heam_sim.traffic.text import read_text

Pairs = list[tuple[int, int]]

NUMBER = st.one_of(
    st.integers(0, (1 << 63) + 5).map(str),
    st.integers(0, (1 << 63) + 5).map(hex),
    st.integers(0, 1 << 40).map(lambda value: f"0X{value:X}"),
    st.integers(0, 1 << 40).map(lambda value: f"{value:x}"),
    st.integers(0, 1 << 40).map(lambda value: f"000000000000000000000{value}"),
    st.sampled_from(["0x", "0xg", "-4", "+4", "1_0", "", "0", "x0", "1.5", "0x-1"]),
)
GAP = st.sampled_from([" ", "  ", "\t", " \v", "\f", "\x00", "\x1c"])
END = st.sampled_from(["\n", "\r\n", " \n", "\n\n"])
LD_ST = st.tuples(st.sampled_from(["LD", "ST", "ld", "LDD", "L"]), GAP, NUMBER, END).map("".join)
DRAMSIM = st.tuples(
    NUMBER, GAP, st.sampled_from(["READ", "WRITE", "write", "BOFF", "P_FETCH", "WRITES"]), GAP, NUMBER, END
).map("".join)
GOOD_LD_ST = st.tuples(st.sampled_from(["LD ", "ST "]), st.integers(0, 1 << 50).map(hex), st.just("\n"))
LINES = st.one_of(
    st.lists(GOOD_LD_ST.map("".join), min_size=1),
    st.lists(LD_ST, min_size=1),
    st.lists(DRAMSIM, min_size=1),
    st.lists(st.one_of(LD_ST, DRAMSIM, END), min_size=1),
).map("".join)


def read(path: Path) -> Pairs:
    return [
        (int(a), int(w))
        for address, is_write in read_text(path)
        for a, w in zip(address, is_write, strict=True)
    ]


def line_by_line(path: Path, content: bytes) -> Pairs:
    address, is_write = module._one_by_one(path, content, 1)
    return [(int(a), int(w)) for a, w in zip(address, is_write, strict=True)]


@settings(max_examples=400, deadline=None)
@given(LINES, st.booleans())
def test_arrays_and_lines_agree(text: str, cut_end: bool) -> None:
    content = text.encode()[: -1 if cut_end else None]
    if not content.strip():
        return
    alike = module._alike(np.frombuffer(content, np.uint8))
    try:
        wanted = line_by_line(Path("file"), content)
    except DatasetError:
        assert alike is None
        return
    if alike is not None:
        assert [(int(a), int(w)) for a, w in zip(*alike, strict=True)] == wanted


@pytest.mark.parametrize(
    "line", ["LD 0x{:x}", "ST {}", "0x{:x} READ 5", "{:x} WRITE 17", "LD 0X{:X}"], ids=lambda line: line
)
def test_usual_lines_are_read_as_arrays(line: str) -> None:
    """The fast way is taken, or a change could quietly lose it."""
    values = [0, 64, (1 << 59) - 1, *range(1000, 5000, 64)]
    alike = module._alike(np.frombuffer("\n".join(line.format(v) for v in values).encode(), np.uint8))
    assert alike is not None
    assert [int(value) for value in alike[0]] == values


@pytest.mark.parametrize("block", [64, 1000, 1 << 20])
@pytest.mark.parametrize("packed", [False, True])
def test_blocks_end_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, packed: bool
) -> None:
    monkeypatch.setattr(module, "_BLOCK_BYTES", block)
    lines = [f"{'ST' if i % 3 else 'LD'} {i * 77777:#x}" for i in range(400)]
    lines.insert(100, "")
    lines[300] = "ST 12345"
    content = "\n".join(lines).encode()
    path = tmp_path / "r.txt"
    path.write_bytes(gzip.compress(content) if packed else content)
    assert read(path) == line_by_line(path, content)


@pytest.mark.parametrize("line", [1, 2, 999, 4000])
def test_the_line_is_named_in_any_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: int) -> None:
    monkeypatch.setattr(module, "_BLOCK_BYTES", 4096)
    lines = ["LD 0x1234", ""] * 2000
    lines[line - 1] = "LD 0x12G4"
    path = tmp_path / "r.txt"
    path.write_text("\n".join(lines))
    with pytest.raises(DatasetError, match=rf"r\.txt:{line}: '0x12G4'"):
        read(path)
