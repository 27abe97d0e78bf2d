"""Predict on image files or folders: pictures, and the predictions."""

import argparse
import json
import os
import os.path as osp

import mmcv
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.structures import BaseDataElement
from mmengine.utils import ProgressBar, mkdir_or_exist

from mmvit.apis.config import build_model, load_config
from mmvit.apis.inference import build_test_pipeline, load_weights
from mmvit.apis.launch import add_cfg_options
from mmvit.visualization.drawing import build_visualizer, draw_sample

EXAMPLE = """examples:
  python tools/infer.py CONFIG CHECKPOINT photo.jpg --out-dir predictions
  python tools/infer.py CONFIG CHECKPOINT folder/ --out-dir predictions
"""
SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')


def find_images(inputs: list[str]) -> list[str]:
    """List files, and the images in folders and their subfolders.

    Raises:
        SystemExit: If an input does not exist, or none is an image.
    """
    paths = []
    for item in inputs:
        if osp.isfile(item):
            paths.append(item)
        elif osp.isdir(item):
            for folder, _, names in sorted(os.walk(item)):
                paths += [
                    osp.join(folder, name)
                    for name in sorted(names)
                    if name.lower().endswith(SUFFIXES)
                ]
        else:
            raise SystemExit(f'no file or folder {item}')
    if not paths:
        raise SystemExit(
            f'no image in {", ".join(inputs)}: files that end with '
            f'{", ".join(SUFFIXES)} are looked for'
        )
    return paths


def class_names(cfg: Config, checkpoint: dict) -> dict:
    """Find the classes: those trained on, else those of the config."""
    meta = checkpoint.get('meta', {}).get('dataset_meta') or {}
    if 'classes' not in meta:
        meta = dict(cfg.test_dataloader.dataset.get('metainfo') or {})
    if 'classes' not in meta:
        raise SystemExit(
            'neither the checkpoint nor test_dataloader.dataset.metainfo of '
            'the config names the classes: set the latter'
        )
    return meta


def to_plain(sample: BaseDataElement, classes: list[str]) -> dict:
    """Turn a prediction of boxes or a class into what JSON can hold."""
    if 'pred_instances' in sample:
        found = sample.pred_instances
        return dict(
            boxes=[
                dict(
                    name=classes[label],
                    score=round(score, 4),
                    box_xyxy=[round(side, 1) for side in box],
                )
                for label, score, box in zip(
                    found.labels.tolist(),
                    found.scores.tolist(),
                    found.bboxes.tolist(),
                )
            ]
        )
    label = int(sample.pred_label)
    score = float(sample.pred_score[label])
    return dict(name=classes[label], score=round(score, 4))


def main(argv: list[str] | None = None) -> None:
    """Predict; see --help."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config file, of any task')
    parser.add_argument('checkpoint', help='weights')
    parser.add_argument('inputs', nargs='+', help='image files or folders')
    parser.add_argument('--out-dir', required=True, help='folder to write to')
    parser.add_argument(
        '--score-thr', type=float, default=0.3, help='boxes below are left out'
    )
    parser.add_argument('--device', default=get_device())
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    paths = find_images(args.inputs)
    cfg = load_config(args.config, args.cfg_options)
    model = build_model(cfg, args.device)
    meta = class_names(cfg, load_weights(model, args.checkpoint))
    model.eval()
    visualizer = build_visualizer(cfg, meta)
    pipeline = build_test_pipeline(cfg)
    mkdir_or_exist(args.out_dir)
    predictions = {}
    progress = ProgressBar(len(paths))
    for index, path in enumerate(paths):
        data = pipeline(dict(img_path=path, img_id=index))
        with torch.no_grad():
            (sample,) = model.test_step(pseudo_collate([data]))
        stem = f'{index:05d}_{osp.splitext(osp.basename(path))[0]}'
        target = osp.join(args.out_dir, stem)
        draw_sample(
            visualizer,
            mmcv.imread(path, channel_order='rgb'),
            sample,
            f'{target}.png',
            args.score_thr,
        )
        if 'pred_sem_seg' in sample:
            labels = sample.pred_sem_seg.data[0].cpu().numpy()
            mmcv.imwrite(labels.astype(np.uint8), f'{target}_labels.png')
            predictions[path] = dict(labels=f'{stem}_labels.png')
        else:
            predictions[path] = to_plain(sample.cpu(), meta['classes'])
        progress.update()
    with open(
        osp.join(args.out_dir, 'predictions.json'), 'w', encoding='utf-8'
    ) as file:
        json.dump(predictions, file, indent=1)
    print(f'\nPictures and predictions: {osp.abspath(args.out_dir)}')


if __name__ == '__main__':
    main()
