"""What can be wrong before or during training.

    TrainerError
    ├── PolicyError      a checkpoint cannot be had, or is not what it must be
    ├── SettingsError    settings that contradict each other
    └── NoRewardsError   the services have answered nothing for several iterations

Each message is one sentence that says what to do; the command line prints it and ends with exit code 2.
"""


class TrainerError(Exception):
    """The root of the trainer's own exceptions."""


class PolicyError(TrainerError):
    """A checkpoint is missing, unreadable, or of another kind."""


class SettingsError(TrainerError):
    """Settings that cannot be followed."""


class NoRewardsError(TrainerError):
    """Rollouts were made, but nobody judged them: there is nothing to learn from."""
