# %% right: by the rank-one product, in float32
def planar_step(z, u, w, b):
    z, u, w = z.float(), u.float(), w.float()
    a = (z * w).sum(-1) + b
    slope = 1 / torch.cosh(a) ** 2
    return z + torch.tanh(a).unsqueeze(-1) * u, (1 + slope * (u * w).sum()).log()


# %% right: by the Jacobians
def planar_step(z, u, w, b):
    y = z + torch.tanh(z @ w + b)[:, None] * u
    rows = []
    for point in z:
        J = torch.autograd.functional.jacobian(lambda p: p + torch.tanh(p @ w + b) * u, point)
        rows.append(torch.linalg.slogdet(J).logabsdet)
    return y, torch.stack(rows)


# %% wrong: along w
# says: the image moves along w
def planar_step(z, u, w, b):
    h = torch.tanh(z @ w + b)
    return z + h[:, None] * w, torch.log1p((1 - h**2) * (w @ u))


# %% wrong: along w, in a loop
# says: the image moves along w
def planar_step(z, u, w, b):
    y = torch.stack([p + torch.tanh(p @ w + b) * w for p in z])
    return y, torch.log1p((1 - torch.tanh(z @ w + b) ** 2) * (w @ u))


# %% wrong: no logarithm
# says: this is the determinant
def planar_step(z, u, w, b):
    h = torch.tanh(z @ w + b)
    return z + h[:, None] * u, 1 + (1 - h**2) * (w @ u)


# %% wrong: no logarithm, by cosh
# says: this is the determinant
def planar_step(z, u, w, b):
    a = z @ w + b
    return z + torch.tanh(a)[:, None] * u, 1 + (w @ u) / torch.cosh(a) ** 2


# %% wrong: h for its derivative
# says: h stands where its derivative belongs
def planar_step(z, u, w, b):
    h = torch.tanh(z @ w + b)
    return z + h[:, None] * u, (1 + h * (w @ u)).abs().log()


# %% wrong: h for its derivative, by an outer product
# says: h stands where its derivative belongs
def planar_step(z, u, w, b):
    h = torch.tanh(z @ w + b)
    J = torch.eye(len(u)).to(z) + h[:, None, None] * torch.outer(u, w)
    return z + h[:, None] * u, torch.linalg.slogdet(J).logabsdet


# %% wrong: no identity
# says: the identity is missing
def planar_step(z, u, w, b):
    h = torch.tanh(z @ w + b)
    return z + h[:, None] * u, ((1 - h**2) * (w @ u)).log()


# %% wrong: no identity, by cosh
# says: the identity is missing
def planar_step(z, u, w, b):
    a = z @ w + b
    return z + torch.tanh(a)[:, None] * u, (w @ u).log() - 2 * torch.cosh(a).log()


# %% wrong: the image alone
# says: return two tensors
def planar_step(z, u, w, b):
    return z + torch.tanh(z @ w + b)[:, None] * u


# %% wrong: side by side in one tensor
# says: return two tensors
def planar_step(z, u, w, b):
    h = torch.tanh(z @ w + b)
    log_det = torch.log1p((1 - h**2) * (w @ u))
    return torch.cat([z + h[:, None] * u, log_det[:, None]], 1)
