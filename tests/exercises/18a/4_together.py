# %% right: as it is
prediction = "one"

# %% right: the other guess
prediction = "both"

# %% wrong: a number
# says: predict "both" or "one"
prediction = 2

# %% wrong: another word
# says: predict "both" or "one"
prediction = "neither"
