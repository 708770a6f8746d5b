# SPDX-License-Identifier: MIT
"""Every switch that a system has, with a few settings each, and what descriptions refuse to combine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from heam_sim.systems import Tier, load_system
from tests.functional.small import PSEUDO_CHANNELS

#: What to change: ``run.*`` arguments of ``simulate``, ``host.*``, ``placement.*``, and for tiers ``all.*``,
#: ``plain.*`` (those without PEs), ``pim.*`` (PEs) or their own names.
Setting = Mapping[str, Any]
Factors = dict[str, dict[str, Setting]]

SCHEMES = (
    "full",
    "hash:0.25",
    "qr:4",
    "qr:8:add",
    "qr:4:concatenate",
    "qr:4:multiply:200",
    "qr:4:pool-first",
    "partitions:3",
    "tt:8",
    "pq:3:16",
)
DDR5 = {"dimm.memory": "native/DDR5_16Gb_x8/DDR5_4800", "dimm.power": "ddr5-4800-16gb-x8"}
XOR = "row column bank rank bank_group channel column.vector | bank_group.0^row.0 bank.0^row.1"

SHARED: Factors = {
    "scheme": {name: {"run.embedding": name} for name in SCHEMES},
    "scope": {"bag": {"run.scope": "bag"}, "sample": {"run.scope": "sample"}},
    "weights": {"none": {}, "floats": {"run.weights": True}},
    "vector": {
        **{size: {"run.vector_bytes": int(size)} for size in ("128", "64", "256")},
        "256 in lines of 128": {"run.vector_bytes": 256, "host.line_bytes": 128},
    },
    "profile": {"half": {"run.profile": 0.5}, "none": {"run.profile": 0}},
    "packets": {"no": {}, "of three": {"placement.packet_samples": 3}},
    "window": {"wide": {}, "of two": {"host.window_gnrs": 2}},
    "batch": {"sliding": {}, "barrier": {"host.batch_gnrs": 3}},
    "LLC": {
        "large": {},
        "none": {"host.llc_bytes": 0},
        "small": {"host.llc_bytes": 2048, "host.llc_ways": 4},
    },
    "host": {
        "strong": {},
        "weak": {
            "host.outstanding_bursts": 4,
            "host.issue_per_cycle": 1,
            "host.add_bytes_per_cycle": 8,
            "host.clock_ps": 1250,
        },
    },
    "map": {
        "own": {},
        "bank outside": {"all.address_map": "row bank column rank bank_group channel column.vector"},
        "channel outside": {"all.address_map": "row channel rank bank bank_group column column.vector"},
        "XOR": {"all.address_map": XOR},
    },
    "pages": {
        "random": {},
        "in order": {"all.pages": "table-order"},
        "small": {"all.page_bytes": 1024, "all.page_seed": 7},
    },
    "size": {"own": {}, "doubled": {"all.capacity_scale": 2}},
    "refresh": {"on": {}, "off": {"all.refresh": False}, "often": {"all.nREFI": 700}},
    "channels": {"own": {}, "one": {"all.channels": 1}, "three": {"all.channels": 3}},
}
PLAIN: Factors = {
    "controller": {
        "FR-FCFS": {},
        "FCFS": {"plain.scheduler": "fcfs"},
        "closed rows": {"plain.row_policy": "closed"},
        "rows with a timeout": {"plain.row_policy": "timeout", "plain.row_timeout": 60},
        "two hits a row": {"plain.row_policy": "capped", "plain.row_cap": 2},
        "two hits first": {"plain.scheduler": "frfcfs-cap", "plain.row_hit_cap": 2},
        "one read": {"plain.read_queue": 1},
        "late refreshes": {"plain.refresh_stagger": True, "plain.refresh_postpone": 3},
    },
}
PIM: Factors = {
    "delivery": {
        "compressed": {"pim.delivery": "compressed", "pim.second_stage_bits_per_cycle": 0},
        "two-stage": {"pim.delivery": "two-stage", "pim.second_stage_bits_per_cycle": 26},
        "host-driven": {"pim.delivery": "host-driven", "pim.second_stage_bits_per_cycle": 0},
        "broadcast": {"pim.delivery": "broadcast", "pim.second_stage_bits_per_cycle": 0},
    },
    "instructions": {name: {"pim.instruction_per": name} for name in ("operand", "lookup")},
    "data pins": {"used": {"pim.path_uses_dq": True}, "free": {"pim.path_uses_dq": False}},
    "weight bits": {"none": {"pim.weight_bits": 0}, "32": {"pim.weight_bits": 32}},
    "small tables": {name: {"placement.small_tables": name} for name in ("replicated", "lut", "home")},
    "LUT": {size: {"pim.lut_bytes": int(size)} for size in ("131072", "0", "768")},
    "copies": {
        "none": {"placement.replicate_share": 0.0},
        "half": {"placement.replicate_share": 0.5},
        "all": {"placement.replicate_share": 1.0, "placement.dispatch_window": 3},
    },
    "merging": {"off": {"pim.merge_identical": False}, "on": {"pim.merge_identical": True}},
    "cache": {
        "none": {"pim.cache_bytes": 0},
        "large": {"pim.cache_bytes": 131072, "pim.cache_min_reads": 0},
        "one way": {"pim.cache_bytes": 8192, "pim.cache_ways": 1, "pim.cache_min_reads": 0},
        "hot rows": {"pim.cache_bytes": 131072, "pim.cache_min_reads": 2},
    },
    "cached rows": {name: {"pim.cache_rows": name} for name in ("all", "small")},
    "prefetch": {"off": {"pim.prefetch": False}, "on": {"pim.prefetch": True}},
    "tags": {"four": {"pim.batch_tags": 4}, "one": {"pim.batch_tags": 1}},
    "queues": {
        "long": {},
        "of one": {"pim.queue_depth": 1, "pim.instruction_buffer": 1},
        "of two": {"pim.queue_depth": 2, "pim.instruction_buffer": 3},
    },
    "stack": {
        "no": {"pim.stack_bytes_per_cycle": 0},
        "wide": {"pim.stack_bytes_per_cycle": 64},
        "narrow": {
            "pim.stack_bytes_per_cycle": 16,
            "pim.stack_tags": 1,
            "pim.xmov_cycles": 3,
            "pim.xmov_latency": 0,
        },
    },
    "cold rows": {
        "host": {"pim.immediates": False},
        "PEs": {"pim.immediates": True},
    },
    "speed": {
        "own": {},
        "slow": {
            "pim.path_bits_per_cycle": 17,
            "pim.decode_cycles": 5,
            "pim.alu_bytes_per_cycle": 16,
            "pim.merge_bytes_per_cycle": 8,
            "pim.lut_bytes_per_cycle": 4,
        },
        "at once": {
            "pim.instruction_bits": 10,
            "pim.alu_latency_cycles": 0,
            "pim.mov_latency": 0,
            "pim.res_latency": 0,
        },
    },
}  # fmt: skip
VERTICAL: Factors = {
    "partition": {
        "horizontal": {"placement.partition": "horizontal"},
        "over the tier": {"placement.partition": "vertical", "placement.stripe": "tier"},
        "over a channel": {"placement.partition": "vertical", "placement.stripe": "channel"},
    },
}
HOT: Factors = {
    "hot share": {name: {"placement.hot_share": float(name)} for name in ("0.5", "0.0", "1.0")},
    "pairs": {
        "none": {"placement.pair_share": 0.0},
        "all": {"placement.pair_share": 1.0},
        "few": {"placement.pair_share": 1e-6, "placement.pair_rows": 3},
    },
}


#: Parameters without settings here, and why.
NO_SWITCHES = {
    "host": {"source": "text"},
    "placement": {
        "source": "text",
        "policy": "what a system is",
        "tier": "the same",
        "hot_tier": "the same",
    },
    "pim": {"source": "text"},
    "tier": {
        "name": "text",
        "source": "text",
        "power_budget_W": "changes notes only",
        "pim": "see there",
        "write_queue": "embeddings are not written",
        "write_high_percent": "the same",
        "write_low_percent": "the same",
    },
}


@cache
def factors_of(system: str) -> Factors:
    """All switches of a system."""
    described = load_system(system)
    pim = next((tier for tier in described.tiers if tier.pim is not None), None)
    found = {**SHARED}
    if any(tier.pim is None for tier in described.tiers):
        found |= PLAIN
    if any(tier.name == "hbm" for tier in described.tiers):
        found["HBM"] = {"128 bit": {}, "pseudo channels": PSEUDO_CHANNELS}
    if any(tier.name == "dimm" for tier in described.tiers):
        found["DIMM"] = {"DDR4": {}, "DDR5": DDR5}
    if described.placement.policy == "hot-cold":
        found |= HOT
    if pim is not None:
        found |= PIM | {"levels": _levels(pim)}
        # Striped vectors have no hot and cold tiers.
        found |= VERTICAL if described.placement.policy == "single" else {"partition": {"horizontal": {}}}
    return found


def _levels(tier: Tier) -> dict[str, Setting]:
    """Where PEs and adders may be."""
    spec = tier.spec()
    inner = [level for level in spec.levels if level in ("bank", "bank_group", "rank", "pseudo_channel")]
    within = tier.pim is not None and not tier.pim.merge_level
    found: dict[str, Setting] = {"own, no adder" if within and tier.pim.unit_level in inner else "own": {}}
    for unit in inner:
        found[unit] = {"pim.unit_level": unit, "pim.merge_level": "channel"}
        found[f"{unit}, no adder"] = {"pim.unit_level": unit, "pim.merge_level": ""}
    far = "stack" if tier.name == "hbm" else "dimm"
    found["far adder"] = {"pim.merge_level": far}
    return found


def multiplies(scheme: str) -> bool:
    """Rows of a lookup are multiplied with each other."""
    return scheme in ("qr:4", "qr:4:multiply:200", "partitions:3", "tt:8")


#: Settings that may not stand together: a test of a row, which may be a part of one, and the message.
RULES: dict[str, Callable[[Mapping[str, str]], bool]] = {
    r"less than a burst or host line": lambda row: (
        (row.get("scheme") == "qr:4:concatenate" and row.get("vector") == "64")
        or (row.get("scheme") == "pq:3:16" and row.get("vector") == "256 in lines of 128")
    ),
    r"scope 'sample' pools all tables": lambda row: (
        row.get("scheme") == "qr:4:pool-first" and row.get("scope") == "sample"
    ),
    r"'vertical' cannot stripe the cores": lambda row: row.get("scheme") == "tt:8" and _vertical(row),
    r"'vertical' stripes every vector": lambda row: _vertical(row) and row.get("copies") in ("half", "all"),
    r"a LUT holds whole rows, but 'vertical' needs slices": lambda row: (
        _vertical(row) and row.get("small tables") == "lut"
    ),
    r"use it with placement.partition 'vertical'": lambda row: (
        row.get("delivery") == "broadcast" and row.get("partition") == "horizontal"
    ),
    r"'lookup' does not go with delivery": lambda row: (
        row.get("instructions") == "lookup" and row.get("delivery") in ("broadcast", "host-driven")
    ),
    r"'home' leaves small rows": lambda row: (
        row.get("small tables") == "home" and multiplies(row.get("scheme", ""))
    ),
    r"can be neither staggered nor postponed": lambda row: (
        row.get("controller") == "late refreshes" and row.get("refresh") == "off"
    ),
    r"the crossbar of a stack starts in the base die": lambda row: (
        row.get("stack", "no") != "no" and row.get("levels", "own").endswith("no adder")
    ),
    r"immediates share the data bus": lambda row: (
        row.get("cold rows") == "PEs" and row.get("speed") == "at once"
    ),
    r"there is no cache to bring rows into": lambda row: (
        row.get("prefetch") == "on" and row.get("cache") == "none"
    ),
    r"pim.prefetch and placement.replicate_share do not go together": lambda row: (
        row.get("prefetch") == "on" and row.get("copies") in ("half", "all")
    ),
}


def _vertical(row: Mapping[str, str]) -> bool:
    """Vectors are striped."""
    return row.get("partition", "horizontal") != "horizontal"


def reasons(row: Mapping[str, str]) -> list[str]:
    """Why settings are refused: patterns of messages."""
    return [message for message, broken in RULES.items() if broken(row)]


def arguments(system: str, row: Mapping[str, str]) -> dict[str, Any]:
    """Arguments of ``simulate`` (and ``weights``) for a row."""
    described, factors = load_system(system), factors_of(system)
    result: dict[str, Any] = {"system": system, "weights": False}
    overrides: dict[str, Any] = {}
    for factor, name in row.items():
        for key, value in factors[factor][name].items():
            part, _, rest = key.partition(".")
            if value == "rank" and row.get("HBM") == "pseudo channels":
                value = "pseudo_channel"  # what lies below a channel of that memory
            if part == "run":
                result[rest] = value
                continue
            if part not in ("all", "plain", "pim"):
                overrides[key] = value
                continue
            for tier in described.tiers:
                if part == "pim" and tier.pim is not None:
                    overrides[f"{tier.name}.pim.{rest}"] = value
                elif rest == "nREFI":
                    # As short as two ranks of the memory allow.
                    due = 3 * value if tier.name == "dimm" and row.get("DIMM") == "DDR5" else value
                    overrides[f"{tier.name}.overrides"] = {**tier.overrides, rest: due}
                elif part == "all" or (part == "plain" and tier.pim is None):
                    overrides[f"{tier.name}.{rest}"] = value
    return {**result, "overrides": overrides}
