"""Flows: a simple distribution pushed through bijectors whose Jacobian determinants are cheap."""

from vaecourse.flows.affine import ElementwiseAffine
from vaecourse.flows.autoregressive import Autoregressive
from vaecourse.flows.bijector import Bijector
from vaecourse.flows.composition import Composition
from vaecourse.flows.conditioner import Conditioner, MaskedLinear, fully_connected
from vaecourse.flows.coupling import Coupling
from vaecourse.flows.elementwise import Elementwise, Gate, Shift, ShiftAndScale
from vaecourse.flows.flow import Flow, FlowDistribution
from vaecourse.flows.inverse import Inverse
from vaecourse.flows.made import MADE
from vaecourse.flows.permutation import Permutation
from vaecourse.flows.planar import Planar
from vaecourse.flows.radial import Radial
from vaecourse.flows.root import solve_increasing
from vaecourse.flows.sigmoids import Sigmoids
from vaecourse.flows.stacks import iaf, maf, naf, nice, real_nvp

__all__ = [
    "MADE",
    "Autoregressive",
    "Bijector",
    "Composition",
    "Conditioner",
    "Coupling",
    "Elementwise",
    "ElementwiseAffine",
    "Flow",
    "FlowDistribution",
    "Gate",
    "Inverse",
    "MaskedLinear",
    "Permutation",
    "Planar",
    "Radial",
    "Shift",
    "ShiftAndScale",
    "Sigmoids",
    "fully_connected",
    "iaf",
    "maf",
    "naf",
    "nice",
    "real_nvp",
    "solve_increasing",
]
