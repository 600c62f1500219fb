# %% right: as it is
prediction = "less"

# %% right: the other guess
prediction = "more"

# %% wrong: a pair
# says: predict more or less
prediction = ("more", "less")

# %% wrong: a number
# says: predict more or less
prediction = -0.2

# %% wrong: another word
# says: predict more or less
prediction = "down"
