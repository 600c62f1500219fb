# %% right: above
prediction = "above"

# %% right: below
prediction = "below"

# %% wrong: nothing
# says: predict above or below
prediction = None

# %% wrong: a number
# says: predict above or below
prediction = -23.4
