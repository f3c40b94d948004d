"""A folder that brings golden scores proves itself: the model loaded from it gives the scores that it gave when saved.

That catches what a checkpoint can't be seen to lack: weights of another run beside this tokenizer, a lost temperature
or input prefix, a library that computes something else. It is also the model's warm-up at real lengths.
"""

from pathlib import Path

from pydantic import ValidationError

from services.contracts import ScoreRequest
from services.contracts.prm_checkpoint import GOLDEN_FILE, GoldenProgram, GoldenScores
from services.contracts.prm_layout import InputTooLongError
from services.scorer.checkpoint import CheckpointError
from services.scorer.encoding import encode
from services.scorer.prm import Prm


def read_golden(folder: Path) -> GoldenScores | None:
    """The golden scores of a folder, None where it has none.

    Raises:
        CheckpointError: they can't be read.
    """
    path = folder / GOLDEN_FILE
    try:
        return GoldenScores.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise CheckpointError(f"{path} can't be read: {place}: {first['msg']}".replace(": : ", ": ")) from error


def check_golden(prm: Prm, golden: GoldenScores) -> bool:
    """Whether `prm` gives these scores; False where none of the programs is short enough for it.

    Raises:
        CheckpointError: it gives others, by more than the tolerance or its own rounding, or none at these steps.
    """
    tolerance = max(golden.tolerance, prm.rounding)
    checked = 0
    for program in golden.programs:
        try:
            scores = _score(prm, program)
        except InputTooLongError:
            continue
        _compare(program.scores, scores, tolerance)
        checked += 1
    return checked > 0


def _score(prm: Prm, program: GoldenProgram) -> list[float | None]:
    """The scores of all steps, None for those that get none."""
    request = ScoreRequest(prompt=program.prompt, code=program.code, segment=program.segment)
    encoded = encode(request, prm)
    row = prm.score([encoded.input])[0] if encoded.scored_steps else []
    at_step = dict(zip(encoded.scored_steps, row, strict=True))
    return [at_step.get(step.index) for step in encoded.steps]


def _compare(golden: list[float | None], scores: list[float | None], tolerance: float) -> None:
    if [score is None for score in golden] != [score is None for score in scores]:
        raise CheckpointError("its golden scores are of other steps than the code is cut into here")
    pairs = zip(golden, scores, strict=True)
    distances = [abs(one - other) for one, other in pairs if one is not None and other is not None]
    if not all(distance <= tolerance for distance in distances):
        raise CheckpointError(
            f"a score is {max(distances):.2g} off its golden score, {tolerance:.2g} is allowed: these are not the "
            "weights, the tokenizer or the temperature that the golden scores were made with"
        )
