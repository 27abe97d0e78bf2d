"""The command line that all tools share.

Imports only the standard library, so that a tool can answer `--help` and
report wrong arguments before it imports torch and mmengine, which is slow.
"""

import argparse
import os
import os.path as osp
import signal
import sys
import tempfile
from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Any

from mmvit.names import find_config


def exit_on_sigterm() -> None:
    """Let SIGTERM end the process with the status that asks for another try.

    Before a training begins there is nothing to save; see the table in
    docs/en/train_and_test.md.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(os.EX_TEMPFAIL))


def existing_file(path: str) -> str:
    """Return the path of a file, which must exist."""
    if not osp.isfile(path):
        raise ArgumentTypeError(f'no file at {path}')
    return path


def config_path(path: str) -> str:
    """Return the path of a config, or its name here or in a library."""
    if '::' in path or osp.isfile(path):
        return path
    if osp.splitext(path)[1]:
        raise ArgumentTypeError(f'no config at {path}')
    try:
        return str(find_config(path))
    except ValueError as error:
        raise ArgumentTypeError(f'no config at {path}, and {error}') from error


def checkpoint_path(path: str) -> str:
    """Return the path of a checkpoint, or its address."""
    if '://' not in path and not osp.isfile(path):
        raise ArgumentTypeError(f'no checkpoint at {path}')
    return path


def optional_checkpoint(path: str) -> str | None:
    """Return the path of a checkpoint or its address; None for `none`."""
    return None if path == 'none' else checkpoint_path(path)


def _check_writable(path: str) -> None:
    """Check that a file or folder can be made; nothing is left there."""
    folder = osp.abspath(path)
    while not osp.exists(folder):
        folder = osp.dirname(folder)
    try:
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as error:
        raise ArgumentTypeError(
            f'{path} cannot be written: {folder} is no folder that can be '
            f'written to ({error.strerror})'
        ) from error


def output_folder(path: str) -> str:
    """Return the path of a folder that can be written to."""
    _check_writable(path)
    return path


def output_file(*endings: str) -> Callable[[str], str]:
    """Make an argument's type: a file to write, with one of some endings."""

    def path(text: str) -> str:
        if osp.isdir(text):
            raise ArgumentTypeError(f'{text} is a folder')
        if not text.lower().endswith(endings):
            wanted = ' or '.join(endings)
            raise ArgumentTypeError(f'{text} must end with {wanted}')
        _check_writable(osp.dirname(osp.abspath(text)))
        return text

    return path


def at_least(low: int) -> Callable[[str], int]:
    """Make an argument's type: an integer that is not below a limit."""

    def integer(text: str) -> int:
        value = int(text)
        if value < low:
            raise ArgumentTypeError(f'{value} is below {low}')
        return value

    return integer


def _key_value(entry: str) -> str:
    # mmvit.apis.config reads the value.
    key, equals, _ = entry.partition('=')
    if not (key and equals):
        raise ArgumentTypeError(
            f'{entry}: write KEY=VALUE, such as model.backbone.arch=tiny (no '
            'space around the =)'
        )
    return entry


class _Shape(argparse.Action):
    """Stores (height, width) of two numbers, or of one for a square."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: list[int],
        option: str | None = None,
    ) -> None:
        if len(values) > 2:
            parser.error(f'{option}: give one side, or height and width')
        setattr(namespace, self.dest, (values[0], values[-1]))


# Arguments that several tools have.
_SHARED: dict[str, dict[str, Any]] = {
    'config': dict(
        type=config_path,
        help='config of any task: a file, a name of mmvit.list_models(), or '
        'mmdet::name.py for one of an installed library (also mmseg::, '
        'mmpretrain::)',
    ),
    'checkpoint': dict(
        type=checkpoint_path, help="the model's weights: a file or an address"
    ),
    'checkpoint?': dict(
        type=optional_checkpoint,
        help="the model's weights: a file, an address, or none for random "
        'ones',
    ),
    'configs': dict(
        type=config_path,
        nargs='+',
        metavar='CONFIG',
        help='configs of any task: files, names of mmvit.list_models(), or '
        'mmdet::name.py for one of an installed library (also mmseg::, '
        'mmpretrain::)',
    ),
    'image': dict(type=existing_file, help='image file'),
    '--cfg-options': dict(
        nargs='+',
        action='extend',
        type=_key_value,
        metavar='KEY=VALUE',
        help='keys of the config to set, such as model.backbone.arch=tiny '
        'train_dataloader.batch_size=4',
    ),
    '--work-dir': dict(
        type=output_folder,
        metavar='DIR',
        help='folder for logs, checkpoints and results (default: '
        'work_dirs/<name of the config>)',
    ),
    '--out-dir': dict(
        required=True,
        type=output_folder,
        metavar='DIR',
        help='folder to write to',
    ),
    '--device': dict(
        help='device, such as cpu or cuda:1 (default: a GPU if there is one)'
    ),
    '--part': dict(
        choices=('backbone', 'model'),
        default='model',
        help='part of the model to run',
    ),
    '--point': dict(
        type=int,
        nargs=2,
        metavar=('X', 'Y'),
        help='the query, in pixels of the image from its upper left corner '
        '(default: the middle)',
    ),
    '--shape': dict(
        action=_Shape,
        type=at_least(1),
        nargs='+',
        metavar='PIXELS',
        help='side, or height and width, of the images',
    ),
    '--score-thr': dict(
        type=float,
        default=0.3,
        metavar='SCORE',
        help='lowest score, 0 to 1, of the boxes that are drawn',
    ),
    '--threads': dict(
        type=at_least(1),
        metavar='N',
        help="number of CPU threads (default: torch's, one for each core)",
    ),
    '--seed': dict(type=int, default=0, help='random seed'),
    '--json': dict(action='store_true', help='print JSON instead of a table'),
    '--markdown': dict(action='store_true', help='print a table in Markdown'),
    '--compile': dict(
        choices=('blocks', 'backbone'),
        nargs='?',
        const='blocks',
        help="compile the model's blocks one by one (the default of the "
        'option), or the whole backbone, with torch.compile; the first '
        'iterations take longer',
    ),
    '--trust-checkpoint': dict(
        action='append',
        default=[],
        metavar='FILE',
        help='allow this file to execute code while it is loaded; for your '
        'own old checkpoints that hold more than tensors, and for pickles of '
        'annotations',
    ),
    '--launcher': dict(
        choices=('none', 'pytorch', 'slurm', 'mpi'),
        default='none',
        help='what started the processes; dist_*.sh and slurm_*.sh set it',
    ),
    # torch.distributed.launch passes it.
    '--local-rank': dict(type=int, default=0, help=argparse.SUPPRESS),
}


class CommandLine(argparse.ArgumentParser):
    """The parser of a tool.

    Args:
        description: What the tool does: its module's docstring.
        examples: Command lines; lines that continue one are indented.
    """

    def __init__(self, description: str, examples: str) -> None:
        super().__init__(
            description=description,
            epilog='examples:\n' + examples.strip('\n'),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def add_argument(self, *names: str, **options) -> argparse.Action:
        """Add an argument; its help ends with the default, if it has one."""
        default, text = options.get('default'), options.get('help', '')
        if isinstance(default, (list, tuple)):
            default = ' '.join(map(str, default))
        told = default in (None, '', argparse.SUPPRESS) or 'default' in text
        if not told and text != argparse.SUPPRESS:
            options['help'] = f'{text} (default: {default})'
        return super().add_argument(*names, **options)

    def add_shared(self, *names: str, **changes) -> None:
        """Add arguments that several tools have, by their names.

        `checkpoint?` is a checkpoint that may be left out by `none`.
        `changes` are options of `add_argument` that this tool has instead.
        """
        for name in names:
            options = {**_SHARED[name], **changes}
            self.add_argument(name.rstrip('?'), **options)

    def check_one_each(
        self, args: argparse.Namespace, names: str, owners: str
    ) -> None:
        """Refuse an option with another number of values than its owners."""
        given, wanted = getattr(args, names), getattr(args, owners)
        if given and len(given) != len(wanted):
            self.error(
                f'{len(given)} --{names} for {len(wanted)} {owners}: give one '
                'for each'
            )

    def add_number(
        self,
        name: str,
        default: int | None,
        help: str,
        low: int = 1,
        metavar: str = 'N',
    ) -> None:
        """Add an option that is an integer, `low` or more."""
        self.add_argument(
            name,
            type=at_least(low),
            default=default,
            metavar=metavar,
            help=help,
        )

    def add_output(self, *endings: str, help: str = '', **options) -> None:
        """Add `--out`, a file to write; it has one of the endings.

        Without endings, they are those of a diagram.
        """
        endings = endings or ('.png', '.pdf', '.svg')
        self.add_argument(
            '--out',
            type=output_file(*endings),
            metavar=f'FILE{endings[0]}',
            help=help or 'picture to write: ' + ', '.join(endings),
            **options,
        )
