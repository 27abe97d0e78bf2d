"""Classes that do not exist are named with their keys."""

import pytest
from mmengine.config import Config

from mmvit.engine.guards.config_types import check_types, unknown_types
from tests.support.tiny import TASKS, tiny_config

SPLITS = ('train', 'val', 'test')
PLACES = {
    'model': 'ImageClassifie',
    'model.backbone': 'mmvit.PVTT',
    'model.head': 'LinearClsHea',
    'optim_wrapper': 'OptimWrappe',
    'optim_wrapper.optimizer': 'AdmW',
    'default_hooks.checkpoint': 'CheckpointHok',
    'train_cfg': 'EpochBasedTrainLop',
    'train_dataloader.dataset': 'CustomDatset',
    'train_dataloader.sampler': 'DefaultSamplr',
    'val_evaluator': 'Acuracy',
}


@pytest.fixture(scope='module')
def tiny():
    return tiny_config('cls', 'nowhere')


@pytest.mark.parametrize('task', TASKS)
def test_good_types(task):
    assert list(unknown_types(tiny_config(task, 'nowhere'), SPLITS)) == []


@pytest.mark.parametrize('place', PLACES)
def test_misspelt_types(tiny, place):
    cfg = Config(tiny.to_dict())
    cfg.merge_from_dict({f'{place}.type': PLACES[place]})
    (line,) = unknown_types(cfg, SPLITS)
    assert line.startswith(f'{place}.type: no class is named ')
    assert '; did you mean ' in line


def test_types_within_lists(tiny):
    cfg = Config(tiny.to_dict())
    cfg.train_dataloader.dataset = dict(
        type='ConcatDataset',
        datasets=[
            dict(
                type='CustomDataset',
                pipeline=[
                    dict(type='RandomApply', transforms=[dict(type='Flip')])
                ],
            )
        ],
    )
    cfg.val_evaluator = [dict(type='Accuracy'), dict(type='Acuracy')]
    cfg.custom_hooks = [dict(type='EMAHok')]
    cfg.param_scheduler = [dict(type='CosineLR')]
    places = [line.partition(': ')[0] for line in unknown_types(cfg, SPLITS)]
    assert places == [
        'param_scheduler[0].type',
        'custom_hooks[0].type',
        'train_dataloader.dataset.datasets[0].pipeline[0].transforms[0].type',
        'val_evaluator[1].type',
    ]


def test_transforms_of_another_library_are_its_own(tiny):
    cfg = Config(tiny.to_dict())
    cfg.train_dataloader.dataset.pipeline = [
        dict(type='Albumentations', transforms=[dict(type='Blur')])
    ]
    assert list(unknown_types(cfg, SPLITS)) == []


def test_a_test_needs_no_classes_of_the_training(tiny, command):
    cfg = Config(tiny.to_dict())
    cfg.train_dataloader.dataset.type = 'CustomDatset'
    check_types(cfg, 'test')
    with pytest.raises(ValueError, match='train_dataloader.dataset.type: no'):
        command('train', cfg)
