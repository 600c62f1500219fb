"""The history of a training: one record per epoch, as a table and as a figure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass
class History:
    """What happened, one record per epoch; nats per datum.

    Each record holds ``epoch``; ``bound``, the mean over the epoch's batches as the parameters move; what the monitor
    measures after the epoch, on the validation data or else on the first thousand training data (the ``rate`` and the
    ``distortion`` of one draw, if it is not told otherwise); ``gradient_norm``, the mean over the epoch's steps;
    ``seconds`` since the start, without pauses; and, where there are validation data, ``valid_bound``.
    """

    records: list[dict] = field(default_factory=list)
    best_epoch: int | None = None  # whose parameters the model has, where there are validation data
    interrupted: bool = False

    def frame(self) -> pd.DataFrame:
        """The records as a table with one row per epoch."""
        return pd.DataFrame(self.records).set_index("epoch")

    def plot(self) -> Figure:
        """The bound beside the rate and the distortion, over epochs; a vertical line marks the epoch kept."""
        import matplotlib.pyplot as plt  # slow to import, and training itself draws nothing

        from vaecourse.plots import WIDTH, colour, style

        table = self.frame()
        figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 2.6), layout="constrained")
        for axes, lines in zip(panels, _PANELS):
            for name, label, meaning in lines:
                if name in table:
                    axes.plot(table.index, table[name], color=colour[meaning], linestyle=style[meaning], label=label)
            if self.best_epoch is not None:
                axes.axvline(self.best_epoch, color=colour["grid"], zorder=0)
            axes.set(xlabel="epoch", ylabel="nats per datum")
            axes.xaxis.get_major_locator().set_params(integer=True)
            if axes.get_legend_handles_labels()[0]:
                axes.legend()
        return figure


_PANELS = (
    (("bound", "training bound", "data"), ("valid_bound", "validation bound", "bound")),
    (("distortion", "distortion", "p"), ("rate", "rate", "q")),
)
