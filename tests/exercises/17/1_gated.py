# %% right: by interpolation
def gated_step(z, m, a):
    s = torch.sigmoid(a + 2)
    return m + s * (z - m), s.log().sum(-1)


# %% right: by lerp, the logarithm by softplus
def gated_step(z, m, a):
    return torch.lerp(m, z, torch.sigmoid(a + 2)), -nn.functional.softplus(-a - 2).sum(-1)


# %% wrong: z alone
# says: return two: z_t
def gated_step(z, m, a):
    s = torch.sigmoid(a + 2)
    return s * z + (1 - s) * m


# %% wrong: three things
# says: return two: z_t
def gated_step(z, m, a):
    s = torch.sigmoid(a + 2)
    return s * z + (1 - s) * m, s.log().sum(-1), s


# %% wrong: no offset
# says: the offset of 2 is missing
def gated_step(z, m, a):
    s = torch.sigmoid(a)
    return s * z + (1 - s) * m, s.log().sum(-1)


# %% wrong: no offset, by lerp
# says: the offset of 2 is missing
def gated_step(z, m, a):
    return torch.lerp(m, z, torch.sigmoid(a)), nn.functional.logsigmoid(a).sum(-1)


# %% wrong: a shift
# says: m is added whole
def gated_step(z, m, a):
    s = torch.sigmoid(a + 2)
    return s * z + m, s.log().sum(-1)


# %% wrong: a shift, by addcmul
# says: m is added whole
def gated_step(z, m, a):
    s = torch.sigmoid(a + 2)
    return torch.addcmul(m, s, z), s.log().sum(-1)


# %% wrong: closed where it should be open
# says: the gate is the wrong way round
def gated_step(z, m, a):
    s = torch.sigmoid(a + 2)
    return (1 - s) * z + s * m, s.log().sum(-1)


# %% wrong: a minus sign in the gate
# says: the gate is the wrong way round
def gated_step(z, m, a):
    s = torch.sigmoid(-a - 2)
    return s * z + (1 - s) * m, s.log().sum(-1)


# %% wrong: what the density loses
# says: the sign is that of the density
def gated_step(z, m, a):
    s = torch.sigmoid(a + 2)
    return s * z + (1 - s) * m, -s.log().sum(-1)


# %% wrong: of the inverse
# says: the sign is that of the density
def gated_step(z, m, a):
    s = torch.sigmoid(a + 2)
    return s * z + (1 - s) * m, (1 / s).log().sum(-1)


# %% wrong: scales added
# says: take logarithms first
def gated_step(z, m, a):
    s = torch.sigmoid(a + 2)
    return s * z + (1 - s) * m, s.sum(-1)


# %% wrong: scales added, as a trace
# says: take logarithms first
def gated_step(z, m, a):
    s = torch.sigmoid(a + 2)
    return s * z + (1 - s) * m, s.diag_embed().diagonal(dim1=-2, dim2=-1).sum(-1)
