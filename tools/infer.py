"""Predict on image files or folders: pictures, and the predictions as JSON."""

import argparse
import json
import os
import os.path as osp

from mmvit.apis.command_line import CommandLine

EXAMPLES = """
  python tools/infer.py CONFIG CHECKPOINT photo.jpg --out-dir predictions
  python tools/infer.py CONFIG CHECKPOINT folder/ --out-dir predictions
"""
SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')


def find_images(inputs: list[str]) -> list[str]:
    """List files, and the images in folders and their subfolders.

    Raises:
        ValueError: If an input does not exist, or there is no image.
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
            raise ValueError(f'no file or folder {item}')
    if not paths:
        raise ValueError(
            f'no image in {", ".join(inputs)}: looked for files that end '
            f'with {", ".join(SUFFIXES)}'
        )
    return paths


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_shared('config', 'checkpoint')
    parser.add_argument('inputs', nargs='+', help='image files or folders')
    parser.add_shared('--out-dir')
    parser.add_argument(
        '--score-thr',
        type=float,
        default=0.3,
        metavar='SCORE',
        help='lowest score, 0 to 1, of the boxes that are drawn; the JSON '
        'file has all of them (default: 0.3)',
    )
    parser.add_shared('--device', '--compile', '--cfg-options')
    parser.add_shared('--trust-checkpoint')
    args = parser.parse_args(argv)
    try:
        args.paths = find_images(args.inputs)
    except ValueError as error:
        parser.error(str(error))
    return args


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import mmcv
import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.structures import BaseDataElement
from mmengine.utils import ProgressBar

from mmvit.apis.config import load_config
from mmvit.apis.inference import (
    build_test_pipeline,
    class_names,
    load_model,
)
from mmvit.engine.compilation import compile_model
from mmvit.utils.paths import path_within
from mmvit.visualization.drawing import (
    build_visualizer,
    draw_sample,
    save_picture,
)


def to_plain(sample: BaseDataElement, classes: list[str]) -> dict:
    """Convert a prediction of boxes or of a class to plain numbers."""
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
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    device = args.device or get_device()
    model = load_model(cfg, args.checkpoint, device, args.trust_checkpoint)
    if args.compile:
        print(compile_model(model, args.compile))
    meta = class_names(cfg, model)
    visualizer = build_visualizer(cfg, meta)
    pipeline = build_test_pipeline(cfg)
    os.makedirs(args.out_dir, exist_ok=True)
    predictions = {}
    progress = ProgressBar(len(args.paths))
    for index, path in enumerate(args.paths):
        data = pipeline(dict(img_path=path, img_id=index))
        with torch.no_grad():
            (sample,) = model.test_step(pseudo_collate([data]))
        # The number tells files of the same name in two folders apart.
        stem = f'{index:05d}_{osp.splitext(osp.basename(path))[0]}'
        draw_sample(
            visualizer,
            mmcv.imread(path, channel_order='rgb'),
            sample,
            path_within(args.out_dir, f'{stem}.png'),
            args.score_thr,
        )
        if 'pred_sem_seg' in sample:
            labels = sample.pred_sem_seg.data[0].cpu().numpy()
            name = f'{stem}_labels.png'
            save_picture(labels.astype(np.uint8), args.out_dir, name)
            predictions[path] = dict(labels=name)
        else:
            predictions[path] = to_plain(sample.cpu(), meta['classes'])
        progress.update()
    file = path_within(args.out_dir, 'predictions.json')
    with open(file, 'w', encoding='utf-8') as stream:
        json.dump(predictions, stream, indent=1)
    print(f'\nPictures and predictions: {osp.abspath(args.out_dir)}')


if __name__ == '__main__':
    main()
