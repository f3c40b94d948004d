"""Policies from a checkpoint folder, a name or a GGUF file, and small ones from nothing."""

from pathlib import Path
from typing import Any, Literal

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)
from transformers.utils.logging import disable_progress_bar

from trainer.errors import PolicyError
from trainer.policies.gguf import checkpoint_folder
from trainer.policies.models import ModelPolicy, Precision

Kind = Literal["t5", "llama"]


def load_policy(
    path_or_name: str | Path,
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    chat: bool = True,
    precision: Precision = "fp32",
) -> ModelPolicy:
    """The policy in a folder, or of that name on the model hub; its kind is read from its configuration.

    `smollm2` and `gguf:FILE` are converted at first (`trainer.policies.gguf`). `dtype` overrides the checkpoint's own:
    float16, as CodeT5+ is stored, is unusable on a CPU. `chat`: see `ModelPolicy`.

    Raises:
        PolicyError: there is no such checkpoint, or it cannot be read.
    """
    path_or_name = checkpoint_folder(path_or_name)
    place = str(path_or_name)
    if _is_path(path_or_name) and not (Path(place) / "config.json").is_file():
        raise PolicyError(f"there is no checkpoint in {place!r} (no config.json)")
    disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        config = AutoConfig.from_pretrained(place)
        family = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        model: Any = family.from_pretrained(place, dtype=dtype, use_safetensors=True)
        tokenizer = AutoTokenizer.from_pretrained(place)
    except (OSError, ValueError) as error:
        raise PolicyError(f"no policy can be loaded from {place!r}: {why_unreadable(error)}") from error
    if not tokenizer.is_fast:
        raise PolicyError(f"the tokenizer in {place!r} has no fast version, which token offsets need")
    return ModelPolicy(model.to(torch.device(device)), tokenizer, chat=chat, precision=precision)


def new_policy(
    kind: Kind,
    tokenizer: Any,
    *,
    width: int = 128,
    layers: int = 2,
    heads: int = 4,
    inner_width: int = 512,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> ModelPolicy:
    """A small policy with random weights; `layers` counts the encoder's and again the decoder's where it has both.

    The defaults with a vocabulary of 800 give the 1M-parameter T5 of the first measurements.
    """
    disable_progress_bar()  # type: ignore[no-untyped-call]
    build = {"t5": _new_t5, "llama": _new_llama}[kind]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: Any = build(tokenizer, width, layers, heads, inner_width)
    return ModelPolicy(model.to(device), tokenizer)


def _new_t5(tokenizer: Any, width: int, layers: int, heads: int, inner_width: int) -> T5ForConditionalGeneration:
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=width,
        d_kv=width // heads,
        d_ff=inner_width,
        num_layers=layers,
        num_decoder_layers=layers,
        num_heads=heads,
        dropout_rate=0.0,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    config.decoder_start_token_id = tokenizer.pad_token_id
    return T5ForConditionalGeneration(config)


def _new_llama(tokenizer: Any, width: int, layers: int, heads: int, inner_width: int) -> LlamaForCausalLM:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=inner_width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            max_position_embeddings=2048,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            tie_word_embeddings=True,
        )
    )


def _is_path(path_or_name: str | Path) -> bool:
    """True for what cannot be a name on the hub, `owner/name` at most."""
    return isinstance(path_or_name, Path) or path_or_name.startswith(("/", ".", "~")) or path_or_name.count("/") > 1


def why_unreadable(error: Exception) -> str:
    """What Transformers says of a checkpoint that it cannot load, and what to do about pickled weights."""
    reason = str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
    hint = "; pickled weights are never loaded, docs/operate.md says how to convert them"
    return f"{reason}{hint if 'safetensors' in reason else ''}"
