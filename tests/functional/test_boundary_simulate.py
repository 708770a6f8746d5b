# SPDX-License-Identifier: MIT
"""What users get wrong when they describe a system or call ``simulate``: one typed sentence that names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heam_sim._core import System as CoreSystem
from heam_sim.errors import CapacityError, ConfigError, HeamSimError, SpecError
from heam_sim.planning import plan
from heam_sim.simulation import simulate
from heam_sim.systems import load_system
from heam_sim.trace import LookupTrace
from tests.functional.small import PSEUDO_CHANNELS, SYSTEMS, trace_of

TRACE = trace_of([[[i] for i in range(10)]], cardinalities=[100])


def attempt(**options: Any) -> None:
    simulate(TRACE, **{"vector_bytes": 64, **options})


def one_sentence(error: BaseException) -> str:
    text = str(error)
    assert isinstance(error, HeamSimError)
    assert text and "\n" not in text and text.rstrip().endswith((".", "?")), text
    return text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"system": "heem"}, ["system", "heem", "heam"]),
        ({"system": "RecNMP"}, ["system", "RecNMP", "recnmp"]),
        ({"system": "quantum"}, ["system", "quantum", "host-dimm"]),
        ({"system": "missing.toml"}, ["missing.toml"]),
        ({"scope": "bags"}, ["scope", "bags", "bag"]),
        ({"scope": None}, ["scope", "sample"]),
        ({"profile": 1}, ["profile"]),
        ({"profile": 1.5}, ["profile", "1.5"]),
        ({"profile": -0.1}, ["profile", "-0.1"]),
        ({"profile": float("nan")}, ["profile", "nan"]),
        ({"profile": True}, ["profile"]),
        ({"profile": "0.2"}, ["profile"]),
        ({"vector_bytes": 64.0}, ["vector_bytes", "64.0"]),
        ({"vector_bytes": "64"}, ["vector_bytes"]),
        ({"vector_bytes": True}, ["vector_bytes"]),
        ({"vector_bytes": 0}, ["vector_bytes"]),
        ({"vector_bytes": 96}, ["vector_bytes", "96", "power of two"]),
        ({"vector_bytes": 32}, ["vector_bytes", "32", "64"]),
        ({"vector_bytes": 32, "overrides": PSEUDO_CHANNELS}, ["vector_bytes", "32"]),
        ({"vector_bytes": 4096}, ["address_map", "row"]),
        ({"vector_bytes": 8192, "system": "host-dimm"}, ["pages", "8192"]),
        ({"embedding": "qrs:4"}, ["embedding", "qrs:4"]),
        ({"embedding": "qr"}, ["embedding", "qr"]),
        ({"embedding": "qr:0"}, ["collisions"]),
        ({"embedding": "qr:4:ad"}, ["ad", "add"]),
    ],
)
def test_arguments_are_named(options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        attempt(**options)
    text = one_sentence(caught.value)
    assert all(word in text for word in words), text


def test_a_system_given_as_an_object_is_not_changed() -> None:
    with pytest.raises(ConfigError, match=r"host\.llc_bytes cannot change .* load_system\(name, overrides"):
        attempt(system=load_system("host-dimm"), overrides={"host.llc_bytes": 0})


def test_a_trace_of_another_kind_is_refused() -> None:
    for wrong in ([1, 2, 3], np.arange(3), "trace.h5"):
        with pytest.raises(ConfigError, match="LookupTrace"):
            simulate(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("host.llc_byte", 0, ["host.llc_byte", "llc_bytes"]),
        ("hots.llc_bytes", 0, ["hots", "host"]),
        ("hbm.pim.lut_byte", 0, ["lut_byte", "lut_bytes"]),
        ("hbn.pages", "random", ["hbn", "hbm"]),
        ("hbm.pin.lut_bytes", 0, ["pin", "pim"]),
        ("dimm.pim.lut_bytes", 0, ["pim"]),
        ("placement.hot_shares", 0.5, ["hot_shares", "hot_share"]),
        ("host", 3, ["host"]),
        ("", 3, ["override"]),
        ("host.llc_bytes", 100, ["llc_bytes", "100"]),
        ("host.llc_bytes", -1024, ["llc_bytes"]),
        ("host.llc_bytes", 1024.0, ["llc_bytes", "1024.0"]),
        ("host.llc_ways", 0, ["llc_ways"]),
        ("host.window_gnrs", 0, ["window_gnrs"]),
        ("host.window_gnrs", True, ["window_gnrs"]),
        ("host.outstanding_bursts", 0, ["outstanding_bursts"]),
        ("host.clock_ps", "fast", ["clock_ps", "fast"]),
        ("host.line_bytes", 32, ["host lines", "32"]),
        ("hbm.channels", 0, ["channels"]),
        ("hbm.read_queue", -3, ["read_queue"]),
        ("hbm.capacity_scale", 1.5, ["capacity_scale"]),
        ("hbm.pages", "sorted", ["pages", "table-order"]),
        ("hbm.page_bytes", 32, ["pages", "32"]),
        ("hbm.memory", "native/HBM2_4Gb_legacy/HBM2_200", ["HBM2_200", "HBM2_2000"]),
        ("hbm.overrides", {"nCLL": 3}, ["nCLL", "nCL"]),
        ("hbm.overrides", {"nCL": 2.5}, ["nCL", "2.5"]),
        ("hbm.power", "hbm3", ["hbm3"]),
        ("hbm.name", "dimm", ["different names"]),
        ("hbm.name", "stack", ["hbm", "stack"]),
        ("hbm.pim.queue_depth", 0, ["queue_depth"]),
        ("hbm.pim.batch_tags", 2.0, ["batch_tags"]),
        ("hbm.pim.unit_level", "bank_grup", ["bank_grup", "bank_group"]),
        ("hbm.pim.merge_level", "bank", ["merge_level", "bank"]),
        ("hbm.pim.mov_latency", "nXL", ["nXL", "nCL"]),
        ("hbm.pim.source", " ", ["source"]),
        ("hbm.address_map", "row column bank rank bank_group channel", ["hbm", "splits a vector"]),
        ("hbm.address_map", "row column bank rank channel column.vector", ["address_map", "bank_group"]),
        ("hbm.address_map", "rows column bank rank bank_group channel column.vector", ["rows", "row"]),
        ("hbm.address_map", "row row column bank rank bank_group channel column.vector", ["row"]),
        (
            "hbm.address_map",
            "row column bank rank bank_group column.vector channel",
            ["hbm", "splits a vector"],
        ),
        ("placement.hot_share", 1.01, ["hot_share", "1.01"]),
        ("placement.hot_share", "most", ["hot_share", "most"]),
        ("placement.policy", "hot", ["policy", "hot"]),
        ("placement.small_tables", "luts", ["small_tables", "luts"]),
        ("placement.tier", "ddr", ["ddr", "dimm"]),
        ("placement.hot_tier", "hmc", ["hmc", "hbm"]),
        ("placement.tier", "hbm", ["cold tier", "hbm"]),
    ],
)
def test_overrides_are_named(key: str, value: Any, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        attempt(system="heam", embedding="qr:4", vector_bytes=128, overrides={key: value})
    text = one_sentence(caught.value)
    assert all(word in text for word in words), text


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"system": 5}, "system"),
        ({"system": None}, "system"),
        ({"embedding": 4}, "embedding"),
        ({"overrides": 3}, "overrides"),
        ({"overrides": {3: 4}}, "overrides"),
        ({"overrides": {"host.window_gnrs": 1 << 40}}, "window_gnrs"),
        ({"overrides": {"host.outstanding_bursts": 1 << 40}}, "outstanding_bursts"),
        ({"overrides": {"host.clock_ps": 1 << 50}}, "clock_ps"),
        ({"overrides": {"hbm.refresh": "no"}}, "refresh"),
        ({"overrides": {"hbm.overrides": 3}}, "overrides"),
        ({"overrides": {"hbm.address_map": 7}}, "address_map"),
        ({"overrides": {"hbm.page_seed": -1}}, "page_seed"),
        ({"overrides": {"hbm.page_seed": "a"}}, "page_seed"),
        ({"overrides": {"hbm.pim.mov_latency": -1}}, "latency"),
        ({"overrides": {"hbm.pim.path_uses_dq": "yes"}}, "path_uses_dq"),
        ({"overrides": {"hbm.pim.decode_cycles": 1 << 40}}, "decode_cycles"),
        ({"overrides": {"hbm.pim.batch_tags": 1 << 33}}, "batch_tags"),
        ({"overrides": {"hbm.pim.instruction_bits": 1 << 50}}, "instruction_bits"),
    ],
)
def test_types_and_ranges_are_checked_before_the_core(options: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        attempt(**{"system": "heam", "embedding": "qr:4", **options})
    assert word in one_sentence(caught.value)


@pytest.mark.parametrize("system", ["recnmp", "heam"])
def test_r_at_home_cannot_be_multiplied_in_a_pe(system: str) -> None:
    overrides = {"placement.small_tables": "home"}
    with pytest.raises(ConfigError, match="small_tables"):
        simulate(TRACE, system=system, embedding="qr:4", vector_bytes=64, profile=0.5, overrides=overrides)


@pytest.mark.parametrize(
    "address_map", ["RoBaRaCoCh", "row column bank rank bank_group column.vector channel"]
)
def test_a_host_tier_cannot_split_vectors_unnoticed(address_map: str) -> None:
    """Either it is refused, or every burst is read where the map puts it."""
    overrides = {"dimm.address_map": address_map, "dimm.pages": "table-order"}
    try:
        simulate(
            TRACE, system="host-dimm", embedding="full", vector_bytes=256, overrides=overrides, check=True
        )
    except ConfigError as error:
        assert "address_map" in str(error)


def test_a_hot_tier_is_another_tier() -> None:
    with pytest.raises(ConfigError, match="hot_tier"):
        attempt(system="host-hbm-dimm", overrides={"placement.hot_tier": "dimm"})


def test_an_idle_pim_channel_may_refresh_its_ranks_at_once() -> None:
    trace = trace_of([[[0]] * 300], cardinalities=[100])
    options: dict[str, Any] = {"embedding": "full", "vector_bytes": 64, "profile": 0, "check": True}
    simulate(trace, system="recnmp", overrides={"host.window_gnrs": 1}, **options)


def test_a_run_at_its_ceiling_is_no_bug() -> None:
    """Three looks at one row of 64 B, an adder of 1 B a cycle: 192 cycles, just what the ceiling says."""
    trace = trace_of([[[0, 0, 0]]], cardinalities=[10])
    overrides = {"host.clock_ps": 333, "host.add_bytes_per_cycle": 1}
    options: dict[str, Any] = {"embedding": "full", "vector_bytes": 64, "profile": 0}
    result = simulate(trace, system="host-dimm", overrides=overrides, **options)
    assert result.time_ns == pytest.approx(192 * 0.333)


# --- capacity ---


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_model_that_does_not_fit_says_by_how_much(system: str) -> None:
    """32 GiB of DIMMs hold 2**29 vectors of 64 B."""
    over = 1000
    trace = trace_of([[[5]]], cardinalities=[(1 << 29) + over])
    with pytest.raises(CapacityError) as caught:
        simulate(trace, system=system, embedding="full", vector_bytes=64, profile=0)
    text = one_sentence(caught.value)
    assert f"{over * 64} more than the {1 << 35}" in text and "dimm" in text and "capacity_scale" in text
    bigger = simulate(
        trace,
        system=system,
        embedding="full",
        vector_bytes=64,
        profile=0,
        overrides={"dimm.capacity_scale": 2},
    )
    assert "capacity of dimm scaled by 2" in bigger.notes


def test_a_model_that_just_fits_is_simulated() -> None:
    trace = trace_of([[[5], [(1 << 29) - 1]]], cardinalities=[1 << 29])
    result = simulate(trace, system="host-dimm", embedding="full", vector_bytes=64, profile=0, check=True)
    assert result.lookups == 2


def test_r_tables_that_do_not_fit_the_hot_tier_say_by_how_much() -> None:
    """Two channels of 512 MiB hold 2**24 vectors of 64 B."""
    trace = trace_of([[[5]]], cardinalities=[1 << 26])
    with pytest.raises(CapacityError, match=rf"hbm.*{(1 << 26) - (1 << 24)} vectors more"):
        simulate(
            trace,
            system="host-hbm-dimm",
            embedding=f"qr:{1 << 26}",
            vector_bytes=64,
            profile=0,
            overrides={"hbm.channels": 2},
        )


def test_replicas_that_fill_every_bank_are_refused() -> None:
    trace = trace_of([[[5]]], cardinalities=[1 << 24])
    with pytest.raises(CapacityError, match=r"replicas take \d+ rows of every bank"):
        simulate(trace, system="heam", embedding=f"qr:{1 << 24}", vector_bytes=64, profile=0)


def test_replicas_need_the_row_outermost() -> None:
    overrides = {"dimm.address_map": "column row bank rank bank_group channel column.vector"}
    with pytest.raises(ConfigError, match="row outermost"):
        attempt(system="recnmp", embedding="qr:4", overrides=overrides)
    attempt(system="recnmp", embedding="full", overrides=overrides)


# --- descriptions of users ---


def own_system(root: Path, folder: Path, change: tuple[str, str] | None = None) -> Path:
    """A copy of the description of `heam`, with one text replaced."""
    text = (root / "heam_sim" / "systems" / "data" / "heam.toml").read_text(encoding="utf-8")
    if change is not None:
        assert change[0] in text
        text = text.replace(change[0], change[1], 1)
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_ones_own_is_as_good(root: Path, tmp_path: Path) -> None:
    path = own_system(root, tmp_path, ('name = "heam"', 'name = "mine"'))
    mine = simulate(TRACE, system=path, embedding="qr:4", vector_bytes=64)
    theirs = simulate(TRACE, system="heam", embedding="qr:4", vector_bytes=64)
    assert (mine.system, mine.time_ns, mine.counters) == ("mine", theirs.time_ns, theirs.counters)
    assert load_system(str(path)) == load_system(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("queue_depth = 16\n", ""), ["queue_depth", "missing", "hbm"]),
        (("refresh = true\n", ""), ["refresh", "missing", "hbm"]),
        (('policy = "hot-cold"\n', ""), ["policy", "missing", "placement"]),
        (('title = "HEAM"\n', ""), ["title", "missing", "system"]),
        (("queue_depth = 16", "queue_deep = 16"), ["queue_deep", "queue_depth"]),
        (("refresh = true", "refreshes = true"), ["refreshes", "refresh"]),
        (("[placement]", "[placements]"), ["placements", "placement"]),
        (("[system]", "[systems]"), ["systems", "system"]),
        (("hot_share = 0.952", "hot_share = 0.952\nhot_shar = 1"), ["hot_shar", "hot_share"]),
        (("[tier.pim]", "[tier.pim"), ["TOML"]),
        (("channels = 8", 'channels = "8"'), ["channels", "8"]),
    ],
)
def test_a_faulty_file_is_refused_by_name(
    root: Path, tmp_path: Path, change: tuple[str, str], words: list[str]
) -> None:
    path = own_system(root, tmp_path, change)
    with pytest.raises(ConfigError) as caught:
        load_system(path)
    text = one_sentence(caught.value)
    assert all(word in text for word in words), text
    if "channels" not in words:
        assert "mine.toml" in text


def test_a_host_of_ones_own_does_not_pass_in_silence(root: Path, tmp_path: Path) -> None:
    path = own_system(root, tmp_path, ("[placement]", "[host]\nllc_bytes = 0\n[placement]"))
    with pytest.raises(ConfigError, match="host"):
        load_system(path)


@pytest.mark.parametrize("section", ["[system]", "[[tier]]", "[tier.pim]", "[placement]"])
@pytest.mark.parametrize("kept", [False, True])
def test_every_block_needs_a_source(root: Path, tmp_path: Path, section: str, kept: bool) -> None:
    text = own_system(root, tmp_path).read_text(encoding="utf-8")
    head, tail = text.split(section, 1)
    lines = tail.split("\n")
    at = next(i for i, line in enumerate(lines) if line.startswith("source ="))
    lines[at] = 'source = ""' if kept else ""
    path = tmp_path / "mine.toml"
    path.write_text(head + section + "\n".join(lines), encoding="utf-8")
    with pytest.raises(ConfigError, match="source"):
        load_system(path)


def test_files_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigError, match=r"mine\.toml"):
        load_system(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_system(tmp_path / "folder.toml")


def test_errors_of_the_memory_are_config_errors_too() -> None:
    """One except clause is enough for all of a configuration."""
    with pytest.raises(SpecError):
        attempt(system="heam", overrides={"hbm.memory": "native/nothing"})
    assert issubclass(SpecError, ConfigError) and issubclass(ConfigError, HeamSimError)


def test_a_plan_does_not_change_what_it_was_given() -> None:
    overrides: dict[str, Any] = {"dimm.overrides": {"rank": 2}, "host.llc_bytes": 0}
    before = {key: dict(value) if isinstance(value, dict) else value for key, value in overrides.items()}
    plan(TRACE, system="host-dimm", vector_bytes=64, overrides=overrides)
    assert overrides == before
    assert isinstance(TRACE, LookupTrace) and not TRACE.indices[0].flags.writeable


def test_the_engine_comes_back_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python sees Ctrl-C, or a notebook's interrupt, only between two calls into the core."""
    calls: list[int] = []
    run = CoreSystem.run

    def counted(core: CoreSystem, max_steps: int) -> int:
        calls.append(max_steps)
        return run(core, max_steps)

    monkeypatch.setattr(CoreSystem, "run", counted)
    monkeypatch.setattr("heam_sim.simulation._STEPS", 10)
    many = simulate(TRACE, system="heam", vector_bytes=64)
    steps, calls[:] = len(calls), []
    monkeypatch.undo()
    monkeypatch.setattr(CoreSystem, "run", counted)
    assert simulate(TRACE, system="heam", vector_bytes=64).time_ns == many.time_ns
    assert steps > len(calls) and max(calls) <= 1 << 20
