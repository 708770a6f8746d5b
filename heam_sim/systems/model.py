# SPDX-License-Identifier: MIT
"""What an architecture is made of."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from typing import Any, Literal

from heam_sim.dram import Controller, Spec, derive_pim, load_spec
from heam_sim.errors import ConfigError
from heam_sim.html import html_table
from heam_sim.numbers import real_number, whole_number

__all__ = ["Host", "Pim", "Placement", "System", "Tier"]

DELIVERIES = ("compressed", "two-stage", "broadcast", "host-driven")


@dataclass(frozen=True, kw_only=True)
class Host:
    """The host processor as far as it limits a gather.

    Attributes
    ----------
    clock_ps
        Period of its clock.
    issue_per_cycle
        Lines or PIM instructions that it issues in a cycle.
    outstanding_bursts
        Bursts of plain reads in flight.
    add_bytes_per_cycle
        Bytes of vectors that it adds in a cycle.
    line_bytes, llc_bytes, llc_ways
        Its last-level cache; ``llc_bytes = 0``: none.
    window_gnrs
        GnRs in flight (closed loop).
    batch_gnrs
        0: a sliding window; otherwise a barrier after so many GnRs.
    source
        Where the numbers come from.
    """

    source: str
    clock_ps: int
    issue_per_cycle: int
    outstanding_bursts: int
    add_bytes_per_cycle: int
    line_bytes: int
    llc_bytes: int
    llc_ways: int
    window_gnrs: int
    batch_gnrs: int

    def __post_init__(self) -> None:
        positive = (
            "clock_ps",
            "issue_per_cycle",
            "outstanding_bursts",
            "add_bytes_per_cycle",
            "line_bytes",
            "llc_ways",
            "window_gnrs",
        )
        _check_numbers(self, positive, "host", minimum=1)
        _check_numbers(self, ("llc_bytes", "batch_gnrs"), "host", minimum=0)
        if self.llc_bytes % (self.line_bytes * self.llc_ways):
            raise ConfigError(
                f"host.llc_bytes: {self.llc_bytes} is no multiple of line_bytes x llc_ways = "
                f"{self.line_bytes * self.llc_ways}."
            )

    @property
    def llc_sets(self) -> int:
        """Sets of the LLC; 0 without one."""
        return self.llc_bytes // (self.line_bytes * self.llc_ways)


@dataclass(frozen=True, kw_only=True)
class Pim:
    """Processing elements of a tier; meaning of the parameters in ``docs/engine.md``.

    Below the rank level of a DIMM an element is spread over all devices of a rank, which work in lock step;
    its LUT, its cache and its ALU are stated for all of them together (``docs/energy.md``).

    Attributes
    ----------
    source
        Where the numbers come from.
    unit_level, merge_level
        PE levels; ``merge_level = ""``: the units' sums go to the host as they are.
    queue_depth
        Operands that wait at a PE.
    batch_tags
        GnRs in flight per channel; every PE has an accumulator for each.
    instruction_buffer
        Instructions that wait in front of a channel's path.
    instruction_bits, path_bits_per_cycle, path_uses_dq
        Instruction delivery; whether the path takes the data pins as well.
    decode_cycles
        From the arrival of an instruction to the first command for it.
    alu_bytes_per_cycle, alu_latency_cycles
        Width and latency of a PE's arithmetic.
    merge_bytes_per_cycle
        Width of the adder at the merge level.
    mov_latency, res_latency
        Cycles, or the name of a timing value of the tier's memory.
    lut_bytes, lut_bytes_per_cycle
        Look-up table per PE; 0 bytes: none.
    weight_bits
        Bits that an instruction carries more where lookups have weights.
    delivery
        ``"compressed"``: one instruction per operand over the path. ``"two-stage"``: then over the path of
        its rank, of `second_stage_bits_per_cycle`. ``"broadcast"``: one instruction for all slices of an
        operand in a channel (vertical partition). ``"host-driven"``: no instructions, every DRAM command
        crosses the channel's command bus.
    second_stage_bits_per_cycle
        0: there is no second stage.
    instruction_per
        ``"operand"``, or ``"lookup"``: operands of a lookup that follow each other to one PE share an
        instruction; the PE derives the other rows (digits of the index, or the code that it reads).
    cache_bytes, cache_ways
        Cache of operand rows per PE, LRU; 0 bytes: none. A line holds the longest row that may be kept; rows
        come out through the port of the LUT.
    cache_rows, cache_min_reads
        Which rows may be kept: of all subtables or of the small ones, if the profile reads them at least so
        often (a locality bit in the instruction).
    prefetch
        While a GnR is computed, the rows that the next one may find in the caches are brought there.
    merge_identical
        An operand whose row is already waiting or being read at its PE is not read again.
    stack_bytes_per_cycle, stack_tags
        Width and accumulators of an adder over all channels of the tier, its one stack; 0 bytes: there is
        none, and the host reads every channel's results.
    xmov_cycles, xmov_latency
        Of the crossbar to it: cycles per burst, and from there to the adder.
    immediates
        Whether the host sends what it reads of a cold lookup to a PE, composed, as one vector (on the data
        pins nCWL after its PIM_WRIMM, as a write's).
    """

    source: str
    unit_level: str
    merge_level: str
    queue_depth: int
    batch_tags: int
    instruction_buffer: int
    instruction_bits: int
    path_bits_per_cycle: int
    path_uses_dq: bool
    decode_cycles: int
    alu_bytes_per_cycle: int
    alu_latency_cycles: int
    merge_bytes_per_cycle: int
    mov_latency: int | str
    res_latency: int | str
    lut_bytes: int
    lut_bytes_per_cycle: int
    weight_bits: int = 32
    delivery: Literal["compressed", "two-stage", "broadcast", "host-driven"] = "compressed"
    second_stage_bits_per_cycle: int = 0
    instruction_per: Literal["operand", "lookup"] = "operand"
    cache_bytes: int = 0
    cache_ways: int = 4
    cache_rows: Literal["all", "small"] = "all"
    cache_min_reads: int = 0
    merge_identical: bool = False
    prefetch: bool = False
    stack_bytes_per_cycle: int = 0
    stack_tags: int = 32
    xmov_cycles: int = 1
    xmov_latency: int | str = "nCL"
    immediates: bool = False

    def __post_init__(self) -> None:
        positive = (
            "queue_depth",
            "batch_tags",
            "instruction_buffer",
            "instruction_bits",
            "path_bits_per_cycle",
            "alu_bytes_per_cycle",
            "stack_tags",
            "xmov_cycles",
        )
        _check_numbers(
            self, (*positive, "merge_bytes_per_cycle", "lut_bytes_per_cycle", "cache_ways"), "pim", minimum=1
        )
        _check_numbers(
            self,
            (
                "decode_cycles",
                "alu_latency_cycles",
                "lut_bytes",
                "weight_bits",
                "second_stage_bits_per_cycle",
                "cache_bytes",
                "cache_min_reads",
                "stack_bytes_per_cycle",
            ),
            "pim",
            minimum=0,
        )
        in_base_die = bool(self.merge_level) or self.unit_level in ("channel", "dimm", "stack")
        if self.stack_bytes_per_cycle > 0 and not in_base_die:
            raise ConfigError(
                f"pim.stack_bytes_per_cycle: the crossbar of a stack starts in the base die, where sums of "
                f"PEs at {self.unit_level!r} do not get by themselves; set merge_level = 'channel'."
            )
        _check_choice("pim.delivery", self.delivery, DELIVERIES)
        _check_choice("pim.instruction_per", self.instruction_per, ("operand", "lookup"))
        if self.instruction_per == "lookup" and self.delivery in ("broadcast", "host-driven"):
            raise ConfigError(
                f"pim.instruction_per: 'lookup' does not go with delivery {self.delivery!r}, whose PEs share "
                "instructions already or get none; use 'operand'."
            )
        if self.prefetch and self.cache_bytes == 0:
            raise ConfigError("pim.prefetch: there is no cache to bring rows into; set cache_bytes.")
        _check_choice("pim.cache_rows", self.cache_rows, ("all", "small"))
        if (self.delivery == "two-stage") != (self.second_stage_bits_per_cycle > 0):
            raise ConfigError(
                f"pim.second_stage_bits_per_cycle: {self.second_stage_bits_per_cycle} does not go with "
                f"delivery {self.delivery!r}; 'two-stage' needs a positive number, the others 0."
            )

    @property
    def instruction_cycles(self) -> int:
        """Cycles that one instruction without a weight occupies its path."""
        return self.path_cycles(weighted=False)

    def instruction_size(self, *, weighted: bool) -> int:
        """Bits of an instruction."""
        return self.instruction_bits + (self.weight_bits if weighted else 0)

    def path_cycles(self, *, weighted: bool) -> int:
        """Cycles that one instruction occupies its path."""
        if self.delivery == "host-driven":
            return 0
        return -(-self.instruction_size(weighted=weighted) // self.path_bits_per_cycle)

    def second_stage_cycles(self, *, weighted: bool) -> int:
        """Cycles that it then occupies the path of its rank."""
        if self.delivery != "two-stage":
            return 0
        return -(-self.instruction_size(weighted=weighted) // self.second_stage_bits_per_cycle)

    def latency(self, value: int | str, spec: Spec) -> int:
        """Resolve a latency that is given in cycles or as the name of a timing value.

        Parameters
        ----------
        value
            Cycles, or a name.
        spec
            The tier's memory.

        Returns
        -------
        int
            Cycles of the memory's clock.
        """
        if isinstance(value, int):
            if not 0 <= value < 1 << 31:
                raise ConfigError(f"latency {value}: is no number of cycles; write one from 0 on.")
            return value
        if value not in spec.timing:
            raise ConfigError(
                f"latency {value!r}: {spec.name} has no such timing value; known: {', '.join(spec.timing)}."
            )
        return spec.timing[value]


@dataclass(frozen=True, kw_only=True)
class Tier:
    """A kind of memory with its controllers, and PEs if it has any.

    Attributes
    ----------
    name
        By which placement, overrides and results know it.
    source
        Where the numbers come from.
    memory, overrides, capacity_scale
        Preset, changes and factor on its rows, as in :func:`heam_sim.dram.load_spec`.
    channels
        How many.
    power
        Name or path of its power file (:func:`heam_sim.energy.load_power`).
    refresh
        True (all-bank), false or the name of a refresh.
    read_queue
        Reads queued per channel; of a tier with PEs, those of its own controllers are in :class:`Pim`.
    address_map
        Fields, most significant first (:func:`heam_sim.address.parse_map`).
    pages, page_bytes, page_seed
        Pages of so many bytes lie at ``"random"``, by a keyed permutation, or in ``"table-order"``.
    pim
        Its PEs; None: there are none.
    write_queue, write_high_percent, write_low_percent
        Entries; fill at which writes begin and end. This and what follows describe the controllers of a tier
        without PEs (:class:`heam_sim.dram.Controller`).
    scheduler, row_hit_cap
        ``"frfcfs"``, ``"fcfs"`` or ``"frfcfs-cap"`` with its cap.
    row_policy, row_timeout, row_cap
        ``"open"``, ``"closed"``, ``"timeout"`` (cycles) or ``"capped"`` (column commands).
    refresh_stagger, refresh_postpone
        Ranks in turn; intervals that a refresh may wait for idle banks.
    power_budget_W
        What the tier may draw in any microsecond; None: nothing is stated.
    """

    name: str
    source: str
    memory: str
    overrides: Mapping[str, Any]
    channels: int
    capacity_scale: int
    power: str
    refresh: bool | str
    read_queue: int
    address_map: str
    pages: Literal["random", "table-order"]
    page_bytes: int
    page_seed: int
    pim: Pim | None = None
    write_queue: int = 32
    write_high_percent: int = 80
    write_low_percent: int = 20
    scheduler: str = "frfcfs"
    row_hit_cap: int | None = None
    row_policy: str = "open"
    row_timeout: int | None = None
    row_cap: int | None = None
    refresh_stagger: bool = False
    refresh_postpone: int = 0
    power_budget_W: float | None = None

    def __post_init__(self) -> None:
        _check_numbers(
            self, ("channels", "capacity_scale", "read_queue", "page_bytes"), f"tier {self.name}", minimum=1
        )
        _check_numbers(self, ("page_seed",), f"tier {self.name}", minimum=0)
        budget = self.power_budget_W
        if budget is not None:
            real_number(f"tier {self.name}: power_budget_W", budget, above=0)
        if self.pages not in ("random", "table-order"):
            raise ConfigError(f"tier {self.name}: pages is {self.pages!r}; write 'random' or 'table-order'.")
        try:
            controller = self.controller
        except ConfigError as error:
            raise ConfigError(f"tier {self.name}: {error}") from None
        plain = Controller(refresh=controller.refresh, read_queue=self.read_queue)
        if self.pim is not None and (controller != plain or controller.refresh not in ("all-bank", "none")):
            raise ConfigError(
                f"tier {self.name}: its PEs have controllers of their own, with all-bank refresh or none; "
                "leave out scheduler, row policy, write queue and other refreshes."
            )

    @property
    def controller(self) -> Controller:
        """Queues and policies of its plain channels."""
        given = {item.name: getattr(self, item.name) for item in fields(Controller) if item.name != "refresh"}
        names = {True: "all-bank", False: "none"}
        refresh = names[self.refresh] if isinstance(self.refresh, bool) else self.refresh
        return Controller(refresh=refresh, **given)

    def spec(self) -> Spec:
        """Return the resolved memory, with PIM commands if the tier has PEs."""
        pim = self.pim
        units = None if pim is None else (pim.unit_level, pim.merge_level or None, pim.immediates)
        changes = tuple((key, type(value), value) for key, value in self.overrides.items())
        try:
            return _resolved(self.memory, changes, self.capacity_scale, units)
        except TypeError:  # a value that cannot be hashed; whoever reads it says what is wrong with it
            return _resolved.__wrapped__(self.memory, changes, self.capacity_scale, units)


# A pure function of its arguments, and much of what a short run takes: the points of a sweep share memories.
@functools.lru_cache(maxsize=64)
def _resolved(
    memory: str,
    changes: tuple[tuple[str, type, Any], ...],
    capacity_scale: int,
    units: tuple[str, str | None, bool] | None,
) -> Spec:
    overrides = {key: value for key, _, value in changes}
    spec = load_spec(memory, overrides=overrides or None, capacity_scale=capacity_scale)
    return spec if units is None else derive_pim(spec, *units[:2], immediates=units[2])


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Which rows live in which tier.

    Attributes
    ----------
    source
        Where the numbers come from.
    policy, tier, hot_tier, hot_share
        ``"single"``: all in `tier`; ``"hot-cold"``: all in `tier`, and copies of the rows that take
        `hot_share` of the profile's accesses in `hot_tier`.
    small_tables
        Home of small rows (R, all partitions or cores but the main one) for the PEs: ``"lut"`` (overflow
        duplicated in every unit), ``"replicated"`` (in the banks of every unit when the composition
        multiplies) or ``"home"`` (an ordinary place).
    partition
        ``"horizontal"``: a vector lies whole in one node. ``"vertical"``: it is striped over the nodes (the
        units) in slices of at least a burst.
    stripe
        Over which nodes: those of one ``"channel"`` or of the whole ``"tier"``.
    replicate_share
        The rows that take this share of the profile's accesses have a copy at every PE, and each of their
        operands goes to the PE with the fewest operands so far.
    pair_share, pair_rows
        Share of the space which the hot rows leave in the hot tier that may hold sums of two lookups each:
        those that the profile gathers together most often, among the `pair_rows` lookups that are in most of
        its bags. A GnR reads such a sum in place of both. Not for weighted lookups.
    dispatch_window
        GnRs over which operands are counted; 0: the host's batch, or its window without one.
    packet_samples
        Samples whose bags are sent table by table; 1: the order of the trace. Says nothing where a whole
        sample is pooled into one vector.
    """

    source: str
    policy: Literal["single", "hot-cold"]
    tier: str
    small_tables: Literal["lut", "replicated", "home"]
    hot_tier: str = ""
    hot_share: float = 0.0
    partition: Literal["horizontal", "vertical"] = "horizontal"
    stripe: Literal["channel", "tier"] = "tier"
    replicate_share: float = 0.0
    pair_share: float = 0.0
    pair_rows: int = 65536
    dispatch_window: int = 0
    packet_samples: int = 1

    def __post_init__(self) -> None:
        _check_choice("placement.policy", self.policy, ("single", "hot-cold"))
        _check_choice("placement.small_tables", self.small_tables, ("lut", "replicated", "home"))
        _check_choice("placement.partition", self.partition, ("horizontal", "vertical"))
        _check_choice("placement.stripe", self.stripe, ("channel", "tier"))
        for name in ("hot_share", "replicate_share", "pair_share"):
            real_number(f"placement.{name}", getattr(self, name), minimum=0, maximum=1)
        _check_numbers(self, ("dispatch_window",), "placement", minimum=0)
        _check_numbers(self, ("packet_samples",), "placement", minimum=1)
        _check_numbers(self, ("pair_rows",), "placement", minimum=1)
        if self.pair_share > 0 and self.policy != "hot-cold":
            raise ConfigError(
                "placement.pair_share: sums of pairs lie where hot rows leave space; use policy 'hot-cold', "
                "or set it to 0."
            )
        if self.partition == "vertical" and (self.policy != "single" or self.replicate_share > 0):
            raise ConfigError(
                "placement.partition: 'vertical' stripes every vector over the nodes of the one tier; use it "
                "with policy 'single' and replicate_share 0."
            )
        if self.partition == "vertical" and self.small_tables == "lut":
            raise ConfigError(
                "placement.small_tables: a LUT holds whole rows, but 'vertical' needs slices; use "
                "'replicated' or 'home'."
            )


@dataclass(frozen=True, kw_only=True)
class System:
    """An architecture: tiers, placement and the host.

    Attributes
    ----------
    name
        For tables and figures.
    title
        For people.
    source
        Where the architecture is described.
    tiers
        Kinds of memory, in the order of their channels' numbers.
    placement
        Which rows live where.
    host
        The one host.
    """

    name: str
    title: str
    source: str
    tiers: tuple[Tier, ...]
    placement: Placement
    host: Host

    def __post_init__(self) -> None:
        names = [tier.name for tier in self.tiers]
        if len(set(names)) != len(names) or not names:
            raise ConfigError(
                f"system {self.name}: tiers need different names, and there must be one; got {names}."
            )
        used = [self.placement.tier] + (
            [self.placement.hot_tier] if self.placement.policy == "hot-cold" else []
        )
        for name in used:
            if name not in names:
                raise ConfigError(
                    f"system {self.name}: placement names tier {name!r}, but there are {', '.join(names)}."
                )
        if self.placement.policy == "hot-cold" and self.tier(self.placement.tier).pim is not None:
            raise ConfigError(
                f"system {self.name}: the cold tier {self.placement.tier!r} is read by the host and can "
                f"have no PEs."
            )
        home = self.tier(self.placement.tier)
        if self.placement.partition == "horizontal" and any(
            tier.pim is not None and tier.pim.delivery == "broadcast" for tier in self.tiers
        ):
            raise ConfigError(
                f"system {self.name}: pim.delivery 'broadcast' tells all nodes of a channel about their "
                "slices of a vector; use it with placement.partition 'vertical'."
            )
        if home.pim is None and self.placement.partition == "vertical":
            raise ConfigError(
                f"system {self.name}: placement.partition is 'vertical', but tier {home.name!r} has no PEs "
                "to stripe vectors over; use 'horizontal'."
            )
        if self.placement.replicate_share > 0 and all(tier.pim is None for tier in self.tiers):
            raise ConfigError(
                f"system {self.name}: placement.replicate_share needs PEs that copies could be at; "
                "set it to 0."
            )
        if self.placement.replicate_share > 0 and any(tier.pim and tier.pim.prefetch for tier in self.tiers):
            raise ConfigError(
                f"system {self.name}: pim.prefetch and placement.replicate_share do not go together: where "
                "an operand will run is not known a GnR ahead; switch one off."
            )
        if self.placement.policy == "hot-cold" and self.placement.tier == self.placement.hot_tier:
            raise ConfigError(
                f"system {self.name}: placement.hot_tier is the home tier {self.placement.tier!r}; "
                "name another."
            )

    def _repr_html_(self) -> str:
        rows = [
            (tier.name, str(tier.channels), tier.memory, "none" if tier.pim is None else tier.pim.unit_level)
            for tier in self.tiers
        ]
        caption = f"{self.title} ({self.name}): {self.source}"
        return html_table(caption, rows, ("tier", "channels", "memory", "PEs"))

    @property
    def dispatch_window(self) -> int:
        """GnRs over which the operands of each PE are counted."""
        return self.placement.dispatch_window or self.host.batch_gnrs or self.host.window_gnrs

    def tier(self, name: str) -> Tier:
        """Return the tier called `name`."""
        return next(tier for tier in self.tiers if tier.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Return the description in plain JSON types."""
        return asdict(self)

    def tick_ps(self, specs: Mapping[str, Spec]) -> Fraction:
        """Return the greatest common divisor of all clock periods, exact.

        Parameters
        ----------
        specs
            Memories by tier.

        Returns
        -------
        Fraction
            In ps.
        """
        periods = [Fraction(self.host.clock_ps), *(spec.tCK_ps for spec in specs.values())]
        tick = periods[0]
        for period in periods[1:]:
            while period:
                tick, period = period, tick % period
        return tick


#: Values above these are refused by the engine; anything else must fit 31 bits.
_LARGEST = {
    "channels": 4096,
    "outstanding_bursts": 1 << 24,
    "window_gnrs": 1 << 20,
    "batch_tags": 4096,
    "stack_tags": 65536,
    "queue_depth": 4096,
    "read_queue": 16384,
    "llc_bytes": 1 << 40,
    "lut_bytes": 1 << 40,
    "cache_bytes": 1 << 40,
    "cache_ways": 4096,
    "page_bytes": 1 << 40,
    "pair_rows": 1 << 24,
    "page_seed": 1 << 62,
    "packet_samples": 1 << 16,
}


def _check_choice(key: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        names = [repr(choice) for choice in choices]
        if len(names) == 2:
            raise ConfigError(f"{key}: {value!r} is neither {names[0]} nor {names[1]}.")
        raise ConfigError(f"{key}: {value!r} is not {', '.join(names[:-1])} or {names[-1]}.")


def _check_numbers(owner: object, names: tuple[str, ...], where: str, *, minimum: int) -> None:
    for name in names:
        largest = _LARGEST.get(name, (1 << 31) - 1)
        number = whole_number(f"{where}.{name}", getattr(owner, name), minimum=minimum, maximum=largest)
        object.__setattr__(owner, name, number)
