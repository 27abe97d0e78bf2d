"""Predictions of all tasks as arrays, in batches."""

import cv2
import numpy as np
import PIL.Image
import pytest
import torch

import mmvit
from tests.support.tiny import TASKS, tiny_config


@pytest.fixture
def model_of(scenes, fresh_runs):
    """Make a tiny model of a task."""

    def make(task):
        torch.manual_seed(0)
        cfg = tiny_config(task, scenes)
        if task == 'cls':
            classes = ('a', 'b')
            cfg.test_dataloader.dataset.metainfo = dict(classes=classes)
        return mmvit.get_model(cfg, device='cpu')

    return make


def check(task, result):
    assert result['picture'].dtype == np.uint8
    assert min(result['picture'].shape[:2]) >= 384
    if task == 'seg':
        assert result['label_map'].shape == (64, 64)
        assert len(result['names']) == 3
    elif task == 'cls':
        assert result['scores'].sum() == pytest.approx(1, abs=1e-5)
        assert result['name'] == ('a', 'b')[result['label']]
        assert result['score'] == result['scores'].max()
    else:
        number = len(result['scores'])
        assert result['boxes'].shape == (number, 4)
        assert len(result['labels']) == len(result['names']) == number
        if task == 'ins':
            assert result['masks'].shape == (number, 64, 64)


@pytest.mark.parametrize('task', TASKS)
def test_a_batch_gives_what_single_images_give(task, model_of, scenes):
    infer = mmvit.Inferencer(model_of(task), device='cpu')
    folder = scenes / 'img_dir/val'
    batch = infer(folder, batch_size=3, pictures=True, score_thr=0.0)
    paths = sorted(map(str, folder.iterdir()))
    assert [result['path'] for result in batch] == paths
    for result in batch:
        check(task, result)
        (single,) = infer(result['path'])
        assert 'picture' not in single
        # A mask is a threshold: a pixel may be on either side of it.
        for key in set(single) & {'boxes', 'scores', 'label_map'}:
            np.testing.assert_allclose(
                single[key], result[key], rtol=1e-3, atol=1e-3
            )


def test_arrays_are_rgb(model_of, scenes):
    infer = mmvit.Inferencer(model_of('cls'), device='cpu')
    path = scenes / 'img_dir/val/val_0.jpg'
    image = cv2.imread(str(path))[..., ::-1]
    from_array, from_pil, from_file = infer(
        [image, PIL.Image.fromarray(image), path]
    )
    assert from_array['path'] is None
    assert np.array_equal(from_array['scores'], from_pil['scores'])
    np.testing.assert_allclose(from_array['scores'], from_file['scores'])


def test_other_sizes_are_not_padded(model_of):
    cfg = model_of('seg').cfg
    pipeline = cfg.test_dataloader.dataset.pipeline
    cfg.test_dataloader.dataset.pipeline = [
        step for step in pipeline if step.type != 'Resize'
    ]
    cfg.model.data_preprocessor.size = None
    infer = mmvit.Inferencer(cfg, device='cpu')
    seen = []
    infer.model.backbone.register_forward_pre_hook(
        lambda _, args: seen.append(tuple(args[0].shape))
    )
    sizes = [(64, 64), (64, 96), (64, 64)]
    images = [np.zeros((*size, 3), np.uint8) for size in sizes]
    found = infer(images, batch_size=3)
    assert [result['label_map'].shape for result in found] == sizes
    assert seen == [(2, 3, 64, 64), (1, 3, 64, 96)]


def test_errors(model_of, tmp_path):
    cfg = model_of('cls').cfg
    del cfg.test_dataloader.dataset['metainfo']
    with pytest.raises(ValueError, match='names of the classes'):
        mmvit.Inferencer(cfg, device='cpu')
    with pytest.raises(TypeError, match='Linear has no config'):
        mmvit.Inferencer(torch.nn.Linear(1, 1), device='cpu')
    infer = mmvit.Inferencer(model_of('cls'), device='cpu')
    with pytest.raises(ValueError, match='no file or folder absent'):
        infer('absent')
    (tmp_path / 'empty.jpg').touch()
    with pytest.raises(ValueError, match='empty.jpg cannot be loaded'):
        infer(tmp_path)
    for image, told in (
        (np.zeros((3, 64, 64), np.uint8), r'its shape is \(3, 64, 64\)'),
        (np.zeros((64, 64, 3)), 'this one is float64'),
    ):
        with pytest.raises(ValueError, match=told):
            infer(image)
    with pytest.raises(ValueError, match='batch_size must be 1 or more'):
        infer(tmp_path, batch_size=0)
