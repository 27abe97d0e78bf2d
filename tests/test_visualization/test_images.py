"""Images and label maps of all kinds are made visible."""

import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms import Compose, LoadImageFromFile
from mmengine.structures import PixelData

from mmvit.visualization.images import (
    label_map,
    load_image,
    loading_step,
    visible,
)


@pytest.mark.parametrize('shape', [(4, 5), (4, 5, 1), (4, 5, 2)])
def test_few_channels_are_grey(shape):
    image = np.zeros(shape, np.uint8)
    image[2, 3] = 77
    picture = visible(image)
    assert picture.shape == (4, 5, 3)
    assert picture[2, 3].tolist() == [77] * 3 and picture.max() == 77


@pytest.mark.parametrize('channels', [3, 4, 9])
def test_many_channels_are_three(channels):
    image = np.arange(channels, dtype=np.uint8).reshape(1, 1, -1)
    assert visible(image).tolist() == [[[2, 1, 0]]]


@pytest.mark.parametrize(
    ('values', 'wanted'),
    [
        (np.array([[0, 65535]], np.uint16), [0, 255]),
        (np.array([[0.0, 0.5, 1.0]]), [0, 128, 255]),
        (np.array([[-1.0, 1.0]]), [0, 255]),
        (np.array([[3.2, 99.6]], np.float32), [3, 100]),
        (np.array([[0.0, 0.0]]), [0, 0]),
    ],
)
def test_other_numbers_become_8_bits(values, wanted):
    picture = visible(values)
    assert picture.dtype == np.uint8
    assert picture[0, :, 0].tolist() == wanted


def test_images_are_read_as_the_pipeline_reads_them(tmp_path):
    path = str(tmp_path / 'four.png')
    image = np.full((4, 6, 4), 9, np.uint8)
    image[..., 2] = 200  # red
    cv2.imwrite(path, image)
    steps = [LoadImageFromFile(color_type='unchanged'), lambda data: None]
    pipeline = Compose(steps)
    step = loading_step(pipeline)
    assert step is pipeline.transforms[0]
    assert load_image(step, path)[0, 0].tolist() == [200, 9, 9]
    assert isinstance(loading_step(None), LoadImageFromFile)


@pytest.mark.parametrize(
    ('value', 'kind'), [(1.0, np.uint8), (255, np.uint8), (298, np.uint16)]
)
def test_label_maps_are_whole_numbers(value, kind):
    labels = label_map(PixelData(data=torch.tensor([[[0, value]]])))
    assert labels.dtype == kind and labels.tolist() == [[0, int(value)]]
