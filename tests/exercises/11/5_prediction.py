# %% right: said before
prediction = "both layers"

# %% right: another prediction is no mistake of the code
prediction = "no layer"

# %% wrong: another word
# says: predict one of
prediction = "none"

# %% wrong: nothing predicted
# says: predict one of
prediction = None
