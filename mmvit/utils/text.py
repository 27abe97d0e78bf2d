"""Wording that messages share."""

import difflib
from collections.abc import Collection, Iterable, Sequence


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


def columns(rows: list[Sequence[str]], right: Collection[int] = ()) -> str:
    """Align the cells of rows; those of the columns `right` to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return '\n'.join(
        '  '.join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    )


def markdown_table(titles: Iterable[str], rows: Iterable[Iterable]) -> str:
    """Write a table in Markdown; a title that ends with ':' is of numbers."""
    titles = list(titles)
    rule = ['---:' if title.endswith(':') else '---' for title in titles]
    lines = [[title.rstrip(':') for title in titles], rule, *rows]
    return '\n'.join(f'| {" | ".join(map(str, line))} |' for line in lines)
