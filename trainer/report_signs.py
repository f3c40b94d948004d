"""Signs of failure in a report: each with its verdict, in a word and a colour, and the reason."""

from collections.abc import Mapping, Sequence
from typing import Any

from trainer.failure_signs import failure_signs
from trainer.report_page import Marked, paragraph, table


def signs_body(metrics: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> str:
    """The signs of a PPO run by its metrics and settings."""
    signs = failure_signs(metrics, settings)
    explained = paragraph(
        "The last fifth of the iterations against the first; a change counts beyond twice its standard error. A "
        "verdict is a reason to look, no proof."
    )
    rows = [[sign.name, Marked(sign.health, sign.health), sign.why] for sign in signs]
    return explained + table(("sign", "verdict", "why"), rows)
