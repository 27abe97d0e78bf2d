"""Write the tables of models into the documentation and the README.

They are made from configs/*/metafile.yml, and for the published files also
from mmvit/checkpoints/zoo.yml. Each stands between two comments, such as
`<!-- models: begin -->` and `<!-- models: end -->`; the text around them stays
as it is.
"""

import argparse
from pathlib import Path

from mmvit.apis.command_line import CommandLine

EXAMPLES = """
  python tools/dev/model_zoo.py
"""
ROOT = Path(__file__).resolve().parents[2]
# The metafiles' names of the papers' main figures, and what is shown
_METRICS = {
    'Top 1 Accuracy': 'top-1',
    'box AP': 'box AP',
    'mask AP': 'mask AP',
    'mIoU': 'mIoU',
}
# The ends of configs' names, and the headings of their tables
_DATA = {
    'in(1k|21k)': 'Classification on ImageNet',
    'coco': 'Detection and instance segmentation on COCO',
    'ade20k': 'Semantic segmentation on ADE20K',
    'cityscapes': 'Semantic segmentation on Cityscapes',
    'pascal': 'Semantic segmentation on Pascal Context',
}
# What a heading already says
_USUAL = ('ImageNet-1k', 'COCO', 'ADE20K', 'Cityscapes', 'Pascal Context')
_SIZES = dict(
    t='Tiny', s='Small', m='Medium', b='Base', l='Large', mobile='Mobile'
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    return CommandLine(__doc__, EXAMPLES).parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import functools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable

import yaml

from mmvit.checkpoints.reading import SCHEME
from mmvit.checkpoints.released import Released, released_files
from mmvit.utils.text import markdown_table


@functools.cache
def models() -> dict[str, dict]:
    """Entries of all metafiles, by the names of their configs."""
    found = {}
    for metafile in sorted(ROOT.glob('configs/*/metafile.yml')):
        content = yaml.safe_load(metafile.read_text(encoding='utf-8'))
        found |= {model['Name']: model for model in content['Models']}
    return found


def models_with_weights() -> dict[str, dict]:
    """Entries of the metafiles, by the names of their files."""
    return {
        model['Weights'].removeprefix(SCHEME): model
        for model in models().values()
        if 'Weights' in model
    }


def table(header: str, rows: Iterable[Iterable[object]]) -> str:
    """Write a table; ' | ' parts the titles of the header."""
    return markdown_table(header.split(' | '), rows) + '\n'


def results_of(model: dict) -> list[dict]:
    """Return the results of a model in its paper."""
    return model.get('Results') or []


def paper_figures(result: dict) -> str:
    """Return the main figures of a result: 'box AP 36.7, mask AP 35.1'."""
    return ', '.join(
        f'{_METRICS[metric]} {value}'
        for metric, value in result['Metrics'].items()
        if metric in _METRICS
    )


def _place(address: str) -> str:
    return 'Drive' if 'drive.google.com' in address else 'file'


def row(name: str, released: Released, model: dict) -> list[str]:
    """Describe a published file."""
    config = ''
    if released.config:
        path = Path(released.config)
        config = f'[{path.stem}](../../configs/{path})'
    links = ', '.join(
        f'[{_place(address)}]({address})' for address in released.addresses
    )
    figures = '; '.join(
        f'{result["Dataset"]}: {paper_figures(result)}'
        for result in results_of(model)
    )
    return [f'`{name}`', released.printed, figures, config, links]


def published_tables() -> str:
    """Make a table of the published files of each family, with notes."""
    found, text = models_with_weights(), ''
    files = released_files()
    for family in dict.fromkeys(one.family for one in files.values()):
        rows = [
            row(name, released, found.get(name, {}))
            for name, released in files.items()
            if released.family == family
        ]
        header = 'name | printed at the link | in the paper | config | file'
        text += f'\n### {family}\n\n{table(header, rows)}'
        notes = defaultdict(list)
        for name, released in files.items():
            if released.family == family and released.note:
                notes[released.note].append(f'`{name}`')
        if notes:
            lines = (f'- {", ".join(n)}: {note}' for note, n in notes.items())
            text += '\n' + '\n'.join(lines) + '\n'
    return f'{text}\n'


def _main_figures(model: dict) -> str:
    """Return the paper's figures without data: 'box AP 36.7; --tta: ...'."""
    found = []
    for result in results_of(model):
        figures = paper_figures(result)
        data, _, how = result['Dataset'].partition(', ')
        if data not in _USUAL:
            how = result['Dataset']
        if figures:
            found.append(f'{how}: {figures}' if how else figures)
    return '; '.join(found)


def _speed(model: dict) -> str:
    """Return images per second and memory, as the paper has them."""
    for result in results_of(model):
        for facts in (result.get('Paper Rows') or {}).values():
            if 'FPS' in facts:
                memory = [
                    f'{value} {key[8:-1]}'
                    for key, value in facts.items()
                    if key.startswith('Memory (')
                ]
                return ', '.join([f'{facts["FPS"]} images/s', *memory])
    return ''


def _flops(model: dict) -> str:
    flops = model['Metadata'].get('FLOPs')
    if flops is None:
        return ''
    height, width = model['Metadata']['Input Size']
    return f'{flops / 1e9:.1f} at {height}x{width}'


def model_tables() -> str:
    """Make a table of the configs of each data set."""
    text = ''
    for ending, heading in _DATA.items():
        rows = [
            [
                f'[{name}](../../{model["Config"]})',
                _main_figures(model),
                f'{model["Metadata"]["Parameters"] / 1e6:.1f}',
                *(_flops(model), _speed(model)),
                f'`{model["Weights"]}`' if 'Weights' in model else '',
            ]
            for name, model in models().items()
            if re.search(rf'_{ending}\b', name.split('-v2')[0])
        ]
        header = (
            'config | in the paper | params (M): | GFLOPs: | '
            'speed in the paper | weights'
        )
        text += f'\n## {heading}\n\n{table(header, rows)}'
    return f'{text}\n'


def _figure(pattern: str, metric: str) -> str:
    """Return a figure of the first config whose name fits a pattern."""
    for name, model in models().items():
        if re.fullmatch(pattern, name):
            for result in results_of(model):
                if metric in result['Metrics']:
                    return str(result['Metrics'][metric])
    return ''


def _backbone_sizes() -> dict[str, dict]:
    """Classifiers of the papers' backbones, by 'pvt-t' and so on."""
    return {
        match[1]: model
        for name, model in models().items()
        if (match := re.fullmatch(r'(\w+-(?:[tsmbl]|mobile))_\d.*_in1k', name))
        and not name.startswith(('swin', 'vit'))
    }


def _title(size: str) -> str:
    """'pvt-t' -> 'PVT-Tiny'."""
    family, _, letter = size.partition('-')
    collection = _backbone_sizes()[size]['In Collection']
    name = collection.removesuffix(' Transformer')
    return f'{name or family}-{_SIZES[letter]}'


def size_table() -> str:
    """Make a table of the backbones' sizes, smallest first."""
    sizes = sorted(
        _backbone_sizes().items(), key=lambda s: s[1]['Metadata']['Parameters']
    )
    rows = [
        [
            _title(size),
            f'{model["Metadata"]["Parameters"] / 1e6:.1f}',
            f'{model["Metadata"]["FLOPs"] / 1e9:.1f}',
            _figure(re.escape(model['Name']), 'Top 1 Accuracy'),
            _figure(rf'retinanet_{size}_fpn_(ms-)?1x_coco', 'box AP'),
            _figure(rf'mask-rcnn_{size}_fpn_(ms-)?1x_coco', 'box AP'),
            _figure(rf'(fpn|pup)_{size}_\w+-\d+k_ade20k.*', 'mIoU'),
            _figure(rf'upernet_{size}(-conv)?_\w+-\d+k_ade20k.*', 'mIoU'),
        ]
        for size, model in sizes
        if 'FLOPs' in model['Metadata']
    ]
    header = (
        'backbone | params (M): | GFLOPs at 224: | top-1: | RetinaNet 1x: | '
        'Mask R-CNN 1x: | FPN or PUP, ADE20K: | UperNet, ADE20K:'
    )
    return f'\n{table(header, rows)}\n'


def measured_table() -> str:
    """Make a table of the training speeds that we have measured."""
    rows = []
    for size, model in _backbone_sizes().items():
        for one in model['Metadata'].get('Measured Training', []):
            height, width = one['Input Size']
            rows.append(
                [
                    *(_title(size), f'{height}x{width}', one['Batch']),
                    *(one['Images/s'], one['Memory (GiB)']),
                ]
            )
    header = 'backbone | image | batch: | images/s: | memory (GiB):'
    return f'\n{table(header, rows)}\n'


def _span(values: Iterable[float]) -> str:
    low, *_, high = sorted(values) * 2
    return f'{low} to {high}' if low != high else f'{low}'


def summary_table() -> str:
    """Make a table of the papers: how many configs, and their figures."""
    rows = []
    for family in sorted({m['In Collection'] for m in models().values()}):
        own = [m for m in models().values() if m['In Collection'] == family]
        # Of the segmentors' data sets, only ADE20K is in all papers.
        results = [
            result['Metrics']
            for model in own
            for result in results_of(model)
            if result['Task'] != 'Semantic Segmentation'
            or result['Dataset'].startswith('ADE20K')
        ]
        best = [
            max((metrics.get(key, 0) for metrics in results), default=0)
            for key in _METRICS
        ]
        params = [round(m['Metadata']['Parameters'] / 1e6) for m in own]
        weights = sum('Weights' in m for m in own)
        rows.append(
            [
                *(family.removesuffix(' Transformer'), len(own)),
                *(_span(params), *(figure or '' for figure in best), weights),
            ]
        )
    header = (
        'paper | configs: | params (M): | top-1: | box AP: | mask AP: | '
        'ADE20K mIoU: | weights:'
    )
    return f'\n{table(header, rows)}\n'


# The pages, and the tables that each has
PAGES: dict[str, dict[str, Callable[[], str]]] = {
    'docs/en/model_zoo.md': dict(tables=published_tables),
    'docs/en/models.md': dict(models=model_tables),
    'docs/en/choose_a_model.md': dict(
        sizes=size_table, measured=measured_table
    ),
    'docs/en/index.md': dict(summary=summary_table),
    'README.md': dict(summary=summary_table),
}


def page(name: str) -> str:
    """Make a page, with the text around the tables that it has.

    Raises:
        ValueError: If the page lacks the comments around a table.
    """
    text = (ROOT / name).read_text(encoding='utf-8')
    for key, make in PAGES[name].items():
        begin, end = f'<!-- {key}: begin -->\n', f'<!-- {key}: end -->\n'
        if begin not in text or end not in text:
            raise ValueError(f'{name} has no {begin.strip()} {end.strip()}')
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f'{before}{begin}{make()}{end}{after}'
    return text


def main(argv: list[str] | None = None) -> None:
    """Write the pages; see --help."""
    parse_args(argv)
    for name in PAGES:
        (ROOT / name).write_text(page(name), encoding='utf-8')
        print(f'{name} is up to date')


if __name__ == '__main__':
    main()
