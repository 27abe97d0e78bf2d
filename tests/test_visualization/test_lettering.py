"""Names in any script are drawn so that they can be read."""

from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest

from mmvit.visualization import lettering
from mmvit.visualization.drawing import draw_label_maps
from mmvit.visualization.lettering import (
    Lettering,
    font_for,
    letters_for,
    readable,
)

NAMES = ('Schlüssel', 'коробка', 'Ωμέγα')


@pytest.fixture
def warnings(monkeypatch):
    """What is logged; there are no fonts but matplotlib's."""
    logged = []
    monkeypatch.setattr(lettering, 'warn', logged.append)
    fonts = SimpleNamespace(ttflist=[])
    monkeypatch.setattr(lettering, 'fontManager', fonts)
    for function in (font_for, readable):
        function.cache_clear()
    yield logged
    for function in (font_for, readable):
        function.cache_clear()


def test_letters_of_a_font_are_drawn(warnings):
    assert readable(NAMES) == NAMES and not warnings
    letters = Lettering(NAMES, 15)
    page = np.full((24, 200, 3), 255, np.uint8)
    pictures = [letters.draw(page, [(name, 5, 17)]) for name in NAMES]
    assert all((picture < 128).any() for picture in pictures)
    unknown = letters.draw(page, [('?' * 7, 5, 17)])
    assert not any(np.array_equal(unknown, one) for one in pictures)
    assert 40 < letters.width(NAMES[0]) < 120


def test_names_that_no_font_has_are_numbers(warnings):
    # Letters that no font has: a private use area of Unicode
    names = ('box', '\U0010fff0\U0010fff1')
    assert readable(names) == ('box', 'class 1')
    assert names[1] in warnings[0] and 'Install a font' in warnings[0]


def test_another_font_is_found(monkeypatch, warnings):
    fonts = [
        SimpleNamespace(name=name, fname=file, style='normal', weight=400)
        for name, file in (
            ('B', 'b.ttf'),
            ('Last Resort High-Efficiency', 'z.ttf'),
            ('Z', 'z.ttf'),
        )
    ]
    monkeypatch.setattr(lettering.fontManager, 'ttflist', fonts)
    known = {'z.ttf': set(map(ord, '背景box')), 'b.ttf': set()}
    monkeypatch.setattr(
        lettering, '_letters_of', lambda path: known.get(path, {98, 111, 120})
    )
    assert font_for(('box',)) == (lettering._DEFAULT, font_for(('box',))[1])
    assert font_for(('背景', 'box')) == ('Z', 'z.ttf')
    with letters_for(('背景', 'box')):
        assert mpl.rcParams['font.sans-serif'] == ['Z']
    assert mpl.rcParams['font.sans-serif'] != ['Z']


def test_legends_show_the_names(warnings):
    image = np.zeros((40, 200, 3), np.uint8)
    labels = np.zeros((40, 200), np.uint8)
    pictures = [
        draw_label_maps(image, [labels], dict(classes=(name,)))
        for name in (*NAMES, '\U0010fff0')
    ]
    legends = {picture[40:].tobytes() for picture in pictures}
    assert len(legends) == 4
