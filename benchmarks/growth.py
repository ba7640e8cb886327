#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How time grows with prompt, batch and threads: a plot and tables of what `tern bench --json` printed.

Usage: growth.py BENCH.json PLOT.svg, with BENCH.json from
    tern bench --shape 2b-4t --threads 1,2 --prompt 128,512,2048,8192 --batch 1,2,4,8,16,32 --json
Writes the plot and prints the tables as Markdown.
"""
import json
import math
import sys

WIDTH, HEIGHT, MARGIN = 400, 300, 56
COLORS = ["#1b6ca8", "#d1495b", "#3a7d44", "#8d6a9f"]


def ticks(low, high):
    """The numbers 1, 2 and 5 times a power of ten from low to high."""
    power = math.floor(math.log10(low))
    found = []
    while 10**power <= high:
        found += [m * 10**power for m in (1, 2, 5) if low <= m * 10**power <= high]
        power += 1
    return found


def label(value):
    return f"{value:g}" if value < 10000 else f"{value / 1000:g}k"


class Panel:
    """One diagram with logarithmic axes; `lines` are (name, [(x, y)])."""

    def __init__(self, left, title, x_name, y_name, lines):
        self.left, self.title, self.x_name, self.y_name, self.lines = left, title, x_name, y_name, lines
        xs = [x for _, points in lines for x, _ in points]
        ys = [y for _, points in lines for _, y in points]
        self.x_range = (min(xs) / 1.15, max(xs) * 1.15)
        self.y_range = (min(ys) / 1.4, max(ys) * 1.4)

    def x(self, value):
        low, high = map(math.log, self.x_range)
        return self.left + MARGIN + (math.log(value) - low) / (high - low) * (WIDTH - 1.5 * MARGIN)

    def y(self, value):
        low, high = map(math.log, self.y_range)
        return HEIGHT - MARGIN - (math.log(value) - low) / (high - low) * (HEIGHT - 2 * MARGIN)

    def draw(self):
        top, bottom = MARGIN, HEIGHT - MARGIN
        left, right = self.left + MARGIN, self.left + WIDTH - MARGIN / 2
        yield f'<text x="{(left + right) / 2:.1f}" y="{top - 28}" text-anchor="middle" font-weight="bold">{self.title}</text>'
        for value in sorted({x for _, points in self.lines for x, _ in points}):
            at = self.x(value)
            yield f'<line x1="{at:.1f}" y1="{top}" x2="{at:.1f}" y2="{bottom}" stroke="#ddd"/>'
            yield f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{label(value)}</text>'
        for value in ticks(*self.y_range):
            at = self.y(value)
            yield f'<line x1="{left:.1f}" y1="{at:.1f}" x2="{right:.1f}" y2="{at:.1f}" stroke="#ddd"/>'
            yield f'<text x="{left - 6:.1f}" y="{at + 4:.1f}" text-anchor="end">{label(value)}</text>'
        yield f'<text x="{(left + right) / 2:.1f}" y="{bottom + 36}" text-anchor="middle">{self.x_name}</text>'
        yield f'<text x="{left:.1f}" y="{top - 8}" text-anchor="start">{self.y_name}</text>'
        for number, (name, points) in enumerate(self.lines):
            color = COLORS[number % len(COLORS)]
            path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
            yield f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>'
            yield from (f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="3" fill="{color}"/>' for x, y in points)
            yield f'<text x="{left + 8:.1f}" y="{top + 14 + 15 * number}" fill="{color}">{name}</text>'


def threads_of(run):
    return f"{run['threads']} thread" + ("" if run["threads"] == 1 else "s")


def plot(runs):
    prefill = [(threads_of(run), [(p["prompt"], p["prompt"] / p["tokens_per_s"]["median"]) for p in run["prefill"]]) for run in runs]
    panels = [Panel(0, "Taking a prompt in", "tokens of the prompt", "seconds", prefill)]
    batches = [(threads_of(run), [(b["batch"], b["tokens_per_s"]["median"]) for b in run["batches"]]) for run in runs if run["batches"]]
    if batches:
        panels.append(Panel(WIDTH, "Decoding a batch", "sequences at once", "tokens per second, all together", batches))
    body = "\n".join(line for panel in panels for line in panel.draw())
    width = WIDTH * len(panels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="{width}" height="{HEIGHT}" fill="white"/>\n{body}\n</svg>\n'
    )


def spread(rate):
    return f"{rate['median']:.1f} ({rate['low']:.1f} to {rate['high']:.1f})"


def tables(runs):
    yield "| threads | prompt | seconds | tokens/s | of the int8 peak |"
    yield "|--:|--:|--:|--:|--:|"
    for run in runs:
        for p in run["prefill"]:
            rate = p["tokens_per_s"]
            seconds = p["prompt"] / rate["median"]
            yield f"| {run['threads']} | {p['prompt']} | {seconds:.2f} | {spread(rate)} | {100 * p['peak_share']:.0f} % |"
    if not any(run["batches"] for run in runs):
        return
    yield ""
    yield "| threads | sequences | tokens/s, all together | times one sequence |"
    yield "|--:|--:|--:|--:|"
    for run in runs:
        for b in run["batches"]:
            yield f"| {run['threads']} | {b['batch']} | {spread(b['tokens_per_s'])} | {b['speedup']:.2f} |"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        runs = json.load(file)["runs"]
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(plot(runs))
    print("\n".join(tables(runs)))


if __name__ == "__main__":
    main()
