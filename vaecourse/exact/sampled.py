"""The KL of something that can only be sampled from a posterior that is known on a grid."""

from __future__ import annotations

import torch
from torch import Tensor

from vaecourse.exact.table import Table


def kl_of_samples(table: Table, z: Tensor, nodes_per_cell: int = 3) -> Tensor:
    r"""KL(q || p(z|x)) in nats, [B], where q is known by samples alone: both as histograms on the same cells.

    A histogram's KL is not above that of the densities, because what differs within a cell is not seen, and a finite
    sample makes it too large, by about (cells in use - 1) / 2n, which is taken off (Miller, 1955). How much
    a cell hides depends on how narrow the densities are beside it, and how much of the excess is left on how many
    cells are seldom hit: measure a KL that is known with the same cells and samples before you believe it.

    Args:
        table: from :func:`~vaecourse.exact.quadrature`, for z of one or two dimensions.
        z: samples [S, B, L].
        nodes_per_cell: how many nodes of the grid a cell is wide. An odd number: then no node lies on an edge.

    Returns:
        [B]; a sample outside of the grid counts in the outermost cell.

    Raises:
        ValueError: nodes_per_cell is even, or z is not of the table's data.

    References:
        Miller (1955), Note on the bias of information estimates.
    """
    if nodes_per_cell < 1 or nodes_per_cell % 2 == 0:
        raise ValueError(f"nodes_per_cell must be odd, and is {nodes_per_cell}")
    dim, num_data = table.z.shape[-1], table.log_px.shape[0]
    if z.ndim != 3 or z.shape[1:] != (num_data, dim):
        raise ValueError(f"z must be [S, {num_data}, {dim}], samples for the table's data, and is {list(z.shape)}")
    num_nodes = round(len(table.z) ** (1 / dim))
    low, spacing = table.z[0, 0], table.z[-1, -1] - table.z[-2, -1]
    per_axis = -(-num_nodes // nodes_per_cell)

    def cells(at: Tensor) -> Tensor:
        node = ((at.to(table.z) - low) / spacing).round().clamp(0, num_nodes - 1).long() // nodes_per_cell
        return sum(part * per_axis**place for place, part in enumerate(node.unbind(-1)))

    of_nodes, of_samples = cells(table.z), cells(z)  # [K], [S, B]
    p = table.log_mass.new_zeros(per_axis**dim, num_data).index_add_(0, of_nodes, table.log_mass.exp())
    q = torch.stack([torch.bincount(column, minlength=len(p)) for column in of_samples.unbind(1)], 1) / len(z)
    q = q.to(p)
    terms = torch.where(q > 0, q * (q.log() - p.clamp_min(torch.finfo(p.dtype).tiny).log()), 0.0)
    return terms.sum(0) - ((q > 0).sum(0) - 1) / (2 * len(z))
