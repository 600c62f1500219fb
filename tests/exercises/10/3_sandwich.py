# %% right: two loops
def sandwich_of_two(joint, q):
    lower = upper = torch.zeros((), dtype=joint.dtype)
    for i in range(len(q)):
        for j in range(len(q)):
            log_mean = ((joint[i] / q[i] + joint[j] / q[j]) / 2).log()
            lower = lower + q[i] * q[j] * log_mean
            upper = upper + joint[i] / joint.sum() * q[j] * log_mean
    return lower, upper


# %% right: in logarithms, float32
def sandwich_of_two(joint, q):
    joint, q = joint.float(), q.float()
    log_w = joint.log() - q.log()
    table = torch.logaddexp(log_w[:, None], log_w[None]) - math.log(2)
    post = joint / joint.sum()
    return (q[:, None] * q * table).sum(), (post[:, None] * q * table).sum()


# %% wrong: one number
# says: return two numbers
def sandwich_of_two(joint, q):
    return q @ (joint / q).log()


# %% wrong: nothing
# says: return two numbers
def sandwich_of_two(joint, q):
    pass


# %% wrong: the ELBO and its counterpart
# says: this is the lower side for S = 1
def sandwich_of_two(joint, q):
    log_w = (joint / q).log()
    return q @ log_w, joint / joint.sum() @ log_w


# %% wrong: the mean of two logarithms
# says: this is the lower side for S = 1
def sandwich_of_two(joint, q):
    log_w = (joint / q).log()
    mean = (log_w[:, None] + log_w) / 2
    return q @ mean @ q, joint / joint.sum() @ mean @ q


# %% wrong: the sum of two logarithms
# says: take the logarithm of the mean
def sandwich_of_two(joint, q):
    log_w = (joint / q).log()
    return q @ (log_w[:, None] + log_w) @ q, None


# %% wrong: the logarithm of a product
# says: take the logarithm of the mean
def sandwich_of_two(joint, q):
    w = joint / q
    return q @ (w[:, None] * w).log() @ q, None


# %% wrong: the logarithm last
# says: the expectation stands outside the logarithm
def sandwich_of_two(joint, q):
    w = joint / q
    return (q @ ((w[:, None] + w) / 2) @ q).log(), None


# %% wrong: log p(x)
# says: the expectation stands outside the logarithm
def sandwich_of_two(joint, q):
    return joint.sum().log(), joint.sum().log()


# %% wrong: no - log S
# says: divide the sum of weights by two
def sandwich_of_two(joint, q):
    w = joint / q
    return q @ (w[:, None] + w).log() @ q, None


# %% wrong: no - log S, in logarithms
# says: divide the sum of weights by two
def sandwich_of_two(joint, q):
    log_w = (joint / q).log()
    return (q[:, None] * q * torch.logaddexp(log_w[:, None], log_w)).sum(), None


# %% wrong: a vector
# says: one number for the datum
def sandwich_of_two(joint, q):
    w = joint / q
    return ((w[:, None] + w) / 2).log() @ q, None


# %% wrong: one number a state
# says: one number for the datum
def sandwich_of_two(joint, q):
    w = joint / q
    return q * w.log(), None


# %% wrong: two exact samples
# says: both samples are of the posterior
def sandwich_of_two(joint, q):
    w, post = joint / q, joint / joint.sum()
    table = ((w[:, None] + w) / 2).log()
    return q @ table @ q, post @ table @ post


# %% wrong: two exact samples, by einsum
# says: both samples are of the posterior
def sandwich_of_two(joint, q):
    w, post = joint / q, joint / joint.sum()
    table = ((w[:, None] + w) / 2).log()
    return torch.einsum("i,ij,j", q, table, q), torch.einsum("i,ij,j", post, table, post)


# %% wrong: the joint for the posterior
# says: the joint is not normalised
def sandwich_of_two(joint, q):
    w = joint / q
    table = ((w[:, None] + w) / 2).log()
    return q @ table @ q, joint @ table @ q


# %% wrong: the joint for the posterior, summed by hand
# says: the joint is not normalised
def sandwich_of_two(joint, q):
    log_w = (joint / q).log()
    table = torch.logaddexp(log_w[:, None], log_w) - math.log(2)
    return (q[:, None] * q * table).sum(), (joint[:, None] * q * table).sum()
