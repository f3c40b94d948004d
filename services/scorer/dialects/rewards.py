"""`POST /get_reward` in plain functions: OpenRLHF's body to score requests, replies to one number a query."""

from collections.abc import Sequence

from services.contracts import AggregateForm, RewardOptions, RewardReply, RewardRequest, ScoreReply, ScoreRequest
from services.kit.errors import BadRequestError
from services.scorer.dialects.reading import Reader


def score_requests(request: RewardRequest, options: RewardOptions, reader: Reader) -> list[ScoreRequest]:
    """A request for each query.

    Raises:
        BadRequestError: there is no prompt for each query, or a query that doesn't begin with its prompt.
    """
    if request.prompts is None or len(request.prompts) != len(request.query):
        raise BadRequestError("prompts_needed", "give one of `prompts` for each `query`: the prompt is no code")
    found = [reader.query(*pair) for pair in zip(request.query, request.prompts, strict=True)]
    return [
        ScoreRequest(
            prompt=item.prompt,
            code=item.code,
            segment=options.segment,
            model=options.model,
            truncate=options.truncate,
        )
        for item in found
    ]


def reward_reply(replies: Sequence[ScoreReply], form: AggregateForm) -> RewardReply:
    """One number a program, and all the others as logs."""
    rewards = [one_number(reply, form) for reply in replies]
    logs = {f"prm_{each}": [one_number(reply, each) for reply in replies] for each in AggregateForm}
    logs["code_steps"] = [float(sum(step.score is not None for step in reply.steps)) for reply in replies]
    logs["truncated"] = [float(reply.truncated) for reply in replies]
    return RewardReply(rewards=rewards, scores=rewards, extra_logs=logs)


def one_number(reply: ScoreReply, form: AggregateForm) -> float:
    """The aggregate; 0 for a program without a code step, which is the program's own fault and no failure of ours."""
    value: float | None = getattr(reply.aggregate, form.value)
    return 0.0 if value is None else value
