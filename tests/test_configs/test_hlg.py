"""The recipes of configs/hlg against the paper."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope

from mmvit.models import HLGTransformer

from ..support.config_tools import (
    assert_detection_schedule,
    lr_curve,
    values_of,
)
from .recipes import (
    Folder,
    assert_drop_path,
    assert_norms_do_not_decay,
    assert_only_matrices_decay,
    assert_swin_schedule,
    assert_upernet_schedule,
)

HLG = Folder('hlg')
IMAGENET = 'hlg-{}_8xb128-300e_in1k'
ADE = 'pup_hlg-{}_8xb2-160k_ade20k-512x512'
CITY = 'pup_hlg-{}_4xb2-{}_cityscapes-768x768'
DETECTORS = ('retinanet', 'mask-rcnn')


def detector(method: str, size: str) -> str:
    return f'{method}_hlg-{size}_fpn_ms-1x_coco'


def test_classification_recipe() -> None:
    stem = IMAGENET.format('s')
    cfg = HLG.config(stem)
    assert_swin_schedule(cfg)
    assert_only_matrices_decay(HLG, stem)
    assert cfg.optim_wrapper.clip_grad == dict(max_norm=5.0)
    (ema,) = cfg.custom_hooks
    assert (ema.type, 1 - ema.momentum) == ('EMAHook', 0.99996)
    assert ema.update_buffers


def test_drop_path() -> None:
    stems = [
        *(IMAGENET.format(size) for size in ('mobile', *'tsml')),
        *(detector(m, size) for m in DETECTORS for size in 'tsml'),
        *(ADE.format(size) for size in 'sml'),
        *(CITY.format(size, '40k') for size in 'sml'),
        *(f'upernet_hlg-{s}_8xb2-160k_ade20k-512x512' for s in 'sml'),
    ]
    released = [detector(method, 'm') for method in DETECTORS]
    for stem in stems:
        larger = 'hlg-l' in stem or stem in released
        assert_drop_path(HLG, [stem], 0.3 if larger else 0.1)


@pytest.mark.parametrize('size', list('tsml'))
def test_imagenet_v2_is_tested_by_its_list(size: str) -> None:
    cfg = HLG.config(f'{IMAGENET.format(size)}-v2')
    trained = HLG.config(IMAGENET.format(size))
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
    cfg = HLG.config(detector(method, 'l'))
    assert_detection_schedule(cfg, 1e-4, (8, 11))
    (scales,) = values_of('scales', cfg.train_dataloader.to_dict())
    sides = (640, 672, 704, 736, 768, 800)
    assert scales == [(1333, side) for side in sides]
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        assert list(values_of('scale', loader.to_dict())) == [(1333, 800)]


@pytest.mark.parametrize('method', DETECTORS)
def test_norms_do_not_decay_in_detection(method: str) -> None:
    assert_norms_do_not_decay(HLG, detector(method, 't'), 1e-4)


def test_ade20k_recipe() -> None:
    stem = ADE.format('s')
    for name, group in HLG.groups(stem).items():
        factor = 10 if 'head' in name.partition('.')[0] else 1
        assert group['lr'] == pytest.approx(6e-5 * factor), name
        assert group['weight_decay'] == 0
    assert_upernet_schedule(HLG.config(stem))


@pytest.mark.parametrize('length', [40_000, 80_000])
def test_cityscapes_recipe(length: int) -> None:
    cfg = HLG.config(CITY.format('m', f'{length // 1000}k'))
    assert cfg.train_cfg.max_iters == length
    curve = lr_curve(cfg, 1, stop=2000)
    share = (1 - 1999 / length) ** 0.9
    assert curve[0] == pytest.approx(0.01)
    assert curve[-1] == pytest.approx(1e-4 + (0.01 - 1e-4) * share, rel=1e-4)
    model = HLG.model(CITY.format('m', '40k'))
    with DefaultScope.overwrite_default_scope('mmseg'):
        optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    assert isinstance(optimizer, torch.optim.SGD)
    for group in optimizer.param_groups:
        assert (group['momentum'], group['weight_decay']) == (0.9, 0)
    assert {group['lr'] for group in optimizer.param_groups} == {0.01, 0.1}


def test_cityscapes_with_adamw() -> None:
    cfg = HLG.config(CITY.format('s', 'adamw-80k'))
    assert cfg.optim_wrapper.optimizer == dict(
        type='AdamW', lr=6e-5, weight_decay=0.0
    )
    assert cfg.optim_wrapper.paramwise_cfg.custom_keys.head.lr_mult == 10
    assert_upernet_schedule(cfg, 80_000)


@pytest.mark.parametrize(
    ('stem', 'crop', 'stride'),
    [
        (ADE.format('l'), 512, 341),
        (CITY.format('l', '80k'), 768, 512),
        ('upernet_hlg-m_4xb2-40k_cityscapes-768x768', 768, 512),
    ],
)
def test_segmentation_crops(stem: str, crop: int, stride: int) -> None:
    cfg = HLG.config(stem)
    (size,) = values_of('crop_size', cfg.train_dataloader.to_dict())
    assert tuple(size) == (crop, crop)
    assert cfg.model.data_preprocessor.size == (crop, crop)
    assert cfg.model.test_cfg == dict(
        mode='slide', crop_size=(crop, crop), stride=(stride, stride)
    )
    cfg = HLG.with_tta(stem)
    steps = cfg.test_dataloader.dataset.pipeline[1]['transforms']
    assert len(steps[0]) == 6
    assert min(min(step.scale) for step in steps[0]) == crop
    assert max(min(step.scale) for step in steps[0]) == 1.75 * (
        1024 if crop == 768 else crop
    )
    assert cfg.tta_model.type == 'mmvit.SegmentationTTAModel'


def test_head() -> None:
    for size, classes in (('s', 150), ('m', 150), ('l', 150)):
        model = HLG.model(ADE.format(size))
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
    backbone = HLG.model(stem).backbone
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
    pvt = HLG.model(IMAGENET.format('s-pvt')).backbone
    small = HLGTransformer.arch_zoo['small']
    for key in small:
        assert tuple(pvt.arch[key]) == small[key]
