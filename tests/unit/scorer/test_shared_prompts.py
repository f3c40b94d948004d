from array import array
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.contracts.prm_layout import PrmInput
from services.scorer.batcher import Batcher, Wanted
from services.scorer.metrics import ScorerMetrics
from services.scorer.prm import ServedModel
from services.scorer.shared_prompts import LEAST_TOKENS, batches_of, prompt_key, shared_prompt

PROMPT, OTHER = list(range(100, 164)), list(range(200, 264))


def rollout(prompt: list[int], code: int) -> PrmInput:
    """A prompt and `code` tokens, scored at the last."""
    return PrmInput([*prompt, *[7] * code], [len(prompt) + code - 1], prompt_tokens=len(prompt))


def batched(inputs: list[PrmInput], max_tokens: int) -> list[list[int]]:
    return batches_of([len(item.ids) for item in inputs], [prompt_key(item) for item in inputs], max_tokens)


def test_rollouts_of_a_prompt_share_it() -> None:
    assert shared_prompt([rollout(PROMPT, code) for code in (10, 9, 10)]) == 64


def test_rollouts_of_two_prompts_share_nothing() -> None:
    assert shared_prompt([rollout(PROMPT, 1), rollout(PROMPT, 1), rollout(OTHER, 1)]) == 0
    assert shared_prompt([rollout(PROMPT, 1), rollout(PROMPT, 1), rollout([*PROMPT, 7], 1)]) == 0


def test_a_short_prompt_and_a_lone_rollout_share_nothing() -> None:
    assert shared_prompt([rollout(PROMPT[1:], 1), rollout(PROMPT[1:], 1)]) == 0
    assert shared_prompt([rollout(PROMPT, 1)]) == 0


def test_rollouts_are_batched_by_prompt_and_strangers_by_length() -> None:
    inputs = [rollout(PROMPT, 10), rollout(OTHER, 10), rollout([1], 5), rollout([2], 5)]
    inputs += [rollout(PROMPT, 10), rollout(PROMPT, 10), rollout(OTHER, 10)]
    inputs += [rollout(PROMPT * 2, 10)]
    assert batched(inputs, 1000) == [[0, 4, 5], [1, 6], [7], [2, 3]]


def test_the_budget_counts_the_code_behind_a_shared_prompt() -> None:
    inputs = [rollout(PROMPT, 10) for _ in range(9)]
    assert list(map(len, batched(inputs, 50))) == [5, 4]


def test_code_of_different_lengths_is_not_padded_for_sharing() -> None:
    assert shared_prompt([rollout(PROMPT * 4, 10), rollout(PROMPT * 4, 9)]) == 256
    assert shared_prompt([rollout(PROMPT * 4, 10), rollout(PROMPT * 4, 5)]) == 0


PROMPTS = st.sampled_from([[], [1], PROMPT, OTHER, PROMPT * 3])


@given(st.lists(st.tuples(PROMPTS, st.integers(1, 60)), max_size=40), st.integers(1, 600))
def test_every_input_is_in_one_batch_within_budget_and_padding(parts: list[tuple[list[int], int]], budget: int) -> None:
    inputs = [rollout(prompt, code) for prompt, code in parts]
    batches = batched(inputs, budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(inputs)))
    for batch in batches:
        members = [inputs[index] for index in batch]
        shared = shared_prompt(members)
        lengths = [len(item.ids) - shared for item in members]
        padded = max(lengths) * len(lengths)
        assert len(batch) == 1 or padded <= budget
        assert padded - sum(lengths) <= 0.1 * padded
        assert shared == 0 or (shared >= LEAST_TOKENS and len(batch) > 1)


def test_the_batcher_brings_rollouts_together_for_a_model_that_gains_by_it(
    another_prm: Callable[[], Any], metrics: ScorerMetrics, served: Callable[..., ServedModel]
) -> None:
    for shares, passes in ((True, [[74] * 4, [74] * 4]), (False, [[74] * 8])):
        prm = another_prm()
        prm.shares_prompts = shares
        prm.gate.set()
        batcher = Batcher(max_wait_s=0, metrics=metrics)
        model = served(prm)
        for prompt in (PROMPT, OTHER) * 4:
            batcher.submit([Wanted(model, rollout(prompt, 10), tell=lambda: None)])
        batcher.start()
        batcher.close()
        assert prm.passes == passes


def test_a_key_is_the_prompt_alone() -> None:
    assert prompt_key(rollout(PROMPT, 1)) == prompt_key(rollout(PROMPT, 9)) == array("Q", PROMPT).tobytes()
