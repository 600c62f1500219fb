# %% right: the Gaussian moved into the base
def in_the_base(z, loc, scale, t, s):
    e = (z - t) / s.exp()
    q_e = td.Normal((loc - t) / s.exp(), scale / s.exp())
    return q_e.log_prob(e).sum(-1), -0.5 * (e**2 + math.log(2 * math.pi)).sum(-1)


# %% right: torch's transforms, in float32
def in_the_base(z, loc, scale, t, s):
    z, loc, scale, t, s = (part.float() for part in (z, loc, scale, t, s))
    flow = td.AffineTransform(t, s.exp(), event_dim=1)
    q = td.TransformedDistribution(td.Independent(td.Normal(loc, scale), 1), [flow.inv])
    e = flow.inv(z)
    return q.log_prob(e), td.Independent(td.Normal(torch.zeros_like(t), 1.0), 1).log_prob(e)


# %% wrong: one
# says: return two: log q_e
def in_the_base(z, loc, scale, t, s):
    return td.Normal(loc, scale).log_prob(z).sum(-1) + s.sum()


# %% wrong: e as well
# says: return two: log q_e
def in_the_base(z, loc, scale, t, s):
    e = (z - t) * (-s).exp()
    return e, td.Normal(loc, scale).log_prob(z).sum(-1) + s.sum(), td.Normal(0.0, 1.0).log_prob(e).sum(-1)


# %% wrong: no Jacobian
# says: the Jacobian of the flow is missing
def in_the_base(z, loc, scale, t, s):
    return td.Normal(loc, scale).log_prob(z).sum(-1), None


# %% wrong: no Jacobian, a scale that stays
# says: the Jacobian of the flow is missing
def in_the_base(z, loc, scale, t, s):
    density = (-0.5 * ((z - loc) / scale) ** 2).exp() / (scale * math.sqrt(2 * math.pi))
    return density.prod(-1).log(), None


# %% wrong: the other Jacobian
# says: the Jacobian has the wrong sign
def in_the_base(z, loc, scale, t, s):
    return td.Normal(loc, scale).log_prob(z).sum(-1) - s.sum(), None


# %% wrong: the other Jacobian, as a quotient
# says: the Jacobian has the wrong sign
def in_the_base(z, loc, scale, t, s):
    return (td.Normal(loc, scale).log_prob(z).exp() / s.exp()).log().sum(-1), None


# %% wrong: the prior at z
# says: this is N(0, I) at z
def in_the_base(z, loc, scale, t, s):
    return td.Normal(loc, scale).log_prob(z).sum(-1) + s.sum(), td.Normal(0.0, 1.0).log_prob(z).sum(-1)


# %% wrong: the prior at z, by hand
# says: this is N(0, I) at z
def in_the_base(z, loc, scale, t, s):
    return td.Normal(loc, scale).log_prob(z).sum(-1) + s.sum(), -0.5 * (z**2 + math.log(2 * math.pi)).sum(-1)


# %% wrong: the prior of z
# says: this is log p_z
def in_the_base(z, loc, scale, t, s):
    return td.Normal(loc, scale).log_prob(z).sum(-1) + s.sum(), td.Normal(t, s.exp()).log_prob(z).sum(-1)


# %% wrong: the prior of z, by its Jacobian
# says: this is log p_z
def in_the_base(z, loc, scale, t, s):
    e = (z - t) / s.exp()
    return td.Normal(loc, scale).log_prob(z).sum(-1) + s.sum(), (td.Normal(0.0, 1.0).log_prob(e) - s).sum(-1)
