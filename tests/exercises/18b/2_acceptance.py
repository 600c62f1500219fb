# %% right: by weights, in float32
def acceptance(log_p, log_q, log_p_new, log_q_new):
    w, w_new = (log_p - log_q).exp(), (log_p_new - log_q_new).exp()
    return torch.minimum(torch.ones_like(w), w_new / w).float()


# %% wrong: above one
# says: a ratio above one is no probability
def acceptance(log_p, log_q, log_p_new, log_q_new):
    return (log_p_new - log_q_new - log_p + log_q).exp()


# %% wrong: above one, by weights
# says: a ratio above one is no probability
def acceptance(log_p, log_q, log_p_new, log_q_new):
    return (log_p_new - log_q_new).exp() / (log_p - log_q).exp()


# %% wrong: without q
# says: q is missing
def acceptance(log_p, log_q, log_p_new, log_q_new):
    return (log_p_new - log_p).clamp(max=0).exp()


# %% wrong: without q, otherwise
# says: q is missing
def acceptance(log_p, log_q, log_p_new, log_q_new):
    return (log_p_new - log_p).exp().clamp(max=1)


# %% wrong: upside down
# says: q stands upside down
def acceptance(log_p, log_q, log_p_new, log_q_new):
    return (log_p_new + log_q_new - log_p - log_q).clamp(max=0).exp()


# %% wrong: upside down, by products
# says: q stands upside down
def acceptance(log_p, log_q, log_p_new, log_q_new):
    return ((log_p_new + log_q_new).exp() / (log_p + log_q).exp()).clamp(max=1)


# %% wrong: the logarithm
# says: this is the logarithm
def acceptance(log_p, log_q, log_p_new, log_q_new):
    return (log_p_new - log_q_new - log_p + log_q).clamp(max=0)


# %% wrong: the logarithm, otherwise
# says: this is the logarithm
def acceptance(log_p, log_q, log_p_new, log_q_new):
    return torch.minimum(torch.zeros_like(log_p), log_p_new - log_q_new - log_p + log_q)
