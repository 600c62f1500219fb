# %% right: step by step
def three_gaps(log_px, best, refitted, current):
    second = best - refitted
    means = torch.tensor([(log_px - best).mean(), second.mean(), (refitted - current).mean()], dtype=log_px.dtype)
    return means, (second.var() / second.numel()).sqrt()


# %% right: differences of a stack, in float32
def three_gaps(log_px, best, refitted, current):
    gaps = -torch.stack([log_px, best, refitted, current]).diff(dim=0).float()
    return gaps.mean(1), (gaps[1] - gaps[1].mean()).square().sum().div(39 * 40).sqrt()


# %% wrong: one
# says: return two: the three means
def three_gaps(log_px, best, refitted, current):
    return torch.stack([log_px - best, best - refitted, refitted - current]).mean(1)


# %% wrong: nothing but the error
# says: return two: the three means
def three_gaps(log_px, best, refitted, current):
    return (best - refitted).std() / len(best) ** 0.5


# %% wrong: all from the top
# says: each gap is one step
def three_gaps(log_px, best, refitted, current):
    return (log_px - torch.stack([best, refitted, current])).mean(1), None


# %% wrong: all from the top, by sums
# says: each gap is one step
def three_gaps(log_px, best, refitted, current):
    steps = torch.stack([log_px - best, best - refitted, refitted - current])
    return steps.cumsum(0).mean(1), None


# %% wrong: sums
# says: these are sums over the data
def three_gaps(log_px, best, refitted, current):
    return torch.stack([log_px - best, best - refitted, refitted - current]).sum(1), None


# %% wrong: sums one by one
# says: these are sums over the data
def three_gaps(log_px, best, refitted, current):
    return torch.stack([(log_px - best).sum(), (best - refitted).sum(), (refitted - current).sum()]), None


# %% wrong: unpaired
# says: this is the error of two independent means
def three_gaps(log_px, best, refitted, current):
    gaps = torch.stack([log_px - best, best - refitted, refitted - current])
    return gaps.mean(1), (best.var() / len(best) + refitted.var() / len(best)) ** 0.5


# %% wrong: errors of both, added in squares
# says: this is the error of two independent means
def three_gaps(log_px, best, refitted, current):
    gaps = torch.stack([log_px - best, best - refitted, refitted - current])
    errors = torch.stack([best, refitted]).std(1) / len(best) ** 0.5
    return gaps.mean(1), errors.square().sum().sqrt()


# %% wrong: the spread
# says: this is the spread of single data
def three_gaps(log_px, best, refitted, current):
    gaps = torch.stack([log_px - best, best - refitted, refitted - current])
    return gaps.mean(1), gaps[1].std()


# %% wrong: the root of the variance
# says: this is the spread of single data
def three_gaps(log_px, best, refitted, current):
    gaps = torch.stack([log_px - best, best - refitted, refitted - current])
    return gaps.mean(1), (best - refitted).var().sqrt()


# %% wrong: squares divided by N
# says: divide the squares by N - 1
def three_gaps(log_px, best, refitted, current):
    gaps = torch.stack([log_px - best, best - refitted, refitted - current])
    return gaps.mean(1), gaps[1].std(correction=0) / len(best) ** 0.5


# %% wrong: the mean square less the squared mean
# says: divide the squares by N - 1
def three_gaps(log_px, best, refitted, current):
    gaps = torch.stack([log_px - best, best - refitted, refitted - current])
    return gaps.mean(1), ((gaps[1].square().mean() - gaps[1].mean() ** 2) / len(best)).sqrt()
