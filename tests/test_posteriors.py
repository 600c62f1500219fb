"""Posteriors: what the encoder's outputs mean."""

import pytest
import torch
from torch import nn

from vaecourse.posteriors import DiagonalGaussian, FullCovarianceGaussian


def test_second_half_is_the_logarithm_of_the_scale():
    q = DiagonalGaussian(nn.Identity())(torch.tensor([[1.0, 2.0, -1.0, 0.5]]))
    torch.testing.assert_close(q.mean, torch.tensor([[1.0, 2.0]]))
    torch.testing.assert_close(q.stddev, torch.tensor([[-1.0, 0.5]]).exp())


def test_full_covariance_from_its_outputs():
    """Means, then the log-diagonal of C, then its entries below, row by row."""
    outputs = torch.tensor([[1.0, 2.0, 3.0, 0.1, 0.2, 0.3, 21.0, 31.0, 32.0]], dtype=torch.float64)
    q = FullCovarianceGaussian(nn.Identity(), 3)(outputs)
    d = outputs[0, 3:6].exp()
    tril = torch.tensor([[d[0], 0, 0], [21.0, d[1], 0], [31.0, 32.0, d[2]]], dtype=torch.float64)
    torch.testing.assert_close(q.mean[0], outputs[0, :3])
    torch.testing.assert_close(q.covariance_matrix[0], tril @ tril.T)


@pytest.mark.parametrize(("dim", "outputs"), [(1, 2), (2, 5), (3, 9), (10, 65)])
def test_number_of_outputs(dim, outputs):
    assert FullCovarianceGaussian.num_outputs(dim) == outputs
    assert FullCovarianceGaussian(nn.Linear(4, outputs), dim)(torch.zeros(7, 4)).batch_shape == (7,)


def test_wrong_number_of_outputs_is_refused():
    with pytest.raises(ValueError, match="net must give 5 outputs for dim = 2, and gives 4"):
        FullCovarianceGaussian(nn.Identity(), 2)(torch.zeros(1, 4))


def test_odd_number_of_outputs_is_refused():
    with pytest.raises(ValueError, match="even number of outputs"):
        DiagonalGaussian(nn.Identity())(torch.zeros(1, 5))
