# %% right: from the densities
def histogram_kl(q, p, edges):
    width = edges[1:] - edges[:-1]
    q_density, p_density = q / width, p / width
    log_ratio = q_density.log() - p_density.log()
    return (width * q_density * log_ratio).sum(), -(width * q_density * q_density.log()).sum()


# %% right: a loop, in float32
def histogram_kl(q, p, edges):
    kl = entropy = 0.0
    for i in range(len(q)):
        kl = kl + q[i].float() * (q[i].float().log() - p[i].float().log())
        entropy = entropy + q[i].float() * (edges[i + 1] - edges[i]).float().log() - q[i].float() * q[i].float().log()
    return kl, entropy


# %% wrong: one
# says: return two: the KL
def histogram_kl(q, p, edges):
    return (q * (q / p).log()).sum()


# %% wrong: per piece
# says: return two: the KL
def histogram_kl(q, p, edges):
    return q * (q / p).log()


# %% wrong: weighted with widths
# says: the widths cancel in the KL
def histogram_kl(q, p, edges):
    return (edges.diff() * q * (q / p).log()).sum(), None


# %% wrong: weighted with widths, as an integral
# says: the widths cancel in the KL
def histogram_kl(q, p, edges):
    return sum((b - a) * m * torch.log(m / n) for a, b, m, n in zip(edges, edges[1:], q, p)), None


# %% wrong: turned round
# says: this is KL(p || q)
def histogram_kl(q, p, edges):
    return (p * (p / q).log()).sum(), None


# %% wrong: turned round, by torch
# says: this is KL(p || q)
def histogram_kl(q, p, edges):
    return td.kl_divergence(td.Categorical(p), td.Categorical(q)), None


# %% wrong: entropy of the masses
# says: this is the entropy of the masses
def histogram_kl(q, p, edges):
    return (q * (q / p).log()).sum(), -(q * q.log()).sum()


# %% wrong: entropy of the masses, by torch
# says: this is the entropy of the masses
def histogram_kl(q, p, edges):
    return (q * (q / p).log()).sum(), td.Categorical(q).entropy()


# %% wrong: times the width
# says: mass is density times width
def histogram_kl(q, p, edges):
    return (q * (q / p).log()).sum(), -(q * (q * edges.diff()).log()).sum()


# %% wrong: times the width, in logarithms
# says: mass is density times width
def histogram_kl(q, p, edges):
    return (q * (q / p).log()).sum(), -(q * (q.log() + edges.diff().log())).sum()
