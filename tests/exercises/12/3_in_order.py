# %% right: a list of columns
def drawn_in_order(W, b, u):
    columns = []
    for j in range(len(b)):
        total = b[j] + sum(W[j, k] * columns[k] for k in range(j))
        columns.append((u[:, j] < torch.sigmoid(torch.as_tensor(total))).float())
    return torch.stack(columns, 1)


# %% right: the masked matrix each time, in float64
def drawn_in_order(W, b, u):
    W, b, u = W.double().tril(-1), b.double(), u.double()
    x = torch.zeros_like(u)
    for j in range(u.shape[1]):
        x[:, j] = (u < (b + x @ W.T).sigmoid()).double()[:, j]
    return x


# %% wrong: in one pass
# says: all pixels are drawn at once
def drawn_in_order(W, b, u):
    return (u < b.sigmoid()).float()


# %% wrong: the image before is never filled in
# says: all pixels are drawn at once
def drawn_in_order(W, b, u):
    x = torch.zeros_like(u)
    return (u < (b + x @ W.tril(-1).T).sigmoid()).float()


# %% wrong: above
# says: a pixel is 1 where u lies below
def drawn_in_order(W, b, u):
    x = torch.zeros_like(u)
    for j in range(u.shape[1]):
        x[:, j] = (u[:, j] > (b[j] + x[:, :j] @ W[j, :j]).sigmoid()).float()
    return x


# %% wrong: by the probability of zero
# says: a pixel is 1 where u lies below
def drawn_in_order(W, b, u):
    x = torch.zeros_like(u)
    for j in range(u.shape[1]):
        x[:, j] = 1 - (u[:, j] <= (b[j] + x[:, :j] @ W[j, :j]).sigmoid()).float()
    return x


# %% wrong: columns of W
# says: W is read the wrong way round
def drawn_in_order(W, b, u):
    x = torch.zeros_like(u)
    for j in range(u.shape[1]):
        x[:, j] = (u[:, j] < (b[j] + x[:, :j] @ W[:j, j]).sigmoid()).float()
    return x


# %% wrong: the upper triangle
# says: W is read the wrong way round
def drawn_in_order(W, b, u):
    x = torch.zeros_like(u)
    for j in range(u.shape[1]):
        x[:, j] = (u < (b + x @ W.triu(1)).sigmoid()).float()[:, j]
    return x


# %% wrong: probabilities
# says: compare u with them
def drawn_in_order(W, b, u):
    x = torch.zeros_like(u)
    p = torch.zeros_like(u)
    for j in range(u.shape[1]):
        p[:, j] = (b[j] + x[:, :j] @ W[j, :j]).sigmoid()
        x[:, j] = (u[:, j] < p[:, j]).float()
    return p


# %% wrong: probabilities, from the finished image
# says: compare u with them
def drawn_in_order(W, b, u):
    x = torch.zeros_like(u)
    for j in range(u.shape[1]):
        x[:, j] = (u[:, j] < (b[j] + x[:, :j] @ W[j, :j]).sigmoid()).float()
    return (b + x @ W.tril(-1).T).sigmoid()
