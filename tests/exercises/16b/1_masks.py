# %% right: with a loop over pairs
def masks(order, degrees):
    D, H = len(order), len(degrees)
    place = {int(j): k for k, j in enumerate(order)}
    first, last = torch.zeros(H, D), torch.zeros(D, H)
    for j in range(D):
        for h in range(H):
            first[h, j] = float(place[j] <= degrees[h])
            last[j, h] = float(degrees[h] < place[j])
    return first.bool(), last.bool()


# %% right: places by scatter
def masks(order, degrees):
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order))
    return place <= degrees.unsqueeze(1), degrees < place.unsqueeze(1)


# %% wrong: the order taken for the places
# says: order[k] is the input at place k
def masks(order, degrees):
    return degrees[:, None] >= order, order[:, None] > degrees


# %% wrong: the order taken for the places of the inputs only
# says: order[k] is the input at place k
def masks(order, degrees):
    return order <= degrees[:, None], order.argsort()[:, None] > degrees


# %% wrong: hidden units strictly below
# says: this lets hidden units read only what is strictly below
def masks(order, degrees):
    place = order.argsort()
    return degrees[:, None] > place, place[:, None] > degrees


# %% wrong: hidden units strictly below, and outputs not
# says: this lets hidden units read only what is strictly below
def masks(order, degrees):
    place = order.argsort()
    return place < degrees[:, None], place[:, None] >= degrees


# %% wrong: the first mask the other way round
# says: this mask is [D, H]
def masks(order, degrees):
    place = order.argsort()
    return place[:, None] <= degrees, place[:, None] > degrees


# %% wrong: both masks the other way round
# says: this mask is [D, H]
def masks(order, degrees):
    place = order.argsort()
    return (degrees[:, None] >= place).T, (place[:, None] > degrees).T


# %% wrong: outputs see themselves
# says: this output sees its own input
def masks(order, degrees):
    place = order.argsort()
    return degrees[:, None] >= place, place[:, None] >= degrees


# %% wrong: outputs see themselves, as numbers
# says: this output sees its own input
def masks(order, degrees):
    place = order.argsort().float()
    return (degrees[:, None] >= place).float(), 1.0 - (degrees > place[:, None]).float()


# %% wrong: the places of inputs, the order for outputs
# says: take the place of each output, too
def masks(order, degrees):
    return degrees[:, None] >= order.argsort(), order[:, None] > degrees


# %% wrong: the same with floats
# says: take the place of each output, too
def masks(order, degrees):
    return (degrees[:, None] >= order.argsort()).float(), (degrees < order[:, None]).float()


# %% wrong: one mask
# says: return two masks
def masks(order, degrees):
    return degrees[:, None] >= order.argsort()


# %% wrong: three masks
# says: return two masks
def masks(order, degrees):
    place = order.argsort()
    return degrees[:, None] >= place, degrees[:, None] >= degrees, place[:, None] > degrees
