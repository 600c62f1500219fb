# %% right: another prediction is as welcome
prediction = "lower"

# %% wrong: none
# says: write your prediction first
prediction = None

# %% wrong: in other words
# says: write your prediction first
prediction = "it falls"
