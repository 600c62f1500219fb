# %% right: two draws that differ by one nat of rate, two by one nat of distortion
def effective_beta(loss):
    def at(distortion, rate):
        zero = torch.zeros(3, 2)
        return loss(Draw(zero[..., None], zero - distortion, zero, zero + rate))

    base = at(2.0, 5.0)
    return ((at(2.0, 6.0) - base) / (at(3.0, 5.0) - base)).item()


# %% right: least squares over random draws
def effective_beta(loss):
    rows, values = [], []
    for _ in range(20):
        d, r = torch.rand(2).double()
        draw = Draw(torch.zeros(1, 1, 1), -d.expand(1, 1), torch.zeros(1, 1).double(), r.expand(1, 1))
        rows.append(torch.stack([d, r]))
        values.append(loss(draw))
    a, b = torch.linalg.lstsq(torch.stack(rows), torch.stack(values)[:, None]).solution.flatten()
    return b / a


# %% wrong: a / b
# says: this is a / b, not b / a
def effective_beta(loss):
    zero, one = torch.zeros(1, 1), torch.ones(1, 1)
    return float(loss(Draw(zero[..., None], -one, zero, zero)) / loss(Draw(zero[..., None], zero, zero, one)))


# %% wrong: a / b through the prior
# says: this is a / b, not b / a
def effective_beta(loss):
    zero, one = torch.zeros(1, 1), torch.ones(1, 1)
    return loss(Draw(zero[..., None], -one, zero, zero)) / loss(Draw(zero[..., None], zero, -one, zero))


# %% wrong: the sign of the distortion
# says: negative
def effective_beta(loss):
    zero, one = torch.zeros(1, 1), torch.ones(1, 1)
    return float(loss(Draw(zero[..., None], zero, zero, one)) / loss(Draw(zero[..., None], one, zero, zero)))


# %% wrong: the sign of the rate
# says: negative
def effective_beta(loss):
    zero, one = torch.zeros(1, 1), torch.ones(1, 1)
    return float(loss(Draw(zero[..., None], zero, one, zero)) / loss(Draw(zero[..., None], -one, zero, zero)))


# %% wrong: it is called the ELBO
# says: beta is 1, where
def effective_beta(loss):
    return 1.0


# %% wrong: nothing
# says: beta is None
def effective_beta(loss):
    pass
