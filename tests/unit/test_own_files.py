# SPDX-License-Identifier: MIT
"""Memories, power files, PE levels and systems of one's own: by path, and part of the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from heam_sim.cli import main
from heam_sim.datasets import generate
from heam_sim.dram import derive_pim, earliest_gap, load_spec
from heam_sim.dram.loader import standard_text
from heam_sim.dram.stop_level import pe_levels, pe_resource
from heam_sim.energy import load_power
from heam_sim.energy.power import power_text
from heam_sim.errors import ConfigError, SpecError
from heam_sim.experiments import Point, explain, point_key, read_design
from heam_sim.planning import resolved_config
from heam_sim.simulation import simulate
from heam_sim.systems import load_system
from heam_sim.systems.loader import system_text

HBM2 = "native/HBM2_4Gb/HBM2_2000"
PAIR = '\n[[pe_level]]\nlevel = "bank_pair"\nreach = "{reach}"\nsource = "assumed: a test"\n'


def pairs(folder: Path, reach: str = "bank") -> str:
    """HBM2 with a level between bank and bank group; its name."""
    text = standard_text(HBM2)
    text = text.replace('"bank_group", "bank"]', '"bank_group", "bank_pair", "bank"]')
    text = text.replace("bank_group = 4, bank = 4 }", "bank_group = 4, bank_pair = 2, bank = 2 }")
    path = folder / "pairs.toml"
    path.write_text(text + PAIR.format(reach=reach))
    return f"{path}/HBM2_4Gb/HBM2_2000"


def test_a_memory_by_path_is_that_memory(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(standard_text("native/DDR4_8Gb_x8/DDR4_3200"))
    mine = load_spec(f"{path}/DDR4_8Gb_x8/DDR4_3200", overrides={"rank": 2})
    known = load_spec("native/DDR4_8Gb_x8/DDR4_3200", overrides={"rank": 2})
    assert {**mine.to_dict(), "name": ""} == {**known.to_dict(), "name": ""}
    with pytest.raises(SpecError, match=r"mine\.toml.*did you mean 'DDR4_8Gb_x8/DDR4_3200'"):
        load_spec(f"{path}/DDR4_8Gb_x8/DDR4_3201")
    with pytest.raises(SpecError, match=r"none\.toml: cannot be read"):
        load_spec(f"{tmp_path}/none.toml/DDR4_8Gb_x8/DDR4_3200")


def test_relative_paths_start_at_the_file_that_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "ddr4.toml").write_text(standard_text("native/DDR4_8Gb_x8/DDR4_3200"))
    (home / "power.toml").write_text(power_text("ddr4-3200-8gb-x8"))
    text = system_text("recnmp").replace('"native/DDR4_8Gb_x8', '"ddr4.toml/DDR4_8Gb_x8')
    (home / "mine.toml").write_text(text.replace('"ddr4-3200-8gb-x8"', '"power.toml"'))
    (home / "study.toml").write_text('[base]\nsystem = "mine.toml"\n"dimm.power" = "power.toml"\n')
    trace = generate("criteo-kaggle", samples=60, seed=1)
    want = simulate(trace, system="recnmp")
    for folder, prefix in ((tmp_path, "home/"), (home, "")):
        monkeypatch.chdir(folder)
        found = simulate(trace, system=f"{prefix}mine.toml")
        assert (found.time_ns, found.energy_pJ) == (want.time_ns, want.energy_pJ)
        assert load_system(f"{prefix}mine.toml").tiers[0].power == f"{prefix}power.toml"
        (point,) = read_design(f"{prefix}study.toml").points
        assert point.system == f"{prefix}mine.toml" and dict(point.overrides) == {
            "dimm.power": f"{prefix}power.toml"
        }
    assert load_power("power.toml").values == load_power("ddr4-3200-8gb-x8").values
    steps = explain(trace, {"system": "recnmp"}, {"system": "mine.toml"}).steps
    assert [step.result.time_ns for step in steps] == [want.time_ns, want.time_ns]


def test_files_are_part_of_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.toml").write_text(power_text("ddr4-3200-8gb-x8"))
    point = Point(trace="t", system="host-dimm", overrides=(("dimm.power", "p.toml"),))
    before = resolved_config(**point.arguments())["files"], point_key(point, "0")
    Path("p.toml").write_text(
        power_text("ddr4-3200-8gb-x8").replace("IDD0_mA = { value = ", "IDD0_mA = { value = 1")
    )
    after = resolved_config(**point.arguments())["files"], point_key(point, "0")
    assert set(before[0]) == {"p.toml"} and before[0] != after[0] and before[1] != after[1]
    assert "files" not in resolved_config(system="host-dimm")


def test_a_level_of_ones_own(tmp_path: Path) -> None:
    spec = load_spec(pairs(tmp_path))
    assert pe_levels(spec)[:3] == ("bank", "bank_pair", "bank_group")
    assert pe_resource(spec, "bank_pair") == "bank" and spec.pe_levels == {"bank_pair": "bank"}
    gaps = {}
    for level in ("bank", "bank_pair", "bank_group"):
        pim = derive_pim(spec, level, "channel")
        gaps[level] = [earliest_gap(pim, "PIM_RD", "PIM_RD", place) for place in ("bank_pair", "bank_group")]
    assert gaps == {"bank": [0, 0], "bank_pair": [4, 0], "bank_group": [4, 4]}
    # Where the data use the group's wires on their way, other pairs of the group must wait.
    far = derive_pim(load_spec(pairs(tmp_path, "bank_group_io")), "bank_pair", "channel")
    assert earliest_gap(far, "PIM_RD", "PIM_RD", "bank_group") == 4


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('reach = "bank"', 'reach = "bank_groop_io"'), "did you mean 'bank_group_io'"),
        (('reach = "bank"', 'reach = "dram_bus"'), "reaches less far than one inside it"),
        (('level = "bank_pair"', 'level = "bank_group"'), "is known; leave it out"),
        (('level = "bank_pair"', 'level = "bank_par"'), "did you mean 'bank_pair'"),
        (('source = "assumed: a test"', 'source = ""'), "source"),
    ],
)
def test_a_level_that_cannot_be(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    name = pairs(tmp_path)
    path = tmp_path / "pairs.toml"
    head, mark, tail = path.read_text().partition("[[pe_level]]")
    path.write_text(head + mark + tail.replace(*change))
    with pytest.raises(SpecError, match=says):
        load_spec(name)


def test_without_the_block_no_pe_sits_there(tmp_path: Path) -> None:
    name = pairs(tmp_path)
    path = tmp_path / "pairs.toml"
    path.write_text(path.read_text().partition("[[pe_level]]")[0])
    with pytest.raises(SpecError, match="unknown unit_level 'bank_pair'"):
        derive_pim(load_spec(name), "bank_pair")


MAP = "row column bank {} rank bank_group channel column.vector"


@pytest.mark.parametrize(
    ("level", "memory", "field"),
    [("bank_pair", "", "bank_pair"), ("sid", "native/HBM2E_16Gb_8hi/HBM2E_3200", "sid")],
)
def test_runs_with_pes_at_any_level(tmp_path: Path, level: str, memory: str, field: str) -> None:
    result = simulate(
        generate("criteo-kaggle", samples=60, seed=1),
        system="heam",
        embedding="qr:4",
        check=True,
        overrides={
            "hbm.memory": memory or pairs(tmp_path),
            "hbm.power": "hbm2-4gb",
            "hbm.address_map": MAP.format(field),
            "hbm.pim.unit_level": level,
        },
    )
    assert result.counters["hbm"]["pim_mov"] > 0


def test_energy_of_a_level_is_that_of_where_its_data_end(tmp_path: Path) -> None:
    def moved(reach: str, level: str) -> float:
        overrides = {
            "hbm.memory": pairs(tmp_path, reach),
            "hbm.power": "hbm2-4gb",
            "hbm.address_map": MAP.format("bank_pair"),
            "hbm.pim.unit_level": level,
            "hbm.pim.merge_level": "",
        }
        result = simulate(generate("criteo-kaggle", samples=40, seed=1), system="heam", overrides=overrides)
        reads = result.counters["hbm"]["pim_rd"] * 256
        results = result.counters["hbm"]["pim_rdres"] * 256
        spent = result.energy.components_pJ["hbm", "on_die_movement"].value
        # Reads to the PE and results from there share the segments of the die.
        return round((spent - results * (2.24 if level == "bank" or reach == "bank" else 1.23)) / reads, 2)

    assert moved("bank", "bank_pair") == moved("bank", "bank") == 0.0
    assert moved("bank_group_io", "bank_pair") == 1.01


def test_templates_are_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind, name, text in (
        ("memory", HBM2, standard_text(HBM2)),
        ("power", "hbm2-4gb", power_text("hbm2-4gb")),
        ("system", "heam", system_text("heam")),
    ):
        assert main(["template", kind, name]) == 0
        assert capsys.readouterr().out == text
        file = tmp_path / f"{kind}.toml"
        assert main(["template", kind, name, "--output", str(file)]) == 0
        assert file.read_text() == text and capsys.readouterr().out == f"wrote {file}\n"
    assert main(["template", "system", "haem"]) == 2
    assert "did you mean 'heam'" in capsys.readouterr().err
    with pytest.raises(ConfigError):
        system_text("haem")
