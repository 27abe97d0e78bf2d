"""Make the tables of docs/en/export.md: export models, measure differences.

Each model is exported with nothing open, with an open number of images, and
with an open height and width, in each format. Every graph is run at two sizes
and compared with the model. Whole models are exported by tools/export.py, in
half precision, too. All cells together take most of an hour of one CPU core.
"""

import argparse
import os.path as osp
import re
import runpy
import tempfile
from contextlib import redirect_stdout
from io import StringIO

from mmvit.apis.command_line import CommandLine
from mmvit.apis.export_formats import FORMATS

EXAMPLES = """
  python tools/dev/export_table.py
  python tools/dev/export_table.py --names PVT SETR --formats torch-export
"""
_QUICKSTART = 'configs/quickstart/{}_digit-scenes-128x128.py'
_FPN = _QUICKSTART.format('fpn_{}-nano_1xb8')
BACKBONES = {
    'PVT': _FPN.format('pvt'),
    'ScalableViT': _FPN.format('scalablevit'),
    'Pale': _FPN.format('pale'),
    'Focal': _FPN.format('focal'),
    'HLG': _FPN.format('hlg'),
    'SETR': _QUICKSTART.format('setr-pup_vit-nano_1xb8'),
}
# Of random weights no box would pass the scores' limits.
MODELS = {
    'classifier': (
        'configs/quickstart/pvt-nano_1xb32-15e_digit-scenes-64x64.py',
        [],
    ),
    'segmentor': (_FPN.format('pvt'), []),
    'RetinaNet': (
        _QUICKSTART.format('retinanet_pvt-nano_fpn_1xb8-12e'),
        ['model.test_cfg.score_thr=0.0'],
    ),
    'Mask R-CNN': (
        _QUICKSTART.format('mask-rcnn_pvt-nano_fpn_1xb8-12e'),
        ['model.test_cfg.rcnn.score_thr=0.0'],
    ),
}
CASES = {
    'static': [],
    'batch': ['--dynamic', 'batch'],
    'height and width': ['--dynamic', 'hw'],
    'half precision': ['--fp16'],
}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    for option, choices in (
        ('names', [*BACKBONES, *MODELS]),
        ('formats', FORMATS),
        ('cases', CASES),
    ):
        parser.add_argument(
            f'--{option}',
            nargs='+',
            choices=choices,
            default=list(choices),
            help=f'{option} of the tables (default: all)',
        )
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import torch
from mmengine.logging import MMLogger
from torch import nn

from mmvit.apis.config import build_model, load_config
from mmvit.apis.export import ExportError, check, save, trace
from mmvit.apis.export_models import ExportedModel, for_export

SHAPE = (128, 160)
TOOL = osp.join(osp.dirname(osp.dirname(osp.abspath(__file__))), 'export.py')


def measure(
    model: ExportedModel, options: list[str], formats: list[str]
) -> list[str]:
    """Export a backbone in each format; return the table's cells."""
    dynamic = options[1:]
    try:
        program = trace(model, SHAPE, dynamic)
    except ExportError as error:
        return [f'no: {error}'] * len(formats)
    cells = []
    with tempfile.TemporaryDirectory() as folder:
        for name in formats:
            path = osp.join(folder, f'model{FORMATS[name]}')
            try:
                save(program, path, model.outputs)
                found = check(model, path, SHAPE, dynamic)
                cells.append(f'{max(part.largest for part in found):.1e}')
            except ExportError as error:
                cells.append(f'no: {error}')
    return cells


def run_tool(
    config: str, checkpoint: str, options: list[str], ending: str
) -> str:
    """Export a whole model with tools/export.py; return the table's cell."""
    path = checkpoint + ending
    shape = [str(side) for side in SHAPE]
    said = StringIO()
    try:
        with redirect_stdout(said):
            runpy.run_path(TOOL)['main'](
                [config, checkpoint, '--shape', *shape, '--out', path]
                + options
            )
    except SystemExit as error:
        return f'no: {error}'
    found = re.findall(
        r'largest difference ([^\s,]+)(?:, in (\d+) of (\d+) boxes)?',
        said.getvalue(),
    )
    largest, same, number = zip(*found)
    cell = max(largest, key=float)
    if all(number):
        cell += f', {sum(map(int, same))} of {sum(map(int, number))} boxes'
    return cell


def draw_weights(model: nn.Module) -> None:
    """Draw weights that give boxes of different scores, none of them 1."""
    for param in model.parameters():
        if param.dim() > 1:
            nn.init.xavier_normal_(param)


def backbone_rows(
    name: str, cases: list[str], formats: list[str]
) -> list[list[str]]:
    """Return the cells of a backbone, a row for each format."""
    torch.manual_seed(0)
    model = build_model(load_config(BACKBONES[name])).backbone
    model.init_weights()
    exported = for_export(model.eval())
    columns = [measure(exported, CASES[case], formats) for case in cases]
    return [list(row) for row in zip(*columns)]


def model_rows(
    name: str, cases: list[str], formats: list[str]
) -> list[list[str]]:
    """Return the cells of a whole model, a row for each format."""
    config, keys = MODELS[name]
    torch.manual_seed(0)
    model = build_model(load_config(config, keys))
    draw_weights(model)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = osp.join(folder, 'model.pth')
        torch.save(dict(state_dict=model.state_dict()), checkpoint)
        change = ['--cfg-options', *keys] if keys else []
        return [
            [
                run_tool(
                    config, checkpoint, CASES[case] + change, FORMATS[kind]
                )
                for case in cases
            ]
            for kind in formats
        ]


def main(argv: list[str] | None = None) -> None:
    """Print the tables; see --help."""
    args = parse_args(argv)
    # Initialisation logs each parameter.
    MMLogger.get_current_instance().setLevel('ERROR')
    for title, table, rows in (
        ('backbone', BACKBONES, backbone_rows),
        ('model', MODELS, model_rows),
    ):
        names = [name for name in args.names if name in table]
        cases = [
            case
            for case in args.cases
            if '--fp16' not in CASES[case] or table is MODELS
        ]
        if names:
            print(f'| {title} | format |', ' | '.join(cases), '|')
            print('| --- | --- |', ' | '.join('---' for _ in cases), '|')
        for name in names:
            for kind, row in zip(
                args.formats, rows(name, cases, args.formats)
            ):
                cells = ' | '.join(row).replace('0.0e+00', '0')
                print(f'| {name} | {kind} | {cells} |', flush=True)


if __name__ == '__main__':
    main()
