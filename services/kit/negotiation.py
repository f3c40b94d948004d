"""What a caller would rather read at `GET /`: a page or JSON (RFC 9110, section 12.5.1)."""

from starlette.datastructures import Headers


def prefers_html(headers: Headers) -> bool:
    """True where `Accept` ranks `text/html` above `application/json`; a tie is JSON's.

    Browsers name `text/html`; curl's and httpx's `*/*` is a tie, and so is a missing or unreadable header.
    """
    qualities = _qualities(",".join(headers.getlist("Accept")))
    return _quality("text", "html", qualities) > _quality("application", "json", qualities)


def _quality(kind: str, subtype: str, qualities: dict[str, float]) -> float:
    """The quality of the most specific range that matches; 0 where none does."""
    ranges = (f"{kind}/{subtype}", f"{kind}/*", "*/*")
    return next((qualities[name] for name in ranges if name in qualities), 0.0)


def _qualities(accept: str) -> dict[str, float]:
    """Each media range with its `q`; a range that can't be read is left out."""
    qualities = {}
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weights = [parameter[2:] for parameter in parameters if parameter.startswith("q=")]
        try:
            quality = float(weights[0]) if weights else 1.0
        except ValueError:
            continue
        if 0 <= quality <= 1:
            qualities[name] = quality
    return qualities
