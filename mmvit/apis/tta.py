"""Test-time augmentation for configs of any task."""

from mmengine.config import Config

from mmvit.utils.types import type_name

from .config import innermost_dataset

# The TTA model of configs that name none, by default scope.
_TTA_MODELS = {
    'mmdet': dict(
        type='mmvit.InstanceTTAModel',
        tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=100),
    ),
    'mmseg': dict(type='mmvit.SegmentationTTAModel'),
    'mmpretrain': dict(type='AverageClsScoreTTA'),
}
_PACKING = ('PackDetInputs', 'PackSegInputs', 'PackInputs')
# What a packed sample must tell of its flip, so that boxes can be flipped
# back. mmdet's default leaves out the last two.
_DETECTION_META_KEYS = (
    *('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    *('flip', 'flip_direction'),
)


def enable_tta(cfg: Config) -> None:
    """Turn a config's test into one with test-time augmentation, in place.

    The config's own `tta_model` and `tta_pipeline` are used. Where it has no
    `tta_pipeline`, each image is tested as it is and flipped.

    Raises:
        ValueError: If no TTA model is known for the config's task, or if its
            `tta_model` cannot merge what the model predicts.
    """
    scope = cfg.get('default_scope')
    if 'tta_model' not in cfg:
        if scope not in _TTA_MODELS:
            raise ValueError(
                f'no test-time augmentation is known for scope {scope!r}: set '
                'tta_model in the config'
            )
        cfg.tta_model = _TTA_MODELS[scope]
    heads = {**cfg.model, **(cfg.model.get('roi_head') or {})}
    if 'mask_head' in heads and type_name(cfg.tta_model) == 'DetTTAModel':
        raise ValueError(
            "mmdet's DetTTAModel merges boxes only, and the model has masks: "
            "set tta_model.type to 'mmvit.InstanceTTAModel', which has the "
            'same arguments and merges both'
        )
    if type_name(cfg.tta_model) == 'SegTTAModel':
        # The same, and right for heads with one logit
        cfg.tta_model.type = 'mmvit.SegmentationTTAModel'
    dataset = innermost_dataset(cfg.test_dataloader.dataset)
    if 'tta_pipeline' in cfg:
        dataset.pipeline = cfg.tta_pipeline
    else:
        *steps, pack = dataset.pipeline
        if type_name(pack) not in _PACKING:
            raise ValueError(
                'the test pipeline does not end with one of '
                f'{", ".join(_PACKING)}: set tta_pipeline in the config'
            )
        if scope == 'mmdet':
            pack = dict(pack, meta_keys=_DETECTION_META_KEYS)
        flips = [dict(type='RandomFlip', prob=prob) for prob in (0.0, 1.0)]
        views = dict(type='TestTimeAug', transforms=[flips, [pack]])
        dataset.pipeline = [*steps, views]
    cfg.model = dict(cfg.tta_model, module=cfg.model)
