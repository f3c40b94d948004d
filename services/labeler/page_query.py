"""What the page's address says: `/` lists jobs, `/?job=ID&operator=...&cursor=...` shows one and its programs."""

from dataclasses import asdict, dataclass, fields, replace
from urllib.parse import parse_qsl, urlencode

from services.kit.errors import BadRequestError
from services.labeler.storage import Wanted

_MAX_FIELDS = 50


@dataclass(frozen=True, slots=True)
class PageQuery:
    """A job or none, what to see of it, and where the page begins; empty strings say nothing."""

    job: str = ""
    origin: str = ""
    operator: str = ""
    outcome: str = ""
    verdict: str = ""
    label: str = ""
    cursor: str = ""

    @classmethod
    def read(cls, query: str) -> "PageQuery":
        """From a query; unknown fields are ignored, bytes that are no UTF-8 replaced, NUL too: no database takes it.

        Raises:
            BadRequestError: there are far too many fields.
        """
        try:
            pairs = parse_qsl(query, errors="replace", max_num_fields=_MAX_FIELDS)
        except ValueError as error:
            raise BadRequestError("malformed_request", "this is no address that the page gave out") from error
        known = {field.name for field in fields(cls)}
        return cls(**{name: value.replace("\0", "\ufffd") for name, value in pairs if name in known})

    @property
    def wanted(self) -> Wanted:
        """Which programs to see."""
        return Wanted(self.origin, self.operator, self.outcome, self.verdict, self.label)

    def link(self, **changes: str) -> str:
        """The address of the same page with other fields; it begins again at its beginning unless told where."""
        changed = replace(self, **{"cursor": "", **changes})
        return "?" + urlencode({name: value for name, value in asdict(changed).items() if value})
