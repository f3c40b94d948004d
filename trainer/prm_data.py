"""Label files become trees of labelled steps, split by problem.

The programs of one problem share most of their lines: each mutant is the reference up to the changed line. So they
are merged into a tree whose nodes are steps and whose root is the prompt. A node is a distinct program prefix and
counts once, however many records share it; since a score depends on nothing behind its step, one pass over the tree
gives every prefix the score that it would get alone (`prm_tree`).

A prefix with contradictory labels loses them. Steps behind a record's last label are dropped. Leaves out tensors.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from services.contracts import LabelRecord, Origin, Verdict
from services.contracts.prm_layout import SEPARATOR, InputTooLongError, Tokenize, lay_out
from services.contracts.splits import percentile_of
from trainer.problems.files import read_models


@dataclass(slots=True)
class Node:
    """A step below its parent; `parent` is an index into the tree, None at the root, which holds prefix and prompt.

    `labels` has both values where records contradict each other, `shares` the soft labels that are to be learnt.
    `changed` says that some record changed this step.
    """

    parent: int | None
    ids: tuple[int, ...]
    depth: int
    labels: set[int] = field(default_factory=set)
    shares: list[float] = field(default_factory=list)
    origin: Origin | None = None
    operator: str | None = None
    changed: bool = False

    def learn(self, label: int, record: LabelRecord, *, changed: bool) -> None:
        """Take a record's word for this step; its origin is told by the record that changed it, or else the first."""
        self.labels.add(label)
        if self.origin is None or changed:
            self.origin, self.operator = record.origin, record.operator
        self.changed = self.changed or changed

    @property
    def label(self) -> int | None:
        """The one label of this prefix, None where there is none or two."""
        return next(iter(self.labels)) if len(self.labels) == 1 else None

    @property
    def target(self) -> float | None:
        """The probability to be learnt: the mean of its soft labels where it has any, else the label."""
        return sum(self.shares) / len(self.shares) if self.shares else self.label


@dataclass(frozen=True, slots=True)
class Program:
    """A labelled program: its labelled steps up to the first wrong one, or all of them where it is right."""

    steps: tuple[Node, ...]

    @property
    def wrong(self) -> bool:
        """Whether it has a wrong step, which is then its last."""
        return self.steps[-1].label == 0


@dataclass(slots=True)
class Tree:
    """All programs of one problem, parents before children; `depth` of a node counts the tokens above it.

    `paths`: as indices of nodes, of the programs whose first wrong step is known, or that have none.
    """

    problem_id: str
    nodes: list[Node] = field(default_factory=list)
    paths: set[tuple[int, ...]] = field(default_factory=set)
    _children: dict[tuple[int | None, tuple[int, ...]], int] = field(default_factory=dict)

    def child(self, parent: int | None, ids: tuple[int, ...]) -> int:
        """The index of the node with these tokens below `parent`, made if it is new."""
        key = (parent, ids)
        if key not in self._children:
            depth = 0 if parent is None else self.nodes[parent].depth + len(self.nodes[parent].ids)
            self._children[key] = len(self.nodes)
            self.nodes.append(Node(parent, ids, depth))
        return self._children[key]

    def programs(self) -> Iterator[Program]:
        """Each distinct program once; one whose last step is contradicted by another record is left out."""
        for path in sorted(self.paths):
            nodes = [self.nodes[at] for at in path]
            if nodes[-1].label is not None:
                yield Program(tuple(node for node in nodes if node.label is not None))

    @property
    def group(self) -> str:
        """The set that the problem belongs to: what stands before its id's slash, `Mbpp` or `lists`."""
        return self.problem_id.partition("/")[0] if "/" in self.problem_id else "problems"


@dataclass(frozen=True, slots=True)
class Split:
    """Records of three disjoint sets of problems."""

    train: list[LabelRecord]
    validation: list[LabelRecord]
    held_out: list[LabelRecord]


def read_labels(paths: Sequence[Path]) -> list[LabelRecord]:
    """The records of several label files, in order.

    Raises:
        ProblemFileError: a file or one of its lines cannot be read; it names both.
    """
    return [record for path in paths for record in read_models(path, LabelRecord)]


def split_by_problem(records: Iterable[LabelRecord], held_out: float, validation: float) -> Split:
    """Split by problem, never by program: the highest percentiles are held out, those below them are for validation.

    With a share of 0.1 for each these are exactly the labeler's splits `test` and `validation`.
    """
    split = Split([], [], [])
    for record in records:
        share_above = 1 - (percentile_of(record.problem_id) + 0.5) / 100
        part = split.held_out if share_above < held_out else split.validation
        (part if share_above < held_out + validation else split.train).append(record)
    return split


def build_trees(
    records: Iterable[LabelRecord],
    tokenize: Tokenize,
    *,
    prefix_ids: Sequence[int],
    max_tokens: int,
    soft: bool = False,
) -> tuple[list[Tree], int]:
    """One tree a problem, and how many records were left out because their code alone exceeds `max_tokens`.

    With `soft` their soft labels are targets too.
    """
    trees: dict[str, Tree] = {}
    too_long = 0
    for record in records:
        try:
            path = _tokens_by_step(record, tokenize, prefix_ids, max_tokens)
        except InputTooLongError:
            too_long += 1
            continue
        _insert(trees.setdefault(record.problem_id, Tree(record.problem_id)), record, path, soft=soft)
    return list(trees.values()), too_long


def memoised(tokenize: Tokenize) -> Tokenize:
    """`tokenize` with a memory of every text: the mutants of a program repeat most of its lines."""
    known: dict[str, Sequence[int]] = {}

    def tokenize_new(texts: Sequence[str]) -> list[Sequence[int]]:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known.update(zip(new, tokenize(new), strict=True))
        return [known[text] for text in texts]

    return tokenize_new


def _tokens_by_step(
    record: LabelRecord, tokenize: Tokenize, prefix_ids: Sequence[int], max_tokens: int
) -> list[tuple[int, ...]]:
    """The token ids of prefix and prompt, then of each step, with its newline, up to the last labelled one."""
    labelled = [index for index, step in enumerate(record.steps) if step.label is not None]
    texts = [record.code[step.start : step.end] for step in record.steps[: max(labelled, default=-1) + 1]]
    if not texts:
        return []
    whole = lay_out(record.prompt, texts, tokenize, prefix_ids=prefix_ids, max_tokens=max_tokens, truncate_prompt=True)
    first = sum(len(ids) for ids in tokenize([texts[0], SEPARATOR]))
    bounds = [0, *(end + 1 for end in (whole.positions[0] - first, *whole.positions))]
    return [tuple(whole.ids[start:end]) for start, end in pairwise(bounds)]


def _insert(tree: Tree, record: LabelRecord, path: Sequence[tuple[int, ...]], *, soft: bool) -> None:
    """Add a record's labelled steps; `path[0]` is the root."""
    at: int | None = None
    labelled: list[int] = []
    first_wrong: int | None = None
    for index, ids in enumerate(path, start=-1):
        at = tree.child(at, ids)
        step = record.steps[index] if index >= 0 else None
        if step is None or step.label is None:
            continue
        tree.nodes[at].learn(step.label, record, changed=index == record.changed_step)
        if soft and step.soft_label is not None:
            tree.nodes[at].shares.append(step.soft_label)
        if first_wrong is None:
            labelled.append(at)
            first_wrong = at if step.label == 0 else None
    if first_wrong is not None or (labelled and record.verdict in (None, Verdict.ACCEPTED)):
        tree.paths.add(tuple(labelled))
