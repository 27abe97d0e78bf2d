"""Recipes of the authors' releases, beside those of the papers' texts."""

import pytest

from ..support.config_tools import lr_curve, values_of
from .recipes import Folder, assert_upernet_schedule

HLG, PVT, SCALABLEVIT, SETR = map(
    Folder, ('hlg', 'pvt', 'scalablevit', 'setr')
)
FIXED = dict(type='Resize', scale=(2048, 512), keep_ratio=True)
RANDOM = dict(
    type='RandomResize',
    scale=(2048, 512),
    ratio_range=(0.5, 2.0),
    keep_ratio=True,
)


def without_scope(step: dict) -> dict:
    """A transform without the mark of the library that the base is of."""
    return {key: value for key, value in step.items() if key != '_scope_'}


@pytest.mark.parametrize('length', [40, 80])
def test_setr_mla_has_two_learning_rates(length: int) -> None:
    stem = 'setr-mla_vit-l_8xb1-{}' + f'{length}k_cityscapes-768x768'
    text, released = (SETR.config(stem.format(s)) for s in ('', 'lr2e-3-'))
    for cfg, lr in ((text, 0.01), (released, 0.002)):
        assert lr_curve(cfg, 1, stop=1) == [pytest.approx(lr)]
        assert cfg.train_cfg.max_iters == length * 1000
        assert cfg.param_scheduler[0].end == length * 1000
    assert text.model == released.model
    assert text.train_dataloader == released.train_dataloader


@pytest.mark.parametrize('size', list('sml'))
def test_hlg_head_has_40k_iterations_of_16_images(size: str) -> None:
    stem = f'pup_hlg-{size}_' + '{}_cityscapes-768x768'
    released = HLG.config(stem.format('8xb2-adamw-40k'))
    text = HLG.config(stem.format('4xb2-40k'))
    longer = HLG.config(stem.format('4xb2-adamw-80k'))
    assert_upernet_schedule(released, 40_000)
    assert released.optim_wrapper == longer.optim_wrapper
    assert released.auto_scale_lr.base_batch_size == 16
    assert text.auto_scale_lr.base_batch_size == 8
    assert released.model == text.model
    assert released.train_dataloader == text.train_dataloader


@pytest.mark.parametrize('size', list('sbl'))
@pytest.mark.parametrize(
    ('method', 'batch', 'length'),
    [('fpn', '4xb4', 80), ('upernet', '8xb2', 160)],
)
def test_scalablevit_has_two_ways_to_resize(
    size: str, method: str, batch: str, length: int
) -> None:
    for settings, resize in (('', FIXED), ('ms-', RANDOM)):
        cfg = SCALABLEVIT.config(
            f'{method}_scalablevit-{size}_{batch}-{settings}{length}k'
            '_ade20k-512x512'
        )
        load, _, found, *rest = cfg.train_dataloader.dataset.pipeline
        assert load.type == 'LoadImageFromFile'
        assert without_scope(found) == resize
        assert [step.type for step in rest] == [
            'RandomCrop',
            'RandomFlip',
            'PhotoMetricDistortion',
            'PackSegInputs',
        ]
        assert rest[0].crop_size == (512, 512)
        # The test is resized in the same way, without a crop.
        step = cfg.test_dataloader.dataset.pipeline[1]
        assert without_scope(step) == FIXED


@pytest.mark.parametrize('backbone', ['pvt-s', 'r50'])
def test_detr_is_trained_at_640_to_800(backbone: str) -> None:
    cfg = PVT.config(f'detr_{backbone}_50e_coco')
    (scales,) = values_of('scales', cfg.train_dataloader.to_dict())
    assert [min(scale) for scale in scales] == [640, 672, 704, 736, 768, 800]
    assert {max(scale) for scale in scales} == {1333}
    curve = lr_curve(cfg, 10)
    assert curve[:330] == [pytest.approx(1e-4)] * 330
    assert curve[330:] == [pytest.approx(1e-5)] * 170
