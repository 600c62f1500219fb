# %% right: through softplus
def sum_of_sigmoids(z, log_a, b, w):
    u = z[:, None] * log_a.exp() + b
    up = torch.logsumexp(w.log() - F.softplus(-u), 1)
    down = torch.logsumexp(w.log() - F.softplus(u), 1)
    density = torch.logsumexp(w.log() + log_a - F.softplus(-u) - F.softplus(u), 1)
    return up - down, density - (up + down)


# %% right: one sigmoid after the other
def sum_of_sigmoids(z, log_a, b, w):
    up = down = slope = torch.full_like(z, -math.inf)
    for s, t, p in zip(log_a, b, w):
        u = s.exp() * z + t
        up = torch.logaddexp(up, p.log() + F.logsigmoid(u))
        down = torch.logaddexp(down, p.log() + F.logsigmoid(-u))
        slope = torch.logaddexp(slope, p.log() + s + F.logsigmoid(u) + F.logsigmoid(-u))
    return up - down, slope - up - down


# %% wrong: as it stands
# says: far out 1 - sigmoid(u) has no digits left
def sum_of_sigmoids(z, log_a, b, w):
    u = log_a.exp() * z[:, None] + b
    s = (w * torch.sigmoid(u)).sum(1)
    slope = (w * log_a.exp() * torch.sigmoid(u) * torch.sigmoid(-u)).sum(1)
    return torch.logit(s), (slope / (s * (1 - s))).log()


# %% wrong: a logarithm of one minus
# says: far out 1 - sigmoid(u) has no digits left
def sum_of_sigmoids(z, log_a, b, w):
    u = log_a.exp() * z[:, None] + b
    up = (w.log() + F.logsigmoid(u)).logsumexp(1)
    down = (1 - up.exp()).log()
    density = (w.log() + log_a + F.logsigmoid(u) + F.logsigmoid(-u)).logsumexp(1)
    return up - down, density - up - down


# %% wrong: clamped
# says: an epsilon or a clamp has cut it off
def sum_of_sigmoids(z, log_a, b, w):
    u = log_a.exp() * z[:, None] + b
    up, down = (w.log() + F.logsigmoid(u)).logsumexp(1), (w.log() + F.logsigmoid(-u)).logsumexp(1)
    return (up - down).clamp(-17, 17), up


# %% wrong: clamped in two steps
# says: an epsilon or a clamp has cut it off
def sum_of_sigmoids(z, log_a, b, w):
    u = log_a.exp() * z[:, None] + b
    y = (w.log() + F.logsigmoid(u)).logsumexp(1) - (w.log() + F.logsigmoid(-u)).logsumexp(1)
    return y.clamp(max=17).clamp(min=-17), y


# %% wrong: logits averaged
# says: this averages the logits
def sum_of_sigmoids(z, log_a, b, w):
    u = log_a.exp() * z[:, None] + b
    return (w * u).sum(1), ((w * log_a.exp()).sum() + 0 * z).log()


# %% wrong: logits averaged by a product
# says: this averages the logits
def sum_of_sigmoids(z, log_a, b, w):
    y = (log_a.exp() * z[:, None] + b) @ w
    return y, torch.zeros_like(y)


# %% wrong: without the way back
# says: the way back to the line
def sum_of_sigmoids(z, log_a, b, w):
    u = log_a.exp() * z[:, None] + b
    up, down = (w.log() + F.logsigmoid(u)).logsumexp(1), (w.log() + F.logsigmoid(-u)).logsumexp(1)
    return up - down, (w.log() + log_a + F.logsigmoid(u) + F.logsigmoid(-u)).logsumexp(1)


# %% wrong: without the way back, by softplus
# says: the way back to the line
def sum_of_sigmoids(z, log_a, b, w):
    u = log_a.exp() * z[:, None] + b
    up, down = (w.log() - F.softplus(-u)).logsumexp(1), (w.log() - F.softplus(u)).logsumexp(1)
    return up - down, (w.log() + log_a - F.softplus(-u) - F.softplus(u)).logsumexp(1)


# %% wrong: a slope
# says: this is the slope, not its logarithm
def sum_of_sigmoids(z, log_a, b, w):
    u = log_a.exp() * z[:, None] + b
    up, down = (w.log() + F.logsigmoid(u)).logsumexp(1), (w.log() + F.logsigmoid(-u)).logsumexp(1)
    density = (w.log() + log_a + F.logsigmoid(u) + F.logsigmoid(-u)).logsumexp(1)
    return up - down, (density - up - down).exp()


# %% wrong: a slope by weights
# says: this is the slope, not its logarithm
def sum_of_sigmoids(z, log_a, b, w):
    u = log_a.exp() * z[:, None] + b
    up, down = (w.log() + F.logsigmoid(u)).logsumexp(1), (w.log() + F.logsigmoid(-u)).logsumexp(1)
    terms = (w.log() + log_a + F.logsigmoid(u) + F.logsigmoid(-u) - (up + down)[:, None]).exp()
    return up - down, terms.sum(1)


# %% wrong: the value alone
# says: return two
def sum_of_sigmoids(z, log_a, b, w):
    u, log_w = log_a.exp() * z[:, None] + b, w.log()
    return (log_w + F.logsigmoid(u)).logsumexp(1) - (log_w + F.logsigmoid(-u)).logsumexp(1)


# %% wrong: printed and not returned
# says: return two
def sum_of_sigmoids(z, log_a, b, w):
    u = log_a.exp() * z[:, None] + b
    print(u, w)
