# SPDX-License-Identifier: MIT
"""``heam-sim replay`` and ``check`` with files and options that cannot be: status 2 and one sentence."""

from __future__ import annotations

import gzip
import io
import zipfile
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest

from heam_sim.cli import main
from heam_sim.errors import DatasetError
from heam_sim.traffic import Requests, read_requests, replay_chunks, write_request_chunks, write_requests
from tests.boundary.test_cli import files, refuse

DDR4 = "native/DDR4_8Gb_x8/DDR4_3200"
RAMULATOR = "clock,command,Channel,Rank,BankGroup,Bank,Row,Column,type,source\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of a command."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.txt").write_text("LD 0x40\nST 0x12340\n" * 50)
    return tmp_path


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return stream.getvalue()


FLAGS = npy(np.zeros(4, np.uint8))
FILES: dict[str, tuple[bytes, str]] = {
    "coordinates.txt": (b"R 0,0,0,1,2,3\n", "coordinates.txt:1:"),
    "third.txt": (b"LD 0x40\nST 64\nLD 0xZZ\n", "third.txt:3:"),
    "cycle.txt": (b"0x40 READ 1\n0x40 READ x\n", "cycle.txt:2:"),
    "case.txt": (b"ld 0x40\n", "case.txt:1:"),
    "sign.txt": (b"LD +4\n", "sign.txt:1:"),
    "underscore.txt": (b"LD 1_0\n", "underscore.txt:1:"),
    "long.txt": (b"LD " + b"1" * 70_000, "long.txt:1:"),
    "endless.txt": (b"LD 4\n" + b"\0" * 3_000_000, "endless.txt:2:"),
    "empty.txt": (b"", "empty"),
    "blank.txt": (b"\n \n", "empty"),
    "binary.txt": (bytes(range(256)) * 8, "binary.txt:1:"),
    "log.csv": (b"clock,command\n1,ACT\n", "log.csv:1:"),
    "cut.gz": (gzip.compress(b"".join(b"LD %d\n" % (i * 7919) for i in range(9000)))[:-200], "end"),
    "sum.gz": (gzip.compress(b"LD 0x40\n" * 900)[:-8] + b"\0" * 8, "end"),
    "noise.gz": (b"\x1f\x8b\x08\x00" + b"\xff" * 90, "end"),
    "cut.npz.gz": (gzip.compress(zipped(address=FLAGS, is_write=FLAGS))[:-20], "unpacked"),
    "plain.npz.gz": (zipped(address=FLAGS, is_write=FLAGS), "unpacked"),
    "lacks.npz.gz": (gzip.compress(zipped(address=FLAGS)), "is_write"),
    "inside.h5.gz": (gzip.compress(b"\x89HDF"), "HDF5"),
    "text.npz": (b"LD 0x40\n", ".npz"),
    "lacks.npz": (zipped(address=FLAGS), "is_write"),
    "bytes.npz": (zipped(address=b"LD 0x40", is_write=FLAGS), ".npz"),
    "short.npz": (zipped(address=npy(np.arange(4))[:-9], is_write=FLAGS), "early"),
    "objects.npz": (zipped(address=npy(np.array([None, 1])), is_write=FLAGS), "integer"),
    "table.npz": (zipped(address=npy(np.zeros((2, 2), int)), is_write=FLAGS), "2 dimensions"),
    "scalar.npz": (zipped(address=npy(np.array(7)), is_write=FLAGS), "0 dimensions"),
    "uneven.npz": (zipped(address=npy(np.arange(5)), is_write=FLAGS), "5 entries"),
    "negative.npz": (zipped(address=npy(np.array([1, 2, -3, 4])), is_write=FLAGS), "request 2"),
    "large.npz": (zipped(address=npy(np.array([1, 1 << 63, 3, 4], np.uint64)), is_write=FLAGS), "request 1"),
    "text.h5": (b"LD 0x40\n", "HDF5"),
}


@pytest.mark.parametrize("name", FILES)
def test_request_files_that_are_none(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, names = FILES[name]
    (folder / name).write_bytes(content)
    message = refuse(capsys, folder, "replay", name, "--commands", "out.npz")
    assert name in message and names in message and message.isascii()


@pytest.mark.parametrize("ending", [".npz", ".h5", ".txt"])
def test_a_gzipped_file_is_the_file(
    ending: str, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    address = np.arange(10_000, dtype=np.uint64) * 64 * 7919
    is_write = (np.arange(10_000) % 3 == 0).astype(np.uint8)
    plain = folder / f"stream{ending}"
    if ending == ".npz":
        np.savez(plain, address=address, is_write=is_write)
    elif ending == ".h5":
        write_requests(plain, address, is_write)
    else:
        lines = zip(address.tolist(), is_write.tolist(), strict=True)
        plain.write_text("".join(f"{'ST' if write else 'LD'} {at}\n" for at, write in lines))
    packed = folder / f"stream{ending}.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    pieces = list(read_requests(packed, chunk=3_000))
    assert np.array_equal(np.concatenate([piece.address for piece in pieces]), address)
    assert np.array_equal(np.concatenate([piece.is_write for piece in pieces]), is_write)
    begun = read_requests(packed, chunk=100)
    next(begun)
    begun.close()
    assert not list(temporary.iterdir())


def hdf5(path: Path, **arrays: object) -> Path:
    with h5py.File(str(path), "w") as stored:
        stored.attrs["filetype"] = "heam_sim/requests"
        for name, array in arrays.items():
            if array is None:
                stored.create_group(name)
            else:
                stored[name] = array
    return path


@pytest.mark.parametrize(
    ("arrays", "names"),
    [
        ({"address": np.arange(3)}, "is_write"),
        ({"address": np.arange(3), "is_write": None}, "is_write"),
        ({"address": np.int64(3), "is_write": np.zeros(3, int)}, "address"),
        ({"address": np.zeros((3, 2), int), "is_write": np.zeros(3, int)}, "address"),
        ({"address": np.zeros(3), "is_write": np.zeros(3, int)}, "address"),
        ({"address": np.arange(4), "is_write": np.zeros(3, int)}, "4 entries"),
        ({"address": np.array([1, 1, -1]), "is_write": np.zeros(3, int)}, "request 2"),
    ],
)
def test_hdf5_files_that_are_none(
    arrays: dict[str, object], names: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hdf5(folder / "r.h5", **arrays)
    assert names in refuse(capsys, folder, "replay", "r.h5")


def test_a_damaged_hdf5_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_requests(folder / "whole.h5", np.arange(100_000, dtype=np.uint64) ** 2, np.zeros(100_000, np.uint8))
    content = (folder / "whole.h5").read_bytes()
    (folder / "cut.h5").write_bytes(content[: len(content) // 2])
    assert "cut.h5" in refuse(capsys, folder, "replay", "cut.h5")


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("missing.txt",), "missing.txt"),
        ((".",), "no such request file"),
        (("good.txt", "--commands", "out.txt"), "'.txt'"),
        (("good.txt", "--commands", "nowhere/out.npz"), "nowhere"),
        (("good.txt", "--preset", "DDR4"), "spec list"),
        (("good.txt", "--channels", "0"), "channels"),
        (("good.txt", "--channels", "5000"), "4096"),
        (("good.txt", "--threads", "0"), "threads"),
        (("good.txt", "--read-queue", "20000"), "16384"),
        (("good.txt", "--offers-per-cycle", "0"), "offers_per_cycle"),
        (("good.txt", "--address-map", "rows"), "'rows'"),
        (("good.txt", "--set", "nREFI=560"), "nREFI"),
        (("good.txt", "--set", "ranks=2"), "'rank'"),
        (("good.txt", "--set", "rank=two"), "'two'"),
        (("good.txt", "--set", "rank"), "KEY=VALUE"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_replays_that_cannot_be(
    arguments: tuple[str, ...], names: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert names in refuse(capsys, folder, "replay", *arguments)


@pytest.mark.parametrize(
    ("name", "content", "names"),
    [
        ("missing.npz", None, "missing.npz"),
        ("missing.csv", None, "missing.csv"),
        ("missing.csv.ch0", None, "missing.csv.ch0"),
        ("log.csv.ch1", b"clock,channel\n", "line 1"),
        ("log.txt", b"", "'.txt'"),
        ("log.npz", b"PK\x03\x04", "log.npz"),
        ("log.csv", b"", "line 1"),
        ("log.csv", b"clock,command\n", "line 1"),
        ("log.csv", RAMULATOR.encode() + b"1,ACT,0,0,0,0,0,0,0\n", "line 2"),
        ("log.csv", RAMULATOR.encode() + b"1,ACT,0,0,0,0,0,0,0,x\n", "line 2"),
        ("log.csv", RAMULATOR.encode() + b"1,ACX,0,0,0,0,0,0,0,0\n", "'ACX'"),
        ("log.csv", RAMULATOR.encode() + b"1,ACT,0,9,0,0,0,0,0,0\n", "rank 9"),
        ("log.csv", RAMULATOR.encode() + b"1,ACT,70000,0,0,0,0,0,0,0\n", "70000"),
        ("log.csv", RAMULATOR.encode() + b"99999999999999999999,ACT,0,0,0,0,0,0,0,0\n", "line 2"),
        ("log.csv", RAMULATOR.encode() + b"-7,ACT,0,0,0,0,0,0,0,0\n", "line 2"),
        ("log.csv", b"\xff\xfe\x00", "log.csv"),
    ],
)
def test_logs_that_are_none(
    name: str, content: bytes | None, names: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (folder / name).write_bytes(content)
    assert names in refuse(capsys, folder, "check", name, "--spec", DDR4)


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("--spec", "DDR4"), "spec list"),
        (("--spec", DDR4, "--channels", "x"), "0-7"),
        (("--spec", DDR4, "--channels", "3-1"), "lower"),
        (("--spec", DDR4, "--channels", "0-3"), "channels up to 0"),
        (("--spec", DDR4, "--pim-level", "bnak"), "'bank'"),
        (("--spec", "native/DDR5_16Gb_x8/DDR5_4800"), "violations"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_checks_that_cannot_pass(
    arguments: tuple[str, ...], names: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", "good.txt", "--commands", "log.npz"]) == 0
    capsys.readouterr()
    assert names in refuse(capsys, folder, "check", "log.npz", *arguments)


def test_every_format_and_both_front_ends_from_the_command_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address, is_write = np.array([0x40, 0x12340] * 50), np.array([0, 1] * 50)
    (folder / "packed.txt.gz").write_bytes(gzip.compress((folder / "good.txt").read_bytes()))
    (folder / "packed.txt").write_bytes(gzip.compress((folder / "good.txt").read_bytes()))
    (folder / "dramsim.trc").write_text("0x40 READ 0\n12340 WRITE 3\n" * 50)
    np.savez(folder / "plain.npz", address=address, is_write=is_write)
    np.savez_compressed(folder / "deflated.npz", address=address.astype(">u4"), is_write=is_write == 1)
    write_requests(folder / "stored.h5", address.astype(np.uint64), is_write.astype(np.uint8))
    printed = set()
    for path in sorted(files(folder)):
        for options in ((), ("--front-end", "per-channel", "--threads", "2")):
            assert main(["replay", str(path), "--commands", "log.csv", *options]) == 0
            printed.add((capsys.readouterr().out, (folder / "log.csv").read_text()))
            (folder / "log.csv").unlink()
    assert len(printed) == 1
    assert main(["replay", "good.txt", "--commands", "log.csv"]) == 0
    assert main(["check", "log.csv", "--spec", DDR4]) == 0


def test_a_recording_under_its_own_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "1,ACT,0,0,0,0,7,0,0,-1\n23,RDA,0,0,0,0,7,0,0,-1\n"
    (folder / "r.csv.ch0").write_text(RAMULATOR + rows)
    assert main(["check", "r.csv.ch0", "--spec", "ramulator-2.1/DDR4_8Gb_x8/DDR4_3200AA"]) == 0
    assert "2 commands obey" in capsys.readouterr().out


def test_chunks_are_stored_as_one_stream(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    address, is_write = rng.integers(0, 1 << 40, 200_000).astype(np.uint64), rng.integers(0, 2, 200_000)
    flags = is_write.astype(np.uint8)
    write_requests(tmp_path / "whole.h5", address, flags)
    cuts = [0, 1, 1, 70_000, 131_072, 200_000]
    write_request_chunks(
        tmp_path / "parts.h5",
        (Requests(address[a:b], flags[a:b]) for a, b in pairwise(cuts)),
    )
    for name in ("whole.h5", "parts.h5"):
        read = list(read_requests(tmp_path / name, chunk=30_000))
        assert max(part.address.size for part in read) == 30_000
        np.testing.assert_array_equal(np.concatenate([part.address for part in read]), address)
        np.testing.assert_array_equal(np.concatenate([part.is_write for part in read]), flags)
    write_request_chunks(tmp_path / "none.h5", [])
    assert replay_chunks(read_requests(tmp_path / "none.h5"), preset=DDR4).requests == 0


def test_a_bad_chunk_leaves_no_file(tmp_path: Path) -> None:
    good = Requests(np.zeros(3, np.uint64), np.zeros(3, np.uint8))
    bad = Requests(np.array([1, -1]), np.zeros(2, np.uint8))
    with pytest.raises(DatasetError, match="request 4 has a negative address"):
        write_request_chunks(tmp_path / "r.h5", [good, bad])
    assert files(tmp_path) == set()
