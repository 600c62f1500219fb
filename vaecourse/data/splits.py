"""Fixed splits: a pure function of the labels, the sizes and a stated seed."""

from collections.abc import Callable

import numpy as np


def stratified_split(labels: np.ndarray, sizes: dict[str, int], seed: int) -> dict[str, np.ndarray]:
    """Cut the data into disjoint splits in which every label keeps its share, to within two data.

    Each label's data are shuffled and given positions (rank + 1/2) / n_label in [0, 1]. Sorted by position,
    any run of consecutive data is stratified: the splits are such runs, and so are the first n of a split.

    Args:
        labels: integers [N].
        sizes: size of each split, in order; they must add up to N.
        seed: seed of the shuffles.

    Returns:
        Indices into the data for each split, [size].

    Raises:
        ValueError: if the sizes do not add up to N.

    Example:
        >>> parts = stratified_split(np.array([0, 1] * 10), {"train": 16, "test": 4}, seed=0)
        >>> sorted(parts["test"] % 2)
        [np.int64(0), np.int64(0), np.int64(1), np.int64(1)]
    """
    # RandomState, not Generator: numpy promises that its stream never changes (NEP 19); a split is for ever.
    random = np.random.RandomState(seed)
    position = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        position[random.permutation(members)] = (np.arange(len(members)) + 0.5) / len(members)
    return _cut(np.argsort(position, kind="stable"), sizes)


def shuffled_split(labels: np.ndarray, sizes: dict[str, int], seed: int) -> dict[str, np.ndarray]:
    """Cut the data into disjoint splits after one shuffle, whatever their labels.

    With seed 123 and "valid" last, this is how Burda, Grosse & Salakhutdinov (2016) split Omniglot.

    Args:
        labels: integers [N]; only their number counts.
        sizes: size of each split, in order; they must add up to N.
        seed: seed of the shuffle.

    Returns:
        Indices into the data for each split, [size].

    Raises:
        ValueError: if the sizes do not add up to N.
    """
    return _cut(np.random.RandomState(seed).permutation(len(labels)), sizes)


def region_split(labels: np.ndarray, sizes: dict[str, int], seed: int) -> dict[str, np.ndarray]:
    """Cut the data in the order they have, then put each split in the order of `stratified_split`.

    It is for data of which neighbours resemble each other, such as the tiles of a photograph: their parser puts one
    region after the other, and leaves out what lies between.

    Args:
        labels: integers [N].
        sizes: size of each split, in order; they must add up to N.
        seed: seed of the shuffles.

    Returns:
        Indices into the data for each split, [size].

    Raises:
        ValueError: if the sizes do not add up to N.

    Example:
        >>> parts = region_split(np.array([0, 1] * 10), {"train": 16, "test": 4}, seed=0)
        >>> sorted(parts["test"])
        [np.int64(16), np.int64(17), np.int64(18), np.int64(19)]
    """
    regions = _cut(np.arange(len(labels)), sizes)
    return {
        split: region[stratified_split(labels[region], {split: len(region)}, seed)[split]]
        for split, region in regions.items()
    }


def _cut(order: np.ndarray, sizes: dict[str, int]) -> dict[str, np.ndarray]:
    if sum(sizes.values()) != len(order):
        raise ValueError(f"sizes must add up to the number of data, {len(order)}; got {sizes}")
    ends = np.cumsum(list(sizes.values()))
    return dict(zip(sizes, np.split(order, ends[:-1])))


SPLITS: dict[str, Callable[[np.ndarray, dict[str, int], int], dict[str, np.ndarray]]] = {
    "stratified": stratified_split,
    "shuffled": shuffled_split,
    "regions": region_split,
}
