"""Which servers a job may have asked, and which keys may be sent there: the operator decides, not whoever posts a job.

A job names a URL that a worker will call, and an environment variable that it will read. Without a list of each, a
client could reach what only the worker can reach, or have any secret of the worker sent to a server of its own.
"""

from collections.abc import Collection
from dataclasses import dataclass

import httpx

from services.contracts import MixTeacher, ModelTeacher, RulesTeacher, Teacher

_LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Allowed:
    """`hosts` are names or addresses, with `:port` for that port alone; `key_names` are environment variables."""

    hosts: Collection[str]
    key_names: Collection[str]

    def objection(self, teacher: Teacher) -> str | None:
        """What speaks against `teacher` in one sentence, or None."""
        match teacher:
            case RulesTeacher():
                return None
            case MixTeacher():
                objections = (self.objection(share.teacher) for share in teacher.teachers)
                return next((objection for objection in objections if objection), None)
            case ModelTeacher():
                return self._objection_to_url(teacher.base_url) or self._objection_to_key(teacher.api_key_env)

    def _objection_to_url(self, text: str) -> str | None:
        try:
            url = httpx.URL(text)
        except httpx.InvalidURL:
            return "base_url is no URL"
        if url.scheme not in ("http", "https") or not url.host:
            return "base_url must begin with http:// or https:// and name a host"
        if url.userinfo or url.query or url.fragment:
            return "base_url must hold no user, query or fragment; a key is given by api_key_env"
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        if port > _LAST_PORT:
            return f"base_url has no port {port}"
        if {url.host, f"{url.host}:{port}"}.isdisjoint(self.hosts):
            return f"the host {url.host} is not among LINEWISE_LABELER_TEACHER_HOSTS of this labeler"
        return None

    def _objection_to_key(self, name: str | None) -> str | None:
        if name is None or name in self.key_names:
            return None
        return f"the variable {name} is not among LINEWISE_LABELER_TEACHER_KEY_NAMES of this labeler"
