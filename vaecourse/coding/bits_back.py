"""Bits-back coding: a latent-variable model as a lossless compressor whose length is the negative bound.

To push an image x: draw z out of the stack as if it had been pushed under q(z|x), push x under p(x|z), push z under
p(z). That costs log q(z|x) - log p(x|z) - log p(z), on average the negative bound, and popping runs the same steps
backwards.
"""

from __future__ import annotations

import contextlib
import hashlib
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from vaecourse import likelihoods, posteriors, priors
from vaecourse.coding.ans import EmptyStackError, Stack
from vaecourse.coding.integer_network import UNIT, FloatNetwork, IntegerNetwork
from vaecourse.coding.latents import GaussianCells
from vaecourse.coding.pixels import BernoulliCodec, BinomialCodec, CategoricalCodec, PixelCodec
from vaecourse.coding.stream import Header, pack, unpack
from vaecourse.likelihoods import check_support
from vaecourse.model import LatentVariableModel

Arithmetic = Literal["integer", "float32", "float64"]

_PIXELS = {
    likelihoods.Bernoulli: lambda likelihood, precision: BernoulliCodec(precision),
    likelihoods.Binomial: lambda likelihood, precision: BinomialCodec(likelihood.total_count, precision),
    likelihoods.CategoricalPixels: lambda likelihood, precision: CategoricalCodec(likelihood.num_levels, precision),
}


class BitsBack:
    """A compressor made of a model: what it writes is read by any other one of the same model, on any machine.

    All numbers that both sides must agree about come from :class:`~vaecourse.coding.IntegerNetwork` and from tables
    made of exact operations. The model is copied: what happens to it afterwards changes nothing here.

    Args:
        model: a standard normal prior, a diagonal Gaussian posterior, and a likelihood of discrete pixels (Bernoulli,
            Binomial or CategoricalPixels), with networks that :class:`~vaecourse.coding.IntegerNetwork` knows.
        precision: r: frequencies sum to 2^r, and what is impossible under the model costs r bits.
        num_cell_bits: each latent is cut into 2^b cells of equal prior mass.
        batch_size: how many images a network sees at once; it bounds the memory, and changes nothing else.
        arithmetic: "integer"; with "float32" or "float64" the networks compute as they do elsewhere, and streams can be
            read with luck only: to see what goes wrong.

    Raises:
        ValueError: a slot is filled with something else, which is named; a weight is not a number; precisions are
            impossible.

    References:
        Townsend, Bird & Barber (2019), Practical lossless compression with latent variables using bits back coding;
        Hinton & van Camp (1993), section 6, for the argument.

    Example:
        >>> from vaecourse.exact import frozen_vae
        >>> codec = BitsBack(frozen_vae())
        >>> x = (torch.rand(5, 64, generator=torch.Generator().manual_seed(0)) < 0.3).float()
        >>> stream = codec.encode(x)
        >>> torch.equal(codec.decode(stream), x)
        True
    """

    def __init__(
        self,
        model: LatentVariableModel,
        precision: int = 24,
        num_cell_bits: int = 12,
        batch_size: int = 1000,
        arithmetic: Arithmetic = "integer",
    ):
        _check_slots(model)
        if not 8 <= precision <= 28:
            raise ValueError(f"precision must be between 8 and 28 bits, and is {precision}")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, and is {batch_size}")
        self.precision = precision
        self.num_cell_bits = num_cell_bits
        self.batch_size = batch_size
        self.num_latents = len(model.prior.loc)
        with torch.no_grad():
            self._px_z = model.likelihood(model.prior.loc[None])
            q = model.posterior(model.prior.loc.new_zeros(1, *self._px_z.event_shape))
        if q.event_shape[0] != self.num_latents:
            raise ValueError(
                f"the posterior must have the {self.num_latents} latents of the prior, and has {q.event_shape[0]}"
            )
        self.num_pixels = self._px_z.event_shape[0]
        self.pixels: PixelCodec = _PIXELS[type(model.likelihood)](model.likelihood, precision)
        self.latents = GaussianCells(num_cell_bits, precision)
        self._encoder = _network(model.posterior.net, self.pixels.largest, arithmetic)
        self._decoder = _network(model.likelihood.net, np.abs(self.latents.centres).max() / UNIT, arithmetic)
        self.fingerprint = self._fingerprint(model)

    def encode(self, x: Tensor, lanes: int | None = None, seed: int = 0) -> bytes:
        """Images as bytes: chained, each one pays the next one's bits for z.

        Args:
            x: data [N, D], each value one that the likelihood gives a probability to.
            lanes: how many images are coded side by side. Each lane needs a 64-bit head and initial bits of its own, so
                that a file is shortest with one, and written fastest with hundreds; None for one lane a hundred images.
            seed: of the random bits that the first z are drawn from, from 0 to 2^64 - 1.

        Returns:
            A stream for :meth:`decode`; :func:`~vaecourse.coding.code_length` tells its parts.

        Raises:
            ValueError: x is empty, or holds values outside the likelihood's support; lanes or seed are none.
        """
        self._check(x)
        lanes = min(1000, 1 + len(x) // 100) if lanes is None else lanes
        if not 1 <= lanes <= len(x):
            raise ValueError(f"lanes must be between 1 and the number of images {len(x)}, and is {lanes}")
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 1 << 64:
            raise ValueError(f"seed must be a whole number from 0 to 2^64 - 1, and is {seed!r}")
        stack = Stack.of_random_bits(lanes, seed)
        self.push(stack, x)
        counts = self.num_pixels, len(x), lanes, len(stack.words), stack.num_clean_words
        return pack(Header(self.fingerprint, self.precision, self.num_cell_bits, *counts, seed), stack)

    def decode(self, stream: bytes) -> Tensor:
        """The images of a stream, [N, D].

        Raises:
            ValueError: the stream is damaged, or was written by another model or at another precision; or what is left
                when all images are popped are not the bits that were there before the first.
        """
        header, stack = unpack(stream)
        for name in ("precision", "num_cell_bits"):
            if getattr(header, name) != getattr(self, name):
                raise ValueError(f"stream was written at {name} {getattr(header, name)}, not {getattr(self, name)}")
        if header.fingerprint != self.fingerprint:
            raise ValueError(
                f"stream was written by another model, of fingerprint {header.fingerprint.hex()}, and this one's is "
                f"{self.fingerprint.hex()}"
            )
        with contextlib.suppress(EmptyStackError):
            x = self.pop(stack, header.num_images)
            if len(stack.words) == header.num_clean_words and stack == header.clean_stack():
                return x
        raise ValueError("stream was not decoded: the networks gave other numbers here than where it was written")

    def push(self, stack: Stack, x: Tensor) -> None:
        """Push images [N, D], one after the other onto each lane."""
        self._check(x)
        for part in x.cpu().long().split(len(stack.heads)):
            images = part.numpy()
            q = self._apply(self._encoder, images * float(UNIT))
            cells = self.latents.pop(stack, q)  # the bits back
            self.pixels.push(stack, images, self._apply(self._decoder, self.latents.centres[cells]))
            self.latents.push_under_prior(stack, cells)

    def pop(self, stack: Stack, num_images: int) -> Tensor:
        """Pop images [N, D]: every step of :meth:`push` undone, the last one first."""
        lanes = len(stack.heads)
        parts = []
        for start in reversed(range(0, num_images, lanes)):
            number = min(lanes, num_images - start)
            cells = self.latents.pop_under_prior(stack, self.num_latents, number)
            outputs = self._apply(self._decoder, self.latents.centres[cells])
            images = self.pixels.pop(stack, outputs, self.num_pixels)
            self.latents.push(stack, cells, self._apply(self._encoder, images * float(UNIT)))
            parts.append(images)
        return torch.from_numpy(np.concatenate(parts[::-1])).to(torch.get_default_dtype())

    def _check(self, x: Tensor) -> None:
        if x.ndim != 2 or not len(x):
            raise ValueError(f"x must be one or more images [N, D], and has shape {list(x.shape)}")
        check_support(self._px_z, x)

    def _apply(self, network: IntegerNetwork | FloatNetwork, inputs: np.ndarray) -> np.ndarray:
        starts = range(0, len(inputs), self.batch_size)
        return np.concatenate([network(inputs[start : start + self.batch_size]) for start in starts])

    def _fingerprint(self, model: LatentVariableModel) -> bytes:
        """Eight bytes of a hash of all that both sides must agree about."""
        kind = f"{type(model.likelihood).__name__} {self.num_pixels} {self.num_latents} {self.pixels.largest}".encode()
        tables = self.pixels.table, self.latents.centres, self.latents.edges, self.latents.table
        digests = [self._encoder.digest, self._decoder.digest]
        digests += [table.astype(f"<{table.dtype.kind}8").tobytes() for table in (*tables, self.latents.inverse_scales)]
        return hashlib.sha256(b"".join([kind, *digests])).digest()[:8]


def _network(net: nn.Module, largest_input: float, arithmetic: Arithmetic) -> IntegerNetwork | FloatNetwork:
    if arithmetic == "integer":
        return IntegerNetwork(net, largest_input)
    if arithmetic not in ("float32", "float64"):
        raise ValueError(f'arithmetic must be "integer", "float32" or "float64", and is {arithmetic!r}')
    return FloatNetwork(net, getattr(torch, arithmetic))


def _check_slots(model: LatentVariableModel) -> None:
    """Refuse, by name, what cannot be coded."""
    prior, likelihood, posterior = (type(slot) for slot in (model.prior, model.likelihood, model.posterior))
    if prior is not priors.StandardNormal:
        raise ValueError(f"the prior must be a StandardNormal, of which latents are cut into cells: {prior.__name__}")
    if posterior is not posteriors.DiagonalGaussian:
        raise ValueError(
            "the posterior must be a DiagonalGaussian: bits come back only from a density whose mass in every cell is "
            f"known, and this is {'None' if model.posterior is None else posterior.__name__}"
        )
    if likelihood not in _PIXELS:
        known = ", ".join(kind.__name__ for kind in _PIXELS)
        raise ValueError(
            f"the likelihood must give probabilities to discrete pixels ({known}), and {likelihood.__name__} does not: "
            "a value with a density has no finite code"
        )
    for name, tensor in model.state_dict().items():
        if not tensor.isfinite().all():
            raise ValueError(f"the model cannot be coded with: {name} holds {tensor[~tensor.isfinite()][0]}")
