# %% right: two bounds
def bound_rose(gap_before, gap_after, log_px_before, log_px_after):
    before, after = log_px_before - gap_before, log_px_after - gap_after
    return after - before


# %% right: a smaller gap and a higher evidence, as a tensor
def bound_rose(gap_before, gap_after, log_px_before, log_px_after):
    return torch.tensor([gap_before - gap_after, log_px_after - log_px_before]).sum()


# %% wrong: the gap alone
# says: change of the gap alone
def bound_rose(gap_before, gap_after, log_px_before, log_px_after):
    return gap_before - gap_after


# %% wrong: the gap alone, by a sum
# says: change of the gap alone
def bound_rose(gap_before, gap_after, log_px_before, log_px_after):
    return sum([gap_before, -gap_after])


# %% wrong: the evidence alone
# says: change of log p(x) alone
def bound_rose(gap_before, gap_after, log_px_before, log_px_after):
    return log_px_after - log_px_before


# %% wrong: the evidence alone, by a sum
# says: change of log p(x) alone
def bound_rose(gap_before, gap_after, log_px_before, log_px_after):
    return sum([log_px_after, -log_px_before])


# %% wrong: gaps added
# says: the bound is log p(x) less the gap
def bound_rose(gap_before, gap_after, log_px_before, log_px_after):
    return (log_px_after + gap_after) - (log_px_before + gap_before)


# %% wrong: the change of the gap with the wrong sign
# says: the bound is log p(x) less the gap
def bound_rose(gap_before, gap_after, log_px_before, log_px_after):
    return log_px_after - log_px_before - (gap_before - gap_after)


# %% wrong: downwards
# says: by how much the bound fell
def bound_rose(gap_before, gap_after, log_px_before, log_px_after):
    return (log_px_before - gap_before) - (log_px_after - gap_after)


# %% wrong: downwards, by parts
# says: by how much the bound fell
def bound_rose(gap_before, gap_after, log_px_before, log_px_after):
    return log_px_before - log_px_after + gap_after - gap_before
