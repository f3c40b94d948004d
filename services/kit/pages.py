"""Pages for people: one frame, one style, one strict policy, for every service that has a page at `/`.

A service brings a folder with its own templates and, if it needs more style or script, `page.css` and `page.js`; its
templates extend `frame.html`. Jinja escapes whatever a template is given. A page fetches nothing from elsewhere: style
and script stand in it, and its policy allows these two by their hashes and no other, so that nothing a stranger wrote
can run even if it were let in.

Behind keys a browser that navigates has none to send. `Pages.door` is what it reads with its 401: a page that knows
nothing, asks for a key, keeps it in a variable of its script and asks again with it (ADR 0006).
"""

import base64
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

_TEMPLATES = Path(__file__).parent / "templates"


class Pages:
    """The templates of one service, in the frame that all share."""

    def __init__(self, service: str, folder: Path) -> None:
        """Read the style and the script; templates are read when first shown."""
        style, script = (_joined(_TEMPLATES / f"frame.{kind}", folder / f"page.{kind}") for kind in ("css", "js"))
        self._frame = {"service": service, "style": Markup(style), "script": Markup(script)}  # noqa: S704 - our files
        self._environment = Environment(
            loader=FileSystemLoader([folder, _TEMPLATES]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._headers = {
            "Content-Security-Policy": _policy(style, script),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
            "Vary": "Accept, Authorization",
        }

    def show(
        self, template: str, *, status: int = 200, headers: dict[str, str] | None = None, **shown: Any
    ) -> HTMLResponse:
        """`template` filled with `shown`; every string in it is escaped, and what UTF-8 can't say is replaced."""
        html = self._environment.get_template(template).render(self._frame, **shown)
        return HTMLResponse(
            html.encode("utf-8", "replace"), status_code=status, headers=self._headers | (headers or {})
        )

    def door(self) -> HTMLResponse:
        """401: what a person without a key sees; nothing of the request or of the service's data is in it."""
        return self.show("door.html", status=401, headers={"WWW-Authenticate": "Bearer"})


def _joined(frames: Path, own: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in (frames, own) if path == frames or path.exists())


def _policy(style: str, script: str) -> str:
    rules = {
        "default-src": "'none'",
        "style-src": _hash_of(style),
        "script-src": _hash_of(script),
        "img-src": "data:",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _hash_of(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
