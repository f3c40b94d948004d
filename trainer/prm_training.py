"""The loop that trains a PRM: epochs over packs of labelled steps, early stop, the best weights kept.

The loss is cross-entropy at the ends of labelled steps only, each kind of step weighing the same. A model built from
nothing also learns to predict the tokens of positive steps, which tells it what ordinary code looks like.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from trainer.budget import Budget, rate_factor
from trainer.prm_config import PrmConfig
from trainer.prm_figures import ScoredSteps, score_steps
from trainer.prm_model import PRESETS, Backbone
from trainer.prm_parts import Part
from trainer.prm_tree import IGNORED, KINDS, Batch, Pack, make_batches
from trainer.progress import Bar, progress_bar
from trainer.runs import Run, replacing
from trainer.state_files import has_state, load_state, save_state


class PrmTraining:
    """The loop over epochs, with the best weights kept in memory."""

    def __init__(self, backbone: Backbone, config: PrmConfig, training: Part, validation: Part, run: Run) -> None:
        self.epochs = 0
        self._backbone = backbone
        self._config = config
        self._training = training.packs
        self._validation = validation.packs
        self._run = run
        self._from_nothing = config.backbone in PRESETS
        self._weights = kind_weights(training.packs, balanced=config.balanced).to(config.device)
        self._rate = config.learning_rate or (2e-3 if self._from_nothing else 5e-5)
        self._optimizer = torch.optim.AdamW(self._learning().values(), weight_decay=config.weight_decay)
        self.budget = self._new_budget()
        self.seconds = 0.0
        self._best_loss, self._best, self._waited = float("inf"), self._snapshot(), 0

    def fit(self) -> None:
        """Train until the budget is spent or validation stops getting better; the model ends with its best weights."""
        self._resume()
        with progress_bar("prm", total=100) as bar:
            while not self.budget.exhausted and self._waited < self._config.patience:
                train_loss = self._epoch(bar)
                self.epochs += 1
                loss = self._validate(train_loss)
                self._waited = self._waited + 1 if loss >= self._best_loss else 0
                if self._waited == 0:
                    self._best_loss, self._best = loss, self._snapshot()
                self._save()
                bar.move_to(100 * self.budget.fraction, note=f"validation loss {loss:.3f}")
        self.seconds = self.budget.seconds
        self._restore(self._best)
        self._backbone.model.eval()

    @property
    def iterations(self) -> int:
        """Batches learnt from."""
        return self.budget.done

    def score(self, part: Part) -> ScoredSteps:
        """Score every labelled step of a part."""
        return score_steps(self._backbone, part.packs, self._config.batch_tokens)

    def _save(self) -> None:
        """Keep all that the next epoch depends on; orders and dropout follow from the seed and the epoch."""
        state = {
            "model": self._learning(),
            "best": self._best,
            "optimizer": self._optimizer.state_dict(),
            "best_loss": self._best_loss,
            "waited": self._waited,
            "epochs": self.epochs,
            "iterations": self.budget.done,
            "seconds": self.budget.seconds,
        }
        with replacing(self._state_folder) as folder:
            save_state(folder, state)

    def _resume(self) -> None:
        """Go on behind the last epoch that was saved, where that is wanted and there is one."""
        done, spent_s = 0, 0.0
        if self._config.resume and has_state(self._state_folder):
            state = load_state(self._state_folder, self._config.device)
            self._restore(state["model"])
            self._optimizer.load_state_dict(state["optimizer"])
            self._best, self._best_loss, self._waited = state["best"], state["best_loss"], state["waited"]
            self.epochs = state["epochs"]
            done, spent_s = state["iterations"], state["seconds"]
        self._run.rewind(self.epochs)
        self.budget = self._new_budget(done=done, spent_s=spent_s)

    def _new_budget(self, *, done: int = 0, spent_s: float = 0.0) -> Budget:
        iterations = round(self._config.epochs * len(make_batches(self._training, self._config.batch_tokens)))
        return Budget(iterations, self._config.max_minutes, done=done, spent_s=spent_s)

    @property
    def _state_folder(self) -> Path:
        return self._run.checkpoint("last")

    def _snapshot(self) -> dict[str, Tensor]:
        return {name: weights.detach().clone() for name, weights in self._learning().items()}

    def _learning(self) -> dict[str, torch.nn.Parameter]:
        """The weights that learn, by name."""
        return {name: weights for name, weights in self._backbone.model.named_parameters() if weights.requires_grad}

    @torch.no_grad()
    def _restore(self, kept: dict[str, Tensor]) -> None:
        for name, weights in self._learning().items():
            weights.copy_(kept[name])

    def _epoch(self, bar: Bar) -> float:
        """One pass over the training packs, or as much of it as the budget allows; the mean loss."""
        torch.manual_seed(self._config.seed + self.epochs)
        rng = random.Random(f"{self._config.seed}, {self.epochs}")
        self._backbone.model.train()
        losses: list[float] = []
        for packs in make_batches(self._training, self._config.batch_tokens, rng):
            losses.append(self._learn(self._backbone.batch(packs)))
            self.budget.done += 1
            bar.move_to(100 * self.budget.fraction)
            if self.budget.exhausted:
                break
        return sum(losses) / len(losses)

    def _learn(self, batch: Batch) -> float:
        config, model = self._config, self._backbone.model
        factor = rate_factor(self.budget.done, self.budget.fraction, warmup=config.warmup_iterations, decay=1.0)
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate * factor
        language = config.language_weight if self._from_nothing else 0.0
        output = self._backbone.forward(batch, hidden_states=language > 0)
        loss = step_loss(output.logits, batch.labels, self._weights[batch.kinds], batch.targets)
        total = loss + language * language_loss(model, output.hidden_states[-1], batch) if language else loss
        self._optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        self._optimizer.step()
        return float(loss.detach())

    def _validate(self, train_loss: float) -> float:
        steps = score_steps(self._backbone, self._validation, self._config.batch_tokens)
        loss = float(step_loss(steps.logits, steps.labels, self._weights.cpu()[steps.kinds], steps.targets))
        accuracy = float((steps.logits.argmax(dim=1) == steps.labels).float().mean())
        figures = {"prm/loss": train_loss, "prm/validation_loss": loss, "prm/validation_accuracy": accuracy}
        self._run.log(self.epochs, {**figures, "timing_s/total": self.budget.seconds})
        return loss


def step_loss(logits: Tensor, labels: Tensor, weights: Tensor, targets: Tensor) -> Tensor:
    """The weighted mean of cross-entropies to `targets` where `labels` are not `IGNORED`, 0 if they all are.

    `logits` `[..., 2]`; `labels`, `weights` and `targets`, the probability of 1, `[...]`.
    """
    counted = labels != IGNORED
    if not counted.any():
        return logits.sum() * 0
    likely = targets[counted].float()
    losses = cross_entropy(logits[counted].float(), torch.stack([1 - likely, likely], dim=1), reduction="none")
    return (losses * weights[counted]).sum() / weights[counted].sum()


def language_loss(model: Any, hidden: Tensor, batch: Batch) -> Tensor:
    """Next-token cross-entropy on the tokens of positive steps, with the input embeddings as the output layer.

    `hidden` `[batch, tokens, width]`: the last layer. A token is predicted from the one before it in its program.
    """
    row, column = (batch.clean & (batch.before >= 0)).nonzero(as_tuple=True)
    if not len(row):
        return hidden.sum() * 0
    logits = hidden[row, batch.before[row, column]] @ model.get_input_embeddings().weight.T
    return cross_entropy(logits.float(), batch.ids[row, column])


def kind_weights(packs: Sequence[Pack], *, balanced: bool) -> Tensor:
    """A weight for each of `KINDS`: all that occur weigh the same in total, or each step does where not `balanced`.

    Not two classes but kinds, since a refactored step often shows that it is one. Were the positives one class, steps
    that look like a reference's would mostly be mutants', and a right line would be taken for wrong by its looks.
    """
    kinds = torch.cat([pack.kinds[pack.labels != IGNORED] for pack in packs])
    counts = torch.bincount(kinds, minlength=len(KINDS)).float()
    if not balanced:
        return torch.ones(len(KINDS))
    return len(kinds) / (int((counts > 0).sum()) * counts.clamp(min=1))
