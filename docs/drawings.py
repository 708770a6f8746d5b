# SPDX-License-Identifier: MIT
"""Draws the figures of concepts.md as SVG: ``python docs/drawings.py`` writes docs/images/*.svg.

Every drawing lies on white, so that it reads the same on a light page, a dark one and paper. Colours are told
apart by lightness too, and nothing is said by colour alone.
"""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

IMAGES = Path(__file__).parent / "images"

INK, SOFT, WHITE = "#1b1f24", "#5b6570", "#ffffff"
HOST, DIMM, HBM, PE, LUT, BANK = "#e3e7ec", "#cfe0f5", "#fbe3c8", "#d1495b", "#8a2846", "#f4f6f8"


class Drawing:
    """Shapes on white, in units of about a pixel."""

    def __init__(self, name: str, width: int, height: int, title: str, description: str) -> None:
        self.name = name
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            'role="img" aria-labelledby="title desc" font-family="Helvetica, Arial, sans-serif" '
            'font-size="13">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="desc">{escape(description)}</desc>',
            f'<rect width="{width}" height="{height}" fill="{WHITE}"/>',
        ]

    def box(
        self, x: float, y: float, w: float, h: float, fill: str, *, stroke: str = INK, radius: int = 3
    ) -> None:
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="{radius}" fill="{fill}" '
            f'stroke="{stroke}"/>'
        )

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        anchor: str = "middle",
        size: int = 13,
        fill: str = INK,
        bold: bool = False,
    ) -> None:
        weight = ' font-weight="bold"' if bold else ""
        self._parts.append(
            f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}" fill="{fill}"{weight}>'
            f"{escape(words)}</text>"
        )

    def line(
        self, *points: tuple[float, float], width: float = 1.5, stroke: str = INK, dashes: str = ""
    ) -> None:
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self._parts.append(
            f'<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="{width:g}"{dashed}/>'
        )

    def svg(self) -> str:
        return "\n".join([*self._parts, "</svg>", ""])


def tiers() -> Drawing:
    """Host, DIMMs, stack; and what a bank group holds."""
    d = Drawing(
        "tiers",
        760,
        560,
        "The tiers of a system and where processing elements can sit",
        "A host with a last-level cache and an adder reads two channels of DIMMs and one HBM stack. "
        "PEs can sit in the buffer chip of a DIMM, in a rank, in a bank group with a look-up table, at a "
        "bank, and in the base die.",
    )
    # Behind everything else: what is drawn larger below.
    d.line((486, 190), (62, 373), width=1, stroke=SOFT, dashes="4 3")
    d.line((512, 190), (698, 373), width=1, stroke=SOFT, dashes="4 3")
    # Host
    d.box(30, 30, 700, 66, HOST)
    d.text(46, 52, "Host", anchor="start", bold=True)
    for x, w, words in (
        (120, 150, "issues reads, instructions"),
        (290, 130, "last-level cache"),
        (440, 130, "adds vectors"),
    ):
        d.box(x, 46, w, 34, WHITE)
        d.text(x + w / 2, 68, words, size=12)
    d.text(715, 52, "one for all systems", anchor="end", size=11, fill=SOFT)
    # DIMM channel
    for x, name in ((30, "channel 0"), (200, "channel 1")):
        d.line((x + 75, 96), (x + 75, 150), width=3)
        d.box(x, 150, 150, 168, DIMM)
        d.text(x + 10, 170, f"DIMM, {name}", anchor="start", bold=True, size=12)
        d.box(x + 12, 182, 126, 26, WHITE)
        d.text(x + 58, 200, "buffer chip", size=12)
        _pe(d, x + 104, 185, "PE")
        for rank in (0, 1):
            y = 220 + 48 * rank
            d.box(x + 12, y, 126, 40, WHITE)
            d.text(x + 22, y + 17, f"rank {rank}", anchor="start", size=12)
            for chip in range(4):
                d.box(x + 22 + 20 * chip, y + 22, 15, 11, BANK, radius=1)
            _pe(d, x + 104, y + 10, "PE")
    d.box(85, 324, 210, 18, WHITE, stroke=WHITE)
    d.text(190, 336, "tier dimm: every row of every table", size=12, fill=SOFT)
    d.text(118, 128, "host bus", anchor="start", size=11, fill=SOFT)
    # Stack
    d.line((555, 96), (555, 150), width=3)
    d.text(568, 128, "host bus (interposer)", anchor="start", size=11, fill=SOFT)
    d.box(390, 150, 340, 168, HBM)
    d.text(402, 170, "HBM stack", anchor="start", bold=True, size=12)
    for die in range(3):
        y = 178 + 30 * die
        d.box(402, y, 316, 24, WHITE)
        for channel in range(8):
            chosen = (die, channel) == (0, 1)
            d.box(452 + 33 * channel, y + 4, 27, 16, LUT if chosen else BANK, radius=1)
        d.text(408, y + 16, "DRAM", anchor="start", size=11)
    for channel in range(8):
        d.line((465 + 33 * channel, 202), (465 + 33 * channel, 282), width=1, stroke=SOFT, dashes="2 2")
    d.box(402, 276, 316, 34, WHITE)
    d.text(408, 297, "base die", anchor="start", size=11)
    for channel in range(8):
        _pe(d, 453 + 33 * channel, 283, "PE")
    d.box(400, 324, 320, 18, WHITE, stroke=WHITE)
    d.text(560, 336, "tier hbm: copies of hot rows, 8 channels with a PE each", size=12, fill=SOFT)
    # A bank group
    d.box(60, 372, 640, 166, HBM)
    d.text(74, 394, "One bank group of a channel", anchor="start", bold=True, size=12)
    for bank in range(4):
        x = 74 + 96 * bank
        d.box(x, 406, 84, 84, WHITE)
        d.text(x + 42, 426, f"bank {bank}", size=12)
        d.box(x + 8, 434, 68, 12, BANK, radius=1)
        d.box(x + 8, 450, 68, 12, LUT if bank == 1 else BANK, radius=1)
        d.text(x + 42, 481, "open row" if bank == 1 else "", size=11)
        d.line((x + 42, 490), (x + 42, 506))
    d.line((74, 506), (500, 506), width=3)
    d.text(76, 526, "wires of the bank group", anchor="start", size=11, fill=SOFT)
    d.box(500, 414, 90, 108, WHITE)
    d.text(545, 436, "PE", bold=True)
    d.text(545, 458, "accumulators", size=11)
    d.text(545, 476, "multiply, add", size=11)
    d.text(545, 494, "operand queue", size=11)
    d.box(602, 414, 84, 58, LUT)
    d.text(644, 440, "LUT", fill=WHITE, bold=True)
    d.text(644, 458, "small rows", fill=WHITE, size=11)
    d.line((590, 443), (602, 443))
    d.line((545, 522), (545, 532), (700, 532), width=2)
    d.text(690, 526, "to the base die", anchor="end", size=11, fill=SOFT)
    return d


def _pe(d: Drawing, x: float, y: float, words: str) -> None:
    d.box(x, y, 25, 20, PE)
    d.text(x + 12.5, y + 14.5, words, size=11, fill=WHITE, bold=True)


#: What data use on their way, from the cells outwards; and where one is when it has used it.
_WAY = (
    ("bank", "at the bank"),
    ("bank group I/O", "bank group"),
    ("rank I/O", "stack ID"),
    ("DRAM bus", "rank, DIMM, base die"),
    ("host bus", "host"),
)
_ROWS = (
    ("RD", "a plain read", 0, 5, ""),
    ("PIM_RD", "PE at the bank", 0, 1, ""),
    ("PIM_RD", "PE in the bank group", 0, 2, ""),
    ("PIM_RD", "PE at the rank", 0, 4, ""),
    ("PIM_MOV", "bank group to base die", 2, 4, "partial sums"),
    ("PIM_RDRES", "base die to host", 4, 5, "results"),
    ("PIM_WRLUT", "host to bank group", 2, 5, "fills the LUTs"),
)


_CAPTION = (
    "Two commands keep a distance if they share a resource: a row of the standard binds a PIM command",
    "only if its bar covers the row's resource. Further out it binds two PIM_RD of the same PE alone.",
    "Activation current, refresh and the state of a bank bind every PIM_RD.",
)


def stop_level() -> Drawing:
    """Which resources a command uses."""
    left, top, wide, high = 210, 92, 104, 40
    d = Drawing(
        "stop-level",
        760,
        top + high * len(_ROWS) + 84,
        "The stop-level rule: a command takes part in the resources that its data use",
        "Columns are the resources between a bank and the host. A plain read uses all five. A read by a PE "
        "in the bank group uses the first two, its partial sums the next two, and the result the last.",
    )
    d.text(left - 14, 40, "resource", anchor="end", size=12, fill=SOFT)
    d.text(left - 14, 62, "a PE behind it sits at", anchor="end", size=12, fill=SOFT)
    for column, (resource, place) in enumerate(_WAY):
        middle = left + wide * (column + 0.5)
        d.text(middle, 40, resource, bold=True, size=12)
        d.text(middle, 62, place, size=10, fill=SOFT)
        d.line(
            (left + wide * column, 74),
            (left + wide * column, top + high * len(_ROWS) + 6),
            width=1,
            stroke="#c4cad1",
        )
    for row, (command, what, start, stop, note) in enumerate(_ROWS):
        y = top + high * row
        d.text(20, y + 18, command, anchor="start", bold=True, size=12)
        d.text(20, y + 32, what, anchor="start", size=11, fill=SOFT)
        fill = HOST if command == "RD" else PE if command == "PIM_RD" else DIMM
        d.box(left + wide * start + 5, y + 6, wide * (stop - start) - 10, 24, fill)
        words = note or ("goes all the way" if command == "RD" else "stops here")
        d.text(left + wide * (start + stop) / 2, y + 22, words, size=11, fill=WHITE if fill == PE else INK)
    y = top + high * len(_ROWS) + 30
    for number, words in enumerate(_CAPTION):
        d.text(20, y + 18 * number, words, anchor="start", size=12)
    return d


DRAWINGS = (tiers, stop_level)


def main() -> None:
    """Write all drawings."""
    for make in DRAWINGS:
        drawing = make()
        (IMAGES / f"{drawing.name}.svg").write_text(drawing.svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
