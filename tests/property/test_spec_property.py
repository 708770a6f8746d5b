# SPDX-License-Identifier: MIT
"""Whatever the timing values: what the stop-level rule promises for every standard and PE level."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from heam_sim.dram import RELATIONS, Spec, derive_pim, earliest_gap, load_spec
from heam_sim.dram.expressions import round_interval, round_minimum
from heam_sim.dram.stop_level import PIM_COMMANDS, pe_levels

TIMES = (
    "nBL",
    "nCCDS",
    "nCCDL",
    "nRRDS",
    "nRRDL",
    "nWTRS",
    "nWTRL",
    "nRTP",
    "nRTPL",
    "nWR",
    "nFAW",
    "nRTRS",
    "nCS",
)
# One of every file.
PRESETS = (
    "native/DDR4_8Gb_x4/DDR4_2666",
    "native/DDR5_16Gb_x8/DDR5_4800",
    "native/GDDR6_8Gb_x16/GDDR6_14000",
    "native/HBM2E_16Gb_8hi/HBM2E_3200",
    "native/HBM2_4Gb/HBM2_2000",
    "native/HBM2_4Gb_legacy/HBM2_2000",
    "native/HBM3_16Gb_8hi/HBM3_6400",
    "native/LPDDR5_8Gb_x16/LPDDR5_6400",
    "ramulator-2.1/DDR4_8Gb_x8/DDR4_2400R",
    "ramulator-2.1/DDR5_16Gb_x8/DDR5_4800AN",
    "ramulator-2.1/HBM2_4Gb/HBM2_2000Mbps",
    "ramulator-2.1/HBM3_16Gb_8hi/HBM3_6400Mbps",
)
PLAIN = ("ACT", "PREpb", "PREab", "RD", "WR", "REFab")
ORDER = {
    "bank": 0,
    "bank_group": 1,
    "sid": 2,
    "rank": 3,
    "pseudo_channel": 3,
    "dimm": 4,
    "channel": 4,
    "stack": 5,
    "host": 6,
}
# The innermost relation that leaves a PE of the level for another one.
OUTSIDE = {"bank": 1, "bank_group": 2, "sid": 3, "rank": 3, "pseudo_channel": 3}


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    """A shipped preset with other timing values, other counts and its rows in another order."""
    name = draw(st.sampled_from(PRESETS))
    known = load_spec(name)
    overrides = {t: draw(st.integers(1, 60)) for t in TIMES if t in known.timing and draw(st.booleans())}
    overrides |= {level: draw(st.sampled_from([1, 2, 4])) for level in known.levels[1:]}
    spec = load_spec(name, overrides=overrides)
    return replace(spec, constraints=tuple(draw(st.permutations(spec.constraints))))


@given(specs(), st.data())
def test_plain_rows_and_commands_do_not_change(spec: Spec, data: st.DataObject) -> None:
    level = data.draw(st.sampled_from(pe_levels(spec)))
    outer = [name for name in pe_levels(spec) if ORDER[level] < ORDER[name] < ORDER["host"]]
    merge = data.draw(st.sampled_from([None, *outer]))
    derived = derive_pim(spec, level, merge)
    assert derived.constraints[: len(spec.constraints)] == spec.constraints
    assert derived.commands[: len(spec.commands)] == spec.commands
    pim = set(PIM_COMMANDS)
    assert all(pim & {*row.preceding, *row.following} for row in derived.constraints[len(spec.constraints) :])
    for first in PLAIN:
        for second in PLAIN:
            for relation in RELATIONS:
                before = earliest_gap(spec, first, second, relation)
                assert earliest_gap(derived, first, second, relation) == before


@given(specs())
def test_deeper_pes_are_never_more_constrained(spec: Spec) -> None:
    before = dict.fromkeys(RELATIONS, 0)
    for level in pe_levels(spec):
        derived = derive_pim(spec, level)
        after = {r: earliest_gap(derived, "PIM_RD", "PIM_RD", r) for r in RELATIONS}
        assert all(before[r] <= after[r] for r in RELATIONS)
        outside = OUTSIDE.get(level, len(RELATIONS))
        assert all(after[r] == 0 for r in RELATIONS[outside:])
        before = after


@given(specs())
def test_a_pim_read_is_bound_like_a_read_in_its_bank_and_never_more_elsewhere(spec: Spec) -> None:
    # Local controllers issue PIM reads, so the slots of the host's command bus are not theirs.
    rows = tuple(row for row in spec.constraints if row.resource != "command_bus")
    spec = replace(spec, constraints=rows)
    for level in pe_levels(spec):
        derived = derive_pim(spec, level)
        assert earliest_gap(derived, "PIM_RD", "PIM_RD", "bank") == earliest_gap(spec, "RD", "RD", "bank")
        for other in PLAIN:
            for relation in RELATIONS:
                plain = (earliest_gap(spec, "RD", other, relation), earliest_gap(spec, other, "RD", relation))
                pim = (
                    earliest_gap(derived, "PIM_RD", other, relation),
                    earliest_gap(derived, other, "PIM_RD", relation),
                )
                assert pim[0] <= plain[0]
                assert pim[1] <= plain[1]
                if relation == "bank" or level == "host":
                    assert pim == plain


@given(specs())
def test_the_order_of_rows_does_not_matter(spec: Spec) -> None:
    other = replace(spec, constraints=tuple(reversed(spec.constraints)))
    for level in pe_levels(spec):
        one, two = derive_pim(spec, level), derive_pim(other, level)
        for first in PIM_COMMANDS:
            for second in PIM_COMMANDS:
                for relation in RELATIONS:
                    gap = earliest_gap(one, first, second, relation)
                    assert gap == earliest_gap(two, first, second, relation)


@given(
    st.fractions(min_value=0, max_value=10_000, max_denominator=1000),
    st.fractions(min_value=Fraction(100), max_value=5000, max_denominator=12),
)
def test_rounding_stays_within_one_clock(time_ns: Fraction, period_ps: Fraction) -> None:
    clocks = time_ns * 1000 / period_ps
    assert round_interval(time_ns, period_ps) <= clocks < round_interval(time_ns, period_ps) + 1
    assert 0 <= round_minimum(time_ns, period_ps, "ceil") - clocks < 1
    # DDR4 may fall short of the time by at most 2.6 % of a clock, and never exceeds the plain ceiling.
    ddr4 = round_minimum(time_ns, period_ps, "jesd79-4")
    assert -Fraction(26, 1000) <= ddr4 - clocks <= Fraction(974, 1000)
    assert ddr4 <= round_minimum(time_ns, period_ps, "ceil")
