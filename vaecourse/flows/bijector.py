"""The law of a bijector: one map, its inverse where there is one, and the logarithm of its Jacobian determinant."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Bijector(nn.Module, ABC):
    r"""An invertible map of the last dimension, :math:`y = f(z; c)`, from the base to the variable.

    One method is written, the density of what the map makes of a base distribution follows:

    .. math:: \log p(y) = \log p(z) - \log \left|\det \frac{\partial f}{\partial z}\right|, \qquad z = f^{-1}(y; c)

    Parameters that networks give go through :func:`~vaecourse.distributions.full_precision`, so that autocast does not
    round what is added up here.
    """

    @abstractmethod
    def forward_and_log_det(self, z: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map z [..., L], given a context c whose batch shape broadcasts against z's.

        Returns:
            ``y`` [..., L] and ``log |det dy/dz|`` [...].
        """

    def forward(self, value: Tensor, c: Tensor | None = None, backwards: bool = False) -> tuple[Tensor, Tensor]:
        """Either way, by a word: what a flow calls, so that hooks see each layer and a NaN is named by the first."""
        return self.inverse_and_log_det(value, c) if backwards else self.forward_and_log_det(value, c)

    def inverse_and_log_det(self, y: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map y [..., L] back.

        Returns:
            ``z`` [..., L] and ``log |det dz/dy|`` [...].

        Raises:
            NotImplementedError: there is no inverse in closed form; the density of a foreign point is then unknown.
        """
        raise NotImplementedError(f"{type(self).__name__} has no inverse: only its own samples have a density")
