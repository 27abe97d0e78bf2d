"""Wording that messages share."""

import difflib
from collections.abc import Iterable


def some_of(names: list[str], shown: int = 5) -> str:
    """Join the first names of a list: 'a, b, c, d, e and 3 more'."""
    text = ', '.join(names[:shown])
    more = len(names) - shown
    return f'{text} and {more} more' if more > 0 else text


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Suggest the known name that is most like another: 'did you mean a?'.

    It is '' if none of them is like it; `cutoff` is that of difflib.
    """
    close = difflib.get_close_matches(name, known, n=1, cutoff=cutoff)
    return f'did you mean {close[0]}?' if close else ''
