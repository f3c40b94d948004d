"""The teacher that the options of `linewise label` describe, and what services of our own need to be allowed it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from pydantic import TypeAdapter, ValidationError

from services.cli.config_file import read_config
from services.cli.errors import UsageError
from services.contracts import Budget, MixTeacher, ModelTeacher, Teacher

_TEACHER: TypeAdapter[Teacher] = TypeAdapter(Teacher)


def read_teacher(
    teacher: str, url: str | None, model: str | None, key_env: str | None, max_requests: int | None
) -> Teacher:
    """`teacher` is a kind, completed by the other options, or a YAML or JSON file as `POST /jobs` takes it.

    Raises:
        UsageError: it is neither, or something is missing, unknown, or said twice.
    """
    options: dict[str, Any] = {"base_url": url, "model": model, "api_key_env": key_env}
    given = {name: value for name, value in options.items() if value is not None}
    if max_requests is not None:
        given["budget"] = Budget(max_requests=max_requests)
    body = {"kind": teacher} | given
    if Path(teacher).suffix in (".json", ".yaml", ".yml"):
        if given:
            raise UsageError("a teacher file says everything; leave out the --teacher-... options.")
        body = read_config(Path(teacher))
    try:
        return _TEACHER.validate_python(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"--teacher {teacher}: {f'{where}: ' if where else ''}{first['msg']}.") from error


def allowances(teacher: Teacher) -> dict[str, str]:
    """The environment in which a labeler of our own may ask this teacher: whoever names it here is the operator.

    Raises:
        UsageError: its URL can't be read.
    """
    models = list(_models(teacher))
    try:
        hosts = {httpx.URL(one.base_url).host for one in models}
    except httpx.InvalidURL as error:
        raise UsageError(f"the teacher's URL is none: {error}.") from error
    keys = {one.api_key_env for one in models if one.api_key_env}
    return {
        "LINEWISE_LABELER_TEACHER_HOSTS": ",".join(sorted(hosts)),
        "LINEWISE_LABELER_TEACHER_KEY_NAMES": ",".join(sorted(keys)),
    }


def _models(teacher: Teacher) -> Iterator[ModelTeacher]:
    match teacher:
        case MixTeacher():
            for share in teacher.teachers:
                yield from _models(share.teacher)
        case ModelTeacher():
            yield teacher
