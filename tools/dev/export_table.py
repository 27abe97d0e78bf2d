"""Make the table of docs/en/export.md: export backbones, measure differences.

Each backbone is exported with nothing open, with an open number of images,
and with an open height and width, in each format. Every graph is run at two
sizes and compared with the model.
"""

import argparse
import os.path as osp
import tempfile

from mmvit.apis.command_line import CommandLine

EXAMPLES = """
  python tools/dev/export_table.py
  python tools/dev/export_table.py --names PVT SETR --formats torch-export
"""
# Two stages: the second reads what the first has made, and the first has two
# blocks, since a second one may differ.
_SMALL = [
    'model.backbone.arch.depths=[2,1,1,1]',
    'model.backbone.out_indices=[0,1]',
]
_FPN = 'configs/quickstart/fpn_{}-nano_1xb8_digit-scenes-128x128.py'
_SETR = 'configs/quickstart/setr-pup_vit-nano_1xb8_digit-scenes-128x128.py'
BACKBONES = {
    'PVT': (_FPN.format('pvt'), _SMALL),
    'ScalableViT': (_FPN.format('scalablevit'), _SMALL),
    'Pale': (_FPN.format('pale'), _SMALL),
    'Focal': (_FPN.format('focal'), _SMALL),
    'HLG': (_FPN.format('hlg'), _SMALL),
    'SETR': (_SETR, ['model.backbone.arch.depth=2']),
}
CASES = {'static': (), 'batch': ('batch',), 'height and width': ('hw',)}
FORMATS = {'torch-export': '.pt2', 'onnx': '.onnx'}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    for name, known, text in (
        ('--names', BACKBONES, 'backbones (default: all)'),
        ('--formats', FORMATS, 'formats (default: both)'),
        ('--cases', CASES, 'what stays open (default: all cases)'),
    ):
        parser.add_argument(
            name, nargs='+', choices=known, default=list(known), help=text
        )
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import torch
from mmengine.logging import MMLogger

from mmvit.apis.config import build_model, load_config
from mmvit.apis.export import ExportError, check, save, trace
from mmvit.apis.export_models import ExportedModel, for_export

SHAPE = (128, 160)


def measure(
    model: ExportedModel, dynamic: tuple[str, ...], formats: list[str]
) -> list[str]:
    """Export a model in each format; return the table's cells."""
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
            except Exception as error:
                cells.append(f'no: {str(error).splitlines()[0]}')
    return cells


def main(argv: list[str] | None = None) -> None:
    """Print the table; see --help."""
    args = parse_args(argv)
    # Initialisation logs each parameter.
    MMLogger.get_current_instance().setLevel('ERROR')
    print('| backbone | format |', ' | '.join(args.cases), '|')
    print('| --- | --- |', ' | '.join('---' for _ in args.cases), '|')
    for name in args.names:
        torch.manual_seed(0)
        model = build_model(load_config(*BACKBONES[name])).backbone
        model.init_weights()
        exported = for_export(model.eval())
        columns = [
            measure(exported, CASES[case], args.formats) for case in args.cases
        ]
        for kind, row in zip(args.formats, zip(*columns)):
            print(f'| {name} | {kind} |', ' | '.join(row), '|', flush=True)


if __name__ == '__main__':
    main()
