"""Networks: plain functions from tensors to tensors, with no probability in them."""

from vaecourse.networks.basic import MLP, LeadingDims, Part, Rescale
from vaecourse.networks.gated import GatedPixelCNN
from vaecourse.networks.masked import MaskedConv2d, MaskedPixelCNN
from vaecourse.networks.pixels import PixelNetwork

__all__ = [
    "MLP",
    "GatedPixelCNN",
    "LeadingDims",
    "MaskedConv2d",
    "MaskedPixelCNN",
    "Part",
    "PixelNetwork",
    "Rescale",
]
