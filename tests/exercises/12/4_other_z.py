# %% right: another prediction is as welcome
prediction = ("1 to 10", "1 to 10")

# %% wrong: none
# says: predict two things
prediction = None

# %% wrong: one of two
# says: predict two things
prediction = "more than 10"

# %% wrong: in other words
# says: predict one of
prediction = ("a lot", "less than 1")

# %% wrong: numbers
# says: predict one of
prediction = (50.0, 0.1)
