"""The experiment's arms: none is judged by something else than it says."""

import pytest

from trainer.experiments.arms import ARMS


@pytest.mark.parametrize("name", [name for name, arm in ARMS.items() if arm.scores == "chance"])
def test_an_arm_of_chances_does_not_make_do_with_scores(name: str) -> None:
    with pytest.raises(ValueError, match="what scores mean"):
        ARMS[name].source(None, "http://127.0.0.1:9", "http://127.0.0.1:9")
