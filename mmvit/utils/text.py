"""Wording that messages share."""


def some_of(names: list[str], shown: int = 5) -> str:
    """Join the first names of a list: 'a, b, c, d, e and 3 more'."""
    text = ', '.join(names[:shown])
    more = len(names) - shown
    return f'{text} and {more} more' if more > 0 else text
