# %% right: over the states that q visits
def bound_and_gap(joint, q):
    visited = q > 0
    bound = (q[visited] * (joint[visited] / q[visited]).log()).sum()
    posterior = joint / joint.sum()
    return bound, (q[visited] * (q[visited] / posterior[visited]).log()).sum()


# %% right: in float32
def bound_and_gap(joint, q):
    joint, q = joint.float(), q.float()
    bound = torch.xlogy(q, joint).sum() - torch.xlogy(q, q).sum()
    return bound, joint.sum().log() - bound


# %% wrong: only the bound
# says: return both, the bound and the gap
def bound_and_gap(joint, q):
    return torch.xlogy(q, joint).sum() - torch.xlogy(q, q).sum()


# %% wrong: both in one tensor
# says: return both, the bound and the gap
def bound_and_gap(joint, q):
    bound = torch.xlogy(q, joint).sum() - torch.xlogy(q, q).sum()
    return torch.stack([bound, joint.sum().log() - bound])


# %% wrong: the logarithm of the mean weight
# says: the ELBO averages the logarithms
def bound_and_gap(joint, q):
    bound = (q * joint / q).sum().log()
    return bound, joint.sum().log() - bound


# %% wrong: the evidence
# says: the ELBO averages the logarithms
def bound_and_gap(joint, q):
    return joint.logsumexp(0) * 0 + joint.sum().log(), torch.tensor(0.0)


# %% wrong: energy without entropy
# says: the entropy of q is missing
def bound_and_gap(joint, q):
    bound = (q * joint.log()).sum()
    return bound, joint.sum().log() - bound


# %% wrong: the M step's objective
# says: the entropy of q is missing
def bound_and_gap(joint, q):
    posterior = joint / joint.sum()
    return q @ joint.log(), torch.xlogy(q, q).sum() - q @ posterior.log()


# %% wrong: posterior first
# says: this is KL(p(z|x) || q): the arguments are exchanged
def bound_and_gap(joint, q):
    posterior = joint / joint.sum()
    return torch.xlogy(q, joint).sum() - torch.xlogy(q, q).sum(), (posterior * (posterior / q).log()).sum()


# %% wrong: by PyTorch's kl_div, whose arguments stand the other way round
# says: this is KL(p(z|x) || q): the arguments are exchanged
def bound_and_gap(joint, q):
    posterior = joint / joint.sum()
    gap = torch.nn.functional.kl_div(q.log(), posterior, reduction="sum")
    return torch.xlogy(q, joint).sum() - torch.xlogy(q, q).sum(), gap


# %% wrong: the mean of log(p / q)
# says: a state with q = 0 must contribute nothing
def bound_and_gap(joint, q):
    bound = (q * (joint / q).log()).sum()
    return bound, joint.sum().log() - bound


# %% wrong: entropy by q log q
# says: a state with q = 0 must contribute nothing
def bound_and_gap(joint, q):
    bound = (q * joint.log()).sum() - (q * q.log()).sum()
    return bound, joint.sum().log() - bound
