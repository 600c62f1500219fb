# %% right: one coordinate after another
def backwards_step(z, A, B):
    e = torch.zeros_like(z)
    log_det = 0
    for j in range(z.shape[1]):
        s = torch.tanh(e @ B[j])
        e[:, j] = (z[:, j] - e @ A[j]) / s.exp()
        log_det = log_det - s
    return e, log_det


# %% right: more passes than needed
def backwards_step(z, A, B):
    e = z.clone()
    for _ in range(3 * z.shape[1]):
        e = (z - e @ A.T) / torch.tanh(e @ B.T).exp()
    return e, -torch.tanh(e @ B.T).sum(-1)


# %% wrong: the network reads z
# says: the network of an IAF reads the noise
def backwards_step(z, A, B):
    s = torch.tanh(z @ B.T)
    return (z - z @ A.T) * (-s).exp(), -s.sum(1)


# %% wrong: one pass that starts at z
# says: the network of an IAF reads the noise
def backwards_step(z, A, B):
    e = z.clone()
    for _ in range(1):
        s = torch.tanh(e @ B.T)
        e = (z - e @ A.T) / s.exp()
    return e, -s.sum(1)


# %% wrong: one pass that starts at zero
# says: one pass finds one coordinate more
def backwards_step(z, A, B):
    e = torch.zeros_like(z)
    s = torch.tanh(e @ B.T)
    return (z - e @ A.T) * (-s).exp(), -s.sum(1)


# %% wrong: z itself
# says: one pass finds one coordinate more
def backwards_step(z, A, B):
    return z, -torch.tanh(z @ B.T).sum(1)


# %% wrong: the log-determinant of the other way
# says: this is the log-determinant of the forward pass
def backwards_step(z, A, B):
    e = torch.zeros_like(z)
    for _ in range(z.shape[1]):
        e = (z - e @ A.T) / torch.tanh(e @ B.T).exp()
    return e, torch.tanh(e @ B.T).sum(1)


# %% wrong: the log-determinant of the other way, added up in the loop
# says: this is the log-determinant of the forward pass
def backwards_step(z, A, B):
    e, log_det = torch.zeros_like(z), 0
    for j in range(z.shape[1]):
        s = torch.tanh(e @ B[j])
        e[:, j] = (z[:, j] - e @ A[j]) / s.exp()
        log_det = log_det + s
    return e, log_det


# %% wrong: one number for each coordinate
# says: one number per point
def backwards_step(z, A, B):
    e = torch.zeros_like(z)
    for _ in range(z.shape[1]):
        s = torch.tanh(e @ B.T)
        e = (z - e @ A.T) * (-s).exp()
    return e, -s


# %% wrong: one number for each coordinate, from the end
# says: one number per point
def backwards_step(z, A, B):
    e = z
    for _ in range(9):
        e = (z - e @ A.T) / torch.tanh(e @ B.T).exp()
    return e, -torch.tanh(e @ B.T)


# %% wrong: epsilon alone
# says: return two
def backwards_step(z, A, B):
    return z


# %% wrong: nothing
# says: return two
def backwards_step(z, A, B):
    return None
