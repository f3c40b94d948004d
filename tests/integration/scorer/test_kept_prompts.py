import torch
from transformers import DynamicCache, LlamaConfig

from services.scorer.kept_prompts import KeptPrompts


def cache_of(tokens: int) -> DynamicCache:
    """One layer of one head, 4 wide: 32 bytes a token."""
    cache = DynamicCache(config=LlamaConfig(num_hidden_layers=1))
    cache.update(torch.zeros(1, 1, tokens, 4), torch.zeros(1, 1, tokens, 4), 0)
    return cache


def test_the_longest_unused_prompt_goes_where_the_bytes_do_not_suffice() -> None:
    kept = KeptPrompts(max_bytes=32 * 6)
    kept.keep([1, 2], cache_of(2))
    kept.keep([3, 4], cache_of(2))
    kept.copy([1, 2])
    kept.keep([5, 6, 7], cache_of(3))
    assert ([1, 2] in kept, [3, 4] in kept, [5, 6, 7] in kept) == (True, False, True)


def test_the_newest_is_kept_however_large() -> None:
    kept = KeptPrompts(max_bytes=1)
    kept.keep([1], cache_of(1))
    kept.keep([2], cache_of(1))
    assert ([1] in kept, [2] in kept) == (False, True)


def test_what_is_done_to_a_copy_is_not_done_to_what_is_kept() -> None:
    kept = KeptPrompts()
    kept.keep([1], cache_of(1))
    changed, unchanged = kept.copy([1]), kept.copy([1])
    assert changed is not None
    assert unchanged is not None
    changed.batch_repeat_interleave(3)
    assert unchanged.layers[0].keys.shape == (1, 1, 1, 4)


def test_what_is_not_kept_has_no_copy() -> None:
    assert KeptPrompts().copy([1]) is None
