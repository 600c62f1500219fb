"""Which data sets may be scored by one model, and their scores compared."""

from vaecourse.data.dataset import Dataset


def comparable(train: Dataset, valid: Dataset) -> None:
    """Refuse a pair of data sets that no model can score in the same nats.

    Both must have the same number D of dimensions and the same `Dataset.family`: ``dynamic`` and ``fixed`` share one,
    every other protocol is its own. Their levels must agree, except where x does not show them: binary x and
    intensities may come from stored probabilities or bits, levels = 1.

    Raises:
        ValueError: if they differ; the sentence says in what.
    """
    for name, ours, theirs in (
        ("dimensions", train.x.shape[1], valid.x.shape[1]),
        ("protocols", train.family, valid.family),
    ):
        if ours != theirs:
            raise ValueError(
                f"valid must be comparable with train, and their {name} differ: {theirs} ({valid.label}) "
                f"against {ours} ({train.label})"
            )
    hidden = train.family in ("binary", "intensities") and 1 in (train.levels, valid.levels)
    if train.levels != valid.levels and not hidden:
        raise ValueError(
            f"valid must be comparable with train, and their levels differ: 0..{valid.levels} ({valid.label}) "
            f"against 0..{train.levels} ({train.label})"
        )
