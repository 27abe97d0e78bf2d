"""Make the archive that a test server takes from a folder of label maps.

The maps are those that a config with `format_only=True` writes when it is
tested: for Cityscapes training ids, which become the server's label ids; for
ADE20K the classes 1 to 150. Names, sizes, values and number are checked
before anything is written.
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

EXAMPLE = """example:
  python tools/test.py \\
      configs/setr/setr-pup_vit-l_8xb1-100k_cityscapes-trainval-768x768.py \\
      CHECKPOINT
  python tools/dataset_converters/test_server.py cityscapes \\
      work_dirs/cityscapes_test/maps cityscapes_test.zip
"""
# Label ids of the 19 training ids, in their order.
CITYSCAPES_IDS = (
    *(7, 8, 11, 12, 13, 17, 19, 20, 21, 22),
    *(23, 24, 25, 26, 27, 28, 31, 32, 33),
)


@dataclass
class Server:
    """What a server takes.

    Attributes:
        number: Images of the test set.
        name: Pattern of the maps' names.
        values: Least and greatest value of the maps as they were written.
        size: (H, W) of the maps, or None where images differ.
        ids: What the values become, or None where they stay.
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
    """Read a map as the server takes it.

    Raises:
        ValueError: If the server would refuse or misread it.
    """
    if not re.fullmatch(server.name, path.name):
        raise ValueError(f'{path.name} is not named like {server.name}')
    labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if labels is None or labels.ndim != 2 or labels.dtype != np.uint8:
        raise ValueError(f'{path} is no picture of one channel of 8 bits')
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
    """Write the archive, or nothing.

    Args:
        folder: Label maps.
        out: Archive to write.
        server: What the server takes.
        number: How many maps there have to be.

    Raises:
        ValueError: If a map or their number is wrong.
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


def main(argv: list[str] | None = None) -> None:
    """Pack; see --help."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('server', choices=sorted(SERVERS))
    parser.add_argument('maps', type=Path, help='folder of label maps')
    parser.add_argument('out', help='archive to write')
    parser.add_argument(
        '--number', type=int, help='maps there have to be, if not all'
    )
    args = parser.parse_args(argv)
    server = SERVERS[args.server]
    try:
        pack(args.maps, args.out, server, args.number or server.number)
    except ValueError as error:
        raise SystemExit(f'{error}; nothing was written') from error
    print(f'{args.out}: {args.number or server.number} maps')


if __name__ == '__main__':
    main()
