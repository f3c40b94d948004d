"""The three parts that labels are split into, as what training and measuring work on."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from services.contracts import LabelRecord
from trainer.errors import SettingsError
from trainer.prm_composing import composed
from trainer.prm_config import PrmConfig
from trainer.prm_data import Program, Split, build_trees, memoised
from trainer.prm_model import Backbone
from trainer.prm_tree import Pack, pack_tree

_PACK_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class Part:
    """The packs and the distinct programs of so many problems; `left_out` programs were too long."""

    name: str
    packs: list[Pack]
    programs: list[Program]
    problems: int
    left_out: int


@dataclass(frozen=True, slots=True)
class Parts:
    """Disjoint sets of problems: to learn from, to choose by, to measure on."""

    train: Part
    validation: Part
    held_out: Part


def prepare(split: Split, backbone: Backbone, config: PrmConfig) -> Parts:
    """The records of a split in the backbone's tokens.

    Raises:
        SettingsError: a part has no labels.
    """
    tokenize = memoised(backbone.tokenize)
    max_tokens = min(config.max_tokens, backbone.max_tokens)

    def part(name: str, records: Sequence[LabelRecord]) -> Part:
        trees, left_out = build_trees(
            records, tokenize, prefix_ids=backbone.prefix_ids, max_tokens=max_tokens, soft=config.soft_labels
        )
        packs = [pack for tree in trees for pack in pack_tree(tree, _PACK_TOKENS)]
        if not any(pack.steps for pack in packs):
            raise SettingsError(f"no labels in the {name} part of the problems; give more labels or larger shares")
        return Part(name, packs, [each for tree in trees for each in tree.programs()], len(trees), left_out)

    return Parts(
        train=part("training", _to_learn_from(split.train, config)),
        validation=part("validation", split.validation),
        held_out=part("held-out", split.held_out),
    )


def _to_learn_from(records: Sequence[LabelRecord], config: PrmConfig) -> list[LabelRecord]:
    kept = _capped(records, config)
    return kept + composed(kept, config.composed, config.seed)


def _capped(records: Sequence[LabelRecord], config: PrmConfig) -> list[LabelRecord]:
    """At most `programs_per_problem` records of each problem, chosen by the seed."""
    if config.programs_per_problem is None:
        return list(records)
    by_problem: dict[str, list[LabelRecord]] = {}
    for record in random.Random(config.seed).sample(records, len(records)):
        kept = by_problem.setdefault(record.problem_id, [])
        if len(kept) < config.programs_per_problem:
            kept.append(record)
    return [record for kept in by_problem.values() for record in kept]
