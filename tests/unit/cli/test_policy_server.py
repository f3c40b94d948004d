"""What the policy server makes of a request."""

from services.cli.policy_server.messages import cut, prompt_and_prefix


def test_the_labelers_prompt_is_taken_apart() -> None:
    text = '"""\nAdd one.\n\n"""\ndef f(x):\n    y = x\n'
    assert prompt_and_prefix(text) == ("Add one.", "def f(x):\n    y = x\n")
    assert prompt_and_prefix('"""\nAdd one.\n"""\n') == ("Add one.", "")


def test_any_other_text_is_a_problem() -> None:
    assert prompt_and_prefix("Add one.") == ("Add one.", "")
    assert prompt_and_prefix('"""\nnever closed') == ('"""\nnever closed', "")


def test_an_answer_ends_before_the_first_stop() -> None:
    assert cut("a\nprint(1)\nassert x", ["\nassert ", "\nprint("]) == ("a", True)
    assert cut("a\n", ["\nprint(", ""]) == ("a\n", False)
