"""The four energies of Rezende & Mohamed: written out once more, and integrated in other ways."""

import math

import numpy
import pytest
import torch

from vaecourse import exact

F64 = torch.float64


@pytest.fixture(scope="module")
def energies():
    return exact.energies()


def by_hand(z1, z2):
    """Table 1 of the paper, number by number; the wall is the course's."""
    w1, w2 = math.sin(2 * math.pi * z1 / 4), 3 * math.exp(-0.5 * ((z1 - 1) / 0.6) ** 2)
    w3 = 3 / (1 + math.exp(-(z1 - 1) / 0.3))
    wall = 2 * max(abs(z1) - 4, 0) ** 2

    def bump(value, width):
        return math.exp(-0.5 * (value / width) ** 2)

    ring = 0.5 * ((math.hypot(z1, z2) - 2) / 0.4) ** 2 - math.log(bump(z1 - 2, 0.6) + bump(z1 + 2, 0.6))
    return {
        "U1": ring,
        "U2": 0.5 * ((z2 - w1) / 0.4) ** 2 + wall,
        "U3": -math.log(bump(z2 - w1, 0.35) + bump(z2 - w1 + w2, 0.35)) + wall,
        "U4": -math.log(bump(z2 - w1, 0.4) + bump(z2 - w1 + w3, 0.35)) + wall,
    }


@pytest.mark.parametrize("z", [(0.0, 0.3), (2.0, 0.0), (1.2, -1.9), (-3.1, 1.0), (4.7, 0.5), (-5.0, -0.2)])
def test_energies_by_hand(energies, z):
    expected = by_hand(*z)
    for name, energy in energies.items():
        assert energy.energy(torch.tensor(z, dtype=F64)).item() == pytest.approx(expected[name], rel=1e-12)
    assert energies.keys() == expected.keys()


def test_normalisers(energies):
    """Along z_2 the last three are one Gaussian or two, of any place; along z_1 there is a plateau with two edges."""
    plateau = 8 + math.sqrt(math.pi / 2)
    for name, widths in (("U2", 0.4), ("U3", 0.35 + 0.35), ("U4", 0.4 + 0.35)):
        assert energies[name].log_normaliser == pytest.approx(
            math.log(plateau * widths * math.sqrt(2 * math.pi)), 1e-12
        )
    assert energies["U2"].log_normaliser == pytest.approx(2.227630, abs=1e-6)


def test_normaliser_of_the_ring(energies):
    """Once more in polar coordinates, where the integrand is smooth at the origin, too."""
    nodes, weights = numpy.polynomial.legendre.leggauss(200)
    r, angle = 4 * (nodes + 1), 2 * math.pi * numpy.arange(400) / 400
    z = torch.tensor(numpy.stack([r[:, None] * numpy.cos(angle), r[:, None] * numpy.sin(angle)], -1))
    mass = (-energies["U1"].energy(z)).exp().numpy() * (r * 4 * weights)[:, None] * 2 * math.pi / 400
    assert energies["U1"].log_normaliser == pytest.approx(math.log(mass.sum()), abs=1e-9)
    assert energies["U1"].log_normaliser == pytest.approx(1.877502, abs=1e-6)


def test_densities_integrate_to_one_and_have_gradients(energies):
    axis = torch.linspace(-9, 9, 721, dtype=F64)  # with nodes at the walls: the rule likes no bends between
    z = torch.cartesian_prod(axis, axis)
    for energy in energies.values():
        assert (energy.log_prob(z).exp().sum() * (axis[1] - axis[0]) ** 2).item() == pytest.approx(1, abs=1e-9)
        points = torch.tensor([[0.0, 0.0], [4.0, 1.0], [30.0, -20.0]], requires_grad=True)
        (gradient,) = torch.autograd.grad(energy.energy(points).sum(), points)
        assert gradient.isfinite().all()


def test_a_grid_that_is_too_small_shows(energies):
    assert exact.log_normaliser(energies["U1"].energy, half_width=2.0) < energies["U1"].log_normaliser - 0.4  # 0.449
