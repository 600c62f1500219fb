"""Every bijector of the package, once: one registry that drives one generic test."""

from typing import NamedTuple

import torch
from torch import Tensor

from vaecourse.flows import (
    Autoregressive,
    Bijector,
    Composition,
    Coupling,
    ElementwiseAffine,
    Gate,
    Inverse,
    Permutation,
    Planar,
    Radial,
    Shift,
    Sigmoids,
    iaf,
    maf,
    naf,
    real_nvp,
)

F64 = torch.float64
CONTEXT = torch.tensor([0.3, -0.8, 0.5], dtype=F64)


class Case(NamedTuple):
    """A bijector in float64, a context for it, [C], in how many dimensions it is, and the error of the quadrature."""

    bijector: Bijector
    context: Tensor | None = None
    dim: int = 2
    quadrature: float = 1e-6


# With nodes at 0.07 from each other the integral over its trained density is 1 + 2.4e-6, at 0.047 it is 1 + 1.0e-7.
NARROW = {"stack of NAF": 1e-5}


def bijectors(dim: int = 2) -> dict[str, Case]:
    """Every bijector of the package, once or more; in a line the bijector and, if it reads one, its context."""
    with torch.random.fork_rng([], device_type="cpu"):
        torch.manual_seed(1)
        made = _bijectors(dim)
    return {
        name: Case(line[0].double(), *(line[1:] or [None]), dim, NARROW.get(name, 1e-6)) for name, line in made.items()
    }


def _bijectors(dim: int) -> dict[str, tuple]:
    return {
        "Permutation": (Permutation(dim),),
        "ElementwiseAffine": (ElementwiseAffine(dim),),
        "planar": (Planar(dim),),
        "planar, with context": (Planar(dim, num_context=3), CONTEXT),
        "planar, with a network for the context": (Planar(dim, num_context=3, hidden=(4,)), CONTEXT),
        "planar, backwards": (Inverse(Planar(dim)),),
        "radial": (Radial(dim),),
        "radial, with context": (Radial(dim, num_context=3), CONTEXT),
        "stack of planar and radial": (Composition(Planar(dim), Radial(dim, num_context=3), Planar(dim)), CONTEXT),
        "real NVP": (Coupling(dim, (8,)),),
        "real NVP, the first part moves": (Coupling(dim, (8, 8), moves="first"),),
        "real NVP, with context": (Coupling(dim, (8,), num_context=3), CONTEXT),
        "NICE": (Coupling(dim, (8,), elementwise=Shift()),),
        "IAF": (Autoregressive(dim, (8, 8)),),
        "IAF, gated, with context": (Autoregressive(dim, (8,), num_context=3, elementwise=Gate()), CONTEXT),
        "IAF, without hidden layers": (Autoregressive(dim, ()),),
        "IAF, in another order": (Autoregressive(dim, (8,), order=[*range(1, dim), 0]),),
        "NAF": (Autoregressive(dim, (8,), elementwise=Sigmoids()),),
        "NAF, with context": (Autoregressive(dim, (8, 8), num_context=3, elementwise=Sigmoids(4)), CONTEXT),
        "NAF, backwards": (Inverse(Autoregressive(dim, (8,), elementwise=Sigmoids(4))),),
        "coupling of sigmoids": (Coupling(dim, (8,), elementwise=Sigmoids(4)),),
        "MAF": (Inverse(Autoregressive(dim, (8,))),),
        "MAF, with context": (Inverse(Autoregressive(dim, (8,), num_context=3)), CONTEXT),
        "stack of couplings": (Composition(*real_nvp(dim, (8,), 3, num_context=3)), CONTEXT),
        "stack of IAF": (Composition(*iaf(dim, (8,), 2)),),
        "stack of NAF": (Composition(*naf(dim, (8,), 2, num_context=3)), CONTEXT),
        "composition of nothing": (Composition(),),
        "stack of MAF": (Composition(*maf(dim, (8,), 3)),),
    }
