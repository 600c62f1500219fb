"""Plots: what a shown figure carries, how images are tiled, and one style that is set only when asked for."""

import base64
import struct

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib.colors import to_rgba

from vaecourse import plots


@pytest.fixture(autouse=True)
def fresh_figures():
    with plt.rc_context():
        yield
    plt.close("all")


@pytest.fixture
def shell():
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def test_shown_figure_has_alt_text_and_caption(shell):
    plots.use_style()
    fig, _ax = plt.subplots(figsize=(4.0, 2.0))
    with capture_output() as captured:
        plots.show(fig, "Figure 4.1. The bound at $x$. Mind the gap.", "A curve below another.")
    picture, caption = captured.outputs
    assert picture.metadata["image/png"]["alt"] == "A curve below another."
    assert picture.metadata["image/png"]["width"] == 400
    content = picture.data["image/png"]
    content = base64.b64decode(content) if isinstance(content, str) else content
    width, height = struct.unpack(">II", content[16:24])
    assert (width, height) == (4.0 * 130, 2.0 * 130)
    assert caption.data["text/markdown"] == "**Figure 4.1.** The bound at $x$. Mind the gap."
    assert not plt.fignum_exists(fig.number)


@pytest.mark.parametrize(
    ("size", "caption", "alt", "words"),
    [
        ((6.6, 2), "Figure 4.1. A.", "B.", "at most 6.5 inches wide, and is 6.60"),
        ((6.5, 2), "The bound.", "B.", "needs a caption that starts with"),
        ((6.5, 2), "Figure 4.1. A.", " ", "alt text"),
    ],
)
def test_unfit_figures_are_refused(size, caption, alt, words):
    fig, _ = plt.subplots(figsize=size)
    with pytest.raises(ValueError, match=words):
        plots.show(fig, caption, alt)


def test_tile_row_by_row():
    images = torch.arange(5.0)[:, None, None].expand(5, 2, 3)
    sheet = plots.tile(images, columns=2, pad=1, fill=-1.0)
    assert sheet.shape == (3 * 3 - 1, 2 * 4 - 1)
    corners = sheet[::3, ::4]
    np.testing.assert_array_equal(corners, [[0, 1], [2, 3], [4, -1]])
    assert (sheet[2] == -1).all() and (sheet[:, 3] == -1).all()


def test_tile_is_square_and_keeps_colour():
    assert plots.tile(np.zeros((9, 4, 4)), pad=0).shape == (12, 12)
    assert plots.tile(np.zeros((4, 2, 2, 3)), pad=1).shape == (5, 5, 3)


def test_image_grid_has_one_scale_and_no_ticks():
    _, ax = plt.subplots()
    plots.image_grid(ax, torch.rand(4, 8, 8), vmin=0.0, vmax=16.0, title="digits")
    assert ax.images[0].get_clim() == (0.0, 16.0) and not ax.get_xticks().size and ax.get_title() == "digits"


def test_band_is_as_wide_as_its_standard_errors():
    _, ax = plt.subplots()
    plots.band(ax, [0, 1], torch.tensor([1.0, 2.0]), [0.1, 0.2], "bound", label="ELBO", width=3.0)
    (line,), (shade,) = ax.lines, ax.collections
    assert line.get_color() == plots.colour["bound"] and line.get_label() == "ELBO"
    bottom, top = shade.get_paths()[0].get_extents().intervaly
    assert (bottom, top) == pytest.approx((0.7, 2.6))


def test_grids_side_by_side_share_their_scale():
    fig = plots.image_grids({"a": torch.zeros(4, 8, 8), "b": torch.full((4, 8, 8), 9.0)}, 2, 1.5, vmin=0.0, vmax=16.0)
    assert [ax.get_title() for ax in fig.axes] == ["a", "b"] and fig.get_figwidth() == plots.WIDTH
    assert {ax.images[0].get_clim() for ax in fig.axes} == {(0.0, 16.0)}


def test_diagrams_keep_the_colour_of_their_meaning():
    _, ax = plt.subplots()
    plots.box(ax, (0.5, 0.4), "encoder", "q", width=0.2, height=0.1)
    plots.arrow(ax, (0.0, 0.0), (1.0, 1.0), "p", linestyle="--")
    (patch,) = ax.patches
    assert patch.get_bbox().bounds == pytest.approx((0.4, 0.35, 0.2, 0.1))
    assert patch.get_edgecolor() == to_rgba(plots.colour["q"])
    text, arrow = ax.texts
    assert text.get_text() == "encoder" and text.get_position() == (0.5, 0.4)
    assert arrow.xy == (1.0, 1.0) and arrow.arrow_patch.get_edgecolor() == to_rgba(plots.colour["p"])


def test_meanings_have_their_own_colour_and_line():
    assert len(set(plots.colour.values())) == len(plots.colour)
    assert {"p", "q", "data", "bound", "truth"} <= set(plots.colour) & set(plots.style)
    assert plots.style["p"] != plots.style["q"] != plots.style["bound"] != plots.style["p"]


def test_style_is_set_only_when_asked_for():
    before = plt.rcParams.copy()
    plots.use_style()
    assert plt.rcParams["figure.constrained_layout.use"] and not plt.rcParams["axes.spines.top"]
    assert plt.rcParams != before


# --------------------------------------------------------------------------------------- the ledger and the bench


def test_gap_ledger_steps_add_up():
    """The bars hang from each other and end at the mean gap, or, on the right, at each datum's own."""
    gaps = {"best q": torch.tensor([0.5, 0.1, 0.3]), "encoder": torch.tensor([1.0, 0.2, -0.1])}
    fig = plots.gap_ledger(gaps, max_data=2)
    left, right = fig.axes
    first, second = left.patches
    mean = (1.0 + 0.2 - 0.1) / 3
    assert first.get_y() == 0 and first.get_height() == pytest.approx(-0.3)
    assert second.get_y() == pytest.approx(-0.3) and second.get_height() == pytest.approx(-mean)
    ends = [bar.get_y() + bar.get_height() for bar in right.patches]
    assert ends == pytest.approx([-0.5, -0.1, -1.5, -0.3])  # the two largest, in order
    assert [bar.get_y() for bar in right.patches[2:]] == pytest.approx(ends[:2])  # each hangs where the last ended
    assert [text.get_text() for text in left.get_xticklabels()] == ["best q", "encoder"]
    assert fig.get_figwidth() <= plots.WIDTH


def test_a_negative_step_of_the_ledger_rises():
    fig = plots.gap_ledger({"best q": torch.tensor([0.5, 0.1]), "encoder": torch.tensor([-0.2, 0.3])})
    ends = [bar.get_y() + bar.get_height() for bar in fig.axes[1].patches]
    assert ends == pytest.approx([-0.1, -0.5, -0.4, -0.3])


def test_variance_frontier_tells_biased_from_unbiased():
    table = pd.DataFrame(
        {
            "max |z|": [1.0, 50.0, 2.0],
            "threshold": 3.5,
            "variance": [10.0, 0.1, 10.0],
            "seconds per draw": [1e-6, 2e-6, 1e-6],
        },
        index=["plain", "relaxed", "twin"],
    )
    fig = plots.variance_frontier(table)
    (ax,) = fig.axes
    unbiased, biased = ax.collections
    np.testing.assert_allclose(unbiased.get_offsets(), [[1, 10], [1, 10]])
    np.testing.assert_allclose(biased.get_offsets(), [[2, 0.1]])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["no bias found", "bias detected"]
    assert not np.array_equal(unbiased.get_facecolors()[0], biased.get_facecolors()[0])


def test_names_do_not_cover_each_other():
    """Five points at one place: five names, whose boxes do not overlap."""
    fig, ax = plt.subplots()
    ax.set(xlim=(0, 1), ylim=(0, 1))
    plots.annotate(ax, ["one", "two", "three", "four", "five"], np.full(5, 0.5), np.full(5, 0.5))
    boxes = [text.get_window_extent() for text in ax.texts]
    assert [text.get_text() for text in ax.texts] == ["one", "two", "three", "four", "five"]
    for k, extent in enumerate(boxes):
        assert extent.count_overlaps(boxes[:k]) == 0
    assert fig.axes == [ax]
