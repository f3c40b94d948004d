"""Evaluation: sample programs from a policy, run their tests through the executor, estimate pass@k.

`samples.jsonl` has every program with its verdict. An interrupted evaluation goes on where it was: what the same
settings have made already is not made again. Identical programs are executed once, and while one chunk is judged the
next is generated. A program that got no verdict is counted and left out: our failure is never its fail.

    linewise evaluate --policy runs/ppo/checkpoints/final --problems mbpp:1-100,501-600 --n 10 --k 1 --k 10
    linewise evaluate --samples samples.jsonl.gz --problems humaneval
    linewise evaluate --samples runs/evaluate/samples.jsonl --with-scores --run-dir runs/best-of-n

Leaves out stop sequences: a policy ends its programs by itself, a chat model by closing its fenced block.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from services.contracts import Problem
from trainer.best_of_n import Pick, picks
from trainer.bootstrap import Interval, interval
from trainer.errors import NoRewardsError, SettingsError
from trainer.passk import mean_pass_at_k, pass_at_k, standard_error
from trainer.policies import load_policy
from trainer.policies.gguf import checkpoint_folder
from trainer.problems import load_problems, overlap_note
from trainer.progress import Bar, progress_bar
from trainer.report import write_report
from trainer.runs import Run
from trainer.sample_judge import Judge, PendingSamples, scorer_identity
from trainer.samples import Drafts, Sample, SampleFile, read_given
from trainer.sampling import Sampling, expected_of, fingerprint, group, is_finished, plan, write_drafts


@dataclass(frozen=True)
class EvaluateConfig:
    """Settings of `linewise evaluate`."""

    policy: str | None = None
    """A checkpoint folder, smollm2, gguf:FILE or a name on the model hub; not needed with `samples`."""
    problems: str = "mbpp:1-100,501-600"
    """What is to be solved: a spec such as humaneval or lists:test, or a JSONL file."""
    samples: Path | None = None
    """Evaluate the programs of this file, made elsewhere: JSONL (or .gz) with task_id and completion or solution."""
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
    chat: bool = True
    """Ask a model that has a chat template in it, for a fenced block."""
    with_scores: bool = False
    """Best of n: also ask the scorer for the scores of each program's steps, and say how good its picks are."""
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

    `pass_at_k` maps k to the mean over problems, `intervals` to its 95 % bootstrap interval over problems and
    `standard_error` to its standard error. `unanswered` samples got no verdict, `unattempted` problems have no sample:
    neither is in any figure. `picks` has a row for each way to choose one sample of a problem; `best_of_n` is the row
    of the PRM's mean score, to be held against pass@1. `note` belongs beside every figure.
    """

    problems: int
    unattempted: int
    samples: int
    unanswered: int
    greedy_pass_at_1: float | None
    greedy_interval: Interval | None
    pass_at_k: dict[int, float]
    intervals: dict[int, Interval | None]
    standard_error: dict[int, float]
    best_of_n: float | None
    picks: list[Pick]
    verdicts: dict[str, int]
    distinct: int
    mean_lines: float
    seconds: float
    note: str | None


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
        summary = summarise(samples, config.k, problems, time.monotonic() - started)
        run.write_json("summary.json", summary)
        write_report(run.folder)
    return summary


def _evaluate_given(config: EvaluateConfig, problems: Sequence[Problem]) -> list[Sample]:
    assert config.samples is not None
    chunks = group(read_given(config.samples, problems))
    file = _open_samples(config, config.samples, problems, {})
    left = [drafts for drafts in chunks if not is_finished(expected_of(drafts), file.samples)]
    file.keep({key for drafts in chunks if drafts not in left for key in expected_of(drafts)})
    return _judge_all(left, file, config, len(left))


def _evaluate_policy(config: EvaluateConfig, problems: Sequence[Problem]) -> list[Sample]:
    assert config.policy is not None
    sampling = Sampling(
        config.n, config.greedy, config.temperature, config.top_p, config.max_new_tokens, config.batch_size, config.seed
    )
    checkpoint = checkpoint_folder(config.policy)
    file = _open_samples(config, checkpoint, problems, {**asdict(sampling), "chat": config.chat})
    chunks = plan(problems, sampling)
    left = [chunk for chunk in chunks if not is_finished(chunk.expected, file.samples)]
    file.keep({key for chunk in chunks if chunk not in left for key in chunk.expected})
    policy = load_policy(checkpoint, device=config.device, chat=config.chat)
    return _judge_all((write_drafts(policy, chunk, sampling) for chunk in left), file, config, len(left))


def _open_samples(
    config: EvaluateConfig, origin: str | Path, problems: Sequence[Problem], settings: dict[str, object]
) -> SampleFile:
    """The samples that have been made and judged in the same way before."""
    scorer = scorer_identity(config.scorer_url) if config.with_scores else None
    return SampleFile(config.run_dir / "samples.jsonl", fingerprint(origin, problems, {**settings, "scorer": scorer}))


def _judge_all(drafts: Iterable[Drafts], file: SampleFile, config: EvaluateConfig, total: int) -> list[Sample]:
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


def summarise(
    samples: Sequence[Sample], ks: Sequence[int], problems: Sequence[Problem], seconds: float
) -> EvaluateSummary:
    """The figures of judged and unjudged samples."""
    judged = [sample for sample in samples if sample.verdict is not None]
    greedy = [float(sample.passed) for sample in judged if sample.kind == "greedy"]
    outcomes: dict[str, list[bool]] = defaultdict(list)
    for sample in judged:
        if sample.kind != "greedy":
            outcomes[sample.task_id].append(sample.passed)
    counts = [(len(passed), sum(passed)) for passed in outcomes.values()]
    estimates = {k: mean_pass_at_k(counts, k) for k in ks}
    errors = {k: standard_error(counts, k) for k in ks}
    chosen = picks(judged)
    return EvaluateSummary(
        problems=len(problems),
        unattempted=len(problems) - len({sample.task_id for sample in samples}),
        samples=len(samples),
        unanswered=len(samples) - len(judged),
        greedy_pass_at_1=_mean(greedy),
        greedy_interval=interval(greedy),
        pass_at_k={k: value for k, value in estimates.items() if value is not None},
        intervals={
            k: interval([pass_at_k(n, c, k) for n, c in counts if n >= k]) for k in ks if estimates[k] is not None
        },
        standard_error={k: value for k, value in errors.items() if value is not None},
        best_of_n=next((pick.share for pick in chosen if pick.rule == "PRM, mean"), None),
        picks=chosen,
        verdicts=dict(Counter(str(sample.verdict) for sample in judged).most_common()),
        distinct=len({(sample.task_id, sample.completion) for sample in samples}),
        mean_lines=_mean([len(sample.completion.splitlines()) for sample in samples]) or 0.0,
        seconds=seconds,
        note=overlap_note(problems),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
