"""Trees of steps as tensors: one pass of a causal model scores every prefix of every program of a problem.

A tree's tokens stand one behind the other, and each sees its ancestors' tokens and its own step's so far, nothing
else; its position is the number of tokens above it. So its logits are those of a plain pass over its own program
(`prm_model.prove_tree_mask` checks that on the backbone at hand), and a problem with 30 mutants of 130 tokens costs
about 800 tokens instead of 4,000. The idea of a tree mask is SpecInfer's (https://arxiv.org/abs/2305.09781).
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from services.contracts import Origin
from trainer.prm_data import Node, Tree

IGNORED = -100
KINDS: tuple[Origin | None, ...] = (None, *Origin)
"""The kinds of labelled steps: None for a negative one, or a positive one's origin."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A tree, or a part of one with its ancestors, as tensors; all but the last three are `[tokens]`.

    `ids`, `depths`: tokens and their positions. `before`: index of the token that precedes in its program, -1 at the
    root. `labels`: 0 or 1 at the last token of a step that counts here, else `IGNORED`. `targets`: there the
    probability to be learnt, in [0, 1]. `kinds`: there an index into `KINDS`, else 0. `clean`: True in the tokens of
    positive steps. `owner`: the node of each token. `related` `[nodes, nodes]` bool: True where the column is the row's
    node or an ancestor of it. `steps`: the nodes behind `labels`, in order; `group`: the set of the problem.
    """

    ids: Tensor
    depths: Tensor
    before: Tensor
    labels: Tensor
    targets: Tensor
    kinds: Tensor
    clean: Tensor
    owner: Tensor
    related: Tensor
    steps: list[Node]
    group: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Packs side by side, padded on the right: the tensors of `Pack` as `[batch, tokens]`.

    `mask` `[batch, 1, tokens, tokens]` bool: True = may be seen; a padding token sees itself. `below`, where a pass
    begins behind frozen layers: what these make of the tokens, `[batch, tokens, width]`.
    """

    ids: Tensor
    depths: Tensor
    before: Tensor
    labels: Tensor
    targets: Tensor
    kinds: Tensor
    clean: Tensor
    mask: Tensor
    below: Tensor | None = None


def pack_tree(tree: Tree, max_tokens: int) -> Iterator[Pack]:
    """Cut a tree into packs of at most `max_tokens`, unless one path alone is longer; a step counts in one of them."""
    counted: set[int] = set()
    chosen: dict[int, None] = {}
    for leaf in _leaves(tree):
        path = _path_to(tree, leaf)
        if chosen and _tokens(tree, {*chosen, *path}) > max_tokens:
            yield _pack(tree, list(chosen), counted)
            counted |= chosen.keys()
            chosen = {}
        chosen.update(dict.fromkeys(path))
    if chosen:
        yield _pack(tree, list(chosen), counted)


def make_batches(packs: Iterable[Pack], tokens: int, rng: random.Random | None = None) -> list[list[Pack]]:
    """Packs of similar length together, about `tokens` a batch with its padding; in random order with an `rng`.

    How many batches there are depends on the packs alone, not on the order.
    """
    shuffled = list(packs)
    if rng:
        rng.shuffle(shuffled)
    groups: list[list[Pack]] = []
    for pack in sorted(shuffled, key=_width):
        if not groups or (len(groups[-1]) + 1) * _width(pack) > tokens:
            groups.append([])
        groups[-1].append(pack)
    if rng:
        rng.shuffle(groups)
    return groups


def _width(pack: Pack) -> int:
    """Its tokens, rounded up to a multiple of 32."""
    return -(-len(pack.ids) // 32) * 32


def collate(packs: Sequence[Pack], pad_id: int, device: str | torch.device = "cpu") -> Batch:
    """The tensors of a batch."""
    width = max(len(pack.ids) for pack in packs)
    mask = torch.eye(width, dtype=torch.bool).repeat(len(packs), 1, 1)
    for row, pack in enumerate(packs):
        length = len(pack.ids)
        mask[row, :length, :length] = pack.related[pack.owner][:, pack.owner].tril()

    def padded(name: str, value: Any) -> Tensor:
        rows = [getattr(pack, name) for pack in packs]
        return pad_sequence(rows, batch_first=True, padding_value=value).to(device)

    return Batch(
        ids=padded("ids", pad_id),
        depths=padded("depths", 0),
        before=padded("before", -1),
        labels=padded("labels", IGNORED),
        targets=padded("targets", 0.0),
        kinds=padded("kinds", 0),
        clean=padded("clean", False),
        mask=mask.unsqueeze(1).to(device),
    )


def _leaves(tree: Tree) -> list[int]:
    inner = {node.parent for node in tree.nodes}
    return [index for index in range(len(tree.nodes)) if index not in inner]


def _path_to(tree: Tree, index: int) -> list[int]:
    """The indices from the root to `index`."""
    path: list[int] = []
    at: int | None = index
    while at is not None:
        path.append(at)
        at = tree.nodes[at].parent
    return path[::-1]


def _tokens(tree: Tree, indices: Iterable[int]) -> int:
    return sum(len(tree.nodes[index].ids) for index in indices)


def _pack(tree: Tree, indices: list[int], counted_before: set[int]) -> Pack:
    """The tensors of some nodes of a tree, parents before children."""
    nodes = [tree.nodes[index] for index in indices]
    place = {index: at for at, index in enumerate(indices)}
    parents = [None if node.parent is None else place[node.parent] for node in nodes]
    ends = list(accumulate(len(node.ids) for node in nodes))
    counted = [index not in counted_before for index in indices]
    columns: dict[str, list[Any]] = {
        name: [] for name in ("ids", "depths", "before", "labels", "targets", "kinds", "clean", "owner")
    }
    for at, (node, parent) in enumerate(zip(nodes, parents, strict=True)):
        length, start = len(node.ids), len(columns["ids"])
        label = node.label if counted[at] and node.label is not None else IGNORED
        columns["ids"] += node.ids
        columns["depths"] += range(node.depth, node.depth + length)
        columns["before"] += [-1 if parent is None else ends[parent] - 1, *range(start, start + length - 1)]
        columns["labels"] += [IGNORED] * (length - 1) + [label]
        columns["targets"] += [0.0] * (length - 1) + [0.0 if label == IGNORED else float(node.target or 0)]
        columns["kinds"] += [0] * (length - 1) + [KINDS.index(node.origin) if label == 1 else 0]
        columns["clean"] += [int(label == 1)] * length
        columns["owner"] += [at] * length
    tensors = {name: torch.tensor(values) for name, values in columns.items()}
    return Pack(
        ids=tensors["ids"],
        depths=tensors["depths"],
        before=tensors["before"],
        labels=tensors["labels"],
        targets=tensors["targets"],
        kinds=tensors["kinds"],
        clean=tensors["clean"].bool(),
        owner=tensors["owner"],
        related=_ancestors(parents),
        steps=[node for node, counts in zip(nodes, counted, strict=True) if counts and node.label is not None],
        group=tree.group,
    )


def _ancestors(parents: Sequence[int | None]) -> Tensor:
    """`[nodes, nodes]` bool: True where the column is the row's node or one of its ancestors."""
    related = torch.eye(len(parents), dtype=torch.bool)
    for at, parent in enumerate(parents):
        if parent is not None:
            related[at] |= related[parent]
    return related
