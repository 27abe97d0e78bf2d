"""Configs that train a library's own model, with a PVT, in a second or so."""

import copy
import functools
from pathlib import Path

from mmengine.config import Config

import mmvit  # noqa: F401  (repairs `mmseg::`)

from .scenes import CLASSES, SIDE

ROOT = Path(__file__).resolve().parents[2]
TASKS = ('cls', 'det', 'ins', 'seg')
# Some ten thousand parameters.
ARCH = dict(
    embed_dims=(8, 16, 24, 32),
    depths=(1, 1, 1, 1),
    num_heads=(1, 2, 3, 4),
    mlp_ratios=(2, 2, 2, 2),
    sr_ratios=(8, 4, 2, 1),
)
# The checkpoint of a whole run: classification counts epochs, of 2
# iterations each, the others count iterations.
LAST = dict(
    cls='epoch_2.pth', det='iter_4.pth', ins='iter_4.pth', seg='iter_4.pth'
)
METRIC = dict(
    cls='accuracy/top1', det='coco/bbox_mAP', ins='coco/segm_mAP', seg='mIoU'
)


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
