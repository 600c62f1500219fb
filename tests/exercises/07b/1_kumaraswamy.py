# %% right: by hand, in float32
def kumaraswamy(u, a, b):
    u, a, b = u.float(), a.float(), b.float()
    rest = (1 - u) ** (1 / b)
    z = (1 - rest) ** (1 / a)
    by_b = rest * torch.log(1 - u) / (b**2 * a * z ** (a - 1))
    return z, -z * z.log() / a, by_b


# %% right: slopes by the implicit gradient
def kumaraswamy(u, a, b):
    z = (1 - (1 - u) ** (1 / b)) ** (1 / a)
    density = a * b * z ** (a - 1) * (1 - z**a) ** (b - 1)
    by_a = b * (1 - z**a) ** (b - 1) * z**a * z.log()
    by_b = -((1 - z**a) ** b) * (1 - z**a).log()
    return z, -by_a / density, -by_b / density


# %% wrong: the baseline parameter b detached
# says: is one of the parameters detached?
def kumaraswamy(u, a, b):
    a, b = a.clone().requires_grad_(), b.clone().requires_grad_()
    z = (1 - (1 - u) ** (1 / b.detach())) ** (1 / a)
    slopes = torch.autograd.grad(z.sum(), [a, b], allow_unused=True, materialize_grads=True)
    return z.detach(), *slopes


# %% wrong: a detached
# says: is one of the parameters detached?
def kumaraswamy(u, a, b):
    a, b = a.clone().requires_grad_(), b.clone().requires_grad_()
    z = (1 - (1 - u) ** (1 / b)) ** (1 / a.detach())
    slopes = torch.autograd.grad(z.sum(), [a, b], allow_unused=True, materialize_grads=True)
    return z.detach(), *slopes


# %% wrong: the quantile of 1 - u
# says: the quantile of 1 - u
def kumaraswamy(u, a, b):
    a, b = a.clone().requires_grad_(), b.clone().requires_grad_()
    z = (1 - u ** (1 / b)) ** (1 / a)
    return z.detach(), *torch.autograd.grad(z.sum(), [a, b])


# %% wrong: the quantile of 1 - u, without slopes
# says: the quantile of 1 - u
def kumaraswamy(u, a, b):
    z = (-torch.expm1(u.log() / b)) ** (1 / a)
    return z, torch.zeros_like(z), torch.zeros_like(z)


# %% wrong: a and b exchanged
# says: a and b are exchanged
def kumaraswamy(u, a, b):
    a, b = a.clone().requires_grad_(), b.clone().requires_grad_()
    z = (1 - (1 - u) ** (1 / a)) ** (1 / b)
    return z.detach(), *torch.autograd.grad(z.sum(), [a, b])


# %% wrong: a and b exchanged, by logarithms
# says: a and b are exchanged
def kumaraswamy(u, a, b):
    z = ((-torch.expm1(torch.log1p(-u) / a)).log() / b).exp()
    return z, -z * z.log() / a, z


# %% wrong: slopes of F
# says: that is the derivative of F
def kumaraswamy(u, a, b):
    z = (1 - (1 - u) ** (1 / b)) ** (1 / a)
    a, b = a.clone().requires_grad_(), b.clone().requires_grad_()
    cdf = 1 - (1 - z**a) ** b
    return z, *torch.autograd.grad(cdf.sum(), [a, b])


# %% wrong: the first slope by implicit differentiation without the density
# says: that is the derivative of F
def kumaraswamy(u, a, b):
    z = (1 - (1 - u) ** (1 / b)) ** (1 / a)
    return z, b * (1 - z**a) ** (b - 1) * z**a * z.log(), -((1 - z**a) ** b) * (1 - z**a).log()


# %% wrong: the sample alone
# says: return three tensors
def kumaraswamy(u, a, b):
    return (1 - (1 - u) ** (1 / b)) ** (1 / a)


# %% wrong: nothing
# says: return three tensors
def kumaraswamy(u, a, b):
    pass
