"""Rewards as trainers call for them: `TrlReward` and `AsyncTrlReward` for TRL, `compute_score` for verl."""
