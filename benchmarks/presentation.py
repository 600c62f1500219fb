"""What the benchmark found, as text, as JSON and as a figure."""

from __future__ import annotations

import io
import json
import os
import statistics
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from vaecourse import plots


def table(result: dict) -> str:
    """The tables for the terminal: medians over rounds, with the lowest and highest in brackets."""
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items() if version)
    lines = [
        "",
        f"{result['date']}; {result['cpu']}, threads: {result['threads']}; {versions}",
        f"bfloat16 units: {'yes' if result['bf16_units'] else 'no'}; load before the start: {result['load_before']}",
        f"{result['data']}; {result['images']:,} images, {result['network']}, batches of {result['batch_size']}; "
        f"{result['rounds']} rounds",
        "",
        f"{'training':26}{'images/s':>22}{'/ pythae':>10}{'/ Pyro':>9}{'/ floor':>9}{'bound, nats':>13}",
    ]
    for name, row in result["training"].items():
        if "unavailable" in row:
            lines.append(f"{name:26}not available: {row['unavailable']}")
            continue
        ratios = [row["ratios"].get(rival) for rival in ("pythae", "Pyro", "floor")]
        cells = [f"{statistics.median(ratio):.2f}" if ratio else "-" for ratio in ratios]
        bound = "-" if row["bound"] is None else f"{row['bound']:.1f}"
        speed = spread(row["images_per_second"], ",.0f")
        lines.append(f"{name:26}{speed:>22}{cells[0]:>10}{cells[1]:>9}{cells[2]:>9}{bound:>13}")
    lines += ["", f"{'IWAE':26}{'ms a step':>26}{'/ k steps of k=1':>18}{'peak memory, MiB':>18}"]
    for row in result["samples"]:
        name = row["name"]
        if "unavailable" in row:
            lines.append(f"{name:26}not available: {row['unavailable']}")
            continue
        memory = "-" if row["peak_mib"] is None else f"{row['peak_mib']:.0f}"
        relative = f"{statistics.median(row['relative']):.2f}"
        lines.append(f"{name:26}{spread(row['ms_per_step'], '.1f'):>26}{relative:>18}{memory:>18}")
    evaluation = result["evaluation"]
    speeds = evaluation["images_per_second"]
    lines += [
        "",
        f"log p(x) by {evaluation['num_samples']} importance samples: {spread(speeds, '.2f')} images/s, "
        f"{statistics.median(speeds) * evaluation['num_samples']:,.0f} samples/s",
    ]
    return "\n".join(lines)


def write(result: dict, path: Path) -> Path:
    """The numbers of every round as JSON; the file appears whole or not at all."""
    return _replace(path, (json.dumps(result, indent=1) + "\n").encode())


def draw(result: dict, path: Path) -> Path:
    """Speeds as bars, the floor as a line, and below them what a step costs against k: time and memory."""
    plots.use_style()
    fig, panels = plt.subplot_mosaic([["speed", "speed"], ["time", "memory"]], figsize=(plots.WIDTH, 5.2))
    _draw_speeds(panels["speed"], result["training"])
    _draw_samples(panels["time"], result["samples"], "ms_per_step", "ms a step")
    _draw_samples(panels["memory"], result["samples"], "peak_mib", "peak memory of a step, MiB")
    panels["time"].legend(loc="upper left", fontsize=7)
    fig.suptitle(f"{result['data']}; {result['cpu']}, threads: {result['threads']}; {result['date']}", fontsize=8)
    picture = io.BytesIO()
    fig.savefig(picture, format="png")
    plt.close(fig)
    return _replace(path, picture.getvalue())


def _draw_speeds(ax: Axes, rows: dict) -> None:
    rows = {name: [v / 1000 for v in row["images_per_second"]] for name, row in rows.items() if row["seconds"]}
    *names, floor = rows
    for place, name in enumerate(reversed(names)):
        speeds = rows[name]
        middle = statistics.median(speeds)
        whiskers = [[middle - min(speeds)], [max(speeds) - middle]]
        kind, ink = ("p", "white") if name.startswith("vaecourse") else ("light", "black")
        ax.barh(place, middle, xerr=whiskers, color=plots.colour[kind], height=0.7, error_kw={"lw": 1})
        ax.text(min(speeds), place, f"{middle:.1f}  ", ha="right", va="center", color=ink, fontsize=7.5)
    middle = statistics.median(rows[floor])
    ax.axvline(middle, color=plots.colour["data"], linestyle="--", linewidth=1)
    ax.text(middle, len(names) - 0.4, f"{floor} ({middle:.1f})", ha="right", va="bottom", fontsize=7.5)
    ax.set(xlabel="thousand images a second", yticks=range(len(names)), yticklabels=names[::-1])
    ax.margins(x=0.12)


def _draw_samples(ax: Axes, rows: list[dict], quantity: str, label: str) -> None:
    """A quantity against k, decoded at once and in chunks, beside what it would be in proportion to k."""
    for chunk in sorted({row["chunk_size"] for row in rows}, key=lambda size: size or 0):
        some = [row for row in rows if row["chunk_size"] == chunk and row[quantity]]
        numbers = [row["k"] for row in some]
        values = [
            statistics.median(row[quantity]) if isinstance(row[quantity], list) else row[quantity] for row in some
        ]
        if chunk is None and some:
            most = max(row["k"] for row in rows)
            line = {"color": plots.colour["grid"], "linestyle": "--"}
            ax.plot([1, most], [values[0], most * values[0]], label="k times one sample", **line)
        kind, form = ("p", "o-") if chunk is None else ("q", "s--")
        name = "k samples at once" if chunk is None else f"in chunks of {chunk} pairs"
        ax.plot(numbers, values, form, color=plots.colour[kind], label=name)
    ax.set(xscale="log", yscale="log", xlabel="samples k of IWAE", ylabel=label)
    numbers = sorted({row["k"] for row in rows})
    ax.set_xticks(numbers, map(str, numbers))
    ax.xaxis.minorticks_off()
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter("")


def spread(values: list[float], form: str) -> str:
    return f"{statistics.median(values):{form}} [{min(values):{form}}, {max(values):{form}}]"


def _replace(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
