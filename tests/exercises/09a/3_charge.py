# %% right: a loop over groups
def charge(kl, free, groups):
    total, start = 0.0, 0
    for size in groups:
        total = total + max(free, kl[:, start : start + size].sum(1).mean().item())
        start += size
    return total


# %% right: in float32, by a matrix of groups
def charge(kl, free, groups):
    member = torch.repeat_interleave(torch.arange(len(groups)), torch.tensor(groups))
    of_groups = torch.zeros(len(groups)).index_add(0, member, kl.float().mean(0))
    return of_groups.clamp(min=free).sum()


# %% wrong: the floor for every datum
# says: the maximum stands inside the average
def charge(kl, free, groups):
    return torch.stack([part.sum(1) for part in kl.split(list(groups), 1)]).clamp(min=free).mean(1).sum()


# %% wrong: datum by datum
# says: the maximum stands inside the average
def charge(kl, free, groups):
    return sum(sum(max(free, v) for v in part.sum(1).tolist()) / len(kl) for part in kl.split(list(groups), 1))


# %% wrong: a floor for every latent
# says: every latent has its own floor here
def charge(kl, free, groups):
    return kl.mean(0).clamp(min=free).sum()


# %% wrong: groups forgotten
# says: every latent has its own floor here
def charge(kl, free, groups):
    return sum(max(free, value) for value in kl.mean(0).tolist())


# %% wrong: no floor
# says: this is the plain KL
def charge(kl, free, groups):
    return kl.sum(1).mean()


# %% wrong: the floor on the whole
# says: this is the plain KL
def charge(kl, free, groups):
    return kl.sum(1).mean().clamp(min=free)


# %% wrong: a ceiling
# says: this caps the KL
def charge(kl, free, groups):
    return torch.stack([part.sum(1).mean() for part in kl.split(list(groups), 1)]).clamp(max=free).sum()


# %% wrong: the smaller of the two
# says: this caps the KL
def charge(kl, free, groups):
    return sum(min(free, part.sum(1).mean().item()) for part in kl.split(list(groups), 1))


# %% wrong: summed over the batch
# says: this is a sum over the batch
def charge(kl, free, groups):
    return sum(part.sum().clamp(min=free) for part in kl.split(list(groups), 1))


# %% wrong: the batch's total
# says: this is a sum over the batch
def charge(kl, free, groups):
    return torch.stack([part.sum(1).sum(0).clamp(min=free) for part in kl.split(list(groups), 1)]).sum()
