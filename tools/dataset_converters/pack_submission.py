"""Pack the results of a test into the archive that a test server accepts.

The results are those that a config with `format_only=True` writes in its test.
For segmentation, they are a folder of label maps: training ids for Cityscapes,
which become the server's label ids; classes 1 to 150 for ADE20K. For COCO's
test-dev, they are the file of boxes or the file of masks; the archive has the
name that the server asks for, detections_test-dev2017_NAME_results.zip. Names,
sizes, values and the number of images are checked, and nothing is written if
one is wrong.
"""

import argparse
import json
import math
import os
import os.path as osp
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mmvit.apis.command_line import CommandLine, output_file
from mmvit.utils.label_ids import CITYSCAPES_IDS

EXAMPLES = """
  python tools/test.py \\
      configs/setr/setr-pup_vit-l_8xb1-100k_cityscapes-trainval-768x768.py \\
      CHECKPOINT
  python tools/dataset_converters/pack_submission.py cityscapes \\
      work_dirs/cityscapes_test/maps cityscapes_test.zip

  python tools/test.py \\
      configs/focal/htc_focal-l_fpn_ms-3x_coco-testdev.py CHECKPOINT --tta
  python tools/dataset_converters/pack_submission.py coco \\
      work_dirs/coco_testdev/results.segm.json \\
      detections_test-dev2017_focal-l_results.zip
"""


COCO_IMAGES = Path('data/coco/annotations/image_info_test-dev2017.json')
COCO_NAME = r'detections_test-dev2017_[A-Za-z0-9-]+_results\.zip'
# Test-dev has 20,288 images, and the server evaluates 100 detections of each.
COCO_NUMBER = 20_288
COCO_PER_IMAGE = 100


@dataclass
class Server:
    """What a test server accepts as label maps.

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


def read_maps(
    folder: Path, server: Server, number: int
) -> Iterator[tuple[str, bytes]]:
    """Read a folder of `number` maps: names and contents for the archive.

    Raises:
        ValueError: If a map is wrong, or their number.
    """
    paths = sorted(folder.glob('*.png'))
    if len(paths) != number:
        raise ValueError(
            f'{folder} has {len(paths)} maps, the test set {number} images'
        )
    for path in paths:
        _, data = cv2.imencode('.png', read_map(path, server))
        yield path.name, data.tobytes()


def _read_json(path: Path, content: type) -> list | dict:
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{path} is not JSON: {error}') from error
    if not isinstance(found, content):
        raise ValueError(f'{path} does not hold a {content.__name__}')
    return found


def _is_detection(found: dict) -> bool:
    """Whether a detection has a score and a box or a mask."""
    numbers = [found.get('score', math.nan), *found.get('bbox', ())]
    if not all(math.isfinite(number) for number in numbers):
        return False
    mask = found.get('segmentation')
    return len(numbers) == 5 or (
        isinstance(mask, dict) and mask.keys() == {'size', 'counts'}
    )


def read_detections(path: Path, images: Path, number: int) -> list[dict]:
    """Read COCO's results and check them.

    A detection with a mask is returned without its box: COCO would take its
    size (small, medium, large) from the box.

    Args:
        path: File of boxes or of masks, which mmdet's CocoMetric has written.
        images: COCO's list of the test images.
        number: Number of images that the list must have.

    Raises:
        ValueError: If the server would refuse or misread it.
    """
    listed = _read_json(images, dict)
    ids = {image['id'] for image in listed['images']}
    if len(ids) != number:
        raise ValueError(
            f'{images} has {len(ids)} images, the test set {number} images'
        )
    classes = {category['id'] for category in listed['categories']}
    found = _read_json(path, list)
    for index, item in enumerate(found):
        where = f'detection {index} of {path}'
        if item.get('image_id') not in ids:
            raise ValueError(
                f'{where} is of image {item.get("image_id")}, which is not '
                f'in {images}'
            )
        if item.get('category_id') not in classes:
            raise ValueError(f'{where} has no category of {images}')
        if not _is_detection(item):
            raise ValueError(f'{where} has no score, or no box and no mask')
        if 'segmentation' in item:
            item.pop('bbox', None)
    of_one = Counter(item['image_id'] for item in found).most_common(1)
    if not of_one or of_one[0][1] > COCO_PER_IMAGE:
        raise ValueError(
            f'{path} has {of_one[0][1] if of_one else 0} detections of one '
            f'image, the server takes 1 to {COCO_PER_IMAGE}'
        )
    return found


def pack(out: str, members: Iterable[tuple[str, bytes]]) -> int:
    """Write members, names and contents; nothing if reading one fails.

    Returns:
        The number of members.
    """
    os.makedirs(osp.dirname(osp.abspath(out)), exist_ok=True)
    part = f'{out}.part'
    try:
        with zipfile.ZipFile(part, 'w', zipfile.ZIP_DEFLATED) as archive:
            for name, content in members:
                archive.writestr(name, content)
            number = len(archive.namelist())
        os.replace(part, out)
    finally:
        if osp.exists(part):
            os.remove(part)
    return number


def pack_coco(
    results: Path, out: str, images: Path, number: int
) -> tuple[int, str]:
    """Pack COCO's results; see read_detections.

    Returns:
        The number of detections and what they are called.
    """
    name = osp.basename(out)
    if not re.fullmatch(COCO_NAME, name):
        raise ValueError(f'{name} is not named like {COCO_NAME}')
    found = read_detections(results, images, number)
    pack(out, [(f'{Path(name).stem}.json', json.dumps(found).encode())])
    kind = 'masks' if 'segmentation' in found[0] else 'boxes'
    return len(found), kind


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_argument(
        'server', choices=sorted([*SERVERS, 'coco']), help='the test server'
    )
    parser.add_argument(
        'results', type=Path, help='folder of label maps, or file for COCO'
    )
    parser.add_argument(
        'out', type=output_file('.zip'), help='archive to write'
    )
    text = 'number of images of the test set (default: the real one)'
    parser.add_number('--number', None, text)
    parser.add_argument(
        '--images',
        type=Path,
        default=COCO_IMAGES,
        metavar='FILE',
        help="COCO's list of the test images",
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Pack; see --help."""
    args = parse_args(argv)
    try:
        if args.server == 'coco':
            number, kind = pack_coco(
                args.results, args.out, args.images, args.number or COCO_NUMBER
            )
        else:
            server = SERVERS[args.server]
            maps = read_maps(
                args.results, server, args.number or server.number
            )
            number, kind = pack(args.out, maps), 'maps'
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f'{error}; nothing was written') from error
    print(f'{args.out}: {number} {kind}')


if __name__ == '__main__':
    main()
