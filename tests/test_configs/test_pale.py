"""The recipes of configs/pale against the paper."""

import pytest
from mmengine.config import Config

from mmvit.models import TokenLabelHead, TokenLabelPreprocessor

from ..support.config_tools import (
    assert_detection_schedule,
)
from .recipes import (
    Folder,
    assert_drop_path,
    assert_norms_do_not_decay,
    assert_only_matrices_decay,
    assert_scales,
    assert_swin_schedule,
    assert_tta,
    assert_upernet_schedule,
    ms_scales,
)

PALE = Folder('pale')
IMAGENET = 'pale-{}_8xb128-300e_in1k'
MASK_RCNN = 'mask-rcnn_pale-{}_fpn_1x_coco'
UPERNET = 'upernet_pale-{}_8xb2-160k_ade20k-512x512'
TASKS = (IMAGENET, MASK_RCNN, UPERNET)


@pytest.mark.parametrize('size', ['t', 's', 'b', 't-token-labels'])
def test_classification_recipe(size: str) -> None:
    stem = IMAGENET.format(size)
    cfg = PALE.config(stem)
    assert cfg.train_cfg.max_epochs == 300
    assert_swin_schedule(cfg)
    assert_only_matrices_decay(PALE, stem)
    (ema,) = cfg.custom_hooks
    assert ema.momentum == pytest.approx(1 - 0.99984)
    assert 'clip_grad' not in cfg.optim_wrapper


def test_detection_recipe() -> None:
    cfg = PALE.config(MASK_RCNN.format('b'))
    assert_detection_schedule(cfg, 1e-4, (8, 11))
    assert_scales(cfg, (1333, 800), (1333, 800))


def test_segmentation_recipe() -> None:
    cfg = PALE.config(UPERNET.format('b'))
    assert_upernet_schedule(cfg)
    assert cfg.model.auxiliary_head.loss_decode.loss_weight == 0.4
    assert_tta(PALE.with_tta(UPERNET.format('s')), ms_scales(512))


@pytest.mark.parametrize(
    ('stem', 'decay'),
    [(MASK_RCNN.format('t'), 0.05), (UPERNET.format('t'), 0.01)],
)
def test_norms_do_not_decay(stem: str, decay: float) -> None:
    assert_norms_do_not_decay(PALE, stem, decay)


@pytest.mark.parametrize(
    ('size', 'rate'), [('t', 0.2), ('s', 0.4), ('b', 0.5)]
)
def test_drop_path(size: str, rate: float) -> None:
    stems = [task.format(size) for task in TASKS]
    stems.append(IMAGENET.format(f'{size}-token-labels'))
    assert_drop_path(PALE, stems, rate)


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
    backbone = PALE.model(task.format(variant)).backbone
    assert backbone.attn_mode == mode
    assert tuple(backbone.arch['pale_sizes']) == (size,) * 4
    assert backbone.embed_dims[0] == 64


@pytest.mark.parametrize('size', ['t', 's', 'b'])
def test_token_labels(size: str) -> None:
    plain = PALE.config(IMAGENET.format(size))
    stem = IMAGENET.format(f'{size}-token-labels')
    cfg, model = PALE.config(stem), PALE.model(stem)
    assert cfg.model.backbone == plain.model.backbone
    assert isinstance(model.head, TokenLabelHead)
    assert isinstance(model.data_preprocessor, TokenLabelPreprocessor)
    assert [a.alpha for a in model.data_preprocessor.augments] == [1.0]
    assert model.head.token_weight == 0.5

    def steps(config: Config) -> list[str]:
        pipeline = config.train_dataloader.dataset.pipeline
        return [step.type for step in pipeline]

    expected = steps(plain)
    expected[1:2] = ['mmvit.LoadTokenLabels', 'mmvit.CropWithTokenLabels']
    assert steps(cfg) == expected

    def pixels(config: Config) -> list[dict]:
        pipeline = config.train_dataloader.dataset.pipeline[-3:-1]
        # Steps taken over one by one name their scope, the default one.
        return [dict(step, _scope_='mmpretrain') for step in pipeline]

    assert pixels(cfg) == pixels(plain)
