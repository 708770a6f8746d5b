# SPDX-License-Identifier: MIT
"""Hypothesis strategies: small standards, request streams and whole systems with their work."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.reference.system import CACHE, CARRIED, HOST_READ, PIM_IMMEDIATE, PIM_LUT, PIM_READ, UNADDED
from tests.reference.timing import ROLE_ACC, ROLE_FILL, ROLE_LOAD, ROLE_MAC, ROLE_MUL

__all__ = [
    "ITEM_DTYPES",
    "RandomSystem",
    "SmallCommand",
    "SmallRow",
    "SmallSpec",
    "controllers",
    "pim_options",
    "replays",
    "small_specs",
    "systems",
]

ITEM_DTYPES = {
    "kind": np.uint8,
    "role": np.uint8,
    "channel": np.uint16,
    "bank": np.uint16,
    "row": np.uint32,
    "column": np.uint16,
    "bursts": np.uint16,
    "unit": np.uint16,
    "slot": np.uint32,
    "line": np.uint64,
    "segment": np.uint8,
    "covers": np.uint8,
    "alu": np.uint16,
    "flags": np.uint8,
}

SHAPES = (
    ("channel", "rank", "bank"),
    ("channel", "rank", "bank_group", "bank"),
    ("channel", "pseudo_channel", "stack_id", "bank_group", "bank"),
)
PLAIN_NAMES = {"ACT": "ACT", "PREpb": "PRE", "PREab": "PREA", "RD": "RD", "WR": "WR", "REFab": "REF"}
BANK_REFRESH_NAMES = {"REFpb": "REFPB", "REFsb": "REFSB"}
PIM_NAMES = ("PIM_RD", "PIM_MOV", "PIM_RDRES", "PIM_WRLUT", "PIM_WRIMM", "PIM_LUT")


@dataclass(frozen=True)
class SmallCommand:
    """A command of a random standard."""

    name: str
    kind: str
    scope: str
    alignment: int = 1


@dataclass(frozen=True)
class SmallRow:
    """A constraint row of a random standard."""

    level: str
    preceding: tuple[str, ...]
    following: tuple[str, ...]
    cycles: int
    window: int = 1
    sibling: bool = False
    resource: str = "bank"


@dataclass(frozen=True)
class SmallSpec:
    """A random standard with the fields that the engine reads."""

    levels: tuple[str, ...]
    counts: dict[str, int]
    rows: int
    columns: int
    burst_bytes: int
    split_command_buses: bool
    timing: dict[str, int]
    commands: tuple[SmallCommand, ...]
    constraints: tuple[SmallRow, ...]
    read_latency: int
    refresh_interval: int
    banks: int


@dataclass(frozen=True)
class RandomSystem:
    """The arguments of :func:`tests.reference.system.simulate`."""

    channels: list[dict[str, Any]]
    host: dict[str, int]
    items: dict[str, np.ndarray]
    gnr_offsets: np.ndarray
    arrivals: np.ndarray | None = None  # ticks, uint64


def _base_rows(draw: st.DrawFn, rank: str) -> list[SmallRow]:
    """Rows of the kind that every standard has, so that most cases look like a memory."""
    cycles = st.integers(1, 6)
    rows = [
        SmallRow("bank", ("ACT",), ("RD", "WR"), draw(cycles)),
        SmallRow("bank", ("ACT",), ("PREpb",), draw(cycles) + 3),
        SmallRow("bank", ("PREpb",), ("ACT",), draw(cycles)),
        SmallRow("bank", ("RD",), ("PREpb",), draw(cycles)),
        SmallRow(rank, ("PREpb", "PREab"), ("REFab",), draw(cycles)),
        SmallRow(rank, ("PREab",), ("ACT",), draw(cycles)),
        SmallRow(rank, ("REFab",), ("ACT", "PREab", "REFab"), draw(st.integers(1, 20))),
        SmallRow(rank, ("ACT",), ("ACT",), draw(st.integers(1, 16)), draw(st.integers(2, 4))),
    ]
    kept = draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    return [row for row, keep in zip(rows, kept, strict=True) if keep]


def _bank_refresh_rows(draw: st.DrawFn, rank: str) -> list[SmallRow]:
    """Rows of refreshes of banks; both commands are short against the distance between two refreshes."""
    both = tuple(BANK_REFRESH_NAMES)
    return [
        SmallRow("bank", ("PREpb",), both, draw(st.integers(1, 6))),
        SmallRow(rank, ("PREab",), both, draw(st.integers(1, 6))),
        SmallRow("bank", both, ("ACT", *both), draw(st.integers(1, 12))),
        SmallRow(rank, both, both, draw(st.integers(1, 4))),
        SmallRow(rank, both, ("ACT",), draw(st.integers(1, 4))),
    ]


@st.composite
def _free_rows(draw: st.DrawFn, levels: tuple[str, ...], names: tuple[str, ...]) -> SmallRow:
    some = st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True).map(tuple)
    window = draw(st.sampled_from((1, 1, 1, 2, 3, 4)))
    before, after = draw(some), draw(some)
    # The engine's text defines windows and siblings apart from each other, never together, and no siblings of
    # a command that stands at several nodes.
    sibling = window == 1 and draw(st.integers(0, 3)) == 0 and "REFsb" not in (*before, *after)
    level = draw(st.sampled_from(levels[1:] if sibling else levels))
    return SmallRow(level, before, after, draw(st.integers(0, 8)), window, sibling)


@st.composite
def small_specs(
    draw: st.DrawFn,
    *,
    pim: bool = False,
    unit_level: str | None = None,
    bank_refresh: bool = False,
    aligned: bool = True,
) -> SmallSpec:
    """A small random standard; with ``pim`` it has the PIM commands too.

    Every row is at most 20 cycles long and refresh at least 150 cycles apart, so every run comes to an end.

    Parameters
    ----------
    pim
        Add PIM_RD, PIM_MOV, PIM_RDRES, PIM_WRLUT, PIM_WRIMM and PIM_LUT with rows of their own.
    unit_level
        The scope of PIM_MOV (default: the bank).
    bank_refresh
        Add REFpb and REFsb with rows of their own.
    aligned
        One standard in four has commands that do not start in every cycle.
    """
    levels = draw(st.sampled_from(SHAPES))
    if unit_level is not None and unit_level not in levels:
        levels = next(shape for shape in SHAPES if unit_level in shape)
    counts = {"channel": 1, levels[1]: draw(st.integers(1, 2))}
    for level in levels[2:]:
        counts[level] = draw(st.integers(1, 2 if len(levels) > 3 else 4))
    banks = int(np.prod([counts[level] for level in levels]))
    commands = [
        SmallCommand(name, kind, levels[1] if kind in ("PREA", "REF") else "bank")
        for name, kind in PLAIN_NAMES.items()
    ]
    names = tuple(PLAIN_NAMES)
    if bank_refresh:
        commands += [SmallCommand(name, kind, "bank") for name, kind in BANK_REFRESH_NAMES.items()]
        names += tuple(BANK_REFRESH_NAMES)
    if pim:
        scopes = {
            "PIM_RD": "bank",
            "PIM_MOV": unit_level or "bank",
            "PIM_RDRES": draw(st.sampled_from(levels[:2])),
            "PIM_WRLUT": levels[1],
            "PIM_WRIMM": draw(st.sampled_from((levels[1], "bank"))),
            "PIM_LUT": "bank",
        }
        commands += [SmallCommand(name, name, scopes[name]) for name in PIM_NAMES]
        names += PIM_NAMES[:-1]
    if aligned and draw(st.integers(0, 3)) == 0:
        beats = st.sampled_from((1, 1, 2, 3))
        commands = [
            command if command.kind == "PIM_LUT" else replace(command, alignment=draw(beats))
            for command in commands
        ]
    rows = _base_rows(draw, levels[1])
    if bank_refresh:
        rows += _bank_refresh_rows(draw, levels[1])
    if pim:
        rows.append(SmallRow("bank", ("ACT",), ("PIM_RD",), draw(st.integers(1, 6))))
        rows.append(SmallRow("channel", ("PIM_MOV",), ("PIM_MOV",), draw(st.integers(1, 4))))
    rows += draw(st.lists(_free_rows(levels, names), max_size=6))
    burst = draw(st.integers(1, 4))
    latency = draw(st.integers(1, 8)) + burst
    return SmallSpec(
        levels=levels,
        counts=counts,
        rows=8,
        columns=16,
        burst_bytes=draw(st.sampled_from((32, 64))),
        split_command_buses=draw(st.booleans()),
        timing={"nCL": latency - burst, "nBL": burst},
        commands=tuple(commands),
        constraints=tuple(draw(st.permutations(rows))),
        read_latency=latency,
        refresh_interval=draw(st.integers(150, 300)),
        banks=banks,
    )


@st.composite
def controllers(draw: st.DrawFn, *, default_policies: bool = False) -> dict[str, Any]:
    """Queues and policies of a plain channel; every other time (or always) the default policies."""
    low, high = sorted(draw(st.lists(st.integers(0, 100), min_size=2, max_size=2)))
    queues = {
        "read_queue": draw(st.sampled_from((1, 4, 32))),
        "write_queue": draw(st.sampled_from((1, 5, 32))),
    }
    if default_policies or draw(st.booleans()):
        return {**queues, "refresh": draw(st.sampled_from(("none", "all-bank")))}
    return {
        **queues,
        "write_high_percent": high,
        "write_low_percent": low,
        "scheduler": draw(st.sampled_from(("frfcfs", "fcfs", "frfcfs-cap"))),
        "row_hit_cap": draw(st.integers(0, 4)),
        "row_policy": draw(st.sampled_from(("open", "closed", "timeout", "capped"))),
        "row_timeout": draw(st.sampled_from((0, 1, 7, 40))),
        "row_cap": draw(st.integers(1, 4)),
        "refresh": draw(st.sampled_from(("none", "all-bank", "per-bank", "same-bank"))),
        "refresh_stagger": draw(st.booleans()),
        "refresh_postpone": draw(st.sampled_from((0, 0, 1, 2, 4, 8))),
        "refresh_interval": draw(st.sampled_from((0, 97, 97, 131))),
    }


@st.composite
def replays(draw: st.DrawFn, *, max_requests: int = 120, default_policies: bool = False) -> dict[str, Any]:
    """Keyword arguments of :func:`tests.reference.plain.replay` (with ``spec`` and ``requests``).

    The address is a function of the location in some streams; in others one location has several addresses.
    """
    policies = draw(controllers(default_policies=default_policies))
    of_banks = policies["refresh"] in ("per-bank", "same-bank")
    spec = draw(small_specs(bank_refresh=of_banks, aligned=not default_policies))
    channels = draw(st.integers(1, 3))
    write_share = draw(st.sampled_from((0.0, 0.3, 0.9)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    row_span, column_span = draw(st.sampled_from(((1, 2), (2, 4), (8, 16))))
    aliases = draw(st.sampled_from((1, 1, 2, 5)))
    requests = []
    for _ in range(draw(st.integers(0, max_requests))):
        channel, bank = int(rng.integers(channels)), int(rng.integers(spec.banks))
        row, column = int(rng.integers(row_span)), int(rng.integers(column_span))
        address = ((channel * spec.banks + bank) * spec.rows + row) * spec.columns + column
        if aliases > 1:
            address += int(rng.integers(aliases)) << 40
        requests.append((channel, bank, row, column, bool(rng.random() < write_share), address))
    return {
        "spec": spec,
        "requests": requests,
        "channels": channels,
        "offers_per_cycle": draw(st.integers(1, 4)),
        "drain": draw(st.booleans()),
        **policies,
    }


@st.composite
def energies(draw: st.DrawFn) -> dict[str, Any]:
    """What commands cost, and over how many cycles that is summed."""
    kinds = ("ACT", "PRE", "PREA", "RD", "REF", "REFPB", "REFSB", "PIM_RD", "PIM_MOV", "PIM_RDRES")
    energy = draw(st.dictionaries(st.sampled_from((*kinds, "PIM_WRLUT", "PIM_LUT")), st.integers(0, 2**40)))
    return {"energy": energy, "energy_window": draw(st.sampled_from((0, 1, 2, 7, 50, 10**6)))}


@st.composite
def pim_options(draw: st.DrawFn) -> dict[str, Any]:
    """Options of one PIM channel, its standard included."""
    level = draw(st.sampled_from(("channel", "rank", "pseudo_channel", "bank_group", "bank")))
    host_driven = draw(st.sampled_from((False, False, False, True)))
    sets = draw(st.sampled_from((0, 0, 1, 2)))
    return {
        "kind": "pim",
        "spec": draw(small_specs(pim=True, unit_level=level)),
        "period": draw(st.integers(1, 5)),
        "unit_level": level,
        "merge": draw(st.booleans()),
        "queue_depth": draw(st.integers(1, 4)),
        "batch_tags": draw(st.integers(1, 3)),
        "instruction_cycles": 0 if host_driven else draw(st.integers(1, 4)),
        "decode_cycles": draw(st.integers(0, 3)),
        "alu_cycles": draw(st.integers(1, 4)),
        "alu_latency": draw(st.integers(0, 4)),
        "merge_cycles": draw(st.integers(1, 3)),
        "mov_latency": draw(st.integers(0, 6)),
        "res_latency": draw(st.integers(0, 6)),
        "imm_latency": draw(st.integers(0, 6)),
        "port_bytes_per_cycle": draw(st.sampled_from((7, 16, 32, 64, 200))),
        "lut_load": draw(st.sampled_from((0, 0, 1, 5))),
        "result_bursts": draw(st.sampled_from((1, 2, 3, 4, 6, 64))),
        "refresh": draw(st.booleans()),
        "path_uses_dq": not host_driven and draw(st.booleans()),
        "second_stage_cycles": draw(st.sampled_from((0, 0, 1, 4, 9))),
        "host_driven": host_driven,
        "cache_sets": sets,
        "cache_ways": draw(st.integers(1, 3)) if sets else 0,
        "merge_identical": draw(st.booleans()),
        **draw(energies()),
    }


@st.composite
def _plain_options(draw: st.DrawFn) -> dict[str, Any]:
    policies = draw(controllers())
    return {
        "kind": "plain",
        "spec": draw(small_specs(bank_refresh=policies["refresh"] in ("per-bank", "same-bank"))),
        "period": draw(st.integers(1, 5)),
        **policies,
        **draw(energies()),
    }


@st.composite
def _stacked(draw: st.DrawFn, channels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same channels, PIM channels in one or two stacks as far as that goes."""
    node = {
        "stack_tags": draw(st.sampled_from((1, 1, 2, 3, 8))),
        "stack_cycles": draw(st.integers(0, 3)),
        "xmov_cycles": draw(st.integers(1, 4)),
        "xmov_latency": draw(st.integers(0, 6)),
    }
    numbers = draw(st.sampled_from(((1,), (1,), (1, 2), (2,), (1, 0))))
    first: dict[str, Any] | None = None
    result = []
    for at, options in enumerate(channels):
        if options["kind"] == "plain":
            result.append(options)
            continue
        first = first or options
        alike = {name: first[name] for name in ("period", "result_bursts")}
        if options["spec"].burst_bytes != first["spec"].burst_bytes:
            alike["spec"] = replace(options["spec"], burst_bytes=first["spec"].burst_bytes)
        level = list(options["spec"].levels).index(options["unit_level"])
        units = int(np.prod([options["spec"].counts[name] for name in options["spec"].levels[: level + 1]]))
        merge = options["merge"] or units > 1
        stack = numbers[at % len(numbers)]
        result.append({**options, **alike, "merge": merge, "stack": min(stack, len(channels)), **node})
    return result


@st.composite
def systems(
    draw: st.DrawFn, *, max_gnrs: int = 8, max_operands: int = 6, stacked: bool = False
) -> RandomSystem:
    """A random system of one to three channels of different clocks, and work for it.

    With ``stacked`` it has two to four PIM channels (and perhaps others), in stacks.
    """
    if stacked:
        pims = draw(st.lists(pim_options(), min_size=2, max_size=4))
        channels = [*draw(st.lists(_plain_options(), max_size=1)), *pims]
    else:
        channels = draw(st.lists(st.one_of(_plain_options(), pim_options()), min_size=1, max_size=3))
    if stacked or draw(st.integers(0, 3)) == 0:
        channels = draw(_stacked(channels))
    host = {
        "period": draw(st.integers(1, 4)),
        "issue_per_cycle": draw(st.integers(1, 3)),
        "outstanding": draw(st.sampled_from((2, 3, 16))),
        "add_bytes_per_cycle": draw(st.sampled_from((8, 48, 64, 200))),
        "line_bytes": 64,
        "llc_sets": draw(st.integers(0, 3)),
        "llc_ways": draw(st.integers(1, 2)),
        "window": draw(st.integers(1, 4)),
        "batch": draw(st.sampled_from((0, 0, 1, 2, 3))),
        "instruction_buffer": draw(st.integers(1, 4)),
    }
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    offsets, rows = [0], []
    for _ in range(draw(st.integers(0, max_gnrs))):
        for slot in range(int(rng.integers(max_operands + 1))):
            rows += _operand(rng, channels, slot)
        offsets.append(len(rows))
    items = {
        name: np.array([row.get(name, 0) for row in rows], dtype=dtype) for name, dtype in ITEM_DTYPES.items()
    }
    gnrs, arrivals = len(offsets) - 1, None
    if draw(st.integers(0, 2)) == 0:
        # From crowds to long idle times; now and then one that is behind its successor.
        gaps = rng.integers(0, int(draw(st.sampled_from((1, 20, 200)))), gnrs)
        arrivals = np.cumsum(gaps).astype(np.uint64)
        if draw(st.booleans()):
            arrivals = rng.permutation(arrivals)
    return RandomSystem(channels, host, items, np.array(offsets, dtype=np.uint64), arrivals)


def _operand(rng: np.random.Generator, channels: list[dict[str, Any]], slot: int) -> list[dict[str, int]]:
    """One lookup: a host read, one item to accumulate, or a LOAD (READ or LUT) with its MAC."""
    index = int(rng.integers(len(channels)))
    options = channels[index]
    spec = options["spec"]
    if options["kind"] == "plain":
        return [{**_host_read(rng, index, spec, slot), "flags": int(rng.choice((0, 0, UNADDED)))}]
    unit_level = spec.levels.index(options["unit_level"])
    units = int(np.prod([spec.counts[level] for level in spec.levels[: unit_level + 1]]))
    unit = int(rng.integers(units))
    common = {"channel": index, "unit": unit, "slot": slot, "line": 0}
    plain = [at for at, other in enumerate(channels) if other["kind"] == "plain"]
    if plain and rng.random() < 0.35:
        return _immediate(rng, channels, plain, common, options["result_bursts"])
    per_unit = spec.banks // units
    roles = [ROLE_ACC]
    if rng.random() < 0.5:
        roles = [ROLE_LOAD, *[ROLE_MUL] * int(rng.choice((0, 0, 1, 2))), ROLE_MAC]
    carried = rng.random() < 0.3
    items = [_pim_item(rng, options, common, per_unit, role) for role in roles]
    while carried and len(roles) == 1 and rng.random() < 0.6:
        # A broadcast: the same operand's parts in other units.
        other = {**common, "unit": int(rng.integers(units))}
        items.append({**_pim_item(rng, options, other, per_unit, ROLE_ACC), "flags": CARRIED | CACHE})
    for link in items[1:] if carried else ():
        link["flags"] |= CARRIED
    if options["cache_sets"] and rng.random() < 0.2:
        row = {**_pim_item(rng, options, common, per_unit, ROLE_FILL), "bursts": int(rng.integers(1, 5))}
        items.append(row)
    return items


def _immediate(
    rng: np.random.Generator,
    channels: list[dict[str, Any]],
    plain: list[int],
    common: dict[str, int],
    result: int,
) -> list[dict[str, int]]:
    """One to three host reads, and the vector that the host makes of them."""
    items = []
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.choice(plain))
        items.append(_host_read(rng, at, channels[at]["spec"], common["slot"]))
        items[-1]["flags"] = int(rng.choice((0, UNADDED)))
    bursts = int(rng.integers(1, min(result, 4) + 1))
    vector = {"kind": PIM_IMMEDIATE, "role": ROLE_ACC, "row": len(items), "bursts": bursts}
    segment, alu = int(rng.integers(result - bursts + 1)), int(rng.choice((0, 0, rng.integers(1, 8))))
    return [*items, {**common, **vector, "segment": segment, "alu": alu}]


def _host_read(rng: np.random.Generator, index: int, spec: SmallSpec, slot: int) -> dict[str, int]:
    """One or two lines; the line address is a function of the location."""
    per_line = max(1, 64 // spec.burst_bytes)
    bank, row = int(rng.integers(spec.banks)), int(rng.integers(3))
    column = int(rng.integers(3)) * per_line
    return {
        "kind": HOST_READ,
        "role": ROLE_ACC,
        "channel": index,
        "bank": bank,
        "row": row,
        "column": column,
        "bursts": per_line * int(rng.integers(1, 3)),
        "unit": 65535,
        "slot": slot,
        "line": (((index << 8) + bank) * spec.rows + row) * spec.columns + column // per_line,
    }


def _pim_item(
    rng: np.random.Generator, options: dict[str, Any], common: dict[str, int], per_unit: int, role: int
) -> dict[str, int]:
    is_lut = role != ROLE_FILL and rng.random() < 0.3
    first = common["unit"] * per_unit
    # The same row again and again, for caches and merging; or any.
    again = rng.random() < 0.6
    bank = 0 if is_lut else first + (0 if again else int(rng.integers(per_unit)))
    row = 0 if again else int(rng.integers(3))
    bursts, result = 2 if again else int(rng.integers(1, 5)), options["result_bursts"]
    # Mostly as many bursts as are read, and the rest in any place; only what adds has to fit.
    covers = (
        int(rng.choice((0, *range(1, result + 1)))) if bursts <= result else int(rng.integers(1, result + 1))
    )
    return {
        **common,
        "kind": PIM_LUT if is_lut else PIM_READ,
        "role": role,
        "bank": bank,
        "row": row,
        "line": 0 if is_lut else bank * 3 + row,
        "flags": int(rng.choice((0, CACHE))),
        "column": 0 if is_lut else int(rng.integers(8)),
        "bursts": bursts,
        "segment": int(rng.choice((0, rng.integers(result - (covers or bursts) + 1)))),
        "covers": covers,
        "alu": int(rng.choice((0, 0, rng.integers(1, 8)))),
    }
