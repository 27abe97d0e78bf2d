"""The recipes of configs/pale against the paper."""

import pytest
from mmengine.config import Config
from torch import nn

from mmvit.apis.tta import enable_tta
from mmvit.models import TokenLabelHead, TokenLabelPreprocessor

from .support.config_tools import (
    CONFIGS,
    assert_detection_schedule,
    config_of,
    lr_curve,
    model_of,
    optimizer_groups,
    values_of,
)

FOLDER = CONFIGS / 'pale'
IMAGENET = 'pale-{}_8xb128-300e_in1k'
MASK_RCNN = 'mask-rcnn_pale-{}_fpn_1x_coco'
UPERNET = 'upernet_pale-{}_8xb2-160k_ade20k-512x512'
TASKS = (IMAGENET, MASK_RCNN, UPERNET)


def pale_config(stem: str) -> Config:
    return config_of(FOLDER / f'{stem}.py')


@pytest.mark.parametrize('size', ['t', 's', 'b', 't-token-labels'])
def test_classification_recipe(size: str) -> None:
    cfg = pale_config(IMAGENET.format(size))
    assert cfg.train_cfg.max_epochs == 300
    curve = lr_curve(cfg, 4)
    assert curve[0] == pytest.approx(1e-6)
    assert max(curve) == pytest.approx(1e-3, rel=0.01)
    assert curve.index(max(curve)) in (79, 80)
    assert curve[-1] == pytest.approx(1e-5, rel=0.01)
    (ema,) = cfg.custom_hooks
    assert ema.momentum == pytest.approx(1 - 0.99984)
    assert 'clip_grad' not in cfg.optim_wrapper
    path = FOLDER / f'{IMAGENET.format(size)}.py'
    groups = optimizer_groups(path)
    for name, parameter in model_of(path).named_parameters():
        expected = 0.05 if parameter.ndim > 1 else 0
        assert groups[name]['weight_decay'] == expected, name


def test_detection_recipe() -> None:
    cfg = pale_config(MASK_RCNN.format('b'))
    assert_detection_schedule(cfg, 1e-4, (8, 11))
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        scales = list(values_of('scale', loader.to_dict()))
        assert scales == [(1333, 800)]


def test_segmentation_recipe() -> None:
    cfg = pale_config(UPERNET.format('b'))
    curve = lr_curve(cfg, 1, stop=2500)
    assert curve[0] == pytest.approx(6e-11)
    assert max(curve) == pytest.approx(6e-5, rel=0.01)
    assert cfg.train_cfg.max_iters == 160_000
    assert cfg.model.auxiliary_head.loss_decode.loss_weight == 0.4
    tested = config_of.__wrapped__(FOLDER / f'{UPERNET.format("s")}.py')
    enable_tta(tested)
    resizes, flips, *_ = tested.test_dataloader.dataset.pipeline[1].transforms
    assert [step.scale[1] for step in resizes] == list(range(256, 897, 128))
    assert [step.prob for step in flips] == [0, 1]


@pytest.mark.parametrize(
    ('stem', 'decay'),
    [(MASK_RCNN.format('t'), 0.05), (UPERNET.format('t'), 0.01)],
)
def test_norms_do_not_decay(stem: str, decay: float) -> None:
    path = FOLDER / f'{stem}.py'
    groups = optimizer_groups(path)
    norms = nn.LayerNorm | nn.modules.batchnorm._BatchNorm
    for prefix, module in model_of(path).named_modules():
        expected = 0 if isinstance(module, norms) else decay
        for name, _ in module.named_parameters(prefix, recurse=False):
            assert groups[name]['weight_decay'] == expected, name


@pytest.mark.parametrize(
    ('size', 'rate'), [('t', 0.2), ('s', 0.4), ('b', 0.5)]
)
def test_drop_path(size: str, rate: float) -> None:
    stems = [task.format(size) for task in TASKS]
    for stem in (*stems, IMAGENET.format(f'{size}-token-labels')):
        backbone = pale_config(stem).model.backbone
        assert backbone.drop_path_rate == rate, stem


@pytest.mark.parametrize(
    ('variant', 'mode', 'size'),
    [
        ('t', 'pale-parallel', 7),
        ('t-axial', 'axial', 7),
        ('t-size3', 'pale-parallel', 3),
        ('t-size5', 'pale-parallel', 5),
        ('t-size9', 'pale-parallel', 9),
        ('t-cross-shaped', 'cross-shaped', 7),
        ('t-vanilla', 'pale-vanilla', 7),
        ('t-sequential', 'pale-sequential', 7),
    ],
)
@pytest.mark.parametrize('task', TASKS)
def test_ablations(task: str, variant: str, mode: str, size: int) -> None:
    backbone = model_of(FOLDER / f'{task.format(variant)}.py').backbone
    assert backbone.attn_mode == mode
    assert backbone.pale_sizes == (size,) * 4
    assert backbone.embed_dims[0] == 64


@pytest.mark.parametrize('size', ['t', 's', 'b'])
def test_token_labels(size: str) -> None:
    plain = pale_config(IMAGENET.format(size))
    stem = IMAGENET.format(f'{size}-token-labels')
    cfg, model = pale_config(stem), model_of(FOLDER / f'{stem}.py')
    assert cfg.model.backbone == plain.model.backbone
    assert isinstance(model.head, TokenLabelHead)
    assert isinstance(model.data_preprocessor, TokenLabelPreprocessor)
    assert [a.alpha for a in model.data_preprocessor.augments] == [1.0]
    assert model.head.loss_module.token_weight == 0.5

    def steps(config: Config) -> list[str]:
        pipeline = config.train_dataloader.dataset.pipeline
        return [step.type for step in pipeline]

    expected = steps(plain)
    expected[1:2] = ['mmvit.LoadTokenLabels', 'mmvit.CropWithTokenLabels']
    assert steps(cfg) == expected
    ours, theirs = (
        c.train_dataloader.dataset.pipeline[-3:-1] for c in (cfg, plain)
    )
    assert ours == theirs, 'the same augmentation of pixels'
