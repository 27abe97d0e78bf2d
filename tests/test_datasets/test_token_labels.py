"""Label maps through a pipeline, on a drawn picture."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from PIL import Image

from mmvit.models.token_labels.preprocessor import TokenLabelPreprocessor

SIDE, CELLS, STRIDE = 240, 6, 16


def draw(folder: Path) -> Path:
    """A picture of 6 x 6 fields, each of a grey of its own, and its map.

    The field in row r and column c has the class 6 * r + c and five times
    its number as grey.
    """
    fields = np.arange(CELLS**2).reshape(CELLS, CELLS)
    pixels = fields.repeat(SIDE // CELLS, 0).repeat(SIDE // CELLS, 1) * 5
    path = folder / 'images/greys/fields.png'
    path.parent.mkdir(parents=True)
    Image.fromarray(np.stack([pixels] * 3, -1).astype(np.uint8)).save(path)
    labels = torch.zeros(2, 2, CELLS, CELLS)
    labels[0] = torch.tensor([40.0, 1.0])[:, None, None]
    labels[1, 0] = torch.from_numpy(fields)
    labels[1, 1] = torch.from_numpy((fields + 1) % CELLS**2)
    (folder / 'maps/greys').mkdir(parents=True)
    torch.save(labels.half(), folder / 'maps/greys/fields.pt')
    return path


def pipeline(folder: Path, flip: dict, **crop) -> Compose:
    steps = [
        dict(type='LoadImageFromFile'),
        dict(type='mmvit.LoadTokenLabels', root=str(folder / 'maps')),
        dict(
            type='mmvit.CropWithTokenLabels',
            crop=dict(
                type='RandomResizedCrop',
                scale=(96, 128),
                interpolation='nearest',
                **crop,
            ),
        ),
        dict(type='RandomFlip', **flip),
        dict(
            type='PackInputs',
            algorithm_keys=('token_labels', 'token_label_box'),
        ),
    ]
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return Compose(steps)


def preprocess(packed: list[dict]) -> dict:
    preprocessor = TokenLabelPreprocessor(
        [0.0] * 3,
        [1.0] * 3,
        num_classes=CELLS**2,
        stride=STRIDE,
        label_smooth_val=0.0,
    )
    data = dict(
        inputs=[item['inputs'] for item in packed],
        data_samples=[item['data_samples'] for item in packed],
    )
    return preprocessor(data, training=True)


@pytest.mark.parametrize(
    'direction', [None, 'horizontal', 'vertical', 'diagonal']
)
def test_tokens_have_the_class_that_they_show(tmp_path, direction):
    path = draw(tmp_path)
    flip = dict(prob=0.0) if direction is None else dict(prob=1.0)
    flip['direction'] = direction or 'horizontal'
    run = pipeline(tmp_path, flip)
    np.random.seed(0)
    packed = [run(dict(img_path=str(path))) for _ in range(20)]
    boxes = {tuple(p['data_samples'].token_label_box.tolist()) for p in packed}
    assert len(boxes) == 20, 'each image is another crop'
    data = preprocess(packed)
    seen = 0
    for image, sample in zip(data['inputs'], data['data_samples']):
        classes = sample.gt_token_score.argmax(-1).view(6, 8)
        patches = image[0].unfold(0, STRIDE, STRIDE).unfold(1, STRIDE, STRIDE)
        for row in range(6):
            for column in range(8):
                greys = patches[row, column].unique()
                # A patch of two fields may have the class of either.
                assert 5 * classes[row, column] in greys
                seen += len(greys) == 1
    assert seen > 200, 'patches that show one field'


def test_the_image_has_the_scores_of_its_crop(tmp_path):
    path = draw(tmp_path)
    run = pipeline(
        tmp_path, dict(prob=0.0), crop_ratio_range=(1.0, 1.0), max_attempts=0
    )
    sample = preprocess([run(dict(img_path=str(path)))])['data_samples'][0]
    assert sample.token_label_box.tolist() == [0, 0, 1, 1]
    assert sample.gt_score.shape == (CELLS**2,)
    # Every class covers as much of the image.
    torch.testing.assert_close(
        sample.gt_score, torch.full((36,), 1 / 36), atol=1e-6, rtol=0.2
    )


def test_errors(tmp_path):
    path = draw(tmp_path)
    run = pipeline(tmp_path, dict(prob=0.0))
    other = path.with_name('other.png')
    path.rename(other)
    with pytest.raises(FileNotFoundError, match='label_maps.py'):
        run(dict(img_path=str(other)))
    torch.save(torch.zeros(5, 6, 6), tmp_path / 'maps/greys/other.pt')
    with pytest.raises(ValueError, match='scores and classes'):
        run(dict(img_path=str(other)))
    with pytest.raises(ValueError, match='put RandomFlip after'):
        run.transforms[2](dict(flip=True))
    with pytest.raises(ValueError, match='depth 0'):
        pipeline(tmp_path, dict(prob=0.0)).transforms[1].__class__('.', 0)
