"""Predict on image files or folders: pictures, and the predictions as JSON."""

import argparse
import json
import os
import os.path as osp
import sys
from collections.abc import Iterator

from mmvit.apis.command_line import CommandLine

EXAMPLES = """
  python tools/infer.py CONFIG CHECKPOINT photo.jpg --out-dir predictions
  python tools/infer.py CONFIG CHECKPOINT folder/ --out-dir predictions
"""
SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')


def _images_in(folder: str, out_dir: str) -> Iterator[str]:
    """Yield the images in a folder, its subfolders and linked folders.

    The folder that is written to is left out, and so is one that a link leads
    to for a second time.
    """
    seen = {osp.realpath(out_dir)}
    for place, folders, names in os.walk(folder, followlinks=True):
        if osp.realpath(place) in seen:
            folders.clear()
            continue
        seen.add(osp.realpath(place))
        folders.sort()
        for name in sorted(names):
            if name.lower().endswith(SUFFIXES):
                yield osp.join(place, name)


def find_images(inputs: list[str], out_dir: str) -> list[str]:
    """List files, and the images in folders but those of `out_dir`.

    Raises:
        ValueError: If an input does not exist, or there is no image.
    """
    paths = []
    for item in inputs:
        if osp.isfile(item):
            paths.append(item)
        elif osp.isdir(item):
            paths += _images_in(item, out_dir)
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
        args.paths = find_images(args.inputs, args.out_dir)
    except ValueError as error:
        parser.error(str(error))
    return args


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import torch
from mmcv.transforms import Compose
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.structures import BaseDataElement
from mmengine.utils import ProgressBar
from mmengine.visualization import Visualizer
from torch import nn

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
from mmvit.visualization.images import label_map, load_image, loading_step


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


class Predictor:
    """Predicts on image files and writes a picture of each.

    Args:
        model: The model with its weights.
        pipeline: Its test pipeline.
        visualizer: The visualizer of its task; it knows the classes.
        out_dir: The folder to write to.
        score_thr: Boxes with a lower score are not drawn.
    """

    def __init__(
        self,
        model: nn.Module,
        pipeline: Compose,
        visualizer: Visualizer,
        out_dir: str,
        score_thr: float,
    ) -> None:
        self.model = model
        self.pipeline = pipeline
        self.visualizer = visualizer
        self.out_dir = out_dir
        self.score_thr = score_thr
        self.load = loading_step(pipeline)

    @torch.no_grad()
    def __call__(self, path: str, index: int) -> dict:
        """Predict on a file; returns the prediction in plain numbers."""
        data = self.pipeline(dict(img_path=path, img_id=index))
        (sample,) = self.model.test_step(pseudo_collate([data]))
        # The number tells files of the same name in two folders apart.
        stem = f'{index:05d}_{osp.splitext(osp.basename(path))[0]}'
        draw_sample(
            self.visualizer,
            load_image(self.load, path),
            sample,
            path_within(self.out_dir, f'{stem}.png'),
            self.score_thr,
        )
        if 'pred_sem_seg' in sample:
            name = f'{stem}_labels.png'
            save_picture(label_map(sample.pred_sem_seg), self.out_dir, name)
            return dict(labels=name)
        classes = self.visualizer.dataset_meta['classes']
        return to_plain(sample.cpu(), classes)


def main(argv: list[str] | None = None) -> int:
    """Predict; see --help."""
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    device = args.device or get_device()
    model = load_model(cfg, args.checkpoint, device, args.trust_checkpoint)
    if args.compile:
        print(compile_model(model, args.compile))
    predict = Predictor(
        model,
        build_test_pipeline(cfg),
        build_visualizer(cfg, class_names(cfg, model)),
        args.out_dir,
        args.score_thr,
    )
    os.makedirs(args.out_dir, exist_ok=True)
    predictions, failed = {}, {}
    progress = ProgressBar(len(args.paths))
    for index, path in enumerate(args.paths):
        try:
            predictions[path] = predict(path, index)
        except Exception as error:
            # One broken file must not cost the others.
            failed[path] = f'{type(error).__name__}: {error}'
        progress.update()
    file = path_within(args.out_dir, 'predictions.json')
    with open(file, 'w', encoding='utf-8') as stream:
        json.dump(predictions, stream, indent=1, ensure_ascii=False)
    print(f'\nPictures and predictions: {osp.abspath(args.out_dir)}')
    if failed:
        print(f'{len(failed)} of {len(args.paths)} files failed:')
        for path, reason in failed.items():
            print(f'  {path}: {reason}')
    return int(bool(failed))


if __name__ == '__main__':
    sys.exit(main())
