"""Label maps in their colours, and pictures that stay in their folder."""

import cv2
import numpy as np
import pytest
from mmdet.datasets import CocoDataset
from mmseg.datasets import BaseSegDataset

from mmvit.visualization.drawing import (
    distinct_colours,
    draw_label_maps,
    heat_map,
    save_picture,
    with_palette,
)


def test_label_maps_are_drawn_in_their_colours():
    image = np.zeros((4, 6, 3), np.uint8)
    labels = np.full((4, 6), 255)
    labels[:, 2:4], labels[:, 4:] = 0, 1
    metainfo = dict(classes=('a', 'b'), palette=[[100, 0, 0], [0, 200, 0]])
    picture = draw_label_maps(image, [labels], metainfo)
    # The image and the map, enlarged, and one row of legend
    assert picture.shape == (384 + 24, 2 * 576, 3)
    assert picture[200, 700].tolist() == [0, 0, 0], 'ignored'
    assert picture[200, 900].tolist() == [60, 0, 0]
    assert picture[200, 1100].tolist() == [0, 120, 0]
    legend = picture[384:].reshape(-1, 3).tolist()
    assert [100, 0, 0] in legend and [0, 200, 0] in legend
    named = draw_label_maps(image, [labels], metainfo, ['truth'])
    height = len(named) - len(picture)
    assert np.array_equal(named[height:], picture)
    assert height >= 30 and named[:height].min() < 128, 'the names are there'


def test_pictures_are_rgb(tmp_path):
    picture = np.zeros((4, 5, 3), np.uint8)
    picture[..., 0] = 200
    path = save_picture(picture, str(tmp_path / 'new'), 'red.png')
    assert cv2.imread(path)[0, 0].tolist() == [0, 0, 200]
    save_picture(picture[..., 0], str(tmp_path), 'labels.png')
    labels = cv2.imread(str(tmp_path / 'labels.png'), cv2.IMREAD_UNCHANGED)
    assert labels.shape == (4, 5) and labels.max() == 200


def test_pictures_stay_in_their_folder(tmp_path):
    picture = np.zeros((4, 5, 3), np.uint8)
    with pytest.raises(ValueError, match='outside'):
        save_picture(picture, str(tmp_path / 'out'), '../red.png')
    assert not list(tmp_path.iterdir())


def test_heat_map_goes_from_dark_to_bright():
    dark, bright, clipped = heat_map(np.array([[0.0, 1.0, 7.0]]))[0].tolist()
    assert sum(dark) < sum(bright)
    assert bright == clipped
    assert bright[0] > bright[2], 'yellow in RGB'


@pytest.mark.parametrize('number', [2, 3, 11, 150])
def test_neighbours_in_a_palette_can_be_told_apart(number: int) -> None:
    colours = distinct_colours(number)
    assert colours.shape == (number, 3) and colours.dtype == np.uint8
    lab = cv2.cvtColor(
        (colours[None] / 255).astype(np.float32), cv2.COLOR_RGB2LAB
    )[0]
    steps = np.linalg.norm(np.diff(lab, axis=0), axis=1)
    # In this space 2 is just noticeable; random colours come down to 10.
    assert steps.min() > 50


def test_classes_without_a_palette_get_one() -> None:
    given = dict(classes=('a', 'b'), palette=[[1, 2, 3], [4, 5, 6]])
    assert with_palette(given) is given
    for palette in ({}, dict(palette=None), dict(palette='random')):
        found = with_palette(dict(classes=('a', 'b'), **palette))['palette']
        assert found == [tuple(c) for c in distinct_colours(2).tolist()]


@pytest.mark.parametrize('kind', [CocoDataset, BaseSegDataset])
def test_classes_of_ones_own_have_not_a_librarys_palette(kind) -> None:
    classes = dict(classes=('a', 'b', 'c'))
    metainfo = kind(lazy_init=True, metainfo=classes).metainfo
    assert metainfo['palette']
    found = with_palette(metainfo)['palette']
    assert found == [tuple(c) for c in distinct_colours(3).tolist()]
