"""Markov chain Monte Carlo: kernels as values, step sizes that adapt, diagnostics, and tests of correctness."""

from vaecourse.mcmc.adaptation import Adaptation, adapt
from vaecourse.mcmc.checks import Calibration, JointTest, geweke, simulation_based_calibration
from vaecourse.mcmc.diagnostics import effective_sample_size, r_hat
from vaecourse.mcmc.hamiltonian import hmc, leapfrog
from vaecourse.mcmc.independence import independence, mixed
from vaecourse.mcmc.kernel import Info, Kernel, State, with_gradient
from vaecourse.mcmc.langevin import mala
from vaecourse.mcmc.metropolis import random_walk_metropolis
from vaecourse.mcmc.sampling import Samples, sample

__all__ = [
    "Adaptation",
    "Calibration",
    "Info",
    "JointTest",
    "Kernel",
    "Samples",
    "State",
    "adapt",
    "effective_sample_size",
    "geweke",
    "hmc",
    "independence",
    "leapfrog",
    "mala",
    "mixed",
    "r_hat",
    "random_walk_metropolis",
    "sample",
    "simulation_based_calibration",
    "with_gradient",
]
