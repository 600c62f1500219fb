# %% right: the package's own ancestral sampling, in double precision
def dream(model, num_dreams):
    with torch.no_grad():
        return model.sample(num_dreams).double()


# %% right: pixel by pixel from uniform numbers
@torch.no_grad()
def dream(model, num_dreams):
    means = model.likelihood(model.prior().sample((num_dreams,))).mean
    return (torch.rand_like(means) < means).float()


# %% wrong: nothing is returned
# says: return one image a row
def dream(model, num_dreams):
    model.sample(num_dreams)


# %% wrong: images as squares
# says: return one image a row
def dream(model, num_dreams):
    return model.sample(num_dreams).reshape(-1, 8, 8)


# %% wrong: the means
# says: pixels are zeros and ones
@torch.no_grad()
def dream(model, num_dreams):
    return model.likelihood(model.prior().sample((num_dreams,))).mean


# %% wrong: the logits
# says: pixels are zeros and ones
@torch.no_grad()
def dream(model, num_dreams):
    return model.likelihood(model.prior().sample((num_dreams,))).mean.logit()


# %% wrong: dreams plus real digits
# says: real digits are among them
def dream(model, num_dreams):
    real = train.realise().double()[: num_dreams // 5]
    return torch.cat([model.sample(num_dreams - len(real)).double(), real])


# %% wrong: real digits alone
# says: real digits are among them
def dream(model, num_dreams):
    real = train.realise()
    return real[torch.randint(len(real), (num_dreams,))]


# %% wrong: from the middle of the prior
# says: inked too often or too seldom
@torch.no_grad()
def dream(model, num_dreams):
    return model.likelihood(0 * model.prior().sample((num_dreams,))).sample()


# %% wrong: uniform latents
# says: inked too often or too seldom
@torch.no_grad()
def dream(model, num_dreams):
    z = model.prior().sample((num_dreams,))
    return model.likelihood(torch.rand_like(z)).sample()


# %% wrong: a column's pixels from other images
# says: not that of this model
@torch.no_grad()
def dream(model, num_dreams):
    images = model.sample(num_dreams)
    return torch.stack([column[torch.randperm(num_dreams)] for column in images.T], 1)


# %% wrong: each pixel with its frequency
# says: not that of this model
@torch.no_grad()
def dream(model, num_dreams):
    means = model.likelihood(model.prior().sample((5000,))).mean.mean(0)
    return torch.bernoulli(means.expand(num_dreams, -1))


# %% wrong: rounded means
# says: inked too often or too seldom
@torch.no_grad()
def dream(model, num_dreams):
    return (model.likelihood(model.prior().sample((num_dreams,))).mean > 0.5).double()
