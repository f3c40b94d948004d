"""The models that are served: loaded at the start, found by name, reloaded beside the one that serves."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from services.contracts import ModelInfo
from services.kit.errors import ConflictError, NotFoundError, StartupError, UnavailableError
from services.scorer.checkpoint import CheckpointError
from services.scorer.golden import check_golden, read_golden
from services.scorer.prm import Prm, ServedModel
from services.scorer.settings import ModelSource

logger = logging.getLogger(__name__)

LoadPrm = Callable[[Path], Prm]

NO_MODEL = "no model is loaded: start with `linewise serve scorer --model DIR`; `make demo` trains one"


class Models:
    """The served models, in the order of their sources; the first is the default."""

    def __init__(self, sources: Sequence[ModelSource], load: LoadPrm, *, await_missing: bool = False) -> None:
        """Load every source; with `await_missing` one whose folder holds no checkpoint yet is left to `reload`.

        Raises:
            StartupError: a checkpoint can't be served.
        """
        self._sources = {source.name: source for source in sources}
        self._load = load
        self._reloading = asyncio.Lock()
        try:
            self._served = {
                source.name: self._serve(source) for source in sources if not (await_missing and _is_missing(source))
            }
        except CheckpointError as error:
            raise StartupError(str(error)) from error

    @property
    def lack(self) -> str | None:
        """Why not every model can be asked, or None."""
        if not self._sources:
            return NO_MODEL
        return next((_awaited(it) for name, it in self._sources.items() if name not in self._served), None)

    def get(self, name: str | None) -> ServedModel:
        """The model of that name; None is the default.

        Raises:
            UnavailableError: no model is loaded, or not that one yet.
            NotFoundError: no model has that name.
        """
        source = self._source(name)
        if source.name not in self._served:
            raise UnavailableError("no_model", _awaited(source), retry_after_s=30)
        return self._served[source.name]

    def infos(self) -> list[ModelInfo]:
        """What is served."""
        return [self._info(self._served[name]) for name in self._sources if name in self._served]

    async def reload(self, name: str) -> ModelInfo:
        """Load the model's folder again, prove it, swap it in; until then, and if it fails, the old one serves.

        Raises:
            UnavailableError: there are no models at all.
            NotFoundError: no model has that name.
            ConflictError: the checkpoint can't be served, with the reason.
        """
        source = self._source(name)
        async with self._reloading:
            try:
                served = await asyncio.to_thread(self._serve, source)
            except CheckpointError as error:
                kept = "; the model loaded before goes on serving" if name in self._served else ""
                raise ConflictError("bad_checkpoint", f"{error}{kept}") from error
            self._served[name] = served
        return self._info(served)

    def _source(self, name: str | None) -> ModelSource:
        if not self._sources:
            raise UnavailableError("no_model", NO_MODEL, retry_after_s=30)
        wanted = self._default if name is None else name
        if wanted not in self._sources:
            known = ", ".join(self._sources)
            raise NotFoundError("unknown_model", f"there is no model {wanted!r}; there is {known}")
        return self._sources[wanted]

    def _serve(self, source: ModelSource) -> ServedModel:
        prm = self._load(source.folder)
        golden = read_golden(source.folder)
        try:
            agrees = golden is not None and check_golden(prm, golden)
        except CheckpointError as error:
            raise CheckpointError(f"{source.folder} can't be served: {error}") from error
        served = ServedModel(source.name, prm, datetime.now(UTC), "ok" if agrees else None)
        logger.info("model loaded", extra={"model": served.name, "architecture": prm.architecture})
        return served

    def _info(self, served: ServedModel) -> ModelInfo:
        return served.info(default=served.name == self._default)

    @property
    def _default(self) -> str:
        return next(iter(self._sources))


def _is_missing(source: ModelSource) -> bool:
    return not (source.folder / "config.json").is_file()


def _awaited(source: ModelSource) -> str:
    return f"there is no checkpoint in {source.folder} yet; once there is, POST /models/{source.name}/reload loads it"
