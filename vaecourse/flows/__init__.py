"""Flows: a simple distribution pushed through bijectors whose Jacobian determinants are cheap."""

from vaecourse.flows.bijector import Bijector
from vaecourse.flows.flow import Flow, FlowDistribution
from vaecourse.flows.permutation import Permutation

__all__ = ["Bijector", "Flow", "FlowDistribution", "Permutation"]
