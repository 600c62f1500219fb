# %% right: loops
def book(q, p_2, p_1, top_first):
    rows, columns = q.sum(1), q.sum(0)
    upper = lower = 0.0
    for i in range(q.shape[0]):
        for j in range(q.shape[1]):
            factors = (rows[i], q[i, j] / rows[i]) if top_first else (q[i, j] / columns[j], columns[j])
            upper = upper + q[i, j] * (factors[0] / p_2[i]).log()
            lower = lower + q[i, j] * (factors[1] / p_1[i, j]).log()
    return upper, lower


# %% right: by the information that moves, float32
def book(q, p_2, p_1, top_first):
    q, p_2, p_1 = q.float(), p_2.float(), p_1.float()
    rows, columns = q.sum(1, keepdim=True), q.sum(0, keepdim=True)
    information = (q * (q / rows / columns).log()).sum()
    upper = (rows[:, 0] * (rows[:, 0] / p_2).log()).sum()
    lower = (q * (q / rows / p_1).log()).sum()
    return (upper, lower) if top_first else (upper + information, lower - information)


# %% wrong: always from the top
# says: bottom first: these are the terms of the other order
def book(q, p_2, p_1, top_first):
    rows = q.sum(1, keepdim=True)
    return (q * (rows / p_2[:, None]).log()).sum(), (q * (q / rows / p_1).log()).sum()


# %% wrong: exchanged
# says: the terms are exchanged
def book(q, p_2, p_1, top_first):
    rows = q.sum(1, keepdim=True)
    return (q * (q / rows / p_1).log()).sum(), (q * (rows / p_2[:, None]).log()).sum()


# %% wrong: the whole rate
# says: this is the whole rate
def book(q, p_2, p_1, top_first):
    rate = (q * (q / (p_2[:, None] * p_1)).log()).sum()
    return rate, rate


# %% wrong: not weighted
# says: averaged evenly: weight by q
def book(q, p_2, p_1, top_first):
    rows = q.sum(1, keepdim=True)
    return (rows / p_2[:, None]).log().mean(), (q / rows / p_1).log().mean()


# %% wrong: one number
# says: return two numbers
def book(q, p_2, p_1, top_first):
    return (q * (q / (p_2[:, None] * p_1)).log()).sum()


# %% wrong: always from the bottom
# says: top_first: these are the terms of the other order
def book(q, p_2, p_1, top_first):
    columns = q.sum(0, keepdim=True)
    return (q * (q / columns / p_2[:, None]).log()).sum(), (q * (columns / p_1).log()).sum()


# %% wrong: the orders exchanged
# says: top_first: these are the terms of the other order
def book(q, p_2, p_1, top_first):
    rows, columns = q.sum(1, keepdim=True), q.sum(0, keepdim=True)
    of_2, of_1 = (q / columns, columns) if top_first else (rows, q / rows)
    return (q * (of_2 / p_2[:, None]).log()).sum(), (q * (of_1 / p_1).log()).sum()


# %% wrong: exchanged, from the bottom
# says: the terms are exchanged
def book(q, p_2, p_1, top_first):
    rows, columns = q.sum(1, keepdim=True), q.sum(0, keepdim=True)
    of_2, of_1 = (rows, q / rows) if top_first else (q / columns, columns)
    return (q * (of_1 / p_1).log()).sum(), (q * (of_2 / p_2[:, None]).log()).sum()


# %% wrong: the whole rate for the top
# says: this is the whole rate
def book(q, p_2, p_1, top_first):
    return (torch.xlogy(q, q) - torch.xlogy(q, p_2[:, None] * p_1)).sum(), 0.0


# %% wrong: an average over the table
# says: averaged evenly: weight by q
def book(q, p_2, p_1, top_first):
    rows, columns = q.sum(1, keepdim=True), q.sum(0, keepdim=True)
    of_2, of_1 = (rows, q / rows) if top_first else (q / columns, columns)
    return (of_2.log() - p_2[:, None].log()).mean(), (of_1.log() - p_1.log()).mean()


# %% wrong: nothing returned
# says: return two numbers
def book(q, p_2, p_1, top_first):
    pass


# %% wrong: from the top whatever is asked, by the information
# says: bottom first: these are the terms of the other order
def book(q, p_2, p_1, top_first):
    rows = q.sum(1)
    upper = (rows * (rows / p_2).log()).sum()
    return upper, (q * (q / (p_2[:, None] * p_1)).log()).sum() - upper
