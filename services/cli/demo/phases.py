"""The phases of the method, each as one call of the room that does it; what they return goes into the ledger.

Imports the trainer, and so torch: imported when a demo runs.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from services.cli.demo.elsewhere import load_prm
from services.cli.demo.plan import DemoPlan
from services.cli.demo.samples import sampled
from services.cli.errors import FailedError
from services.cli.labeling import export, follow
from services.cli.stack import LINEWISE
from services.client import ScorerClient
from services.contracts import Job, JobRequest, JobStatus, ModelInfo
from trainer.evaluate import EvaluateConfig, EvaluateSummary, evaluate
from trainer.ppo import PpoConfig, PpoSummary, train_ppo
from trainer.prm import PrmConfig, PrmSummary, train_prm
from trainer.problems import load_problems


@dataclass(frozen=True)
class Phases:
    """The phases of one plan, all files but the PRM's checkpoint below `folder`.

    folder/labels/{mbpp,lists}.jsonl   sft/ ppo/ evaluate-*/ prm-run/   runs as the trainer writes them
    prm_folder/                        the checkpoint that the scorer serves
    """

    plan: DemoPlan
    folder: Path
    prm_folder: Path

    def label(self, name: str, spec: str, labeler_url: str) -> dict[str, Any]:
        """Phase 2: label the problems of `spec` through `POST /jobs`; a job that was interrupted is found again."""
        request = JobRequest(
            name=f"demo-{name}",
            problems=load_problems(spec),
            mutants_per_step=self.plan.mutants_per_step,
            refactorings_per_step=self.plan.refactorings_per_step,
            augmented_tests=self.plan.augmented_tests,
            seed=self.plan.seed,
        )
        key = hashlib.sha256(request.model_dump_json().encode()).hexdigest()
        job = follow(labeler_url, request.model_copy(update={"idempotency_key": key}), cancel_if_interrupted=False)
        if job.status is not JobStatus.SUCCEEDED:
            raise FailedError(f"the labelling job {job.id} is {job.status}: {job.error or 'no reason given'}.")
        records = asyncio.run(export(labeler_url, job.id, self._labels(name)))
        return {"spec": spec, "records": records, **_counts(job)}

    def train_prm(self) -> dict[str, Any]:
        """Phase 3: a PRM from the labels, measured on problems that it never saw."""
        config = PrmConfig(
            labels=(self._labels("mbpp"), self._labels("lists")),
            backbone=self.plan.prm_backbone,
            run_dir=self.folder / "prm-run",
            checkpoint=self.prm_folder,
            max_minutes=self.plan.prm_minutes,
            seed=self.plan.seed,
        )
        summary: PrmSummary = train_prm(config)
        return _fields(summary)

    def load_prm(self, urls: Mapping[str, str]) -> dict[str, Any]:
        """Have a scorer that runs elsewhere serve the PRM."""
        return load_prm(urls["scorer"], self.prm_folder).model_dump(mode="json")

    def check_scorer(self, urls: Mapping[str, str]) -> dict[str, Any]:
        """Serve the PRM: what the live scorer says of the model that it loaded."""
        (model,) = asyncio.run(_models(urls["scorer"]))
        return model.model_dump(mode="json")

    def sft_command(self) -> tuple[str, ...]:
        """Phase 1 as a command: a small encoder-decoder policy from nothing, on reference solutions of list tasks."""
        config = {
            "problems": self.plan.sft_problems,
            "run_dir": str(self.folder / "sft"),
            "max_minutes": self.plan.sft_minutes,
            "width": self.plan.policy_width,
            "seed": self.plan.seed,
        }
        file = self.folder / "sft.json"
        file.write_text(json.dumps(config, indent=2), encoding="utf-8")
        return (*LINEWISE, "train", "sft", "--config", str(file))

    def sft_result(self) -> dict[str, Any]:
        """What that command left."""
        summary: dict[str, Any] = json.loads((self.folder / "sft" / "summary.json").read_text(encoding="utf-8"))
        return summary

    def train_ppo(self, urls: Mapping[str, str]) -> dict[str, Any]:
        """Phase 4: PPO, half its reward each line's by `POST /score`, half the verdict's by `POST /execute`.

        Settings are those of the experiment's arm of that name, which kept what the policy could (docs/results.md).
        """
        config = PpoConfig(
            policy=str(self.policy("sft")),
            problems=self.plan.ppo_problems,
            run_dir=self.folder / "ppo",
            reward="process+outcome",
            process_form="progress",
            lam=0.97,
            beta=0.1,
            learning_rate=1e-4,
            value_model="shared",
            value_coefficient=0.5,
            critic_warmup=4,
            scorer_url=urls["scorer"],
            executor_url=urls["executor"],
            iterations=None,
            max_minutes=self.plan.ppo_minutes,
            rollouts=self.plan.ppo_rollouts,
            max_new_tokens=self.plan.max_new_tokens,
            save_every=10,
            resume=True,
            seed=self.plan.seed,
        )
        summary: PpoSummary = train_ppo(config)
        return _fields(summary)

    def evaluate(self, phase: str, urls: Mapping[str, str]) -> dict[str, Any]:
        """pass@k of the policy that `phase` made, on the held-out tasks."""
        config = EvaluateConfig(
            policy=str(self.policy(phase)),
            problems=self.plan.held_out,
            run_dir=self.folder / f"evaluate-{phase}",
            n=self.plan.samples,
            k=(1, 10),
            temperature=1.0,
            max_new_tokens=self.plan.max_new_tokens,
            with_scores=True,
            executor_url=urls["executor"],
            scorer_url=urls["scorer"],
            seed=self.plan.seed,
        )
        summary: EvaluateSummary = evaluate(config)
        return _fields(summary)

    def show(self, urls: Mapping[str, str]) -> dict[str, Any]:
        """Programs for some held-out tasks, before and after, judged by the live services."""
        programs = sampled(
            load_problems(self.plan.held_out)[: self.plan.shown],
            {"before": self.policy("sft"), "after": self.policy("ppo")},
            scorer_url=urls["scorer"],
            executor_url=urls["executor"],
            max_new_tokens=self.plan.max_new_tokens,
        )
        return {"programs": programs}

    def policy(self, phase: str) -> Path:
        """The checkpoint that the training phase `sft` or `ppo` leaves."""
        return self.folder / phase / "checkpoints" / "final"

    def _labels(self, name: str) -> Path:
        path = self.folder / "labels" / f"{name}.jsonl"
        path.parent.mkdir(exist_ok=True)
        return path


async def _models(scorer_url: str) -> list[ModelInfo]:
    async with ScorerClient(scorer_url) as scorer:
        return await scorer.models()


def _fields(summary: Any) -> dict[str, Any]:
    return asdict(summary)


def _counts(job: Job) -> dict[str, Any]:
    return job.model_dump(mode="json", include={"problems", "mutants", "labels", "rejected"})
