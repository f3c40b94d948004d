"""The update: what it may not depend on, when it stops, and what it leaves alone."""

import copy
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from trainer.learner import Learner, UpdateSettings
from trainer.policies import ActorCritic, ModelPolicy, load_actor_critic
from trainer.policies.checkpointing import checkpointing, enable_checkpointing
from trainer.processes import Processes
from trainer.trajectories import Trajectories

SETTINGS = UpdateSettings(
    gamma=1.0, lam=0.95, step_lam=None, group_baseline=False, line_credit=0.0, whiten_advantages=True, clip=0.2,
    clip_high=None, dual_clip=None, value_clip=None, value_coefficient=0.5, entropy_bonus=0.01, kl_estimator="k2",
    policy_epochs=1, value_epochs=1, target_kl=None, minibatch=6, micro_batch=None, learning_rate=1e-3,
    value_learning_rate=1e-3, clip_norm=1.0, temperature=1.0,
)  # fmt: skip
PROMPTS = ["def f(xs):", "return 12", "def f(xs):", "sum", "xs", "12"]


@pytest.fixture
def models(tiny_policy: Callable[..., ModelPolicy]) -> ActorCritic:
    return load_actor_critic(tiny_policy("t5"), "shared")


@pytest.fixture
def batch(models: ActorCritic) -> Trajectories:
    """Real samples with their own log-probabilities and rewards and scores out of thin air."""
    responses = models.policy.sample(PROMPTS, max_new_tokens=10, seed=0)
    with torch.no_grad():
        measures = models.measure(PROMPTS, responses.ids, responses.mask, 1.0)
    generator = torch.Generator().manual_seed(1)
    rewards = torch.where(responses.mask, torch.rand(responses.ids.shape, generator=generator), 0)
    steps = torch.arange(responses.ids.shape[1]).expand(responses.ids.shape) // 3
    by_step = torch.rand((len(PROMPTS), int(steps.max()) + 1), generator=generator).gather(1, steps)
    return Trajectories(
        PROMPTS, responses.ids, responses.mask, measures.logprobs, measures.entropy, measures.values,
        measures.logprobs - 0.1, rewards, steps, by_step,
    )  # fmt: skip


def learnt(models: ActorCritic, batch: Trajectories, settings: UpdateSettings, **how) -> tuple[list, dict]:
    """The weights after one update of a copy, and its statistics."""
    models = copy.deepcopy(models)
    stats = Learner(models, settings).update(batch, torch.Generator().manual_seed(0), **how)
    return [weight.detach() for part in models.parts() for weight in part.parameters()], stats


def weights(models: ActorCritic) -> list[torch.Tensor]:
    return [weight.detach() for weight in models.policy.model.parameters()]


def test_a_minibatch_in_parts_gives_the_gradient_of_the_whole(models: ActorCritic, batch: Trajectories) -> None:
    whole, stats = learnt(models, batch, SETTINGS, kl_coefficient=0.3)
    parts, part_stats = learnt(models, batch, replace(SETTINGS, micro_batch=2), kl_coefficient=0.3)
    torch.testing.assert_close(parts, whole, atol=2e-5, rtol=1e-3)
    assert part_stats == pytest.approx(stats, rel=1e-3, abs=1e-4)


def test_processes_share_out_every_row_once(models: ActorCritic, batch: Trajectories) -> None:
    from trainer.learner import _lessons

    lessons = _lessons(batch, SETTINGS)
    parts = [part for rank in range(4) for part in lessons.parts(1, Processes(rank, 4))]
    assert sorted(prompt for part in parts for prompt in part.prompts) == sorted(PROMPTS)
    assert sum(int(part.mask.sum()) for part in parts) == int(batch.mask.sum())


def test_with_a_group_baseline_a_problem_that_pays_all_its_programs_alike_teaches_nothing(batch: Trajectories) -> None:
    from trainer.learner import _lessons

    paid = {"def f(xs):": 5.0, "return 12": 1.0, "sum": 0.0, "xs": 2.0, "12": 3.0}
    last = torch.zeros_like(batch.rewards)
    for row, prompt in enumerate(batch.prompts):
        last[row, int(batch.mask[row].sum()) - 1] = paid[prompt]
    alike = replace(batch, rewards=last, values=torch.zeros_like(last))
    settings = replace(SETTINGS, lam=1.0, group_baseline=True)
    assert _lessons(alike, settings).advantages.abs().max().item() == pytest.approx(0, abs=1e-3)
    assert _lessons(alike, replace(settings, group_baseline=False)).advantages.abs().max().item() > 1


def test_with_a_lambda_of_steps_a_step_is_held_against_the_same_step_of_the_group(batch: Trajectories) -> None:
    from trainer.learner import _lessons

    at_ends = torch.zeros_like(batch.rewards)
    at_ends[:, 2] = torch.tensor([1.0, 0, 0, 0, 0, 0])  # the first step of three tokens, for one of two programs
    at_ends[:, 5] = 7.0  # the second: all alike
    paid = replace(batch, rewards=at_ends, values=torch.zeros_like(at_ends), mask=torch.ones_like(batch.mask))
    settings = replace(SETTINGS, step_lam=0.0, group_baseline=True, whiten_advantages=False)
    advantages = _lessons(paid, settings).advantages
    assert advantages[0, :3].tolist() == [0.5] * 3
    assert advantages[2, :3].tolist() == [-0.5] * 3
    assert not advantages[:, 3:].any()


def test_line_credit_speaks_beside_the_reward_and_alone_where_all_are_paid_alike(batch: Trajectories) -> None:
    from trainer.learner import _lessons

    none = torch.zeros_like(batch.rewards)
    unpaid = replace(batch, rewards=none, values=none, mask=torch.ones_like(batch.mask))
    settings = replace(SETTINGS, group_baseline=True)
    assert not _lessons(unpaid, settings).advantages.any()
    credited = _lessons(unpaid, replace(settings, line_credit=1.0)).advantages
    pair, alone = [0, 2], [1, 3, 4, 5]  # two programs for one problem, the others one each
    assert credited[pair].abs().max() > 0.5
    torch.testing.assert_close(credited[pair].sum(dim=1), torch.zeros(2), atol=1e-4, rtol=0)
    assert credited[alone].abs().max().item() == pytest.approx(0, abs=1e-4)
    paid = replace(unpaid, rewards=torch.where(torch.arange(none.shape[1]) == 0, batch.rewards, 0))
    by_reward = _lessons(paid, settings).advantages
    both = _lessons(paid, replace(settings, line_credit=1.0)).advantages
    torch.testing.assert_close(both, (by_reward + credited) / (by_reward + credited).std(), atol=0.02, rtol=0)


def test_a_policy_that_has_gone_too_far_learns_no_more(models: ActorCritic, batch: Trajectories) -> None:
    settings = replace(SETTINGS, policy_epochs=5, value_epochs=5, minibatch=2, learning_rate=0.1, target_kl=1e-4)
    _, stats = learnt(models, batch, settings)
    assert stats["policy/stopped_early"] == 1.0
    assert stats["policy/steps"] < 15
    _, unstopped = learnt(models, batch, replace(settings, target_kl=math.inf))
    assert (unstopped["policy/stopped_early"], unstopped["policy/steps"]) == (0.0, 15)


@pytest.mark.parametrize("value_model", ["shared", "separate"])
def test_in_the_critics_warm_up_the_policy_stays(
    value_model: str, tiny_policy: Callable[..., ModelPolicy], batch: Trajectories, tmp_path
) -> None:
    policy = tiny_policy("t5")
    policy.save(tmp_path)
    models = load_actor_critic(policy, "shared" if value_model == "shared" else tmp_path)
    before = copy.deepcopy(weights(models))
    learner = Learner(models, replace(SETTINGS, value_epochs=20))
    learner.update(batch, torch.Generator().manual_seed(0), learn_policy=False)
    torch.testing.assert_close(weights(models), before, atol=0, rtol=0)
    values = models.values(batch.prompts, batch.ids, batch.mask)
    assert values[batch.mask].mean() > 0.1  # rewards are positive, and the critic began at 0


def test_recomputed_layers_give_the_same_gradient_without_dropout(tiny_policy: Callable[..., ModelPolicy]) -> None:
    for kind in ("t5", "llama"):
        policy = tiny_policy(kind)
        for module in policy.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.5
        ids, mask = policy.encode(["return sum(xs)", "12"])

        def gradients(policy: ModelPolicy = policy, ids=ids, mask=mask) -> list[torch.Tensor]:
            policy.model.zero_grad()
            logprobs, _ = policy.logprobs(["a", "b"], ids, mask)
            logprobs[mask].sum().backward()
            return [weight.grad.clone() for weight in policy.model.parameters() if weight.grad is not None]

        plain = gradients()
        enable_checkpointing([policy.model])
        with checkpointing([policy.model]):
            recomputed = gradients()
        torch.testing.assert_close(recomputed, plain)
        assert policy.sample(["a"], max_new_tokens=3, seed=0).ids.shape[0] == 1  # the cache works again
