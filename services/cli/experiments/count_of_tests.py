"""How many tests a problem needs before more of them make no better PRM."""

from dataclasses import dataclass
from pathlib import Path

from services.cli.errors import UsageError
from services.cli.experiments.arms import PrmExperiment
from services.cli.experiments.comparing import compare_arms
from services.cli.experiments.findings import Findings, Grid, write_findings
from services.cli.experiments.labels import label_files
from services.cli.experiments.weaker_tests import Survivors, killed, relabelled_file
from services.contracts import JobRequest, LabelRecord
from trainer.problems.files import read_models


@dataclass(frozen=True)
class CountOfTests(PrmExperiment):
    """Settings of `linewise experiment test-count-vs-accuracy`."""

    counts: tuple[int, ...] = (1, 3, 35)
    """Tests of a problem: its own up to so many, and what is missing made by augmentation."""
    survivors: Survivors = "positive"
    """What becomes of a mutant that the fewer tests let pass: `positive`, the paper's rule, or `unlabelled`, ours."""
    run_dir: Path = Path("runs/test-count-vs-accuracy")
    """Where labels, PRMs and report go."""


def count_of_tests(config: CountOfTests) -> Findings:
    """Label with each number of tests, train PRMs, and measure all on the labels of the largest number.

    Raises:
        UsageError: there are not two numbers of at least one test.
    """
    counts = sorted(set(config.counts))
    if len(counts) < 2 or counts[0] < 1:
        raise UsageError("--counts wants at least two numbers, each at least 1.")
    folder = config.run_dir / "labels"
    files = label_files(folder, {str(count): _job(config, count) for count in counts})
    truth = files[str(counts[-1])]
    found = {count: killed(read_models(files[str(count)], LabelRecord)) for count in counts}
    arms = {
        f"{count} tests": relabelled_file(
            truth, found[count], config.survivors, folder / _file_name(config, truth, count)
        )
        for count in counts
    }
    rows: list[list[object]] = [
        [f"{count} tests", len(found[count] & found[counts[-1]]), len(found[counts[-1]] - found[count])]
        for count in counts
    ]
    note = f"A mutant that passes the fewer tests is {config.survivors} there."
    labels = Grid("Labels", ("tests a problem", "mutants found wrong", "let pass"), rows, note)
    grids = [labels, compare_arms(config, config.run_dir, arms, truth)]
    lead = f"{config.problems}, labelled with {', '.join(map(str, counts))} tests a problem."
    return write_findings(Findings("How many tests make good labels?", lead, grids, config.run_dir), config)


def _file_name(config: CountOfTests, truth: Path, count: int) -> str:
    return f"{truth.stem}-as-by-{count}-{config.survivors}.jsonl"


def _job(config: CountOfTests, count: int) -> JobRequest:
    request = config.job(f"test-count-{count}")
    own = max(len(problem.tests) for problem in request.problems)
    problems = [problem.model_copy(update={"tests": problem.tests[:count]}) for problem in request.problems]
    return request.model_copy(update={"problems": problems, "augmented_tests": max(0, count - own)})
