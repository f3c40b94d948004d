"""Drafts for an evaluation: which programs are written in which chunk, so that a stopped run can go on.

Problems are cut into chunks that fill a batch; a chunk's seed depends on its place alone. So a chunk that is made again
is the same, whatever was made before it.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.contracts import Problem
from trainer.policies import Policy
from trainer.samples import Kind, Sample

_GIVEN_CHUNK = 64


@dataclass(frozen=True, slots=True)
class Draft:
    """A program that a policy wrote, not judged yet."""

    problem: Problem
    kind: Kind
    completion: str


Drafts = list[Draft]


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
    """Problems whose programs are written and judged together."""

    index: int
    problems: tuple[Problem, ...]

    def finished(self, samples: Iterable[Sample], sampling: Sampling) -> bool:
        """True where every program of every problem is among the samples."""
        made = Counter((sample.task_id, sample.kind) for sample in samples)
        return all(
            made[problem.id, "sampled"] == sampling.n and made[problem.id, "greedy"] == int(sampling.greedy)
            for problem in self.problems
        )


def plan(problems: Sequence[Problem], sampling: Sampling) -> list[Chunk]:
    """The chunks of an evaluation, each about a batch of programs."""
    size = max(1, sampling.batch_size // max(1, sampling.n))
    cuts = range(0, len(problems), size)
    return [Chunk(index, tuple(problems[start : start + size])) for index, start in enumerate(cuts)]


def write_drafts(policy: Policy, chunk: Chunk, sampling: Sampling) -> Drafts:
    """Have the policy write a chunk's programs, greedy ones first."""
    drafts: Drafts = []
    if sampling.greedy:
        drafts += _write(policy, chunk.problems, "greedy", sampling, temperature=0.0, seed=sampling.seed)
    repeated = [problem for problem in chunk.problems for _ in range(sampling.n)]
    for start in range(0, len(repeated), sampling.batch_size):
        seed = int(_digest(f"{sampling.seed}/{chunk.index}/{start}")[:8], 16)
        some = repeated[start : start + sampling.batch_size]
        drafts += _write(policy, some, "sampled", sampling, temperature=sampling.temperature, seed=seed)
    return drafts


def given_drafts(given: Iterable[tuple[Problem, str]]) -> Iterator[Drafts]:
    """Programs made elsewhere, in chunks."""
    drafts = [Draft(problem, "given", completion) for problem, completion in given]
    for start in range(0, len(drafts), _GIVEN_CHUNK):
        yield drafts[start : start + _GIVEN_CHUNK]


def fingerprint(policy: str, problems: Sequence[Problem], settings: Mapping[str, object]) -> str:
    """A short hash of everything that decides the samples: weights, problems, settings."""
    parts = [_policy_digest(policy), json.dumps(settings, sort_keys=True)]
    parts += [problem.model_dump_json() for problem in problems]
    return _digest("\n".join(parts))[:16]


def _write(
    policy: Policy, problems: Sequence[Problem], kind: Kind, sampling: Sampling, *, temperature: float, seed: int
) -> Drafts:
    responses = policy.sample(
        [problem.prompt for problem in problems],
        max_new_tokens=sampling.max_new_tokens,
        temperature=temperature,
        top_p=sampling.top_p,
        seed=seed,
    )
    return [Draft(problem, kind, text) for problem, text in zip(problems, responses.texts, strict=True)]


def _policy_digest(policy: str) -> str:
    """The hash of a checkpoint folder's files; a name on the hub stands for itself."""
    folder = Path(policy)
    if not folder.is_dir():
        return policy
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.safetensors")) + sorted(folder.glob("*.json")):
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
