"""The recipes of configs/focal against the paper."""

import pytest
from torch import nn

from ..support.config_tools import (
    assert_detection_schedule,
    values_of,
)
from .recipes import (
    Folder,
    assert_swin_schedule,
    assert_tta,
    assert_upernet_schedule,
    ms_scales,
)

FOCAL = Folder('focal')
IMAGENET = 'focal-{}_8xb128-300e_in1k'
UPERNET = 'upernet_focal-{}_8xb2-160k_ade20k-{}'
DETECTION_REGIONS = ((13, 15), (13, 13), (13, 9), (7, 7))
HTC = 'htc{}_focal-l_fpn_ms-3x_coco'
DYHEAD = 'atss_focal-l_fpn-dyhead_ms-2x_coco'


def test_classification_schedule() -> None:
    assert_swin_schedule(FOCAL.config(IMAGENET.format('b')), first=1e-5)


def test_augmentation_is_deits_without_erasing_and_repetition() -> None:
    cfg = FOCAL.config(IMAGENET.format('t'))
    loader = cfg.train_dataloader
    assert [step.type for step in loader.dataset.pipeline] == [
        'LoadImageFromFile',
        'RandomResizedCrop',
        'RandomFlip',
        'RandAugment',
        'PackInputs',
    ]
    assert loader.sampler.type == 'DefaultSampler'
    assert 'EMAHook' not in list(values_of('type', cfg.to_dict()))
    assert cfg.optim_wrapper.clip_grad == dict(max_norm=5.0)


@pytest.mark.parametrize(
    ('size', 'cls', 'det'),
    [('t', 0.2, 0.2), ('s', 0.2, 0.3), ('b', 0.3, 0.5)],
)
def test_drop_path(size: str, cls: float, det: float) -> None:
    backbone = FOCAL.config(IMAGENET.format(size)).model.backbone
    assert backbone.drop_path_rate == cls
    for method in ('retinanet', 'mask-rcnn'):
        for settings in ('1x', 'ms-3x'):
            stem = f'{method}_focal-{size}_fpn_{settings}_coco'
            backbone = FOCAL.config(stem).model.backbone
            assert backbone.drop_path_rate == det
            assert backbone.overrides == dict(focal_regions=DETECTION_REGIONS)


@pytest.mark.parametrize(
    ('stem', 'peak', 'steps'),
    [
        ('retinanet_focal-b_fpn_1x_coco', 1e-4, (8, 11)),
        ('retinanet_focal-b_fpn_ms-3x_coco', 1e-4, (27, 33)),
        ('mask-rcnn_focal-b_fpn_1x_coco', 1e-4, (8, 11)),
        ('mask-rcnn_focal-b_fpn_ms-3x_coco', 1e-4, (27, 33)),
        (HTC.format(''), 1e-4, (27, 33)),
        (HTC.format('-without-semantic'), 1e-4, (27, 33)),
    ],
)
def test_detection_schedule(
    stem: str, peak: float, steps: tuple[int, int]
) -> None:
    assert_detection_schedule(FOCAL.config(stem), peak, steps)


@pytest.mark.parametrize(
    ('stem', 'lr', 'decay'),
    [
        (IMAGENET.format('t'), 1e-3, 0.05),
        ('retinanet_focal-t_fpn_1x_coco', 1e-4, 0.05),
        ('mask-rcnn_focal-t_fpn_ms-3x_coco', 1e-4, 0.05),
        (HTC.format(''), 1e-4, 0.1),
        (DYHEAD, 5e-5, 0.05),
        (UPERNET.format('t-conv', '512x512'), 6e-5, 0.01),
        (UPERNET.format('l', '640x640'), 6e-5, 0.01),
    ],
)
def test_norms_and_position_biases_do_not_decay(
    stem: str, lr: float, decay: float
) -> None:
    groups = FOCAL.groups(stem)
    seen = set()
    for name, module in FOCAL.model(stem).backbone.named_modules():
        for key, _ in module.named_parameters(prefix=name, recurse=False):
            group = groups[f'backbone.{key}']
            is_free = 'position_bias' in key or isinstance(
                module, nn.LayerNorm
            )
            is_bias = key.endswith('.bias') and stem == IMAGENET.format('t')
            assert group['lr'] == lr
            if not is_bias and 'pools' not in key:
                assert group['weight_decay'] == (0 if is_free else decay), key
                seen.add(is_free)
    assert seen == {True, False}


def test_upernet_schedule() -> None:
    assert_upernet_schedule(FOCAL.config(UPERNET.format('b-conv', '512x512')))


@pytest.mark.parametrize(
    ('size', 'side', 'crop'),
    [('t-conv', 512, '512x512'), ('l', 640, '640x640')],
)
def test_multi_scale_test_of_segmentation(
    size: str, side: int, crop: str
) -> None:
    assert_tta(FOCAL.with_tta(UPERNET.format(size, crop)), ms_scales(side))


@pytest.mark.parametrize('semantic', [True, False])
def test_htc(semantic: bool) -> None:
    cfg = FOCAL.config(HTC.format('' if semantic else '-without-semantic'))
    assert cfg.model.roi_head.type == 'HybridTaskCascadeRoIHead'
    assert ('semantic_head' in cfg.model.roi_head) == semantic
    assert cfg.model.test_cfg.rcnn.nms.type == 'soft_nms'
    load, boost, annotations, resize, *_ = cfg.train_pipeline
    assert boost.type == 'InstaBoost'
    assert annotations.get('with_seg', False) == semantic
    assert resize.scale == [(1600, 400), (1600, 1400)]
    assert cfg.train_dataloader.dataset.pipeline == cfg.train_pipeline


def test_dyhead() -> None:
    cfg = FOCAL.config(DYHEAD)
    assert [part.type for part in cfg.model.neck] == ['FPN', 'DyHead']
    assert FOCAL.with_tta(DYHEAD).tta_model
    backbone = cfg.model.backbone
    assert backbone.out_indices == (1, 2, 3)
    assert backbone.overrides.focal_regions == DETECTION_REGIONS


@pytest.mark.parametrize(
    ('variant', 'levels', 'side', 'depth', 'shifts'),
    [
        ('t', [(1, 13), (7, 3)], 7, 6, False),
        ('t-w14', [(1, 14), (14, 1)], 14, 6, False),
        ('t-shift', [(1, 13), (7, 3)], 7, 6, True),
        ('t-depth2222', [(1, 13), (7, 3)], 7, 2, False),
        ('t-depth2242', [(1, 13), (7, 3)], 7, 4, False),
        ('t-window', [(1, 7)], 7, 6, False),
        ('t-local', [(1, 13)], 7, 6, False),
        ('t-global', [(1, 7), (7, 3)], 7, 6, False),
    ],
)
def test_ablations(
    variant: str, levels: list, side: int, depth: int, shifts: bool
) -> None:
    detector = f'mask-rcnn_focal-{variant}_fpn_1x_coco'
    for stem in (IMAGENET.format(variant), detector):
        backbone = FOCAL.model(stem).backbone
        blocks = backbone.stages[2].blocks
        assert len(blocks) == depth
        assert any(block.attn.shift for block in blocks) == shifts
        assert blocks[0].attn.window_size == side
        found = list(blocks[0].attn.levels)
        if stem == detector and len(levels) == 2:
            # Larger regions, of the same levels.
            assert found[1][1] > levels[1][1]
            found = [found[0], (found[1][0], levels[1][1])]
        assert found == levels
