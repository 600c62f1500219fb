# %% right: the other way
prediction = "shorter"

# %% wrong: nothing predicted
# says: predict "shorter" or "longer"
prediction = None

# %% wrong: another word
# says: predict "shorter" or "longer"
prediction = "the same"
