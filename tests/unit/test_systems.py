# SPDX-License-Identifier: MIT
"""Architecture descriptions: what comes with the package, what overrides do, what is derived."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction

import pytest

from heam_sim.dram import Controller, derive_pim, load_spec
from heam_sim.errors import ConfigError
from heam_sim.planning import plan
from heam_sim.systems import known_systems, load_system
from heam_sim.systems.model import Host, Tier
from tests.functional.small import ON_HBM, SYSTEMS, trace_of


def test_the_four_systems_are_known() -> None:
    assert set(SYSTEMS) <= set(known_systems())
    assert "host" not in known_systems()


@pytest.mark.parametrize("name", known_systems())
def test_every_description_loads_and_says_where_it_is_from(name: str) -> None:
    system = load_system(name)
    assert system.name == name and system.title
    sources = [system.source, system.placement.source, system.host.source]
    for tier in system.tiers:
        sources += [tier.source] + ([tier.pim.source] if tier.pim else [])
        assert tier.spec().bytes_per_channel > 0
    assert all(source.strip() for source in sources)
    json.dumps(system.to_dict())


@pytest.mark.parametrize("name", known_systems())
def test_all_have_the_same_host(name: str) -> None:
    assert load_system(name).host == load_system("host-dimm").host


@pytest.mark.parametrize("name", SYSTEMS)
def test_memories_are_those_of_heams_and_spaces_studies(name: str) -> None:
    """One HBM2 stack of 4 GB and 256 GB/s; DDR4-3200 with 2 channels x 2 ranks x 8 GB."""
    system = load_system(name)
    dimm = system.tier("dimm")
    assert (dimm.channels, dimm.spec().nodes("rank"), dimm.spec().tCK_ps) == (2, 2, 625)
    assert dimm.channels * dimm.spec().bytes_per_channel == 32 << 30
    if name in ON_HBM:
        hbm = system.tier("hbm")
        spec = hbm.spec()
        assert hbm.channels * spec.bytes_per_channel == 4 << 30
        peak = hbm.channels * spec.burst_bytes / (spec.timing["nBL"] * float(spec.tCK_ps)) * 1000
        assert peak == 256.0  # B/ns = GB/s
    else:
        assert len(system.tiers) == 1


def test_pe_levels() -> None:
    heam, recnmp = load_system("heam").tier("hbm"), load_system("recnmp").tier("dimm")
    assert heam.pim is not None and recnmp.pim is not None
    assert (heam.pim.unit_level, heam.pim.merge_level) == ("bank_group", "channel")
    assert (recnmp.pim.unit_level, recnmp.pim.merge_level) == ("rank", "dimm")
    assert heam.channels * heam.spec().nodes("bank_group") == 32  # PEs of a stack
    assert "PIM_RD" in [command.name for command in heam.spec().commands]
    plain = load_system("heam").tier("dimm").spec()
    assert not any(command.name.startswith("PIM") for command in plain.commands)


def test_overrides_reach_every_part() -> None:
    system = load_system(
        "heam",
        overrides={
            "host.llc_bytes": 0,
            "hbm.pim.lut_bytes": 64,
            "dimm.channels": 4,
            "dimm.overrides": {"rank": 4},
            "placement.hot_share": 0.5,
        },
    )
    hbm = system.tier("hbm").pim
    assert system.host.llc_sets == 0
    assert hbm is not None and hbm.lut_bytes == 64
    assert (system.tier("dimm").channels, system.tier("dimm").spec().nodes("rank")) == (4, 4)
    assert system.placement.hot_share == 0.5
    assert load_system("heam").placement.hot_share == 0.952, "the package's own description is untouched"


def test_an_optional_key_of_the_placement_can_be_given() -> None:
    """`hot_share` does not stand in RecNMP's file, but is a key of the placement."""
    assert load_system("recnmp", overrides={"placement.hot_share": 0.3}).placement.hot_share == 0.3


def test_a_plain_tier_has_a_controller_to_choose() -> None:
    given = {
        "dimm.scheduler": "frfcfs-cap",
        "dimm.row_hit_cap": 4,
        "dimm.row_policy": "closed",
        "dimm.refresh_postpone": 8,
        "dimm.write_high_percent": 70,
        "dimm.write_queue": 64,
    }
    tier = load_system("host-dimm", overrides=given).tier("dimm")
    assert tier.controller == Controller(
        scheduler="frfcfs-cap",
        row_hit_cap=4,
        row_policy="closed",
        refresh_postpone=8,
        write_high_percent=70,
        write_queue=64,
    )
    assert load_system("host-dimm").tier("dimm").controller == Controller()
    assert load_system("host-dimm", overrides={"dimm.refresh": False}).tier("dimm").controller == Controller(
        refresh="none"
    )


@pytest.mark.parametrize(
    ("system", "overrides", "message"),
    [
        ("host-dimm", {"dimm.scheduler": "fifo"}, "tier dimm: .*'fifo'"),
        ("host-dimm", {"dimm.row_hit_cap": 4}, "tier dimm: row_hit_cap: belongs to"),
        ("host-dimm", {"dimm.write_queue": "64"}, "write_queue is '64'"),
        ("host-dimm", {"dimm.write_queue": True}, "write_queue is True"),
        ("host-dimm", {"dimm.refresh": 3}, "refresh is 3"),
        ("host-dimm", {"dimm.refresh": "often"}, "tier dimm: .*'often'"),
        ("host-dimm", {"dimm.pim": {}}, "pim"),
        ("heam", {"hbm.row_policy": "closed"}, "its PEs have controllers of their own"),
        ("heam", {"hbm.refresh": "per-bank"}, "its PEs have controllers of their own"),
    ],
)
def test_a_controller_that_cannot_be_is_refused(
    system: str, overrides: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_system(system, overrides=overrides)


@pytest.mark.parametrize(
    ("bits", "width", "cycles"), [(85, 85, 1), (86, 85, 2), (79, 84, 1), (85, 10, 9), (1, 64, 1)]
)
def test_instruction_cycles_are_rounded_up(bits: int, width: int, cycles: int) -> None:
    overrides = {"hbm.pim.instruction_bits": bits, "hbm.pim.path_bits_per_cycle": width}
    pim = load_system("heam", overrides=overrides).tier("hbm").pim
    assert pim is not None and pim.instruction_cycles == cycles


def test_latencies_are_cycles_or_names() -> None:
    pim = load_system("heam").tier("hbm").pim
    spec = load_spec("native/HBM2_4Gb_legacy/HBM2_2000")
    assert pim is not None
    assert (pim.latency("nCL", spec), pim.latency(3, spec), pim.latency(0, spec)) == (14, 3, 0)
    with pytest.raises(ConfigError, match="nXL"):
        pim.latency("nXL", spec)


def test_llc_sets() -> None:
    host = load_system("host-dimm").host
    assert host.llc_sets == 8 * 1024 * 1024 // (64 * 16) == 8192
    assert dataclasses.replace(host, llc_bytes=0).llc_sets == 0
    with pytest.raises(ConfigError, match="llc_bytes"):
        dataclasses.replace(host, llc_bytes=1000)


@pytest.mark.parametrize(
    ("host_ps", "memories", "tick"),
    [
        (1000, {"dimm": "native/DDR4_8Gb_x8/DDR4_3200"}, 125),
        (1000, {"dimm": "native/DDR4_8Gb_x8/DDR4_3200", "hbm": "native/HBM2_4Gb/HBM2_2000"}, 125),
        (1000, {"dimm": "native/DDR4_8Gb_x8/DDR4_2400"}, Fraction(500, 3)),  # 6 and 5 ticks
        (625, {"dimm": "native/DDR4_8Gb_x8/DDR4_3200"}, 625),
        (333, {"dimm": "native/DDR4_8Gb_x8/DDR4_3200"}, 1),
    ],
)
def test_the_tick_divides_every_clock(host_ps: int, memories: dict[str, str], tick: Fraction) -> None:
    system = load_system("host-dimm", overrides={"host.clock_ps": host_ps})
    specs = {name: load_spec(preset) for name, preset in memories.items()}
    found = system.tick_ps(specs)
    assert found == tick
    assert all(
        (period / found).denominator == 1
        for period in [Fraction(host_ps), *(s.tCK_ps for s in specs.values())]
    )


def test_descriptions_are_frozen() -> None:
    system = load_system("heam")
    for part, name in ((system, "name"), (system.host, "clock_ps"), (system.tiers[0], "channels")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(part, name, 1)


def test_every_numeric_field_is_checked() -> None:
    """A float or a bool in any whole-number field of host and tier is refused by the field's name."""
    host, tier = load_system("host-dimm").host, load_system("host-dimm").tier("dimm")
    cases: list[tuple[Host | Tier, str]] = [
        (owner, field.name)
        for owner in (host, tier)
        for field in dataclasses.fields(owner)
        if type(getattr(owner, field.name)) is int and field.name != "page_seed"
    ]
    assert len(cases) >= 12
    for owner, name in cases:
        for wrong in (1.0, True, -1, "1", None):
            with pytest.raises(ConfigError, match=name):
                dataclasses.replace(owner, **{name: wrong})


def test_parameters_of_the_core_follow_from_the_description() -> None:
    trace = trace_of([[[0]]], cardinalities=[64])
    overrides = {
        "hbm.pim.alu_bytes_per_cycle": 24,
        "hbm.pim.lut_bytes_per_cycle": 48,
        "hbm.pim.lut_bytes": 300,
    }
    planned = plan(trace, system="heam", embedding="qr:4", vector_bytes=128, profile=0, overrides=overrides)
    hbm, dimm = planned.parameters()["hbm"], planned.parameters()["dimm"]
    assert (hbm.kind, dimm.kind) == ("pim", "plain")
    assert (hbm.period, dimm.period, planned.host_parameters().period) == (8, 5, 8)
    assert hbm.alu_cycles == 3  # 64 B in pieces of 24
    assert hbm.port_bytes_per_cycle == 48
    assert hbm.lut_load == 4  # 300 B hold two rows of two bursts
    assert hbm.result_bursts == 2
    assert hbm.unit_level == 2  # channel, rank, bank group


def test_a_small_r_table_loads_only_its_rows() -> None:
    trace = trace_of([[[0]], [[0]]], cardinalities=[64, 3])
    planned = plan(trace, system="heam", embedding="qr:8", vector_bytes=64, profile=0)
    assert planned.placement.lut_rows == 8 + 3
    assert planned.parameters()["hbm"].lut_load == 11
    full = plan(trace, system="heam", embedding="full", vector_bytes=64, profile=0)
    assert full.parameters()["hbm"].lut_load == 0


@pytest.mark.parametrize("name", known_systems())
def test_a_memory_that_is_kept_is_the_one_that_is_described(name: str) -> None:
    for tier in load_system(name).tiers:
        fresh = load_spec(
            tier.memory, overrides=dict(tier.overrides) or None, capacity_scale=tier.capacity_scale
        )
        if tier.pim is not None:
            pim = tier.pim
            fresh = derive_pim(fresh, pim.unit_level, pim.merge_level or None, immediates=pim.immediates)
        assert tier.spec() == fresh and tier.spec() is tier.spec()


def test_values_that_look_alike_are_not_the_same_memory() -> None:
    """1 is a number of ranks; true, which equals it, is none, and neither is a list."""
    tier = load_system("host-dimm", overrides={"dimm.overrides": {"rank": 1}}).tier("dimm")
    assert tier.spec().nodes("rank") == 1
    for value in (True, 1.0, [1]):
        with pytest.raises(ConfigError, match="rank"):
            dataclasses.replace(tier, overrides={"rank": value}).spec()
