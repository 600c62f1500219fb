# %% right: the prior
prediction = "prior"

# %% right: q
prediction = "q"

# %% wrong: nothing
# says: predict "q" or "prior"
prediction = None

# %% wrong: a number
# says: predict "q" or "prior"
prediction = 0.5
