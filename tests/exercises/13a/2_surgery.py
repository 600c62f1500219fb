# %% right: through the rate
def surgery_of(q, p, other):
    rate = (q * (q.log() - p.log())).sum(1).mean()
    qz = q.mean(0)
    marginal = td.kl_divergence(td.Categorical(qz), td.Categorical(p))
    return rate - marginal, marginal, marginal - td.kl_divergence(td.Categorical(qz), td.Categorical(other))


# %% right: loops, in float32
def surgery_of(q, p, other):
    q, p, other = q.float(), p.float(), other.float()
    qz = sum(q) / len(q)
    information = sum((row * (row / qz).log()).sum() for row in q) / len(q)
    return information, qz @ (qz.log() - p.log()), qz @ (other.log() - p.log())


# %% wrong: one number
# says: return three numbers
def surgery_of(q, p, other):
    return (q * (q / p).log()).sum(1).mean()


# %% wrong: two numbers
# says: return three numbers
def surgery_of(q, p, other):
    qz = q.mean(0)
    return (q * (q / qz).log()).sum(1).mean(), (qz * (qz / p).log()).sum()


# %% wrong: the rate for the information
# says: this is the rate: the information compares
def surgery_of(q, p, other):
    return (q * (q / p).log()).sum(1).mean(), None, None


# %% wrong: the rate for the information, by torch
# says: this is the rate: the information compares
def surgery_of(q, p, other):
    return td.kl_divergence(td.Categorical(q), td.Categorical(p)).mean(), None, None


# %% wrong: a sum over data
# says: this is a sum over data
def surgery_of(q, p, other):
    return (q * (q / q.mean(0)).log()).sum(), None, None


# %% wrong: a sum over data, by torch
# says: this is a sum over data
def surgery_of(q, p, other):
    return td.kl_divergence(td.Categorical(q), td.Categorical(q.mean(0))).sum(), None, None


# %% wrong: the KL turned round
# says: this is the KL the wrong way round
def surgery_of(q, p, other):
    qz = q.mean(0)
    return (q * (q / qz).log()).sum(1).mean(), (p * (p / qz).log()).sum(), None


# %% wrong: the KL turned round, by torch
# says: this is the KL the wrong way round
def surgery_of(q, p, other):
    qz = q.mean(0)
    return (q * (q / qz).log()).sum(1).mean(), td.kl_divergence(td.Categorical(p), td.Categorical(qz)), None


# %% wrong: averaged last
# says: this is the rate: the marginal KL is of q(z)
def surgery_of(q, p, other):
    return (q * (q / q.mean(0)).log()).sum(1).mean(), (q * (q / p).log()).sum(1).mean(), None


# %% wrong: averaged last, by torch
# says: this is the rate: the marginal KL is of q(z)
def surgery_of(q, p, other):
    rate = td.kl_divergence(td.Categorical(q), td.Categorical(p)).mean()
    return (q * (q / q.mean(0)).log()).sum(1).mean(), rate, None


# %% wrong: the loss
# says: this is a loss
def surgery_of(q, p, other):
    qz = q.mean(0)
    information = (q * (q / qz).log()).sum(1).mean()
    return information, (qz * (qz / p).log()).sum(), (qz * (p / other).log()).sum()


# %% wrong: the loss, as a difference
# says: this is a loss
def surgery_of(q, p, other):
    qz = q.mean(0)
    first, second = (qz * (qz / p).log()).sum(), (qz * (qz / other).log()).sum()
    return (q * (q / qz).log()).sum(1).mean(), first, second - first


# %% wrong: what is left
# says: this is the marginal KL from p'
def surgery_of(q, p, other):
    qz = q.mean(0)
    information = (q * (q / qz).log()).sum(1).mean()
    return information, (qz * (qz / p).log()).sum(), (qz * (qz / other).log()).sum()


# %% wrong: what is left, by torch
# says: this is the marginal KL from p'
def surgery_of(q, p, other):
    qz = q.mean(0)
    left = td.kl_divergence(td.Categorical(qz), td.Categorical(other))
    return (q * (q / qz).log()).sum(1).mean(), (qz * (qz / p).log()).sum(), left
