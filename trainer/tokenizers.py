"""A tokenizer trained on the spot, for small policies and for a PRM made from nothing.

Byte-level BPE, so that any text survives encoding and decoding, with two rules that per-line rewards and small
models want: a newline is always a token of its own, never merged with its neighbours, and each digit is one too.
Offsets are exact, in Unicode code points. Leaves out: tokenizers of published checkpoints (`AutoTokenizer`).
"""

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

PAD, BOS, EOS = "<|pad|>", "<|bos|>", "<|eos|>"
SMALLEST_VOCABULARY = 256 + 3


def train_bpe(texts: Iterable[str], vocab_size: int = 800) -> PreTrainedTokenizerFast:
    """A byte-level BPE learnt from `texts`, with pad, bos and eos as ids 0, 1 and 2.

    Encoding adds no special token by itself, and text that spells one is read as plain text. The vocabulary is
    smaller than `vocab_size` where the texts offer too few pairs to merge.

    Raises:
        ValueError: `vocab_size` has no room for the 256 bytes and the three special tokens.
    """
    if vocab_size < SMALLEST_VOCABULARY:
        raise ValueError(f"a byte-level vocabulary has at least {SMALLEST_VOCABULARY} tokens, not {vocab_size}")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\n"), "isolated"),
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=[PAD, BOS, EOS],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        split_special_tokens=True,
        clean_up_tokenization_spaces=False,
    )
