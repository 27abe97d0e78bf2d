"""Draw the pictures of a task in the documentation.

gallery-TASK.jpg shows the image and the prediction for each image, or for a
classifier the images with their names and scores. TASK.jpg is the prediction
for the first one, and tasks.jpg has three of them side by side.
"""

import argparse
from pathlib import Path

from mmvit.apis.command_line import CommandLine, existing_file

EXAMPLES = """
  python tools/dev/gallery.py detection CONFIG CHECKPOINT a.jpg b.jpg
"""
IMAGES = Path(__file__).resolve().parents[2] / 'docs/en/images'
# The tiles of tasks.jpg, from left to right
ROW = ('instances', 'detection', 'segmentation')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    tasks = (*ROW, 'classification')
    parser.add_argument('task', choices=tasks, help='name of the pictures')
    parser.add_shared('config', 'checkpoint')
    parser.add_argument(
        'images', type=existing_file, nargs='+', help='image files'
    )
    parser.add_shared('--score-thr', default=0.4)
    parser.add_shared('--out-dir', required=False, default=str(IMAGES))
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import mmcv
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from mmvit.apis.inferencer import Inferencer
from mmvit.visualization.figures import save_figure


def read(path: str | Path) -> np.ndarray:
    return mmcv.imread(path, channel_order='rgb')


def with_gap(picture: np.ndarray) -> np.ndarray:
    return np.pad(picture, ((0, 8), (0, 8), (0, 0)), constant_values=255)


def with_titles(results: list[dict], out: str) -> None:
    """Draw images in rows of five, with their classes and scores above."""
    rows = -(-len(results) // 5)
    figure = Figure(figsize=(5, 1.2 * rows), layout='tight')
    for place, result in enumerate(results):
        axes = figure.add_subplot(rows, 5, place + 1)
        axes.axis('off')
        axes.imshow(read(result['path']))
        axes.set_title(f'{result["name"]} ({result["score"]:.2f})', fontsize=8)
    save_figure(figure, out)


def beside_image(result: dict) -> np.ndarray:
    """Draw the image left of the prediction, which has the image's form."""
    picture = result['picture']
    if 'label_map' in result:
        return picture  # has the image already
    size = picture.shape[1::-1]
    image = mmcv.imresize(read(result['path']), size, interpolation='bicubic')
    return np.concatenate([image, picture], axis=1)


def main(argv: list[str] | None = None) -> None:
    """Draw the pictures; see --help."""
    args = parse_args(argv)
    folder = Path(args.out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    infer = Inferencer(args.config, args.checkpoint)
    results = infer(args.images, pictures=True, score_thr=args.score_thr)

    def save(name: str, picture: np.ndarray) -> None:
        Image.fromarray(picture).save(folder / f'{name}.jpg', quality=85)

    if args.task == 'classification':
        tile = results[0]['picture']
        with_titles(results, str(folder / 'gallery-classification.jpg'))
    else:
        pictures = [beside_image(result) for result in results]
        side = pictures[0].shape[1] // 2
        tile = pictures[0][:side, side:]  # below it there may be a legend
        save(
            f'gallery-{args.task}', np.concatenate([*map(with_gap, pictures)])
        )
    save(args.task, tile)
    tiles = [folder / f'{task}.jpg' for task in ROW]
    if all(path.exists() for path in tiles):
        row = [with_gap(read(path)) for path in tiles]
        save('tasks', np.concatenate(row, axis=1))


if __name__ == '__main__':
    main()
