# SPDX-License-Identifier: MIT
"""Whatever the timing values: what the stop-level rule promises for every standard and PE level."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from heam_sim.dram import RELATIONS, Spec, derive_pim, earliest_gap, list_presets, load_spec
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
PLAIN = ("ACT", "PREpb", "PREab", "RD", "WR", "REFab")
ORDER = {
    "bank": 0,
    "bank_group": 1,
    "rank": 2,
    "pseudo_channel": 2,
    "dimm": 3,
    "channel": 3,
    "stack": 4,
    "host": 5,
}
# The innermost relation that leaves a PE of the level for another one.
OUTSIDE = {"bank": 1, "bank_group": 2, "rank": 3, "pseudo_channel": 3}


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    """A shipped preset with other timing values, other counts and its rows in another order."""
    name = draw(st.sampled_from(list_presets()))
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
