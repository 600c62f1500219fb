"""Plots: one style for every figure of the course, and the one way to show a figure with its caption."""

from __future__ import annotations

import io
import math

import matplotlib.pyplot as plt
import numpy as np
import PIL.Image
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
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
            "axes.prop_cycle": plt.cycler(color=[colour[k] for k in ("p", "q", "truth", "bound", "other", "light")]),
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
