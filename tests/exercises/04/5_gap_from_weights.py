# %% right: the mean squared deviation
def gap_from_weights(log_w):
    return (log_w - log_w.mean(0)).square().mean(0) / 2


# %% right: centred, in float32
def gap_from_weights(log_w):
    return (log_w - log_w.mean(0)).float().std(0) ** 2 / 2


# %% wrong: the variance
# says: twice too large
def gap_from_weights(log_w):
    return log_w.var(0)


# %% wrong: mean squared deviation without the half
# says: twice too large
def gap_from_weights(log_w):
    return (log_w - log_w.mean(0)).square().mean(0)


# %% wrong: half the standard deviation
# says: this is half the standard deviation
def gap_from_weights(log_w):
    return log_w.std(0) / 2


# %% wrong: half the root of the variance
# says: this is half the standard deviation
def gap_from_weights(log_w):
    return (log_w - log_w.mean(0)).square().mean(0).sqrt() / 2


# %% wrong: the last dimension
# says: this takes the variance over data
def gap_from_weights(log_w):
    return log_w.var(-1) / 2


# %% wrong: transposed
# says: this takes the variance over data
def gap_from_weights(log_w):
    return log_w.T.var(0) / 2
