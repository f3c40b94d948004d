"""One question to an OpenAI-compatible server, asked until it is answered, refused, or given up.

| what comes back | what follows |
| --- | --- |
| 429, 502, 503, 504, no connection | asked again, for as long as `patience_s`; then the job fails |
| 408, 409, 425, 500, nothing readable, nothing in `timeout_s` | asked `_ATTEMPTS` times; then it stays unanswered |
| 401, 403, 404, 405, a redirect | the job fails at once: address, model or key is wrong |
| any other 4xx | the question stays unanswered |

Waits grow with jitter and are never shorter than `Retry-After`. The key is in no exception and no log.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import BaseModel, Field, SecretStr, ValidationError

from services.client.retry import RetryPolicy
from services.labeler.errors import TeacherLostError, UnansweredError
from services.labeler.storage import ModelReply

MOST_BYTES = 4 * 1024 * 1024
_ATTEMPTS = 4
_AWAY = frozenset({429, 502, 503, 504})
_FAILED = frozenset({408, 409, 425, 500})
_WRONG_ADDRESS = frozenset({401, 403, 404, 405})
_CHARACTERS_A_TOKEN = 4


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Message | None = None
    text: str | None = None
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int = Field(0, ge=0)
    completion_tokens: int = Field(0, ge=0)


class _Answer(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Why an attempt came to nothing; `away` where it is the server's state and not this question."""

    reason: str
    away: bool
    retry_after_s: float = 0.0


class Endpoint:
    """An async context manager around one connection pool; redirects and proxies are never followed."""

    def __init__(
        self,
        base_url: str,
        key: SecretStr | None,
        *,
        timeout_s: float,
        patience_s: float,
        retry: RetryPolicy | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self._retry = retry or RetryPolicy(first_s=0.5, longest_s=20.0)
        headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        self._http = httpx.AsyncClient(headers=headers, timeout=timeout_s, trust_env=False, follow_redirects=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def ask(self, path: str, body: Mapping[str, Any], on_attempt: Callable[[], None]) -> ModelReply:
        """`POST base_url/path`; `on_attempt` is called before each attempt.

        Raises:
            UnansweredError: this question has no answer.
            TeacherLostError: no question has one.
        """
        deadline, attempt, failures = time.monotonic() + self._patience_s, 1, 0
        while True:
            on_attempt()
            outcome = await self._attempt(path, body)
            if isinstance(outcome, ModelReply):
                return outcome
            failures += not outcome.away
            if failures >= _ATTEMPTS:
                raise UnansweredError(outcome.reason)
            wait_s = self._retry.wait_s(min(attempt, 16), outcome.retry_after_s)
            if outcome.away and time.monotonic() + wait_s > deadline:
                raise TeacherLostError(f"the model at {self._base_url} gave no answer: {outcome.reason}")
            await asyncio.sleep(wait_s)
            attempt += 1

    async def _attempt(self, path: str, body: Mapping[str, Any]) -> "ModelReply | _Trouble":
        try:
            async with asyncio.timeout(self._timeout_s):
                async with self._http.stream("POST", f"{self._base_url}{path}", json=body) as response:
                    content = await _read(response)
        except (TimeoutError, httpx.TimeoutException):
            return _Trouble(f"none within {self._timeout_s:g} s", away=False)
        except (httpx.TransportError, httpx.DecodingError) as error:
            return _Trouble(f"no connection ({type(error).__name__})", away=True)
        if response.is_success:
            return _parse(content, body) or _Trouble("an answer that can't be read", away=False)
        return self._trouble(response)

    def _trouble(self, response: httpx.Response) -> _Trouble:
        status = response.status_code
        if status in _AWAY | _FAILED or status > 504:
            return _Trouble(f"status {status}", status in _AWAY, _retry_after_s(response.headers))
        if status in _WRONG_ADDRESS or status < 400:
            raise TeacherLostError(f"the model at {self._base_url} can't be asked: status {status}")
        raise UnansweredError(f"status {status}")


async def _read(response: httpx.Response) -> bytes | None:
    """The body, or None where it is longer than any answer."""
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > MOST_BYTES:
            return None
    return bytes(content)


def _parse(content: bytes | None, body: Mapping[str, Any]) -> ModelReply | None:
    """The first choice; a server that counts no tokens has them estimated, so that a budget holds there too."""
    try:
        answer = _Answer.model_validate_json(content or b"")
    except ValidationError:
        return None
    choice = answer.choices[0]
    text = (choice.message.content if choice.message else choice.text) or ""
    asked = sum(len(str(part)) for part in (body.get("messages"), body.get("prompt")) if part)
    usage = answer.usage or _Usage(
        prompt_tokens=asked // _CHARACTERS_A_TOKEN, completion_tokens=len(text) // _CHARACTERS_A_TOKEN
    )
    return ModelReply(text, choice.finish_reason != "length", usage.prompt_tokens, usage.completion_tokens)


def _retry_after_s(headers: httpx.Headers) -> float:
    """`Retry-After` in seconds, from either of its forms; 0 where there is none."""
    value = headers.get("Retry-After", "").strip()
    if value.replace(".", "", 1).isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
