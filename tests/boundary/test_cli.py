# SPDX-License-Identifier: MIT
"""Bad input on the command line: status 2, one sentence, nothing half-written; Ctrl-C: status 130."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from heam_sim.cli import main
from heam_sim.datasets import generate, read_dataset
from heam_sim.embedding import QR
from heam_sim.errors import ConfigError, HeamSimError, TraceError
from heam_sim.results import ResultSet
from heam_sim.simulation import simulate
from heam_sim.trace import LookupTrace

SIMULATE = ("simulate", "heam", "--samples", "20", "--embedding", "qr:4", "--vector-bytes", "64")
EXCERPT = Path(__file__).resolve().parents[3] / "shared" / "datasets" / "criteo_kaggle_1000.tsv"


def criteo_rows(count: int, *, seed: int = 3) -> list[list[str]]:
    """Rows in the form of a Criteo file: label, 13 integers, 26 values of 8 hex digits; some are empty."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        integers = [str(value) if value else "" for value in rng.integers(0, 50, 13)]
        values = [f"{value:08x}" if value % 7 else "" for value in rng.integers(0, 2**32, 26)]
        values[-1] = "0badcafe"
        rows.append([str(int(rng.integers(2))), *integers, *values])
    return rows


def write_rows(path: Path, rows: list[list[str]], end: str = "\n") -> Path:
    path.write_bytes("".join("\t".join(row) + end for row in rows).encode())
    return path


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trace") / "trace.h5"
    generate("criteo-kaggle", samples=40, seed=1).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of a command."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir()}


def refuse(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: object) -> str:
    """The command ends with status 2 and one sentence on stderr, and leaves the files as they were."""
    before = files(folder)
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err + captured.out
    assert captured.err.startswith("error: ") and captured.err.endswith((".\n", "?\n")), captured.err
    assert captured.err.count("\n") == 1, captured.err
    assert files(folder) == before
    return captured.err


# -- names and options


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("simulate", "haem"), "'heam'"),
        (("simulate", "zzzzzz"), "host-hbm-dimm"),
        (("simulate", "missing.toml"), "missing.toml"),
        (("bound", "haem"), "'heam'"),
        ((*SIMULATE, "--dataset", "criteo"), "criteo-kaggle"),
        ((*SIMULATE, "--embedding", "qr"), "qr:COLLISIONS"),
        ((*SIMULATE, "--embedding", "qr:x"), "collisions"),
        ((*SIMULATE, "--embedding", "qr:-4"), "collisions"),
        ((*SIMULATE, "--embedding", "qr:4:divide"), "'divide'"),
        ((*SIMULATE, "--embedding", "hash"), "'hash'"),
        ((*SIMULATE, "--vector-bytes", "0"), "vector_bytes"),
        ((*SIMULATE, "--vector-bytes", "-64"), "vector_bytes"),
        ((*SIMULATE, "--vector-bytes", "100"), "vector_bytes"),
        ((*SIMULATE, "--vector-bytes", str(2**40)), "pages"),
        ((*SIMULATE, "--profile", "1"), "profile"),
        ((*SIMULATE, "--profile", "-0.1"), "profile"),
        ((*SIMULATE, "--profile", "nan"), "profile"),
        ((*SIMULATE, "--samples", "-1"), "samples"),
        ((*SIMULATE, "--seed", "-1"), "seed"),
        ((*SIMULATE, "--seed", str(2**64)), "seed"),
        ((*SIMULATE, "--pooling", "0"), "pooling"),
        ((*SIMULATE, "--trace", "a.h5", "--path", "b.tsv"), "--path"),
        (("reproduce", "--samples", "3"), "samples"),
        (("reproduce", "--workers", "0"), "workers"),
        (("reproduce", "--dataset", "movielens"), "'movielens'"),
        (("trace", "generate", "nosuch", "o.h5"), "'nosuch'"),
        (("trace", "generate", "criteo-kaggle", "o.h5", "--samples", "-5"), "samples"),
        (("trace", "import", "nosuch", "a.tsv", "o.h5"), "'nosuch'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_unknown_names_and_values(
    arguments: tuple[str, ...], names: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert names in refuse(capsys, folder, *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ("nosuch",),
        ("simulate",),
        (*SIMULATE, "--nosuch"),
        (*SIMULATE, "--vector-bytes", "wide"),
        (*SIMULATE, "--scope", "table"),
        (*SIMULATE, "--samples", "1.5"),
        (*SIMULATE, "--set"),
        ("reproduce", "--output"),
        ("trace", "info"),
    ],
    ids=" ".join,
)
def test_misused_options(
    arguments: tuple[str, ...], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What click refuses: it shows the usage, and names what is wrong in the last line."""
    assert main(list(arguments)) == 2
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("Error: ")
    assert files(folder) == set()


def test_replay_takes_a_controller_and_check_its_limit(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(2)
    np.savez(folder / "r.npz", address=rng.integers(0, 1 << 30, 9000), is_write=np.zeros(9000, np.uint8))
    memory = "native/DDR5_16Gb_x8/DDR5_4800"
    refresh = ("--refresh", "same-bank", "--refresh-postpone", "4", "--refresh-stagger")
    policies = ("--scheduler", "frfcfs-cap", "--row-hit-cap", "4", "--row-policy", "timeout")
    queues = ("--write-queue", "16", "--write-high-percent", "70", "--write-low-percent", "30")
    rest = ("--row-timeout", "100", "--commands", "log.npz")
    assert main(["replay", "r.npz", "--preset", memory, *refresh, *policies, *queues, *rest]) == 0
    shown = capsys.readouterr().out
    assert "ref_bank" in shown and "pre_unasked" in shown
    assert main(["check", "log.npz", "--spec", memory]) == 0
    assert main(["check", "log.npz", "--spec", memory, "--postponed", "0"]) == 2
    assert "refresh deadline" in capsys.readouterr().out
    for wrong in (("--refresh", "per-bank"), ("--row-cap", "3"), ("--scheduler", "frfcfs-cap")):
        assert main(["replay", "r.npz", "--preset", memory, *wrong]) == 2
        assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "names"),
    [
        ("host.llc_bytes", "KEY=VALUE"),
        ("=3", "KEY=VALUE"),
        ("host.llc_bytes=", "KEY=VALUE"),
        ("nosuch.key=3", "'nosuch'"),
        ("host.llc_byte=3", "'llc_bytes'"),
        ("host=3", "'host'"),
        ("a.b.c.d=1", "'a'"),
        ("host.llc_bytes=abc", "llc_bytes"),
        ("host.llc_bytes=1.5", "llc_bytes"),
        ("host.llc_bytes=true", "llc_bytes"),
        ("host.llc_bytes=[1]", "llc_bytes"),
        ("host.llc_bytes=nan", "llc_bytes"),
        ("host.llc_bytes=-1", "llc_bytes"),
        ("host.llc_bytes=1000", "llc_bytes"),
        ("host.window_gnrs=0", "window_gnrs"),
        ("hbm.channels=0", "channels"),
        ("hbm.memory=native/NOPE/X", "native/NOPE/X"),
        ("hbm.power=nope", "'nope'"),
        ("hbm.pim.queue_depth=0", "queue_depth"),
        ("hbm.pim.unit_level=nowhere", "'nowhere'"),
        ("dimm.capacity_scale=0", "capacity_scale"),
    ],
)
def test_settings(setting: str, names: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert names in refuse(capsys, folder, *SIMULATE, "--set", setting)


def test_too_many_channels_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "channels" in refuse(capsys, folder, *SIMULATE, "--set", "hbm.channels=100000")


def test_the_last_setting_of_a_key_wins(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SIMULATE, "--set", "host.llc_bytes=bad", "--set", "host.llc_bytes=0"]) == 0


# -- trace files


BROKEN_TRACES: dict[str, Callable[[Path, Path], None]] = {
    "missing": lambda path, good: None,
    "empty": lambda path, good: path.write_bytes(b"") and None,
    "foreign": lambda path, good: path.write_bytes(b"not HDF5 at all\n" * 50) and None,
    "truncated": lambda path, good: path.write_bytes(good.read_bytes()[:9000]) and None,
    "cut to half": lambda path, good: (
        path.write_bytes(good.read_bytes()[: good.stat().st_size // 2]) and None
    ),
    "folder": lambda path, good: path.mkdir(),
}


@pytest.mark.parametrize("make", BROKEN_TRACES.values(), ids=BROKEN_TRACES)
@pytest.mark.parametrize("command", [("trace", "info"), (*SIMULATE, "--trace"), ("bound", "heam", "--trace")])
def test_broken_trace_files(
    command: tuple[str, ...],
    make: Callable[[Path, Path], None],
    stored: Path,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = folder / "broken.h5"
    make(path, stored)
    assert "broken.h5" in refuse(capsys, folder, *command, path)


def test_an_hdf5_file_of_somebody_else(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File("other.h5", "w") as file:
        file["x"] = np.arange(3)
    assert "not a lookup trace" in refuse(capsys, folder, "trace", "info", "other.h5")


def test_an_index_beyond_its_cardinality_in_a_file(
    stored: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody has written to the file: the numbers themselves are wrong."""
    Path("bad.h5").write_bytes(stored.read_bytes())
    table = int(np.argmin(LookupTrace.load(stored).cardinalities))
    with h5py.File("bad.h5", "r+") as file:
        indices = file[f"tables/{table:05d}/indices"]
        indices[7] = np.iinfo(indices.dtype).max
    err = refuse(capsys, folder, *SIMULATE, "--trace", "bad.h5")
    assert "bad.h5" in err and f"table {table}" in err and "cardinality" in err


# -- dataset files


def changed(line: int, column: int, value: str) -> Callable[[list[list[str]]], list[list[str]]]:
    def change(rows: list[list[str]]) -> list[list[str]]:
        rows[line][column] = value
        return rows

    return change


BROKEN_ROWS: dict[str, tuple[Callable[[list[list[str]]], list[list[str]]], str]] = {
    "non-hex value": (changed(4, 39, "0badcafz"), "data.tsv:5"),
    "value too long": (changed(4, 20, "123456789"), "data.tsv:5"),
    "not a number": (changed(2, 1, "many"), "data.tsv:3"),
    "too many columns": (lambda rows: [*rows[:3], [*rows[3], "1"], *rows[4:]], "data.tsv:4"),
    "far too few columns": (lambda rows: [*rows[:3], rows[3][:14], *rows[4:]], "data.tsv:4"),
}


@pytest.mark.parametrize(("change", "where"), BROKEN_ROWS.values(), ids=BROKEN_ROWS)
@pytest.mark.parametrize(
    "command",
    [(*SIMULATE, "--path", "data.tsv"), ("trace", "import", "criteo-kaggle", "data.tsv", "out.h5")],
    ids=["simulate", "import"],
)
def test_broken_rows(
    command: tuple[str, ...],
    change: Callable[[list[list[str]]], list[list[str]]],
    where: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_rows(folder / "data.tsv", change(criteo_rows(8)))
    # `refuse` also asserts that no output was left.
    assert where in refuse(capsys, folder, *command)


def test_a_broken_row_stops_the_study(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(folder / "data.tsv", changed(30, 39, "zzz")(criteo_rows(40)))
    assert "data.tsv:31" in refuse(capsys, folder, "reproduce", "--path", "data.tsv", "--output", "results")


@pytest.mark.parametrize(
    "content", [None, b"", b"\x00\xff\xfe binary \n" * 20], ids=["missing", "empty", "binary"]
)
def test_files_that_are_no_dataset(
    content: bytes | None, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        Path("data.tsv").write_bytes(content)
    for command in (SIMULATE, ("reproduce", "--output", "results")):
        assert "data.tsv" in refuse(capsys, folder, *command, "--path", "data.tsv")


def test_a_trace_is_no_dataset_and_a_folder_neither(
    stored: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stored.name in refuse(capsys, folder, *SIMULATE, "--path", stored)
    assert str(folder) in refuse(capsys, folder, *SIMULATE, "--path", folder)


def test_a_file_with_crlf_line_ends_works(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = criteo_rows(40)
    plain, crlf = write_rows(folder / "unix.tsv", rows), write_rows(folder / "dos.tsv", rows, "\r\n")
    assert plain.read_bytes() != crlf.read_bytes()
    for path in (plain, crlf):
        assert main(["trace", "import", "criteo-kaggle", str(path), f"{path.stem}.h5"]) == 0
    assert LookupTrace.load("dos.h5").content_hash == LookupTrace.load("unix.h5").content_hash
    assert LookupTrace.load("dos.h5").samples == 40
    assert main([*SIMULATE, "--path", str(crlf)]) == 0


@pytest.mark.skipif(not EXCERPT.is_file(), reason="the Criteo excerpt is not beside this repository")
def test_the_real_excerpt_works_with_either_line_end(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "dos.tsv").write_bytes(EXCERPT.read_bytes().replace(b"\n", b"\r\n"))
    unix = read_dataset("criteo-kaggle", EXCERPT)
    assert unix.samples == 1000
    assert read_dataset("criteo-kaggle", folder / "dos.tsv").content_hash == unix.content_hash


# -- output


OUTPUTS = [
    (*SIMULATE, "--output"),
    ("reproduce", "--samples", "16", "--output"),
    ("trace", "generate", "criteo-kaggle", "--samples", "20"),
]


@pytest.mark.parametrize("command", OUTPUTS, ids=lambda command: command[0])
def test_folders_that_cannot_be_written(
    command: tuple[str, ...], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A path under a file can be written by nobody, not even root."""
    Path("file").write_text("in the way")
    assert "file" in refuse(capsys, folder, *command, "file/out.h5")
    assert Path("file").read_text() == "in the way"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("command", OUTPUTS, ids=lambda command: command[0])
def test_read_only_folders(
    command: tuple[str, ...], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("locked").mkdir(mode=0o555)
    assert "locked" in refuse(capsys, folder, *command, "locked/out.h5")


@pytest.mark.parametrize("command", OUTPUTS, ids=lambda command: command[0])
def test_a_folder_or_file_in_the_place_of_the_output(
    command: tuple[str, ...], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Path("place")
    if command[0] == "reproduce":
        place.write_text("a file where a folder should be")
    else:
        place.mkdir()
    assert "place" in refuse(capsys, folder, *command, place)


def test_the_working_directory_is_no_output_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refuse(capsys, folder, *SIMULATE, "--output", ".")


def test_a_bad_system_leaves_an_existing_result_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SIMULATE, "--output", "result.h5"]) == 0
    before = Path("result.h5").read_bytes()
    refuse(capsys, folder, "simulate", "haem", "--output", "result.h5")
    assert Path("result.h5").read_bytes() == before


# -- Python


def test_float_arrays_where_integers_belong() -> None:
    with pytest.raises(TraceError, match="integer"):
        LookupTrace.from_arrays([np.array([0.0, 1.0])], [np.array([0, 1, 2])], cardinalities=[5])
    with pytest.raises(TraceError, match="integer"):
        LookupTrace.from_arrays([np.array([0, 1])], [np.array([0.0, 1.0, 2.0])], cardinalities=[5])
    with pytest.raises(ConfigError, match="integer"):
        LookupTrace.from_arrays([np.array([0, 1])], [np.array([0, 1, 2])], cardinalities=[5.5])


@pytest.mark.parametrize(
    ("indices", "offsets"),
    [([0, 5], [0, 1, 2]), ([0, -1], [0, 1, 2]), ([0, 1], [0, -1, 2]), ([0, 1], [0, 2, 1]), ([0, 1], [1, 2])],
    ids=["beyond", "negative index", "negative offset", "decreasing", "first not 0"],
)
def test_bad_embedding_bags(indices: list[int], offsets: list[int]) -> None:
    with pytest.raises(TraceError, match=r"table 0|offsets|indices"):
        LookupTrace.from_arrays([np.array(indices)], [np.array(offsets)], cardinalities=[5])


def test_a_model_that_does_not_fit_its_memory() -> None:
    trace = LookupTrace.from_arrays([np.arange(20)], cardinalities=[2**40])
    with pytest.raises(HeamSimError, match=r"(?s)capacity_scale|bytes|fit") as caught:
        simulate(trace, system="host-dimm", embedding="full", vector_bytes=256)
    assert type(caught.value).__name__ == "CapacityError"
    assert "\n" not in str(caught.value)


def test_wrong_types_in_simulate() -> None:
    trace = generate("criteo-kaggle", samples=20, seed=1)
    good = {"system": "heam", "embedding": QR(collisions=4), "vector_bytes": 64}
    for name, value in (("vector_bytes", 64.0), ("embedding", 4), ("system", 4), ("profile", "much")):
        with pytest.raises(ConfigError, match=name):
            simulate(trace, **{**good, name: value})


# -- Ctrl-C


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The program in a process group of its own, as a shell starts it."""
    program = "import sys; from heam_sim.cli import main; print('ready', flush=True); sys.exit(main())"
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    # Imports may take seconds; an interrupt before their end meets Python, not the program.
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    limit = time.monotonic() + 60
    while not path.exists() and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.02)
    assert path.exists() and process.poll() is None


def interrupt(process: subprocess.Popen[str]) -> str:
    """Ctrl-C goes to the whole process group. Returns what stands on stderr."""
    os.killpg(process.pid, signal.SIGINT)
    try:
        _, err = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130
    return err


@pytest.mark.parametrize("workers", ["1", "2"])
def test_interrupted_study(workers: str, tmp_path: Path) -> None:
    process = start(tmp_path, "reproduce", "--samples", "20000", "--workers", workers, "--output", "out")
    wait_for(tmp_path / "out" / "trace-pooling-80.h5", process)
    time.sleep(1)  # into the simulations
    err = interrupt(process)
    assert "Traceback" not in err
    assert err.strip().splitlines()[-1].startswith("interrupted")
    # The traces were complete before, and so is every point that is kept; of all else there is nothing.
    names = {path.name for path in (tmp_path / "out").iterdir()} - {"points"}
    traces = {f"trace-{name}.h5" for name in ("one-hot", "mlperf", "pooling-20", "pooling-80")}
    assert names == traces
    assert LookupTrace.load(tmp_path / "out" / "trace-one-hot.h5").samples == 20000
    for path in (tmp_path / "out" / "points").glob("*"):
        assert len(ResultSet.load(path)) == 1


def test_interrupted_while_the_trace_is_made(tmp_path: Path) -> None:
    process = start(tmp_path, "reproduce", "--samples", "2000000", "--output", "out")
    wait_for(tmp_path / "out", process)
    err = interrupt(process)
    assert "Traceback" not in err
    for path in (tmp_path / "out").iterdir():
        # Whatever already has its final name is whole.
        assert path.suffix == ".h5" and path.name.startswith("trace")
        assert LookupTrace.load(path).samples > 0


def test_interrupted_simulation(tmp_path: Path) -> None:
    Path(tmp_path / "result.h5").write_text("an older file")
    process = start(tmp_path, "trace", "generate", "criteo-kaggle", "trace.h5", "--samples", "60000")
    assert process.wait(timeout=60) == 0
    process.communicate()
    process = start(tmp_path, "simulate", "host-dimm", "--trace", "trace.h5", "--vector-bytes", "512",
                    "--output", "result.h5")  # fmt: skip
    time.sleep(1)
    assert process.poll() is None, "the simulation was over too soon for this test"
    err = interrupt(process)
    assert "Traceback" not in err
    assert (tmp_path / "result.h5").read_text() == "an older file"
    assert files(tmp_path) == {Path("trace.h5"), Path("result.h5")}
