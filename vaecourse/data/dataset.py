"""A data set in memory: the values as stored, and the protocol by which a likelihood scores them."""

import hashlib
import json
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor

from vaecourse.data.batches import Batch, IndexedBatch, LabelledIndexedBatch, batch_of
from vaecourse.data.noise import noisy, uniform

FAMILIES = {  # protocol: what x can be, so which likelihoods score it
    "binomial": "counts",
    "dynamic": "binary",
    "fixed": "binary",
    "integer": "integers",
    "dequantised": "dequantised",
    "intensity": "intensities",
    "real": "real numbers",
}
PROTOCOLS = tuple(FAMILIES)
FIXED_SEED = 0  # of the one binarisation of protocol "fixed"

_Value = TypeVar("_Value", float, Tensor)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images or other vectors of one split, under one protocol; `data.from_tensors` makes one of your own.

    The protocol says what x a likelihood scores. Nats under different protocols cannot be compared.

    - ``binomial``: the stored counts 0..levels, as numbers of successes in `levels` trials.
    - ``dynamic``: x_d ~ Bernoulli(stored / levels), drawn afresh at each visit.
    - ``fixed``: one such draw, by a stated seed, the same at every visit.
    - ``integer``: the stored values 0..levels as numbers, for any mass function on them (a discretised logistic).
    - ``dequantised``: (stored + u) / (levels + 1) with u ~ Uniform[0, 1), drawn afresh at each visit. A density p of
      these bounds a mass function P of the stored values: E log p <= log P + D log(levels + 1), Jensen's inequality.
    - ``intensity``: stored / levels in [0, 1]; no counts, so a binary likelihood of them is not in nats.
    - ``real``: the stored numbers as they are, for a density on the reals (a Gaussian likelihood).

    Args:
        x: as stored, [N, D]: uint8, or float32 where the numbers are real or already probabilities (levels = 1).
        y: int64 [N], labels.
        name: name in the registry, or your own.
        split: "train", "valid" or "test".
        protocol: one of the above.
        image_shape: height and width, of colour images channels, height and width; their product is D.
        levels: the largest value a pixel can have; None under ``real``.
        num_classes: number C of labels 0..C-1; None: the largest label and one; 0: the data have none.
        observed: bool [N], which labels go into a batch; None: a batch has no labels (see `with_labels`).
        indexed: whether an index goes into a batch (see `with_index`).
    """

    x: Tensor
    y: Tensor
    name: str
    split: str
    protocol: str
    image_shape: tuple[int, ...]
    levels: int | None
    num_classes: int | None = None
    observed: Tensor | None = None
    indexed: bool = False

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.image_shape))
        return f"Dataset({self.label}; {len(self):,} {f'images {shape}' if 'x' in shape else f'data, D = {shape}'})"

    @property
    def family(self) -> str:
        """What x can be, whatever its noise: data of two families have no likelihood, and no nats, in common."""
        return FAMILIES[self.protocol]

    @property
    def label(self) -> str:
        """What figures and tables print: name, protocol, split and, where a batch has labels, of how many data."""
        protocol = {
            "binomial": f"binomial counts 0..{self.levels}",
            "dynamic": "dynamic binarisation",
            "fixed": f"fixed binarisation (seed {FIXED_SEED})",
            "integer": f"integers 0..{self.levels}",
            "dequantised": f"dequantised (x + u) / {(self.levels or 0) + 1}",
            "intensity": "intensities in [0, 1]",
            "real": "real numbers",
        }
        label = f"{self.name}, {protocol[self.protocol]}, {self.split}"
        if self.observed is None:
            return label
        observed = int(self.observed.sum())
        return f"{label}, {'all' if observed == len(self) else f'{observed:,} of {len(self):,}'} labels"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what a model is trained on: name, split, protocol, levels, shapes and the stored bytes of x.

        Labels count as far as a batch shows them, and so does the index.
        """
        what = [self.name, self.split, self.protocol, self.levels, list(self.image_shape), list(self.x.shape)]
        what += [str(self.x.dtype), *(["indexed"] if self.indexed else [])]
        what += [] if self.observed is None else [self._num_classes, self.y.where(self.observed, -1).tolist()]
        digest = hashlib.sha256(json.dumps(what).encode())
        digest.update(self.x.cpu().contiguous().numpy())
        return digest.hexdigest()

    def to(self, device: torch.device | str) -> "Dataset":
        """The same data on another device."""
        observed = None if self.observed is None else self.observed.to(device)
        return replace(self, x=self.x.to(device), y=self.y.to(device), observed=observed)

    def head(self, size: int | None) -> "Dataset":
        """The first data, all of them if size is None; the first n of a train or valid split are stratified too."""
        observed = None if self.observed is None else self.observed[:size]
        return replace(self, x=self.x[:size], y=self.y[:size], num_classes=self._num_classes, observed=observed)

    def with_labels(self, observed: int | Tensor | None = None) -> "Dataset":
        """The same data, with labels in a batch: `batch` and `realise` return (x, y), y one-hot, float32 [B, C].

        Args:
            observed: which labels are seen: all if None; those of the first n data, which are stratified in a train
                or valid split; or those where a bool tensor [N] says so. The others are withheld: rows of zeros.

        Raises:
            ValueError: if observed is neither, or the data have no labels.

        Example:
            >>> from vaecourse import data
            >>> train = data.load("digits").with_labels(100)
            >>> train
            Dataset(digits, binomial counts 0..16, train, 100 of 1,197 labels; 1,197 images 8x8)
            >>> x, y = train.batch(slice(99, 102))
            >>> y.sum(-1)
            tensor([1., 0., 0.])
        """
        mask = _observed(observed, self.y)
        if self._num_classes == 0:
            raise ValueError(f"with_labels needs labels, and {self.name} has none")
        if len(self) and not 0 <= self.y.min() <= self.y.max() < self._num_classes:
            raise ValueError(f"y must hold labels 0..{self._num_classes - 1}; got {self.y.min()}..{self.y.max()}")
        return replace(self, y=self.y.long(), num_classes=self._num_classes, observed=mask)

    def with_index(self) -> "Dataset":
        """The same data, with their places 0..N-1 in a batch: `batch` and `realise` return (x, index), int64 [B].

        It is what one q per datum is looked up by. Together with labels, a batch is (x, y, index).
        """
        return replace(self, indexed=True)

    @property
    def _num_classes(self) -> int:
        if self.num_classes is None:
            return int(self.y.max()) + 1 if len(self) else 0
        return self.num_classes

    def batch(
        self, index: Tensor | slice | None = None, generator: torch.Generator | None = None
    ) -> Tensor | Batch | IndexedBatch | LabelledIndexedBatch:
        """x as the likelihood scores it; under ``dynamic`` and ``dequantised``, a fresh realisation at each call.

        Args:
            index: which data, int64 [B] or a slice; all of them if None.
            generator: source of the noise, on the data's device; torch's own if None.

        Returns:
            float32 [B, D]; of data with labels or with an index a named tuple whose first part that is.
        """
        index = slice(None) if index is None else index
        return self._with_the_rest(self._scored(index, generator), index)

    def _with_the_rest(self, x: Tensor, index: Tensor | slice) -> Tensor | Batch | IndexedBatch | LabelledIndexedBatch:
        """A batch of x at these places: with labels and index, as far as they were asked for."""
        y = None
        if self.observed is not None:
            seen = _pick(self.observed, index)[:, None].float()
            y = seen.new_zeros(len(seen), self._num_classes).scatter_(1, _pick(self.y, index)[:, None], seen)
        places = _pick(torch.arange(len(self), device=self.x.device), index) if self.indexed else None
        return batch_of(x, y, places)

    def _scored(self, index: Tensor | slice, generator: torch.Generator | None) -> Tensor:
        """The x of a batch, float32 [B, D]."""
        if self.protocol == "fixed":
            return _pick(self._fixed, index).float()
        x = _pick(self.x, index).float()
        if self.protocol in ("binomial", "integer", "real"):
            return x
        if self.protocol == "intensity":
            return x / self.levels
        return noisy(x, uniform(x, generator), self.protocol, self.levels)

    def realise(self, seed: int = 0) -> Tensor | Batch | IndexedBatch | LabelledIndexedBatch:
        """All data as the likelihood scores them, one realisation: what validation and test scores use.

        Args:
            seed: of the noise under ``dynamic`` and ``dequantised``; the same draw on every device. Other
                protocols have nothing left to draw and ignore it.

        Returns:
            float32 [N, D], on the data's device; of data with labels or with an index a named tuple, as in `batch`.
        """
        if self.protocol not in ("dynamic", "dequantised"):
            return self.batch()
        return self._with_the_rest(self._realised(seed), slice(None))

    def _realised(self, seed: int) -> Tensor:
        """One realisation of all x, drawn on the CPU."""
        x = self.x.cpu().float()
        noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(seed))
        return noisy(x, noise, self.protocol, self.levels).to(self.x.device)

    @cached_property
    def _fixed(self) -> Tensor:
        """The one binarisation of protocol ``fixed``, bool [N, D]."""
        return self._realised(FIXED_SEED).bool()

    def bits_per_dim(self, log_px_mean: _Value) -> _Value:
        r"""Nats per datum in bits per dimension, where down is better and a constant code is the measure.

        With D dimensions and 8-bit values (levels = 255) a uniform model costs 8 bits, under either protocol of
        integers:

        .. math:: -\frac{\log P(x)}{D \log 2}, \qquad \text{dequantised: } \log_2 256 - \frac{\log p(x)}{D \log 2},

        the second because a density p on [0, 1]^D gives a cell of width 1/256 a mass of about p / 256^D (in the
        mean over u a bound, see ``dequantised`` above). Binarised pixels give bits per binary pixel.

        Args:
            log_px_mean: log p(x), or a bound on it, in nats per datum: a number, or a tensor of any shape.

        Returns:
            Bits per dimension, a number or a tensor as was given.

        Raises:
            ValueError: under ``intensity`` and ``real``, whose densities are of continuous values.

        References:
            Theis, van den Oord & Bethge (2016), A note on the evaluation of generative models.

        Example:
            >>> from vaecourse import data
            >>> test = data.load("digits", "test", "dynamic")
            >>> test.bits_per_dim(-64 * math.log(2))  # a fair coin for each of the 64 pixels
            1.0
        """
        if self.protocol in ("intensity", "real"):
            raise ValueError(
                f"bits_per_dim needs a protocol whose values can be counted, and {self.protocol} has none: a density "
                f"of continuous values changes with their unit"
            )
        bits = -log_px_mean / (self.x.shape[1] * math.log(2))
        return bits + math.log2(self.levels + 1) if self.protocol == "dequantised" else bits


def check_dataset(value: Any, parameter: str) -> Dataset:
    """Return the value if it is a `Dataset`.

    Args:
        value: what was given, for instance a tensor or a `DataLoader`.
        parameter: the name of the argument it was given as, for the sentence.

    Raises:
        TypeError: if it is none; the sentence says how one is made.
    """
    if not isinstance(value, Dataset):
        raise TypeError(
            f"{parameter} must be a vaecourse.data.Dataset; got {type(value).__name__}: "
            f'data.from_tensors(x, protocol="...") makes one of a tensor or an array x [N, D]'
        )
    return value


def _pick(x: Tensor, index: Tensor | slice) -> Tensor:
    return x[index] if isinstance(index, slice) else x.index_select(0, index)


def _observed(observed: int | Tensor | None, y: Tensor) -> Tensor:
    """Which of the labels y are seen, bool [N] on their device."""
    size = len(y)
    if isinstance(observed, Tensor):
        if observed.dtype != torch.bool or observed.shape != (size,):
            raise ValueError(
                f"observed must be a bool tensor [{size}]; got {str(observed.dtype).removeprefix('torch.')} "
                f"{list(observed.shape)}"
            )
        return observed.to(y.device, copy=True)
    number = size if observed is None else observed
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= size:
        raise ValueError(f"observed must be None, a whole number 0..{size} or a bool tensor [{size}]; got {observed!r}")
    return torch.arange(size, device=y.device) < number
