"""How well a PRM tells the programs that a policy wrote: AUC of its scores against the tests' verdicts.

    linewise evaluate --policy ... --with-scores
    python benchmarks/prm_on_samples.py runs/evaluate/samples.jsonl

Samples without a verdict or without a scored line are left out and counted.
"""

import argparse
import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from sklearn.metrics import roc_auc_score

from services.contracts import Verdict
from trainer.samples import Sample

FORMS: dict[str, Callable[[Sequence[float]], float]] = {
    "mean": statistics.fmean,
    "min": min,
    "last": lambda scores: scores[-1],
    "product": math.prod,
}


def main(path: Path) -> None:
    """Print the AUC of each aggregate."""
    samples = [Sample.model_validate_json(line) for line in path.read_text(encoding="utf-8").splitlines()]
    usable = [sample for sample in samples if sample.verdict is not None and sample.scores]
    accepted = [sample.verdict is Verdict.ACCEPTED for sample in usable]
    print(f"{len(usable)} of {len(samples)} programs, {sum(accepted)} accepted")
    for name, form in FORMS.items():
        scores = [form([score for _, score in sample.scores or ()]) for sample in usable]
        print(f"AUC by the {name}: {roc_auc_score(accepted, scores):.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samples", type=Path)
    main(parser.parse_args().samples)
