"""Draw what a point of an image attends to, over all layers.

As Figures 11 and 13 of SETR, by the recursion of `Quantifying Attention Flow
in Transformers <https://arxiv.org/abs/2005.00928>`_: a layer mixes each token
with what it attends to, half and half. The product over the layers tells how
much of each other patch has reached the point. For backbones in which every
token attends to every token, such as SETR's.
"""

import argparse
import re

from mmvit.apis.command_line import CommandLine

EXAMPLES = """
  python tools/visualization/attention_rollout.py CONFIG \\
      work_dirs/setr/iter_80000.pth photo.jpg --point 240 130 \\
      --layers 1 9 17 24 --out-dir attention
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_shared('config', 'checkpoint?', 'image')
    parser.add_shared('--point')
    parser.add_argument(
        '--layers',
        nargs='+',
        type=int,
        default=[],
        metavar='N',
        help='draw the result after these layers, counted from 1 (default: '
        'after each layer)',
    )
    parser.add_shared('--out-dir', '--cfg-options', '--trust-checkpoint')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from mmvit.analysis.attention_maps import record_attention
from mmvit.apis.inference import load_from_args, read_image
from mmvit.visualization.drawing import heat_map, save_picture


def layer_attention(backbone: nn.Module, inputs: Tensor) -> list[Tensor]:
    """Run a backbone and return each layer's attention, averaged over heads.

    Shape: inputs (1, 3, H, W) -> (N, N) each; a class token comes first.

    Raises:
        SystemExit: If the backbone has another kind of attention.
    """
    handles = []
    with record_attention(backbone) as weights, torch.no_grad():
        for name, module in backbone.named_modules():
            if not re.fullmatch(r'blocks\.\d+\.attn', name):
                continue

            def reduce(*_: object, name: str = name) -> None:
                # All heads of all layers would be gigabytes.
                weights[name] = weights[name][0].mean(0)

            handles.append(module.register_forward_hook(reduce))
        try:
            backbone(inputs)
        finally:
            for handle in handles:
                handle.remove()
    layers = [value for value in weights.values() if value.dim() == 2]
    if not layers or len({value.shape for value in layers}) > 1:
        raise SystemExit(
            f'{type(backbone).__name__} has windows or several resolutions: '
            'the recursion needs attention of all tokens to all tokens, as '
            'in SETRViT'
        )
    return layers


def rollout(layers: list[Tensor]) -> list[Tensor]:
    """Multiply the layers' attention, each mixed with the identity.

    Shape: layers (N, N) each -> (N, N) each, the product up to that layer.
    """
    total = torch.eye(len(layers[0]))
    totals = []
    for attention in layers:
        mixed = (attention + torch.eye(len(attention))) / 2
        total = mixed @ total
        totals.append(total)
    return totals


def draw(
    image: np.ndarray, weights: Tensor, point: tuple[int, int]
) -> np.ndarray:
    """Lay weights (H', W') over an image as colours, the point as a red dot.

    The point is (x, y) in pixels; the image is RGB, (H, W, 3).
    """
    height, width = image.shape[:2]
    values = weights.numpy()
    values = (values - values.min()) / max(np.ptp(values), 1e-12)
    heat = heat_map(cv2.resize(values, (width, height)))
    drawn = cv2.addWeighted(image, 0.4, heat, 0.6, 0)
    cv2.circle(drawn, point, max(3, height // 80), (255, 0, 0), -1)
    return drawn


def main(argv: list[str] | None = None) -> None:
    """Draw; see --help."""
    args = parse_args(argv)
    cfg, model = load_from_args(args)
    found = read_image(cfg, model, args.image)
    point = tuple(args.point or found.middle)
    try:
        x, y = found.place_of(point)
    except ValueError as error:
        raise SystemExit(str(error)) from error
    layers = layer_attention(model.backbone, found.inputs)
    wrong = [n for n in args.layers if not 1 <= n <= len(layers)]
    if wrong:
        raise SystemExit(f'no layer {wrong[0]}: there are 1 to {len(layers)}')
    with torch.no_grad():
        size = model.backbone(found.inputs)[-1].shape[2:]
    rows, columns = found.without_padding(size)
    query = int(y * size[0]) * size[1] + int(x * size[1])
    num_extra_tokens = len(layers[0]) - size[0] * size[1]
    totals = rollout(layers)
    for number in args.layers or range(1, len(layers) + 1):
        weights = totals[number - 1][num_extra_tokens:, num_extra_tokens:]
        weights = weights[query].clone()
        # The weight of the point itself would outshine all others.
        weights[query] = 0
        weights = weights.unflatten(0, size)[:rows, :columns]
        picture = draw(found.image, weights, point)
        name = f'layer_{number:02d}.png'
        print(save_picture(picture, args.out_dir, name))


if __name__ == '__main__':
    main()
