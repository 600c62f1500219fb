# %% right: evidence less divergence, in float32
def two_state_elbo(q_0):
    q, posterior = torch.tensor([q_0, 1 - q_0]), torch.tensor([0.75, 0.25])
    return math.log(0.4) - (q * (q / posterior).log()).sum()


# %% right: energy plus entropy
def two_state_elbo(q_0):
    energy = q_0 * math.log(0.3) + (1 - q_0) * math.log(0.1)
    return energy + td.Bernoulli(torch.tensor(q_0)).entropy().item()


# %% wrong: the energy
# says: the entropy of q is missing
def two_state_elbo(q_0):
    return q_0 * math.log(0.3) + (1 - q_0) * math.log(0.1)


# %% wrong: the energy, as a tensor
# says: the entropy of q is missing
def two_state_elbo(q_0):
    return torch.tensor([q_0, 1 - q_0]) @ torch.tensor([0.3, 0.1]).log()


# %% wrong: binary logarithms
# says: in bits
def two_state_elbo(q_0):
    return q_0 * math.log2(0.3 / q_0) + (1 - q_0) * math.log2(0.1 / (1 - q_0))


# %% wrong: converted to bits
# says: in bits
def two_state_elbo(q_0):
    return (q_0 * math.log(0.3 / q_0) + (1 - q_0) * math.log(0.1 / (1 - q_0))) / math.log(2)


# %% wrong: evidence plus divergence
# says: the divergence was added
def two_state_elbo(q_0):
    return math.log(0.4) + q_0 * math.log(q_0 / 0.75) + (1 - q_0) * math.log((1 - q_0) / 0.25)


# %% wrong: the ratio upside down
# says: the divergence was added
def two_state_elbo(q_0):
    gap = math.log(0.4) - q_0 * math.log(0.3 / q_0) - (1 - q_0) * math.log(0.1 / (1 - q_0))
    return math.log(0.4) + gap


# %% wrong: no return
# says: is a return missing?
def two_state_elbo(q_0):
    q_0 * math.log(0.3 / q_0)
