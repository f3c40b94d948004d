"""Rewards as trainers call for them: `trl_reward` and `async_trl_reward` for TRL, `compute_score` for verl."""
