"""COCO test-dev: from the config to the file that the server takes."""

import copy
import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS, METRICS
from mmdet.utils import register_all_modules

from tests.support.helpers import load_tool

from .recipes import Folder

FOCAL = Folder('focal')
STEMS = ('htc_focal-l_fpn_ms-3x', 'atss_focal-l_fpn-dyhead_ms-2x')
LIST = 'annotations/image_info_test-dev2017.json'


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """Two test images without annotations, as COCO lists them."""
    images = []
    for index in (7, 9):
        name = f'{index:012}.jpg'
        path = tmp_path / 'test2017' / name
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), np.zeros((24, 32, 3), np.uint8))
        images.append(dict(id=index, file_name=name, height=24, width=32))
    path = tmp_path / LIST
    path.parent.mkdir()
    classes = DATASETS.get('CocoDataset').METAINFO['classes']
    categories = [dict(id=i + 1, name=name) for i, name in enumerate(classes)]
    path.write_text(json.dumps(dict(images=images, categories=categories)))
    return tmp_path


@pytest.mark.parametrize('stem', STEMS)
def test_the_test_set_is_test_dev(stem: str) -> None:
    cfg = FOCAL.config(f'{stem}_coco-testdev')
    val = FOCAL.config(f'{stem}_coco')
    assert (cfg.model, cfg.val_dataloader) == (val.model, val.val_dataloader)
    dataset = cfg.test_dataloader.dataset
    assert (dataset.ann_file, dataset.data_prefix.img) == (LIST, 'test2017/')
    assert dataset.pipeline == val.test_dataloader.dataset.pipeline
    evaluator = cfg.test_evaluator
    assert evaluator.ann_file == dataset.data_root + LIST
    assert evaluator.metric == val.test_evaluator.metric
    assert evaluator.format_only


@pytest.mark.parametrize('stem', STEMS)
@pytest.mark.parametrize('tta', [False, True])
def test_images_without_annotations_load(
    stem: str, tta: bool, coco: Path
) -> None:
    stem = f'{stem}_coco-testdev'
    cfg = FOCAL.with_tta(stem) if tta else copy.deepcopy(FOCAL.config(stem))
    register_all_modules(init_default_scope=False)
    config = dict(cfg.test_dataloader.dataset, _scope_='mmdet')
    config.update(data_root=str(coco), serialize_data=False)
    dataset = DATASETS.build(config)
    assert len(dataset) == 2
    samples = dataset[1]['data_samples']
    samples = samples if tta else [samples]
    assert len(samples) == (10 if tta else 1)
    assert {sample.img_id for sample in samples} == {9}


@pytest.mark.parametrize(('kind', 'stem'), zip(('segm', 'bbox'), STEMS))
def test_predictions_become_the_servers_file(
    kind: str, stem: str, coco: Path
) -> None:
    cfg = FOCAL.config(f'{stem}_coco-testdev')
    evaluator = dict(cfg.test_evaluator, _scope_='mmdet')
    evaluator.update(
        ann_file=str(coco / LIST), outfile_prefix=str(coco / 'results')
    )
    metric = METRICS.build(evaluator)
    metric.dataset_meta = DATASETS.get('CocoDataset').METAINFO
    instances = dict(
        bboxes=torch.tensor([[1.0, 2, 11, 12]]),
        scores=torch.tensor([0.75]),
        labels=torch.tensor([2]),
    )
    if kind == 'segm':
        mask = torch.zeros(1, 24, 32, dtype=torch.bool)
        mask[:, 2:12, 1:11] = True
        instances['masks'] = mask
    for index in (7, 9):
        sample = dict(
            img_id=index, ori_shape=(24, 32), pred_instances=instances
        )
        metric.process({}, [sample])
    metric.evaluate(size=2)
    name = 'detections_test-dev2017_focal-l_results'
    load_tool('dataset_converters/pack_submission').main(
        ['coco', str(coco / f'results.{kind}.json'), f'{coco}/{name}.zip']
        + ['--images', str(coco / LIST), '--number', '2']
    )
    with zipfile.ZipFile(coco / f'{name}.zip') as archive:
        found = json.loads(archive.read(f'{name}.json'))
    assert [item['image_id'] for item in found] == [7, 9]
    assert {item['category_id'] for item in found} == {3}
    assert [('bbox' in item, 'segmentation' in item) for item in found] == [
        (kind == 'bbox', kind == 'segm')
    ] * 2
