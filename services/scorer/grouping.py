"""Which inputs share a pass: neighbours in length, up to a budget of tokens with padding counted."""

from collections.abc import Sequence

MAX_PADDING = 0.1
"""The largest share of a pass that may be padding."""


def group_by_length(lengths: Sequence[int], max_tokens: int, max_padding: float = MAX_PADDING) -> list[list[int]]:
    """The indexes of `lengths` in groups, longest first, every index in exactly one.

    A group is padded to its longest member; it holds at most `max_tokens` that way, of which padding is at most the
    share `max_padding`. An input that is alone longer than `max_tokens` is a group of its own.
    """
    groups: list[list[int]] = []
    width = tokens = 0
    for index in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        padded = width * (len(groups[-1]) + 1) if groups else 0
        if groups and padded <= max_tokens and padded - tokens - lengths[index] <= max_padding * padded:
            groups[-1].append(index)
            tokens += lengths[index]
        else:
            groups.append([index])
            width = tokens = lengths[index]
    return groups
