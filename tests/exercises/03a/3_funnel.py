# %% right: the Jacobian written out
def unfolded(v):
    z1, u = v.unbind(-1)
    s = 1 / torch.sqrt(1 + torch.exp(-2 * z1))
    return log_density("funnel")(torch.stack([z1, s * u], -1)) - 0.5 * torch.log1p(torch.exp(-2 * z1))


# %% right: in closed form, in float32
def unfolded(v):
    z1, u = v.float().unbind(-1)
    return -0.5 * (z1.square() + u.square()) - 0.5 * (1 + (2 * z1).exp()).log()


# %% wrong: no return
# says: is a return missing?
def unfolded(v):
    log_density("funnel")(v)


# %% wrong: two values
# says: a tensor is wanted
def unfolded(v):
    scale = (1 + (-2 * v[..., 0]).exp()).rsqrt()
    return log_density("funnel")(torch.stack([v[..., 0], scale * v[..., 1]], -1)), scale.log()


# %% wrong: a last axis too many
# says: one number a point
def unfolded(v):
    scale = (1 + (-2 * v[..., 0]).exp()).rsqrt()
    return (log_density("funnel")(torch.stack([v[..., 0], scale * v[..., 1]], -1)) + scale.log())[..., None]


# %% wrong: summed over the points
# says: one number a point
def unfolded(v):
    scale = (1 + (-2 * v[..., 0]).exp()).rsqrt()
    return (log_density("funnel")(torch.stack([v[..., 0], scale * v[..., 1]], -1)) + scale.log()).sum()


# %% wrong: the old coordinates
# says: not a standard normal in u
def unfolded(v):
    return log_density("funnel")(v) + (1 + (-2 * v[..., 0]).exp()).rsqrt().log()


# %% wrong: the variance for the scale
# says: not a standard normal in u
def unfolded(v):
    variance = 1 / (1 + (-2 * v[..., 0]).exp())
    return log_density("funnel")(torch.stack([v[..., 0], variance * v[..., 1]], -1)) + variance.log()


# %% wrong: without the Jacobian
# says: the Jacobian is missing
def unfolded(v):
    scale = (1 + (-2 * v[..., 0]).exp()).rsqrt()
    return log_density("funnel")(torch.stack([v[..., 0], scale * v[..., 1]], -1))


# %% wrong: a Jacobian that is the same everywhere
# says: the Jacobian is missing
def unfolded(v):
    scale = (1 + (-2 * v[..., 0]).exp()).rsqrt()
    return log_density("funnel")(torch.stack([v[..., 0], scale * v[..., 1]], -1)) + scale.log().mean()


# %% wrong: the Jacobian subtracted
# says: the Jacobian has the wrong sign
def unfolded(v):
    scale = (1 + (-2 * v[..., 0]).exp()).rsqrt()
    return log_density("funnel")(torch.stack([v[..., 0], scale * v[..., 1]], -1)) - scale.log()


# %% wrong: du / dz_2 for dz_2 / du
# says: the Jacobian has the wrong sign
def unfolded(v):
    s = 1 / torch.sqrt(1 + torch.exp(-2 * v[..., 0]))
    return log_density("funnel")(torch.stack([v[..., 0], s * v[..., 1]], -1)) + torch.log(1 / s)
