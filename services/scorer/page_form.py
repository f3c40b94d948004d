"""What the page's form holds, and the link that says the same: `/?prompt=...&code=...&segment=line&model=prm`.

Browsers send every newline of a form as CRLF, so CRLF and CR are read as the newline they stand for; who scores
programs byte for byte asks `POST /score`.
"""

import re
from dataclasses import asdict, dataclass, fields
from urllib.parse import parse_qsl, urlencode

from services.contracts import ScoreRequest, Segment
from services.kit.errors import ServiceError

LINK_BYTES = 8000
"""The longest link offered: with its request line it passes servers whose buffer for that is 8 KiB, nginx for one."""

_MAX_FIELDS = 50
_NEWLINE = re.compile(r"\r\n?")


@dataclass(frozen=True, slots=True)
class PageForm:
    """A task, one program or two, and how to score them, as a person sent it."""

    prompt: str = ""
    code: str = ""
    other: str = ""
    segment: str = Segment.LINE.value
    model: str = ""
    truncate: str = ""

    @classmethod
    def read(cls, encoded: str) -> "PageForm":
        """From `application/x-www-form-urlencoded`; unknown fields are ignored, bytes that are no UTF-8 replaced.

        Raises:
            ServiceError: 422, there are far too many fields.
        """
        try:
            pairs = parse_qsl(encoded, keep_blank_values=True, errors="replace", max_num_fields=_MAX_FIELDS)
        except ValueError as error:
            raise ServiceError(422, "malformed_request", "this is not what the form sends") from error
        known = {field.name for field in fields(cls)}
        return cls(**{name: _NEWLINE.sub("\n", value) for name, value in pairs if name in known})

    @property
    def link(self) -> str:
        """Its query, `?` included: opened anywhere on the same scorer it shows the same; empty fields are left out."""
        return "?" + urlencode({name: value for name, value in asdict(self).items() if value})

    @property
    def fits_a_link(self) -> bool:
        """True up to `LINK_BYTES`."""
        return len(self.link) <= LINK_BYTES

    @property
    def programs(self) -> list[str]:
        """The programs there are, at most two."""
        return [code for code in (self.code, self.other) if code]

    def requests(self) -> list[ScoreRequest]:
        """A request for each program.

        Raises:
            ServiceError: 422, there is no such segment.
        """
        if self.segment not in set(Segment):
            raise ServiceError(422, "malformed_request", f"a program is cut by {', '.join(Segment)}, nothing else")
        return [
            ScoreRequest(
                prompt=self.prompt,
                code=code,
                segment=Segment(self.segment),
                model=self.model or None,
                truncate="prompt" if self.truncate == "prompt" else None,
            )
            for code in self.programs
        ]


EXAMPLE = PageForm(
    prompt=(
        "Write f(xs): remove the duplicates, order the numbers from smallest to largest, return the first number or 0."
    ),
    code=(
        "def f(xs):\n    xs = list(dict.fromkeys(xs))\n    # smallest first\n    xs = sorted(xs)\n"
        "    return xs[0] if xs else 0\n"
    ),
    other=(
        "def f(xs):\n    xs = list(dict.fromkeys(xs))\n    # smallest first\n    xs = xs[1:]\n"
        "    return xs[0] if xs else 0\n"
    ),
)
"""Two programs for one task; the second drops a number instead of ordering them."""
