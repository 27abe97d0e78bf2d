"""Pack a folder of label maps into the archive that a test server accepts.

The maps are those that a config with `format_only=True` writes in its test:
training ids for Cityscapes, which become the server's label ids; classes 1 to
150 for ADE20K. Names, sizes, values and the number of maps are checked, and
nothing is written if one is wrong.
"""

import argparse
import io
import os
import os.path as osp
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mmvit.apis.command_line import CommandLine, at_least, output_file
from mmvit.utils.label_ids import CITYSCAPES_IDS

EXAMPLES = """
  python tools/test.py \\
      configs/setr/setr-pup_vit-l_8xb1-100k_cityscapes-trainval-768x768.py \\
      CHECKPOINT
  python tools/dataset_converters/pack_submission.py cityscapes \\
      work_dirs/cityscapes_test/maps cityscapes_test.zip
"""


@dataclass
class Server:
    """What a test server accepts.

    Attributes:
        number: Number of images in the test set.
        name: Regular expression of the maps' names.
        values: Smallest and largest value of the maps that a test writes.
        size: (H, W) of the maps; None if they differ.
        ids: New value of each value; None to keep the values.
    """

    number: int
    name: str
    values: tuple[int, int]
    size: tuple[int, int] | None = None
    ids: tuple[int, ...] | None = None


SERVERS = dict(
    cityscapes=Server(
        number=1525,
        name=r'[a-z]+_\d{6}_\d{6}_leftImg8bit\.png',
        values=(0, 18),
        size=(1024, 2048),
        ids=CITYSCAPES_IDS,
    ),
    ade20k=Server(number=3352, name=r'ADE_test_\d{8}\.png', values=(1, 150)),
)


def read_map(path: Path, server: Server) -> np.ndarray:
    """Read a label map and convert it for the server.

    Raises:
        ValueError: If the server would refuse or misread it.
    """
    if not re.fullmatch(server.name, path.name):
        raise ValueError(f'{path.name} is not named like {server.name}')
    labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if labels is None or labels.ndim != 2 or labels.dtype != np.uint8:
        raise ValueError(f'{path} is not an 8-bit image of one channel')
    if server.size and labels.shape != server.size:
        raise ValueError(
            f'{path} has {labels.shape[0]}x{labels.shape[1]} pixels instead '
            f'of {server.size[0]}x{server.size[1]}'
        )
    least, greatest = server.values
    if labels.min() < least or labels.max() > greatest:
        raise ValueError(
            f'{path} has values {labels.min()} to {labels.max()} instead of '
            f'{least} to {greatest}'
        )
    if server.ids:
        labels = np.asarray(server.ids, np.uint8)[labels]
    return labels


def pack(folder: Path, out: str, server: Server, number: int) -> None:
    """Write the archive, or nothing if a map is wrong.

    Args:
        folder: Folder of label maps.
        out: Archive to write.
        server: What the server accepts.
        number: Number of maps that there must be.

    Raises:
        ValueError: If a map is wrong, or their number.
    """
    paths = sorted(folder.glob('*.png'))
    if len(paths) != number:
        raise ValueError(
            f'{folder} has {len(paths)} maps, the test set {number} images'
        )
    part = f'{out}.part'
    try:
        with zipfile.ZipFile(part, 'w', zipfile.ZIP_STORED) as archive:
            for path in paths:
                _, data = cv2.imencode('.png', read_map(path, server))
                archive.writestr(path.name, io.BytesIO(data).getvalue())
        os.replace(part, out)
    finally:
        if osp.exists(part):
            os.remove(part)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_argument(
        'server', choices=sorted(SERVERS), help='the test server'
    )
    parser.add_argument('maps', type=Path, help='folder of label maps')
    parser.add_argument(
        'out', type=output_file('.zip'), help='archive to write'
    )
    parser.add_argument(
        '--number',
        type=at_least(1),
        metavar='N',
        help='number of maps that there must be (default: all images of the '
        'test set)',
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Pack; see --help."""
    args = parse_args(argv)
    server = SERVERS[args.server]
    number = args.number or server.number
    try:
        pack(args.maps, args.out, server, number)
    except ValueError as error:
        raise SystemExit(f'{error}; nothing was written') from error
    print(f'{args.out}: {number} maps')


if __name__ == '__main__':
    main()
