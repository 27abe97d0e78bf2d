"""Draw what a point of an image attends to.

As Figure 1 of Focal Transformer: one picture for each head of a block. The
brightness is how much of each token of the block's map reaches the query
through the values, attention weights being what they are. With that, windows,
pooled keys and several attentions in one block need no treatment of their
own: it works for every backbone of MMViT.
"""

import argparse
import os.path as osp

import mmcv
import numpy as np
import torch
import torch.nn.functional as F
from mmengine.dataset import pseudo_collate
from mmengine.utils import mkdir_or_exist
from torch import Tensor, nn

from mmvit.analysis.attention_maps import record_attention
from mmvit.apis.config import build_model, load_config
from mmvit.apis.inference import build_test_pipeline, load_weights
from mmvit.apis.launch import add_cfg_options
from mmvit.models import PyramidBackbone

EXAMPLE = """example:
  python tools/visualization/attention_map.py CONFIG photo.jpg \\
      --checkpoint checkpoints/focal_tiny.pth \\
      --block stages.0.blocks.0 --point 120 80 --out-dir attention
"""


class _Probe:
    """Keeps a block's input and what its attention's projection gets."""

    def __init__(self, block: nn.Module) -> None:
        self.source: Tensor | None = None
        self.heads: Tensor | None = None
        self.handles = [
            block.attn.register_forward_pre_hook(self._enter),
            block.attn.proj.register_forward_pre_hook(self._project),
        ]

    def _enter(self, _: nn.Module, args: tuple) -> tuple:
        self.source = args[0].detach().requires_grad_(True)
        return (self.source, *args[1:])

    def _project(self, _: nn.Module, args: tuple) -> None:
        self.heads = args[0]


def attention_of(
    backbone: nn.Module,
    block: nn.Module,
    image: Tensor,
    point: tuple[float, float],
) -> Tensor:
    """How much of each token reaches a query, by head.

    Args:
        backbone: What the block belongs to.
        block: Has an attention `attn` with a projection `proj` of the map.
        image: One image, as the backbone gets it.
        point: (x, y) of the query, as shares of the width and the height.

    Shape: image (1, C, H, W) -> (heads, H', W'), each with a sum of 1.

    Raises:
        ValueError: If the block has no such attention.
    """
    if not hasattr(getattr(block, 'attn', None), 'proj'):
        raise ValueError('the block has no attention `attn` with a `proj`')
    probe = _Probe(block)
    try:
        with record_attention(backbone, values_only=True):
            backbone(image)
    finally:
        for handle in probe.handles:
            handle.remove()
    # A class token or a list of tokens has no place on the map.
    if (
        probe.heads.dim() != 4
        or probe.heads.shape[:3] != (probe.source.shape[:3])
    ):
        raise ValueError(
            f'the projection of the block gets {tuple(probe.heads.shape)}, '
            f'no map of {tuple(probe.source.shape[1:3])} tokens'
        )
    _, height, width, _ = probe.heads.shape
    row = min(int(point[1] * height), height - 1)
    column = min(int(point[0] * width), width - 1)
    query = probe.heads[0, row, column]
    maps = []
    for head in query.chunk(getattr(block.attn, 'num_heads', 1)):
        (gradient,) = torch.autograd.grad(
            head.sum(), probe.source, retain_graph=True
        )
        share = gradient[0].norm(dim=-1)
        maps.append(share / share.sum().clamp(min=1e-12))
    return torch.stack(maps)


def draw(
    share: Tensor, image: np.ndarray, point: tuple[int, int]
) -> np.ndarray:
    """Lay a map over an image, with a mark at the query."""
    share = F.interpolate(share[None, None], image.shape[:2], mode='bilinear')
    share = (share / share.max())[0, 0, ..., None].numpy()
    drawn = image * (0.25 + 0.75 * share)
    x, y = point
    drawn[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3] = (0, 0, 255)
    return drawn.astype(np.uint8)


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
        '--checkpoint', help='weights; without them they are random'
    )
    parser.add_argument(
        '--block',
        default='stages.0.blocks.0',
        metavar='stages.S.blocks.B',
        help='block of the backbone, counted from 0 (default: the first)',
    )
    parser.add_argument(
        '--point',
        type=int,
        nargs=2,
        metavar=('X', 'Y'),
        help='pixel of the query (default: the middle)',
    )
    parser.add_argument('--out-dir', required=True, help='folder to write to')
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    if not osp.isfile(args.image):
        raise SystemExit(f'no image at {args.image}')
    cfg = load_config(args.config, args.cfg_options)
    model = build_model(cfg)
    if not isinstance(model.backbone, PyramidBackbone):
        raise SystemExit(
            f'{args.config} has a {type(model.backbone).__name__}, which is '
            "none of MMViT's pyramid backbones"
        )
    try:
        block = model.backbone.get_submodule(args.block)
    except AttributeError as error:
        raise SystemExit(f'no block {args.block}: {error}') from error
    if args.checkpoint:
        load_weights(model, args.checkpoint)
    else:
        print('No --checkpoint: the weights are random')
    model.eval()
    data = build_test_pipeline(cfg)(dict(img_path=args.image, img_id=0))
    batch = model.data_preprocessor(pseudo_collate([data]), False)
    image = mmcv.imread(args.image)
    height, width = image.shape[:2]
    x, y = args.point or (width // 2, height // 2)
    if not (0 <= x < width and 0 <= y < height):
        raise SystemExit(
            f'--point {x} {y} is outside of {width}x{height} pixels'
        )
    # The network's input is padded at the right and the bottom.
    inner = batch['data_samples'][0].img_shape[:2]
    padded = batch['inputs'].shape[2:]
    kept = [a / b for a, b in zip(inner, padded)]
    try:
        maps = attention_of(
            model.backbone,
            block,
            batch['inputs'],
            (x / width * kept[1], y / height * kept[0]),
        )
    except ValueError as error:
        raise SystemExit(f'{args.block}: {error}') from error
    rows = max(1, round(maps.shape[1] * kept[0]))
    columns = max(1, round(maps.shape[2] * kept[1]))
    mkdir_or_exist(args.out_dir)
    for head, share in enumerate(maps[:, :rows, :columns]):
        path = osp.join(args.out_dir, f'{args.block}.head-{head}.png')
        mmcv.imwrite(draw(share, image, (x, y)), path)
        print(path)


if __name__ == '__main__':
    main()
