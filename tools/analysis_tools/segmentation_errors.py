"""Where a segmentor errs: its confusion matrix, and its worst images.

Tests a model on the images of the config's test_dataloader and writes:

confusion.png  the share of each class's pixels that is taken for each class,
confusion.csv  the same as numbers of pixels, one row for each true class,
worst/         the images with the lowest IoU, each with four columns: image,
               truth, prediction, and the truth where the prediction is wrong.
"""

import argparse
import heapq
import os
import os.path as osp
from typing import NamedTuple

from mmvit.apis.command_line import CommandLine

EXAMPLES = """
  python tools/analysis_tools/segmentation_errors.py CONFIG CHECKPOINT \\
      --out-dir errors
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_shared('config', 'checkpoint', '--out-dir')
    parser.add_number('--worst', 20, 'number of images to draw', low=0)
    parser.add_shared('--device', '--cfg-options', '--trust-checkpoint')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import mmcv
import numpy as np
import torch
from matplotlib.figure import Figure
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.utils import ProgressBar
from torch import nn
from torch.utils.data import DataLoader

from mmvit.apis.inference import class_names, load_from_args
from mmvit.visualization.drawing import draw_label_maps, save_picture
from mmvit.visualization.figures import save_figure


class Judged(NamedTuple):
    """An image with its score; the lowest scores compare as the greatest."""

    badness: float
    number: int
    path: str
    maps: tuple[np.ndarray, np.ndarray]  # truth and prediction


def confusion(
    truth: np.ndarray, labels: np.ndarray, num_classes: int
) -> np.ndarray:
    """Count pixels by their true and their predicted class, (N, N).

    Pixels whose truth is none of the N classes are ignored.
    """
    known = truth < num_classes
    pairs = num_classes * truth[known].astype(np.int64) + labels[known]
    counts = np.bincount(pairs, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def mean_iou(matrix: np.ndarray) -> float:
    """Average the IoU of the classes that occur; 1 if none does."""
    right = matrix.diagonal()
    union = matrix.sum(0) + matrix.sum(1) - right
    present = union > 0
    return float((right[present] / union[present]).mean()) if any(union) else 1


def judge(
    model: nn.Module, loader: DataLoader, num_classes: int, worst: int
) -> tuple[np.ndarray, list[Judged]]:
    """Return the confusion matrix of all images, and the worst images.

    Raises:
        SystemExit: If the data set has no label maps.
    """
    total = np.zeros((num_classes, num_classes), np.int64)
    found: list[Judged] = []
    progress = ProgressBar(len(loader.dataset))
    for batch in loader:
        with torch.no_grad():
            samples = model.test_step(batch)
        for sample in samples:
            if 'gt_sem_seg' not in sample:
                raise SystemExit(
                    'the images of test_dataloader have no label maps: take '
                    'a config with a validation set'
                )
            truth, labels = (
                sample.get(name).data[0].cpu().numpy().astype(np.uint8)
                for name in ('gt_sem_seg', 'pred_sem_seg')
            )
            matrix = confusion(truth, labels, num_classes)
            total += matrix
            one = Judged(
                -mean_iou(matrix),
                progress.completed,
                sample.img_path,
                (truth, labels),
            )
            heapq.heappush(found, one)
            if len(found) > worst:
                heapq.heappop(found)
            progress.update()
    return total, sorted(found, reverse=True)


def draw_matrix(matrix: np.ndarray, classes: list[str], path: str) -> None:
    """Draw the shares of each true class's pixels; few classes get numbers."""
    shares = matrix / matrix.sum(axis=1, keepdims=True).clip(1)
    side = max(4.0, min(0.45 * len(classes), 24))
    size = min(9.0, 60 * side / max(len(classes), 7))
    figure = Figure(figsize=(side + 2, side + 1), layout='tight')
    axes = figure.subplots()
    picture = axes.imshow(100 * shares, cmap='Blues', vmin=0, vmax=100)
    bar = figure.colorbar(picture, ax=axes, fraction=0.046, pad=0.04)
    bar.set_label("% of the true class's pixels")
    places = range(len(classes))
    axes.set_xticks(places, classes, rotation=90, fontsize=size)
    axes.set_yticks(places, classes, fontsize=size)
    axes.set(xlabel='predicted class', ylabel='true class')
    if len(classes) <= 30:
        for row, column in np.argwhere(shares >= 0.005):
            share = shares[row, column]
            colour = 'white' if share > 0.5 else 'black'
            axes.text(
                *(column, row, f'{100 * share:.0f}'),
                ha='center',
                va='center',
                fontsize=size - 1,
                color=colour,
            )
    save_figure(figure, path)


def most_confused(matrix: np.ndarray, classes: list[str], count: int) -> str:
    """List the pairs of classes that most of a class's pixels are lost to."""
    shares = matrix / matrix.sum(axis=1, keepdims=True).clip(1)
    np.fill_diagonal(shares, 0)
    lines = []
    for place in np.argsort(shares, axis=None)[::-1][:count]:
        row, column = np.unravel_index(place, shares.shape)
        if shares[row, column]:
            lines.append(
                f'  {100 * shares[row, column]:5.1f} % of {classes[row]} is '
                f'taken for {classes[column]}'
            )
    return '\n'.join(lines) or '  none'


def main(argv: list[str] | None = None) -> None:
    """Test and draw; see --help."""
    args = parse_args(argv)
    cfg, model = load_from_args(args)
    if not hasattr(model, 'decode_head'):
        raise SystemExit(f'{args.config} is no segmentor')
    meta = class_names(cfg, model)
    classes = list(meta['classes'])
    init_default_scope(cfg.default_scope)
    loader = Runner.build_dataloader(cfg.test_dataloader)
    matrix, worst = judge(model, loader, len(classes), args.worst)
    os.makedirs(args.out_dir, exist_ok=True)
    np.savetxt(
        osp.join(args.out_dir, 'confusion.csv'),
        matrix,
        fmt='%d',
        delimiter=',',
        header=','.join(classes),
        comments='',
    )
    draw_matrix(matrix, classes, osp.join(args.out_dir, 'confusion.png'))
    for rank, one in enumerate(worst):
        truth, labels = one.maps
        image = mmcv.imread(one.path, channel_order='rgb')
        errors = np.where((truth != labels), truth, 255)
        picture = draw_label_maps(
            *(image, [truth, labels, errors], meta),
            ['truth', 'prediction', 'truth of what is wrong'],
        )
        stem = osp.splitext(osp.basename(one.path))[0]
        name = f'{rank:03d}_{stem}_iou-{-100 * one.badness:.0f}.png'
        save_picture(picture, osp.join(args.out_dir, 'worst'), name)
    print(f'\nmIoU {100 * mean_iou(matrix):.2f}; most confused:')
    print(most_confused(matrix, classes, 10))
    print(f'Pictures: {osp.abspath(args.out_dir)}')


if __name__ == '__main__':
    main()
