# %% right: exponentials normalised by hand
def update_factors(log_joint, q1, q2):
    one = torch.einsum("ij,j->i", log_joint, q2).exp()
    one = one / one.sum()
    two = torch.einsum("ij,i->j", log_joint, one).exp()
    return one, two / two.sum()


# %% right: in float32
def update_factors(log_joint, q1, q2):
    log_joint, q2 = log_joint.float(), q2.float()
    q1 = torch.softmax((log_joint * q2).sum(1), 0)
    return q1, torch.softmax((log_joint * q1[:, None]).sum(0), 0)


# %% wrong: no return
# says: two factors are wanted
def update_factors(log_joint, q1, q2):
    q1 = (log_joint @ q2).softmax(0)
    q2 = (q1 @ log_joint).softmax(0)


# %% wrong: the table of both
# says: two factors are wanted
def update_factors(log_joint, q1, q2):
    q1 = (log_joint @ q2).softmax(0)
    return q1[:, None] * (q1 @ log_joint).softmax(0)[None], q1, q2


# %% wrong: the logarithm of the mean
# says: an arithmetic mean
def update_factors(log_joint, q1, q2):
    q1 = (log_joint.exp() @ q2).log().softmax(0)
    return q1, (q1 @ log_joint.exp()).log().softmax(0)


# %% wrong: the mean of the probabilities
# says: an arithmetic mean
def update_factors(log_joint, q1, q2):
    q1 = log_joint.exp() @ q2
    q1 = q1 / q1.sum()
    q2 = q1 @ log_joint.exp()
    return q1, q2 / q2.sum()


# %% wrong: the marginals
# says: which minimises KL(p || q)
def update_factors(log_joint, q1, q2):
    p = log_joint.exp() / log_joint.exp().sum()
    return p.sum(1), p.sum(0)


# %% wrong: the marginals in logarithms
# says: which minimises KL(p || q)
def update_factors(log_joint, q1, q2):
    return log_joint.logsumexp(1).softmax(0), log_joint.logsumexp(0).softmax(0)


# %% wrong: both at once
# says: with the new first one
def update_factors(log_joint, q1, q2):
    return (log_joint @ q2).softmax(0), (q1 @ log_joint).softmax(0)


# %% wrong: the second factor first
# says: with the new first one
def update_factors(log_joint, q1, q2):
    new2 = (log_joint.T @ q1).softmax(0)
    new1 = (log_joint @ q2).softmax(0)
    return new1, new2
