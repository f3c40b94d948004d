"""Completions: what was begun is kept, and nobody's neighbours change what he writes."""

from dataclasses import replace

import pytest

from trainer.policies import ModelPolicy, new_policy
from trainer.policies.completing import Beginning, complete
from trainer.tokenizers import train_bpe

CODE = "def f(xs):\n    xs = [x + 1 for x in xs]\n    return sum(xs)\n"


@pytest.fixture(scope="module", params=["t5", "llama"])
def policy(request: pytest.FixtureRequest) -> ModelPolicy:
    """A policy that knows nothing, of either kind."""
    return new_policy(request.param, train_bpe([CODE, "Add one. Return the sum."], 280), width=32, inner_width=64)


def beginning(prefix: str, seed: int = 0, **settings: float) -> Beginning:
    return replace(Beginning("Add one. Return the sum.", prefix, seed, max_new_tokens=9), **settings)


def test_a_completion_is_what_follows_the_prefix_and_no_longer_than_allowed(policy: ModelPolicy) -> None:
    prefixes = ["", "def f(xs):\n", CODE]
    for completion in complete(policy, [beginning(prefix) for prefix in prefixes]):
        assert completion.finished or completion.tokens == 9
        assert not completion.text.startswith("def f(xs):\n    xs")


def test_a_completion_does_not_depend_on_its_batch(policy: ModelPolicy) -> None:
    begun = [beginning("def f(xs):\n", 3), beginning(CODE, 4), beginning("", 5), beginning("def", 6, top_p=0.5)]
    together = complete(policy, begun)
    assert together == [complete(policy, [each])[0] for each in begun]
    assert together == complete(policy, begun[::-1])[::-1]


def test_seeds_tell_completions_apart_and_temperature_zero_does_not_draw(policy: ModelPolicy) -> None:
    drawn = complete(policy, [beginning("", seed) for seed in range(8)])
    greedy = complete(policy, [beginning("", seed, temperature=0.0) for seed in range(8)])
    assert len({completion.text for completion in drawn}) > 1
    assert len({completion.text for completion in greedy}) == 1


def test_the_draws_follow_the_policys_distribution(policy: ModelPolicy) -> None:
    ids, mask = policy.encode([""])
    first = policy.logits(["Add one. Return the sum."], ids, mask)[0, 0].detach().softmax(dim=-1)
    drawn = complete(policy, [replace(beginning("", seed), max_new_tokens=1) for seed in range(2000)])
    likeliest = int(first.argmax())
    text = policy.tokenizer.decode([likeliest], skip_special_tokens=True)
    share = sum(completion.text == text for completion in drawn) / len(drawn)
    assert share == pytest.approx(float(first[likeliest]), abs=0.02)
