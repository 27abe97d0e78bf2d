"""The recipes of configs/scalablevit against the paper."""

import pytest
from torch import nn

from mmvit.models.backbones.scalablevit import (
    ScalableAttention,
    WindowAttention,
)

from ..support.config_tools import (
    assert_deit_schedule,
    assert_detection_schedule,
    lr_curve,
)
from .recipes import (
    Folder,
    assert_drop_path,
    assert_norms_do_not_decay,
    assert_only_matrices_decay,
    assert_scales,
    assert_tta,
    assert_upernet_schedule,
    ms_scales,
)

SCALABLEVIT = Folder('scalablevit')
FPN = 'fpn_scalablevit-{}_4xb4-80k_ade20k-512x512'
UPERNET = 'upernet_scalablevit-{}_8xb2-160k_ade20k-512x512'
IMAGENET = 'scalablevit-{}_8xb128-300e_in1k'


@pytest.mark.parametrize(
    ('settings', 'steps'), [('1x', (8, 11)), ('ms-3x', (27, 33))]
)
@pytest.mark.parametrize('method', ['retinanet', 'mask-rcnn'])
def test_detection_schedule(
    method: str, settings: str, steps: tuple[int, int]
) -> None:
    cfg = SCALABLEVIT.config(f'{method}_scalablevit-b_fpn_{settings}_coco')
    peak = 2e-4 if (method, settings) == ('mask-rcnn', '1x') else 1e-4
    assert_detection_schedule(cfg, peak, steps)


def test_classification_schedule() -> None:
    assert_deit_schedule(SCALABLEVIT.config(IMAGENET.format('b')))


def test_semantic_fpn_schedule() -> None:
    cfg = SCALABLEVIT.config(FPN.format('b'))
    curve = lr_curve(cfg, 1, stop=2000)
    assert curve[0] == pytest.approx(1e-4)
    assert curve[-1] == pytest.approx(1e-4 * (1 - 1999 / 80_000) ** 0.9)


def test_upernet_schedule() -> None:
    assert_upernet_schedule(SCALABLEVIT.config(UPERNET.format('b')))


@pytest.mark.parametrize(
    'stem',
    [
        'retinanet_scalablevit-s_fpn_1x_coco',
        'mask-rcnn_scalablevit-s_fpn_1x_coco',
        FPN.format('s'),
    ],
)
def test_everything_decays_as_pvt_has_it(stem: str) -> None:
    groups = SCALABLEVIT.groups(stem).values()
    assert {group['weight_decay'] for group in groups} == {1e-4}


@pytest.mark.parametrize(
    ('stem', 'decay'),
    [
        ('retinanet_scalablevit-s_fpn_ms-3x_coco', 0.05),
        ('mask-rcnn_scalablevit-s_fpn_ms-3x_coco', 0.05),
        (UPERNET.format('s'), 0.01),
    ],
)
def test_norms_and_peg_do_not_decay_as_twins_has_it(
    stem: str, decay: float
) -> None:
    assert_norms_do_not_decay(SCALABLEVIT, stem, decay, but_also='.peg')


def test_classification_optimizer() -> None:
    stem = IMAGENET.format('s')
    assert_only_matrices_decay(SCALABLEVIT, stem)
    optim_wrapper = SCALABLEVIT.config(stem).optim_wrapper
    assert optim_wrapper.clip_grad == dict(max_norm=5.0)


@pytest.mark.parametrize(
    ('size', 'rate'), [('s', 0.2), ('b', 0.5), ('l', 0.5)]
)
def test_drop_path(size: str, rate: float) -> None:
    stems = [IMAGENET.format(size), FPN.format(size), UPERNET.format(size)]
    if size != 'l':
        stems += [
            f'{method}_scalablevit-{size}_fpn_{settings}_coco'
            for method in ('retinanet', 'mask-rcnn')
            for settings in ('1x', 'ms-3x')
        ]
    assert_drop_path(SCALABLEVIT, stems, rate)


@pytest.mark.parametrize('method', ['retinanet', 'mask-rcnn'])
@pytest.mark.parametrize(
    ('settings', 'train'),
    [('1x', (1333, 800)), ('ms-3x', [(1333, 480), (1333, 800)])],
)
def test_detection_sizes(
    method: str, settings: str, train: list | tuple
) -> None:
    cfg = SCALABLEVIT.config(f'{method}_scalablevit-b_fpn_{settings}_coco')
    assert_scales(cfg, train, (1333, 800))


@pytest.mark.parametrize('size', ['s', 'b', 'l'])
def test_multi_scale_test_scales_the_test_size(size: str) -> None:
    cfg = SCALABLEVIT.with_tta(UPERNET.format(size))
    assert_tta(cfg, ms_scales(512))


def kinds_of(stem: str) -> tuple:
    """The two attentions' kinds and whether the first block has a PEG."""

    def kind(attn: nn.Module) -> str:
        if isinstance(attn, ScalableAttention):
            scaled = attn.q.out_features != attn.proj.out_features
            return 'ssa' if scaled else 'ssa-rc1'
        assert isinstance(attn, WindowAttention)
        name = 'swsa' if attn.shift else 'wsa'
        return name + (f'+{attn.interaction}' if attn.interaction else '')

    backbone = SCALABLEVIT.model(stem).backbone
    for stage in backbone.stages[:3]:
        first, second = (kind(block.attn) for block in stage.blocks[:2])
        peg = [block.peg is not None for block in stage.blocks]
        assert not any(peg[1:])
        for index, block in enumerate(stage.blocks):
            assert kind(block.attn) == (first, second)[index % 2]
    return first, second, peg[0]


@pytest.mark.parametrize(
    ('variant', 'kinds', 'has_fpn'),
    [
        ('s', ('wsa+lim', 'ssa', True), True),
        ('s-wsa', ('wsa', 'wsa', True), True),
        ('s-iwsa', ('wsa+lim', 'wsa+lim', True), True),
        ('s-ssa', ('ssa', 'ssa', True), True),
        ('s-ssa-rc1', ('ssa-rc1', 'ssa-rc1', True), True),
        ('s-swsa-ssa', ('swsa', 'ssa', True), False),
        ('s-ssa-iwsa', ('ssa', 'wsa+lim', True), False),
        ('s-no-peg-no-lim', ('wsa', 'ssa', False), True),
        ('s-no-lim', ('wsa', 'ssa', True), True),
        ('s-lem-no-peg', ('wsa+lem', 'ssa', False), False),
        ('s-no-peg', ('wsa+lim', 'ssa', False), True),
        ('s-lem', ('wsa+lem', 'ssa', True), True),
    ],
)
def test_ablations(variant: str, kinds: tuple, has_fpn: bool) -> None:
    assert kinds_of(IMAGENET.format(variant)) == kinds
    fpn = FPN.format(variant)
    assert SCALABLEVIT.path(fpn).exists() == has_fpn
    if has_fpn:
        assert kinds_of(fpn) == kinds
