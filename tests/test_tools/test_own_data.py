"""The configs of the guide to own data, on a tiny set of digit scenes."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, init_default_scope

from mmvit.apis.config import build_model, load_config
from tests.support.helpers import load_tool

REPO = Path(__file__).resolve().parents[2]
GUIDE = (REPO / 'docs/en/own_data.md').read_text(encoding='utf-8')
BLOCK = re.compile(
    r'`configs/own/(\w+)\.py`[^\n]*\n\n```python\n(.*?)```', re.S
)
CONFIGS = dict(BLOCK.findall(GUIDE))
NAMES = ('my_cls', 'my_det', 'my_ins', 'my_seg')


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the data, and the configs as they stand but for their paths."""
    path = tmp_path_factory.mktemp('own')
    load_tool('dataset_converters/digit_scenes').write_dataset(
        path / 'digit_scenes', num_train=10, num_val=10, size=64
    )
    for name, text in CONFIGS.items():
        text = text.replace("'../_base_/", f"'{REPO}/configs/_base_/")
        text = text.replace('data/digit_scenes/', f'{path}/digit_scenes/')
        (path / f'{name}.py').write_text(text, encoding='utf-8')
    return path


@pytest.fixture(params=NAMES)
def cfg(
    request: pytest.FixtureRequest,
    folder: Path,
    fresh_runs: Callable[[], None],
) -> Config:
    cfg = load_config(str(folder / f'{request.param}.py'))
    init_default_scope(cfg.default_scope)
    return cfg


def test_the_guide_has_a_config_for_each_task() -> None:
    assert tuple(CONFIGS) == NAMES
    for text in CONFIGS.values():
        assert len(text.splitlines()) <= 40


def test_both_splits_are_read(cfg: Config) -> None:
    classes = cfg.classes
    for key in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        dataset = DATASETS.build(cfg[key].dataset)
        assert len(dataset) == 10
        assert tuple(dataset.metainfo['classes']) == classes
        sample = dataset[0]['data_samples']
        if cfg.default_scope == 'mmseg':
            labels = set(np.unique(sample.gt_sem_seg.data))
            assert labels <= {*range(11), 255}
            assert 255 in labels
        elif cfg.default_scope == 'mmdet':
            assert len(sample.gt_instances) > 0
            assert max(sample.gt_instances.labels) < len(classes)
        else:
            assert int(sample.gt_label) < len(classes)


def test_the_last_checkpoints_and_the_best_one_are_kept(cfg: Config) -> None:
    hook = cfg.default_hooks.checkpoint
    metric = dict(mmpretrain='accuracy/top1', mmseg='mIoU')
    assert hook.max_keep_ckpts == 2
    assert hook.save_best == metric.get(cfg.default_scope, 'coco/bbox_mAP')


def test_a_model_trains_on_them(cfg: Config) -> None:
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    model = build_model(cfg).train()
    batch = pseudo_collate([dataset[0], dataset[1]])
    data = model.data_preprocessor(batch, training=True)
    losses = model(**data, mode='loss')
    loss, _ = model.parse_losses(losses)
    loss.backward()
    assert np.isfinite(loss.item())
