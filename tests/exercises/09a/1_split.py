# %% right: the average KL less the marginal KL
def split(q, prior):
    aggregate = q.mean(0)
    marginal = (torch.xlogy(aggregate, aggregate) - torch.xlogy(aggregate, prior)).sum()
    average = (torch.xlogy(q, q) - torch.xlogy(q, prior)).sum(1).mean()
    return average - marginal, marginal


# %% right: entropies, in float32
def split(q, prior):
    q, prior = q.float(), prior.float()
    aggregate = torch.distributions.Categorical(q.mean(0))
    of_each = -torch.xlogy(q, q).sum(1)
    marginal = torch.distributions.kl_divergence(aggregate, torch.distributions.Categorical(prior))
    return aggregate.entropy() - of_each.mean(), marginal


# %% wrong: the average KL for the information
# says: this is the average KL
def split(q, prior):
    average = (torch.xlogy(q, q) - torch.xlogy(q, prior)).sum(1).mean()
    aggregate = q.mean(0)
    return average, (aggregate * (aggregate / prior).log()).sum()


# %% wrong: one number, the average KL
# says: return two numbers
def split(q, prior):
    return (torch.xlogy(q, q) - torch.xlogy(q, prior)).sum(1).mean()


# %% wrong: both in a tensor
# says: return two numbers
def split(q, prior):
    aggregate = q.mean(0)
    information = (torch.xlogy(q, q) - torch.xlogy(q, aggregate)).sum(1).mean()
    return torch.stack([information, (aggregate * (aggregate / prior).log()).sum()])


# %% wrong: summed over data
# says: this is a sum over data
def split(q, prior):
    aggregate = q.mean(0)
    information = (torch.xlogy(q, q) - torch.xlogy(q, aggregate)).sum()
    return information, (aggregate * (aggregate / prior).log()).sum()


# %% wrong: q log q by hand
# says: a state with q = 0 must contribute nothing
def split(q, prior):
    aggregate = q.mean(0)
    information = (q * (q / aggregate).log()).sum(1).mean()
    return information, (aggregate * (aggregate / prior).log()).sum()


# %% wrong: logarithms of q
# says: a state with q = 0 must contribute nothing
def split(q, prior):
    aggregate = q.mean(0)
    information = (q * q.log() - q * aggregate.log()).sum(1).mean()
    return information, (aggregate * (aggregate / prior).log()).sum()


# %% wrong: in the other order
# says: the two numbers are exchanged
def split(q, prior):
    aggregate = q.mean(0)
    information = (torch.xlogy(q, q) - torch.xlogy(q, aggregate)).sum(1).mean()
    return (aggregate * (aggregate / prior).log()).sum(), information


# %% wrong: the prior first
# says: the arguments are exchanged
def split(q, prior):
    aggregate = q.mean(0)
    information = (torch.xlogy(q, q) - torch.xlogy(q, aggregate)).sum(1).mean()
    return information, (prior * (prior / aggregate).log()).sum()


# %% wrong: PyTorch's kl_div, whose arguments stand the other way round
# says: the arguments are exchanged
def split(q, prior):
    aggregate = q.mean(0)
    information = (torch.xlogy(q, q) - torch.xlogy(q, aggregate)).sum(1).mean()
    return information, torch.nn.functional.kl_div(aggregate.log(), prior, reduction="sum")


# %% wrong: both terms against the prior
# says: this is the average KL
def split(q, prior):
    average = torch.stack([(torch.xlogy(row, row) - torch.xlogy(row, prior)).sum() for row in q]).mean()
    return average, torch.zeros(())


# %% wrong: a sum of KLs, each datum's own
# says: this is a sum over data
def split(q, prior):
    aggregate = q.sum(0) / len(q)
    information = sum((torch.xlogy(row, row) - torch.xlogy(row, aggregate)).sum() for row in q)
    return information, torch.xlogy(aggregate, aggregate / prior).sum()


# %% wrong: the marginal KL first, by entropies
# says: the two numbers are exchanged
def split(q, prior):
    aggregate = q.mean(0)
    entropy = -torch.xlogy(aggregate, aggregate).sum()
    marginal = -entropy - (aggregate * prior.log()).sum()
    return marginal, entropy + torch.xlogy(q, q).sum(1).mean()
