"""What every server of Linewise shares: app factory, settings, auth, limits, error bodies, logs, metrics, drain."""
