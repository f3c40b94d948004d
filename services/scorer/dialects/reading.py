"""Which part of a foreign text is the prompt and which the program; what can't be told apart is refused, never guessed.

Knows neither HTTP nor the model. `docs/dialects.md` tells these rules to people.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.contracts.programs import find_program, read_text
from services.kit.errors import BadRequestError

ANSWER_MARKERS = (
    "<|im_start|>assistant\n",
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "<start_of_turn>model\n",
    "<|assistant|>\n",
    "<｜Assistant｜>",
    "[/INST]",
)
"""What chat templates write before an answer: ChatML (Qwen), Llama 3, Gemma, Phi and Zephyr, DeepSeek, Mistral."""

STOP_TEXTS = (
    "<|im_end|>",
    "<|endoftext|>",
    "</s>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "<end_of_turn>",
    "<eos>",
    "<pad>",
    "<|end|>",
    "<｜end▁of▁sentence｜>",
    "<|eos|>",
    "<|pad|>",
)
"""The ends of a sequence as text, for trainers that decode special tokens too."""

_STEP_TAG = "<extra_0>"
_LEAST_OVERLAP = 16


@dataclass(frozen=True, slots=True)
class Found:
    """A program and its prompt; `start` is where `code` begins in the text that it was found in."""

    prompt: str
    code: str
    start: int = 0


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads prompts and programs out of texts, with the template's markers and ends of sequence that it is given."""

    answer_markers: Sequence[str] = ANSWER_MARKERS
    stop_texts: Sequence[str] = STOP_TEXTS

    def query(self, query: str, prompt: str) -> Found:
        """OpenRLHF's: the decoded whole and its prompt.

        Raises:
            BadRequestError: `query` begins neither with `prompt` nor with its end.
        """
        return self._answer(query, behind_prompt(query, prompt), prompt)

    def chat_text(self, text: str) -> Found:
        """A rendered chat: the prompt is what stands before the answer's marker.

        Raises:
            BadRequestError: there is no marker, or more than one, which a policy could have written itself.
        """
        if _STEP_TAG in text:
            raise BadRequestError("foreign_steps", f"steps are lines of the program, {_STEP_TAG} can't set others")
        marks = [(text.find(mark), mark) for mark in self.answer_markers for _ in range(text.count(mark))]
        if not marks:
            raise BadRequestError(
                "prompt_not_marked",
                "the input doesn't say where its prompt ends: send `messages`, a text rendered by a chat template, "
                "or `?prompt_lines=N`",
            )
        if len(marks) > 1:
            raise BadRequestError(
                "prompt_ambiguous", f"the input has {len(marks)} markers of an answer; send `messages` instead"
            )
        start, mark = marks[0]
        return self._answer(text, start + len(mark), text[:start])

    def lines(self, text: str, prompt_lines: int) -> Found:
        """TRL's flat form: so many lines of prompt, then a step a line, as it stands."""
        start = 0
        for _ in range(prompt_lines):
            newline = text.find("\n", start)
            start = len(text) if newline < 0 else newline + 1
        return Found(text[:start].removesuffix("\n"), text[start:], start)

    def messages(self, messages: Sequence[dict[str, Any]]) -> Found:
        """A chat: the program is in the last message, the assistant's; the others' texts are the prompt.

        Raises:
            BadRequestError: the last message isn't the assistant's, or one holds something else than text.
        """
        if not messages or messages[-1].get("role") != "assistant":
            raise BadRequestError("no_answer", "the last message must be the assistant's: it is what is scored")
        try:
            prompt, answer = read_text(messages[:-1]), read_text(messages[-1:])
        except ValueError as error:
            raise BadRequestError("not_text", str(error)) from error
        return self._answer(answer, 0, prompt)

    def _answer(self, text: str, start: int, prompt: str) -> Found:
        answer = self._without_stops(text[start:])
        at, end = find_program(answer, prompt)
        return Found(prompt, answer[at:end], start + at)

    def _without_stops(self, answer: str) -> str:
        """Linear in `answer`, however many there are: a policy may write nothing else."""
        end = at = len(answer)
        while True:
            while at and answer[at - 1].isspace():
                at -= 1
            stop = next((stop for stop in self.stop_texts if answer.endswith(stop, 0, at)), None)
            if stop is None:
                return answer[:end]
            end = at = at - len(stop)


def behind_prompt(query: str, prompt: str) -> int:
    """Where the completion begins in `query`.

    A trainer that cuts a long prompt keeps its end, so `query` may begin with the prompt's last characters, 16 or more.

    Raises:
        BadRequestError: it begins with neither.
    """
    if query.startswith(prompt):
        return len(prompt)
    head = query[:_LEAST_OVERLAP]
    at = prompt.find(head) if len(head) == _LEAST_OVERLAP else -1
    while at >= 0:
        if query.startswith(prompt[at:]):
            return len(prompt) - at
        at = prompt.find(head, at + 1)
    raise BadRequestError(
        "prompt_not_found",
        "the query begins neither with its prompt nor with the prompt's end; "
        "does its tokenizer decode to what it was given?",
    )
