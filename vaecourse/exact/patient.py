"""The common patient: one VAE of the digits with a 2-D latent, trained once, whose log p(x) is known by quadrature."""

from __future__ import annotations

from importlib.resources import files

import torch
from safetensors.torch import load
from torch import Tensor, nn

from vaecourse.likelihoods import Bernoulli
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP, Rescale
from vaecourse.posteriors import DiagonalGaussian
from vaecourse.priors import StandardNormal

SPLITS = ("train", "valid", "test")


def architecture() -> LatentVariableModel:
    """The patient's architecture with fresh weights: 8x8 binary pixels, two latents, two layers of 64 tanh each way."""
    encoder = nn.Sequential(Rescale(0.5, 0.5), MLP(64, (64, 64), 2 * 2))
    decoder = MLP(2, (64, 64), 64)
    return LatentVariableModel(StandardNormal(2), Bernoulli(decoder), DiagonalGaussian(encoder))


def frozen_vae(dtype: torch.dtype = torch.float64) -> LatentVariableModel:
    """The trained VAE that all chapters share: float64, constant parameters, evaluation mode.

    It was fitted to the training digits under dynamic binarisation by ``python -m vaecourse.exact.train``, which
    anyone can run again, and is scored on the fixed one: ``data.load("digits", split, protocol="fixed")``.
    """
    model = architecture()
    tensors = _stored()
    model.load_state_dict({name: value for name, value in tensors.items() if not name.startswith("log_px.")})
    return model.to(dtype).eval().requires_grad_(False)


def frozen_log_px(split: str = "test") -> Tensor:
    """log p(x) of every digit of a split under the frozen VAE, [N], float64 nats, by quadrature to 1e-6.

    Args:
        split: "train", "valid" or "test", in the order of ``data.load("digits", split, protocol="fixed")``.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, and is {split!r}")
    return _stored()[f"log_px.{split}"]


def _stored() -> dict[str, Tensor]:
    return load(files("vaecourse.exact").joinpath("patient.safetensors").read_bytes())
