# SPDX-License-Identifier: MIT
"""Power files: what they hold, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from heam_sim.energy import event_energies, load_power, power_names
from heam_sim.energy.power import KEYS
from heam_sim.errors import ConfigError, SpecError

DDR = ("ddr4-2400-8gb-x8", "ddr4-3200-8gb-x8", "ddr5-4800-16gb-x8")
SHIPPED = (*DDR, "hbm2-4gb", "hbm2-4gb-idd", "hbm2-4gb-legacy", "hbm2-4gb-legacy-idd", "logic")
MEMORIES = SHIPPED[:-1]


def logic_text(**changes: str) -> str:
    entries = dict.fromkeys(sorted(KEYS["logic"]), '{ value = 1.0, source = "here" }')
    entries |= changes
    lines = [f"{key} = {text}" for key, text in entries.items() if text]
    return "\n".join(['name = "mine"', 'kind = "logic"', 'description = "test"', "[values]", *lines])


def load_text(folder: Path, text: str):  # type: ignore[no-untyped-def]
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return load_power(path)


def test_the_package_ships_these_files():
    assert power_names() == SHIPPED
    for name in SHIPPED:
        assert load_power(name).name == name


@pytest.mark.parametrize("name", SHIPPED)
def test_every_value_has_a_source_and_a_unit(name):
    units = ("_V", "_mA", "_ns", "_ratio", "_per_rank", "_B", "_KiB", "_pJ", "_per_bit", "_per_element")
    units = (*units, "_bits", "_per_way", "_per_MiB")
    for key, item in load_power(name).values.items():
        assert len(item.source) > 5
        assert key.endswith(units)


def test_ddr4_3200_rank_core_energies_match_the_current_formula():
    power = load_power("ddr4-3200-8gb-x8")
    events = event_energies(power)
    # 8 devices x 1.2 V x (57 mA x 46.25 ns - 52 mA x 32.5 ns - 37 mA x 13.75 ns)
    assert events.activate_pJ.value == pytest.approx(4200.0)
    # 8 x 1.2 V x (168 - 52) mA x 2.5 ns over 512 bits
    core = sum(segment.value for segment in events.read_pJ_per_bit[:3])
    assert core * 512 == pytest.approx(2784.0)
    assert sum(segment.value for segment in events.write_pJ_per_bit[:3]) * 512 == pytest.approx(2352.0)
    # 8 x 1.2 V x (250 - 52) mA x 350 ns
    assert events.refresh_pJ.value == pytest.approx(665280.0)
    # 8 x (1.2 V x IDD + 2.5 V x 3 mA)
    assert events.active_mW.value == pytest.approx(8 * (62.4 + 7.5))
    assert events.idle_mW.value == pytest.approx(8 * (44.4 + 7.5))


def test_ddr4_2400_rank_core_energies_match_the_current_formula():
    events = event_energies(load_power("ddr4-2400-8gb-x8"))
    assert events.activate_pJ.value == pytest.approx(9.6 * (48 * 55 - 43 * 39 - 34 * 16) * 5 / 6)
    core = sum(segment.value for segment in events.read_pJ_per_bit[:3])
    assert core * 512 == pytest.approx(9.6 * (135 - 43) * 4 * 5 / 6)


def test_the_view_by_currents_has_the_core_of_the_currents():
    """1.2 V: (390 - 55) mA over a burst of 2 ns, 512 bits; IDD0 over tRC 48, tRAS 34, tRP 14 ns."""
    for name, page in (("hbm2-4gb-legacy-idd", 2), ("hbm2-4gb-idd", 1)):
        events = event_energies(load_power(name))
        path = [segment.value for segment in events.read_pJ_per_bit]
        assert sum(path[:3]) == pytest.approx(1.2 * 335 * 2 / 512, rel=0.001)
        assert path[3:] == [0.5, 0.3]
        assert events.activate_pJ.value == pytest.approx(1.2 * (65 * 48 - 55 * 34 - 40 * 14) / 2 * page)
        assert all(
            part.low == part.value == part.high for part in (*events.read_pJ_per_bit, events.activate_pJ)
        )


def test_hbm_path_is_the_published_one_without_its_activation_share():
    for name, page in (("hbm2-4gb-legacy", 2), ("hbm2-4gb", 1)):
        events = event_energies(load_power(name))
        path = [segment.value for segment in events.read_pJ_per_bit]
        assert path == [0.44, 1.01, 1.23, 0.5, 0.3]
        assert events.activate_pJ.value == pytest.approx(909 * page)
        assert events.activate_pJ.low == pytest.approx(414 * page)


def test_a_pseudo_channel_draws_half_of_a_channel():
    half, whole = (event_energies(load_power(name)) for name in ("hbm2-4gb", "hbm2-4gb-legacy"))
    assert 2 * half.active_mW.value == pytest.approx(whole.active_mW.value)
    assert 2 * half.idle_mW.value == pytest.approx(whole.idle_mW.value)
    assert 2 * half.refresh_pJ.value == pytest.approx(whole.refresh_pJ.value)


@pytest.mark.parametrize("name", ["ddr4-2400-8gb-x8", "ddr4-3200-8gb-x8"])
def test_the_host_bus_is_an_assumed_interval(name):
    item = load_power(name).values["host_io_pJ_per_bit"]
    assert (item.interval.low, item.interval.high) == (4.06, 22.0)
    assert item.interval.value == pytest.approx((4.06 * 22.0) ** 0.5, abs=0.01)
    assert item.assumed


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(SpecError, match="did you mean 'ddr4-3200-8gb-x8'"):
        load_power("ddr4-3200-8gb-x4")


def test_a_correct_file_of_ones_own_loads(tmp_path):
    power = load_text(tmp_path, logic_text())
    assert power["add_pJ_per_element"].value == 1.0
    with pytest.raises(SpecError, match="did you mean 'add_pJ_per_element'"):
        power["add_pJ_per_elements"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"add_pJ_per_element": "{ value = 1.0 }"}, "'source' is missing"),
        ({"add_pJ_per_element": '{ value = 1.0, source = " " }'}, "'source' is missing or empty"),
        ({"add_pJ_per_element": "1.0"}, "bare value"),
        ({"add_pJ_per_element": ""}, "'add_pJ_per_element' is missing"),
        ({"add_pJ_per_element": '{ source = "x" }'}, "'value' is missing"),
        ({"add_pJ_per_element": '{ value = -1, source = "x" }'}, "not negative"),
        ({"add_pJ_per_element": '{ value = true, source = "x" }'}, "not negative"),
        ({"add_pJ_per_element": '{ value = nan, source = "x" }'}, "must be a finite number"),
        ({"add_pJ_per_element": '{ value = 1.0, low = 2.0, source = "x" }'}, "unordered"),
        ({"add_pJ_per_element": '{ value = 1.0, hi = 2.0, source = "x" }'}, "unknown key 'hi'"),
        ({"add_pJ_per_elemnt": '{ value = 1.0, source = "x" }'}, "did you mean 'add_pJ_per_element'"),
    ],
)
def test_a_wrong_value_is_refused(tmp_path, change, message):
    with pytest.raises(SpecError, match=message):
        load_text(tmp_path, logic_text(**change))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "logic"', 'kind = "logics"', "did you mean 'logic'"),
        ('kind = "logic"', "", "'kind' is missing"),
        ("[values]", "[value]", "did you mean 'values'"),
        ("[values]", "[values", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, old, new, message):
    with pytest.raises(SpecError, match=message):
        load_text(tmp_path, logic_text().replace(old, new))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(SpecError, match="cannot be read"):
        load_power(tmp_path / "none.toml")


def _shipped_text(name: str) -> str:
    from importlib import resources

    return (resources.files("heam_sim.energy") / "power" / f"{name}.toml").read_text(encoding="utf-8")


def test_shares_must_make_up_the_whole(tmp_path):
    text = _shipped_text("ddr4-3200-8gb-x8").replace(
        "cell_ratio = { value = 0.164", "cell_ratio = { value = 0.264"
    )
    with pytest.raises(SpecError, match="sum to 1"):
        load_text(tmp_path, text)


def test_contradicting_currents_are_refused(tmp_path):
    text = _shipped_text("ddr4-3200-8gb-x8").replace("IDD0_mA = { value = 57", "IDD0_mA = { value = 7")
    with pytest.raises(SpecError, match="contradict"):
        event_energies(load_text(tmp_path, text))


def test_logic_is_not_a_memory():
    with pytest.raises(ConfigError, match="not a memory"):
        event_energies(load_power("logic"))
