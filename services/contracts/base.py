"""The one base class of everything on the wire.

Requests refuse unknown fields, so that a misspelt option is a 422 and not silence. Replies accept them, so that
an older client reads a newer server ("a service may answer with more fields, never with fewer").
"""

from pydantic import BaseModel, ConfigDict


class Request(BaseModel):
    """A body a client sends: immutable, and strict about names it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Reply(BaseModel):
    """A body a service answers with: immutable, and tolerant of fields added later."""

    model_config = ConfigDict(extra="ignore", frozen=True)
