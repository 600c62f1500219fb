# %% right: with
prediction = "with"

# %% right: without
prediction = "without"

# %% wrong: a number
# says: predict with or without
prediction = 0.1

# %% wrong: another word
# says: predict with or without
prediction = "context"
