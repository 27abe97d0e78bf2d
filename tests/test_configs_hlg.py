"""The recipes of configs/hlg against the paper."""

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

from mmvit.apis.tta import enable_tta
from mmvit.models import HLGTransformer

from .support.config_tools import (
    CONFIGS,
    assert_detection_schedule,
    config_of,
    lr_curve,
    model_of,
    optimizer_groups,
    values_of,
)

FOLDER = CONFIGS / 'hlg'
IMAGENET = 'hlg-{}_8xb128-300e_in1k'
ADE = 'pup_hlg-{}_8xb2-160k_ade20k-512x512'
CITY = 'pup_hlg-{}_4xb2-{}_cityscapes-768x768'
DETECTORS = ('retinanet', 'mask-rcnn')


def hlg_config(stem: str) -> Config:
    return config_of(FOLDER / f'{stem}.py')


def detector(method: str, size: str) -> str:
    return f'{method}_hlg-{size}_fpn_ms-1x_coco'


def test_classification_schedule() -> None:
    """20 epochs from 1e-6 to 1e-3, a cosine of 280 to 1e-5."""
    curve = lr_curve(hlg_config(IMAGENET.format('s')), 4)
    assert len(curve) == 1200
    assert curve[0] == pytest.approx(1e-6)
    assert curve[40] == pytest.approx(5e-4, rel=0.02)
    assert curve.index(max(curve)) in (79, 80)
    assert max(curve) == pytest.approx(1e-3, rel=0.01)
    assert curve[4 * 160] == pytest.approx(5e-4, rel=0.02)
    assert curve[-1] == pytest.approx(1e-5, rel=0.01)


def test_classification_optimizer() -> None:
    path = FOLDER / f'{IMAGENET.format("s")}.py'
    groups = optimizer_groups(path)
    for name, parameter in model_of(path).named_parameters():
        assert groups[name]['lr'] == 1e-3
        expected = 0.05 if parameter.ndim > 1 else 0
        assert groups[name]['weight_decay'] == expected, name
    cfg = config_of(path)
    assert cfg.optim_wrapper.clip_grad == dict(max_norm=5.0)
    (ema,) = cfg.custom_hooks
    assert (ema.type, 1 - ema.momentum) == ('EMAHook', 0.99996)


def test_drop_path() -> None:
    stems = [
        *(IMAGENET.format(size) for size in ('mobile', *'tsml')),
        *(detector(m, size) for m in DETECTORS for size in 'tsml'),
        *(ADE.format(size) for size in 'sml'),
        *(CITY.format(size, '40k') for size in 'sml'),
        *(f'upernet_hlg-{s}_8xb2-160k_ade20k-512x512' for s in 'sml'),
    ]
    for stem in stems:
        rate = 0.3 if 'hlg-l' in stem else 0.1
        backbone = hlg_config(stem).model.backbone
        assert backbone.drop_path_rate == rate, stem


@pytest.mark.parametrize('size', list('tsml'))
def test_imagenet_v2_is_tested_by_its_list(size: str) -> None:
    cfg = hlg_config(f'{IMAGENET.format(size)}-v2')
    trained = hlg_config(IMAGENET.format(size))
    assert cfg.model == trained.model
    assert cfg.val_dataloader == trained.val_dataloader
    dataset = cfg.test_dataloader.dataset
    assert dataset.data_root.endswith(
        'imagenetv2-matched-frequency-format-val'
    )
    assert (dataset.split, dataset.ann_file) == ('', 'labels.txt')
    assert dataset.pipeline == trained.test_dataloader.dataset.pipeline


@pytest.mark.parametrize('method', DETECTORS)
def test_detection(method: str) -> None:
    cfg = hlg_config(detector(method, 'l'))
    assert_detection_schedule(cfg, 1e-4, (8, 11))
    (scales,) = values_of('scales', cfg.train_dataloader.to_dict())
    sides = (640, 672, 704, 736, 768, 800)
    assert scales == [(1333, side) for side in sides]
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        assert list(values_of('scale', loader.to_dict())) == [(1333, 800)]


@pytest.mark.parametrize('method', DETECTORS)
def test_norms_do_not_decay_in_detection(method: str) -> None:
    path = FOLDER / f'{detector(method, "t")}.py'
    groups = optimizer_groups(path)
    norms = nn.LayerNorm | nn.modules.batchnorm._BatchNorm
    for name, module in model_of(path).named_modules():
        for key, _ in module.named_parameters(prefix=name, recurse=False):
            expected = 0 if isinstance(module, norms) else 1e-4
            assert groups[key]['weight_decay'] == expected, key


def test_ade20k_recipe() -> None:
    path = FOLDER / f'{ADE.format("s")}.py'
    for name, group in optimizer_groups(path).items():
        factor = 10 if 'head' in name.partition('.')[0] else 1
        assert group['lr'] == pytest.approx(6e-5 * factor), name
        assert group['weight_decay'] == 0
    curve = lr_curve(config_of(path), 1, stop=2500)
    assert curve[0] == pytest.approx(6e-11)
    assert max(curve) == pytest.approx(6e-5, rel=0.01)
    assert curve[-1] == pytest.approx(6e-5 * (1 - 1000 / 158_500), rel=1e-3)


@pytest.mark.parametrize('length', [40_000, 80_000])
def test_cityscapes_recipe(length: int) -> None:
    cfg = hlg_config(CITY.format('m', f'{length // 1000}k'))
    assert cfg.train_cfg.max_iters == length
    curve = lr_curve(cfg, 1, stop=2000)
    share = (1 - 1999 / length) ** 0.9
    assert curve[0] == pytest.approx(0.01)
    assert curve[-1] == pytest.approx(1e-4 + (0.01 - 1e-4) * share, rel=1e-4)
    model = model_of(FOLDER / f'{CITY.format("m", "40k")}.py')
    with DefaultScope.overwrite_default_scope('mmseg'):
        optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    assert isinstance(optimizer, torch.optim.SGD)
    for group in optimizer.param_groups:
        assert (group['momentum'], group['weight_decay']) == (0.9, 0)
    assert {group['lr'] for group in optimizer.param_groups} == {0.01, 0.1}


def test_cityscapes_with_adamw() -> None:
    cfg = hlg_config(CITY.format('s', 'adamw-80k'))
    assert cfg.optim_wrapper.optimizer == dict(
        type='AdamW', lr=6e-5, weight_decay=0.0
    )
    assert cfg.optim_wrapper.paramwise_cfg.custom_keys.head.lr_mult == 10
    curve = lr_curve(cfg, 1, stop=2500)
    assert curve[750] == pytest.approx(3e-5, rel=0.01)
    assert curve[-1] == pytest.approx(6e-5 * (1 - 1000 / 78_500), rel=1e-3)


@pytest.mark.parametrize(
    ('stem', 'crop', 'stride'),
    [(ADE.format('l'), 512, 341), (CITY.format('l', '80k'), 768, 512)],
)
def test_segmentation_crops(stem: str, crop: int, stride: int) -> None:
    cfg = config_of.__wrapped__(FOLDER / f'{stem}.py')
    (size,) = values_of('crop_size', cfg.train_dataloader.to_dict())
    assert tuple(size) == (crop, crop)
    assert cfg.model.data_preprocessor.size == (crop, crop)
    assert cfg.model.test_cfg == dict(
        mode='slide', crop_size=(crop, crop), stride=(stride, stride)
    )
    enable_tta(cfg)
    steps = cfg.test_dataloader.dataset.pipeline[1]['transforms']
    assert len(steps[0]) == 6
    assert cfg.tta_model.type == 'SegTTAModel'


def test_head() -> None:
    for size, classes in (('s', 150), ('m', 150), ('l', 150)):
        model = model_of(FOLDER / f'{ADE.format(size)}.py')
        head = model.decode_head
        assert head.in_channels == list(model.backbone.embed_dims)
        assert head.channels == 512
        assert (head.num_classes, model.auxiliary_head.num_classes) == (
            classes,
            classes,
        )
        assert model.auxiliary_head.loss_decode.loss_weight == 0.4
        assert model.auxiliary_head.in_channels == head.in_channels[2]


def windows_of(stem: str) -> tuple:
    """Windows and dilations of the layers of stages 1 to 3, embedding."""
    backbone = model_of(FOLDER / f'{stem}.py').backbone
    assert isinstance(backbone, HLGTransformer)
    attns = [stage.blocks[1].attn for stage in backbone.stages[:3]]
    return (
        tuple(block.attn.windows for block in backbone.stages[0].blocks),
        tuple(attn.dilation for attn in attns),
        attns[0].embedding.kind,
    )


BOTH = ('plain', 'dilated')
FOLLOWS = (None, None, None)


@pytest.mark.parametrize(
    ('variant', 'expected'),
    [
        ('t', (BOTH, FOLLOWS, 'avg')),
        ('t-dwconv', (BOTH, FOLLOWS, 'dwconv')),
        ('t-plain', (('plain', 'plain'), FOLLOWS, 'avg')),
        ('t-dilation5', (BOTH, (5, 3, 2), 'avg')),
        ('t-dilation7', (BOTH, (7, 4, 2), 'avg')),
        ('t-dilation8', (BOTH, (8, 4, 2), 'avg')),
        ('s-plain', (('plain', 'plain'), FOLLOWS, 'avg')),
        ('s-no-local', ((None, None), FOLLOWS, 'avg')),
    ],
)
def test_ablations(variant: str, expected: tuple) -> None:
    assert windows_of(IMAGENET.format(variant)) == expected


def test_ablation_of_the_window_embedding_in_detection() -> None:
    stem = detector('retinanet', 't-dwconv')
    assert windows_of(stem) == (BOTH, FOLLOWS, 'dwconv')


def test_baseline_has_the_specification_of_small() -> None:
    pvt = model_of(FOLDER / f'{IMAGENET.format("s-pvt")}.py').backbone
    small = HLGTransformer.arch_zoo['small']
    for key in small:
        assert tuple(pvt.arch[key]) == small[key]
