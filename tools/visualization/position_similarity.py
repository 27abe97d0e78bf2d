"""Draw how similar the position embeddings of a model's patches are.

As Figure 10 of SETR: each tile belongs to a patch and shows the cosine
similarity of its position embedding with those of all patches, from -1 (dark)
to 1 (bright). Works for every model of MMViT that adds a position table.
"""

import argparse

from mmvit.apis.command_line import CommandLine

EXAMPLES = """
  python tools/visualization/position_similarity.py CONFIG \\
      checkpoints/vit_large_384.pth --out positions.png
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_shared('config', 'checkpoint?')
    parser.add_argument(
        '--table',
        metavar='NAME',
        help='name of a position table (default: the first one of the model)',
    )
    parser.add_number('--tiles', 8, 'largest number of tiles on a side')
    parser.add_output('.png', '.jpg', required=True)
    parser.add_shared('--cfg-options', '--trust-checkpoint')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import cv2
import mmcv
import numpy as np
import torch.nn.functional as F
from torch import Tensor

from mmvit.apis.inference import load_from_args
from mmvit.visualization.drawing import heat_map

_TABLE = 'position.table'
_TILE = 96  # side of a tile, in pixels
_GAP, _MARGIN = 6, 30  # pixels between tiles, and for the numbers


def similarity(table: Tensor) -> Tensor:
    """Compute the cosine similarity of all pairs of positions.

    Shape: table (1, H, W, C) -> (H, W, H, W).
    """
    unit = F.normalize(table[0].detach().float(), dim=-1)
    return (
        (unit.flatten(0, 1) @ unit.flatten(0, 1).T)
        .unflatten(1, unit.shape[:2])
        .unflatten(0, unit.shape[:2])
    )


def chosen(length: int, tiles: int) -> list[int]:
    """Choose patches, evenly spaced over a side of the map."""
    number = min(tiles, length)
    return [
        round((index + 0.5) * length / number - 0.5) for index in range(number)
    ]


def draw(values: Tensor, tiles: int) -> np.ndarray:
    """Draw at most `tiles` a side, with their patches' row and column, RGB.

    Shape: values (H, W, H, W), as `similarity` returns them.
    """
    rows, columns = (chosen(side, tiles) for side in values.shape[:2])
    step = _TILE + _GAP
    shape = _MARGIN + len(rows) * step, _MARGIN + len(columns) * step, 3
    picture = np.full(shape, 255, np.uint8)

    def write(number: int, x: int, y: int) -> None:
        font = cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(picture, str(number + 1), (x, y), font, 0.5, (0, 0, 0))

    for j, column in enumerate(columns):
        write(column, _MARGIN + j * step + _TILE // 2 - 8, _MARGIN - 10)
    for i, row in enumerate(rows):
        top = _MARGIN + i * step
        write(row, 4, top + _TILE // 2)
        for j, column in enumerate(columns):
            left = _MARGIN + j * step
            tile = heat_map((values[row, column].numpy() + 1) / 2)
            picture[top : top + _TILE, left : left + _TILE] = cv2.resize(
                tile, (_TILE, _TILE), interpolation=cv2.INTER_NEAREST
            )
    return picture


def main(argv: list[str] | None = None) -> None:
    """Draw; see --help."""
    args = parse_args(argv)
    _, model = load_from_args(args)
    tables = {
        name: param
        for name, param in model.named_parameters()
        if name.endswith(_TABLE)
    }
    if not tables:
        raise SystemExit(
            f'{args.config} has no position table: its positions come from '
            'biases or convolutions, or it has none'
        )
    name = args.table or next(iter(tables))
    if name not in tables:
        raise SystemExit(f'no table {name}; there are: {", ".join(tables)}')
    picture = draw(similarity(tables[name]), args.tiles)
    mmcv.imwrite(mmcv.rgb2bgr(picture), args.out)
    print(f'{args.out}: {name}')


if __name__ == '__main__':
    main()
