# %% right: sample by sample, in float32
def two_gradients(log_w, held, score):
    log_w, held, score = log_w.float(), held.float(), score.float()
    w = (log_w - log_w.amax(0)).exp()
    w = w / w.sum(0)
    one, other = torch.zeros(log_w.shape[1]), torch.zeros(log_w.shape[1])
    for a, b, c in zip(w, held, score):
        one, other = one + a * b - a * c, other + a * a * b
    return one, other


# %% wrong: one
# says: return two
def two_gradients(log_w, held, score):
    return (log_w.softmax(0) * (held - score)).sum(0)


# %% wrong: stacked
# says: return two
def two_gradients(log_w, held, score):
    w = log_w.softmax(0)
    return torch.stack([(w * (held - score)).sum(0), (w**2 * held).sum(0)])


# %% wrong: the score added
# says: its score is subtracted
def two_gradients(log_w, held, score):
    w = log_w.softmax(0)
    return (w * (held + score)).sum(0), (w**2 * held).sum(0)


# %% wrong: the score added, apart
# says: its score is subtracted
def two_gradients(log_w, held, score):
    w = log_w.softmax(0)
    return (w * held).sum(0) + (w * score).sum(0), (w * w * held).sum(0)


# %% wrong: no score
# says: biased for k > 1
def two_gradients(log_w, held, score):
    w = log_w.softmax(0)
    return (w * held).sum(0), (w**2 * held).sum(0)


# %% wrong: no score in either
# says: biased for k > 1
def two_gradients(log_w, held, score):
    w = log_w.exp() / log_w.exp().sum(0)
    return (w * held).sum(0), (w * held).sum(0)


# %% wrong: even weights
# says: the averaged ELBO's
def two_gradients(log_w, held, score):
    return (held - score).mean(0), (log_w.softmax(0) ** 2 * held).sum(0)


# %% wrong: even weights, in both
# says: the averaged ELBO's
def two_gradients(log_w, held, score):
    k = len(log_w)
    return ((held - score) / k).sum(0), (held / k**2).sum(0)


# %% wrong: not normalised
# says: normalised to one
def two_gradients(log_w, held, score):
    w = log_w.exp()
    return (w * (held - score)).sum(0), (w**2 * held).sum(0)


# %% wrong: not normalised in the first
# says: normalised to one
def two_gradients(log_w, held, score):
    return ((held - score) * log_w.exp()).sum(0), (log_w.softmax(0) ** 2 * held).sum(0)


# %% wrong: DReG without squares
# says: squared in DReG
def two_gradients(log_w, held, score):
    w = log_w.softmax(0)
    return (w * (held - score)).sum(0), (w * held).sum(0)


# %% wrong: DReG without squares, by logsumexp
# says: squared in DReG
def two_gradients(log_w, held, score):
    w = (log_w - log_w.logsumexp(0)).exp()
    return (w * held - w * score).sum(0), (held * w).sum(0)


# %% wrong: a score in DReG
# says: no score left
def two_gradients(log_w, held, score):
    w = log_w.softmax(0)
    return (w * (held - score)).sum(0), (w**2 * (held - score)).sum(0)


# %% wrong: a score in DReG, apart
# says: no score left
def two_gradients(log_w, held, score):
    w = log_w.softmax(0)
    return (w * (held - score)).sum(0), (w**2 * held).sum(0) - (w**2 * score).sum(0)
