# %% right: a walk over the image
def seen_by_the_corner(side, num_layers):
    kinds_a = [(-1, -1), (-1, 0), (-1, 1), (0, -1)]
    reached = {(side - 1, 0)}
    for layer in range(num_layers):
        steps = kinds_a if layer == 0 else [*kinds_a, (0, 0)]
        reached = {(i + a, j + b) for i, j in reached for a, b in steps if i + a >= 0 and 0 <= j + b < side}
    return len(reached)


# %% right: in closed form
def seen_by_the_corner(side, num_layers):
    n = min(num_layers, side - 1)
    return n * (n + 3) // 2


# %% wrong: with itself
# says: this counts the pixel itself
def seen_by_the_corner(side, num_layers):
    n = min(num_layers, side - 1)
    return n * (n + 3) // 2 + 1


# %% wrong: a row that begins with itself
# says: this counts the pixel itself
def seen_by_the_corner(side, num_layers):
    return sum(row + 1 for row in range(min(num_layers, side - 1) + 1))


# %% wrong: full windows
# says: the window is cut there
def seen_by_the_corner(side, num_layers):
    return sum(2 * row + 1 for row in range(1, min(num_layers, side - 1) + 1))


# %% wrong: full windows, in closed form
# says: the window is cut there
def seen_by_the_corner(side, num_layers):
    n = min(num_layers, side - 1)
    return (n + 1) ** 2 - 1


# %% wrong: rows above the image
# says: there are only side - 1 rows above
def seen_by_the_corner(side, num_layers):
    return num_layers * (num_layers + 3) // 2


# %% wrong: a sum over layers
# says: there are only side - 1 rows above
def seen_by_the_corner(side, num_layers):
    return sum(layer + 2 for layer in range(num_layers))


# %% wrong: no blind spot
# says: the blind spot is forgotten
def seen_by_the_corner(side, num_layers):
    return side * (side - 1)


# %% wrong: all before it
# says: the blind spot is forgotten
def seen_by_the_corner(side, num_layers):
    return side**2 - side
