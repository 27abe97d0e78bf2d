"""Draw how alike the position embeddings of a model's patches are.

As Figure 10 of SETR: each tile belongs to a patch and shows the cosine
similarity of its position embedding with those of all patches, from -1 (dark)
to 1 (bright). Works for every model of ours that adds a position table.
"""

import argparse

import cv2
import mmcv
import numpy as np
import torch.nn.functional as F
from torch import Tensor

from mmvit.apis.config import build_model, load_config
from mmvit.apis.inference import load_weights
from mmvit.apis.launch import add_cfg_options

EXAMPLE = """example:
  python tools/visualization/position_similarity.py CONFIG \\
      --checkpoint checkpoints/vit_large_384.pth --out positions.png
"""
_TABLE = 'position.table'


def similarity(table: Tensor) -> Tensor:
    """Compare each position with each.

    Shape: table (1, H, W, C) -> (H, W, H, W).
    """
    unit = F.normalize(table[0].detach().float(), dim=-1)
    return (
        (unit.flatten(0, 1) @ unit.flatten(0, 1).T)
        .unflatten(1, unit.shape[:2])
        .unflatten(0, unit.shape[:2])
    )


def chosen(length: int, tiles: int) -> list[int]:
    """Spread the tiles' patches evenly over a side of the map."""
    number = min(tiles, length)
    return [
        round((index + 0.5) * length / number - 0.5) for index in range(number)
    ]


def draw(values: Tensor, tiles: int, tile_size: int = 96) -> np.ndarray:
    """Draw the tiles, with row and column of their patches, BGR.

    Args:
        values: What `similarity` returns.
        tiles: Most tiles on a side.
        tile_size: Side of a tile, in pixels.
    """
    gap, margin = 6, 30
    rows, columns = (chosen(side, tiles) for side in values.shape[:2])
    step = tile_size + gap
    picture = np.full(
        (margin + len(rows) * step, margin + len(columns) * step, 3),
        255,
        np.uint8,
    )

    def write(number: int, x: int, y: int) -> None:
        font = cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(picture, str(number + 1), (x, y), font, 0.5, (0, 0, 0))

    for i, row in enumerate(rows):
        top = margin + i * step
        write(row, 4, top + tile_size // 2)
        for j, column in enumerate(columns):
            left = margin + j * step
            if i == 0:
                write(column, left + tile_size // 2 - 8, margin - 10)
            tile = ((values[row, column] + 1) * 127.5).round().numpy()
            tile = cv2.applyColorMap(
                tile.clip(0, 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS
            )
            picture[top : top + tile_size, left : left + tile_size] = (
                cv2.resize(
                    tile,
                    (tile_size, tile_size),
                    interpolation=cv2.INTER_NEAREST,
                )
            )
    return picture


def main(argv: list[str] | None = None) -> None:
    """Draw; see --help."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config file, of any task')
    parser.add_argument(
        '--checkpoint', help='weights; without them they are random'
    )
    parser.add_argument(
        '--table', help='name of a table, if the model has several'
    )
    parser.add_argument(
        '--tiles', type=int, default=8, help='most tiles on a side'
    )
    parser.add_argument('--out', required=True, help='picture to write')
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    model = build_model(cfg)
    if args.checkpoint:
        load_weights(model, args.checkpoint)
    else:
        print('No --checkpoint: the weights are random')
    tables = {
        name: param
        for name, param in model.named_parameters()
        if name.endswith(_TABLE)
    }
    if not tables:
        raise SystemExit(
            f'{args.config} adds no position table: its positions come from '
            'biases, convolutions or not at all'
        )
    name = args.table or next(iter(tables))
    if name not in tables:
        raise SystemExit(f'no table {name}; there are: {", ".join(tables)}')
    mmcv.imwrite(draw(similarity(tables[name]), args.tiles), args.out)
    print(f'{args.out}: {name}')


if __name__ == '__main__':
    main()
