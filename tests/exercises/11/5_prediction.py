# %% right: as it comes out
prediction = "few"

# %% right: another prediction is no mistake of the code
prediction = "all"

# %% wrong: another word
# says: predict one of
prediction = "none"

# %% wrong: nothing predicted
# says: predict one of
prediction = None
