# SPDX-License-Identifier: MIT
"""On plain traffic the core issues Ramulator 2.1's commands: same command, same place, same cycle.

The full recordings lie outside this repository. Beginnings of four of them are committed in
``tests/data/ramulator-2.1``; ``--update-golden`` cuts them again from the full ones.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from heam_sim._core import ChannelParameters, Replay, SpecHandle
from heam_sim.dram import Spec, load_spec
from tests.equivalence.core_runs import REPLAY_COUNTERS, assert_equal_replay, core_replay
from tests.reference.plain import replay
from tests.reference.ramulator import load_recording

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "reference" / "ramulator-2.1"
COMMIT = "c5b1c3a"
NAMES = (
    "ddr4_2400r_2rank_gather",
    "ddr4_2400r_2rank_gatherwr",
    "ddr4_2400r_2rank_mix",
    "ddr4_2400r_2rank_rand",
    "ddr4_2400r_2rank_rand_norefresh",
    "ddr4_2400r_2rank_seq",
    "ddr4_3200aa_1rank_mix",
    "hbm2_2000_1ch_rand_norefresh",
    "hbm2_2000_8ch_gather",
    "hbm2_2000_8ch_mix",
    "hbm2_2000_8ch_rand",
)
# Requests of the committed beginnings: enough for a refresh where that keeps the file small.
TWINS = {
    "ddr4_2400r_2rank_mix": 2_300,
    "ddr4_2400r_2rank_gatherwr": 4_000,
    "hbm2_2000_8ch_mix": 2_000,
    "hbm2_2000_1ch_rand_norefresh": 1_600,
}
LARGEST_TWIN = 40_000

REQUEST_DTYPES = {"channel": "u1", "bank": "u1", "row": "u2", "column": "u1", "is_write": "u1"}
COMMAND_DTYPES = {"command": "u1", "channel": "u1", "bank": "u1", "row": "u2", "column": "u1"}

needs_recordings = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="the full Ramulator recordings are not beside this repository"
)


class Played(NamedTuple):
    """A replay that has stopped with its last acceptance."""

    replay: Replay
    commands: np.ndarray
    cycle: int


def preset(info: dict[str, Any]) -> Spec:
    """The compatibility preset of a recording's configuration."""
    name = f"ramulator-2.1/{info['org_preset']}/{info['timing_preset']}"
    return load_spec(name, overrides={"rank": info["ranks"]} if info["ranks"] else None)


def request_columns(spec: Spec, info: dict[str, Any], address: np.ndarray) -> dict[str, np.ndarray]:
    """Channel, then RoBaRaCoCh: from the lowest bits column, rank, bank group, bank, row."""
    rest, channel = np.divmod(address // np.uint64(info["tx_bytes"]), np.uint64(info["channels"]))
    rest, column = np.divmod(rest, np.uint64(spec.columns))
    bank = np.zeros(len(address), np.uint64)
    for level in spec.levels[1:]:
        rest, node = np.divmod(rest, np.uint64(spec.counts[level]))
        bank = bank * np.uint64(spec.counts[level]) + node
    row = rest % np.uint64(spec.rows)
    return {
        "channel": channel.astype(np.uint16),
        "bank": bank.astype(np.uint16),
        "row": row.astype(np.uint32),
        "column": column.astype(np.uint16),
    }


def command_rows(spec: Spec, names: list[str], recorded: np.ndarray) -> np.ndarray:
    """Rows of (clock, command, channel, bank, row, column); a wide command has its rank's first bank."""
    number = {command.name: index for index, command in enumerate(spec.commands)}
    path = np.maximum(recorded[:, 3:-2], 0)
    bank = np.zeros(len(recorded), np.int64)
    for place, level in enumerate(spec.levels[1:]):
        bank = bank * spec.counts[level] + path[:, place]
    wide = np.isin(recorded[:, 1], [i for i, name in enumerate(names) if name in ("PREab", "REFab")])
    row, column = np.where(wide, 0, recorded[:, -2]), np.where(wide, 0, recorded[:, -1])
    command = np.array([number[name] for name in names])[recorded[:, 1]]
    return np.stack([recorded[:, 0], command, recorded[:, 2], bank, row, column], axis=1)


def load_full(name: str) -> tuple[dict[str, Any], Spec, dict[str, np.ndarray], np.ndarray]:
    """Configuration, preset, requests and commands of a full recording."""
    info = json.loads((RECORDINGS / "command-traces" / f"{name}.json").read_text())
    spec = preset(info)
    with np.load(RECORDINGS / "command-traces" / f"{name}.npz") as arrays:
        requests = request_columns(spec, info, arrays["address"])
        requests["is_write"] = arrays["is_write"]
        names = [str(text) for text in arrays["command_names"]]
        commands = command_rows(spec, names, arrays["commands"])
    return info, spec, requests, commands


def by_channel(commands: np.ndarray) -> np.ndarray:
    """Group by channel; inside a channel the order of issue stays."""
    return commands[np.argsort(commands[:, 2], kind="stable")]


def play(
    info: dict[str, Any], spec: Spec, requests: dict[str, np.ndarray], *, with_log: bool = True
) -> Played:
    """Run the stream on the core up to the last acceptance."""
    handle = Replay(
        SpecHandle(spec),
        parameters=ChannelParameters(kind="plain", period=1, refresh=info["refresh"] == "AllBank"),
        channels=info["channels"],
        offers_per_cycle=info["offers_per_memory_cycle"],
        with_log=with_log,
    )
    handle.run(requests)
    handle.stop()
    log = handle.take_log()
    fields = ("clock", "command", "channel", "bank", "row", "column")
    commands = np.stack([log[field].astype(np.int64) for field in fields], axis=1)
    return Played(handle, by_channel(commands), handle.cycle)


def assert_same_commands(ours: np.ndarray, theirs: np.ndarray) -> None:
    common = min(len(ours), len(theirs))
    different = np.flatnonzero((ours[:common] != theirs[:common]).any(axis=1))
    first = different[0] if different.size else common
    assert not different.size, (
        f"command {first}: ours {ours[first].tolist()}, theirs {theirs[first].tolist()}"
    )
    assert len(ours) == len(theirs)


def assert_same_counters(handle: Replay, recorded: list[dict[str, Any]]) -> None:
    for channel, theirs in enumerate(recorded):
        ours = handle.channel_counters(channel)
        found = {name: ours[mine] for name, mine in REPLAY_COUNTERS.items()}
        assert found == {name: theirs[name] for name in REPLAY_COUNTERS}, f"channel {channel}"


def assert_drains(handle: Replay, requests: dict[str, np.ndarray]) -> None:
    """Requests in = requests out, and every one that reached a bank was a hit, a miss or a conflict."""
    handle.drain()
    channels = [handle.channel_counters(channel) for channel in range(handle.channels)]
    total = {name: sum(counters[name] for counters in channels) for name in channels[0]}
    writes = int(requests["is_write"].sum())
    assert total["reads"] == len(requests["row"]) - writes
    assert total["writes"] == writes
    assert total["reads_retired"] + total["forwarded"] == total["reads"] == total["reads_completed"]
    assert total["writes_retired"] + total["coalesced"] == total["writes"]
    served = total["reads"] + total["writes"] - total["forwarded"] - total["coalesced"]
    assert total["row_hits"] + total["row_misses"] + total["row_conflicts"] == served


# -- the full recordings


@needs_recordings
def test_the_list_of_recordings_is_complete() -> None:
    found = {path.stem for path in (RECORDINGS / "command-traces").glob("*.json")}
    assert found == set(NAMES)


@needs_recordings
@pytest.mark.parametrize("name", NAMES)
def test_full_recording(name: str) -> None:
    info, spec, requests, commands = load_full(name)
    played = play(info, spec, requests)
    assert played.cycle == info["per_channel"][0]["cycles"]
    # Ramulator stops in the cycle of the last acceptance; nothing later is in the file.
    assert commands[:, 0].max() <= played.cycle
    assert_same_commands(played.commands, commands)
    assert_same_counters(played.replay, info["per_channel"])
    assert_drains(played.replay, requests)


@needs_recordings
@pytest.mark.parametrize("name", NAMES)
def test_full_recording_without_a_log(name: str) -> None:
    """Keeping no log may take another way through the core; the counters must not notice."""
    info, spec, requests, _ = load_full(name)
    played = play(info, spec, requests, with_log=False)
    assert len(played.commands) == 0
    assert_same_counters(played.replay, info["per_channel"])
    assert_drains(played.replay, requests)


# -- the committed beginnings


def write_twin(folder: Path, name: str, count: int) -> None:
    """Cut a beginning: the first requests, and what was issued while later ones could not matter."""
    info, spec, requests, commands = load_full(name)
    head = {field: array[:count] for field, array in requests.items()}
    last = play(info, spec, head).cycle
    kept = by_channel(commands[commands[:, 0] <= last])
    step = np.diff(kept[:, 0], prepend=0)
    first = np.flatnonzero(np.diff(kept[:, 2], prepend=-1))
    step[first] = kept[first, 0]
    arrays = {f"request_{field}": head[field].astype(dtype) for field, dtype in REQUEST_DTYPES.items()}
    fields = dict(zip(("clock", "command", "channel", "bank", "row", "column"), kept.T, strict=True))
    arrays |= {f"command_{field}": fields[field].astype(dtype) for field, dtype in COMMAND_DTYPES.items()}
    arrays["command_clock_step"] = step.astype("u2")
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / f"{name}.npz", **arrays)
    keys = (
        "standard",
        "org_preset",
        "timing_preset",
        "ranks",
        "channels",
        "controller",
        "scheduler",
        "refresh",
    )
    keys += (
        "row_policy",
        "addr_mapper",
        "channel_mapper",
        "offers_per_memory_cycle",
        "tx_bytes",
        "stream",
        "seed",
    )
    about = {
        "name": name,
        "source": f"recorded with Ramulator 2.1, commit {COMMIT}",
        "cut": f"the first {count} of {info['requests']} requests, and the commands up to the clock at which "
        "the last of them was accepted: until then the commands depend on these requests alone",
        "requests": count,
        "cycle": last,
        "commands": len(kept),
        "command_names": [command.name for command in spec.commands],
        "arrays": "request_*: the stream in trace order; command_*: grouped by channel, in order of issue; "
        "command_clock_step: clock minus that of the command before it in the channel; bank: flat in its "
        "channel, the first of the rank for PREab and REFab, whose row and column are 0",
        "configuration": {key: info[key] for key in keys},
    }
    (folder / f"{name}.json").write_text(json.dumps(about, indent=1) + "\n")


def load_twin(folder: Path, name: str) -> tuple[dict[str, Any], dict[str, np.ndarray], np.ndarray]:
    """Provenance, requests (as the core takes them) and commands of a committed beginning."""
    about = json.loads((folder / f"{name}.json").read_text())
    with np.load(folder / f"{name}.npz") as arrays:
        wide = {"row": np.uint32, "is_write": np.uint8}
        requests = {
            field: arrays[f"request_{field}"].astype(wide.get(field, np.uint16)) for field in REQUEST_DTYPES
        }
        command = {field: arrays[f"command_{field}"].astype(np.int64) for field in COMMAND_DTYPES}
        steps = arrays["command_clock_step"].astype(np.int64)
    clock = np.zeros_like(steps)
    for channel in np.unique(command["channel"]):
        here = command["channel"] == channel
        clock[here] = np.cumsum(steps[here])
    return about, requests, np.stack([clock, *command.values()], axis=1)


def numbered_by(spec: Spec, names: list[str], commands: np.ndarray) -> np.ndarray:
    """The commands with the preset's numbers instead of the file's."""
    number = {command.name: index for index, command in enumerate(spec.commands)}
    renumbered = commands.copy()
    renumbered[:, 1] = np.array([number[name] for name in names])[commands[:, 1]]
    return renumbered


@pytest.fixture(scope="module")
def twins(data_dir: Path, update_golden: bool) -> Path:
    folder = data_dir / "ramulator-2.1"
    if update_golden and RECORDINGS.is_dir():
        for name, count in TWINS.items():
            write_twin(folder, name, count)
    return folder


@pytest.mark.parametrize("name", TWINS)
def test_committed_beginning(twins: Path, name: str) -> None:
    about, requests, commands = load_twin(twins, name)
    spec = preset(about["configuration"])
    assert len(requests["row"]) == about["requests"] == TWINS[name]
    assert len(commands) == about["commands"] > about["requests"] / 2
    played = play(about["configuration"], spec, requests)
    assert played.cycle == about["cycle"]
    assert_same_commands(played.commands, numbered_by(spec, about["command_names"], commands))
    assert_drains(played.replay, requests)


@pytest.mark.parametrize("name", TWINS)
def test_the_reference_issues_the_beginning_too(twins: Path, name: str) -> None:
    about, requests, commands = load_twin(twins, name)
    config = about["configuration"]
    spec = preset(config)
    columns = [requests[field].tolist() for field in REQUEST_DTYPES]
    stream = [(*request[:4], bool(request[4]), request[:4]) for request in zip(*columns, strict=True)]
    case = {
        "spec": spec,
        "requests": [(c, b, r, k, w, hash_address(spec, at)) for c, b, r, k, w, at in stream],
        "channels": config["channels"],
        "offers_per_cycle": config["offers_per_memory_cycle"],
        "refresh": config["refresh"] == "AllBank",
        "drain": False,
    }
    reference = replay(**case)
    number = {command.name: index for index, command in enumerate(spec.commands)}
    found = [
        (clock, number[command], channel, bank, row, column)
        for channel, part in enumerate(reference)
        for clock, command, bank, row, column, _ in part.commands
    ]
    assert_same_commands(np.array(found), numbered_by(spec, about["command_names"], commands))
    assert_equal_replay(core_replay(case), reference)


def hash_address(spec: Spec, place: tuple[int, int, int, int]) -> int:
    """A number per burst, as the front end compares bursts."""
    channel, bank, row, column = place
    return ((channel * spec.banks + bank) * spec.rows + row) * spec.columns + column


def test_the_beginnings_are_small_and_say_where_they_come_from(twins: Path) -> None:
    assert {path.stem for path in twins.glob("*.npz")} == set(TWINS) == {p.stem for p in twins.glob("*.json")}
    for name in TWINS:
        assert (twins / f"{name}.npz").stat().st_size < LARGEST_TWIN
        about = json.loads((twins / f"{name}.json").read_text())
        assert COMMIT in about["source"]
        assert about["configuration"]["scheduler"] == "FRFCFS"


@needs_recordings
@pytest.mark.parametrize("name", TWINS)
def test_the_beginnings_are_what_was_recorded(twins: Path, name: str) -> None:
    """Requests and commands are those of the full recording, read by the reference's own loader."""
    about, requests, commands = load_twin(twins, name)
    full = load_recording(RECORDINGS, name, limit=about["requests"])
    names = about["command_names"]
    theirs = [
        (clock, names.index(command), channel, bank, row, column)
        for channel, part in enumerate(full.commands)
        for clock, command, bank, row, column in part
        if clock <= about["cycle"]
    ]
    assert_same_commands(commands, np.array(theirs))
    columns = [requests[field].tolist() for field in REQUEST_DTYPES]
    assert [request[:5] for request in full.requests] == list(zip(*columns, strict=True))
