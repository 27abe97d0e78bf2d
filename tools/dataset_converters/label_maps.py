"""Make the label maps of token labeling with a classifier of mmpretrain.

The classifier looks at each cell of its last map as if it were the pooled
map. The highest scores of a cell and their classes are written to
OUT_DIR/<folder>/<image>.pt, a tensor (2, k, h, w) like the published maps of
LV-ViT, for mmvit.LoadTokenLabels to read.
"""

import argparse
import os.path as osp
from pathlib import Path

from mmvit.apis.command_line import CommandLine

EXAMPLES = """
  python tools/dataset_converters/label_maps.py CONFIG CHECKPOINT \\
      --out-dir data/own_token_labels
  python tools/dataset_converters/label_maps.py \\
      mmpretrain::swin_transformer/swin-base_16xb64_in1k-384px.py \\
      CHECKPOINT --size 384 --out-dir data/imagenet_token_labels
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_shared('config', 'checkpoint', '--out-dir')
    parser.add_argument(
        '--loader',
        default='train_dataloader',
        metavar='KEY',
        help='dataloader of the config whose images are read',
    )
    text = 'images are resized to SIZE x SIZE, not cropped'
    parser.add_number('--size', 224, text, metavar='PIXELS')
    parser.add_number('--topk', 5, 'number of scores to keep for each cell')
    parser.add_number(
        *('--depth', 2),
        "a map's path in OUT_DIR is the last N parts of its image's path "
        '(default: 2, the folder and the name)',
    )
    parser.add_number('--batch-size', 32, 'number of images at a time')
    text = 'number of processes that read images'
    parser.add_number('--num-workers', 2, text, low=0)
    parser.add_shared('--device', '--cfg-options', '--trust-checkpoint')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, init_default_scope
from mmengine.utils import ProgressBar
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmvit.apis.config import innermost_dataset
from mmvit.apis.inference import load_from_args
from mmvit.checkpoints import guard_loading
from mmvit.utils.paths import path_within

# Larger class indices are not exact in half precision.
LARGEST_HALF = 2048


def build_loader(cfg: Config, args: argparse.Namespace) -> DataLoader:
    """Build a loader of whole images, in the order of the data set."""
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    dataset = innermost_dataset(cfg[args.loader].dataset)
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
            f'{type(model.backbone).__name__} returns no map (B, C, h, w): '
            'set --cfg-options model.backbone.out_type=featmap for a ViT, '
            'model.backbone.with_cls_token=False for PVT'
        )
    (batch, _, *grid) = x.shape
    # (B, C, h, w) -> (B * h * w, C)
    cells = x.permute(0, 2, 3, 1).flatten(0, 2)
    if hasattr(model.head, 'token_fc'):
        logits = model.head.token_fc(cells)
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


def save_map(labels: Tensor, img_path: str, out_dir: str, depth: int) -> None:
    """Write a label map; its path keeps `depth` parts of its image's path.

    Raises:
        ValueError: If the map would be written outside of the folder.
    """
    parts = Path(img_path).with_suffix('.pt').parts
    path = path_within(out_dir, Path(*parts[-depth:]))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    # Without the copy the whole batch would be written.
    torch.save(labels.clone(), path)


@torch.no_grad()
@guard_loading()
def main(argv: list[str] | None = None) -> None:
    """Make the maps; see --help."""
    args = parse_args(argv)
    cfg, model = load_from_args(args)
    loader = build_loader(cfg, args)
    progress = ProgressBar(len(loader.dataset))
    for batch in loader:
        batch = model.data_preprocessor(batch)
        logits = logits_of_cells(model, batch['inputs'])
        for sample, scores in zip(batch['data_samples'], logits.cpu().float()):
            labels = to_label_map(scores, args.topk)
            save_map(labels, sample.img_path, args.out_dir, args.depth)
            progress.update()
    print(f'\nLabel maps: {osp.abspath(args.out_dir)}')


if __name__ == '__main__':
    main()
