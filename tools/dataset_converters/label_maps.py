"""Make the label maps of token labeling with a classifier of mmpretrain.

For each image of a config's data set the classifier looks at every cell of
its last map as it would at the pooled map. A cell's highest scores and their
classes are written to OUT_DIR/<folder>/<image>.pt, a tensor (2, k, h, w) as
LV-ViT's published maps, for mmvit.LoadTokenLabels to read.
"""

import argparse
import os.path as osp
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.registry import DATASETS, init_default_scope
from mmengine.utils import ProgressBar
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmvit.apis.config import build_model, load_config
from mmvit.apis.inference import load_weights
from mmvit.apis.launch import add_cfg_options

EXAMPLES = """examples:
  python tools/dataset_converters/label_maps.py CONFIG CHECKPOINT \\
      --out-dir data/own_token_labels
  python tools/dataset_converters/label_maps.py \\
      mmpretrain::swin_transformer/swin-base_16xb64_in1k-384px.py \\
      CHECKPOINT --size 384 --out-dir data/imagenet_token_labels
"""
# Classes beyond it are not exact in half floats.
LARGEST_HALF = 2048


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config of the classifier')
    parser.add_argument('checkpoint', help='weights of the classifier')
    parser.add_argument('--out-dir', required=True, type=Path)
    parser.add_argument(
        '--loader',
        default='train_dataloader',
        metavar='NAME',
        help="the config's loader whose images are read "
        '(default: train_dataloader)',
    )
    parser.add_argument(
        '--size',
        type=int,
        default=224,
        help='images are resized to SIZE x SIZE pixels, whole (default 224)',
    )
    parser.add_argument(
        '--topk', type=int, default=5, help='scores a cell (default 5)'
    )
    parser.add_argument(
        '--depth',
        type=int,
        default=2,
        help="parts of an image's path that become the map's (default 2)",
    )
    parser.add_argument('--batch-size', type=int, default=32)
    parser.add_argument('--num-workers', type=int, default=2)
    parser.add_argument('--device', default=get_device())
    add_cfg_options(parser)
    return parser.parse_args(argv)


def build_loader(cfg: Config, args: argparse.Namespace) -> DataLoader:
    """Build a loader of whole images, in the data set's order."""
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    dataset = cfg[args.loader].dataset
    while 'dataset' in dataset:
        dataset = dataset.dataset
    dataset.pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(args.size, args.size)),
        dict(type='PackInputs'),
    ]
    return DataLoader(
        DATASETS.build(dataset),
        args.batch_size,
        num_workers=args.num_workers,
        collate_fn=pseudo_collate,
    )


def logits_of_cells(model: nn.Module, images: Tensor) -> Tensor:
    """Classify each cell of a classifier's last map.

    Shape: images (B, 3, H, W) -> (B, K, h, w).

    Raises:
        SystemExit: If the backbone returns no map.
    """
    feats = model.extract_feat(images, stage='backbone')
    x = feats[-1] if isinstance(feats, (tuple, list)) else feats
    if not isinstance(x, Tensor) or x.ndim != 4:
        raise SystemExit(
            f'{type(model.backbone).__name__} returns no map (B, C, h, w) '
            "here; --cfg-options can change that: a ViT's "
            "model.backbone.out_type=featmap, PVT's "
            'model.backbone.with_cls_token=False'
        )
    (batch, _, *grid) = x.shape
    # (B, C, h, w) -> (B * h * w, C)
    cells = x.permute(0, 2, 3, 1).flatten(0, 2)
    if hasattr(model.head, 'token_logits'):
        logits = model.head.token_logits(cells)
    elif model.with_neck:
        logits = model.head(model.neck((cells[..., None, None],)))
    else:
        logits = model.head((cells,))
    # (B * h * w, K) -> (B, K, h, w)
    return logits.unflatten(0, (batch, *grid)).permute(0, 3, 1, 2)


def to_label_map(logits: Tensor, topk: int) -> Tensor:
    """Keep the highest scores of each cell.

    Shape: logits (K, h, w) -> (2, k, h, w), scores and classes.
    """
    found = logits.topk(min(topk, len(logits)), dim=0)
    labels = torch.stack([found.values, found.indices.to(logits)])
    return labels.half() if len(logits) <= LARGEST_HALF else labels


@torch.no_grad()
def main(argv: list[str] | None = None) -> None:
    """Make the maps; see --help."""
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    model = build_model(cfg, args.device)
    load_weights(model, args.checkpoint)
    model.eval()
    loader = build_loader(cfg, args)
    progress = ProgressBar(len(loader.dataset))
    for batch in loader:
        batch = model.data_preprocessor(batch)
        logits = logits_of_cells(model, batch['inputs'])
        for sample, scores in zip(batch['data_samples'], logits.cpu().float()):
            parts = Path(sample.img_path).with_suffix('.pt').parts
            path = args.out_dir.joinpath(*parts[-args.depth :])
            path.parent.mkdir(parents=True, exist_ok=True)
            # A copy, or the whole batch would be written.
            torch.save(to_label_map(scores, args.topk).clone(), path)
            progress.update()
    print(f'\nLabel maps: {osp.abspath(args.out_dir)}')


if __name__ == '__main__':
    main()
