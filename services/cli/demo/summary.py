"""Everything that the demo measured, as one JSON object: `summary.json`."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from services.cli.demo.comparison import compare
from services.cli.demo.ledger import Ledger
from services.cli.demo.plan import DemoPlan
from trainer.runs import environment


def summarise(plan: DemoPlan, folder: Path, ledger: Ledger) -> dict[str, Any]:
    """Every figure of the finished phases; nothing in it is computed anew but the comparison of the evaluations.

    `seconds` is wall time. SFT runs beside labelling and PRM, so its own time is only partly in the total.
    """
    results = ledger.results()
    waited = ledger.seconds()
    return {
        "plan": asdict(plan),
        "environment": {**environment(), "cores": len(os.sched_getaffinity(0))},
        "labels": {"mbpp": results["label-mbpp"], "lists": results["label-lists"]},
        "prm": results["prm"],
        "serve": results["serve"],
        "sft": results["sft"],
        "ppo": results["ppo"],
        "evaluation": {
            "before": results["evaluate-before"],
            "after": results["evaluate-after"],
            "pass_at_1": asdict(
                compare(folder / "evaluate-sft" / "samples.jsonl", folder / "evaluate-ppo" / "samples.jsonl")
            ),
        },
        "samples": results["samples"]["programs"],
        "seconds": {**waited, "sft": results["sft"]["seconds"], "total": sum(waited.values())},
    }
