"""The answer ladder: three kinds of model whose log p(x) and posterior are known, for chapters and tests alike.

(a) a finite discrete latent, by :func:`enumeration`; (b) the linear-Gaussian model, in closed form, the linear VAE at
its optimum, :func:`linear_vae`, and two linear layers, :func:`linear_hierarchy`; (c) a latent of one or two dimensions
under a neural decoder, by :func:`quadrature`.
The course's common patient, a VAE of the digits with a 2-D latent that stays as it is, is :func:`frozen_vae`;
:func:`targets` are four posteriors in two dimensions, and :class:`Deciles` says how far off somebody's draws or q are;
:func:`energies` are four densities of the plane of which a method is told all but the normaliser.
:func:`importance_weighted` says what k samples make of a q on the first rung and the third.
"""

from vaecourse.exact.deciles import Deciles
from vaecourse.exact.energies import Energy, energies, log_normaliser
from vaecourse.exact.enumeration import enumerated_bound, enumeration, two_state
from vaecourse.exact.gauss_hermite import best_gaussian, draw_at_nodes, gauss_hermite, gaussian_bound
from vaecourse.exact.importance_weighted import ImportanceWeighted, importance_weighted
from vaecourse.exact.linear_gaussian import linear_gaussian, linear_gaussian_marginal
from vaecourse.exact.linear_hierarchy import LinearHierarchy, linear_hierarchy
from vaecourse.exact.linear_vae import LinearVAE, linear_vae
from vaecourse.exact.patient import frozen_log_px, frozen_vae
from vaecourse.exact.quadrature import quadrature, quadrature_log_px
from vaecourse.exact.sampled import kl_of_samples
from vaecourse.exact.table import Table
from vaecourse.exact.targets import targets

__all__ = [
    "Deciles",
    "Energy",
    "ImportanceWeighted",
    "LinearHierarchy",
    "LinearVAE",
    "Table",
    "best_gaussian",
    "draw_at_nodes",
    "energies",
    "enumerated_bound",
    "enumeration",
    "frozen_log_px",
    "frozen_vae",
    "gauss_hermite",
    "gaussian_bound",
    "importance_weighted",
    "kl_of_samples",
    "linear_gaussian",
    "linear_gaussian_marginal",
    "linear_hierarchy",
    "linear_vae",
    "log_normaliser",
    "quadrature",
    "quadrature_log_px",
    "targets",
    "two_state",
]
