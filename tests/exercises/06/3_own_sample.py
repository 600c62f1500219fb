# %% right: as a difference
def own_sample_factor(num_samples):
    return 1 - 1 / num_samples


# %% right: the share of the others, in float32
def own_sample_factor(num_samples):
    return torch.ones(num_samples - 1).sum() / num_samples


# %% wrong: nothing is lost
# says: is not free
def own_sample_factor(num_samples):
    return 1.0


# %% wrong: nothing is lost, since the score has mean zero
# says: is not free
def own_sample_factor(num_samples):
    return num_samples / num_samples


# %% wrong: the factor that repairs it
# says: which repairs it
def own_sample_factor(num_samples):
    return num_samples / (num_samples - 1)


# %% wrong: the correction of a sample variance
# says: which repairs it
def own_sample_factor(num_samples):
    return 1 / (1 - 1 / num_samples)


# %% wrong: the share of one sample
# says: the factor for S
def own_sample_factor(num_samples):
    return 1 / num_samples


# %% wrong: nothing is returned
# says: is None
def own_sample_factor(num_samples):
    (num_samples - 1) / num_samples
