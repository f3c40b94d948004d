"""A backbone learns to read another vocabulary: its token embeddings are made anew for it.

Each token of the new vocabulary starts as the mean of the old tokens that its text is cut into, or of the whole table
where the old vocabulary has nothing for it (T5's has no newline, no indentation, no brace). This is fast vocabulary
transfer: Gee et al. 2022, https://aclanthology.org/2022.emnlp-industry.41.
"""

from typing import Any

import torch


@torch.no_grad()
def read_vocabulary_of(backbone: Any, old: Any, new: Any, size: int) -> None:
    """Have `backbone`, which reads the tokenizer `old`, read `new`, with a table of `size` rows (the policy's)."""
    embeddings = backbone.get_input_embeddings()
    table = transferred(embeddings.weight, old, new, size)
    backbone.set_input_embeddings(torch.nn.Embedding(table.shape[0], table.shape[1], _weight=table))
    backbone.config.vocab_size = size


def transferred(table: torch.Tensor, old: Any, new: Any, size: int) -> torch.Tensor:
    """The embeddings `[size, width]` of `new`'s tokens, from those of `old`'s, `[old vocabulary, width]`."""
    everything = table.mean(dim=0)
    rows = everything.repeat(size, 1)
    texts = [new.decode([token], clean_up_tokenization_spaces=False) for token in range(min(size, len(new)))]
    pieces = old(texts, add_special_tokens=False).input_ids
    for token, ids in enumerate(pieces):
        known = [piece for piece in ids if piece != old.unk_token_id]
        if known:
            rows[token] = table[known].mean(dim=0)
    for ours, theirs in zip(_special_ids(old), _special_ids(new), strict=True):
        if ours is not None and theirs is not None:
            rows[theirs] = table[ours]
    return rows


def _special_ids(tokenizer: Any) -> tuple[int | None, ...]:
    return tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id
