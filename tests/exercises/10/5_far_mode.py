# %% right: another prediction is as welcome
prediction = ("within two s.e.", "alarm")

# %% wrong: none
# says: predict two things
prediction = None

# %% wrong: one of two
# says: predict two things
prediction = "beyond two s.e."

# %% wrong: in other words
# says: predict one of
prediction = ("wrong", "silent")

# %% wrong: exchanged
# says: predict one of
prediction = ("silent", "beyond two s.e.")
