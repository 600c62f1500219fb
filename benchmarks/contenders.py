"""The same VAE trained by the course, by a plain loop and by other libraries, and the matrix products they share.

A contender trains for some epochs and says how long each took. All use 784-200-200-50 tanh networks of the same class,
one sample of z a datum, batches of 100 and Adam with learning rate 1e-3; where one differs, its docstring says so.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import logging
import tempfile
import time
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from vaecourse.data import Dataset
from vaecourse.estimators import analytic_kl, pathwise
from vaecourse.likelihoods import Bernoulli
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP
from vaecourse.objectives import iwae
from vaecourse.posteriors import DiagonalGaussian
from vaecourse.priors import StandardNormal
from vaecourse.training import fit

HIDDEN = (200, 200)
LATENT_DIM = 50
BATCH_SIZE = 100
LEARNING_RATE = 1e-3


class Run(NamedTuple):
    """One training: how long each epoch took, and what it reached."""

    seconds: list[float]  # of each epoch
    bound: float | None  # nats per datum, the mean over the last epoch; None where nothing is learned


class UnavailableError(Exception):
    """A contender that cannot run here; the message says why."""


def networks(num_pixels: int) -> tuple[MLP, MLP]:
    """Encoder and decoder, initialised alike for every contender."""
    torch.manual_seed(0)
    return MLP(num_pixels, HIDDEN, 2 * LATENT_DIM), MLP(LATENT_DIM, HIDDEN, num_pixels)


def course_model(num_pixels: int) -> LatentVariableModel:
    """The model as chapter 08 writes it."""
    encoder, decoder = networks(num_pixels)
    return LatentVariableModel(StandardNormal(LATENT_DIM), Bernoulli(decoder), DiagonalGaussian(encoder))


def course(train: Dataset, num_epochs: int, *, num_samples: int = 1, chunk_size: int | None = None, **mode) -> Run:
    """``vaecourse.training.fit`` itself, in one of its modes; with more samples, the bound is IWAE's."""
    bound = analytic_kl if num_samples == 1 else partial(pathwise, num_samples=num_samples, objective=iwae)
    model = course_model(train.x.shape[1])
    model.chunk_size = chunk_size
    try:
        settings = dict(batch_size=BATCH_SIZE, learning_rate=LEARNING_RATE, progress=False)
        history = fit(model, bound, train, num_epochs=num_epochs, **settings, **mode)
    except RuntimeError as error:
        if mode.get("compile"):  # there is no C++ compiler, say
            raise UnavailableError(str(error)) from error
        raise
    ends = [0.0] + [record["seconds"] for record in history.records]
    return Run([end - start for start, end in itertools.pairwise(ends)], history.records[-1]["bound"])


def plain_loop(train: Dataset, num_epochs: int) -> Run:
    """What a tutorial does: a DataLoader over tensors in memory, Adam as it comes, the loss read at every step.

    The KL is in closed form.
    """
    encoder, decoder = networks(train.x.shape[1])
    loader = DataLoader(TensorDataset(_intensities(train), train.y), batch_size=BATCH_SIZE, shuffle=True)
    optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=LEARNING_RATE)
    seconds = []
    for _ in range(num_epochs):
        start, total = time.perf_counter(), 0.0
        for intensities, _labels in loader:
            x = _binarised(intensities)
            loc, log_scale = encoder(x).chunk(2, -1)
            z = loc + log_scale.exp() * torch.randn_like(loc)
            distortion = F.binary_cross_entropy_with_logits(decoder(z), x, reduction="sum") / len(x)
            rate = (0.5 * (loc.square() + (2 * log_scale).exp() - 1) - log_scale).sum() / len(x)
            loss = distortion + rate
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(x)
        seconds.append(time.perf_counter() - start)
    return Run(seconds, -total / len(train))


def pyro_svi(train: Dataset, num_epochs: int) -> Run:
    """Pyro's SVI with Trace_ELBO as in its VAE tutorial, without validation, the likelihood by logits."""
    try:
        import pyro
        import pyro.distributions as dist
    except ImportError as error:
        raise UnavailableError("pyro-ppl is not installed") from error

    encoder, decoder = networks(train.x.shape[1])

    def model(x: Tensor) -> None:
        pyro.module("decoder", decoder)
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", dist.Normal(x.new_zeros(len(x), LATENT_DIM), 1.0).to_event(1))
            pyro.sample("x", dist.Bernoulli(logits=decoder(z)).to_event(1), obs=x)

    def guide(x: Tensor) -> None:
        pyro.module("encoder", encoder)
        with pyro.plate("data", len(x)):
            loc, log_scale = encoder(x).chunk(2, -1)
            pyro.sample("z", dist.Normal(loc, log_scale.exp()).to_event(1))

    pyro.clear_param_store()
    svi = pyro.infer.SVI(model, guide, pyro.optim.Adam({"lr": LEARNING_RATE}), pyro.infer.Trace_ELBO())
    loader = DataLoader(TensorDataset(_intensities(train), train.y), batch_size=BATCH_SIZE, shuffle=True)
    seconds = []
    with pyro.validation_enabled(False):
        for _ in range(num_epochs):
            start = time.perf_counter()
            # The loss is summed over the batch; Adam does not see the factor.
            total = sum(svi.step(_binarised(intensities)) for intensities, _labels in loader)
            seconds.append(time.perf_counter() - start)
    return Run(seconds, -total / len(train))


def pythae_model(num_pixels: int) -> nn.Module:
    """pythae's VAE around the shared networks."""
    try:
        from pythae.models import VAE, VAEConfig
        from pythae.models.base.base_utils import ModelOutput
        from pythae.models.nn import BaseDecoder, BaseEncoder
    except ImportError as error:
        raise UnavailableError("pythae is not installed") from error
    encoder_net, decoder_net = networks(num_pixels)

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.net = encoder_net

        def forward(self, x):
            loc, log_scale = self.net(x).chunk(2, -1)
            return ModelOutput(embedding=loc, log_covariance=2 * log_scale)

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            self.net = decoder_net

        def forward(self, z):
            return ModelOutput(reconstruction=self.net(z).sigmoid())

    config = VAEConfig(input_dim=(num_pixels,), latent_dim=LATENT_DIM, reconstruction_loss="bce")
    return VAE(config, encoder=Encoder(), decoder=Decoder())


def pythae_vae(train: Dataset, num_epochs: int, fused: bool = False) -> Run:
    """pythae's VAE under its BaseTrainer with its defaults (data loaded in process), or with Adam fused.

    The images are binarised once: its trainer offers no way to draw them anew. The KL is in closed form.
    """
    model = pythae_model(train.x.shape[1])
    from pythae.data.datasets import BaseDataset
    from pythae.trainers import BaseTrainer, BaseTrainerConfig
    from pythae.trainers.training_callbacks import TrainingCallback

    class Clock(TrainingCallback):
        def __init__(self):
            self.begins, self.losses = [], []

        def on_epoch_begin(self, training_config, **kwargs):
            self.begins.append(time.perf_counter())

        def on_log(self, training_config, logs, **kwargs):
            self.losses.append(logs["train_epoch_loss"])
            self.end = time.perf_counter()

    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        trainer = BaseTrainer(
            model,
            BaseDataset(train.realise(), train.y),
            training_config=BaseTrainerConfig(
                output_dir=folder,
                num_epochs=num_epochs,
                per_device_train_batch_size=BATCH_SIZE,
                learning_rate=LEARNING_RATE,
                optimizer_params={"fused": True} if fused else None,
                no_cuda=True,
            ),
            callbacks=[clock],
        )
        trainer.train()
    ends = [*clock.begins[1:], clock.end]
    return Run([end - begin for begin, end in zip(clock.begins, ends)], -clock.losses[-1])


@torch.no_grad()
def matrix_products(train: Dataset, num_epochs: int) -> Run:
    """The floor: the fp32 matrix products of a step alone, forward and backward, on inputs and outputs made before.

    Of each layer y = x W^T, dW = dy^T x and dx = dy W, which the encoder's first layer does not need.
    """
    modules = [module for net in networks(train.x.shape[1]) for module in net.modules()]
    layers = []
    for weight in [module.weight for module in modules if isinstance(module, nn.Linear)]:
        size_out, size_in = weight.shape
        x, dx = torch.randn(BATCH_SIZE, size_in), torch.empty(BATCH_SIZE, size_in)
        dy, y = torch.randn(BATCH_SIZE, size_out), torch.empty(BATCH_SIZE, size_out)
        layers.append((weight, torch.empty_like(weight), x, dx, y, dy))
    first = layers[0]
    seconds = []
    for _ in range(num_epochs):
        start = time.perf_counter()
        for _ in range(-(-len(train) // BATCH_SIZE)):
            for weight, _dw, x, _dx, y, _dy in layers:
                torch.mm(x, weight.t(), out=y)
            for layer in reversed(layers):
                weight, dw, x, dx, _y, dy = layer
                torch.mm(dy.t(), x, out=dw)
                if layer is not first:
                    torch.mm(dy, weight, out=dx)
        seconds.append(time.perf_counter() - start)
    return Run(seconds, None)


@contextlib.contextmanager
def silence():
    """Every contender shows its bar and its log as it does for its users, but not here."""
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


def _intensities(train: Dataset) -> Tensor:
    return train.x.float() / train.levels


def _binarised(intensities: Tensor) -> Tensor:
    return (torch.rand_like(intensities) < intensities).float()
