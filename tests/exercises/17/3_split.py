# %% right: from the gaps
def split_gain(bound, log_px, new_bound, new_log_px):
    gap, new_gap = (log_px - bound).mean(), (new_log_px - new_bound).mean()
    return new_log_px.mean() - log_px.mean(), gap - new_gap, (new_bound - bound).var().div(len(bound)).sqrt()


# %% right: in float32
def split_gain(bound, log_px, new_bound, new_log_px):
    bound, log_px, new_bound, new_log_px = (v.float() for v in (bound, log_px, new_bound, new_log_px))
    gain, by_px = new_bound - bound, new_log_px - log_px
    return by_px.mean(), (gain - by_px).mean(), gain.std() / len(gain) ** 0.5


# %% wrong: two
# says: return three
def split_gain(bound, log_px, new_bound, new_log_px):
    by_px = (new_log_px - log_px).mean()
    return by_px, (new_bound - bound).mean() - by_px


# %% wrong: one
# says: return three
def split_gain(bound, log_px, new_bound, new_log_px):
    return (new_log_px - log_px).mean()


# %% wrong: the bound's gain first
# says: this is the whole gain of the bound
def split_gain(bound, log_px, new_bound, new_log_px):
    gain = new_bound - bound
    return gain.mean(), gain.mean() - (new_log_px - log_px).mean(), gain.std() / len(gain) ** 0.5


# %% wrong: the bound's gain, by means
# says: this is the whole gain of the bound
def split_gain(bound, log_px, new_bound, new_log_px):
    return new_bound.mean() - bound.mean(), torch.zeros(()), (new_bound - bound).std()


# %% wrong: old less new
# says: a better model has the higher log p
def split_gain(bound, log_px, new_bound, new_log_px):
    by_px = (log_px - new_log_px).mean()
    return by_px, (new_bound - bound).mean() + by_px, (new_bound - bound).std() / len(bound) ** 0.5


# %% wrong: old less new, by means
# says: a better model has the higher log p
def split_gain(bound, log_px, new_bound, new_log_px):
    return log_px.mean() - new_log_px.mean(), torch.zeros(()), torch.zeros(())


# %% wrong: new gap less old
# says: a gap that shrinks is a gain
def split_gain(bound, log_px, new_bound, new_log_px):
    gap, new_gap = (log_px - bound).mean(), (new_log_px - new_bound).mean()
    return (new_log_px - log_px).mean(), new_gap - gap, (new_bound - bound).std() / len(bound) ** 0.5


# %% wrong: log p less the bound
# says: a gap that shrinks is a gain
def split_gain(bound, log_px, new_bound, new_log_px):
    by_px = (new_log_px - log_px).mean()
    return by_px, by_px - (new_bound - bound).mean(), (new_bound - bound).std() / len(bound) ** 0.5


# %% wrong: the new gap
# says: this is the gap that is left
def split_gain(bound, log_px, new_bound, new_log_px):
    return (new_log_px - log_px).mean(), (new_log_px - new_bound).mean(), torch.zeros(())


# %% wrong: the new gap, by means
# says: this is the gap that is left
def split_gain(bound, log_px, new_bound, new_log_px):
    left = new_log_px.mean() - new_bound.mean()
    return (new_log_px - log_px).mean(), left, (new_bound - bound).std() / len(bound) ** 0.5


# %% wrong: unpaired
# says: this is the error of two independent means
def split_gain(bound, log_px, new_bound, new_log_px):
    by_px, n = (new_log_px - log_px).mean(), len(bound)
    return by_px, (new_bound - bound).mean() - by_px, ((bound.var() + new_bound.var()) / n).sqrt()


# %% wrong: errors of both, added in squares
# says: this is the error of two independent means
def split_gain(bound, log_px, new_bound, new_log_px):
    by_px = (new_log_px - log_px).mean()
    errors = torch.stack([bound, new_bound]).std(1) / len(bound) ** 0.5
    return by_px, (new_bound - bound).mean() - by_px, errors.square().sum().sqrt()
