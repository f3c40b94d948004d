"""schemathesis against the live services: what their documents allow is answered as they say, and never with a 500.

503 and 504 are answers that a request may ask for (`X-Deadline-S`) or a moment may bring, and documented.
"""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)


def never_500(_context: Any, response: Any, _case: Any) -> None:
    assert response.status_code != 500


CHECKS = [never_500, status_code_conformance, content_type_conformance, response_schema_conformance]
bounded = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("service", ["executor", "scorer", "labeler"])
def test_every_operation_is_answered_as_documented(service: str, house: Any) -> None:
    document = schemathesis.openapi.from_url(f"{house.urls[service]}/openapi.json")
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) >= 5
    for operation in operations:

        @bounded
        @given(case=operation.as_strategy())
        def is_as_documented(case: Any) -> None:
            case.call_and_validate(checks=CHECKS)

        is_as_documented()
