"""Tiny data sets, and configs that train on them in a second or so."""

import copy
import functools
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from mmengine.config import Config
from PIL import Image, ImageDraw

from mmvit.utils import load_config

ROOT = Path(__file__).resolve().parents[1]
TASKS = ('cls', 'det', 'ins', 'seg')
SIDE = 64
CLASSES = ('round', 'square')
# Some ten thousand parameters.
ARCH = dict(
    embed_dims=(8, 16, 24, 32),
    depths=(1, 1, 1, 1),
    num_heads=(1, 2, 3, 4),
    mlp_ratios=(2, 2, 2, 2),
    sr_ratios=(8, 4, 2, 1),
)
SPLITS = dict(train=8, val=4)
# The checkpoint of a whole run: classification counts epochs, of 2
# iterations each, the others count iterations.
LAST = dict(
    cls='epoch_2.pth', det='iter_4.pth', ins='iter_4.pth', seg='iter_4.pth'
)
METRIC = dict(
    cls='accuracy/top1', det='coco/bbox_mAP', ins='coco/segm_mAP', seg='mIoU'
)


@functools.cache
def load_tool(name: str) -> ModuleType:
    """Import tools/NAME.py, which is in no package."""
    path = ROOT / 'tools' / f'{name}.py'
    spec = importlib.util.spec_from_file_location(f'tool_{path.stem}', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_python(
    *args: str, timeout: float = 120, **environment: str
) -> subprocess.CompletedProcess:
    """Run Python in a process of its own, with mmvit and tests in reach."""
    return subprocess.run(
        [sys.executable, *args],
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def clean_environment(**changes: str) -> dict[str, str]:
    """Environment of a new process: this Python first, one thread."""
    env = {
        key: value for key, value in os.environ.items() if key != 'LOCAL_RANK'
    }
    env['PATH'] = f'{Path(sys.executable).parent}{os.pathsep}{env["PATH"]}'
    return {**env, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1', **changes}


def write_scenes(root: Path) -> Path:
    """Write one set of pictures in the layouts of all tasks.

    Each has a disc and a square, of which the larger names the picture's
    class.
    """
    rng = np.random.default_rng(0)
    for split, number in SPLITS.items():
        coco = dict(
            images=[],
            annotations=[],
            categories=[
                dict(id=index + 1, name=name)
                for index, name in enumerate(CLASSES)
            ],
        )
        for index in range(number):
            noise = rng.integers(0, 80, (SIDE, SIDE, 3), dtype=np.uint8)
            image, label = Image.fromarray(noise), Image.new('L', (SIDE, SIDE))
            sides = (24, 14) if index % 2 else (14, 24)
            for kind, side in enumerate(sides):
                x, y = rng.integers(1, SIDE - side - 1, 2).tolist()
                box = [x, y, x + side, y + side]
                for canvas, fill in (
                    (image, (255, 60 + 150 * kind, 60)),
                    (label, kind + 1),
                ):
                    draw = ImageDraw.Draw(canvas)
                    (draw.rectangle if kind else draw.ellipse)(box, fill=fill)
                corners = [x, y, box[2], y, box[2], box[3], x, box[3]]
                coco['annotations'].append(
                    dict(
                        id=len(coco['annotations']) + 1,
                        image_id=index,
                        category_id=kind + 1,
                        bbox=[x, y, side, side],
                        area=side * side,
                        iscrowd=0,
                        segmentation=[corners],
                    )
                )
            name = f'{split}_{index}.jpg'
            coco['images'].append(
                dict(id=index, file_name=name, width=SIDE, height=SIDE)
            )
            larger = CLASSES[int(sides[1] > sides[0])]
            for folder, picture, suffix in (
                (f'folders/{split}/{larger}', image, '.jpg'),
                (f'img_dir/{split}', image, '.jpg'),
                (f'ann_dir/{split}', label, '.png'),
            ):
                (root / folder).mkdir(parents=True, exist_ok=True)
                file = (root / folder / name).with_suffix(suffix)
                picture.save(file, quality=95)
        (root / f'{split}.json').write_text(json.dumps(coco))
    return root


def _backbone(**kwargs) -> dict:
    return dict(type='mmvit.PVT', arch=ARCH, img_size=SIDE, **kwargs)


def _neck(**kwargs) -> dict:
    return dict(
        in_channels=list(ARCH['embed_dims']), out_channels=16, **kwargs
    )


def _data(dataset: dict, train: dict, val: dict, packing: str) -> dict:
    load = [dict(type='LoadImageFromFile')]
    marks = {
        'PackInputs': [],
        'PackDetInputs': [
            dict(type='LoadAnnotations', with_bbox=True, with_mask=True)
        ],
        'PackSegInputs': [dict(type='LoadAnnotations')],
    }[packing]
    size = dict(type='Resize', scale=(SIDE, SIDE))
    flip = dict(type='RandomFlip', prob=0.5)
    if packing == 'PackInputs':
        flip['direction'] = 'horizontal'
    pack = dict(type=packing)
    loaders = dict(
        train_dataloader=dict(
            batch_size=4,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=True),
            dataset=dict(
                **dataset, **train, pipeline=[*load, *marks, flip, pack]
            ),
        ),
        val_dataloader=dict(
            batch_size=2,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(
                **dataset, **val, pipeline=[*load, size, *marks, pack]
            ),
        ),
    )
    loaders['test_dataloader'] = copy.deepcopy(loaders['val_dataloader'])
    return loaders


def _cls(root: str) -> dict:
    return dict(
        model=dict(
            type='ImageClassifier',
            backbone=_backbone(with_cls_token=True),
            head=dict(
                type='LinearClsHead',
                num_classes=2,
                in_channels=ARCH['embed_dims'][-1],
                topk=(1,),
                loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
            ),
        ),
        data_preprocessor=dict(mean=[127.0] * 3, std=[60.0] * 3, to_rgb=True),
        val_evaluator=dict(type='Accuracy', topk=1),
        **_data(
            dict(type='CustomDataset', data_root=f'{root}/folders'),
            dict(data_prefix='train'),
            dict(data_prefix='val'),
            'PackInputs',
        ),
    )


def _detection(root: str, model: dict, metric: list[str]) -> dict:
    return dict(
        model=dict(backbone=_backbone(_delete_=True), neck=_neck(), **model),
        val_evaluator=dict(
            type='CocoMetric', ann_file=f'{root}/val.json', metric=metric
        ),
        **_data(
            dict(
                type='CocoDataset',
                data_root=root,
                metainfo=dict(classes=CLASSES),
            ),
            dict(
                ann_file='train.json', data_prefix=dict(img='img_dir/train/')
            ),
            dict(
                ann_file='val.json',
                data_prefix=dict(img='img_dir/val/'),
                test_mode=True,
            ),
            'PackDetInputs',
        ),
    )


def _det(root: str) -> dict:
    head = dict(
        num_classes=2, in_channels=16, feat_channels=16, stacked_convs=1
    )
    # An untrained detector's scores are low; mmdet gives no metric without
    # any box.
    test = dict(score_thr=0.0, nms_pre=20)
    return _detection(root, dict(bbox_head=head, test_cfg=test), ['bbox'])


def _ins(root: str) -> dict:
    head = dict(in_channels=16, num_classes=2)
    model = dict(
        rpn_head=dict(in_channels=16, feat_channels=16),
        roi_head=dict(
            bbox_roi_extractor=dict(out_channels=16),
            mask_roi_extractor=dict(out_channels=16),
            bbox_head=dict(fc_out_channels=16, **head),
            mask_head=dict(num_convs=1, conv_out_channels=16, **head),
        ),
        train_cfg=dict(
            rpn_proposal=dict(nms_pre=50, max_per_img=20),
            rcnn=dict(sampler=dict(num=32)),
        ),
        test_cfg=dict(rpn=dict(nms_pre=50, max_per_img=20)),
    )
    return _detection(root, model, ['bbox', 'segm'])


def _seg(root: str) -> dict:
    return dict(
        model=dict(
            pretrained=None,
            data_preprocessor=dict(size=(SIDE, SIDE)),
            backbone=_backbone(_delete_=True),
            neck=_neck(),
            decode_head=dict(in_channels=[16] * 4, channels=16, num_classes=3),
        ),
        val_evaluator=dict(type='IoUMetric', iou_metrics=['mIoU']),
        **_data(
            dict(
                type='BaseSegDataset',
                data_root=root,
                metainfo=dict(
                    classes=('ground', *CLASSES),
                    palette=[[0, 0, 0], [255, 0, 0], [0, 255, 0]],
                ),
            ),
            dict(
                data_prefix=dict(
                    img_path='img_dir/train', seg_map_path='ann_dir/train'
                )
            ),
            dict(
                data_prefix=dict(
                    img_path='img_dir/val', seg_map_path='ann_dir/val'
                )
            ),
            'PackSegInputs',
        ),
    )


_PARTS = dict(cls=_cls, det=_det, ins=_ins, seg=_seg)
_LIBRARY_MODELS = dict(
    cls=[],
    det=['mmdet::_base_/models/retinanet_r50_fpn.py'],
    ins=['mmdet::_base_/models/mask-rcnn_r50_fpn.py'],
    seg=['mmseg::_base_/models/fpn_r50.py'],
)


@functools.cache
def _library_config(task: str) -> Config:
    runtime = 'det' if task == 'ins' else task
    bases = [
        *_LIBRARY_MODELS[task],
        f'{ROOT}/configs/_base_/runtime/{runtime}.py',
    ]
    return Config.fromstring(f'_base_ = {bases!r}', file_format='.py')


def tiny_config(task: str, root: Path, **options) -> Config:
    """Config of a library's own model with a PVT backbone, on `write_scenes`.

    Args:
        task: One of `TASKS`.
        root: Where the scenes are.
        options: Keys to set, with `__` for the dots.
    """
    by_epoch = task == 'cls'
    cfg = copy.deepcopy(_library_config(task))
    cfg.merge_from_dict(_PARTS[task](str(root)))
    cfg.merge_from_dict(
        dict(
            test_evaluator=copy.deepcopy(cfg.val_evaluator),
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2)
            if by_epoch
            else dict(type='IterBasedTrainLoop', max_iters=4, val_interval=2),
            val_cfg=dict(),
            test_cfg=dict(),
            optim_wrapper=dict(
                type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3)
            ),
            default_hooks=dict(
                logger=dict(
                    type='LoggerHook', interval=1, log_metric_by_epoch=by_epoch
                ),
                checkpoint=dict(
                    type='CheckpointHook',
                    by_epoch=by_epoch,
                    interval=1 if by_epoch else 2,
                ),
            ),
            log_processor=dict(by_epoch=by_epoch),
            randomness=dict(seed=0),
        )
    )
    cfg.merge_from_dict(
        {key.replace('__', '.'): value for key, value in options.items()}
    )
    return cfg


def write_config(cfg: Config, path: Path) -> str:
    """Write a config as a file without bases; returns its name."""
    cfg.dump(path)
    return str(path)


def read_log(work_dir: Path) -> list[dict]:
    """Read what the runs in a work dir logged: a dict per line."""
    lines = []
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        lines += [json.loads(line) for line in path.read_text().splitlines()]
    return lines


def losses(work_dir: Path) -> list[float]:
    """Losses of a work dir's training, in order."""
    return [line['loss'] for line in read_log(work_dir) if 'loss' in line]


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    """Weights in a checkpoint that a run of ours wrote."""
    return torch.load(path, weights_only=False)['state_dict']
