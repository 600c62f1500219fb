# %% right: counted coin by coin
def coin_step(theta, heads, tails, seen):
    def share_of_a(if_a, if_b):
        return theta * if_a / (theta * if_a + (1 - theta) * if_b)

    of_a = [share_of_a(Fraction(3, 5), Fraction(1, 5))] * heads + [share_of_a(Fraction(2, 5), Fraction(4, 5))] * tails
    return sum(of_a, Fraction(0)) / (len(of_a) + seen)


# %% right: uphill, by equation (2.7)
def coin_step(theta, heads, tails, seen):
    slope = heads * Fraction(2) / (1 + 2 * theta) - tails / (2 - theta) - seen / (1 - theta)
    return theta + theta * (1 - theta) * slope / (heads + tails + seen)


# %% wrong: decimal numbers
# says: an exact Fraction is wanted
def coin_step(theta, heads, tails, seen):
    theta = float(theta)
    if_heads, if_tails = 0.6 * theta / (0.6 * theta + 0.2 * (1 - theta)), 0.4 * theta / (0.8 - 0.4 * theta)
    return (heads * if_heads + tails * if_tails) / (heads + tails + seen)


# %% wrong: nothing returned
# says: an exact Fraction is wanted
def coin_step(theta, heads, tails, seen):
    (heads * 3 * theta / (1 + 2 * theta) + tails * theta / (2 - theta)) / (heads + tails + seen)


# %% wrong: the share among the tossed coins
# says: the coins that were seen count too
def coin_step(theta, heads, tails, seen):
    return (heads * 3 * theta / (1 + 2 * theta) + tails * theta / (2 - theta)) / (heads + tails)


# %% wrong: a mean over the posteriors
# says: the coins that were seen count too
def coin_step(theta, heads, tails, seen):
    posteriors = [3 * theta / (1 + 2 * theta)] * heads + [theta / (2 - theta)] * tails
    return sum(posteriors, Fraction(0)) / len(posteriors)


# %% wrong: each toss to its likelier coin
# says: each toss was decided for its likelier coin
def coin_step(theta, heads, tails, seen):
    return Fraction(heads * (3 * theta > 1 - theta) + tails * (2 * theta > 4 * (1 - theta)), heads + tails + seen)


# %% wrong: posteriors rounded
# says: each toss was decided for its likelier coin
def coin_step(theta, heads, tails, seen):
    return Fraction(
        heads * round(3 * theta / (1 + 2 * theta)) + tails * round(theta / (2 - theta)), heads + tails + seen
    )


# %% wrong: only heads speak for A
# says: a tail is evidence as well
def coin_step(theta, heads, tails, seen):
    return heads * 3 * theta / (1 + 2 * theta) / (heads + tails + seen)


# %% wrong: a tail is taken for a coin of kind B
# says: a tail is evidence as well
def coin_step(theta, heads, tails, seen):
    if_heads = 3 * theta / (3 * theta + 1 - theta)
    coins_of_b = heads * (1 - if_heads) + tails + seen
    return 1 - coins_of_b / (heads + tails + seen)
