"""Weights against models: a run does not go on from noise."""

import copy

import pytest
import torch

from mmvit.apis.config import build_model
from tests.support.helpers import weights_of
from tests.support.tiny import ARCH, tiny_config

WIDER = dict(ARCH, embed_dims=(16, 32, 48, 64))


@pytest.fixture
def saved(scenes, tmp_path, fresh_runs):
    """A tiny segmentor's config and a checkpoint of its weights."""
    cfg = tiny_config('seg', scenes)
    path = tmp_path / 'segmentor.pth'
    torch.save(dict(state_dict=build_model(cfg).state_dict()), path)
    return cfg, path


def wider(cfg):
    cfg = copy.deepcopy(cfg)
    cfg.model.backbone.arch = WIDER
    cfg.model.neck.in_channels = list(WIDER['embed_dims'])
    return cfg


def other_task(cfg):
    cfg = copy.deepcopy(cfg)
    # All tensors of a checkpoint are of other names.
    cfg.model.backbone = dict(
        type='mmseg.MobileNetV2', widen_factor=0.25, out_indices=(1, 2, 4, 6)
    )
    cfg.model.neck.in_channels = [8, 8, 24, 80]
    return cfg


def more_classes(cfg):
    cfg = copy.deepcopy(cfg)
    cfg.model.decode_head.num_classes = 4
    for name in ('train', 'val', 'test'):
        cfg[f'{name}_dataloader'].dataset.metainfo = dict(
            classes=('ground', 'round', 'square', 'other'),
            palette=[[0, 0, index] for index in range(4)],
        )
    return cfg


def test_test_of_another_size(saved, command):
    cfg, weights = saved
    with pytest.raises(ValueError) as error:
        command('test', wider(cfg), weights)
    text = str(error.value)
    assert str(weights) in text
    key = 'backbone.stages.0.downsample.patch_embed.projection.weight'
    assert f'{key} (8, 3, 4, 4) instead of (16, 3, 4, 4)' in text


def test_test_of_another_architecture(saved, command):
    cfg, weights = saved
    with pytest.raises(ValueError) as error:
        command('test', other_task(cfg), weights)
    assert 'missing: backbone.conv1' in str(error.value)
    assert 'not used: backbone.stages' in str(error.value)


def test_test_needs_the_head_as_well(saved, command):
    cfg, weights = saved
    with pytest.raises(ValueError, match='decode_head.conv_seg.weight'):
        command('test', more_classes(cfg), weights)


def test_test_of_weights_without_a_head(saved, command, tmp_path):
    cfg, weights = saved
    backbone = {
        key: value
        for key, value in weights_of(weights).items()
        if not key.startswith('decode_head')
    }
    torch.save(dict(state_dict=backbone), tmp_path / 'part.pth')
    with pytest.raises(ValueError, match='missing: decode_head'):
        command('test', cfg, tmp_path / 'part.pth')


def test_fine_tuning_with_another_head(saved, command):
    cfg, weights = saved
    cfg = more_classes(cfg)
    cfg.load_from = str(weights)
    cfg.train_cfg.max_iters = 1
    cfg.optim_wrapper.optimizer.lr = 1e-30
    cfg.optim_wrapper.optimizer.weight_decay = 0.0
    work_dir = command('train', cfg)
    after, before = weights_of(work_dir / 'iter_1.pth'), weights_of(weights)
    for key, value in before.items():
        if key.startswith('backbone'):
            torch.testing.assert_close(after[key], value)
    assert after['decode_head.conv_seg.weight'].shape[0] == 4
    (log,) = work_dir.glob('*/*.log')
    assert 'of another shape: decode_head.conv_seg.weight' in log.read_text()


@pytest.mark.parametrize('change', [wider, other_task])
def test_fine_tuning_from_noise(saved, command, change):
    cfg, weights = saved
    cfg = change(cfg)
    cfg.load_from = str(weights)
    with pytest.raises(ValueError, match='another architecture'):
        command('train', cfg)


@pytest.mark.parametrize('change', [wider, other_task, more_classes])
def test_resume_is_strict(saved, command, change):
    cfg, weights = saved
    parts = dict(meta=dict(epoch=1, iter=2), message_hub={}, optimizer={})
    torch.save(dict(state_dict=weights_of(weights), **parts), weights)
    with pytest.raises(ValueError, match='another architecture'):
        command('train', change(cfg), '--resume', weights)


def test_weights_of_another_image_size_fit(saved, command):
    cfg, weights = saved
    cfg = copy.deepcopy(cfg)
    cfg.model.backbone.img_size = 96
    command('test', cfg, weights)


def test_a_file_of_no_weights(saved, command, tmp_path):
    cfg, _ = saved
    torch.save([torch.zeros(2)], tmp_path / 'list.pth')
    with pytest.raises(ValueError, match='list.pth holds a list instead'):
        command('test', cfg, tmp_path / 'list.pth')
