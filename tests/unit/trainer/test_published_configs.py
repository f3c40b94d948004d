"""The configs that come with the package: settings that can be followed, models of the shapes and memory they tell of.

Weights cannot be had here, so the real architectures are built without memory, on torch's meta device.
"""

from importlib.resources import files
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, T5Config, T5ForConditionalGeneration, T5Model

from services.cli.config_file import read_config
from services.cli.dataclass_options import build
from trainer.policies import ModelPolicy, SharedTrunk, ValueHead, ValueModel
from trainer.ppo import PpoConfig
from trainer.problems import load_problems
from trainer.tokenizers import train_bpe

CODET5P = T5Config(
    vocab_size=32100, d_model=1024, d_kv=64, d_ff=4096, num_layers=24, num_decoder_layers=24, num_heads=16,
    pad_token_id=0, eos_token_id=2, feed_forward_proj="relu",
)  # fmt: skip
T5_BASE = T5Config(
    vocab_size=32128, d_model=768, d_kv=64, d_ff=3072, num_layers=12, num_decoder_layers=12, num_heads=12
)
SMOLLM2 = LlamaConfig(
    vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
    num_key_value_heads=3, max_position_embeddings=8192, tie_word_embeddings=True,
)  # fmt: skip
CODET5P.decoder_start_token_id = 0
SMOLLM2._attn_implementation = "eager"  # the others look at the mask's values, and meta tensors have none
PROMPTS = ["Write a function.", "Write another function, please."]


@pytest.mark.parametrize("name", sorted(path.stem for path in Path(str(files("trainer"))).glob("configs/*.yaml")))
def test_every_packaged_config_is_one_that_ppo_takes(name: str) -> None:
    config = build(PpoConfig, read_config(Path(name)))
    config.check()
    assert len(load_problems(config.problems)) == 400


def codet5p_with_t5_base(device: torch.device, **shrunk: int) -> tuple[ModelPolicy, ValueModel]:
    """The paper's two models, the value model with the policy's vocabulary; `shrunk` overrides their sizes."""
    with device:
        policy = ModelPolicy(T5ForConditionalGeneration(sized(CODET5P, shrunk)), train_bpe(PROMPTS, 300))
        t5_base = T5Model(sized(T5_BASE, shrunk))
        t5_base.set_input_embeddings(torch.nn.Embedding(CODET5P.vocab_size, t5_base.config.d_model))
        return policy, ValueModel(t5_base, policy)


def sized(config: T5Config, sizes: dict[str, int]) -> T5Config:
    return T5Config(**{**config.to_dict(), **sizes})


def test_a_shrunken_copy_has_a_logprobability_and_a_value_for_every_token() -> None:
    policy, critic = codet5p_with_t5_base(torch.device("cpu"), d_model=16, d_ff=16, num_layers=1, num_decoder_layers=1)
    ids, mask = torch.tensor([[5, 32099, 2], [7, 2, 0]]), torch.tensor([[True, True, True], [True, True, False]])
    logprobs, entropy = policy.logprobs(PROMPTS, ids, mask)
    assert logprobs.shape == entropy.shape == critic(PROMPTS, ids, mask).shape == (2, 3)
    assert policy.logits(PROMPTS, ids, mask).shape == (2, 3, 32100)


def test_codet5p_with_t5_base_takes_the_memory_that_the_config_tells_of() -> None:
    policy, critic = codet5p_with_t5_base(torch.device("meta"))
    sizes = [sum(weight.numel() for weight in model.parameters()) for model in (policy.model, critic)]
    assert [round(size / 1e6) for size in sizes] == [738, 223]
    trained, frozen = 16, 4  # bytes a weight: itself, its gradient and Adam's two moments
    assert (sum(sizes) * trained + sizes[0] * frozen) / 1e9 == pytest.approx(18.3, abs=0.2)


def test_smollm2_with_a_shared_trunk_has_one_value_a_token() -> None:
    with torch.device("meta"):
        policy = ModelPolicy(LlamaForCausalLM(SMOLLM2), train_bpe(PROMPTS, 300))
        models = SharedTrunk(policy, ValueHead(SMOLLM2.hidden_size))
    ids, mask = torch.zeros(2, 7, dtype=torch.long, device="meta"), torch.ones(2, 7, dtype=torch.bool, device="meta")
    measures = models.measure(PROMPTS, ids, mask, 1.0)
    assert measures.logprobs.shape == measures.values.shape == (2, 7)
    assert round(sum(weight.numel() for weight in policy.model.parameters()) / 1e6) == 135
