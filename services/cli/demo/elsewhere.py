"""A demo against services that run elsewhere: where they are, and how their scorer comes by the PRM."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from services.cli.errors import FailedError, UsageError
from services.client import ScorerClient
from services.client.endpoints import DEFAULT_URLS, default_url
from services.contracts import ModelInfo


def service_urls(texts: Sequence[str]) -> dict[str, str]:
    """URLs by service: of `NAME=URL` for one, of a URL alone for all at their usual ports, else of the environment.

    Raises:
        UsageError: a text is no URL, or there is no such service.
    """
    everywhere: dict[str, str] = {}
    named: dict[str, str] = {}
    for text in texts:
        name, _, url = text.rpartition("=")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or (name and name not in DEFAULT_URLS):
            raise UsageError(
                f"--url {text}: give a URL like http://host, or SERVICE=URL for {', '.join(DEFAULT_URLS)}."
            )
        if name:
            named[name] = url
        else:
            everywhere = {it: _on_host(url, usual) for it, usual in DEFAULT_URLS.items()}
    return {name: default_url(name) for name in DEFAULT_URLS} | everywhere | named


def load_prm(scorer_url: str, folder: Path) -> ModelInfo:
    """Have the scorer load the checkpoint that it serves from `folder`, and return what it then says of it.

    Raises:
        FailedError: it loaded another one, or scores with another where a request names none.
    """
    from services.scorer.checkpoint import read_conventions

    info = asyncio.run(_reload(scorer_url, folder.name))
    if info.calibration != read_conventions(folder).calibration or not info.default:
        raise FailedError(
            f"the scorer at {scorer_url} serves another {folder.name} than {folder}; it must see that folder."
        )
    return info


def _on_host(url: str, usual: str) -> str:
    parts, port = urlsplit(url), urlsplit(usual).port
    return parts._replace(netloc=f"{parts.netloc.removesuffix(f':{parts.port}')}:{port}").geturl().rstrip("/")


async def _reload(scorer_url: str, name: str) -> ModelInfo:
    async with ScorerClient(scorer_url) as scorer:
        return await scorer.reload(name)
