# %% right: from the smaller of the two flows
def transition_matrix(joint, proposal):
    states = range(len(joint))
    flow = [[min(joint[i] * proposal[i][j], joint[j] * proposal[j][i]) for j in states] for i in states]
    T = [[flow[i][j] / joint[i] if i != j else Fraction(0) for j in states] for i in states]
    return [[T[i][j] if i != j else 1 - sum(T[i]) for j in states] for i in states]


# %% right: what is not accepted is sent back, proposal by proposal
def transition_matrix(joint, proposal):
    rows = []
    for here, chances in zip(joint, proposal):
        i, row = len(rows), list(chances)
        for j, chance in enumerate(chances):
            back = joint[j] * proposal[j][i]
            refused = max(Fraction(0), chance - back / here)
            row[j] -= refused
            row[i] += refused
        rows.append(tuple(row))
    return tuple(rows)


# %% wrong: no return
# says: K rows of K Fractions
def transition_matrix(joint, proposal):
    [[proposal[i][j] for j in range(len(joint))] for i in range(len(joint))]


# %% wrong: one flat row
# says: K rows of K Fractions
def transition_matrix(joint, proposal):
    return [[entry for row in proposal for entry in row]]


# %% wrong: rejected proposals are lost
# says: a rejected proposal stays
def transition_matrix(joint, proposal):
    states = range(len(joint))

    def ratio(i, j):
        return joint[j] * proposal[j][i] / (joint[i] * proposal[i][j])

    return [[proposal[i][j] * min(Fraction(1), ratio(i, j)) for j in states] for i in states]


# %% wrong: nobody ever stays
# says: a rejected proposal stays
def transition_matrix(joint, proposal):
    states = range(len(joint))

    def ratio(i, j):
        return joint[j] * proposal[j][i] / (joint[i] * proposal[i][j])

    return [[Fraction(0) if i == j else proposal[i][j] * min(Fraction(1), ratio(i, j)) for j in states] for i in states]


# %% wrong: the minimum is forgotten
# says: more often than it is proposed
def transition_matrix(joint, proposal):
    states = range(len(joint))
    T = [[Fraction(0)] * len(joint) for _ in states]
    for i in states:
        for j in states:
            if i != j:
                T[i][j] = joint[j] * proposal[j][i] / joint[i]
        T[i][i] = 1 - sum(T[i])
    return T


# %% wrong: the maximum in its place
# says: more often than it is proposed
def transition_matrix(joint, proposal):
    states = range(len(joint))
    T = [[Fraction(0)] * len(joint) for _ in states]
    for i in states:
        for j in states:
            if i != j:
                T[i][j] = max(proposal[i][j], joint[j] * proposal[j][i] / joint[i])
        T[i][i] = 1 - sum(T[i])
    return T


# %% wrong: the ratio upside down
# says: density *there* over the density *here*
def transition_matrix(joint, proposal):
    states = range(len(joint))
    T = [[Fraction(0)] * len(joint) for _ in states]
    for i in states:
        for j in states:
            if i != j:
                ratio = joint[i] * proposal[i][j] / (joint[j] * proposal[j][i])
                T[i][j] = proposal[i][j] * min(Fraction(1), ratio)
        T[i][i] = 1 - sum(T[i])
    return T


# %% wrong: everything is accepted
# says: unequal traffic
def transition_matrix(joint, proposal):
    return [list(row) for row in proposal]


# %% wrong: without Hastings' factor
# says: right for symmetric proposals only
def transition_matrix(joint, proposal):
    states = range(len(joint))
    T = [[Fraction(0)] * len(joint) for _ in states]
    for i in states:
        for j in states:
            if i != j:
                T[i][j] = proposal[i][j] * min(Fraction(1), joint[j] / joint[i])
        T[i][i] = 1 - sum(T[i])
    return T


# %% wrong: Hastings' factor upside down
# says: right for symmetric proposals only
def transition_matrix(joint, proposal):
    states = range(len(joint))
    T = [[Fraction(0)] * len(joint) for _ in states]
    for i in states:
        for j in states:
            if i != j:
                ratio = joint[j] * proposal[i][j] / (joint[i] * proposal[j][i])
                T[i][j] = proposal[i][j] * min(Fraction(1), ratio)
        T[i][i] = 1 - sum(T[i])
    return T


# %% wrong: Barker's acceptance
# says: slower than need be
def transition_matrix(joint, proposal):
    states = range(len(joint))
    T = [[Fraction(0)] * len(joint) for _ in states]
    for i in states:
        for j in states:
            if i != j:
                back, forth = joint[j] * proposal[j][i], joint[i] * proposal[i][j]
                T[i][j] = proposal[i][j] * back / (back + forth)
        T[i][i] = 1 - sum(T[i])
    return T


# %% wrong: every other proposal is thrown away
# says: slower than need be
def transition_matrix(joint, proposal):
    states = range(len(joint))
    T = [[Fraction(0)] * len(joint) for _ in states]
    for i in states:
        for j in states:
            if i != j:
                T[i][j] = min(joint[i] * proposal[i][j], joint[j] * proposal[j][i]) / joint[i] / 2
        T[i][i] = 1 - sum(T[i])
    return T
