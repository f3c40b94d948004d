"""What is said of arms that were run: when a curve reached a level, and that a flat one reached nothing."""

from pathlib import Path

from services.cli.experiments.process_vs_outcome_findings import findings
from trainer.experiments.outcome import Measured, Trained


def trained(arm: str, seed: int, *passed: float, gained: int = 0) -> Trained:
    """A run of iterations of 1,024 rollouts with these pass rates."""
    metrics = [{"rewards/accepted": each, "objective/kl": 0.1} for each in passed]
    return Trained(arm, seed, {}, metrics, before=measured(seed), after=measured(seed + gained))


def measured(seed: int) -> Measured:
    return Measured([0.5, 0.25 + seed / 10], [1.0, 1.0], greedy=0.5, lines=5.0, distinct=0.5)


def test_how_soon_an_arm_reaches_outcomes_end_is_told_of_seeds_in_which_there_was_a_way_to_go(tmp_path: Path) -> None:
    runs = [
        trained("outcome", 0, 0.1, 0.2, 0.2, 0.3),
        trained("outcome", 1, 0.3, 0.2, 0.2, 0.2),
        trained("process", 0, 0.1, 0.3, 0.4, 0.4),
        trained("process", 1, 0.3, 0.3, 0.3, 0.3),
        trained("shuffled", 0, 0.3, 0.1, 0.1, 0.1),
    ]
    found = findings(tmp_path, runs, rollouts=1024)
    grid = next(grid for grid in found.grids if grid.title.startswith("How soon"))
    assert [list(row) for row in grid.rows] == [
        ["outcome", 1, 0, 1, 4096],
        ["process", 1, 0, 1, 2048],
        ["shuffled", 1, 1, 0, None],
    ]


def test_where_policies_differ_an_arm_is_held_against_its_own(tmp_path: Path) -> None:
    runs = [
        trained(arm, seed, 0.1, 0.2, gained=gained)
        for arm, gained in (("outcome", 1), ("process", 3))
        for seed in (0, 1)
    ]
    grids = {grid.title: grid for grid in findings(tmp_path, runs, rollouts=1024).grids}
    ends = {row[0]: (row[1].split()[0], row[-1]) for row in grids["Where the arms end"].rows}
    assert ends == {"before": ("0.400", 2), "outcome": ("0.450", 2), "process": ("0.550", 2)}
    gains = {row[0]: row[3] for row in grids["Against the policy before"].rows if row[1] == "pass@1"}
    assert gains == {"outcome": "+0.050, +0.050", "process": "+0.150, +0.150"}
    assert [row[3] for row in grids["Against outcome"].rows] == ["+0.100, +0.100", "+0.000, +0.000"]


def test_a_pass_rate_is_the_mean_of_no_more_than_a_quarter_of_a_run(tmp_path: Path) -> None:
    rising = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
    runs = [trained("outcome", 0, *rising), trained("process", 0, *(2 * each for each in rising))]
    found = findings(tmp_path, runs, rollouts=32)
    grid = next(grid for grid in found.grids if grid.title.startswith("How soon"))
    assert "mean of the last 64 rollouts" in grid.note
    assert [row[-1] for row in grid.rows] == [8 * 32, 5 * 32]
