# %% right: the joint's slopes over the evidence
def pulls(theta):
    heads = theta * Fraction(3, 5) + (1 - theta) * Fraction(1, 5)
    return Fraction(3, 5) / heads, -Fraction(1, 5) / heads


# %% right: in floats
def pulls(theta):
    theta = float(theta)
    posterior = 3 * theta / (3 * theta + 1 - theta)
    return posterior / theta, (posterior - 1) / (1 - theta)


# %% wrong: the derivative without Fisher's identity
# says: return two numbers
def pulls(theta):
    return Fraction(2, 5) / (theta * Fraction(3, 5) + (1 - theta) * Fraction(1, 5))


# %% wrong: the sum of both
# says: return two numbers
def pulls(theta):
    posterior = 3 * theta / (3 * theta + 1 - theta)
    return posterior / theta - (1 - posterior) / (1 - theta)


# %% wrong: prior weights
# says: with prior weights
def pulls(theta):
    return theta / theta, -(1 - theta) / (1 - theta)


# %% wrong: both simplified
# says: with prior weights
def pulls(theta):
    return Fraction(1), Fraction(-1)


# %% wrong: joint for posterior
# says: these are slopes of p(heads, z)
def pulls(theta):
    first, second = theta * Fraction(3, 5), (1 - theta) * Fraction(1, 5)
    return first / theta, -second / (1 - theta)


# %% wrong: derivatives of the joint
# says: these are slopes of p(heads, z)
def pulls(theta):
    return Fraction(3, 5), -Fraction(1, 5)


# %% wrong: no weights
# says: as if the kind had been seen
def pulls(theta):
    return 1 / theta, -1 / (1 - theta)


# %% wrong: logarithms of the joint, differentiated
# says: as if the kind had been seen
def pulls(theta):
    return Fraction(3, 5) / (theta * Fraction(3, 5)), -Fraction(1, 5) / ((1 - theta) * Fraction(1, 5))
