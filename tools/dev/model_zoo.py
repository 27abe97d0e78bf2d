"""Write the tables of docs/en/model_zoo.md.

They have the published files of mmvit/checkpoints/zoo.yml, and for each the
figures of the model whose metafile names it under `Weights`. The text around
the tables stays as it is.
"""

import argparse
from pathlib import Path

from mmvit.apis.command_line import CommandLine

EXAMPLES = """
  python tools/dev/model_zoo.py
"""
ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / 'docs/en/model_zoo.md'
# The metafiles' names of the papers' main figures, and what is shown
_METRICS = {
    'Top 1 Accuracy': 'top-1',
    'box AP': 'box AP',
    'mask AP': 'mask AP',
    'mIoU': 'mIoU',
}
_BEGIN, _END = '<!-- tables: begin -->\n', '<!-- tables: end -->\n'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    return CommandLine(__doc__, EXAMPLES).parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import yaml

from mmvit.checkpoints.reading import SCHEME
from mmvit.checkpoints.released import Released, released_files


def models_with_weights() -> dict[str, dict]:
    """Entries of the metafiles, by the names of their files."""
    found = {}
    for metafile in sorted(ROOT.glob('configs/*/metafile.yml')):
        content = yaml.safe_load(metafile.read_text(encoding='utf-8'))
        for model in content['Models']:
            if 'Weights' in model:
                found[model['Weights'].removeprefix(SCHEME)] = model
    return found


def paper_figures(model: dict) -> str:
    """Return the paper's main figures: 'COCO: box AP 36.7, mask AP 35.1'."""
    found = []
    for result in model.get('Results') or []:
        figures = [
            f'{_METRICS[metric]} {value}'
            for metric, value in result['Metrics'].items()
            if metric in _METRICS
        ]
        found.append(f'{result["Dataset"]}: {", ".join(figures)}')
    return '; '.join(found)


def _place(address: str) -> str:
    return 'Drive' if 'drive.google.com' in address else 'file'


def row(name: str, released: Released, model: dict) -> str:
    """Describe a file in a line of a table."""
    config = f'`configs/{released.config}`' if released.config else ''
    links = ', '.join(
        f'[{_place(address)}]({address})' for address in released.addresses
    )
    cells = (
        *(f'`{name}`', released.printed, paper_figures(model)),
        *(config, links, released.note),
    )
    return f'| {" | ".join(cells)} |\n'


def tables() -> str:
    """Make a table for each family."""
    models = models_with_weights()
    text, family = '', ''
    for name, released in released_files().items():
        if released.family != family:
            family = released.family
            text += (
                f'\n### {family}\n\n'
                '| name | printed there | paper | config | where | note |\n'
                '| --- | --- | --- | --- | --- | --- |\n'
            )
        text += row(name, released, models.get(name, {}))
    return f'{text}\n'


def page() -> str:
    """Make the page, with the text around the tables that it has."""
    text = PAGE.read_text(encoding='utf-8')
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f'{before}{_BEGIN}{tables()}{_END}{after}'


def main(argv: list[str] | None = None) -> None:
    """Write the page; see --help."""
    parse_args(argv)
    PAGE.write_text(page(), encoding='utf-8')
    print(f'{PAGE} is up to date')


if __name__ == '__main__':
    main()
