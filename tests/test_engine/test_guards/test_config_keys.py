"""Keys of a config that nothing reads."""

import pytest
from mmengine.config import Config
from torch import nn

from mmvit.engine.guards.config_keys import (
    check_custom_keys,
    check_sub_keys,
    unread_keys,
    unread_options,
)
from tests.support.helpers import ROOT
from tests.support.tiny import tiny_config, write_config

CONFIGS = sorted(
    path
    for path in (ROOT / 'configs').rglob('*.py')
    if '_base_' not in path.parts
)


def lines_of(tmp_path, text, base=''):
    (tmp_path / 'base.py').write_text(base)
    path = tmp_path / 'config.py'
    path.write_text(text)
    return list(unread_keys(str(path)))


@pytest.mark.parametrize(
    ('text', 'wanted'),
    [
        ('optim_wraper = dict(lr=1)', 'did you mean optim_wrapper?'),
        (
            '\nmax_epoch = 3',
            ":2: top-level key 'max_epoch' is read by nothing",
        ),
        ('optimizer = dict(lr=1)', 'its place in mmengine is optim_wrapper.'),
        ('data = dict(samples_per_gpu=2)', 'train_dataloader'),
        ('train_dataloder = dict()', 'did you mean train_dataloader?'),
    ],
)
def test_unread_key(tmp_path, text, wanted):
    (line,) = lines_of(tmp_path, text)
    assert wanted in line
    assert 'config.py:' in line


def test_variables_are_read(tmp_path):
    text = """
_base_ = './base.py'
size = (64, 64)
pipeline = [dict(type='Resize', scale=size)]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
model = dict(head=dict(classes=_base_.classes))
_note = 'mine'
optimizer = None
"""
    assert not lines_of(tmp_path, text, 'classes = 3')


def test_base_variable_that_came_too_late(tmp_path):
    base = 'epochs = 12\ntrain_cfg = dict(max_epochs=epochs)'
    (line,) = lines_of(tmp_path, "_base_ = './base.py'\nepochs = 3", base)
    assert 'set the keys that it went into' in line


def test_base_of_variables_offers_more_than_is_used(tmp_path):
    base = 'narrow = dict(a=1)\nwide = dict(a=2)\n'
    text = "_base_ = './base.py'\nmodel = {{_base_.wide}}"
    assert not lines_of(tmp_path, text, base)
    (line,) = lines_of(tmp_path, text, base + 'lr_config = dict(a=3)')
    assert 'param_scheduler' in line


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_our_configs_are_read(path):
    assert not list(unread_keys(str(path)))


@pytest.mark.parametrize(
    ('option', 'wanted'),
    [
        ('optimizer.lr', 'optim_wrapper.optimizer'),
        ('optim_wraper.clip_grad', 'did you mean optim_wrapper?'),
        ('crop_size', 'was used when that was read'),
    ],
)
def test_unread_option(option, wanted):
    (line,) = unread_options({option: 1})
    assert f'--cfg-options {option}' in line
    assert wanted in line
    assert not list(unread_options({'optim_wrapper.optimizer.lr': 1}))


@pytest.mark.parametrize(
    ('changes', 'wanted'),
    [
        (
            dict(optim_wrapper=dict(paramwise_cfg=dict(custom_keyz={}))),
            'paramwise_cfg.custom_keyz is read by nothing; did you mean '
            'custom_keys?',
        ),
        (
            dict(auto_scale_lr=dict(base_batchsize=16)),
            'auto_scale_lr.base_batchsize is read by nothing; did you mean '
            'base_batch_size?',
        ),
        (
            dict(env_cfg=dict(cudnn_benchmrk=True)),
            'did you mean cudnn_benchmark?',
        ),
        (
            dict(env_cfg=dict(mp_cfg=dict(start_method='fork'))),
            'env_cfg.mp_cfg.start_method',
        ),
        (
            dict(default_hooks=dict(checkpont=dict(type='CheckpointHook'))),
            'did you mean checkpoint?',
        ),
        (
            dict(default_hooks=dict(finte=dict(max_skipped=3))),
            'did you mean finite?',
        ),
    ],
)
def test_unread_sub_key(changes, wanted):
    with pytest.raises(ValueError) as error:
        check_sub_keys(Config(changes), hooks=('finite',))
    assert wanted in str(error.value)


def test_sub_keys_that_are_read():
    check_sub_keys(
        Config(
            dict(
                optim_wrapper=dict(
                    constructor='mmpretrain.'
                    'LearningRateDecayOptimWrapperConstructor',
                    paramwise_cfg=dict(layer_decay_rate=0.7),
                ),
                default_hooks=dict(mine=dict(type='MyHook'), timer=None),
                env_cfg=None,
            )
        )
    )


def test_custom_keys_without_effect():
    model = nn.Sequential()
    model.backbone = nn.Linear(2, 2)
    wrapper = dict(paramwise_cfg=dict(custom_keys={'backbon.': dict()}))
    with pytest.raises(ValueError, match="backbon.'.*mean backbone"):
        check_custom_keys(wrapper, model)
    for entry in (dict(decay_mult=0.0), dict(betas=(0.9, 0.99), lr=1)):
        wrapper['paramwise_cfg']['custom_keys'] = {'bias': entry}
        check_custom_keys(wrapper, model)
    wrapper['paramwise_cfg']['custom_keys'] = {'bias': dict(lr_mul=0.0)}
    with pytest.raises(ValueError, match=r"'bias'\].lr_mul .*mean lr_mult"):
        check_custom_keys(wrapper, model)


def test_custom_keys_of_other_models_are_allowed(monkeypatch):
    """Swin's schedule, which our classifiers inherit, has such keys."""
    told = []
    monkeypatch.setattr(
        'mmvit.engine.guards.config_keys.print_log',
        lambda text, *_: told.append(text),
    )
    keys = {'.absolute_pos_embed': dict(decay_mult=0.0), 'bias': dict()}
    wrapper = dict(paramwise_cfg=dict(custom_keys=keys))
    check_custom_keys(wrapper, nn.Linear(2, 2))
    assert len(told) == 1
    assert "['.absolute_pos_embed'] is part of no parameter's name" in told[0]


def test_train_refuses(scenes, command, tmp_path):
    cfg = tiny_config('cls', scenes)
    path = write_config(cfg, tmp_path / 'typo.py')
    with open(path, 'a') as file:
        file.write('\nparam_schedular = []\n')
    with pytest.raises(ValueError, match='did you mean param_scheduler'):
        command('train', path)
    with pytest.raises(ValueError, match='optim_wrapper.optimizer'):
        command('train', cfg, '--cfg-options', 'optimizer.lr=99')
    cfg.optim_wrapper.paramwise_cfg = dict(custom_keys={'hed': dict()})
    with pytest.raises(ValueError, match='did you mean head'):
        command('train', cfg)
    # A work dir's copy is trained again as it is.
    del cfg.optim_wrapper.paramwise_cfg
    cfg.optimizer = dict(type='SGD', lr=0.1)
    cfg.launcher = 'none'
    cfg.work_dir = str(tmp_path / 'again')
    command('train', cfg)
