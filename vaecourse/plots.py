"""Plots: one style for every figure of the course, and the one way to show a figure with its caption."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import PIL.Image
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from matplotlib.transforms import Bbox
from torch import Tensor

# Okabe & Ito's colours: told apart by colour-blind readers. A meaning keeps its colour and line style all course long.
colour = {
    "p": "#0072B2",  # the model: prior, likelihood, exact posterior
    "q": "#D55E00",  # what approximates it
    "data": "#404040",
    "bound": "#E69F00",
    "truth": "#009E73",  # log p(x), or any exact answer
    "other": "#CC79A7",
    "light": "#56B4E9",
    "grid": "#D9D9D9",
}
style = {"p": "-", "q": "--", "data": "-", "bound": "-.", "truth": "-", "other": ":", "light": (0, (5, 1))}

# Competitors are no meaning: methods, optimisers and clusters take these, in the order in which a figure names them
# (Paul Tol's muted scheme, whose colours differ from those above). Use: ax.plot(x, y, **rival[0]).
rival = [
    {"color": "#332288", "linestyle": "-", "marker": "o"},
    {"color": "#882255", "linestyle": "--", "marker": "s"},
    {"color": "#999933", "linestyle": "-.", "marker": "^"},
    {"color": "#44AA99", "linestyle": ":", "marker": "D"},
]
null_rival = {"color": "#8C8C8C", "linestyle": (0, (1, 1)), "marker": "x"}  # the one that does nothing
clusters = [
    "#332288",
    "#882255",
    "#999933",
    "#44AA99",
    "#CC6677",
    "#661100",
    "#6699CC",
    "#AA4499",
    "#DDCC77",
    "#888888",
]

WIDTH = 6.5  # inches, of a full-width figure


def use_style() -> None:
    """Set matplotlib's defaults to the course's style; a chapter calls it once."""
    sns.set_theme(
        style="ticks",
        rc={
            "figure.figsize": (WIDTH, 3.0),
            "figure.dpi": 100,
            "savefig.dpi": 130,
            "figure.constrained_layout.use": True,
            "font.size": 9,
            "axes.titlesize": 9.5,
            "axes.labelsize": 9,
            "xtick.labelsize": 8,
            "ytick.labelsize": 8,
            "legend.fontsize": 8,
            "legend.frameon": False,
            "lines.linewidth": 1.8,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.linewidth": 0.8,
            "mathtext.fontset": "cm",
            "axes.prop_cycle": plt.cycler(color=[look["color"] for look in rival]),
        },
    )


def show(fig: Figure, caption: str, alt: str) -> None:
    """Display a finished figure as a picture with alternative text and a caption below, and close it.

    Args:
        fig: at most 6.5 inches wide.
        caption: Markdown that begins with "Figure 4.1." and says what to see; maths between dollars works.
        alt: one or two sentences for a reader who cannot see the picture.

    Raises:
        ValueError: the figure is too wide for a page, or a text is missing.
    """
    from IPython.display import Image, Markdown, display

    if fig.get_figwidth() > WIDTH + 1e-6:
        raise ValueError(f"fig must be at most {WIDTH} inches wide, and is {fig.get_figwidth():.2f}")
    if not caption.startswith("Figure ") or not alt.strip():
        raise ValueError('a figure needs a caption that starts with "Figure <chapter>.<number>." and alt text')
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png")
    plt.close(fig)
    # 256 colours are enough for a figure, and make a stored page three times smaller.
    picture, small = PIL.Image.open(buffer).convert("RGB"), io.BytesIO()
    picture.quantize(256, dither=PIL.Image.Dither.NONE).save(small, "PNG", optimize=True)
    width = round(fig.get_figwidth() * 100)
    display(Image(small.getvalue(), format="png", width=width, alt=alt))
    number, _, text = caption.partition(". ")
    display(Markdown(f"**{number}.** {text}"))


def tile(images: Tensor | np.ndarray, columns: int | None = None, pad: int = 1, fill: float = np.nan) -> np.ndarray:
    """Many small images as one array, row by row.

    Args:
        images: [N, H, W] or [N, H, W, C].
        columns: images per row; None for a square.
        pad: pixels between images.
        fill: value between images.

    Returns:
        One image, [rows * (H + pad) - pad, columns * (W + pad) - pad] (with C behind for colour).
    """
    images = np.asarray(images)
    number, height, width, *channels = images.shape
    columns = columns or math.ceil(math.sqrt(number))
    rows = math.ceil(number / columns)
    sheet = np.full((rows * (height + pad), columns * (width + pad), *channels), fill, dtype=float)
    for k, image in enumerate(images):
        top, left = (k // columns) * (height + pad), (k % columns) * (width + pad)
        sheet[top : top + height, left : left + width] = image
    return sheet[: rows * (height + pad) - pad, : columns * (width + pad) - pad]


def image_grid(
    ax: Axes,
    images: Tensor | np.ndarray,
    columns: int | None = None,
    vmin: float = 0.0,
    vmax: float = 1.0,
    title: str | None = None,
) -> None:
    """Draw many small images on one axes, dark ink on white, all on the same scale.

    Args:
        ax: where to draw.
        images: [N, H, W].
        columns: images per row; None for a square.
        vmin: value drawn white.
        vmax: value drawn black.
        title: above the images.
    """
    palette = plt.get_cmap("gray_r").with_extremes(bad="#E8EEF2")
    ax.imshow(tile(images, columns), cmap=palette, vmin=vmin, vmax=vmax, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    sns.despine(ax=ax, left=True, bottom=True)
    if title:
        ax.set_title(title)


def band(ax: Axes, x, mean, se, kind: str, label: str | None = None, width: float = 2.0, **line) -> None:
    """A curve in the colour of its meaning, with a band of ``width`` standard errors.

    Args:
        ax: where to draw.
        x: positions, [N].
        mean: heights, [N].
        se: standard errors, [N].
        kind: a key of ``plots.colour``.
        label: for the legend.
        width: half-width of the band in standard errors.
        line: passed on to ``ax.plot``.
    """
    x, mean, se = (np.asarray(value, dtype=float) for value in (x, mean, se))
    ax.plot(
        x,
        mean,
        color=colour[kind],
        linestyle=line.pop("linestyle", style.get(kind, "-")),
        label=label,
        **line,
    )
    ax.fill_between(x, mean - width * se, mean + width * se, color=colour[kind], alpha=0.2, linewidth=0)


def image_grids(images: dict[str, Tensor], columns: int, height: float, **scale: float) -> Figure:
    """Several grids of images side by side under their titles, all on the same scale.

    Args:
        images: title to images [N, H, W].
        columns: images per row.
        height: of the figure, in inches.
        scale: ``vmin`` and ``vmax``, passed on to :func:`image_grid`.
    """
    fig, axes = plt.subplots(1, len(images), figsize=(WIDTH, height), squeeze=False)
    for ax, (title, grid) in zip(axes[0], images.items()):
        image_grid(ax, grid, columns, title=title, **scale)
    return fig


def box(
    ax: Axes, centre: tuple[float, float], text: str, kind: str, width: float = 0.165, height: float = 0.34
) -> None:
    """A box of a diagram, in the colour of its meaning, sizes in data units."""
    corner = centre[0] - width / 2, centre[1] - height / 2
    ax.add_patch(plt.Rectangle(corner, width, height, fc="white", ec=colour[kind], lw=1.6))
    ax.text(*centre, text, ha="center", va="center")


def arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], kind: str = "data", **style) -> None:
    """An arrow of a diagram; ``style`` goes to matplotlib's arrow properties."""
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": colour[kind], "lw": 1.4} | style)


def gap_ledger(gaps: dict[str, Tensor], max_data: int = 20, height: float = 2.9) -> Figure:
    """The gap ledger as a waterfall: the mean of each step down from log p(x), and the same steps datum by datum.

    Args:
        gaps: name to what that step loses, [B] in nats, from the step below log p(x) to the encoder, as in
            ``evaluation.GapLedger.three`` or ``.gaps``; at most four.
        max_data: so many data are drawn on the right, those with the largest gap.
        height: of the figure, in inches.

    Returns:
        Left the means with two standard errors over data; right each datum's steps from the left to the right, each
        hanging where the one before it ended. A negative step rises.
    """
    shades = [colour[key] for key in ("p", "light", "other")[: len(gaps) - 1]] + [colour["q"]]
    values = {name: np.asarray(gap.detach().cpu(), dtype=float) for name, gap in gaps.items()}
    total = sum(values.values())
    order = np.argsort(-total)[:max_data]
    fig, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, height), width_ratios=[1, 2.2])
    top, tops, width = 0.0, np.zeros(len(order)), 0.84 / len(gaps)
    for k, ((name, gap), shade) in enumerate(zip(values.items(), shades)):
        error = 2 * gap.std(ddof=1) / math.sqrt(len(gap))
        left.bar(k, -gap.mean(), bottom=top, yerr=error, color=shade, width=0.7, capsize=3)
        left.plot([k - 0.35, k + 1.35], [top - gap.mean()] * 2, color=colour["data"], linewidth=0.8)
        at = np.arange(len(order)) + (k - (len(gaps) - 1) / 2) * width
        right.bar(at, -gap[order], bottom=tops, color=shade, width=width, linewidth=0, label=name)
        top, tops = top - gap.mean(), tops - gap[order]
    for ax in (left, right):
        ax.axhline(0, color=colour["truth"], label=r"$\log p(x)$" if ax is left else None)
    left.set(xticks=range(len(gaps)), ylabel="bound less evidence (nats, mean)")
    left.set_xticklabels(list(gaps), rotation=20, ha="right")
    left.legend(loc="lower left")
    right.set(xlabel=f"the {len(order)} data with the largest gap", ylabel="bound less evidence (nats)", xticks=[])
    right.legend(loc="lower right")
    return fig


def variance_frontier(table: pd.DataFrame, height: float = 3.6) -> Figure:
    """Variance against time for each estimator of a gradient; along a thin line work times variance is the same.

    Args:
        table: one row per estimator, made by ``gradient_bench.summary``; those whose ``max |z|`` is above their
            ``threshold`` are drawn hollow: their bias shows.
        height: of the figure, in inches.
    """
    fig, ax = plt.subplots(figsize=(WIDTH, height))
    seconds, variance = 1e6 * table["seconds per draw"].to_numpy(), table["variance"].to_numpy()
    biased = (table["max |z|"] > table["threshold"]).to_numpy()
    for rows, key, face, label in (
        (~biased, "p", colour["p"], "no bias found"),
        (biased, "q", "white", "bias detected"),
    ):
        if rows.any():
            ax.scatter(seconds[rows], variance[rows], s=34, facecolor=face, edgecolor=colour[key], label=label)
    low, high = seconds.min() / 1.3, seconds.max() * 1.8
    ax.set(xscale="log", yscale="log", xlabel="time per draw (microseconds)", ylabel="variance, sum over coordinates")
    ax.set(xlim=(low, high), ylim=(variance[variance > 0].min() / 2, variance.max() * 2.5))
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    for work in np.geomspace((seconds * variance).min(), (seconds * variance).max(), 5):
        ax.plot([low, high], [work / low, work / high], color=colour["grid"], linewidth=0.8, zorder=0)
    ax.legend()
    annotate(ax, table.index, seconds, variance)
    return fig


def annotate(ax: Axes, names: Iterable[str], x: np.ndarray, y: np.ndarray) -> None:
    """Write a name beside each point, where it covers no other name or point; the axes' limits must be final."""
    fig = ax.figure
    fig.draw_without_rendering()
    taken = [Bbox.from_bounds(u - 4, v - 4, 8, 8) for u, v in ax.transData.transform(np.column_stack([x, y]))]  # pixels
    for name, *at in zip(names, x, y):
        for offset, side in [
            ((5 if s == "left" else -5, dy), s) for dy in (3, -9, 13, -19, 23) for s in ("left", "right")
        ]:
            text = ax.annotate(name, at, offset, textcoords="offset points", fontsize=7.5, ha=side)
            extent = text.get_window_extent().padded(2)
            if not extent.count_overlaps(taken):
                break
            text.remove()
        else:
            ax.add_artist(text)  # no free place: the last one
        taken.append(extent)
