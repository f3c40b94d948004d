"""The fields of a dataclass with the docstring line under each, which Python itself throws away."""

import ast
import dataclasses
import inspect
import textwrap
from dataclasses import MISSING, dataclass
from typing import Any, get_type_hints


@dataclass(frozen=True, slots=True)
class DocumentedField:
    """A field: its resolved type, its default (`MISSING` where it has none) and what it means."""

    name: str
    annotation: Any
    default: Any
    doc: str

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is MISSING


def documented_fields(config_class: type[Any]) -> list[DocumentedField]:
    """The fields that the constructor takes, in order, those of base classes included."""
    docs = _docs(config_class)
    hints = get_type_hints(config_class)
    return [
        DocumentedField(field.name, hints[field.name], _default(field), docs.get(field.name, ""))
        for field in dataclasses.fields(config_class)
        if field.init
    ]


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _docs(config_class: type[Any]) -> dict[str, str]:
    docs: dict[str, str] = {}
    for base in reversed(config_class.__mro__):
        if dataclasses.is_dataclass(base):
            docs |= _own_docs(base)
    return docs


def _own_docs(config_class: type[Any]) -> dict[str, str]:
    """Field name to the string that stands right under the field in the source of the class."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(config_class))).body
    assert isinstance(body, ast.ClassDef)
    docs = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        match field, below:
            case (ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text)))):
                docs[name] = inspect.cleandoc(text)
    return docs
