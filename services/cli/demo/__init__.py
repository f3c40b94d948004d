"""`linewise demo`: the whole method over real HTTP between real processes, phase by phase.

`plan` says how much of everything, `phases` does it, `ledger` remembers what is done, `summary` and `table` tell it.
"""
