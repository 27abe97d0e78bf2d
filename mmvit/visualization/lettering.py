"""Names in any script, in a font of this machine that has their letters."""

import contextlib
import functools
from collections.abc import Iterable, Iterator

import matplotlib as mpl
import numpy as np
from matplotlib.font_manager import findfont, fontManager
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFont

from mmvit.utils.log import warn

_DEFAULT = 'DejaVu Sans'  # comes with matplotlib


@functools.cache
def _letters_of(path: str) -> frozenset[int]:
    return frozenset(FT2Font(path).get_charmap())


def _lacks(path: str, text: str) -> set[str]:
    return {
        c for c in text if not c.isspace() and ord(c) not in _letters_of(path)
    }


@functools.cache
def font_for(names: tuple[str, ...]) -> tuple[str, str]:
    """Return the name and the file of the font that has most of the letters.

    It is DejaVu Sans if that has all of them.
    """
    text = ''.join(names)
    best = _DEFAULT, findfont(_DEFAULT)
    fewest = len(_lacks(best[1], text))
    for font in fontManager.ttflist:
        if not fewest:
            break
        # Last Resort has a sign of its script for each letter of Unicode.
        plain = font.style == 'normal' and font.weight == 400
        if plain and 'Last Resort' not in font.name:
            with contextlib.suppress(Exception):  # a font that is damaged
                lacks = len(_lacks(font.fname, text))
                if lacks < fewest:
                    best, fewest = (font.name, font.fname), lacks
    return best


@functools.cache
def readable(names: tuple[str, ...]) -> tuple[str, ...]:
    """Replace names whose letters no font has by the number of the class."""
    _, path = font_for(names)
    lost = [name for name in names if _lacks(path, name)]
    if lost:
        warn(
            f'No font of this machine has the letters of {", ".join(lost)}: '
            'pictures show the numbers of these classes. Install a font, such '
            'as Noto Sans CJK, and remove the cache of matplotlib '
            f'({mpl.get_cachedir()})'
        )
    return tuple(
        f'class {number}' if name in lost else name
        for number, name in enumerate(names)
    )


@contextlib.contextmanager
def letters_for(names: Iterable[str]) -> Iterator[None]:
    """Let matplotlib draw with a font that has the names' letters."""
    name, _ = font_for(tuple(names))
    families = dict.fromkeys(('font.sans-serif', 'font.monospace'), [name])
    with mpl.rc_context(families):
        yield


class Lettering:
    """Measures and draws texts.

    Args:
        names: What will be drawn.
        size: Height of the font in pixels.
    """

    def __init__(self, names: Iterable[str], size: float) -> None:
        _, path = font_for(tuple(names))
        self.font = ImageFont.truetype(path, max(1, round(size)))

    def width(self, text: str) -> int:
        """Return a text's width in pixels."""
        return round(self.font.getlength(text))

    def draw(
        self, picture: np.ndarray, texts: list[tuple[str, int, int]]
    ) -> np.ndarray:
        """Draw texts in black, each given with its left end and baseline."""
        canvas = Image.fromarray(picture)
        draw = ImageDraw.Draw(canvas)
        for text, left, baseline in texts:
            draw.text(
                (left, baseline), text, (0, 0, 0), self.font, anchor='ls'
            )
        return np.array(canvas)
