# SPDX-License-Identifier: MIT
"""Operands that are multiplied with each other before they are added."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from heam_sim.check.flow import ACC, LOAD, MAC, MUL, Access, Flow, place_name, report
from heam_sim.check.operands import Values
from heam_sim.check.report import Findings
from heam_sim.embedding import EmbeddingScheme, Subtable

__all__ = ["Weights", "compose", "compose_cores", "compose_sums"]

IntArray = npt.NDArray[np.int64]
#: Integer weight of (GnR, slot).
Weights = Callable[[IntArray, IntArray], IntArray]


def _groups(keys: Sequence[IntArray], order: IntArray) -> IntArray:
    """First positions, in the sorted order, of elements that agree in all keys."""
    new = np.ones(len(order), dtype=np.bool_)
    for key in keys:
        new[1:] &= key[order][1:] == key[order][:-1]
    new[1:] = ~new[1:]
    return np.flatnonzero(new)


def _tell(findings: Findings, access: Access, which: IntArray, clock: IntArray, what: str) -> None:
    """Report broken registers by one of their operands each."""
    a = access.only(which)
    report(
        findings, "pairing", a.moment, clock,
        lambda i: f"GnR {int(a.tag[i])} slot {int(a.slot[i])} granule {int(a.granule[i])} at "
        f"{place_name(int(a.place[i]))} {what}",
    )  # fmt: skip


def compose(access: Access, weights: Weights, clock: IntArray, findings: Findings) -> Flow:
    """Turn operands into what is added: ACC as it is, the links of a chain multiplied; times the weight.

    A chain is what has one register: place, GnR, slot, granule. Without exactly one LOAD and one MAC it is a
    violation, and so is a PE's chain that is read in another order than LOAD, any MUL, MAC.
    """
    plain = access.only(access.role == ACC)
    factors = access.only(access.role != ACC)
    keys = (factors.place, factors.tag, factors.slot, factors.granule)
    order = np.lexsort((factors.moment, factors.role, *reversed(keys)))
    start = _groups(keys, order)
    size = np.diff(np.append(start, len(order)))
    # Sorted by role: LOAD, MAC, then any MUL.
    role = np.append(factors.role[order], [-1, -1])
    good = (size >= 2) & (role[start] == LOAD) & (role[np.minimum(start + 1, len(order))] == MAC)
    good &= (size == 2) | (role[np.minimum(start + 2, len(order))] == MUL)
    _tell(findings, factors, order[start[~good]], clock, "does not meet exactly one LOAD and one MAC")
    start, size = start[good], size[good]
    load, mac = order[start], order[start + 1]
    inside = np.zeros(len(order) + 1, dtype=np.bool_)
    inside[np.repeat(start, size) + _ordinals(size)] = True
    links = order[inside[:-1]]
    cuts = np.cumsum(size) - size
    if len(start) == 0:
        return Flow(*_weighted(plain, weights))
    moment = factors.moment[links]
    last = np.maximum.reduceat(moment, cuts)
    # The first link after the LOAD must not come before it, nor the MAC before any other.
    multiplied = np.where(factors.role[links] == LOAD, np.iinfo(np.int64).max, moment)
    early = (factors.moment[mac] < last) | (np.minimum.reduceat(multiplied, cuts) < factors.moment[load])
    _tell(
        findings, factors, mac[early & (factors.place[mac] >= 0)], clock,
        "is multiplied too early: a MAC comes before its LOAD or MUL, or a MUL before its LOAD",
    )  # fmt: skip
    product = Access(
        factors.place[mac], factors.tag[mac], factors.granule[mac], last,
        np.multiply.reduceat(factors.value[links], cuts, axis=0),
        factors.slot[mac], factors.role[mac], factors.number[mac],
    )  # fmt: skip
    return Flow(*_weighted(plain.joined(product), weights))


def _weighted(access: Access, weights: Weights) -> tuple[IntArray, IntArray, IntArray, IntArray, IntArray]:
    value = access.value * weights(access.tag, access.slot)[:, None]
    return access.place, access.tag, access.granule, access.moment, value


def _ordinals(counts: IntArray) -> IntArray:
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    ordinals: IntArray = np.arange(total, dtype=np.int64) - np.repeat(ends - counts, counts)
    return ordinals


def compose_cores(
    access: Access,
    values: Values,
    scheme: EmbeddingScheme,
    subtables: Sequence[Subtable],
    weights: Weights,
    vector_bytes: int,
    clock: IntArray,
    findings: Findings,
) -> Flow:
    """Multiply the cores of every lookup, which must have met in one place, each whole and read once.

    In a PE the LOAD must be complete before another core is read, and all others before the MAC.
    """
    keys = (access.place, access.tag, access.slot)
    order = np.lexsort((access.granule, access.number, *reversed(keys)))
    a = access.only(order)
    start = _groups(keys, order)
    if len(start) == 0:
        empty = np.zeros(0, dtype=np.int64)
        return Flow(empty, empty, empty, empty, np.zeros((0, access.value.shape[1]), dtype=np.int64))
    size = np.diff(np.append(start, len(order)))
    group = np.repeat(np.arange(len(start)), size)
    # A row that is read once and whole begins with granule 0 and goes on by ones up to its end.
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = (a.number[1:] != a.number[:-1]) | (group[1:] != group[:-1])
    ends = np.append(first[1:], True)
    right = np.where(first, a.granule == 0, a.granule == np.append(-1, a.granule[:-1]) + 1)
    right &= ~ends | (a.granule == values.size[a.number] - 1)
    whole = np.logical_and.reduceat(right, start) & (np.add.reduceat(first.astype(np.int64), start) == 3)
    rows = np.flatnonzero(first & whole[group])
    numbers = a.number[rows].reshape(-1, 3)
    roles = np.array([part.role for part in subtables])[values.subtable[numbers]]
    tables = np.array([part.table for part in subtables])[values.subtable[numbers]]
    chosen = np.flatnonzero(whole)
    fits = (np.sort(roles, axis=1) == ["G1", "G2", "G3"]).all(axis=1) & (tables == tables[:, :1]).all(axis=1)
    whole[chosen[~fits]] = False
    _tell(findings, a, start[~whole], clock, "does not meet three whole cores of one table, each read once")
    chosen, numbers, roles = chosen[fits], numbers[fits], roles[fits]
    moment = np.maximum.reduceat(a.moment, start)[chosen]
    _order_of_cores(a, start, clock, findings)
    flow = a.only(start[chosen])
    cores = {
        role: values.rows_of(numbers[roles == role]).reshape(len(chosen), -1) for role in ("G1", "G2", "G3")
    } if len(chosen) else {}  # fmt: skip
    lanes = access.value.shape[1]
    granules = vector_bytes // 4 // lanes
    product = np.zeros((0, granules, lanes), dtype=np.int64)
    if len(chosen):
        product = scheme.contract(cores, vector_bytes).reshape(-1, granules, lanes)  # type: ignore[attr-defined]
    product = product * weights(flow.tag, flow.slot)[:, None, None]
    each = np.repeat(np.arange(len(chosen)), granules)
    return Flow(
        flow.place[each],
        flow.tag[each],
        np.tile(np.arange(granules, dtype=np.int64), len(chosen)),
        moment[each],
        product.reshape(-1, lanes),
    )


def compose_sums(
    sums: IntArray, subtables: Sequence[Subtable], tables: int, granules: int, granule_bytes: int
) -> IntArray:
    """Multiply the sums of every bag's parts, which lie side by side.

    Parameters
    ----------
    sums
        int64 (bags, granules of all sums, lanes), bags by ``sample * tables + table``.
    subtables
        Those of the model; `segment_bytes` says where a part's sum lies.
    tables
        Tables of the model.
    granules, granule_bytes
        Granules of a vector, and their size.

    Returns
    -------
    numpy.ndarray
        int64 (bags, granules, lanes).
    """
    result = np.ones((len(sums), granules, sums.shape[2]), dtype=np.int64)
    for part in subtables:
        first = part.segment_bytes // granule_bytes
        result[part.table :: tables] *= sums[part.table :: tables, first : first + granules]
    return result


def _order_of_cores(a: Access, start: IntArray, clock: IntArray, findings: Findings) -> None:
    """LOAD, then MUL, then MAC, each only when the one before is complete."""
    never = np.iinfo(np.int64).max

    def ends(role: int) -> tuple[IntArray, IntArray]:
        mine = a.role == role
        return (
            np.minimum.reduceat(np.where(mine, a.moment, never), start),
            np.maximum.reduceat(np.where(mine, a.moment, -1), start),
        )

    (load_first, load), (multiply_first, multiply), (add_first, _) = ends(LOAD), ends(MUL), ends(MAC)
    early = (load > np.minimum(multiply_first, add_first)) | (multiply > add_first)
    early |= (load_first == never) | (add_first == never)
    _tell(
        findings, a, start[early & (a.place[start] >= 0)], clock,
        "multiplies before its factors are there, or has no LOAD or no MAC",
    )  # fmt: skip
