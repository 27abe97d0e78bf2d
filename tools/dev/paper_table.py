"""Compare the parameters and FLOPs of all models with their papers.

The papers' figures are in configs/*/metafile.yml. The exit code is 1 if a
count differs by more than the tolerance without a reason (metafile key `Paper
Deviation`) or if the metafile's own counts are out of date, and 2 if a
metafile cannot be read. Where a paper's FLOPs do not count the products q k^T
and a v of attention (metafile key `Paper FLOPs Rule: without attention
products`), ours are compared without them.

--rows lists every row of the papers' tables instead, with its figures and the
config that trains it: one of ours, or one of a library. These rows are the
metafile's key `Paper Rows`.
"""

import argparse
import copy
import json
import re
import sys
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mmvit.apis.command_line import CommandLine

EXAMPLES = """
  python tools/dev/paper_table.py
  python tools/dev/paper_table.py pvt --markdown
  python tools/dev/paper_table.py pvt --all --write
  python tools/dev/paper_table.py focal --only '^mask-rcnn'
  python tools/dev/paper_table.py setr hlg --rows
"""
ROOT = Path(__file__).resolve().parents[2]
_WITHOUT_ATTENTION = 'without attention products'
# Keys of a model's config that change neither count.
_NO_EFFECT = ('init_cfg', 'train_cfg', 'data_preprocessor', 'pretrained')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_argument(
        'families',
        nargs='*',
        metavar='FAMILY',
        help='folders of configs/, such as pvt (default: all)',
    )
    parser.add_argument(
        '--tolerance',
        type=float,
        default=2.0,
        metavar='PERCENT',
        help='accepted difference in per cent',
    )
    parser.add_argument(
        '--only',
        type=re.compile,
        default='',
        metavar='PATTERN',
        help='only models whose name matches this regular expression',
    )
    parser.add_argument(
        '--all',
        action='store_true',
        help='also models without a figure in the paper; counts the FLOPs of '
        'all that have an Input Size (takes minutes)',
    )
    parser.add_argument(
        '--rows',
        action='store_true',
        help="list the rows of the papers' tables and their configs; counts "
        'nothing',
    )
    parser.add_argument(
        '--write',
        action='store_true',
        help='write the counts of this call into the metafiles',
    )
    parser.add_argument(
        '--root',
        type=Path,
        default=ROOT,
        metavar='DIR',
        help='folder that holds configs/ (default: the repository)',
    )
    parser.add_shared('--json', '--markdown')
    return check_args(parser, parser.parse_args(argv))


def check_args(
    parser: CommandLine, args: argparse.Namespace
) -> argparse.Namespace:
    """Check the arguments that exclude each other."""
    if args.json and args.markdown:
        parser.error('choose one of --json and --markdown')
    if args.rows and (args.markdown or args.write):
        parser.error('--rows goes with neither --markdown nor --write')
    return args


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import yaml
from mmengine.config import Config
from mmengine.utils import ProgressBar

from mmvit.analysis.flops import Complexity, count_complexity, count_params
from mmvit.apis.config import build_model, load_config
from mmvit.utils.text import columns, markdown_table


class MetafileError(ValueError):
    """A metafile lacks a key or names a file that does not exist."""


@dataclass
class Figure:
    """A figure of the paper and ours.

    Attributes:
        paper: The paper's figure in units of 1e6 parameters or 1e9
            multiply-adds; None if the paper has none.
        listed: Our count in the metafile; None if it has none.
        unit: 1e6 or 1e9.
        ours: Our count; None if nothing was counted.
        left_out: The part of our count that the paper does not count.
    """

    paper: float | None
    listed: float | None
    unit: float
    ours: int | None = None
    left_out: int = 0

    @property
    def compared(self) -> float | None:
        """Our count by the paper's rule, in the paper's unit."""
        if self.ours is None:
            return None
        return (self.ours - self.left_out) / self.unit

    @property
    def difference(self) -> float | None:
        """Difference of our count from the paper's, in per cent."""
        if self.paper is None or self.compared is None:
            return None
        return 100 * (self.compared - self.paper) / self.paper

    @property
    def is_stale(self) -> bool:
        """Whether the metafile's count differs from ours."""
        return None not in (self.listed, self.ours) and (
            self.listed != self.ours
        )


@dataclass
class Row:
    """One model of a metafile.

    Attributes:
        config: Path of one of our configs, or the name of one of a library.
    """

    family: str
    name: str
    config: str
    table: str
    shape: tuple[int, int] | None
    reason: str | None
    rule: str | None
    params: Figure
    flops: Figure
    problems: list[str] = field(default_factory=list)

    def check(self, tolerance: float) -> None:
        """Find what is wrong; `tolerance` is a difference in per cent."""
        for what, figure in (('#Params', self.params), ('FLOPs', self.flops)):
            off = figure.difference
            if off is not None and abs(off) > tolerance and not self.reason:
                self.problems.append(
                    f'{what} {off:+.2f} % off the paper without a Paper '
                    'Deviation'
                )
            if figure.is_stale:
                self.problems.append(
                    f'metafile lists {what} {figure.listed}, counted '
                    f'{figure.ours}: update it with --write'
                )


def find_metafiles(root: Path, families: list[str]) -> list[Path]:
    """Find the metafiles of the families, or all of them.

    Raises:
        MetafileError: If one is missing.
    """
    paths = sorted(root.glob('configs/*/metafile.yml'))
    found = {path.parent.name: path for path in paths}
    if not found:
        raise MetafileError(f'no configs/*/metafile.yml in {root}')
    for name in families:
        if name not in found:
            raise MetafileError(
                f'no {root / "configs" / name / "metafile.yml"}; families '
                f'with a metafile: {", ".join(found)}'
            )
    return [found[name] for name in families or found]


@dataclass
class PaperRow:
    """One row of a paper's table.

    Attributes:
        model: Name of the model in the metafile.
        config: Path of one of our configs, or the name of one of a library;
            None if no library has the model.
        figures: What the paper prints, by the metafile's names.
    """

    family: str
    table: str
    name: str
    dataset: str
    model: str
    config: str | None
    figures: dict[str, float] = field(default_factory=dict)


def read_models(metafile: Path) -> list[dict]:
    """Read the models of a metafile, and the libraries' that it names.

    Raises:
        MetafileError: If it is not one.
    """
    try:
        content = yaml.safe_load(metafile.read_text(encoding='utf-8'))
    except yaml.YAMLError as error:
        raise MetafileError(f'{metafile} is not YAML: {error}') from error
    models = content.get('Models') if isinstance(content, dict) else None
    if not models:
        raise MetafileError(f'{metafile} has no Models')
    return models + content.get('Baselines', [])


def read_paper_rows(metafile: Path) -> list[PaperRow]:
    """Read the rows of the paper's tables.

    A row of boxes and masks belongs to two results. A row may have figures of
    its own, where its table prints others than the result has.

    Raises:
        MetafileError: If a row has no name.
    """
    rows = {}
    for model in read_models(metafile):
        for result in model.get('Results') or []:
            for table, own in result.get('Paper Rows', {}).items():
                if 'Row' not in own:
                    raise MetafileError(
                        f'{metafile}: {model["Name"]} has no Row for {table}'
                    )
                where = table, own['Row'], result['Dataset'], model['Name']
                row = rows.setdefault(
                    where,
                    PaperRow(
                        metafile.parent.name, *where, model.get('Config')
                    ),
                )
                figures = {**result['Metrics'], **own}
                del figures['Row']
                row.figures.update(figures)
    return list(rows.values())


def read_rows(metafile: Path, root: Path) -> list[Row]:
    """Read the models of a metafile that have a config.

    Raises:
        MetafileError: If it is not one, or lacks a key.
    """
    return [
        _read_row(model, metafile, root)
        for model in read_models(metafile)
        if model.get('Config', True) is not None
    ]


def _read_row(model: dict, metafile: Path, root: Path) -> Row:
    name = model.get('Name', '(no Name)')
    for key in ('Name', 'Config', 'Metadata'):
        if not model.get(key):
            raise MetafileError(f'{metafile}: {name} has no {key}')
    config = model['Config']
    if '::' not in config:
        config = str(root / config)
        if not Path(config).is_file():
            raise MetafileError(
                f'{metafile}: {name} names {model["Config"]}, which does not '
                'exist'
            )
    facts = model['Metadata']
    shape = facts.get('Input Size')

    def figure(unit: float, *keys: str) -> Figure:
        for key in keys:
            value = facts.get(key)
            is_number = isinstance(value, int | float) and value > 0
            if value is not None and not is_number:
                raise MetafileError(
                    f'{metafile}: {name} has {key}: {value!r}, which is not a '
                    'number above 0'
                )
        return Figure(*map(facts.get, keys), unit)

    flops = figure(1e9, 'Paper FLOPs (G)', 'FLOPs')
    if flops.paper is not None and not shape:
        raise MetafileError(
            f'{metafile}: {name} has Paper FLOPs but no Input Size to count at'
        )
    rule = facts.get('Paper FLOPs Rule')
    if rule not in (None, _WITHOUT_ATTENTION):
        raise MetafileError(
            f'{metafile}: {name} has Paper FLOPs Rule: {rule!r}; the only '
            f'one is {_WITHOUT_ATTENTION!r}'
        )
    return Row(
        family=metafile.parent.name,
        name=name,
        config=config,
        table=facts.get('Paper Table', '-'),
        shape=tuple(shape) if shape else None,
        reason=facts.get('Paper Deviation'),
        rule=rule,
        params=figure(1e6, 'Paper Parameters (M)', 'Parameters'),
        flops=flops,
    )


class Counts:
    """Counts each model once, however many configs train it."""

    def __init__(self) -> None:
        self._params: dict[str, int] = {}
        self._flops: dict[tuple[str, tuple[int, int]], Complexity] = {}

    def fill(self, row: Row, with_flops: bool) -> None:
        """Count a row's model, and put the counts into the row."""
        cfg = load_config(row.config)
        key = _identity(cfg)
        needs_flops = with_flops and (key, row.shape) not in self._flops
        if needs_flops or key not in self._params:
            model = build_model(cfg)
            self._params[key] = count_params(model)
            if needs_flops:
                self._flops[key, row.shape] = count_complexity(
                    model, row.shape
                )
        row.params.ours = self._params[key]
        if with_flops:
            counted = self._flops[key, row.shape]
            row.flops.ours = counted.flops
            if row.rule:
                row.flops.left_out = counted.attention_flops


def _identity(cfg: Config) -> str:
    """Return a text that is the same for models with the same counts."""
    model = copy.deepcopy(cfg.model)
    parts = [model]
    for part in parts:  # it grows
        for key in _NO_EFFECT if isinstance(part, dict) else ():
            part.pop(key, None)
        values = part.values() if isinstance(part, dict) else part
        parts += [v for v in values if isinstance(v, (dict, list, tuple))]
    return json.dumps(model, sort_keys=True, default=str)


def count(rows: list[Row], every: bool) -> None:
    """Count the models of rows; `every` one that has a shape gets FLOPs."""
    counts = Counts()
    bar = ProgressBar(len(rows), file=sys.stderr)
    for row in rows:
        in_paper = row.flops.paper is not None
        counts.fill(row, in_paper or (every and row.shape is not None))
        bar.update()
    sys.stderr.write('\n')


def updated(text: str, rows: list[Row]) -> str:
    """Put the counts of its rows into a metafile's text."""
    ours = {row.name: row for row in rows}
    lines, row = [], None
    for line in text.splitlines(keepends=True):
        named = re.match(r'\s*-\s+Name:\s*(.+?)\s*$', line)
        if named:
            row = ours.get(named[1].strip('\'"'))
        fact = re.match(r'(\s+)(Parameters|FLOPs):\s', line)
        if row and fact:
            figure = row.params if fact[2] == 'Parameters' else row.flops
            if figure.ours is not None:
                line = f'{fact[1]}{fact[2]}: {figure.ours}\n'
                figure.listed = figure.ours
        lines.append(line)
    return ''.join(lines)


_HEADER = (
    *('model', 'paper', '#Params (M): paper:', 'ours:', 'diff:'),
    *('FLOPs (G): paper:', 'ours:', 'diff:'),
)


def _cells(row: Row) -> tuple[str, ...]:
    verdict = '; '.join(row.problems) or 'ok'
    if row.flops.left_out:
        full = _rounded(row.flops.ours / row.flops.unit)
        verdict += f' ({row.rule}; {full} with them)'
    if row.reason:
        verdict += f' (documented: {row.reason})'
    figures = (*_figure_cells(row.params), *_figure_cells(row.flops))
    return (row.name, row.table, *figures, verdict)


def _figure_cells(figure: Figure) -> tuple[str, str, str]:
    off = figure.difference
    return (
        '-' if figure.paper is None else f'{figure.paper:g}',
        '-' if figure.compared is None else _rounded(figure.compared),
        '-' if off is None else f'{off:+.2f} %',
    )


def _rounded(value: float) -> str:
    return f'{value:.2f}' if value >= 1 else f'{value:.3g}'


def as_text(rows: list[Row]) -> str:
    """Format the rows as aligned columns."""
    header = [title.removesuffix(':') for title in _HEADER]
    return columns([[*header, ''], *map(_cells, rows)], right=range(2, 8))


def as_markdown(rows: list[Row]) -> str:
    """Format the rows as a Markdown table with links to the configs."""
    lines, notes = [], []
    for row in rows:
        name, *cells, _ = _cells(row)
        note = '; '.join(filter(None, (row.rule, row.reason)))
        if note:
            name += f' [{len(notes) + 1}]'
            notes.append(f'[{len(notes) + 1}] {row.name}: {note}')
        if '::' in row.config:
            name = f'{name}, `{row.config}`'
        else:
            name = f'[{name}]({Path(row.config).name})'
        lines.append([name, *cells])
    table = markdown_table(_HEADER, lines)
    return '\n'.join([table, '', *notes] if notes else [table])


def as_dict(rows: list[Row], tolerance: float) -> dict:
    """Convert the rows to plain dicts for JSON."""

    def figure(item: Figure) -> dict:
        return dict(
            paper=item.paper,
            ours=item.ours,
            left_out=item.left_out,
            difference_percent=item.difference,
        )

    return dict(
        tolerance_percent=tolerance,
        rows=[
            dict(
                family=row.family,
                name=row.name,
                paper_table=row.table,
                input_size=list(row.shape) if row.shape else None,
                params=figure(row.params),
                multiply_adds=figure(row.flops),
                rule=row.rule,
                deviation=row.reason,
                problems=row.problems,
            )
            for row in rows
        ],
    )


def select_rows(args: argparse.Namespace) -> dict[Path, list[Row]]:
    """Read the rows that a command asks for, by metafile.

    Raises:
        MetafileError: If a metafile is wrong, or there is no such row.
    """
    by_file = {}
    for path in find_metafiles(args.root, args.families):
        by_file[path] = [
            row
            for row in read_rows(path, args.root)
            if (args.all or row.params.paper or row.flops.paper)
            and args.only.search(row.name)
        ]
    if not any(by_file.values()):
        raise MetafileError(
            f'no model to compare has {args.only.pattern!r} in its name'
        )
    return by_file


def rows_as_text(rows: list[PaperRow]) -> str:
    """Format the papers' rows as aligned columns."""
    table = [('paper', 'table', 'row', 'data', 'figures', 'config')]
    for row in rows:
        figures = ', '.join(f'{k} {v}' for k, v in row.figures.items())
        config = row.config or 'none'
        name = config if '::' in config else Path(config).name
        table.append(
            (row.family, row.table, row.name, row.dataset, figures, name)
        )
    return columns(table)


def list_paper_rows(args: argparse.Namespace) -> None:
    """Print the papers' rows; see --help.

    Raises:
        MetafileError: If a metafile is wrong.
    """
    rows = [
        row
        for path in find_metafiles(args.root, args.families)
        for row in read_paper_rows(path)
        if args.only.search(row.model)
    ]
    if args.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print(rows_as_text(rows))
    library = sum('::' in (row.config or '') for row in rows)
    none = sum(row.config is None for row in rows)
    print(
        f'{len(rows)} rows: {len(rows) - library - none} with a config of '
        f'ours, {library} with one of a library, {none} without',
        file=sys.stderr,
    )


def main(argv: list[str] | None = None) -> int:
    """Compare; see --help."""
    args = parse_args(argv)
    try:
        if args.rows:
            list_paper_rows(args)
            return 0
        by_file = select_rows(args)
    except MetafileError as error:
        print(error, file=sys.stderr)
        return 2
    rows = [row for found in by_file.values() for row in found]
    # Keep what the libraries print while they build a model apart from the
    # table.
    with redirect_stdout(sys.stderr):
        count(rows, args.all)
    if args.write:
        for path, found in by_file.items():
            text = path.read_text(encoding='utf-8')
            path.write_text(updated(text, found), encoding='utf-8')
    for row in rows:
        row.check(args.tolerance)
    if args.json:
        print(json.dumps(as_dict(rows, args.tolerance), indent=2))
    else:
        print(as_markdown(rows) if args.markdown else as_text(rows))
    bad = [row for row in rows if row.problems]
    for row in bad:
        print(f'{row.name}: {"; ".join(row.problems)}', file=sys.stderr)
    print(
        f'{len(rows)} rows, {len(bad)} with a problem '
        f'(tolerance {args.tolerance:g} %)',
        file=sys.stderr,
    )
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
