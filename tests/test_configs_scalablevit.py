"""The recipes of configs/scalablevit against the paper."""

import pytest
from mmengine.config import Config
from torch import nn

from mmvit.apis.tta import enable_tta
from mmvit.models.backbones.scalablevit import (
    ScalableAttention,
    WindowAttention,
)

from .support.config_tools import (
    CONFIGS,
    assert_deit_schedule,
    assert_detection_schedule,
    config_of,
    lr_curve,
    model_of,
    optimizer_groups,
    values_of,
)

FOLDER = CONFIGS / 'scalablevit'
FPN = 'fpn_scalablevit-{}_4xb4-80k_ade20k-512x512'
UPERNET = 'upernet_scalablevit-{}_8xb2-160k_ade20k-512x512'
IMAGENET = 'scalablevit-{}_8xb128-300e_in1k'


def scalablevit_config(stem: str) -> Config:
    return config_of(FOLDER / f'{stem}.py')


def decay_of(stem: str) -> dict[str, float]:
    """Weight decay of each parameter, by the parameter's name."""
    groups = optimizer_groups(FOLDER / f'{stem}.py')
    return {name: group['weight_decay'] for name, group in groups.items()}


@pytest.mark.parametrize(
    ('settings', 'steps'), [('1x', (8, 11)), ('ms-3x', (27, 33))]
)
@pytest.mark.parametrize('method', ['retinanet', 'mask-rcnn'])
def test_detection_schedule(
    method: str, settings: str, steps: tuple[int, int]
) -> None:
    cfg = scalablevit_config(f'{method}_scalablevit-b_fpn_{settings}_coco')
    peak = 2e-4 if (method, settings) == ('mask-rcnn', '1x') else 1e-4
    assert_detection_schedule(cfg, peak, steps)


def test_classification_schedule() -> None:
    assert_deit_schedule(scalablevit_config(IMAGENET.format('b')))


def test_semantic_fpn_schedule() -> None:
    cfg = scalablevit_config(FPN.format('b'))
    curve = lr_curve(cfg, 1, stop=2000)
    assert curve[0] == pytest.approx(1e-4)
    assert curve[-1] == pytest.approx(1e-4 * (1 - 1999 / 80_000) ** 0.9)


def test_upernet_schedule() -> None:
    cfg = scalablevit_config(UPERNET.format('b'))
    curve = lr_curve(cfg, 1, stop=2500)
    assert curve[0] == pytest.approx(6e-11)
    assert curve[750] == pytest.approx(3e-5, rel=0.01)
    assert max(curve) == pytest.approx(6e-5, rel=0.01)
    assert curve[-1] == pytest.approx(6e-5 * (1 - 1000 / 158_500), rel=1e-3)
    assert 'eta_min' not in cfg.param_scheduler[-1]


@pytest.mark.parametrize(
    'stem',
    [
        'retinanet_scalablevit-s_fpn_1x_coco',
        'mask-rcnn_scalablevit-s_fpn_1x_coco',
        FPN.format('s'),
    ],
)
def test_everything_decays_as_pvt_has_it(stem: str) -> None:
    assert set(decay_of(stem).values()) == {1e-4}


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
    decays = decay_of(stem)
    seen = set()
    for path, module in model_of(FOLDER / f'{stem}.py').named_modules():
        is_free = path.endswith('.peg') or isinstance(
            module, nn.LayerNorm | nn.modules.batchnorm._BatchNorm
        )
        for name, _ in module.named_parameters(prefix=path, recurse=False):
            assert decays.pop(name) == (0 if is_free else decay), name
            seen.add(is_free)
    assert seen == {True, False}
    assert not decays


def test_classification_optimizer() -> None:
    path = FOLDER / f'{IMAGENET.format("s")}.py'
    groups = optimizer_groups(path)
    for name, parameter in model_of(path).named_parameters():
        assert groups[name]['lr'] == 1e-3
        expected = 0.05 if parameter.ndim > 1 else 0
        assert groups[name]['weight_decay'] == expected, name
    assert config_of(path).optim_wrapper.clip_grad == dict(max_norm=5.0)


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
    for stem in stems:
        backbone = scalablevit_config(stem).model.backbone
        assert backbone.drop_path_rate == rate, stem


@pytest.mark.parametrize('method', ['retinanet', 'mask-rcnn'])
@pytest.mark.parametrize(
    ('settings', 'train'),
    [('1x', (1333, 800)), ('ms-3x', [(1333, 480), (1333, 800)])],
)
def test_detection_sizes(
    method: str, settings: str, train: list | tuple
) -> None:
    cfg = scalablevit_config(f'{method}_scalablevit-b_fpn_{settings}_coco')
    for loader, scale in (
        (cfg.train_dataloader, train),
        (cfg.val_dataloader, (1333, 800)),
        (cfg.test_dataloader, (1333, 800)),
    ):
        assert list(values_of('scale', loader.to_dict())) == [scale]


@pytest.mark.parametrize('size', ['s', 'b', 'l'])
def test_multi_scale_test_scales_the_test_size(size: str) -> None:
    cfg = config_of.__wrapped__(FOLDER / f'{UPERNET.format(size)}.py')
    enable_tta(cfg)
    pipeline = cfg.test_dataloader.dataset.pipeline
    resizes, flips, *_ = pipeline[1]['transforms']
    heights = (256, 384, 512, 640, 768, 896)
    assert [step['scale'] for step in resizes] == [
        (4 * height, height) for height in heights
    ]
    assert [step['prob'] for step in flips] == [0, 1]
    assert cfg.tta_model.type == 'SegTTAModel'


def kinds_of(stem: str) -> tuple:
    """The two attentions' kinds and whether the first block has a PEG."""

    def kind(attn: nn.Module) -> str:
        if isinstance(attn, ScalableAttention):
            scaled = attn.q.out_features != attn.proj.out_features
            return 'ssa' if scaled else 'ssa-rc1'
        assert isinstance(attn, WindowAttention)
        name = 'swsa' if attn.shift else 'wsa'
        return name + (f'+{attn.interaction}' if attn.interaction else '')

    backbone = model_of(FOLDER / f'{stem}.py').backbone
    for stage in backbone.stages[:3]:
        first, second = (kind(block.attn) for block in stage.blocks[:2])
        peg = [hasattr(block, 'peg') for block in stage.blocks]
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
    assert (FOLDER / f'{fpn}.py').exists() == has_fpn
    if has_fpn:
        assert kinds_of(fpn) == kinds
