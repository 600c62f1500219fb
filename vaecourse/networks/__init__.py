"""Networks: plain functions from tensors to tensors, with no probability in them."""

from vaecourse.networks.basic import MLP, Joined, LeadingDims, Part, Rescale, start_at
from vaecourse.networks.gated import GatedPixelCNN
from vaecourse.networks.masked import MaskedConv2d, MaskedPixelCNN
from vaecourse.networks.pixels import PixelNetwork

__all__ = [
    "MLP",
    "GatedPixelCNN",
    "Joined",
    "LeadingDims",
    "MaskedConv2d",
    "MaskedPixelCNN",
    "Part",
    "PixelNetwork",
    "Rescale",
    "start_at",
]
