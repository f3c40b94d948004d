"""How long a command waits for a service that does not answer: a person is waiting for the command."""

from services.client import RetryPolicy

PATIENCE = RetryPolicy(attempts=3, first_s=0.2, longest_s=1.0)
