"""Policies of both kinds: one protocol, the same promises."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from trainer.errors import PolicyError
from trainer.policies import Kind, ModelPolicy, Responses, ValueModel, load_policy, new_policy
from trainer.policies.decoding import choose, nucleus
from trainer.policies.spans import TokenSpans
from trainer.tokenizers import train_bpe

PROMPTS = ["add one", "a much longer prompt, so that the others are padded: 12 😀", "x"]
MakePolicy = Callable[..., ModelPolicy]


@pytest.fixture(params=["t5", "llama"])
def policy(request: pytest.FixtureRequest, tiny_policy: MakePolicy) -> ModelPolicy:
    return tiny_policy(request.param)


def test_a_t5_of_the_first_measurements_has_a_million_weights() -> None:
    model = new_policy("t5", train_bpe(["x = 1\n"], 800)).model
    assert 0.85e6 < sum(weights.numel() for weights in model.parameters()) < 1.1e6


def test_samples_are_rectangles_whose_mask_ends_with_the_end_of_sequence(policy: ModelPolicy) -> None:
    responses = policy.sample(PROMPTS * 20, max_new_tokens=24, seed=0)
    assert responses.ids.shape == responses.mask.shape
    assert len(responses.texts) == len(responses.finished) == 60
    for ids, mask, text, finished in zip(
        responses.ids, responses.mask, responses.texts, responses.finished, strict=True
    ):
        real = ids[mask].tolist()
        assert mask.tolist() == sorted(mask.tolist(), reverse=True)
        assert finished == (real[-1] == policy.tokenizer.eos_token_id)
        assert policy.tokenizer.eos_token_id not in real[:-1]
        assert finished or len(real) == 24
        assert policy.tokenizer.decode(real, skip_special_tokens=True) == text
    assert any(responses.finished)


def test_the_same_seed_writes_the_same_programs_and_touches_no_other_randomness(policy: ModelPolicy) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (policy.sample(PROMPTS, max_new_tokens=20, seed=seed) for seed in (1, 1, 2))
    assert first.texts == again.texts != other.texts
    assert torch.equal(torch.rand(3), expected)


def test_greedy_decoding_agrees_with_the_teacher_forced_pass(policy: ModelPolicy) -> None:
    """The cache, the padding and the positions are right: each token is the likeliest of the whole pass, too."""
    responses = policy.sample(PROMPTS, max_new_tokens=16, temperature=0)
    likeliest = policy.logits(PROMPTS, responses.ids, responses.mask).argmax(dim=-1)
    assert torch.equal(likeliest[responses.mask], responses.ids[responses.mask])


def test_logprobs_of_the_writing_are_those_of_the_teacher_forced_pass(policy: ModelPolicy) -> None:
    """Rows that end early leave the batch, which must move nothing of the others'."""
    prompts = PROMPTS * 12
    responses = policy.sample(prompts, max_new_tokens=24, seed=0)
    assert len(set(responses.mask.sum(dim=1).tolist())) > 3
    logprobs, _ = policy.logprobs(prompts, responses.ids, responses.mask)
    torch.testing.assert_close(responses.logprobs[responses.mask], logprobs[responses.mask], atol=1e-5, rtol=1e-4)
    assert not responses.logprobs[~responses.mask].any()


def test_rows_of_one_prompt_are_written_each_for_itself(policy: ModelPolicy) -> None:
    prompts = [PROMPTS[1]] * 5 + [PROMPTS[0]] * 3
    responses = policy.sample(prompts, max_new_tokens=12, seed=1)
    assert len(set(responses.texts)) > 4
    greedy = policy.sample(prompts, max_new_tokens=12, temperature=0)
    alone = [policy.sample([prompt], max_new_tokens=12, temperature=0).texts[0] for prompt in prompts]
    assert greedy.texts == alone


def test_logprobs_do_not_depend_on_the_company(policy: ModelPolicy) -> None:
    responses = policy.sample(PROMPTS, max_new_tokens=16, seed=3)
    together, entropy = policy.logprobs(PROMPTS, responses.ids, responses.mask)
    for row, prompt in enumerate(PROMPTS):
        alone = policy.logprobs([prompt], responses.ids[row : row + 1], responses.mask[row : row + 1])
        real = responses.mask[row]
        torch.testing.assert_close(alone[0][0, real], together[row, real], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(alone[1][0, real], entropy[row, real], atol=1e-5, rtol=1e-4)


def test_logprobs_and_entropy_are_those_of_the_logits_at_the_temperature(policy: ModelPolicy) -> None:
    ids, mask = policy.encode(["x = 1\n", "y"])
    logprobs, entropy = policy.logprobs(PROMPTS[:2], ids, mask, temperature=0.5)
    distribution = torch.distributions.Categorical(logits=policy.logits(PROMPTS[:2], ids, mask) / 0.5)
    torch.testing.assert_close(logprobs, distribution.log_prob(ids))
    torch.testing.assert_close(entropy, distribution.entropy())


def test_a_later_token_changes_no_earlier_logprob(policy: ModelPolicy) -> None:
    ids, mask = policy.encode(["def f(xs):\n    return 1\n"])
    changed = ids.clone()
    changed[0, 6:] = 100
    before, after = (policy.logprobs(["p"], each, mask)[0] for each in (ids, changed))
    torch.testing.assert_close(before[0, :6], after[0, :6], atol=1e-6, rtol=1e-5)


def test_gradients_reach_every_weight(policy: ModelPolicy) -> None:
    ids, mask = policy.encode(["def f(xs):\n    return 1\n"])
    policy.logprobs(["a prompt"], ids, mask)[0].sum().backward()
    assert all(weights.grad is not None for weights in policy.model.parameters())


def test_saved_and_loaded_it_is_the_same_policy(policy: ModelPolicy, tmp_path: Path) -> None:
    policy.save(tmp_path)
    loaded = load_policy(tmp_path)
    ids, mask = policy.encode(["x = '😀'\r\n", "y"])
    for mine, theirs in zip(
        policy.logprobs(PROMPTS[:2], ids, mask), loaded.logprobs(PROMPTS[:2], ids, mask), strict=True
    ):
        torch.testing.assert_close(mine, theirs)
    assert (tmp_path / "model.safetensors").exists()


def test_a_half_precision_checkpoint_is_loaded_in_full_precision(tiny_policy: MakePolicy, tmp_path: Path) -> None:
    policy = tiny_policy("t5")
    policy.model.half()
    policy.save(tmp_path)
    policy.model.float()
    assert load_policy(tmp_path).model.dtype == torch.float32


@pytest.mark.parametrize("broken", ["missing", "empty", "no weights"])
def test_a_missing_checkpoint_is_one_clear_sentence(broken: str, tmp_path: Path, tiny_policy: MakePolicy) -> None:
    place = tmp_path / "policy"
    if broken != "missing":
        place.mkdir()
    if broken == "no weights":
        tiny_policy().save(place)
        (place / "model.safetensors").unlink()
    with pytest.raises(PolicyError, match=r"policy") as caught:
        load_policy(place)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["t5", "llama"])
def test_values_start_at_zero_and_survive_saving(kind: Kind, tiny_policy: MakePolicy, tmp_path: Path) -> None:
    policy = tiny_policy(kind)
    policy.save(tmp_path / "policy")
    values = ValueModel.load(tmp_path / "policy", policy)
    ids, mask = policy.encode(["x = 1\n", "y"])
    assert values(PROMPTS[:2], ids, mask).tolist() == torch.zeros(ids.shape).tolist()
    torch.nn.init.normal_(values.head.weight)
    values.save(tmp_path / "values")
    loaded = ValueModel.load(tmp_path / "values", policy)
    torch.testing.assert_close(loaded(PROMPTS[:2], ids, mask), values(PROMPTS[:2], ids, mask))
    assert values(PROMPTS[:2], ids, mask).abs().sum() > 0


def test_values_share_nothing_with_the_policy(tiny_policy: MakePolicy, tmp_path: Path) -> None:
    policy = tiny_policy()
    policy.save(tmp_path)
    values = ValueModel.load(tmp_path, policy)
    mine = {weights.data_ptr() for weights in values.parameters()}
    assert not mine & {weights.data_ptr() for weights in policy.model.parameters()}


def test_sampling_follows_the_distribution() -> None:
    logits = torch.tensor([0.5, 0.3, 0.2]).log().expand(20_000, 3)
    counts = choose(logits, 1.0, generator=torch.Generator().manual_seed(0)).bincount(minlength=3) / 20_000
    torch.testing.assert_close(counts, torch.tensor([0.5, 0.3, 0.2]), atol=0.015, rtol=0)
    sharper = choose(logits, 0.5, generator=torch.Generator().manual_seed(0)).bincount(minlength=3) / 20_000
    torch.testing.assert_close(sharper, torch.tensor([0.25, 0.09, 0.04]) / 0.38, atol=0.015, rtol=0)


def test_the_nucleus_is_the_smallest_set_that_reaches_top_p() -> None:
    probabilities = torch.tensor([[0.2, 0.5, 0.3]])
    assert (nucleus(probabilities, 0.6) > 0).tolist() == [[False, True, True]]
    assert (nucleus(probabilities, 0.5) > 0).tolist() == [[False, True, False]]
    assert (nucleus(probabilities, 1e-9) > 0).tolist() == [[False, True, False]]


SPAN_TOKENIZER = train_bpe(["def f(x):\n    return x\n", "日本 😀 é"] * 5, 300)
SPANS = TokenSpans(SPAN_TOKENIZER)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, len(SPAN_TOKENIZER) - 1), min_size=1, max_size=40))
def test_spans_cut_the_text_into_neighbours_whatever_tokens_come(ids: list[int]) -> None:
    """Any bytes, also such as are no UTF-8, and special tokens in between."""
    text = SPAN_TOKENIZER.decode(ids, skip_special_tokens=True)
    spans = SPANS.of(ids, text)
    assert len(spans) == len(ids)
    assert "".join(text[start:end] for start, end in spans) == text
    assert [end for _, end in spans[:-1]] == [start for start, _ in spans[1:]]
    assert spans[0][0] == 0


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=20))
def test_both_ways_to_find_spans_agree_on_real_text(text: str) -> None:
    ids = SPAN_TOKENIZER(text).input_ids
    assert SPANS._ends_by_bytes(ids, text) == SPANS._ends_by_prefixes(ids, text)


def test_a_character_of_several_tokens_belongs_to_the_one_that_completes_it() -> None:
    tokenizer = train_bpe(["x"], 259)
    assert TokenSpans(tokenizer).of(tokenizer("é😀").input_ids, "é😀") == [
        (0, 0),
        (0, 1),
        (1, 1),
        (1, 1),
        (1, 1),
        (1, 2),
    ]


def test_sentencepiece_spans_are_exact_with_its_byte_fallback() -> None:
    """T5's and Llama's kind: a space is part of the next token, unknown characters fall back to bytes."""
    pieces = ["<unk>", "<pad>", "</s>", "▁def", "▁f", "x", "▁", *(f"<0x{byte:02X}>" for byte in range(256))]
    backend = Tokenizer(models.BPE({piece: at for at, piece in enumerate(pieces)}, [], byte_fallback=True))
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    byte = {value: pieces.index(f"<0x{value:02X}>") for value in range(256)}
    ids = [3, 4, byte[0x0A], 5, *(byte[value] for value in "😀".encode()), 6, 5, 2]
    text = tokenizer.decode(ids, skip_special_tokens=True)
    assert text == "def f\nx😀 x"
    spans = TokenSpans(tokenizer).of(ids, text)
    held = [text[start:end] for start, end in spans]
    assert held == ["def", " f", "\n", "x", "", "", "", "😀", " ", "x", ""]


CHAT_TEMPLATE = "{% for message in messages %}<|bos|>{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
FENCES = ["def f():\n    return 1\n```", "x = 1\n\n```", "```python\n"]


@pytest.fixture
def chat_policy() -> ModelPolicy:
    """A policy whose tokenizer has a chat template, and the fence among its tokens, once behind a newline."""
    tokenizer = train_bpe(FENCES * 9, 300)
    tokenizer.chat_template = CHAT_TEMPLATE
    return ModelPolicy(new_policy("llama", tokenizer, width=16, layers=1, heads=2, inner_width=32).model, tokenizer)


def test_a_chat_model_is_asked_in_its_template_and_opens_a_fenced_block(chat_policy: ModelPolicy) -> None:
    (ids,) = chat_policy.layout.prompt_ids(chat_policy.tokenizer, ["Add one."])
    asked = chat_policy.tokenizer.decode(ids)
    assert asked.startswith("<|bos|>user: ")
    assert asked.endswith("Add one.\n```python\n")


def test_a_fence_ends_a_chat_models_program_and_is_no_part_of_it(chat_policy: ModelPolicy) -> None:
    responses = chat_policy.sample(["p"] * 60, max_new_tokens=24, seed=0)
    fence = chat_policy.tokenizer.convert_tokens_to_ids("```")
    assert fence in {row[real].tolist()[-1] for row, real in zip(responses.ids, responses.mask, strict=True)}
    assert not any("```" in text for text in responses.texts)
    for spans, text, mask in zip(chat_policy.spans(responses), responses.texts, responses.mask, strict=True):
        assert len(spans) == mask.sum()
        assert "".join(text[start:end] for start, end in spans) == text
    encoded, mask = chat_policy.encode(["x = 1\n"])
    assert encoded[0, -1] == fence and mask.all()


def test_without_a_template_or_a_fence_there_is_no_chat(chat_policy: ModelPolicy, tiny_policy: MakePolicy) -> None:
    plain = tiny_policy("llama")
    plain.tokenizer.chat_template = CHAT_TEMPLATE
    policies = [
        ModelPolicy(chat_policy.model, chat_policy.tokenizer, chat=False),
        ModelPolicy(plain.model, plain.tokenizer),
    ]
    plain.tokenizer.chat_template = None
    for policy in policies:
        (ids,) = policy.layout.prompt_ids(policy.tokenizer, ["Add one."])
        assert policy.tokenizer.decode(ids) == "Add one.\n"
        assert policy.layout.end_ids == (policy.tokenizer.eos_token_id,)


def test_responses_have_a_span_for_each_real_token(policy: ModelPolicy) -> None:
    responses: Responses = policy.sample(PROMPTS, max_new_tokens=12, seed=0)
    assert [len(row) for row in policy.spans(responses)] == responses.mask.sum(dim=1).tolist()
