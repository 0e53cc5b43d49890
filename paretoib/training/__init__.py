"""Trains packs of trials. `run_trials` is all that the rest of paretoib knows of it."""
