"""Evaluators against data sets, and the names of what they measure."""

import copy
import os.path as osp
from collections.abc import Iterable, Iterator
from itertools import chain

from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import CheckpointHook, EarlyStoppingHook, Hook
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

from mmvit.utils.log import warn
from mmvit.utils.text import did_you_mean, some_of

from ..random_states import kept_states
from .config_types import check_types, schedules_of
from .data_config import check_truth
from .findings import ERROR, Finding, error_of

# What the samples of a metric's data sets have
_BOXES, _MAPS, _LABELS = 'instances', 'seg_map_path', 'gt_label'
_WORDS = {_BOXES: 'boxes', _MAPS: 'label maps', _LABELS: 'labels of images'}
_TRUTH = {
    'CocoMetric': _BOXES,
    'VOCMetric': _BOXES,
    'LVISMetric': _BOXES,
    'OpenImagesMetric': _BOXES,
    'IoUMetric': _MAPS,
    'CityscapesMetric': _MAPS,
    'Accuracy': _LABELS,
    'SingleLabelMetric': _LABELS,
    'MultiLabelMetric': _LABELS,
    'AveragePrecision': _LABELS,
    'ConfusionMatrix': _LABELS,
}
# Parts of the names of modules that predict masks
_MASK_PARTS = ('mask', 'segm', 'panoptic', 'inshead')
_MAP_NAMES = dict(
    mIoU=('aAcc', 'mIoU', 'mAcc'),
    mDice=('aAcc', 'mDice', 'mAcc'),
    mFscore=('aAcc', 'mFscore', 'mPrecision', 'mRecall'),
)


def _check_task(metric: BaseMetric, info: dict, split: str) -> None:
    needed = _TRUTH.get(type(metric).__name__)
    present = [kind for kind in _WORDS if info.get(kind) is not None]
    if needed and present and needed not in present:
        raise ValueError(
            f'{split}_evaluator is {type(metric).__name__}, which compares '
            f'{_WORDS[needed]}, and {split}_dataloader.dataset has '
            f'{" and ".join(_WORDS[kind] for kind in present)}: set an '
            'evaluator of the same task'
        )


def _check_kinds(metric: BaseMetric, split: str) -> None:
    if type(metric).__name__ == 'IoUMetric':
        for kind in set(metric.metrics) - set(_MAP_NAMES):
            raise ValueError(
                f'{split}_evaluator.iou_metrics has {kind!r}: choose some of '
                f'{", ".join(_MAP_NAMES)}'
            )


def _check_truth(metric: BaseMetric, dataset: Dataset, split: str) -> None:
    """Check that a metric without a file finds the truth in the samples."""
    if getattr(metric, '_coco_api', ...) is not None:
        return
    try:
        with kept_states():
            sample = dataset[0]['data_samples']
    except Exception:
        return  # Another guard names samples that cannot be loaded.
    if 'instances' not in sample:
        raise ValueError(
            f'{split}_evaluator has no ann_file, and the samples of '
            f'{split}_dataloader.dataset do not hold their truth: set ann_file'
        )


def _check_file(
    api: object, dataset: Dataset, infos: list[dict], split: str
) -> None:
    """Compare a metric's annotation file with some samples."""
    for info in infos:
        found = api.imgs.get(info.get('img_id'))
        name = osp.basename(str(info.get('img_path')))
        if not found or osp.basename(str(found.get('file_name'))) != name:
            file = getattr(dataset, 'ann_file', 'another file')
            raise ValueError(
                f'{split}_evaluator.ann_file is not that of '
                f'{split}_dataloader.dataset ({file}): image '
                f'{info.get("img_id")} of the data set is {name}, and the '
                f"evaluator's file has {found and found.get('file_name')!r} "
                'there. Set both to the same file'
            )


def _check_boxes(
    metric: BaseMetric, dataset: Dataset, infos: list[dict], split: str
) -> None:
    """Check that a metric's annotation file has the boxes of a data set."""
    if type(metric).__name__ != 'CocoMetric':
        return
    boxes = getattr(metric._coco_api, 'imgToAnns', None)
    for info in infos if boxes else ():
        known = [
            [x, y, x + width, y + height]
            for x, y, width, height in (
                one['bbox'] for one in boxes.get(info['img_id'], ())
            )
        ]
        if any(one['bbox'] not in known for one in info.get('instances', ())):
            raise ValueError(
                f'{split}_evaluator.ann_file has other boxes of '
                f'{info["img_path"]} than {split}_dataloader.dataset '
                f'({dataset.ann_file}): set both to the same file'
            )


def _check_categories(api: object, dataset: Dataset, split: str) -> None:
    """Compare the classes of a data set with those that a metric finds."""
    classes = list(getattr(dataset, 'metainfo', {}).get('classes') or ())
    categories = getattr(api, 'cats', {}).values()
    names = [one['name'] for one in categories]
    found = [name for name in names if name in classes]
    if classes and found != classes:
        raise ValueError(
            f'{split}_evaluator.ann_file lists its categories as '
            f'{some_of(names)}, and the classes of {split}_dataloader.dataset '
            f'are {some_of(classes)}: the metric would take one for another. '
            'Set both to the same file'
        )


def _check_masks(metric: BaseMetric, model: nn.Module, split: str) -> None:
    if 'segm' not in getattr(metric, 'metrics', ()):
        return
    names = ' '.join(
        f'{name} {type(part).__name__}' for name, part in model.named_modules()
    ).lower()
    if not any(part in names for part in _MASK_PARTS):
        # A head of a user may have any name.
        warn(
            f'{split}_evaluator measures segm, and no part of the model is '
            'named like one that predicts masks. If none does, set metric to '
            'bbox'
        )
    annotations = metric._coco_api.dataset.get('annotations') or ()
    lacking = [
        str(one['id']) for one in annotations if not one.get('segmentation')
    ]
    if lacking:
        raise ValueError(
            f'{split}_evaluator measures segm, and {len(lacking)} objects of '
            f'its ann_file have no segmentation: annotations '
            f'{some_of(lacking)}. Add them, or set metric to bbox'
        )


def _only_tested_images(
    metric: BaseMetric, dataset: Dataset, split: str
) -> None:
    """Let a metric count the images of the data set only."""
    every = len(metric._coco_api.imgs)
    if len(dataset) >= every or metric.img_ids is not None:
        return
    infos = map(dataset.get_data_info, range(len(dataset)))
    metric.img_ids = sorted({info['img_id'] for info in infos})
    warn(
        f'{split}_dataloader.dataset has {len(metric.img_ids)} of the {every} '
        f'images of {split}_evaluator.ann_file: the metric is that of these'
    )


def check_evaluator(
    metrics: Iterable[BaseMetric],
    dataset: Dataset,
    infos: list[dict],
    split: str,
    model: nn.Module,
) -> None:
    """Check that metrics fit a data set; a subset is measured by itself.

    `infos` is what the data set knows of some samples.

    Raises:
        ValueError: If a metric is one of another task, or its annotation
            file that of other images.
    """
    for metric in metrics:
        if getattr(metric, 'format_only', False) or not infos:
            continue
        _check_task(metric, infos[0], split)
        _check_kinds(metric, split)
        _check_truth(metric, dataset, split)
        api = getattr(metric, '_coco_api', None)
        if api is not None and 'img_id' in infos[0]:
            _check_file(api, dataset, infos, split)
            _check_boxes(metric, dataset, infos, split)
            _check_categories(api, dataset, split)
            _check_masks(metric, model, split)
            _only_tested_images(metric, dataset, split)


def _names_of(metric: BaseMetric) -> list[str] | None:
    """Return the names of what a metric measures, if they are known."""
    kind = type(metric).__name__
    if kind == 'CocoMetric' and metric.metric_items is None:
        parts = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')
        wanted = {'bbox', 'segm'} & set(metric.metrics)
        if wanted != set(metric.metrics):
            return None
        names = [f'{one}_{part}' for one in metric.metrics for part in parts]
        if metric.classwise:
            classes = (metric.dataset_meta or {}).get('classes') or ()
            names += [f'{name}_precision' for name in classes]
    elif kind == 'IoUMetric':
        names = [
            name
            for one in metric.metrics
            for name in _MAP_NAMES.get(one, ('?',))
        ]
    elif kind == 'Accuracy' and len(metric.thrs) == 1:
        names = [f'top{k}' for k in metric.topk]
    else:
        return None
    if '?' in names:
        return None
    prefix = f'{metric.prefix}/' if metric.prefix else ''
    return [f'{prefix}{name}' for name in names]


def monitored(
    hooks: Iterable[Hook], schedulers: list | dict | None
) -> Iterator[tuple[str, str]]:
    """Yield the keys of a config that name a metric, and the names."""
    for hook in hooks:
        if isinstance(hook, CheckpointHook):
            for name in getattr(hook, 'key_indicators', None) or ():
                if name and name != 'auto':
                    yield 'default_hooks.checkpoint.save_best', name
        if isinstance(hook, EarlyStoppingHook):
            yield 'EarlyStoppingHook.monitor', hook.monitor
    if isinstance(schedulers, dict):  # several optimizers
        schedulers = chain.from_iterable(schedulers.values())
    for scheduler in schedulers or ():
        if monitor := getattr(scheduler, 'monitor', None):
            yield f'param_scheduler {type(scheduler).__name__}', monitor


def monitored_in(cfg: Config) -> Iterator[tuple[str, str]]:
    """Yield the same for a config of which nothing has been built."""
    hooks = {
        f'default_hooks.{name}': hook
        for name, hook in (cfg.get('default_hooks') or {}).items()
    }
    hooks |= {
        f'custom_hooks[{index}]': hook
        for index, hook in enumerate(cfg.get('custom_hooks') or ())
    }
    hooks |= {
        f'param_scheduler[{index}]': one
        for index, one in enumerate(schedules_of(cfg))
    }
    for place, one in hooks.items():
        for key in ('save_best', 'monitor'):
            found = (one or {}).get(key) or ()
            for name in [found] if isinstance(found, str) else found:
                if name != 'auto':
                    yield f'{place}.{key}', name


def check_monitored(
    names: Iterable[tuple[str, str]],
    metrics: Iterable[BaseMetric],
    val_cfg: dict | None,
) -> None:
    """Check that what decides on the best checkpoint is measured.

    Evaluators with a metric whose names are not known here pass.

    Args:
        names: The keys of a config that name a metric, and the names.
        metrics: Those of the validation.
        val_cfg: Its loop, which may measure losses; None if there is none.

    Raises:
        ValueError: If no metric has a monitored name.
    """
    if val_cfg is None:
        for key, name in names:
            warn(f'{key} is {name!r}, and without val_cfg nothing measures it')
        return
    known = [_names_of(metric) for metric in metrics]
    if not known or None in known:
        return
    measured = [name for one in known for name in one]
    has_losses = str(val_cfg.get('type')).endswith('ValLossLoop')
    if has_losses:
        measured.append('val_loss')
    for key, name in names:
        # The parts of a loss have names of their own.
        if name not in measured and not (has_losses and 'loss' in name):
            hint = did_you_mean(name, measured, cutoff=0.5)
            if 'loss' in name:
                hint = "val_cfg.type='mmvit.ValLossLoop' adds val_loss."
            raise ValueError(
                f'{key} is {name!r}, which val_evaluator does not measure'
                + (f'; {hint} ' if hint else '. ')
                + f'It measures {", ".join(measured)}'
            )


def evaluator_findings(
    cfg: Config,
    split: str,
    dataset: Dataset,
    infos: list[dict],
    model: nn.Module,
) -> Iterator[Finding]:
    """Build the evaluators of a config and make the checks of a run.

    Args:
        cfg: The config.
        split: 'val' or 'test'.
        dataset: Its data set.
        infos: What the data set knows of its samples.
        model: The config's model; its tensors may be on the meta device.
    """
    config = copy.deepcopy(cfg.get(f'{split}_evaluator'))
    kind = 'evaluator that does not fit'
    found = list(error_of(kind, check_types, cfg, split))
    found += error_of(kind, check_truth, split, config)
    if found or not config:
        yield from found
        return
    try:
        evaluator = Runner.build_evaluator(None, config)
    except Exception as error:
        text = f'{split}_evaluator: {type(error).__name__}: {error}'
        yield Finding(ERROR, 'evaluator that cannot be built', text)
        return
    evaluator.dataset_meta = dataset.metainfo
    for metric in evaluator.metrics:
        args = [metric], dataset, infos, split, model
        yield from error_of(kind, check_evaluator, *args)
    if split == 'val':
        kind = 'metric that is not measured'
        args = monitored_in(cfg), evaluator.metrics, cfg.get('val_cfg')
        yield from error_of(kind, check_monitored, *args)
