"""Configs of any task: loading, building, and what the tools change."""

import copy
import os.path as osp

from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch import nn

# TTA for configs that name none: (model, pipeline wrapper) by task scope.
_TTA_MODELS = {
    'mmdet': dict(
        type='mmvit.InstanceTTAModel',
        tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=100),
    ),
    'mmseg': dict(type='SegTTAModel'),
    'mmpretrain': dict(type='AverageClsScoreTTA'),
}
_BOXES_ONLY = ('DetTTAModel', 'mmdet.DetTTAModel')
_PACKING = ('PackDetInputs', 'PackSegInputs', 'PackInputs')


def load_config(path: str, cfg_options: dict | None = None) -> Config:
    """Load a config of any OpenMMLab library.

    Args:
        path: A file, or `mmdet::some/config.py` for one of an installed
            library (also `mmseg::`, `mmpretrain::`, `mmvit::`).
        cfg_options: Keys to set, `{'model.backbone.arch': 'tiny'}`.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    if '::' in path:
        cfg = Config.fromstring(f'_base_ = [{path!r}]', file_format='.py')
    elif osp.isfile(path):
        cfg = Config.fromfile(path)
    else:
        raise FileNotFoundError(f'no config at {path}')
    if cfg_options:
        cfg.merge_from_dict(cfg_options)
    return cfg


def build_model(cfg: Config, device: str | None = None) -> nn.Module:
    """Build the model of a config, of any task, without loading weights.

    Args:
        cfg: The config; its `default_scope` names the task's library.
        device: Where to put the model; None leaves it where torch builds it,
            so that `with torch.device('meta')` works.
    """
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    model = copy.deepcopy(cfg.model)
    if cfg.get('data_preprocessor'):
        model.setdefault('data_preprocessor', cfg.data_preprocessor)
    model = MODELS.build(model)
    return model if device is None else model.to(device)


def _has_masks(model: dict) -> bool:
    return any(
        'mask_head' in part for part in (model, model.get('roi_head') or {})
    )


def enable_tta(cfg: Config) -> None:
    """Turn a config's test into one with test-time augmentation, in place.

    A config's own `tta_model` and `tta_pipeline` are used. Without them
    images are also tested flipped: the last step of the test pipeline is put
    behind both.

    Raises:
        ValueError: If the config's task has no TTA, or its `tta_model` cannot
            merge what the model predicts.
    """
    scope = cfg.get('default_scope')
    if 'tta_model' not in cfg:
        if scope not in _TTA_MODELS:
            raise ValueError(
                f'no test-time augmentation is known for scope '
                f'{scope!r}: set tta_model in the config'
            )
        cfg.tta_model = _TTA_MODELS[scope]
    boxes_only = cfg.tta_model.get('type') in _BOXES_ONLY
    if boxes_only and _has_masks(cfg.model):
        raise ValueError(
            "mmdet's DetTTAModel merges boxes only, and the model has masks: "
            "set tta_model.type to 'mmvit.InstanceTTAModel', which has the "
            'same arguments and merges both'
        )
    dataset = cfg.test_dataloader.dataset
    while 'dataset' in dataset:
        dataset = dataset.dataset
    if 'tta_pipeline' in cfg:
        dataset.pipeline = cfg.tta_pipeline
    else:
        *steps, pack = dataset.pipeline
        if pack['type'] not in _PACKING:
            raise ValueError(
                'the test pipeline does not end with one of '
                f'{", ".join(_PACKING)}: set tta_pipeline in '
                'the config'
            )
        # Boxes are flipped back by what the packed sample says of the flip.
        if scope == 'mmdet':
            pack = dict(
                pack,
                meta_keys=(
                    'img_id',
                    'img_path',
                    'ori_shape',
                    'img_shape',
                    'scale_factor',
                    'flip',
                    'flip_direction',
                ),
            )
        flip = [dict(type='RandomFlip', prob=prob) for prob in (0.0, 1.0)]
        dataset.pipeline = [
            *steps,
            dict(type='TestTimeAug', transforms=[flip, [pack]]),
        ]
    cfg.model = dict(cfg.tta_model, module=cfg.model)
