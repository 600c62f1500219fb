# %% right: said before
prediction = "no layer"

# %% right: another prediction is no mistake of the code
prediction = "both layers"

# %% wrong: another word
# says: predict one of
prediction = "none"

# %% wrong: nothing predicted
# says: predict one of
prediction = None
