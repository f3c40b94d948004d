"""From judgements to token rewards: what is earned, and on which token it lands."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers
from transformers import PreTrainedTokenizerFast

from services.contracts import StepKind, Verdict, split_steps
from trainer.policies.spans import TokenSpans
from trainer.problems import load_problems
from trainer.rewards import (
    Judgement,
    ProcessForm,
    ProgramReward,
    RewardForm,
    StepScore,
    penalised,
    program_reward,
    step_numbers,
    step_rewards,
    token_at,
    token_rewards,
)
from trainer.tokenizers import train_bpe

STEPS = (StepScore(9, 0.5), StepScore(20, 1.0))
ACCEPTED = Judgement(STEPS, Verdict.ACCEPTED)
FAILED = Judgement(STEPS, Verdict.WRONG_ANSWER)


def test_sum_gives_each_step_its_score_and_mean_its_share() -> None:
    assert program_reward(ACCEPTED, RewardForm("process", "sum")) == ProgramReward(STEPS, 0.0)
    mean = program_reward(ACCEPTED, RewardForm("process", "mean"))
    assert mean == ProgramReward((StepScore(9, 0.25), StepScore(20, 0.5)), 0.0)
    assert mean.total == 0.75


def test_more_lines_of_the_same_score_earn_no_more_under_the_mean() -> None:
    programs = [Judgement(tuple(StepScore(end, 0.8) for end in range(1, lines + 1))) for lines in (1, 7, 40)]
    totals = [program_reward(program, RewardForm("process", "mean")).total for program in programs]
    assert totals == pytest.approx([0.8, 0.8, 0.8])


def test_softmin_adds_up_to_about_the_smallest_score_which_more_lines_cannot_raise() -> None:
    form = RewardForm("process", "softmin")
    steps = (StepScore(3, 0.2), StepScore(9, 0.9))
    short, padded = Judgement(steps), Judgement((*steps, *(StepScore(10 + line, 1.0) for line in range(5))))
    first, second = program_reward(short, form).steps
    weight = 1 / (1 + math.exp(-7))  # softmax([-2, -9])
    assert (first.score, second.score) == pytest.approx((0.2 * weight, 0.9 * (1 - weight)))
    assert program_reward(padded, form).total == pytest.approx(0.2, abs=0.01)


def test_what_is_settled_by_the_verdict_comes_line_by_line_and_to_the_verdict_in_total() -> None:
    form = RewardForm("settled", "delta")
    for judgement, verdict in ((ACCEPTED, 1.0), (FAILED, 0.0)):
        reward = program_reward(judgement, form)
        assert reward == ProgramReward((StepScore(9, 0.5), StepScore(20, 0.5)), verdict - 1.0)
        assert reward.total == verdict
    assert program_reward(Judgement((), Verdict.ACCEPTED), form) == ProgramReward((), 1.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_changes_telescope_and_no_form_of_a_product_can_be_raised_by_a_needless_step(scores: list[float]) -> None:
    def earned(values: list[float], form: ProcessForm) -> float:
        steps = tuple(StepScore(end, score) for end, score in enumerate(values, start=1))
        return program_reward(Judgement(steps), RewardForm("process", form)).total

    assert earned(scores, "delta") == pytest.approx(scores[-1])
    assert earned(scores, "progress") == pytest.approx(math.prod(scores))
    assert earned([*scores, 1.0], "progress") == pytest.approx(math.prod(scores))
    assert 0 <= earned(scores, "share") <= 1
    assert earned([*scores, 0.0], "share") <= earned(scores, "share")


def test_a_share_ends_with_the_first_wrong_step() -> None:
    steps = tuple(StepScore(end, score) for end, score in enumerate((1.0, 1.0, 0.0, 1.0), start=1))
    reward = program_reward(Judgement(steps), RewardForm("process", "share"))
    assert [step.score for step in reward.steps] == [0.25, 0.25, 0.0, 0.0]


@pytest.mark.parametrize("verdict", [verdict for verdict in Verdict if verdict is not Verdict.INTERNAL_ERROR])
def test_outcome_is_one_for_accepted_alone_and_stands_at_the_last_token(verdict: Verdict) -> None:
    reward = program_reward(Judgement(None, verdict), RewardForm("outcome", "sum"))
    assert reward == ProgramReward((), 1.0 if verdict is Verdict.ACCEPTED else 0.0)


def test_mixed_rewards_share_by_the_weight() -> None:
    form = RewardForm("process+outcome", "sum", outcome_weight=0.25)
    assert program_reward(ACCEPTED, form) == ProgramReward((StepScore(9, 0.375), StepScore(20, 0.75)), 0.25)
    assert program_reward(FAILED, form).last == 0.0


@pytest.mark.parametrize(
    ("judgement", "kind"),
    [
        (Judgement((), Verdict.INTERNAL_ERROR), "outcome"),
        (Judgement((), Verdict.INTERNAL_ERROR), "process+outcome"),
        (Judgement((), None), "outcome"),
        (Judgement(None, Verdict.ACCEPTED), "process"),
    ],
)
def test_a_failure_of_ours_is_never_a_reward(judgement: Judgement, kind: str) -> None:
    with pytest.raises(ValueError):
        program_reward(judgement, RewardForm(kind))


def test_a_program_without_a_code_step_earns_nothing() -> None:
    for form in ("sum", "mean", "softmin"):
        assert program_reward(Judgement(()), RewardForm("process", form)) == ProgramReward((), 0.0)


def test_a_program_that_was_not_ended_pays_the_penalty_at_its_last_token() -> None:
    form = RewardForm("outcome", missing_eos_penalty=0.3)
    assert program_reward(ACCEPTED, form, finished=False).last == pytest.approx(0.7)
    assert program_reward(ACCEPTED, form, finished=True).last == 1.0


def test_rewards_land_on_their_tokens_and_those_of_one_token_add_up() -> None:
    spans = [[(0, 4), (4, 9), (9, 10), (10, 20), (20, 20)], [(0, 20), (20, 20)]]
    earned = ProgramReward(STEPS, 2.0)
    expected = [[0, 0.5, 0, 1.0, 2.0], [1.5, 2.0, 0, 0, 0]]
    torch.testing.assert_close(token_rewards([earned, earned], spans, 5), torch.tensor(expected))


def test_a_token_belongs_to_the_step_that_it_works_towards() -> None:
    spans = [(0, 3), (3, 4), (4, 6), (6, 9), (9, 9)]
    judgement = Judgement((StepScore(3, 1.0), StepScore(6, 0.0)))
    assert step_numbers(judgement, spans) == [0, 1, 1, 2, 2]
    assert step_numbers(Judgement(verdict=Verdict.ACCEPTED), spans) == [0] * 5


def test_a_token_bears_the_score_of_its_step_and_behind_the_last_none() -> None:
    spans = [(0, 3), (3, 4), (4, 6), (6, 9), (9, 9)]
    judgement = Judgement((StepScore(3, 1.0), StepScore(6, 0.25)))
    assert step_rewards(judgement, spans, RewardForm("outcome", "sum"))[:3] == [1.0, 0.25, 0.25]
    assert all(math.isnan(score) for score in step_rewards(judgement, spans, RewardForm("outcome", "sum"))[3:])
    assert all(math.isnan(score) for score in step_rewards(Judgement(), spans, RewardForm("outcome", "sum")))


def test_shuffled_scores_are_those_of_the_program_in_the_places_of_its_shuffled_rewards() -> None:
    steps = tuple(StepScore(end, end / 10) for end in range(1, 9))
    spans = [(end - 1, end) for end in range(1, 9)]
    form = RewardForm("process", "sum", shuffled=True)
    told = step_rewards(Judgement(steps), spans, form, seed=3)
    assert told != [step.score for step in steps]
    assert told == [step.score for step in program_reward(Judgement(steps), form, seed=3).steps]


def test_the_penalty_is_beta_times_the_log_ratio_on_real_tokens() -> None:
    rewards, mask = torch.tensor([[0.0, 1.0, 5.0]]), torch.tensor([[True, True, False]])
    logprobs, ref = torch.tensor([[-1.0, -2.0, 0.0]]), torch.tensor([[-1.5, -1.0, -9.0]])
    expected = torch.tensor([[-0.05, 1.1, 0.0]])
    torch.testing.assert_close(penalised(rewards, logprobs, ref, mask, beta=0.1), expected)


TRICKY = {
    "emoji": "s = '🎉👩‍👩‍👧'\nt = '日本'  # ✓\nreturn s\n",
    "tabs": "def f(x):\n\tif x:\n\t\treturn 1\n\treturn 2",
    "crlf": "def f(x):\r\n\ty = x\r\n\r\n    return y\r\n",
    "emoji ends a step": "x = 1 # 🎉\ny = '🎉'\n'🎉'",
    "lone newlines": "\n\n\nx\n\n",
    "one character": "x",
}
PROGRAMS = {f"mbpp {problem.id}": problem.solution for problem in load_problems("mbpp")} | TRICKY


@pytest.mark.parametrize("vocabulary", [259, 800])
def test_every_step_of_every_program_ends_on_the_token_that_holds_its_last_character(vocabulary: int) -> None:
    """Also with CRLF restored, as MBPP has it, and with a vocabulary of bare bytes."""
    tokenizer = train_bpe(list(PROGRAMS.values())[:300], vocabulary)
    spans_of = TokenSpans(tokenizer)
    for name, code in [*PROGRAMS.items(), *((name, code.replace("\n", "\r\n")) for name, code in PROGRAMS.items())]:
        ids = [*tokenizer(code).input_ids, tokenizer.eos_token_id]
        spans = spans_of.of(ids, code)
        held = [code[start:end] for start, end in spans]
        assert "".join(held) == code, name
        for step in split_steps(code):
            if step.kind is StepKind.CODE:
                at = token_at(spans, step.end)
                start, end = spans[at]
                assert start < step.end <= end, (name, step)
                assert "\n" not in held[at], (name, step)


@pytest.mark.parametrize("name", TRICKY)
def test_the_token_of_a_step_is_the_first_whose_prefix_decodes_to_the_whole_step(name: str) -> None:
    code = TRICKY[name]
    tokenizer = train_bpe(["x = 1\n"], 259)
    ids = tokenizer(code).input_ids
    spans = TokenSpans(tokenizer).of(ids, code)
    for step in split_steps(code):
        if step.kind is StepKind.CODE:
            at = token_at(spans, step.end)
            assert tokenizer.decode(ids[: at + 1]).startswith(code[: step.end])
            assert not tokenizer.decode(ids[:at]).startswith(code[: step.end])


@pytest.fixture(scope="module")
def sentencepiece() -> PreTrainedTokenizerFast:
    """As Llama's: pieces that bear the space before them, and bytes for what no piece says (newlines, tabs, emoji)."""
    words = ["▁", "▁▁", "▁▁▁▁", "▁return", "▁def", "def", "return", *map(chr, range(0x21, 0x7F))]
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *words]
    backend = Tokenizer(models.Unigram([(piece, -1.0) for piece in pieces], unk_id=0, byte_fallback=True))
    backend.normalizer = normalizers.Replace(" ", "▁")
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


def test_steps_end_on_their_tokens_under_sentencepiece_too(sentencepiece: PreTrainedTokenizerFast) -> None:
    spans_of = TokenSpans(sentencepiece)
    for name, plain in PROGRAMS.items():
        for code in (plain, plain.replace("\n", "\r\n")) if name in TRICKY else (plain,):
            ids = sentencepiece(code, add_special_tokens=False).input_ids
            spans = spans_of.of([*ids, sentencepiece.eos_token_id], code)
            assert "".join(code[start:end] for start, end in spans) == code, name
            for step in split_steps(code):
                if step.kind is StepKind.CODE:
                    at = token_at(spans, step.end)
                    assert spans[at][0] < step.end <= spans[at][1], (name, step)
                    assert "\n" not in code[slice(*spans[at])], (name, step)
