"""Typed async clients of the three services, for trainers and for the services themselves."""

from services.client.errors import (
    DeadlineExceededError,
    LinewiseError,
    NoAnswerError,
    OverloadedError,
    RequestError,
    ServerError,
    UnavailableError,
    UnreachableError,
)
from services.client.executor import ExecutorClient
from services.client.labeler import LabelerClient
from services.client.retry import RetryPolicy
from services.client.scorer import ScorerClient

__all__ = [
    "DeadlineExceededError",
    "ExecutorClient",
    "LabelerClient",
    "LinewiseError",
    "NoAnswerError",
    "OverloadedError",
    "RequestError",
    "RetryPolicy",
    "ScorerClient",
    "ServerError",
    "UnavailableError",
    "UnreachableError",
]
