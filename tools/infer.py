"""Predict on image files or folders: pictures, and the predictions as JSON."""

import argparse
import json
import os
import os.path as osp
import sys

from mmvit.apis.command_line import CommandLine
from mmvit.utils.paths import find_images

EXAMPLES = """
  python tools/infer.py CONFIG CHECKPOINT photo.jpg --out-dir predictions
  python tools/infer.py CONFIG CHECKPOINT folder/ --out-dir predictions \\
      --batch-size 8
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_shared('config', 'checkpoint')
    parser.add_argument('inputs', nargs='+', help='image files or folders')
    parser.add_shared('--out-dir')
    parser.add_shared(
        '--score-thr',
        help='lowest score, 0 to 1, of the boxes that are drawn; the JSON '
        'file has all of them',
    )
    parser.add_number(
        *('--batch-size', 1),
        'images that the model gets at once, where they have the same size '
        "after the test's resizing",
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

from mmengine.utils import ProgressBar

from mmvit.apis.inferencer import Inferencer
from mmvit.engine.compilation import compile_model
from mmvit.utils.paths import path_within
from mmvit.visualization.drawing import save_picture


def predict(infer: Inferencer, args: argparse.Namespace) -> tuple[dict, dict]:
    """Predict on all files; returns the results and what failed, by path."""
    found, failed = {}, {}
    progress = ProgressBar(len(args.paths))
    for start in range(0, len(args.paths), args.batch_size):
        batch = args.paths[start : start + args.batch_size]
        try:
            results = infer(batch, args.batch_size, True, args.score_thr)
        except Exception:
            results = []  # one by one: a broken file must not cost the others
        for offset, path in enumerate(batch):
            try:
                if results:
                    result = results[offset]
                else:
                    (result,) = infer(path, 1, True, args.score_thr)
                # The number tells files of the same name in two folders apart.
                stem = osp.splitext(osp.basename(path))[0]
                stem = f'{start + offset:05d}_{stem}'
                found[path] = write(result, args.out_dir, stem)
            except Exception as error:
                failed[path] = f'{type(error).__name__}: {error}'
            progress.update()
    return found, failed


def write(result: dict, out_dir: str, stem: str) -> dict:
    """Write a result's pictures; returns the rest in plain numbers."""
    save_picture(result['picture'], out_dir, f'{stem}.png')
    if 'label_map' in result:
        name = f'{stem}_labels.png'
        save_picture(result['label_map'], out_dir, name)
        return dict(labels=name)
    if 'boxes' not in result:
        return dict(name=result['name'], score=round(result['score'], 4))
    numbers = zip(
        result['names'], result['scores'].tolist(), result['boxes'].tolist()
    )
    return dict(
        boxes=[
            dict(
                name=name,
                score=round(score, 4),
                box_xyxy=[round(side, 1) for side in box],
            )
            for name, score, box in numbers
        ]
    )


def main(argv: list[str] | None = None) -> int:
    """Predict; see --help."""
    args = parse_args(argv)
    infer = Inferencer(
        *(args.config, args.checkpoint, args.device),
        cfg_options=args.cfg_options,
        trusted=args.trust_checkpoint,
    )
    if args.compile:
        print(compile_model(infer.model, args.compile))
    os.makedirs(args.out_dir, exist_ok=True)
    predictions, failed = predict(infer, args)
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
