# %% right: in another order, in float32
def log_weight(log_joint, log_q_a, log_q_z, log_r):
    a, b, c, d = (part.float() for part in (log_joint, log_q_a, log_q_z, log_r))
    return (a - b) + (d - c)


# %% wrong: the reverse model among q
# says: the reverse model belongs to the model's side
def log_weight(log_joint, log_q_a, log_q_z, log_r):
    return log_joint - (log_q_a + log_q_z + log_r)


# %% wrong: the reverse model among q, term by term
# says: the reverse model belongs to the model's side
def log_weight(log_joint, log_q_a, log_q_z, log_r):
    return torch.stack([log_joint, -log_q_a, -log_q_z, -log_r]).sum(0)


# %% wrong: no reverse model
# says: the reverse model is left out
def log_weight(log_joint, log_q_a, log_q_z, log_r):
    return log_joint - log_q_a - log_q_z


# %% wrong: no reverse model, as a difference of sums
# says: the reverse model is left out
def log_weight(log_joint, log_q_a, log_q_z, log_r):
    return log_joint - (log_q_a + log_q_z)


# %% wrong: the conditional for the marginal
# says: this takes q(z|a, x) for q(z|x)
def log_weight(log_joint, log_q_a, log_q_z, log_r):
    return log_joint - log_q_z


# %% wrong: the conditional for the marginal, in a loop
# says: this takes q(z|a, x) for q(z|x)
def log_weight(log_joint, log_q_a, log_q_z, log_r):
    return torch.stack([j - q for j, q in zip(log_joint, log_q_z)])


# %% wrong: no logarithm
# says: these are weights
def log_weight(log_joint, log_q_a, log_q_z, log_r):
    return (log_joint + log_r - log_q_a - log_q_z).exp()


# %% wrong: products of densities
# says: these are weights
def log_weight(log_joint, log_q_a, log_q_z, log_r):
    return log_joint.exp() * log_r.exp() / (log_q_a.exp() * log_q_z.exp())
