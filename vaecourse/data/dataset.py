"""A data set in memory: the pixels as stored, and the protocol by which a likelihood scores them."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

PROTOCOLS = ("binomial", "dynamic", "fixed", "integer", "dequantised", "intensity")
FIXED_SEED = 0  # of the one binarisation of protocol "fixed"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images of one split, under one protocol.

    The protocol says what x a likelihood scores. Nats under different protocols cannot be compared.

    - ``binomial``: the stored counts 0..levels, as numbers of successes in `levels` trials.
    - ``dynamic``: x_d ~ Bernoulli(stored / levels), drawn afresh at each visit.
    - ``fixed``: one such draw, by a stated seed, the same at every visit.
    - ``integer``: the stored values 0..levels as numbers, for any mass function on them (a discretised logistic).
    - ``dequantised``: (stored + u) / (levels + 1) with u ~ Uniform[0, 1), drawn afresh at each visit. A density p of
      these bounds a mass function P of the stored values: E log p <= log P + D log(levels + 1), Jensen's inequality.
    - ``intensity``: stored / levels in [0, 1]; no counts, so a binary likelihood of them is not in nats.

    Args:
        x: uint8 [N, D], as stored.
        y: int64 [N], labels.
        name: name in the registry.
        split: "train", "valid" or "test".
        protocol: one of the above.
        image_shape: height and width, of colour images channels, height and width; their product is D.
        levels: the largest value a pixel can have.
    """

    x: Tensor
    y: Tensor
    name: str
    split: str
    protocol: str
    image_shape: tuple[int, ...]
    levels: int

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return f"Dataset({self.label}; {len(self):,} images {'x'.join(map(str, self.image_shape))})"

    @property
    def label(self) -> str:
        """What figures and tables print: name, protocol and split."""
        protocol = {
            "binomial": f"binomial counts 0..{self.levels}",
            "dynamic": "dynamic binarisation",
            "fixed": f"fixed binarisation (seed {FIXED_SEED})",
            "integer": f"integers 0..{self.levels}",
            "dequantised": f"dequantised (x + u) / {self.levels + 1}",
            "intensity": "intensities in [0, 1]",
        }
        return f"{self.name}, {protocol[self.protocol]}, {self.split}"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what a model is trained on: name, split, protocol, levels, shapes and the stored bytes of x."""
        what = [self.name, self.split, self.protocol, self.levels, list(self.image_shape), list(self.x.shape)]
        digest = hashlib.sha256(json.dumps([*what, str(self.x.dtype)]).encode())
        digest.update(self.x.cpu().contiguous().numpy())
        return digest.hexdigest()

    def to(self, device: torch.device | str) -> "Dataset":
        """The same data on another device."""
        return replace(self, x=self.x.to(device), y=self.y.to(device))

    def head(self, size: int | None) -> "Dataset":
        """The first data, all of them if size is None; the first n of a train or valid split are stratified too."""
        return replace(self, x=self.x[:size], y=self.y[:size])

    def batch(self, index: Tensor | slice | None = None, generator: torch.Generator | None = None) -> Tensor:
        """x as the likelihood scores it; under ``dynamic`` and ``dequantised``, a fresh realisation at each call.

        Args:
            index: which data, int64 [B] or a slice; all of them if None.
            generator: source of the noise, on the data's device; torch's own if None.

        Returns:
            float32 [B, D].
        """
        index = slice(None) if index is None else index
        pick = Tensor.__getitem__ if isinstance(index, slice) else lambda x, index: x.index_select(0, index)
        if self.protocol == "fixed":
            return pick(self._fixed, index).float()
        x = pick(self.x, index).float()
        if self.protocol in ("binomial", "integer"):
            return x
        if self.protocol == "intensity":
            return x / self.levels
        return self._noisy(x, _uniform(x, generator))

    def _noisy(self, x: Tensor, noise: Tensor) -> Tensor:
        """A realisation of stored values x under ``dynamic`` or ``dequantised``; noise in [0, 1) is used up."""
        if self.protocol == "dequantised":
            # u in steps of 2^-16: for values up to 255, x + u is then exact in float32 and always below x + 1.
            return noise.mul_(2**16).floor_().div_(2**16).add_(x).div_(self.levels + 1)
        # u * levels < x has probability x / levels; x = levels is then certain, because u < 1.
        return noise.mul_(self.levels).lt_(x)

    def realise(self, seed: int = 0) -> Tensor:
        """All data as the likelihood scores them, one realisation: what validation and test scores use.

        Args:
            seed: of the noise under ``dynamic`` and ``dequantised``; the same draw on every device. Other
                protocols have nothing left to draw and ignore it.

        Returns:
            float32 [N, D], on the data's device.
        """
        if self.protocol not in ("dynamic", "dequantised"):
            return self.batch()
        x = self.x.cpu().float()
        noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(seed))
        return self._noisy(x, noise).to(self.x.device)

    @cached_property
    def _fixed(self) -> Tensor:
        """The one binarisation of protocol ``fixed``, bool [N, D]."""
        return replace(self, protocol="dynamic").realise(FIXED_SEED).bool()


def _uniform(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Uniform noise in [0, 1), shaped like x; on the CPU in steps of 2^-16.

    There one draw of the generator, which is most of what a batch costs, serves four pixels.
    """
    if x.device.type != "cpu":
        return torch.rand(x.shape, generator=generator, device=x.device)
    draws = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None, generator=generator)
    bits = draws.view(torch.int16)[: x.numel()].view(x.shape)
    return bits.float().add_(2**15).div_(2**16)
