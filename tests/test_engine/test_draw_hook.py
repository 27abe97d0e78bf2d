"""Pictures of a test's predictions."""

import types

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample
from mmseg.visualization import SegLocalVisualizer

from mmvit.engine import DrawHook

SIDE = 48  # enlarged by 8


@pytest.fixture
def draw(tmp_path, fresh_runs):
    """Draw samples on grey images; returns the pictures by their names."""

    def run(visualizer, samples, metainfo, paths=None, **kwargs):
        for index, sample in enumerate(samples):
            path = tmp_path / 'images' / (paths or '01234')[index]
            path = path.with_suffix('.png')
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.full((SIDE, SIDE, 3), 128, np.uint8))
            sample.set_metainfo(dict(img_path=str(path)))
        dataset = types.SimpleNamespace(metainfo=metainfo)
        runner = types.SimpleNamespace(
            visualizer=visualizer,
            test_dataloader=types.SimpleNamespace(dataset=dataset),
        )
        hook = DrawHook(str(tmp_path / 'pictures'), **kwargs)
        hook.before_test(runner)
        for sample in samples:
            hook.after_test_iter(runner, outputs=[sample])
        return {
            path.stem: cv2.imread(str(path))
            for path in (tmp_path / 'pictures').iterdir()
        }

    return run


def boxes(*boxes, **fields):
    return InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float32),
        labels=torch.zeros(len(boxes), dtype=torch.long),
        **{key: torch.tensor(value) for key, value in fields.items()},
    )


def detection():
    return DetDataSample(
        gt_instances=boxes([4, 4, 20, 20]),
        pred_instances=boxes(
            [24, 24, 44, 40], [2, 30, 12, 44], scores=[0.9, 0.1]
        ),
    )


def coloured(picture, top, left, bottom, right):
    """Whether a part of a picture holds anything but grey."""
    part = picture[top:bottom, left:right].astype(int)
    return bool((np.ptp(part, axis=-1) > 20).any())


def test_boxes_where_they_are(draw):
    (picture,) = draw(
        DetLocalVisualizer(),
        [detection()],
        dict(classes=('thing',), palette=[(255, 0, 0)]),
    ).values()
    assert picture.shape == (384, 768, 3)
    # The truth is on the left, enlarged with the image.
    assert coloured(picture, 150, 30, 165, 160)
    assert not coloured(picture, 190, 190, 320, 352)
    # The sure prediction is on the right, the unsure one is not drawn.
    assert coloured(picture, 310, 384 + 190, 330, 384 + 352)
    assert not coloured(picture, 240, 384, 352, 384 + 100)
    assert not coloured(picture, 32, 384 + 32, 160, 384 + 160)


def test_score_threshold(draw):
    (picture,) = draw(
        DetLocalVisualizer(),
        [detection()],
        dict(classes=('thing',), palette=[(255, 0, 0)]),
        score_thr=0.05,
    ).values()
    assert coloured(picture, 240, 384, 352, 384 + 100)


def test_maps_beside_each_other(draw):
    def data(rows):
        labels = torch.zeros(1, SIDE, SIDE, dtype=torch.long)
        labels[:, rows] = 1
        return PixelData(data=labels)

    sample = SegDataSample(
        gt_sem_seg=data(slice(0, 24)), pred_sem_seg=data(slice(24, 48))
    )
    (picture,) = draw(
        SegLocalVisualizer(),
        [sample],
        dict(classes=('a', 'b'), palette=[(0, 255, 0), (255, 0, 0)]),
    ).values()

    def main_colour(row, column):
        return int(picture[row, column].argmax())

    green, red = 1, 2
    assert not coloured(picture, 0, 0, 384, 384)
    assert [main_colour(row, 500) for row in (10, 370)] == [red, green]
    assert [main_colour(row, 900) for row in (10, 370)] == [green, red]


def test_some_of_many(draw):
    samples = [detection() for _ in range(5)]
    metainfo = dict(classes=('thing',), palette=[(255, 0, 0)])
    pictures = draw(DetLocalVisualizer(), samples, metainfo, interval=2)
    assert sorted(pictures) == [
        '000000_images_0',
        '000002_images_2',
        '000004_images_4',
    ]


def test_images_of_one_name(draw):
    samples = [detection(), detection()]
    metainfo = dict(classes=('thing',), palette=[(255, 0, 0)])
    paths = ['one/cat/0.png', 'two/cat/0.png']
    pictures = draw(DetLocalVisualizer(), samples, metainfo, paths)
    assert sorted(pictures) == ['000000_cat_0', '000001_cat_0']
