"""Models with their weights, and where an image lies in a model's input."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmvit.apis.inference import (
    ModelInput,
    class_names,
    load_model,
    read_image,
)
from tests.support.scenes import CLASSES
from tests.support.tiny import tiny_config


def test_points_and_padding() -> None:
    image = np.zeros((20, 40, 3), np.uint8)
    # The lower half and a quarter at the right are padding.
    found = ModelInput(image, torch.zeros(1, 3, 64, 64), (0.5, 0.75))
    assert found.place_of((0, 0)) == (0.5 / 40 * 0.75, 0.5 / 20 * 0.5)
    assert found.place_of((39, 19)) == (39.5 / 40 * 0.75, 19.5 / 20 * 0.5)
    assert found.without_padding((8, 8)) == (4, 6)
    assert found.without_padding((1, 1)) == (1, 1)
    for point in ((40, 0), (0, 20), (-1, 0)):
        with pytest.raises(ValueError, match='outside of the image, 40x20'):
            found.place_of(point)


def test_an_image_is_read_as_the_test_reads_it(scenes, fresh_runs) -> None:
    cfg = tiny_config('det', scenes)
    cfg.test_dataloader.dataset.pipeline[1].update(
        scale=(96, 40), keep_ratio=True
    )
    model = load_model(cfg, None)
    found = read_image(cfg, model, str(scenes / 'img_dir/val/val_0.jpg'))
    assert found.image.shape == (64, 64, 3)
    # Resized to 40x40, and padded to a multiple of 32
    assert found.inputs.shape == (1, 3, 64, 64)
    assert found.share == (40 / 64, 40 / 64)


def test_a_model_knows_the_classes_of_its_checkpoint(
    scenes, tmp_path, fresh_runs, capsys
) -> None:
    cfg = tiny_config('cls', scenes)
    model = load_model(cfg, None)
    assert 'the weights are random' in capsys.readouterr().out
    assert not model.training and model.dataset_meta == {}
    meta = dict(dataset_meta=dict(classes=('a', 'b')))
    path = str(tmp_path / 'weights.pth')
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    again = load_model(cfg, path)
    assert again.dataset_meta == dict(classes=('a', 'b'))
    for key, value in again.state_dict().items():
        assert torch.equal(value, model.state_dict()[key])
    assert 'random' not in capsys.readouterr().out


def test_classes_of_the_checkpoint_the_config_or_the_data_set() -> None:
    cfg = tiny_config('det', 'nowhere')
    model = SimpleNamespace(dataset_meta=dict(classes=('a', 'b')))
    assert class_names(cfg, model) == dict(classes=('a', 'b'))
    model.dataset_meta = {}
    assert class_names(cfg, model) == dict(classes=CLASSES)
    del cfg.test_dataloader.dataset.metainfo
    assert len(class_names(cfg, model)['classes']) == 80  # CocoDataset's
    cfg = tiny_config('cls', 'nowhere')
    with pytest.raises(ValueError, match='neither the checkpoint nor'):
        class_names(cfg, model)
