"""The client's public surface."""

import services.client as client


def test_exported_names_are_sorted_and_exist() -> None:
    assert client.__all__ == sorted(client.__all__)
    assert all(hasattr(client, name) for name in client.__all__)


def test_every_failure_of_ours_is_one_kind_of_no_answer() -> None:
    failures = (
        client.UnreachableError,
        client.OverloadedError,
        client.UnavailableError,
        client.DeadlineExceededError,
        client.ServerError,
    )
    assert all(issubclass(failure, client.NoAnswerError) for failure in failures)
    assert not issubclass(client.RequestError, client.NoAnswerError)
