# %% right: a loop over pairs
def beaten(nats, seconds, nats_se, seconds_se):
    found = []
    for m in range(len(nats)):
        up = (nats - nats[m]) > 2 * torch.hypot(nats_se, nats_se[m])
        left = (seconds[m] - seconds) > 2 * torch.hypot(seconds_se, seconds_se[m])
        found.append((up & left).any())
    return torch.stack(found)


# %% right: by z-scores
def beaten(nats, seconds, nats_se, seconds_se):
    def z(value, se):
        return (value[:, None] - value[None]) / (se[:, None].square() + se[None].square()).sqrt()

    return ((z(nats, nats_se) > 2) & (z(-seconds, seconds_se) > 2)).sum(0) > 0


# %% wrong: each in another rival
# says: one rival that is better in both
def beaten(nats, seconds, nats_se, seconds_se):
    up = nats[:, None] - nats > 2 * torch.hypot(nats_se[:, None], nats_se[None])
    left = seconds - seconds[:, None] > 2 * torch.hypot(seconds_se[:, None], seconds_se[None])
    return up.any(0) & left.any(0)


# %% wrong: each in another rival, in a loop
# says: one rival that is better in both
def beaten(nats, seconds, nats_se, seconds_se):
    found = []
    for m in range(len(nats)):
        up = (nats - nats[m]) > 2 * torch.hypot(nats_se, nats_se[m])
        left = (seconds[m] - seconds) > 2 * torch.hypot(seconds_se, seconds_se[m])
        found.append(bool(up.any()) and bool(left.any()))
    return torch.tensor(found)


# %% wrong: without noise
# says: the noise is left out
def beaten(nats, seconds, nats_se, seconds_se):
    return ((nats[:, None] > nats) & (seconds[:, None] < seconds)).any(0)


# %% wrong: without noise, in a loop
# says: the noise is left out
def beaten(nats, seconds, nats_se, seconds_se):
    return torch.stack([((nats > nats[m]) & (seconds < seconds[m])).any() for m in range(len(nats))])


# %% wrong: the front
# says: methods that are not beaten
def beaten(nats, seconds, nats_se, seconds_se):
    up = nats[:, None] - nats > 2 * torch.hypot(nats_se[:, None], nats_se[None])
    left = seconds - seconds[:, None] > 2 * torch.hypot(seconds_se[:, None], seconds_se[None])
    return ~(up & left).any(0)


# %% wrong: the front, by all
# says: methods that are not beaten
def beaten(nats, seconds, nats_se, seconds_se):
    up = nats[:, None] - nats > 2 * torch.hypot(nats_se[:, None], nats_se[None])
    left = seconds - seconds[:, None] > 2 * torch.hypot(seconds_se[:, None], seconds_se[None])
    return (~up | ~left).all(0)


# %% wrong: more seconds
# says: fewer seconds are better
def beaten(nats, seconds, nats_se, seconds_se):
    up = nats[:, None] - nats > 2 * torch.hypot(nats_se[:, None], nats_se[None])
    left = seconds[:, None] - seconds > 2 * torch.hypot(seconds_se[:, None], seconds_se[None])
    return (up & left).any(0)


# %% wrong: more seconds, in a loop
# says: fewer seconds are better
def beaten(nats, seconds, nats_se, seconds_se):
    found = []
    for m in range(len(nats)):
        up = (nats - nats[m]) > 2 * torch.hypot(nats_se, nats_se[m])
        left = (seconds - seconds[m]) > 2 * torch.hypot(seconds_se, seconds_se[m])
        found.append((up & left).any())
    return torch.stack(found)


# %% wrong: who beats
# says: who beats another one
def beaten(nats, seconds, nats_se, seconds_se):
    up = nats[:, None] - nats > 2 * torch.hypot(nats_se[:, None], nats_se[None])
    left = seconds - seconds[:, None] > 2 * torch.hypot(seconds_se[:, None], seconds_se[None])
    return (up & left).any(1)


# %% wrong: who beats, transposed
# says: who beats another one
def beaten(nats, seconds, nats_se, seconds_se):
    up = nats - nats[:, None] > 2 * torch.hypot(nats_se[:, None], nats_se[None])
    left = seconds[:, None] - seconds > 2 * torch.hypot(seconds_se[:, None], seconds_se[None])
    return (up & left).any(0)


# %% wrong: numbers
# says: True and False
def beaten(nats, seconds, nats_se, seconds_se):
    return torch.zeros(len(nats))


# %% wrong: a list
# says: True and False
def beaten(nats, seconds, nats_se, seconds_se):
    return [False] * len(nats)
