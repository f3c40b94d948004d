"""One thread that writes for all: requests that wait go into a batch together, those of similar length side by side."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from trainer.policies import ModelPolicy
from trainer.policies.completing import Beginning, Completion, complete

_Waiting = tuple[Beginning, "asyncio.Future[Completion]"]


class Writer:
    """Completions from a policy; `run` works on those that were asked for until it is cancelled."""

    def __init__(self, policy: ModelPolicy, *, batch: int) -> None:
        self._policy = policy
        self._batch = batch
        self._waiting: list[_Waiting] = []
        self._news = asyncio.Event()

    async def complete(self, beginning: Beginning) -> Completion:
        """What the policy writes behind `beginning`."""
        answer: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._waiting.append((beginning, answer))
        self._news.set()
        return await answer

    async def run(self) -> None:
        """Write batch after batch; whoever went away meanwhile is left out."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, thread_name_prefix="policy") as thread:
            while True:
                await self._news.wait()
                batch = self._next()
                if not batch:
                    self._news.clear()
                    continue
                beginnings = [beginning for beginning, _ in batch]
                try:
                    completions = await loop.run_in_executor(thread, complete, self._policy, beginnings)
                except Exception as error:
                    _fail(batch, error)
                    continue
                for (_, answer), completion in zip(batch, completions, strict=True):
                    if not answer.done():
                        answer.set_result(completion)

    def _next(self) -> list[_Waiting]:
        """The one that has waited longest, and those most like it in length."""
        self._waiting = [waiting for waiting in self._waiting if not waiting[1].done()]
        if not self._waiting:
            return []
        lengths = [len(beginning.prefix) for beginning, _ in self._waiting]
        by_likeness = sorted(range(len(lengths)), key=lambda at: abs(lengths[at] - lengths[0]))
        chosen = set(by_likeness[: self._batch])
        batch = [self._waiting[at] for at in sorted(chosen)]
        self._waiting = [waiting for at, waiting in enumerate(self._waiting) if at not in chosen]
        return batch


def _fail(batch: list[_Waiting], error: Exception) -> None:
    for _, answer in batch:
        if not answer.done():
            answer.set_exception(error)
