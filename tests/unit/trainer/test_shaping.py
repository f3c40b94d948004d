"""What becomes of rewards before they are learnt from: scale, clip, KL, and the controller of its weight."""

import statistics
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainer.shaping import RunningSpread, Shaper, ShapingSettings, adapted_beta
from trainer.trajectories import Trajectories

PLAIN = ShapingSettings(
    beta=0.1,
    kl_in="reward",
    kl_estimator="k1",
    kl_target=None,
    kl_horizon=100,
    reward_normalisation="none",
    reward_clip=None,
)
MASK = torch.tensor([[True, True], [True, False]])
BATCH = Trajectories(
    prompts=["a", "b"],
    ids=torch.zeros(2, 2, dtype=torch.long),
    mask=MASK,
    logprobs=torch.tensor([[-1.0, -2.0], [-3.0, 9.0]]),
    entropy=torch.zeros(2, 2),
    values=torch.zeros(2, 2),
    ref_logprobs=torch.tensor([[-1.5, -1.0], [-5.0, 0.0]]),
    rewards=torch.tensor([[1.0, 3.0], [2.0, 0.0]]),
    steps=torch.zeros(2, 2, dtype=torch.long),
    step_rewards=torch.full((2, 2), torch.nan),
)


def test_kl_is_taken_off_the_reward_and_told() -> None:
    shaped, stats = Shaper(PLAIN).shape(BATCH)
    torch.testing.assert_close(shaped.rewards, torch.tensor([[0.95, 3.1], [1.8, 0.0]]))
    assert stats["objective/kl"] == pytest.approx((0.5 - 1 + 2) / 2)
    assert stats["objective/non_score_reward"] == pytest.approx(-0.1 * 0.75)
    assert stats["objective/rlhf_reward"] == pytest.approx(3 - 0.075)


def test_kl_in_the_loss_leaves_the_reward_alone() -> None:
    shaped, _ = Shaper(replace(PLAIN, kl_in="loss", kl_estimator="k2")).shape(BATCH)
    torch.testing.assert_close(shaped.rewards, BATCH.rewards)


def test_batch_normalisation_divides_by_the_spread_of_totals_and_the_clip_comes_behind_it() -> None:
    settings = replace(PLAIN, beta=0.0, reward_normalisation="batch", reward_clip=1.0)
    shaped, stats = Shaper(settings).shape(BATCH)
    assert stats["objective/reward_scale"] == pytest.approx(statistics.stdev([4.0, 2.0]))
    torch.testing.assert_close(shaped.rewards, torch.tensor([[1 / 2**0.5, 1.0], [1.0, 0.0]]))


def test_running_normalisation_remembers_and_survives_saving() -> None:
    settings = replace(PLAIN, reward_normalisation="running", kl_target=0.5)
    whole, halves = Shaper(settings), Shaper(settings)
    other = replace(BATCH, rewards=BATCH.rewards * 5)
    whole.shape(BATCH)
    halves.shape(BATCH)
    resumed = Shaper(settings)
    resumed.load_state_dict(halves.state_dict())
    assert whole.shape(other)[1] == resumed.shape(other)[1]
    assert whole.shape(other)[1]["objective/reward_scale"] == pytest.approx(statistics.stdev([4, 2, *[20, 10] * 2]))


def test_rewards_that_do_not_vary_are_left_as_they_are() -> None:
    settings = replace(PLAIN, reward_normalisation="running")
    same = replace(BATCH, rewards=torch.ones(2, 2) * MASK / MASK.sum(dim=1, keepdim=True))
    assert Shaper(settings).shape(same)[1]["objective/reward_scale"] == 1.0


@given(st.lists(st.lists(st.floats(-100, 100), min_size=1, max_size=5), min_size=1, max_size=5))
def test_a_running_spread_is_that_of_all_numbers(batches: list[list[float]]) -> None:
    spread = RunningSpread()
    for batch in batches:
        spread = spread.with_more(batch)
    everything = [number for batch in batches for number in batch]
    expected = statistics.stdev(everything) if len(everything) > 1 else 0.0
    assert spread.deviation == pytest.approx(expected, abs=1e-6)
    assert spread.mean == pytest.approx(statistics.fmean(everything), abs=1e-9)


def test_the_controller_follows_ziegler() -> None:
    assert adapted_beta(0.1, divergence=6.0, target=6.0, share=0.5) == 0.1
    assert adapted_beta(0.1, divergence=6.6, target=6.0, share=0.5) == pytest.approx(0.1 * 1.05)
    assert adapted_beta(0.1, divergence=60.0, target=6.0, share=0.5) == pytest.approx(0.1 * 1.1)  # error clipped to .2
    assert adapted_beta(0.1, divergence=0.0, target=6.0, share=0.5) == pytest.approx(0.1 * 0.9)


def test_a_kl_beyond_the_target_raises_the_weight_for_the_next_iteration() -> None:
    shaper = Shaper(replace(PLAIN, kl_target=0.1))
    assert [shaper.shape(BATCH)[1]["objective/kl_coef"] for _ in range(2)] == pytest.approx(
        [0.1, 0.1 * (1 + 0.02 * 0.2)]
    )
