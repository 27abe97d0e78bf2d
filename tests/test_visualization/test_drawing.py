"""Label maps in their colours, and pictures that stay in their folder."""

import cv2
import numpy as np
import pytest

from mmvit.visualization.drawing import (
    draw_label_maps,
    heat_map,
    save_picture,
)


def test_label_maps_are_drawn_in_their_colours():
    image = np.zeros((40, 60, 3), np.uint8)
    labels = np.full((40, 60), 255)
    labels[:, 20:40], labels[:, 40:] = 0, 1
    metainfo = dict(classes=('a', 'b'), palette=[[100, 0, 0], [0, 200, 0]])
    picture = draw_label_maps(image, [labels], metainfo)
    assert picture.shape == (64, 120, 3), 'image, map, one row of legend'
    assert picture[20, 70].tolist() == [0, 0, 0], 'ignored'
    assert picture[20, 90].tolist() == [60, 0, 0]
    assert picture[20, 110].tolist() == [0, 120, 0]
    legend = picture[40:].reshape(-1, 3).tolist()
    assert [100, 0, 0] in legend and [0, 200, 0] in legend


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
