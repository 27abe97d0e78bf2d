"""Draw what a picked point of an image attends to, over all layers.

As Figures 11 and 13 of SETR, by the recursion of `Quantifying Attention Flow
in Transformers <https://arxiv.org/abs/2005.00928>`_: a layer mixes each token
with what it attends to, half and half; the product over the layers says how
much of each other patch has reached the point. For backbones in which every
token attends to every token, such as SETR's.
"""

import argparse
import os.path as osp
import re

import cv2
import mmcv
import numpy as np
import torch
from mmengine.utils import mkdir_or_exist
from torch import Tensor, nn

from mmvit.analysis.attention_maps import record_attention
from mmvit.apis.config import build_model, load_config
from mmvit.apis.inference import load_weights, read_image
from mmvit.apis.launch import add_cfg_options

EXAMPLE = """example:
  python tools/visualization/attention_rollout.py CONFIG photo.jpg \\
      --checkpoint work_dirs/setr/iter_80000.pth --point 240 130 \\
      --layers 1 9 17 24 --out-dir attention
"""


def layer_attention(backbone: nn.Module, inputs: Tensor) -> list[Tensor]:
    """Run a backbone and keep each layer's attention, averaged over heads.

    Args:
        backbone: One with attention of all tokens to all tokens.
        inputs: Image (1, 3, H, W).

    Returns:
        (N, N) of each layer, the class token first where there is one.
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
            "SETRViT's"
        )
    return layers


def rollout(layers: list[Tensor]) -> list[Tensor]:
    """Multiply the layers up, each half identity.

    Shape: layers (N, N) each -> (N, N) each, up to that layer.
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
    """Lay the weights over the image, the point as a red dot, BGR.

    Args:
        image: RGB, (H, W, 3).
        weights: (H', W'), of any scale.
        point: (x, y) in pixels of the image.
    """
    height, width = image.shape[:2]
    values = weights.numpy()
    values = (values - values.min()) / max(np.ptp(values), 1e-12)
    heat = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
    heat = cv2.applyColorMap(
        (255 * heat).astype(np.uint8), cv2.COLORMAP_VIRIDIS
    )
    drawn = cv2.addWeighted(mmcv.rgb2bgr(image), 0.4, heat, 0.6, 0)
    cv2.circle(drawn, point, max(3, height // 80), (0, 0, 255), -1)
    return drawn


def main(argv: list[str] | None = None) -> None:
    """Draw; see --help."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config file, of any task')
    parser.add_argument('image', help='image file')
    parser.add_argument(
        '--point',
        nargs=2,
        type=int,
        required=True,
        metavar=('X', 'Y'),
        help='pixel of the image file, from its upper left corner',
    )
    parser.add_argument(
        '--checkpoint', help='weights; without them they are random'
    )
    parser.add_argument(
        '--layers',
        nargs='+',
        type=int,
        default=[],
        help='layers up to which the recursion is drawn, counted from 1; '
        'default: all',
    )
    parser.add_argument('--out-dir', required=True, help='folder to write to')
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    if not osp.isfile(args.image):
        raise SystemExit(f'no image at {args.image}')
    cfg = load_config(args.config, args.cfg_options)
    model = build_model(cfg)
    if args.checkpoint:
        load_weights(model, args.checkpoint)
    else:
        print('No --checkpoint: the weights are random')
    model.eval()
    inputs, image, share = read_image(cfg, model, args.image)
    x, y = args.point
    height, width = image.shape[:2]
    if not (0 <= x < width and 0 <= y < height):
        raise SystemExit(
            f'--point {x} {y} lies outside of the image, {width}x{height}'
        )
    layers = layer_attention(model.backbone, inputs)
    wrong = [n for n in args.layers if not 1 <= n <= len(layers)]
    if wrong:
        raise SystemExit(f'no layer {wrong[0]}: there are 1 to {len(layers)}')
    with torch.no_grad():
        size = model.backbone(inputs)[-1].shape[2:]
    # The map without what the image was padded by.
    rows, columns = (
        max(1, round(side * part)) for side, part in zip(size, share)
    )
    row, column = y * rows // height, x * columns // width
    extra = len(layers[0]) - size[0] * size[1]
    query = extra + row * size[1] + column
    totals = rollout(layers)
    mkdir_or_exist(args.out_dir)
    for number in args.layers or range(1, len(layers) + 1):
        weights = totals[number - 1][query, extra:].clone()
        # What stays at the point itself would outshine all else.
        weights[query - extra] = 0
        weights = weights.unflatten(0, size)
        path = osp.join(args.out_dir, f'layer_{number:02d}.png')
        mmcv.imwrite(draw(image, weights[:rows, :columns], (x, y)), path)
        print(path)


if __name__ == '__main__':
    main()
