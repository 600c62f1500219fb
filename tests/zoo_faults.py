"""The inhabitants of the zoo: real mistakes, each a patch that runs in the kernel before the chapter's first cell.

A patch replaces what the chapter will import. Modules that import the patched name do so after it, because importing
``vaecourse`` alone imports none of them.
"""

MEAN_OVER_PIXELS = """
import vaecourse.likelihoods as m
right = m.Bernoulli.forward
def forward(self, c=None):
    px_z = right(self, c)
    total = px_z.log_prob
    px_z.log_prob = lambda x: total(x) / x.shape[-1]
    return px_z
m.Bernoulli.forward = forward
"""

PRIOR_WITHOUT_NORMALISER = """
import math
import vaecourse.priors as m
right = m.StandardNormal.forward
def forward(self, c=None):
    pz = right(self, c)
    total = pz.log_prob
    pz.log_prob = lambda z: total(z) + z.shape[-1] / 2 * math.log(2 * math.pi)
    return pz
m.StandardNormal.forward = forward
"""

LOG_VARIANCE_AS_SCALE = """
import torch.distributions as td
import vaecourse.posteriors as m
def forward(self, c=None):
    loc, log_variance = self.net(c).chunk(2, -1)
    return td.Independent(td.Normal(loc, (log_variance / 2).exp(), validate_args=False), 1)
m.DiagonalGaussian.forward = forward
"""

ELBO_SUMS_SAMPLES = """
import vaecourse.objectives as m
m.elbo = lambda draw: draw.log_w.sum(0)
"""

IWAE_WITHOUT_LOG_K = """
import vaecourse.objectives as m
m.iwae = lambda draw: draw.log_w.logsumexp(0)
"""

WEIGHT_WITHOUT_PRIOR = """
import vaecourse.model as m
m.Draw.log_w = property(lambda draw: draw.log_px_z - draw.log_qz_x)
"""

WEIGHT_WITH_FLIPPED_ENTROPY = """
import vaecourse.model as m
m.Draw.log_w = property(lambda draw: draw.log_px_z + draw.log_pz + draw.log_qz_x)
"""


def analytic_kl(term: str) -> str:
    """The bound with another term in place of its KL, in the estimator and wherever it is imported from."""
    return f"""
import torch.distributions as td
import vaecourse.estimators as m
def analytic_kl(model, x, num_samples=1, beta=1.0):
    q, p = model.posterior(x), model.prior()
    z = q.rsample((num_samples,))
    return model.likelihood(z).log_prob(x).mean(0) + ({term})
m.analytic_kl = analytic_kl
"""


KL_WITH_FLIPPED_SIGN = analytic_kl("td.kl_divergence(q, p)")
KL_AVERAGED_OVER_LATENTS = analytic_kl("-td.kl_divergence(q, p) / z.shape[-1]")
KL_WITH_EXCHANGED_ARGUMENTS = analytic_kl("-td.kl_divergence(p, q)")

DETACHED_SAMPLES = """
import vaecourse.model as m
right = m.LatentVariableModel.draw
def draw(self, x, num_samples=1, q=None, through="both", pz=None):
    return right(self, x, num_samples, q, "density", pz)
m.LatentVariableModel.draw = draw
"""

DETACHED_ENTROPY = """
import vaecourse.model as m
m.Draw.log_w = property(lambda draw: draw.log_px_z + draw.log_pz - draw.log_qz_x.detach())
"""

IMPORTANCE_WITHOUT_LOG_M = """
import math
import vaecourse.evaluation as m
right = m.importance_log_likelihood
def importance_log_likelihood(model, x, num_samples=1000, *args, **kwargs):
    estimate = right(model, x, num_samples, *args, **kwargs)
    return estimate._replace(log_px=estimate.log_px + math.log(num_samples))
m.importance_log_likelihood = importance_log_likelihood
"""

AIS_COUNTS_THE_PRIOR_TWICE = """
import vaecourse.evaluation.annealing as m
from vaecourse.distributions import log_prob
right = m.Path.log_ratio
def log_ratio(self, z, log_q0):
    return right(self, z, log_q0) + (log_prob(self.pz, z) if self.from_prior else 0)
m.Path.log_ratio = log_ratio
"""

SANDWICH_WITH_INVERTED_WEIGHT = """
import sys
import vaecourse.evaluation
m = sys.modules["vaecourse.evaluation.ais"]
right = m.Run.reverse
def reverse(self, z):
    log_v, cost = right(self, z)
    return -log_v, cost
m.Run.reverse = reverse
"""

KHAT_UPSIDE_DOWN = """
import vaecourse.evaluation as package
import vaecourse.evaluation.estimate as m
import vaecourse.evaluation.pareto as pareto
right = pareto.pareto_khat
m.pareto_khat = pareto.pareto_khat = package.pareto_khat = lambda *args: -right(*args)
"""

STANDARD_ERROR_OF_ONE_WEIGHT = """
import vaecourse.evaluation.estimate as m
right = m.RunningWeights.estimate
def estimate(self, num_evaluations):
    result = right(self, num_evaluations)
    return result._replace(se=result.se * self.num_weights ** 0.5)
m.RunningWeights.estimate = estimate
"""

SCALED_IN_THE_VARIANCE = """
import vaecourse.posteriors as m
right = m._scaled
m._scaled = lambda q, factor: right(q, factor) if type(q).__name__ == "Normal" else right(q, factor ** 0.5)
"""

UNITS_BY_STANDARD_DEVIATION = """
import importlib
import vaecourse.evaluation as package
m = importlib.import_module("vaecourse.evaluation.active_units")
right = m.active_units
def active_units(model, x, threshold=0.01, **options):
    units = right(model, x, threshold, **options)
    return units._replace(variance=units.variance.sqrt(), active=units.variance.sqrt() > threshold)
m.active_units = package.active_units = active_units
"""

TABLE_KL_REVERSED = """
import vaecourse.exact.table as m
m.Table.kl, m.Table.reverse_kl = m.Table.reverse_kl, m.Table.kl
"""

QUADRATURE_WITHOUT_CELL_VOLUME = """
import sys
import vaecourse.exact
m = sys.modules["vaecourse.exact.quadrature"]
right = m.quadrature
def quadrature(*args, **kwargs):
    table = right(*args, **kwargs)
    return table._replace(log_px=table.log_px - table.log_cell)
m.quadrature = vaecourse.exact.quadrature = quadrature
"""

E_STEP_NORMALISED_OVER_DATA = """
import torch.distributions as td
import vaecourse.em.components as m
m.BayesRule.forward = lambda self, c=None: td.OneHotCategorical(logits=self.log_joint(c).log_softmax(0))
"""

E_STEP_WITHOUT_PRIOR = """
import torch.distributions as td
import vaecourse.em.components as m
m.BayesRule.forward = lambda self, c=None: td.OneHotCategorical(logits=self.likelihood.log_probs(c))
"""

M_STEP_FORGETS_THE_WEIGHTS = """
import vaecourse.em.mixtures as m
right = m.Mixture.m_step
def m_step(self, x, q):
    before = self.prior.logits.detach().clone()
    right(self, x, q)
    self.prior.logits.data.copy_(before)
m.Mixture.m_step = m_step
"""

M_STEP_AVERAGES_OVER_ALL_DATA = """
import torch
import vaecourse.em.mixtures as m
for kind in (m.GaussianMixture, m.BernoulliMixture):
    def refit(self, x, shares, counts, alive, right=kind._refit):
        right(self, x, shares, torch.full_like(counts, len(x) / len(counts)), alive)
    kind._refit = refit
"""

BOUND_WITHOUT_ENTROPY = """
import vaecourse.em.base as m
m.EMModel.bound = lambda self, x, q: self.expected_log_joint(x, q)
"""

PPCA_NOISE_DOUBLED = """
import vaecourse.em.ppca as m
right = m.ProbabilisticPCA._set_variance
m.ProbabilisticPCA._set_variance = lambda self, variance: right(self, 2 * variance)
"""

ACCEPT_FLIPPED = """
import sys
import vaecourse.mcmc
m = sys.modules["vaecourse.mcmc.metropolis"]
right = m.accept
def accept(state, proposal, log_ratio, generator, cost):
    return right(state, proposal, -log_ratio, generator, cost)
for name in ("metropolis", "langevin", "hamiltonian"):
    sys.modules["vaecourse.mcmc." + name].accept = accept
"""

MALA_WITHOUT_HASTINGS = """
import sys
import torch
import vaecourse.mcmc
m = sys.modules["vaecourse.mcmc.langevin"]
m._log_proposal = lambda to, state, eps: torch.zeros_like(state.log_density)
"""

LEAPFROG_WITHOUT_HALF_STEP = """
import sys
import vaecourse.mcmc as package
m = sys.modules["vaecourse.mcmc.hamiltonian"]
def leapfrog(log_density, state, momentum, step_size, num_steps):
    eps = m.per_chain(step_size, state.position)
    for _ in range(num_steps):
        state = m.with_gradient(log_density, state.position + eps * momentum)
        momentum = momentum + eps * state.gradient
    return state, momentum
m.leapfrog = package.leapfrog = leapfrog
"""

EVERY_DRAW_COUNTS_AS_INDEPENDENT = """
import sys
import torch
import vaecourse.mcmc as package
m = sys.modules["vaecourse.mcmc.diagnostics"]
def effective_sample_size(positions, kind="bulk"):
    return torch.full(positions.shape[2:], float(positions.shape[0] * positions.shape[1]), dtype=torch.float64)
m.effective_sample_size = package.effective_sample_size = effective_sample_size
"""

R_HAT_WITHIN_OVER_TOTAL = """
import sys
import vaecourse.mcmc as package
m = sys.modules["vaecourse.mcmc.diagnostics"]
right = m.r_hat
m.r_hat = package.r_hat = lambda positions: 1 / right(positions)
"""

DECILES_EXCHANGED = """
import vaecourse.exact.deciles as m
right = m.Deciles.of.__func__
m.Deciles.of = classmethod(lambda cls, table: cls(*(part.flip(-1) for part in right(cls, table))))
"""

DRAWS_WITHOUT_WEIGHTS = """
import vaecourse.exact.deciles as m
right = m.Deciles.error_of_draws
m.Deciles.error_of_draws = lambda self, draws, log_weight=None: right(self, draws)
"""

MARGINALS_OF_THE_VARIANCE = """
import torch.distributions as td
import vaecourse.exact.deciles as m
def error_of_gaussian(self, q):
    marginal = td.Normal(q.mean[:, None], q.variance[:, None])
    return (marginal.cdf(self.threshold) - self.probability).square().mean((-2, -1))
m.Deciles.error_of_gaussian = error_of_gaussian
"""

GAUSSIAN_WITHOUT_ENTROPY = """
import sys
import vaecourse.exact
m = sys.modules["vaecourse.exact.gauss_hermite"]
def gaussian_bound(model, x, q=None, order=32):
    q = model.posterior(x) if q is None else q
    nodes, weights = m.gauss_hermite(order, q.event_shape[0], x.dtype)
    draw = m.draw_at_nodes(model, x, q, nodes)
    return weights.to(x) @ (draw.log_px_z + draw.log_pz)
m.gaussian_bound = vaecourse.exact.gaussian_bound = gaussian_bound
"""

MIXTURE_WITHOUT_WEIGHTS = """
import vaecourse.em.mixtures as m
m.Mixture.log_likelihood = lambda self, x: self.likelihood.log_probs(x).logsumexp(-1)
"""

MARGINAL_WITH_SCALE_FOR_VARIANCE = """
import sys
import torch
import torch.distributions as td
import vaecourse.exact
m = sys.modules["vaecourse.exact.linear_gaussian"]
def linear_gaussian_marginal(model):
    weight, bias = model.likelihood.net.weight, model.likelihood.net.bias
    return td.MultivariateNormal(bias, weight @ weight.T + model.likelihood.log_scale.exp() * torch.eye(len(bias)))
m.linear_gaussian_marginal = vaecourse.exact.linear_gaussian_marginal = linear_gaussian_marginal
"""

STL_KEEPS_THE_SCORE = """
import vaecourse.estimators as m
m.stl = m.pathwise
"""

IMPLICIT_GRADIENT_WITH_FLIPPED_SIGN = """
import vaecourse.distributions as m
def rsample(self, sample_shape=()):
    z = self.base.sample(sample_shape)
    cdf = self.base.cdf(z)
    return z + (cdf - cdf.detach()) / self.base.log_prob(z).detach().exp()
m.Implicit.rsample = rsample
"""

AFFINE_WITHOUT_LOG_DETERMINANT = """
import vaecourse.distributions as m
right = m.Affine.log_prob
def log_prob(self, value):
    return right(self, value) + self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
m.Affine.log_prob = log_prob
"""

TRUNCATION_BY_CLAMPING = """
import vaecourse.distributions as m
right = m.InverseCDF.rsample
def rsample(self, sample_shape=()):
    if self.low is None and self.high is None:
        return right(self, sample_shape)
    return self.base.rsample(sample_shape).clamp(self.low, self.high)
m.InverseCDF.rsample = rsample
"""

BASELINE_KNOWS_ITS_OWN_SAMPLE = """
import sys
import vaecourse.estimators
sys.modules["vaecourse.estimators.score_function"].mean_of_others = lambda values: values.mean(0)
"""

GUMBEL_OF_THE_WRONG_TEMPERATURE = """
import vaecourse.estimators as m
right = m.gumbel_softmax
def gumbel_softmax(model, x, num_samples=1, temperature=1.0):
    return right(model, x, num_samples, 1 / temperature)
m.gumbel_softmax = gumbel_softmax
"""

STRAIGHT_THROUGH_TO_THE_SOFT_SAMPLE = """
import vaecourse.estimators as m
right = m.straight_through
m.straight_through = lambda model, x, num_samples=1, temperature=None: right(model, x, num_samples, temperature or 1.0)
"""

SIGNAL_WITHOUT_ENTROPY = """
import sys
import vaecourse.estimators
m = sys.modules["vaecourse.estimators.score_function"]
def surrogate(draw, baseline):
    signal = (draw.log_px_z + draw.log_pz).detach() - baseline
    return (draw.log_px_z + draw.log_pz + signal * draw.log_qz_x).mean(0)
m._surrogate = surrogate
"""

SCORE_SUMMED_OVER_SAMPLES = """
import sys
import vaecourse.estimators
m = sys.modules["vaecourse.estimators.score_function"]
right = m._surrogate
m._surrogate = lambda draw, baseline: right(draw, baseline) * len(draw.z)
"""

COEFFICIENT_FROM_ALL_SAMPLES = """
import sys
import vaecourse.estimators
m = sys.modules["vaecourse.estimators.control_variates"]
m.mean_of_others = lambda values: values.mean(0).expand_as(values)
"""

NEIGHBOURS_EXCHANGED_FOR_THE_REST = """
import vaecourse.estimators as m
right = m.rao_blackwellised
def rao_blackwellised(model, x, *args, neighbours=None, **kwargs):
    return right(model, x, *args, neighbours=None if neighbours is None else ~neighbours, **kwargs)
m.rao_blackwellised = rao_blackwellised
"""

ENUMERATION_WITH_EQUAL_WEIGHTS = """
import vaecourse.exact as m
from vaecourse.exact.enumeration import states
def enumerated_bound(model, x):
    z = states(model.prior())[:, None].expand(-1, len(x), -1)
    return model.score(x, z, model.posterior(x).log_prob(z)).log_w.mean(0)
m.enumerated_bound = enumerated_bound
"""

Z_SCORES_FORGET_THE_NUMBER_OF_DRAWS = """
import vaecourse.estimators.bench as m
right = m.GradientStatistics.z_scores.fget
m.GradientStatistics.z_scores = property(lambda self: right(self) / self.num_draws**0.5)
"""

LOCAL_POSTERIORS_OF_THE_NEIGHBOUR = """
import vaecourse.inference as m
m.PerDatum.forward = lambda self, c=None: self.family(self.rows.roll(1, 0))
"""

LOCAL_START_IGNORED = """
import sys
import torch.distributions as td
import vaecourse.inference
m = sys.modules["vaecourse.inference.per_datum"]
right = m._start
def start(model, x, begin):
    q = right(model, x, begin)
    return td.Independent(td.Normal(0 * q.mean, 0 * q.mean + 1.0), 1)
m._start = start
"""

GAUSS_HERMITE_OF_THE_PHYSICISTS = """
import math, sys
import vaecourse.exact
m = sys.modules["vaecourse.exact.gauss_hermite"]
right = m.gauss_hermite
def gauss_hermite(*args, **kwargs):
    nodes, weights = right(*args, **kwargs)
    return nodes / math.sqrt(2), weights
m.gauss_hermite = vaecourse.exact.gauss_hermite = gauss_hermite
"""

AMORTISATION_GAP_FROM_LOG_PX = """
import vaecourse.evaluation.ledger as m
m.GapLedger.amortisation_gap = property(lambda ledger: ledger.gap)
"""

BEST_GAUSSIAN_IS_ITS_START = """
import vaecourse.exact as m
m.best_gaussian = lambda model, x, start=None, *arguments, **options: model.posterior(x) if start is None else start
"""

E_STEP_DECIDES = """
import torch
import torch.distributions as td
import vaecourse.em.mixtures as m
def e_step(self, x):
    probs = self.posterior(self.check(x)).probs
    return td.OneHotCategorical(torch.nn.functional.one_hot(probs.argmax(-1), probs.shape[-1]).to(probs))
m.Mixture.e_step = torch.no_grad()(e_step)
"""

BETA_IGNORED = """
import vaecourse.objectives as m
m.beta_elbo = lambda draw, beta, log_mass=None: m.elbo(draw, log_mass)
"""

FIXED_PRIOR_IS_STANDARD = """
import torch
import torch.distributions as td
import vaecourse.priors as m
forward = m.Fixed.forward
def standard(self, c=None):
    given = forward(self, c)
    zero = torch.zeros(given.event_shape, dtype=given.mean.dtype)
    q = td.Independent(td.Normal(zero, zero + 1), 1)
    return q if c is None else q.expand(c.shape[:-1])
m.Fixed.forward = standard
"""

FREE_BITS_INSIDE_THE_BATCH = """
import torch
import vaecourse.estimators as m
from vaecourse.distributions import kl_per_latent
def free_bits(model, x, num_samples=1, free=0.5, groups=None):
    q = model.posterior(x)
    charged = kl_per_latent(q, model.prior()).clamp(min=free)
    return model.likelihood(q.rsample((num_samples,))).log_prob(x).mean(0) - charged.sum(-1)
m.free_bits = free_bits
"""

SURGERY_WITHOUT_LOG_N = """
import dataclasses
import math
import vaecourse.evaluation as m
right = m.elbo_surgery
def elbo_surgery(model, x, *args, **kwargs):
    surgery = right(model, x, *args, **kwargs)
    return dataclasses.replace(surgery, log_aggregate=surgery.log_aggregate + math.log(len(x)))
m.elbo_surgery = elbo_surgery
"""

SURGERY_NEVER_SATURATED = """
import vaecourse.evaluation.surgery as m
m.Surgery.saturated = property(lambda surgery: surgery.mutual_information.mean > surgery.ceiling)
"""

WATER_LEVEL_FROM_SCALE = """
import sys
import vaecourse.exact
m = sys.modules["vaecourse.exact.linear_vae"]
m.LinearVAE.water_level = property(lambda best: best.beta * best.scale)
"""

LINEAR_RATE_WITHOUT_HALF = """
import sys
import vaecourse.exact
m = sys.modules["vaecourse.exact.linear_vae"]
right = m.LinearVAE.rates.fget
m.LinearVAE.rates = property(lambda best: 2 * right(best))
"""

ANNEALING_IGNORED = """
import vaecourse.training.anneal as m
m.ramp.__call__ = lambda ramp, step, num_steps: 1.0
"""

CELLS_OF_THE_VARIANCE = """
import numpy as np
import vaecourse.coding.latents as m
def _parameters(self, outputs):
    loc, log_scale = np.split(outputs, 2, axis=-1)
    largest = m.LARGEST_LOG_SCALE * m.UNIT
    return loc, self.inverse_scales[(np.clip(2 * log_scale, -largest, largest) + largest).astype(np.int64)]
m.GaussianCells._parameters = _parameters
"""

NO_BITS_BACK = """
import numpy as np
import vaecourse.coding.bits_back as m
from vaecourse.coding.integer_network import UNIT
def push(self, stack, x):
    for part in x.cpu().long().split(len(stack.heads)):
        images = part.numpy()
        q = self._apply(self._encoder, images * float(UNIT))
        means = q[:, : self.num_latents]
        cells = np.searchsorted(self.latents.edges[1:-1], means / UNIT)
        self.pixels.push(stack, images, self._apply(self._decoder, self.latents.centres[cells]))
        self.latents.push_under_prior(stack, cells)
def pop(self, stack, num_images):
    lanes, parts = len(stack.heads), []
    for start in reversed(range(0, num_images, lanes)):
        cells = self.latents.pop_under_prior(stack, self.num_latents, min(lanes, num_images - start))
        outputs = self._apply(self._decoder, self.latents.centres[cells])
        parts.append(self.pixels.pop(stack, outputs, self.num_pixels))
    return m.torch.from_numpy(np.concatenate(parts[::-1])).to(m.torch.get_default_dtype())
m.BitsBack.push, m.BitsBack.pop = push, pop
"""

INITIAL_BITS_IN_THE_NET_LENGTH = """
import vaecourse.coding as m
right = m.code_length
def code_length(stream):
    length = right(stream)
    return length._replace(net_bits=length.net_bits + length.initial_bits)
m.code_length = code_length
"""

INTEGERS_MADE_AFTER_THE_SUM = """
import numpy as np
from torch import nn
import vaecourse.coding.integer_network as m
right = m._linear
def _linear(layer, bound):
    step, bound, weight, bias = right(layer, bound)
    weight32, bias32 = (weight / m.UNIT).astype(np.float32), (bias / m.UNIT**2).astype(np.float32)
    return lambda x: m.integers((x / m.UNIT).astype(np.float32) @ weight32 + bias32), bound, weight, bias
m._STEPS[nn.Linear] = _linear
"""

LEVELS_AT_TWICE_THE_TEMPERATURE = """
import vaecourse.coding.pixels as m
right = m.CategoricalCodec.cumulative
m.CategoricalCodec.cumulative = lambda self, outputs, pixel: right(self, outputs / 2, pixel)
"""

BINOMIAL_WITHOUT_ITS_COEFFICIENTS = """
import vaecourse.coding.pixels as m
m.math = type("math", (), {"comb": staticmethod(lambda n, k: 1)})
"""

HEADS_WITHOUT_RANDOM_BITS = """
import numpy as np
import vaecourse.coding.ans as m
right = m.Stack.of_random_bits.__func__
def of_random_bits(cls, lanes, seed=0, num_words=0):
    stack = right(cls, lanes, seed, num_words)
    stack.heads[:] = m.LOWEST
    return stack
m.Stack.of_random_bits = classmethod(of_random_bits)
"""

A_FILE_EACH_FOR_ONE_FILE = """
import vaecourse.coding as m
right = m.everyday_sizes
m.everyday_sizes = lambda images: right(images).rename(columns={"one file": "a file each", "a file each": "one file"})
"""

LAYERS_EXCHANGED = """
import vaecourse.distributions.chain as m
right = m.ChainDistribution.layers
def layers(self, value):
    found = right(self, value)
    return [one._replace(log_prob=other.log_prob) for one, other in zip(found, found[::-1])]
m.ChainDistribution.layers = layers
"""

LADDER_ADDS_VARIANCES = """
import torch.distributions as td
import vaecourse.posteriors as m
def forward(self, z, features):
    p, e = self.prior(z).base_dist, self.evidence(features).base_dist
    variance = p.scale**2 + e.scale**2
    loc = (p.loc * e.scale**2 + e.loc * p.scale**2) / variance
    return td.Independent(td.Normal(loc, variance.sqrt(), validate_args=False), 1)
m.Ladder.forward = forward
"""

LADDER_WEIGHS_BY_SCALES = """
import torch.distributions as td
import vaecourse.posteriors as m
def forward(self, z, features):
    p, e = self.prior(z).base_dist, self.evidence(features).base_dist
    loc = (p.loc / p.scale + e.loc / e.scale) / (1 / p.scale + 1 / e.scale)
    return td.Independent(td.Normal(loc, (p.scale**-2 + e.scale**-2).rsqrt(), validate_args=False), 1)
m.Ladder.forward = forward
"""

INNER_KL_REVERSED = """
import torch.distributions as td
import vaecourse.estimators.layers as m
m._kl = lambda of_q, of_p: td.kl_divergence(of_p.distribution, of_q.distribution)
"""

INNER_KL_WITHOUT_THE_TOP = """
import vaecourse.estimators.layers as m
right = m._kl
m._kl = lambda of_q, of_p: right(of_q, of_p) * (of_q.turn > 0)
"""

HIERARCHY_WITH_VARIANCE_FOR_SCALE = """
import sys
import vaecourse.exact
m = sys.modules["vaecourse.exact.linear_hierarchy"]  # its name is a function of the room as well
right = m.LinearHierarchy.prior_covariance.fget
def prior_covariance(self):
    covariance = right(self).clone()
    k = self.sizes[0]
    covariance[k:, k:] = self.above @ self.above.T + self.scale_above * m._eye(self.sizes[1])
    return covariance
m.LinearHierarchy.prior_covariance = property(prior_covariance)
"""

WARM_UP_NEVER_ENDS = """
import vaecourse.training.anneal as m
m.ramp.__call__ = lambda self, step, num_steps: self.start
"""


VAMP_SUMMED_NOT_AVERAGED = """
import math
import vaecourse.priors as m
right = m.VampPrior.forward
def forward(self, c=None):
    pz = right(self, c)
    total = pz.log_prob
    pz.log_prob = lambda z: total(z) + math.log(len(self.logits))
    return pz
m.VampPrior.forward = forward
"""

VAMP_SAMPLES_ONE_COMPONENT = """
import vaecourse.priors as m
right = m.VampPrior.forward
def forward(self, c=None):
    pz = right(self, c)
    pz.log_prob = lambda z: pz.component_distribution.log_prob(z.unsqueeze(-2))[..., 0]
    return pz
m.VampPrior.forward = forward
"""

DECODER_NEVER_STARTED = """
import vaecourse.networks as m
m.start_at = lambda net, outputs: net
"""

FLOW_WITHOUT_ITS_JACOBIAN = """
import torch
import vaecourse.flows.inverse as m
right = m.Inverse.forward_and_log_det
def forward_and_log_det(self, z, c=None):
    y, log_det = right(self, z, c)
    return y, torch.zeros_like(log_det)
m.Inverse.forward_and_log_det = forward_and_log_det
"""

SURGERY_OF_THE_RATE = """
import vaecourse.evaluation.surgery as m
m.Surgery.marginal_kl = property(lambda self: self.average_kl)
"""

MIXTURE_FORGETS_ITS_WEIGHTS = """
import torch
import vaecourse.distributions.mixture as m
m.responsibilities = lambda mixture, z: mixture.component_distribution.log_prob(z[..., None, :]).exp()
import vaecourse.distributions as d
d.responsibilities = m.responsibilities
"""

STEPS_WITHOUT_THEIR_WIDTH = """
import math
import vaecourse.distributions.piecewise as m
right = m.PiecewiseConstant.log_prob
m.PiecewiseConstant.log_prob = lambda self, value: right(self, value) - math.log(self.num_bins)
"""

QUANTILE_OF_THE_NEXT_STEP = """
import vaecourse.distributions.piecewise as m
right = m.PiecewiseConstant.icdf
m.PiecewiseConstant.icdf = lambda self, value: right(self, 1 - value)
"""

UNLABELLED_WITHOUT_ENTROPY = """
import torch
import vaecourse.estimators.semi_supervised as m
right = m.semi_supervised
def semi_supervised(model, x, y=None, num_samples=1, **options):
    bound = right(model, x, y, num_samples, **options)
    log_q = m.classify(model, x)
    entropy = -(log_q.exp() * log_q).sum(-1)
    return torch.where(y.sum(-1) > 0, bound, bound - entropy)
m.semi_supervised = semi_supervised
"""

CLUSTER_AVERAGED_IN_LOGARITHMS = """
import vaecourse.distributions.mixture as m
right = m.ConditionalMixture.forward
def forward(self, c=None):
    mixture = right(self, c)
    mixture.log_prob = lambda z: mixture.component_distribution.log_prob(z.unsqueeze(-2)).mean(-1)
    return mixture
m.ConditionalMixture.forward = forward
"""

LABELS_OF_THE_NEIGHBOUR = """
import torch
import vaecourse.estimators.semi_supervised as m
right = m.semi_supervised
def semi_supervised(model, x, y=None, num_samples=1, **options):
    return right(model, x, y.roll(1, 0), num_samples, **options)
m.semi_supervised = semi_supervised
"""


FIRST_MASK_SEES_THE_PIXEL = """
import vaecourse.networks.masked as m
import torch.nn.functional as F
def forward(self, x):
    mask = self.mask.clone()
    middle = mask.shape[0] // 2
    mask[middle, middle] = True
    return F.conv2d(x, self.weight * mask, self.bias, padding=self.padding)
m.MaskedConv2d.forward = forward
"""

HORIZONTAL_STACK_NOT_SHIFTED = """
import vaecourse.networks.gated_layer as m
import torch.nn.functional as F
def forward(self, v, h, planes):
    of_h, of_v = self.conditions(planes)
    above = left = 0.0
    if self.reads:
        height, width = v.shape[-2:]
        above = self.vertical(F.pad(v, (self.aside, self.aside, self.up, 0)))[..., :height, :]
        left = self.horizontal(F.pad(h, (self.up - self.first, self.first * 1)))[..., :width] + self.down(above)
    g = self.mix(m.gate(left + of_h))
    return v if self.last else m.gate(above + of_v), g if self.first else h + g
m.GatedLayer.forward = forward
"""

LEVELS_WITHOUT_TAILS = """
import torch
import torch.nn.functional as F
import vaecourse.distributions.discretised_logistic as m
def log_prob(self, value):
    x, inverse = value[..., None], (-self.log_scale).exp()
    up, down = (x + 0.5 - self.loc) * inverse, (self.loc - x + 0.5) * inverse
    log_p = F.logsigmoid(up) + F.logsigmoid(down) + torch.log(-torch.expm1(-inverse))
    return torch.logsumexp(self.logits.log_softmax(-1) + log_p, -1)
m.DiscretisedLogistic.log_prob = log_prob
"""

SIGMOIDS_SUBTRACTED = """
import torch
import vaecourse.distributions.discretised_logistic as m
def log_prob(self, value):
    x, inverse = value[..., None], (-self.log_scale).exp()
    up, down = torch.sigmoid((x + 0.5 - self.loc) * inverse), torch.sigmoid((x - 0.5 - self.loc) * inverse)
    up = torch.where(x >= self.num_levels - 1, 1.0, up)
    down = torch.where(x <= 0, 0.0, down)
    return torch.logsumexp(self.logits.log_softmax(-1) + (up - down).clamp(min=1e-7).log(), -1)
m.DiscretisedLogistic.log_prob = log_prob
"""

CACHE_FORGETS_A_PIXEL = """
import vaecourse.networks.in_order as m
right = m._Kept.keep_pixel
def keep_pixel(self, column, h):
    if column != 3:
        right(self, column, h)
m._Kept.keep_pixel = keep_pixel
"""

COUNTS_WITHOUT_THEIR_COEFFICIENTS = """
import torch
import vaecourse.likelihoods as m
right = m.Binomial.forward
def forward(self, c=None):
    px_z = right(self, c)
    total, n = px_z.log_prob, self.total_count
    def log_prob(x):
        choices = torch.lgamma(torch.tensor(n + 1.0)) - torch.lgamma(x + 1) - torch.lgamma(n - x + 1)
        return total(x) - choices.sum(-1)
    px_z.log_prob = log_prob
    return px_z
m.Binomial.forward = forward
"""

REFIT_DOES_NOT_TRAIN = """
import vaecourse.evaluation.refit as m
m.fit = lambda *arguments, **options: None
"""

GAPS_2_AND_3_SWAPPED = """
from vaecourse.evaluation import GapLedger
second, third = GapLedger.encoder_gap, GapLedger.training_gap
GapLedger.encoder_gap, GapLedger.training_gap = third, second
"""

LEDGER_OF_LOG_MEANS = """
import math
import vaecourse.evaluation.gaps as m
right = m.sampled_bound
def sampled_bound(model, x, q, num_samples, seed):
    with m.seeded(seed, x.device):
        log_w = model.draw(x, num_samples, q=q).log_w
    return log_w.logsumexp(0) - math.log(num_samples), right(model, x, q, num_samples, seed)[1]
m.sampled_bound = sampled_bound
"""

WORST_OF_THE_STARTS = """
from vaecourse.inference import Search
Search.choice = property(lambda search: search.bounds.argmin(0))
"""

POOLED_WEIGHTS_SUMMED = """
import math
import vaecourse.evaluation.gaps as m
right = m.pooled_log_px
m.pooled_log_px = lambda model, x, proposals, num_samples=1000, seed=0: (
    right(model, x, proposals, num_samples, seed) + math.log(len(proposals) * num_samples))
"""

LOCAL_SEARCH_STAYS_AT_ITS_START = """
import vaecourse.inference.restarts as m
right = m.optimise_posteriors
def optimise_posteriors(model, x, family="diagonal", **options):
    return right(model, x, family, **options | dict(num_steps=1, learning_rate=1e-9))
m.optimise_posteriors = optimise_posteriors
"""


LOG_DET_OF_A_STEP_REVERSED = """
from vaecourse.flows import Autoregressive
right = Autoregressive.forward_and_log_det
def forward_and_log_det(self, z, c=None):
    y, log_det = right(self, z, c)
    return y, -log_det
Autoregressive.forward_and_log_det = forward_and_log_det
"""

CONTEXT_IGNORED = """
import torch
from vaecourse.flows import Autoregressive
right = Autoregressive.forward_and_log_det
def forward_and_log_det(self, z, c=None):
    return right(self, z, None if c is None else torch.zeros_like(c))
Autoregressive.forward_and_log_det = forward_and_log_det
"""

GATE_WITHOUT_OFFSET = """
import torch
import torch.nn.functional as F
from vaecourse.flows import Gate
from vaecourse.flows.elementwise import bounded
def shift_and_log_scale(self, other, gate):
    gate = bounded(gate)
    return torch.sigmoid(-gate) * other, F.logsigmoid(gate)
Gate.shift_and_log_scale = shift_and_log_scale
"""

ORDER_NEVER_REVERSED = """
from vaecourse.flows import Permutation
def unmoved(self, value, c=None):
    return value, value.new_zeros(value.shape[:-1])
Permutation.forward_and_log_det = Permutation.inverse_and_log_det = unmoved
"""

HELD_DECODER_MOVES = """
import vaecourse.training as m
right = m.fit
def fit(model, *arguments, **options):
    return right(model.requires_grad_(True), *arguments, **options)
m.fit = fit
"""

QUADRATURE_FORGETS_ITS_CELL = """
import importlib
m = importlib.import_module("vaecourse.exact.quadrature")
right = m._grid
def _grid(*arguments):
    z, log_cell = right(*arguments)
    return z, log_cell / 2
m._grid = _grid
"""

REFINEMENT_DOWNHILL = """
import vaecourse.inference.updates as m
right = m.Ascent.forward
m.Ascent.forward = lambda self, parameters, slope, memory=None: right(self, parameters, -slope, memory)
"""

REFINEMENT_ONE_STEP_SHORT = """
import vaecourse.inference.refined as m
right = m.Refined.parameters_along
def parameters_along(self, x, num_steps=None):
    return right(self, x, max((self.num_steps if num_steps is None else num_steps) - 1, 0))
m.Refined.parameters_along = parameters_along
"""

SLOPES_HELD_CONSTANT = """
import vaecourse.inference.refined as m
right = m.Refined.__init__
def __init__(self, *args, **options):
    right(self, *args, **options)
    self.through = "path" if self.through == "steps" else self.through
m.Refined.__init__ = __init__
"""

LEARNED_UPDATE_READS_RAW_SLOPES = """
import torch
import vaecourse.inference.updates as m
def forward(self, parameters, slope, memory=None):
    gate, move = self.net(torch.cat([parameters, slope], -1)).chunk(2, -1)
    return parameters + gate.sigmoid() * move, None
m.LearnedUpdate.forward = forward
"""

EVALUATIONS_COUNTED_BY_CALL = """
import vaecourse.inference.cost as m
m.DecoderEvaluations._count = lambda self, module, inputs, output: setattr(self, "total", self.total + 1)
"""

PLANAR_MAY_FOLD = """
import vaecourse.flows.planar as m
m.above_minus_one = lambda x: x
"""

PLANAR_WITHOUT_THE_SLOPE_OF_TANH = """
import torch
import vaecourse.flows.planar as m
m._log_slope = lambda h, wu: torch.log1p(wu).expand_as(h)
"""

RADIAL_WITHOUT_ITS_SPHERE = """
import torch
import vaecourse.flows.radial as m
def log_det(self, h, alpha, beta):
    return torch.log1p(alpha * beta * h.square()).squeeze(-1)
m.Radial._log_det = log_det
"""

COUPLING_SCALED_WITHOUT_DETERMINANT = """
import torch
import vaecourse.flows.elementwise as m
right = m.ShiftAndScale.forward
def forward(self, z, parameters):
    y, log_slope = right(self, z, parameters)
    return y, torch.zeros_like(log_slope)
m.ShiftAndScale.forward = forward
"""

ENERGIES_NOT_NORMALISED = """
import sys
import vaecourse.exact
m = sys.modules["vaecourse.exact.energies"]  # the package has a function of that name
m.log_normaliser = lambda *_, **__: 0.0
"""

FLOW_DENSITY_WITH_THE_WRONG_SIGN = """
import vaecourse.flows.flow as m
from vaecourse.distributions import log_prob
def density(self, value):
    log_det = 0.0
    for bijector in reversed(self.bijectors):
        value, part = bijector(value, self.context, backwards=True)
        log_det = log_det + part
    return log_prob(self.base, value) - log_det
m.FlowDistribution.log_prob = density
"""

MADE_SEES_ITSELF = """
from vaecourse.flows.made import MADE

original = MADE.__init__

def built(self, dim, *arguments, **options):
    original(self, dim, *arguments, **options)
    self.net.layers[-1].mask.fill_(1)

MADE.__init__ = built
"""

ORDER_IGNORED = """
from vaecourse.flows.autoregressive import Autoregressive

original = Autoregressive.__init__

def built(self, *arguments, order=None, **options):
    original(self, *arguments, **options)

Autoregressive.__init__ = built
"""

SIGMOIDS_WITHOUT_THE_WAY_BACK = """
from vaecourse.flows.sigmoids import Sigmoids

original = Sigmoids._curve

def curve(self, *arguments):
    y, log_slope = original(self, *arguments)
    return y, log_slope + y

Sigmoids._curve = curve
"""

INVERSE_ONE_PASS_SHORT = """
import torch
from vaecourse.flows.autoregressive import Autoregressive

def inverse(self, y, c=None):
    z = torch.zeros_like(y)
    for _ in range(max(y.shape[-1] - 1, 1)):
        z, log_slope = self.elementwise.inverse(y, self.net(z, c))
    return z, log_slope.sum(-1)

Autoregressive.inverse_and_log_det = inverse
"""

UNITS_WITHOUT_THEIR_DETERMINANT = """
from vaecourse.flows.affine import ElementwiseAffine

def log_det(self, value):
    return 0 * self.log_scale.sum().expand(value.shape[:-1])

ElementwiseAffine._log_det = log_det
"""

RESAMPLED_KEEPS_ANY = """
import vaecourse.inference.resampled as m
m.Resampled.sample = lambda self, shape=(): self.q.sample(shape)
"""

RESAMPLED_BY_THE_SUM = """
import math
import vaecourse.inference.resampled as m
right = m.Resampled.rsample_and_log_prob
def rsample_and_log_prob(self, shape=()):
    z, log_q = right(self, shape)
    return z, log_q - math.log(self.num_proposals)
m.Resampled.rsample_and_log_prob = rsample_and_log_prob
"""

ONE_PROPOSAL_MORE = """
import importlib
import vaecourse.exact as package
m = importlib.import_module("vaecourse.exact.importance_weighted")
right = m.importance_weighted
package.importance_weighted = lambda table, q, num_samples: right(table, q, num_samples + 1)
"""

VIMCO_KNOWS_ITS_SAMPLE = """
import importlib
import vaecourse.estimators
m = importlib.import_module("vaecourse.estimators.vimco")
m.bound_without = lambda log_w, mean="geometric": log_w
"""

DREG_WITHOUT_SQUARES = """
import importlib
import vaecourse.estimators
m = importlib.import_module("vaecourse.estimators.dreg")
m._scaled = lambda value, factor: value
"""

# ------------------------------------------------------------------------------------------------ richer posteriors

REVERSE_MODEL_LEFT_OUT = """
import vaecourse.distributions.extended as m

def scored(self, both, log_q):
    return both[..., self.num_auxiliary:], log_q

m.ExtendedDistribution._scored = scored
"""

REVERSE_MODEL_AMONG_Q = """
import vaecourse.distributions.extended as m
from vaecourse.distributions import log_prob

def scored(self, both, log_q):
    a, z = both.split([self.num_auxiliary, self.event_shape.numel()], -1)
    return z, log_q + log_prob(self.reverse(z, *self.context), a)

m.ExtendedDistribution._scored = scored
"""

RATIO_ADDED = """
import vaecourse.inference.implicit as m

original = m._logits

class Turned(m.PriorContrastive):
    def forward(self, model, x, num_samples=None):
        m._logits = lambda classifier, x, z: -original(classifier, x, z)
        try:
            return super().forward(model, x, num_samples)
        finally:
            m._logits = original

import vaecourse.inference
vaecourse.inference.PriorContrastive = Turned
"""

STRATA_WITHOUT_WEIGHTS = """
import vaecourse.inference.boosting as m
import vaecourse.inference
import torch

original = m.stratified

def stratified(model, x, num_samples=1, objective=m.elbo, through="both"):
    def even(draw, log_mass):
        return objective(draw, log_mass=torch.full_like(log_mass, -torch.tensor(float(len(log_mass))).log().item()))
    return original(model, x, num_samples, even, through)

m.stratified = vaecourse.inference.stratified = stratified
"""

BOOSTING_LOOKS_WHERE_IT_IS = """
import vaecourse.inference.boosting as m

def where(model, x, q, num_candidates):
    return q.sample()[:, None]

m._where_it_misses = where
"""

SAMPLES_ONE_CELL_OFF = """
import vaecourse.exact
import vaecourse.exact.sampled as m

original = m.kl_of_samples

def kl_of_samples(table, z, nodes_per_cell=3):
    return original(table, z + 3 * nodes_per_cell * 0.05, nodes_per_cell)

m.kl_of_samples = vaecourse.exact.kl_of_samples = kl_of_samples
"""


MOMENTUM_FOR_FREE = """
import vaecourse.inference.hamiltonian as m
m._log_normal = lambda momentum: 0.0 * momentum.sum(-1)
"""

LEAPFROG_WITH_ONE_STEP_MORE = """
import vaecourse.inference.hamiltonian as m
right = m.leapfrog
def leapfrog(log_density, state, momentum, step_size, num_steps, differentiable=False):
    return right(log_density, state, momentum, step_size, num_steps + 1, differentiable)
m.leapfrog = leapfrog
"""

INDEPENDENCE_AS_IF_SYMMETRIC = """
import sys
import vaecourse.mcmc
m = sys.modules["vaecourse.mcmc.independence"]
right = m.accept
def accept(state, proposal, log_ratio, generator, cost):
    return right(state, proposal, proposal.log_density - state.log_density, generator, cost)
m.accept = accept
"""

DECODER_LEARNS_FROM_Q = """
import vaecourse.inference.hmc_on_top as m
from vaecourse.objectives import elbo
def forward(self, model, x, num_samples=1):
    draw = model.draw(x, num_samples)
    return elbo(draw)
m.HMCOnTop.forward = forward
"""

PROBE_TO_FIRST_ORDER = """
import sys
import torch
import vaecourse.inference
m = sys.modules["vaecourse.inference.gradient_flow"]
def probed(slope, z, step_size):
    r = torch.randn_like(z)
    (product,) = torch.autograd.grad(slope, z, r, retain_graph=True)
    return (r * step_size * product).sum(-1).detach()
m._probed = probed
"""

EVALUATIONS_BY_CALLS = """
from vaecourse.inference import DecoderEvaluations
def count(self, module, inputs, output):
    self.total += 1
DecoderEvaluations._count = count
"""

JUDGED_BY_LOG_MEANS = """
import math
import vaecourse.evaluation.scoreboard
import sys
m = sys.modules["vaecourse.evaluation.scoreboard"]
def sampled_bound(model, x, q, num_samples, seed):
    log_w = model.draw(x, num_samples, q=q).log_w
    return log_w.logsumexp(0) - math.log(num_samples), None
m.sampled_bound = sampled_bound
"""

MEMORY_NEVER_GIVEN_BACK = """
from vaecourse.evaluation import PeakMemory
PeakMemory._gone = lambda self, place, size: None
"""

LINES_WITH_DOCSTRINGS = """
import inspect
import vaecourse.evaluation.source_lines as m
m._length = lambda each: len(inspect.getsource(each).splitlines())
"""

FRONT_OF_THE_WORST = """
import sys
import vaecourse.evaluation as package
m = sys.modules["vaecourse.evaluation.scoreboard"]
right = m.pareto_front
def pareto_front(scores, num_se=2.0):
    turned = {name: m.Score(-s.bounds, -s.log_px, *list(vars(s).values())[2:]) for name, s in scores.items()}
    return right(turned, num_se)
package.pareto_front = pareto_front
"""

QUADRATURE_HALF_A_NAT_OFF = """
import vaecourse.exact as package
right = package.quadrature_log_px
package.quadrature_log_px = lambda model, x, **grid: right(model, x, **grid) + 0.5
"""

FAULTS = {
    "00_start_here": {
        "pixels averaged, not summed": MEAN_OVER_PIXELS,
        "prior without its normaliser": PRIOR_WITHOUT_NORMALISER,
        "weight with the sign of log q flipped": WEIGHT_WITH_FLIPPED_ENTROPY,
        "- log k lost": IWAE_WITHOUT_LOG_K,
        "cell volume lost in quadrature": QUADRATURE_WITHOUT_CELL_VOLUME,
    },
    "01_maximum_likelihood": {
        "mixture without its weights": MIXTURE_WITHOUT_WEIGHTS,
        "M step without the weights": M_STEP_FORGETS_THE_WEIGHTS,
        "E step without the prior": E_STEP_WITHOUT_PRIOR,
        "E step normalised over data": E_STEP_NORMALISED_OVER_DATA,
        "marginal with sigma for its square": MARGINAL_WITH_SCALE_FOR_VARIANCE,
        "- log k lost": IWAE_WITHOUT_LOG_K,
        "pixels averaged, not summed": MEAN_OVER_PIXELS,
    },
    "02_em": {
        "E step normalised over data": E_STEP_NORMALISED_OVER_DATA,
        "E step without the prior": E_STEP_WITHOUT_PRIOR,
        "M step without the weights": M_STEP_FORGETS_THE_WEIGHTS,
        "M step divides by N / K": M_STEP_AVERAGES_OVER_ALL_DATA,
        "bound without the entropy": BOUND_WITHOUT_ENTROPY,
        "pPCA's noise taken double": PPCA_NOISE_DOUBLED,
        "E step that decides": E_STEP_DECIDES,
    },
    "03a_markov_chains": {
        "acceptance upside down": ACCEPT_FLIPPED,
        "Langevin without Hastings' factor": MALA_WITHOUT_HASTINGS,
        "leapfrog without its half step": LEAPFROG_WITHOUT_HALF_STEP,
        "every draw counted as independent": EVERY_DRAW_COUNTS_AS_INDEPENDENT,
        "R-hat upside down": R_HAT_WITHIN_OVER_TOTAL,
        "events of the other latent": DECILES_EXCHANGED,
        "weights of draws ignored": DRAWS_WITHOUT_WEIGHTS,
    },
    "03b_variational_families": {
        "KL exchanged in the tables": TABLE_KL_REVERSED,
        "Gaussian fitted without its entropy": GAUSSIAN_WITHOUT_ENTROPY,
        "weights of draws ignored": DRAWS_WITHOUT_WEIGHTS,
        "marginals with the variance for the scale": MARGINALS_OF_THE_VARIANCE,
        "quadrature nodes of the physicists": GAUSS_HERMITE_OF_THE_PHYSICISTS,
    },
    "04_elbo": {
        "best Gaussian is its start": BEST_GAUSSIAN_IS_ITS_START,
        "samples summed, not averaged": ELBO_SUMS_SAMPLES,
        "weight with the sign of log q flipped": WEIGHT_WITH_FLIPPED_ENTROPY,
        "KL exchanged in the tables": TABLE_KL_REVERSED,
        "entropy detached": DETACHED_ENTROPY,
        "KL averaged over latents": KL_AVERAGED_OVER_LATENTS,
        "KL with its sign flipped": KL_WITH_FLIPPED_SIGN,
        "prior without its normaliser": PRIOR_WITHOUT_NORMALISER,
    },
    "05_amortization": {
        "q's of the neighbouring data": LOCAL_POSTERIORS_OF_THE_NEIGHBOUR,
        "local start ignored": LOCAL_START_IGNORED,
        "entropy detached": DETACHED_ENTROPY,
        "weight without the prior": WEIGHT_WITHOUT_PRIOR,
        "prior without its normaliser": PRIOR_WITHOUT_NORMALISER,
        "log-variance taken for log-scale": LOG_VARIANCE_AS_SCALE,
        "quadrature nodes of the physicists": GAUSS_HERMITE_OF_THE_PHYSICISTS,
        "amortisation gap from log p(x)": AMORTISATION_GAP_FROM_LOG_PX,
        "samples detached": DETACHED_SAMPLES,
    },
    "06_score_function": {
        "signal without the entropy": SIGNAL_WITHOUT_ENTROPY,
        "samples summed, not averaged": SCORE_SUMMED_OVER_SAMPLES,
        "weight with the sign of log q flipped": WEIGHT_WITH_FLIPPED_ENTROPY,
        "baseline that knows its own sample": BASELINE_KNOWS_ITS_OWN_SAMPLE,
        "states weighted equally": ENUMERATION_WITH_EQUAL_WEIGHTS,
        "coefficient from all samples": COEFFICIENT_FROM_ALL_SAMPLES,
        "bench forgets the number of draws": Z_SCORES_FORGET_THE_NUMBER_OF_DRAWS,
        "neighbours exchanged for the rest": NEIGHBOURS_EXCHANGED_FOR_THE_REST,
        "temperature upside down": GUMBEL_OF_THE_WRONG_TEMPERATURE,
    },
    "07a_reparameterization": {
        "samples detached": DETACHED_SAMPLES,
        "entropy detached": DETACHED_ENTROPY,
        "log-variance taken for log-scale": LOG_VARIANCE_AS_SCALE,
        "KL averaged over latents": KL_AVERAGED_OVER_LATENTS,
        "score kept where the landing should stick": STL_KEEPS_THE_SCORE,
        "baseline that knows its own sample": BASELINE_KNOWS_ITS_OWN_SAMPLE,
    },
    "07b_other_shapes": {
        "implicit gradient with its sign flipped": IMPLICIT_GRADIENT_WITH_FLIPPED_SIGN,
        "affine map without its determinant": AFFINE_WITHOUT_LOG_DETERMINANT,
        "truncated by clamping": TRUNCATION_BY_CLAMPING,
        "temperature upside down": GUMBEL_OF_THE_WRONG_TEMPERATURE,
        "straight-through to the soft sample": STRAIGHT_THROUGH_TO_THE_SOFT_SAMPLE,
        "states weighted equally": ENUMERATION_WITH_EQUAL_WEIGHTS,
        "baseline that knows its own sample": BASELINE_KNOWS_ITS_OWN_SAMPLE,
    },
    "08_vae": {
        "pixels averaged, not summed": MEAN_OVER_PIXELS,
        "KL with its sign flipped": KL_WITH_FLIPPED_SIGN,
        "KL averaged over latents": KL_AVERAGED_OVER_LATENTS,
        "KL with exchanged arguments": KL_WITH_EXCHANGED_ARGUMENTS,
        "log-variance taken for log-scale": LOG_VARIANCE_AS_SCALE,
        "samples detached": DETACHED_SAMPLES,
        "weight without the prior": WEIGHT_WITHOUT_PRIOR,
        "- log M lost": IMPORTANCE_WITHOUT_LOG_M,
        "beta ignored": BETA_IGNORED,
        "fitted prior exchanged for N(0, I)": FIXED_PRIOR_IS_STANDARD,
        "mixture without its weights": MIXTURE_WITHOUT_WEIGHTS,
    },
    "09a_information": {
        "KL with its sign flipped": KL_WITH_FLIPPED_SIGN,
        "free bits floored for each datum": FREE_BITS_INSIDE_THE_BATCH,
        "aggregate posterior summed, not averaged": SURGERY_WITHOUT_LOG_N,
        "surgery never saturated": SURGERY_NEVER_SATURATED,
        "water level from sigma, not its square": WATER_LEVEL_FROM_SCALE,
        "rate without its half": LINEAR_RATE_WITHOUT_HALF,
        "annealing ignored": ANNEALING_IGNORED,
        "- log M lost": IMPORTANCE_WITHOUT_LOG_M,
    },
    "09b_bits_back": {
        "variance taken for scale in the cells": CELLS_OF_THE_VARIANCE,
        "no bits back": NO_BITS_BACK,
        "initial bits counted in the net length": INITIAL_BITS_IN_THE_NET_LENGTH,
        "sums in float32, rounded afterwards": INTEGERS_MADE_AFTER_THE_SUM,
        "levels at twice the temperature": LEVELS_AT_TWICE_THE_TEMPERATURE,
        "binomial without its coefficients": BINOMIAL_WITHOUT_ITS_COEFFICIENTS,
        "heads without random bits": HEADS_WITHOUT_RANDOM_BITS,
        "a file each taken for one file": A_FILE_EACH_FOR_ONE_FILE,
    },
    "10_evaluation": {
        "- log M lost": IMPORTANCE_WITHOUT_LOG_M,
        "prior counted twice on the path": AIS_COUNTS_THE_PRIOR_TWICE,
        "weight of the reverse chain inverted": SANDWICH_WITH_INVERTED_WEIGHT,
        "k-hat with its sign flipped": KHAT_UPSIDE_DOWN,
        "standard error of one weight": STANDARD_ERROR_OF_ONE_WEIGHT,
        "proposal scaled in the variance": SCALED_IN_THE_VARIANCE,
        "units by standard deviation": UNITS_BY_STANDARD_DEVIATION,
    },
    "11_hierarchies": {
        "layers exchanged": LAYERS_EXCHANGED,
        "ladder adds variances": LADDER_ADDS_VARIANCES,
        "ladder weighs by scales": LADDER_WEIGHS_BY_SCALES,
        "inner KL reversed": INNER_KL_REVERSED,
        "top layer for nothing": INNER_KL_WITHOUT_THE_TOP,
        "variance for the scale above": HIERARCHY_WITH_VARIANCE_FOR_SCALE,
        "warm-up never ends": WARM_UP_NEVER_ENDS,
    },
    "13a_priors": {
        "pseudo-inputs summed, not averaged": VAMP_SUMMED_NOT_AVERAGED,
        "VampPrior that scores one component": VAMP_SAMPLES_ONE_COMPONENT,
        "decoder that does not start at the mean image": DECODER_NEVER_STARTED,
        "flow without its Jacobian one way": FLOW_WITHOUT_ITS_JACOBIAN,
        "rate taken for the marginal KL": SURGERY_OF_THE_RATE,
        "aggregate posterior summed, not averaged": SURGERY_WITHOUT_LOG_N,
    },
    "13b_clusters_and_labels": {
        "responsibilities without weights and sum": MIXTURE_FORGETS_ITS_WEIGHTS,
        "steps without their width": STEPS_WITHOUT_THEIR_WIDTH,
        "quantiles from above": QUANTILE_OF_THE_NEXT_STEP,
        "bound without a label, without entropy": UNLABELLED_WITHOUT_ENTROPY,
        "labels of the neighbour": LABELS_OF_THE_NEIGHBOUR,
        "cluster averaged in logarithms": CLUSTER_AVERAGED_IN_LOGARITHMS,
    },
    "12_pixelvae": {
        "first mask sees the pixel": FIRST_MASK_SEES_THE_PIXEL,
        "horizontal stack not shifted": HORIZONTAL_STACK_NOT_SHIFTED,
        "levels without tails": LEVELS_WITHOUT_TAILS,
        "sigmoids subtracted, then clamped": SIGMOIDS_SUBTRACTED,
        "cache forgets a pixel": CACHE_FORGETS_A_PIXEL,
        "counts without their coefficients": COUNTS_WITHOUT_THEIR_COEFFICIENTS,
        "annealing ignored": ANNEALING_IGNORED,
    },
    "14_inference_gaps": {
        "refit that does not train": REFIT_DOES_NOT_TRAIN,
        "gaps 2 and 3 swapped": GAPS_2_AND_3_SWAPPED,
        "bound of a ledger by log-mean-exp": LEDGER_OF_LOG_MEANS,
        "worst of the starts": WORST_OF_THE_STARTS,
        "pooled weights summed, not averaged": POOLED_WEIGHTS_SUMMED,
        "local search that stays at its start": LOCAL_SEARCH_STAYS_AT_ITS_START,
    },
    "17_iaf_vae": {
        "log-determinant of a step reversed": LOG_DET_OF_A_STEP_REVERSED,
        "context ignored": CONTEXT_IGNORED,
        "gate without its offset": GATE_WITHOUT_OFFSET,
        "order never reversed": ORDER_NEVER_REVERSED,
        "decoder that is held moves": HELD_DECODER_MOVES,
        "quadrature forgets its cell": QUADRATURE_FORGETS_ITS_CELL,
    },
    "15_better_amortization": {
        "refinement downhill": REFINEMENT_DOWNHILL,
        "refinement one step short": REFINEMENT_ONE_STEP_SHORT,
        "slopes held constant": SLOPES_HELD_CONSTANT,
        "learned update that reads raw slopes": LEARNED_UPDATE_READS_RAW_SLOPES,
        "evaluations counted by call": EVALUATIONS_COUNTED_BY_CALL,
        "L_k without log k": IWAE_WITHOUT_LOG_K,
    },
    "16a_flows": {
        "planar layers that may fold": PLANAR_MAY_FOLD,
        "determinant without the slope of tanh": PLANAR_WITHOUT_THE_SLOPE_OF_TANH,
        "radial determinant without its sphere": RADIAL_WITHOUT_ITS_SPHERE,
        "coupling scales for free": COUPLING_SCALED_WITHOUT_DETERMINANT,
        "energies not normalised": ENERGIES_NOT_NORMALISED,
        "density with the wrong sign": FLOW_DENSITY_WITH_THE_WRONG_SIGN,
    },
    "16b_autoregressive_flows": {
        "MADE whose outputs see themselves": MADE_SEES_ITSELF,
        "order ignored": ORDER_IGNORED,
        "sigmoids without the way back": SIGMOIDS_WITHOUT_THE_WAY_BACK,
        "inverse one pass short": INVERSE_ONE_PASS_SHORT,
        "units without their determinant": UNITS_WITHOUT_THEIR_DETERMINANT,
        "flow without its Jacobian one way": FLOW_WITHOUT_ITS_JACOBIAN,
    },
    "18a_richer_posteriors": {
        "reverse model left out": REVERSE_MODEL_LEFT_OUT,
        "reverse model on q's side": REVERSE_MODEL_AMONG_Q,
        "ratio with the wrong sign": RATIO_ADDED,
        "strata without weights": STRATA_WITHOUT_WEIGHTS,
        "boosting looks where it is": BOOSTING_LOOKS_WHERE_IT_IS,
        "samples one cell off": SAMPLES_ONE_CELL_OFF,
    },
    "18b_mcmc_and_vi": {
        "momentum for free": MOMENTUM_FOR_FREE,
        "reverse model left out": REVERSE_MODEL_LEFT_OUT,
        "one leapfrog step more": LEAPFROG_WITH_ONE_STEP_MORE,
        "independence as if symmetric": INDEPENDENCE_AS_IF_SYMMETRIC,
        "decoder learns from q": DECODER_LEARNS_FROM_Q,
        "probe to first order": PROBE_TO_FIRST_ORDER,
    },
    "19_iwae": {
        "L_k without log k": IWAE_WITHOUT_LOG_K,
        "any proposal is kept": RESAMPLED_KEEPS_ANY,
        "unnormalised q by the sum of weights": RESAMPLED_BY_THE_SUM,
        "one proposal more": ONE_PROPOSAL_MORE,
        "baseline that knows its sample": VIMCO_KNOWS_ITS_SAMPLE,
        "DReG without squared weights": DREG_WITHOUT_SQUARES,
    },
    "20_summary": {
        "evaluations counted by calls": EVALUATIONS_BY_CALLS,
        "judge takes the logarithm of means": JUDGED_BY_LOG_MEANS,
        "memory never given back": MEMORY_NEVER_GIVEN_BACK,
        "lines with docstrings": LINES_WITH_DOCSTRINGS,
        "front of the worst": FRONT_OF_THE_WORST,
        "quadrature half a nat off": QUADRATURE_HALF_A_NAT_OFF,
    },
}
