# %% right: less
prediction = "less"

# %% right: the other
prediction = "halves"

# %% wrong: nothing
# says: predict halves or less
prediction = None

# %% wrong: a number
# says: predict halves or less
prediction = 2
