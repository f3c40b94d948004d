"""A value model of one vocabulary reads the tokens of a policy with another: T5's SentencePiece under CodeT5+'s BPE."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from trainer.policies import ModelPolicy, SeparateCritic, load_actor_critic
from trainer.policies.vocabulary import transferred
from trainer.tokenizers import train_bpe

CODES = ["def f(xs):\n    return sum(xs) + 12\n", "x = {1: 'a'}\n"]


@pytest.fixture(scope="module")
def sentencepiece() -> Any:
    """A unigram vocabulary like T5's: it knows words, and neither newlines nor braces."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Replace("\n", " "), normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=40, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(["def f xs return sum 12 x a"] * 20, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    )


@pytest.fixture
def t5_folder(sentencepiece: Any, tmp_path: Path) -> Path:
    config = T5Config(vocab_size=64, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, pad_token_id=0)
    config.decoder_start_token_id = 0
    torch.manual_seed(0)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path / "t5")
    sentencepiece.save_pretrained(tmp_path / "t5")
    return tmp_path / "t5"


def test_a_new_token_is_the_mean_of_the_old_ones_its_text_is_cut_into(sentencepiece: Any) -> None:
    table = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    byte_level = train_bpe(CODES * 9, 280)
    rows = transferred(table, sentencepiece, byte_level, 300)
    assert rows.shape == (300, 4)
    token = byte_level("sum", add_special_tokens=False).input_ids[0]
    pieces = sentencepiece(byte_level.decode([token]), add_special_tokens=False).input_ids
    torch.testing.assert_close(rows[token], table[pieces].mean(dim=0))
    assert not torch.equal(rows[token], table.mean(dim=0))
    newline = byte_level("\n", add_special_tokens=False).input_ids[0]
    torch.testing.assert_close(rows[newline], table.mean(dim=0))  # which the old vocabulary cannot say
    torch.testing.assert_close(rows[byte_level.eos_token_id], table[sentencepiece.eos_token_id])
    assert torch.isfinite(rows).all()


@pytest.mark.parametrize("kind", ["t5", "llama"])
def test_every_token_of_the_policy_has_a_value_and_the_critic_survives_saving(
    kind: str, tiny_policy: Callable[..., ModelPolicy], t5_folder: Path, tmp_path: Path
) -> None:
    policy = tiny_policy(kind)
    models = load_actor_critic(policy, t5_folder)
    assert isinstance(models, SeparateCritic)
    torch.nn.init.normal_(models.critic.head.weight, generator=torch.Generator().manual_seed(0))
    ids, mask = policy.encode(CODES)
    values = models.values(["one", "two"], ids, mask)
    assert values.shape == ids.shape
    assert values[mask].unique().numel() > ids.shape[1]
    (tmp_path / "saved").mkdir()
    models.save_critic(tmp_path / "saved")
    again = load_actor_critic(policy, tmp_path / "saved").values(["one", "two"], ids, mask)
    torch.testing.assert_close(again, values)


def test_a_value_sees_no_token_that_is_not_written_yet(
    tiny_policy: Callable[..., ModelPolicy], t5_folder: Path
) -> None:
    policy = tiny_policy("t5")
    models = load_actor_critic(policy, t5_folder)
    torch.nn.init.normal_(models.critic.head.weight)
    ids, mask = policy.encode(CODES[:1])
    changed = ids.clone()
    changed[0, 4:] = ids[0, 4:].flip(0)
    before, after = models.values(["one"], ids, mask), models.values(["one"], changed, mask)
    torch.testing.assert_close(before[:, :5], after[:, :5])
    assert not torch.equal(before, after)
