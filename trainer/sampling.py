"""Drafts for an evaluation: which programs are written in which chunk, so that a stopped run can go on.

Greedy and sampled programs have chunks of their own, each a batch of problems with prompts of similar length. A chunk's
seed depends on its place alone: a chunk that is made again is the same, whatever was made before it.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.contracts import Problem
from trainer.policies import Policy
from trainer.samples import Draft, Drafts, Kind, Sample

_GIVEN_CHUNK = 64


@dataclass(frozen=True, slots=True)
class Sampling:
    """How programs are sampled; see `EvaluateConfig`."""

    n: int
    greedy: bool
    temperature: float
    top_p: float
    max_new_tokens: int
    batch_size: int
    seed: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Problems whose programs are written and judged together, `count` of one kind for each."""

    kind: Kind
    index: int
    problems: tuple[Problem, ...]
    count: int

    @property
    def expected(self) -> Counter[tuple[str, Kind]]:
        """How many samples of each task and kind it comes to."""
        return Counter({(problem.id, self.kind): self.count for problem in self.problems})


def plan(problems: Sequence[Problem], sampling: Sampling) -> list[Chunk]:
    """The chunks of an evaluation, each about a batch of programs."""
    ordered = sorted(problems, key=lambda problem: len(problem.prompt))
    greedy = _cut("greedy", ordered, 1, sampling.batch_size) if sampling.greedy else []
    return greedy + (_cut("sampled", ordered, sampling.n, sampling.batch_size) if sampling.n else [])


def _cut(kind: Kind, problems: Sequence[Problem], count: int, batch_size: int) -> list[Chunk]:
    size = max(1, batch_size // count)
    starts = range(0, len(problems), size)
    return [Chunk(kind, index, tuple(problems[start : start + size]), count) for index, start in enumerate(starts)]


def write_drafts(policy: Policy, chunk: Chunk, sampling: Sampling) -> Drafts:
    """Have the policy write a chunk's programs, those of a problem one after the other."""
    drafts: Drafts = []
    repeated = [problem for problem in chunk.problems for _ in range(chunk.count)]
    for start in range(0, len(repeated), sampling.batch_size):
        some = repeated[start : start + sampling.batch_size]
        responses = policy.sample(
            [problem.prompt for problem in some],
            max_new_tokens=sampling.max_new_tokens,
            temperature=0.0 if chunk.kind == "greedy" else sampling.temperature,
            top_p=sampling.top_p,
            seed=int(_digest(f"{sampling.seed}/{chunk.index}/{start}")[:8], 16),
        )
        tokens, logprobs = responses.mask.sum(dim=1).tolist(), responses.logprobs.sum(dim=1).tolist()
        rows = zip(some, responses.texts, tokens, logprobs, strict=True)
        drafts += [Draft(problem, chunk.kind, text, length, logprob) for problem, text, length, logprob in rows]
    return drafts


def group(drafts: Iterable[Draft]) -> list[Drafts]:
    """Programs made elsewhere in chunks, those of a task together."""
    by_task: dict[str, Drafts] = {}
    for draft in drafts:
        by_task.setdefault(draft.problem.id, []).append(draft)
    chunks: list[Drafts] = [[]]
    for task in by_task.values():
        if len(chunks[-1]) + len(task) > _GIVEN_CHUNK and chunks[-1]:
            chunks.append([])
        chunks[-1].extend(task)
    return chunks


def expected_of(drafts: Drafts) -> Counter[tuple[str, Kind]]:
    """How many samples of each task and kind `drafts` come to."""
    return Counter((draft.problem.id, draft.kind) for draft in drafts)


def is_finished(expected: Counter[tuple[str, Kind]], samples: Iterable[Sample]) -> bool:
    """True where every expected program is among the samples."""
    made = Counter((sample.task_id, sample.kind) for sample in samples)
    return all(made[key] == count for key, count in expected.items())


def fingerprint(origin: str | Path, problems: Sequence[Problem], settings: Mapping[str, object]) -> str:
    """A short hash of everything that decides the samples: weights or file, problems, settings."""
    parts = [_digest_of(Path(origin)) or str(origin), json.dumps(settings, sort_keys=True)]
    parts += [problem.model_dump_json() for problem in problems]
    return _digest("\n".join(parts))[:16]


def _digest_of(path: Path) -> str | None:
    """The hash of a file, or of a checkpoint folder's files; a name on the hub has none."""
    if not path.exists():
        return None
    digest = hashlib.sha256()
    for file in sorted(path.glob("*.safetensors")) + sorted(path.glob("*.json")) if path.is_dir() else [path]:
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
