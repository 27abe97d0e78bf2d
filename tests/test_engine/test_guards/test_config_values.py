"""Values that would train nothing, or are refused without their key."""

import logging
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmseg.models import CrossEntropyLoss
from torch import nn

from mmvit.engine.guards import config_values
from mmvit.engine.guards.config_values import (
    check_class_weights,
    check_ends,
    check_learning_rates,
    check_schedules,
    check_values,
)


def wrong(**changes):
    """What is said of a good config after some changes."""
    cfg = Config(
        dict(
            model=dict(backbone=dict(drop_path_rate=0.1)),
            optim_wrapper=dict(
                optimizer=dict(type='AdamW', lr=1e-3),
                clip_grad=dict(max_norm=1.0),
            ),
            param_scheduler=[
                dict(type='LinearLR', end=2, by_epoch=False),
                dict(type='CosineAnnealingLR', T_max=12),
            ],
            train_cfg=dict(max_epochs=12, val_interval=1),
            val_cfg=dict(type='ValLoop'),
            train_dataloader=dict(batch_size=2, num_workers=0),
            default_hooks=dict(checkpoint=dict(interval=-1)),
        )
    )
    cfg.merge_from_dict(
        {key.replace('__', '.'): value for key, value in changes.items()}
    )
    try:
        check_values(cfg)
        check_schedules(cfg)
    except ValueError as error:
        return str(error)
    return ''


def test_good_values():
    assert not wrong()
    assert not wrong(optim_wrapper__clip_grad=None)
    value = dict(type='value', clip_value=1, _delete_=True)
    assert not wrong(optim_wrapper__clip_grad=value)


WRONG = [
    (dict(optim_wrapper__optimizer__lr='1e-3'), 'optimizer.lr is the text'),
    (dict(train_dataloader__batch_size='two'), 'write a number'),
    (dict(train_cfg__max_epochs='12'), 'train_cfg.max_epochs is the text'),
    (dict(model__head=dict(num_classes='3')), 'model.head.num_classes is'),
    (dict(optim_wrapper__optimizer__lr=[1e-3]), 'write one number'),
    (dict(optim_wrapper__optimizer__lr=True), 'lr is True'),
    (dict(randomness=dict(seed='0')), 'randomness.seed is the text'),
    (dict(optim_wrapper=dict(clip_grad=5)), 'write dict(max_norm=5)'),
    (
        dict(optim_wrapper__clip_grad__norm_type='l2'),
        "write a number or 'inf'",
    ),
    (
        dict(param_scheduler=[dict(type='ConstantLR', factor=0)]),
        'param_scheduler[0].factor is 0',
    ),
    (dict(model__backbone__drop_path_rate=1.0), 'always be dropped'),
    (dict(model__head=dict(dropout_ratio=1.5)), 'dropout_ratio is 1.5'),
    (dict(model__head=dict(class_weight=[1, '2'])), 'class_weight is [1,'),
    (dict(model__head=dict(class_weight=[0, 0])), 'not all 0'),
    (dict(model__head=dict(class_weight=[-1, 1])), 'numbers that are 0 or'),
    (
        dict(param_scheduler=[dict(type='MultiStepLR', milestones='8')]),
        "milestones is '8': write a list",
    ),
    (dict(train_cfg__max_epochs=-3), 'train_cfg.max_epochs is -3'),
    (dict(train_dataloader__batch_size=2.5), 'batch_size is 2.5'),
    (dict(default_hooks__checkpoint__interval=2.5), 'a whole number'),
    (dict(optim_wrapper__optimizer__lr=-1), 'optimizer.lr is -1'),
    (dict(optim_wrapper__optimizer__lr=float('nan')), 'lr is nan'),
    (dict(optim_wrapper__optimizer__lr=None), 'lr is None'),
    (
        dict(optim_wrapper__optimizer=dict(_delete_=True, typ='SGD')),
        'optim_wrapper.optimizer has no type',
    ),
    (dict(optim_wrapper__clip_grad=dict(_delete_=True)), 'needs max_norm'),
    (dict(default_hooks__checkpoint__interval=0), 'checkpoint.interval is 0'),
    (dict(train_cfg__val_interval=0), 'train_cfg.val_interval is 0'),
    (dict(train_dataloader__batch_size=0), 'batch_size is 0'),
    (dict(optim_wrapper__accumulative_counts=0), 'accumulative_counts is 0'),
    (dict(custom_hooks=[dict(type='EMAHook', interval=0)]), '[0].interval'),
    (dict(model__backbone__drop_path_rate=1.5), 'drop_path_rate is 1.5'),
    (dict(model__backbone__drop_path_rate=-0.1), 'from 0 to 1'),
    (dict(optim_wrapper__optimizer__type='AdmW'), 'did you mean AdamW?'),
    (dict(custom_hooks=[dict(type='EmaHook')]), 'did you mean EMAHook?'),
    (
        dict(param_scheduler=[dict(type='CosineAnealingLR')]),
        'param_scheduler[0].type: no class is named',
    ),
    (
        dict(optim_wrapper__clip_grad=dict(max_nrom=1, _delete_=True)),
        'clip_grad.max_nrom is read by nothing; did you mean max_norm?',
    ),
    (dict(optim_wrapper__clip_grad__max_norm=0), 'max_norm is 0'),
    (dict(optim_wrapper__clip_grad__type='nrom'), 'choose norm or value'),
    (
        dict(train_cfg=dict(max_iters=9, _delete_=True)),
        'param_scheduler[1] (CosineAnnealingLR) counts epochs',
    ),
    (
        dict(param_scheduler=[dict(type='PolyLR', end=12, by_epoch=False)]),
        'counts iterations, and ends after 12',
    ),
]


@pytest.mark.parametrize(('changes', 'message'), WRONG)
def test_wrong_values(changes, message):
    text = wrong(**changes)
    assert message in text and text.startswith(('values of', 'param_sched'))


def told(monkeypatch, *schedules):
    """What is said of schedules of 12 epochs of 10 iterations."""
    logged = []
    monkeypatch.setattr(config_values, 'warn', logged.append)
    parameter = nn.Parameter(torch.zeros(1))
    wrapper = OptimWrapper(torch.optim.SGD([parameter], lr=0.1))
    run = SimpleNamespace(
        max_epochs=12,
        max_iters=120,
        train_dataloader=range(10),
        _train_loop=object.__new__(EpochBasedTrainLoop),
        logger=logging.getLogger(),
    )
    built = Runner._build_param_scheduler(run, list(schedules), wrapper)
    check_ends(built, 12, 120)
    return logged


@pytest.mark.parametrize(
    ('schedule', 'message'),
    [
        (dict(type='MultiStepLR', milestones=[8, 11]), None),
        (dict(type='MultiStepLR', milestones=[8, 20]), None),
        (dict(type='MultiStepLR', milestones=[16, 22]), 'begins after'),
        (dict(type='StepLR', step_size=12), 'begins after epoch 12'),
        (dict(type='CosineAnnealingLR', T_max=6), 'ends after epoch 6'),
        (dict(type='PolyLR', end=6), 'ends after epoch 6'),
        (dict(type='PolyLR', end=18), 'PolyLR ends after epoch 18'),
        (dict(type='PolyLR', end=12, convert_to_iter_based=True), None),
        (dict(type='OneCycleLR', eta_max=1, total_steps=12), None),
        (dict(type='OneCycleLR', eta_max=1, total_steps=6, end=6), 'epoch 6'),
        (dict(type='PolyLR', end=120, by_epoch=False), None),
        (dict(type='PolyLR', end=99, by_epoch=False), 'ends after iter 99'),
        (dict(type='CosineAnnealingLR', T_max=240, by_epoch=False), 'cut off'),
        (dict(type='ReduceOnPlateauLR', monitor='loss'), None),
    ],
)
def test_schedules_that_end_early(schedule, message, monkeypatch):
    warm_up = dict(type='LinearLR', end=20, by_epoch=False)
    logged = told(monkeypatch, warm_up, schedule)
    assert len(logged) == bool(message)
    assert all(message in text for text in logged)


def test_a_cycle_of_too_few_steps(monkeypatch):
    for begin, total in ((0, 11), (2, 9)):
        cycle = dict(type='OneCycleLR', eta_max=1, total_steps=total)
        with pytest.raises(ValueError, match=f'Set total_steps={12 - begin}$'):
            told(monkeypatch, dict(cycle, begin=begin))


def test_a_warm_up_that_is_cut_off(monkeypatch):
    (text,) = told(monkeypatch, dict(type='LinearLR', end=500, by_epoch=False))
    assert text == (
        'LinearLR ends after iter 500, and the training has 120: it is cut off'
    )


@pytest.mark.parametrize(
    ('settings', 'changes'),
    [
        (dict(by_epoch=False), {}),
        ({}, dict(val_cfg=None)),
    ],
)
def test_plateaus_that_are_never_seen(settings, changes):
    plateau = dict(type='ReduceOnPlateauLR', monitor='mIoU', **settings)
    text = wrong(param_scheduler=[plateau], **changes)
    assert 'param_scheduler[0] (ReduceOnPlateauLR) follows a metric' in text


def test_a_constant_rate_at_the_end_is_planned(monkeypatch):
    cosine = dict(type='CosineAnnealingLR', T_max=10, end=10)
    rest = dict(type='ConstantLR', factor=1, begin=10, end=12)
    assert not told(monkeypatch, cosine, rest)


def test_learning_rates_of_zero():
    layer = nn.Linear(2, 2)
    groups = [dict(params=[p], lr=0.0) for p in layer.parameters()]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    with pytest.raises(ValueError, match='nothing would be trained'):
        check_learning_rates(OptimWrapper(optimizer))
    optimizer.param_groups[0]['lr'] = 0.1
    check_learning_rates(OptimWrapper(optimizer))
    optimizer.param_groups[1]['lr'] = -0.1
    with pytest.raises(ValueError, match='below 0'):
        check_learning_rates(OptimWrapper(optimizer))


@pytest.mark.parametrize(
    ('part', 'number', 'fits'),
    [
        ('loss_decode', 2, False),
        ('loss_decode', 3, True),
        ('loss_decode', 4, False),
        ('loss_cls', 3, False),
        ('loss_cls', 4, True),
    ],
)
def test_class_weights(part, number, fits):
    head = nn.Module()
    head.num_classes = 3
    loss = CrossEntropyLoss(class_weight=[1.0] * number)
    setattr(head, part, nn.ModuleList([loss]))
    model = nn.ModuleDict(dict(decode_head=head))
    if fits:
        check_class_weights(model)
    else:
        with pytest.raises(ValueError) as error:
            check_class_weights(model)
        text = f'model.decode_head.{part}.class_weight has {number} weights'
        assert text in str(error.value)
