"""The loss of the validation images."""

import copy

import pytest
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS

from mmvit.apis.config import build_model
from mmvit.checkpoints import safe_load
from mmvit.engine.random_states import seed_all
from mmvit.engine.validation_loss import _annotations_first
from tests.support.config_tools import CONFIGS, config_of
from tests.support.helpers import read_log
from tests.support.tiny import LAST, METRIC, tiny_config

RECIPES = config_of(CONFIGS / '_base_/runtime/recipes.py')


def mean_losses(cfg, weights):
    """Losses of the validation images, with the annotations loaded first."""
    model = build_model(cfg)
    model.load_state_dict(safe_load(str(weights))['state_dict'])
    model.eval()
    pipeline = cfg.val_dataloader.dataset.pipeline
    order = [0, *range(1, len(pipeline))]
    order.sort(key=lambda i: (i > 0, 'Annotations' not in pipeline[i].type))
    cfg.val_dataloader.dataset.pipeline = [pipeline[i] for i in order]
    data = DATASETS.build(cfg.val_dataloader.dataset)
    size = cfg.val_dataloader.batch_size
    totals = []
    for index in range(len(data) // size):
        batch = [data[index * size + i] for i in range(size)]
        seed_all(index)
        batch = pseudo_collate(batch)
        losses = model(**model.data_preprocessor(batch, True), mode='loss')
        totals.append(model.parse_losses(losses)[0].item())
    return sum(totals) / len(totals)


@pytest.mark.parametrize('task', ['cls', 'ins', 'seg'])
def test_each_task(scenes, command, task):
    cfg = tiny_config(
        task,
        scenes,
        val_cfg=dict(RECIPES._validation_loss),
        default_hooks__early_stopping=dict(
            RECIPES._early_stopping, monitor=METRIC[task]
        ),
    )
    cfg.default_hooks.checkpoint.update(RECIPES._best_loss)
    work_dir = command('train', copy.deepcopy(cfg))
    (best,) = work_dir.glob('best_val_loss_*.pth')
    logged = [line for line in read_log(work_dir) if METRIC[task] in line]
    assert len(logged) == 2
    parts = {k: v for k, v in logged[-1].items() if 'loss' in k}
    assert all(name.startswith('val_') for name in parts)
    total = parts.pop('val_loss')
    assert total == pytest.approx(sum(parts.values()) or total)
    expected = mean_losses(cfg, work_dir / LAST[task])
    assert total == pytest.approx(expected, rel=1e-4)
    assert best.is_file()


def test_annotations_are_loaded_first_in_wrapped_data_sets():
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(8, 8)),
        dict(type='mmdet.LoadAnnotations'),
        dict(type='PackDetInputs'),
    ]
    cfg = dict(type='ConcatDataset', datasets=[dict(pipeline=pipeline)])
    (found,) = _annotations_first(cfg)['datasets']
    assert found['pipeline'][2] == pipeline[1]  # a tuple is not made a list
    types = [transform['type'] for transform in found['pipeline']]
    assert types == [
        *('LoadImageFromFile', 'mmdet.LoadAnnotations'),
        *('Resize', 'PackDetInputs'),
    ]
    assert pipeline[1]['type'] == 'Resize'
