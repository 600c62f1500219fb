# %% right: the other way
prediction = "rises"

# %% wrong: nothing predicted
# says: predict "rises", "falls" or "stays"
prediction = None

# %% wrong: another word
# says: predict "rises", "falls" or "stays"
prediction = "up"
