# %% right: from the two conditions apart
def box_divergence(a, b, c, d):
    if a < c or b > d:
        return float("inf")
    return math.log(d - c) - math.log(b - a)


# %% right: torch's own, in float32
def box_divergence(a, b, c, d):
    return td.kl_divergence(td.Uniform(torch.tensor(a), torch.tensor(b)), td.Uniform(c, d))


# %% wrong: the ratio upside down
# says: the divergence is never negative
def box_divergence(a, b, c, d):
    return math.log((b - a) / (d - c)) if c <= a and b <= d else math.inf


# %% wrong: the minus sign of an entropy
# says: the divergence is never negative
def box_divergence(a, b, c, d):
    return -math.log((d - c) / (b - a)) if c <= a and b <= d else math.inf


# %% wrong: the other direction's condition
# says: it is q that must not leave p
def box_divergence(a, b, c, d):
    return math.log((d - c) / (b - a)) if a <= c and d <= b else math.inf


# %% wrong: infinite unless the boxes are the same
# says: it is q that must not leave p
def box_divergence(a, b, c, d):
    return 0.0 if (a, b) == (c, d) else math.inf


# %% wrong: the ratio of the lengths
# says: the logarithm is missing
def box_divergence(a, b, c, d):
    return (d - c) / (b - a) if c <= a and b <= d else math.inf


# %% wrong: the mean of q / p
# says: the logarithm is missing
def box_divergence(a, b, c, d):
    ratio = torch.full((1000,), (d - c) / (b - a), dtype=torch.float64)
    return ratio.mean().item() if c <= a and b <= d else math.inf


# %% wrong: never infinite
# says: a q that reaches beyond p has an infinite divergence
def box_divergence(a, b, c, d):
    return math.log((d - c) / (b - a))


# %% wrong: only where the boxes overlap
# says: a q that reaches beyond p has an infinite divergence
def box_divergence(a, b, c, d):
    share = max(0.0, min(b, d) - max(a, c)) / (b - a)
    return share * math.log((d - c) / (b - a)) if share else math.inf


# %% wrong: the left end alone
# says: on one side
def box_divergence(a, b, c, d):
    return math.log((d - c) / (b - a)) if c <= a else math.inf


# %% wrong: either end is enough
# says: on one side
def box_divergence(a, b, c, d):
    return math.log((d - c) / (b - a)) if c <= a or b <= d else math.inf
