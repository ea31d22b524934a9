"""The code of the release before and this one, on one installation."""
