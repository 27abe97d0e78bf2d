"""Data sets against models and labels, before the first iteration."""

import os.path as osp
from collections.abc import Iterable, Iterator
from itertools import chain

import mmcv
import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.fileio import get
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner
from torch import nn
from torch.utils.data import Dataset

from mmvit.registry import HOOKS
from mmvit.utils.log import warn
from mmvit.utils.text import some_of
from mmvit.visualization.images import loading_step

from ..run_facts import unwrap
from .bad_samples import bad_samples, files_of
from .batches import check_last_batch, check_stacking
from .channels import check_channels
from .config_values import check_class_weights
from .data_config import is_remote
from .evaluators import check_evaluator, check_monitored, monitored
from .findings import Finding, stop_or_warn
from .folders import folder_findings, parts_of
from .sample_files import geometry_findings, read_header, turns_images

_IGNORED = 255
# Heads whose `num_classes` is not the data set's
_OTHER_CLASSES = ('FusedSemanticHead',)


class MaskError(ValueError):
    """A mask is a coloured picture, or has more than 8 bits."""


def some_infos(dataset: Dataset, number: int) -> dict[int, dict]:
    """Return what a data set of OpenMMLab knows of samples, spread evenly.

    The keys are the samples' indices.
    """
    if not hasattr(dataset, 'get_data_info') or not len(dataset):
        return {}
    steps = np.linspace(0, len(dataset) - 1, min(number, len(dataset)))
    indices = steps.round().astype(int).tolist()
    infos = {index: dataset.get_data_info(index) for index in indices}
    return {i: info for i, info in infos.items() if isinstance(info, dict)}


def mask_values(info: dict) -> set[int]:
    """Read the label values of a sample's mask, as training will see them.

    Raises:
        MaskError: If the mask is a coloured picture, or if a value does not
            fit into the 8 bits of mmseg's masks.
    """
    labels = mmcv.imfrombytes(
        get(info['seg_map_path']), flag='unchanged', backend='pillow'
    )
    if labels.ndim > 2:
        raise MaskError(
            f'{info["seg_map_path"]} has {labels.shape[2]} channels: a '
            'mask is one channel of class numbers, not a coloured picture'
        )
    values = set(np.unique(labels).tolist())
    if has_class_map(info) and max(values) > _IGNORED:
        raise MaskError(
            f'{info["seg_map_path"]} has the label value {max(values)}: mmseg '
            f'keeps 8 bits of it, which is {int(max(values)) % 256}. Number '
            'the classes 0 to 254'
        )
    if info.get('reduce_zero_label'):
        values = {_IGNORED if v in (0, _IGNORED) else v - 1 for v in values}
    mapping = info.get('label_map') or {}
    return {mapping.get(value, value) for value in values}


def check_values(info: dict, values: set[int], num_classes: int) -> None:
    """Check that the label values of a mask are classes."""
    wrong = sorted(v for v in values if v >= num_classes and v != _IGNORED)
    if wrong:
        raise ValueError(
            f'{info["seg_map_path"]} has label values {wrong}, but there '
            f'are {num_classes} classes, 0 to {num_classes - 1} ('
            f'{_IGNORED} is ignored). Correct num_classes and the '
            "dataset's metainfo classes, the mask, or reduce_zero_label"
        )


def check_number(num_classes: int) -> None:
    """Check that the classes of label maps fit into 8 bits."""
    if num_classes > _IGNORED:
        raise ValueError(
            f'{num_classes} classes: mmseg keeps label maps in 8 bits, in '
            f'which {_IGNORED} is ignored. At most {_IGNORED} classes can be '
            'trained; merge or remove some'
        )


def ignored_class(values: set[int], num_classes: int) -> str:
    """Say so if 255 seems to mean a class in all masks of a data set."""
    if values != {0, _IGNORED} or num_classes < 2:
        return ''
    return (
        f'the masks hold no label but 0 and {_IGNORED}. {_IGNORED} is ignored '
        'in training: if it means a class, write it as 1'
    )


def has_class_map(info: dict) -> bool:
    """Whether a sample has a label map whose values are the set's classes.

    The map of a detection set is for a semantic branch, with classes of its
    own: HTC's has COCO's 183 for things and stuff.
    """
    return bool(info.get('seg_map_path')) and 'instances' not in info


def check_masks(
    dataset: Dataset, num_classes: int, num_samples: int = 50
) -> None:
    """Check the label values in some masks of a data set, spread evenly.

    255 is ignored. Data sets of other libraries than mmseg pass.

    Raises:
        ValueError: If a value is no class, if there is nothing but ignored
            pixels, or if there are more classes than 8 bits hold.
    """
    seen: set[int] = set()
    ignored: list[str] = []
    infos = some_infos(dataset, num_samples).values()
    infos = [info for info in infos if has_class_map(info)]
    if infos:
        check_number(num_classes)
    for info in infos:
        try:
            values = mask_values(info)
        except MaskError:
            raise
        except Exception:
            # The dataloader names files that cannot be read.
            continue
        check_values(info, values, num_classes)
        ignored += [str(info['seg_map_path'])] * (values == {_IGNORED})
        seen |= values
    text = (
        f'{len(ignored)} of {len(infos)} masks that were looked at hold only '
        f'{_IGNORED}, which is ignored: {some_of(ignored)}'
    )
    if seen == {_IGNORED}:
        raise ValueError(
            f'{text}. There is nothing to learn: check the masks and '
            'reduce_zero_label'
        )
    if ignored:
        warn(text)
    if hint := ignored_class(seen, num_classes):
        warn(hint)


def missing_files(info: dict, dataset: Dataset) -> list[str]:
    """List the local files of a sample that do not exist."""
    backend_args = getattr(dataset, 'backend_args', None)
    return [
        file
        for file in files_of(info)
        if not is_remote(file, backend_args) and not osp.isfile(file)
    ]


def is_empty(info: dict) -> bool:
    """Whether a sample of a detection set has no object to learn from."""
    instances = info.get('instances')
    return instances is not None and all(
        instance.get('ignore_flag') for instance in instances
    )


def labels_of(info: dict) -> list[int]:
    """List the classes of a sample's objects and of its image."""
    labels = [one.get('bbox_label', 0) for one in info.get('instances') or ()]
    own = info.get('gt_label')
    return labels + list(
        own if isinstance(own, (list, tuple)) else [own] * (own is not None)
    )


def _check_labels(infos: list[dict], num_classes: int) -> None:
    wrong = [
        f'{info.get("img_path")} has {label}'
        for info in infos
        for label in labels_of(info)
        if not 0 <= label < num_classes
    ]
    if wrong:
        raise ValueError(
            f'labels that are no class: {some_of(wrong)}. There are '
            f'{num_classes} classes, 0 to {num_classes - 1}: correct the '
            "labels, or num_classes and the dataset's metainfo classes"
        )


def check_samples(
    dataset: Dataset,
    num_samples: int = 500,
    may_miss: int = 0,
    needs_objects: bool = True,
    has_truth: bool = True,
) -> None:
    """Check some samples, spread evenly, for files and annotations.

    `may_miss` of them may lack a file, and without `has_truth` label maps may
    be missing. Data sets of others than OpenMMLab pass.
    """
    infos = list(some_infos(dataset, num_samples).values())
    if not has_truth:
        infos = [dict(info, seg_map_path=None) for info in infos]
    missing = [f for info in infos for f in missing_files(info, dataset)[:1]]
    empty = [str(info.get('img_path')) for info in infos if is_empty(info)]
    if missing:
        text = (
            f'{len(missing)} of {len(infos)} samples that were looked at have '
            f'no file: {some_of(missing)}'
        )
        if len(missing) > may_miss:
            raise FileNotFoundError(
                f'{text}. Check data_root, data_prefix and the endings, or '
                'let some be skipped in training with '
                'train_dataloader.max_bad_samples=N. '
                'tools/analysis_tools/check_dataset.py looks at all'
            )
        warn(text)
    if empty and has_truth:
        text = (
            f'{len(empty)} of {len(infos)} images that were looked at have no '
            f'object: {some_of(empty)}'
        )
        if len(empty) == len(infos) and needs_objects:
            raise ValueError(
                f'{text}. There is nothing to learn: check metainfo classes '
                'against the categories of the annotation file'
            )
        warn(text)
    classes = getattr(dataset, 'metainfo', {}).get('classes')
    if classes and has_truth:
        _check_labels(infos, len(classes))


def check_class_names(dataset: Dataset) -> None:
    """Check the classes of a loaded data set against what it found."""
    classes = list(getattr(dataset, 'metainfo', {}).get('classes') or ())
    found = getattr(dataset, 'cat_ids', None)
    if classes and isinstance(found, list) and len(found) != len(classes):
        raise ValueError(
            f'{dataset.ann_file} has {len(found)} of the {len(classes)} '
            f'classes {some_of(classes)}: correct metainfo classes'
        )
    folders = list(getattr(dataset, 'folder_to_idx', None) or ())
    common = set(folders) & set(classes)
    if common and folders != classes:
        raise ValueError(
            f'the class folders are {some_of(folders)}, in the order of their '
            f'labels, and metainfo classes are {some_of(classes)}: give the '
            "folders' names in their order, or none"
        )


def _heads(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the heads of a model that predict the data set's classes."""
    for name, module in model.named_modules():
        last = name.rpartition('.')[2]
        # The parts of a cascade are numbered: 'bbox_head.0'.
        part = name.split('.')[-2:][0] if last.isdigit() else last
        if (
            'head' in part
            and 'rpn' not in part
            and isinstance(getattr(module, 'num_classes', None), int)
            and type(module).__name__ not in _OTHER_CLASSES
        ):
            yield name, module


def check_heads(
    model: nn.Module, dataset: Dataset, key: str, num_samples: int = 500
) -> None:
    """Compare the classes of a model's heads with those of a data set.

    `key` is the data set's dataloader. Without names of classes, the labels
    of some samples are looked at.

    Raises:
        ValueError: If a head has another number of classes.
    """
    classes = getattr(dataset, 'metainfo', {}).get('classes')
    if not classes:
        numbers = [head.num_classes for _, head in _heads(model)]
        if numbers:
            infos = some_infos(dataset, num_samples)
            _check_labels(list(infos.values()), max(numbers))
        return
    for name, head in _heads(model):
        if head.num_classes != len(classes):
            raise ValueError(
                f'model.{name}.num_classes is {head.num_classes}, but '
                f'{key}.dataset has {len(classes)} classes '
                f'({some_of(classes, 10)}): make them agree'
            )


def header_findings(
    dataset: Dataset, infos: Iterable[dict]
) -> Iterator[Finding]:
    """Compare sizes and orientations of local files, by their headers."""
    parts = list(parts_of(dataset))
    step = loading_step(getattr(parts[0], 'pipeline', None))
    for info in infos:
        mask = info.get('seg_map_path')
        yield from geometry_findings(
            info,
            turns_images(step),
            read_header(str(info.get('img_path'))),
            read_header(mask) if mask else None,
        )


def _metrics(loop: BaseLoop | None) -> list[BaseMetric]:
    return getattr(getattr(loop, 'evaluator', None), 'metrics', [])


@HOOKS.register_module()
class CheckDataHook(Hook):
    """Compares data, model and evaluators before the first iteration.

    It stops if files are missing, if no sample has an object, if sizes or
    labels of images and masks do not fit, if a head's `num_classes` is not the
    data's, if a batch cannot be made, or if an evaluator is that of other
    data. docs/en/guards.md has the whole list.

    Args:
        num_masks: How many masks of a segmentation set are read, and of how
            many samples the headers.
        num_samples: How many samples are checked for their files and
            annotations.
    """

    def __init__(self, num_masks: int = 50, num_samples: int = 500) -> None:
        self.num_masks = num_masks
        self.num_samples = num_samples

    def before_train(self, runner: Runner) -> None:
        """Check the training and validation data."""
        self._check(runner, 'train', has_truth=True)
        if runner._val_loop is not None:
            self._check(runner, 'val', has_truth=True)
        names = list(monitored(runner.hooks, runner.param_schedulers))
        loop = runner._val_loop
        val_cfg = loop and (runner.cfg.get('val_cfg') or {})
        check_monitored(names, _metrics(loop), val_cfg)

    def before_test(self, runner: Runner) -> None:
        """Check the test data.

        A test that only writes files for a server does not have the truth.
        """
        metrics = _metrics(runner.test_loop)
        writes = any(getattr(one, 'format_only', False) for one in metrics)
        self._check(runner, 'test', has_truth=not writes)

    def _check(self, runner: Runner, split: str, has_truth: bool) -> None:
        key = f'{split}_dataloader'
        loader = getattr(runner, key)
        dataset, model = loader.dataset, unwrap(runner.model)
        check_class_names(dataset)
        _, may_miss = bad_samples(loader)
        is_train = split == 'train'
        check_samples(dataset, self.num_samples, may_miss, is_train, has_truth)
        infos = some_infos(dataset, self.num_masks)
        found = chain(
            folder_findings(dataset),
            header_findings(dataset, infos.values()) if has_truth else (),
        )
        stop_or_warn(found, f'{key}.dataset')
        check_heads(model, dataset, key, self.num_samples)
        if classes := getattr(dataset, 'metainfo', {}).get('classes'):
            check_masks(dataset, len(classes), self.num_masks)
        if is_train:
            check_channels(model)
            check_class_weights(model)
            check_last_batch(loader, model)
        else:
            check_stacking(loader, infos, model, key)
            metrics = _metrics(getattr(runner, f'{split}_loop'))
            known = list(infos.values())
            check_evaluator(metrics, dataset, known, split, model)
