"""Typed async clients of the three services, and rewards as TRL and verl call for them."""

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
from services.client.rewards.form import RewardForm
from services.client.rewards.judging import Services
from services.client.rewards.tests_column import read_tests
from services.client.rewards.trl import async_trl_reward, trl_reward
from services.client.rewards.verl import compute_score
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
    "RewardForm",
    "ScorerClient",
    "ServerError",
    "Services",
    "UnavailableError",
    "UnreachableError",
    "async_trl_reward",
    "compute_score",
    "read_tests",
    "trl_reward",
]
