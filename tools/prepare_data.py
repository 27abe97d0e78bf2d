"""Unpack the archives of a data set into the layout that our configs expect.

The archives are those that the data set's page offers; docs/en/data has a page
for each data set, with addresses and sizes. Nothing is downloaded. Each
archive is unpacked beside its final place, counted, and moved there only when
it is complete. After an interruption, the same command continues. Parts that
are already there are counted again and left alone.
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mmvit.apis.command_line import CommandLine
from mmvit.utils.archives import ArchiveError, Place, move_into, unpack
from mmvit.utils.label_ids import CITYSCAPES_IDS, PASCAL_CONTEXT_IDS
from mmvit.utils.paths import path_within

EXAMPLES = """
  python tools/prepare_data.py coco --archives downloads
  python tools/prepare_data.py imagenet --archives downloads --parts val
  python tools/prepare_data.py cityscapes --archives /nas/zips \\
      --out-dir data --parts fine coarse
"""
IMAGENET_PAGE = 'https://image-net.org/download-images.php (registration)'
CITYSCAPES_PAGE = 'https://www.cityscapes-dataset.com/downloads (registration)'
COCO = 'http://images.cocodataset.org'
ADE20K = 'http://data.csail.mit.edu/places/ADEchallenge'


def keep(*folders: str) -> Place:
    """Keep the files of some folders, under their own paths."""
    return lambda path: path if path.parts[0] in folders else None


def in_folder(folder: str) -> Place:
    """Put all files below a folder, under their own paths."""
    return lambda path: PurePosixPath(folder, path)


def last_parts(number: int, *patterns: str, folder: str = '') -> Place:
    """Put files that match a pattern below a folder of the data set's.

    They keep so many of the last parts of their paths.
    """
    return lambda path: (
        PurePosixPath(folder, *path.parts[-number:])
        if any(map(path.match, patterns))
        else None
    )


def sort_into_classes(unpacked: Path, root: Path) -> None:
    """Move ImageNet's validation images into a folder for each class.

    The development kit has the class of each image: a line of the ground
    truth for each, a number that meta.mat translates into the WordNet id.
    """
    names = loadmat(root / 'devkit/meta.mat', squeeze_me=True)['synsets']
    wordnet = {int(row['ILSVRC2012_ID']): str(row['WNID']) for row in names}
    truth = root / 'devkit/ILSVRC2012_validation_ground_truth.txt'
    for index, line in enumerate(truth.read_text().split(), 1):
        name = f'ILSVRC2012_val_{index:08d}.JPEG'
        folder = Path(path_within(unpacked / 'val', wordnet[int(line)]))
        if (unpacked / 'val' / name).is_file():
            folder.mkdir(exist_ok=True)
            (unpacked / 'val' / name).replace(folder / name)


def list_images(unpacked: Path, _: Path) -> None:
    """Write the list of all images with their class, for ImageNet-22K.

    With it, a training does not search millions of files at each start.
    """
    (unpacked / 'meta').mkdir(exist_ok=True)
    folders = enumerate(sorted((unpacked / 'train').iterdir()))
    write_list(unpacked / 'meta/train.txt', folders)


def list_by_number(unpacked: Path, _: Path) -> None:
    """Write the list of all images with their class, for ImageNet-V2.

    Its folders are named by the numbers of the classes. A data set that reads
    folders sorts them as text, so that folder 10 would become class 2.
    """
    folders = {int(path.name): path for path in unpacked.glob('[0-9]*')}
    write_list(unpacked / 'labels.txt', sorted(folders.items()))


def write_list(path: Path, folders: Iterable[tuple[int, Path]]) -> None:
    """Write the images of folders, each with the number of its class."""
    with path.open('w', encoding='utf-8') as file:
        for number, folder in folders:
            for image in sorted(folder.iterdir()):
                file.write(f'{folder.name}/{image.name} {number}\n')


def write_train_ids(unpacked: Path, _: Path) -> None:
    """Write Cityscapes' maps of training ids beside those of label ids."""
    table = np.full(256, 255, np.uint8)
    table[list(CITYSCAPES_IDS)] = range(len(CITYSCAPES_IDS))

    def convert(path: Path) -> None:
        name = path.name.replace('_labelIds.png', '_labelTrainIds.png')
        labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        write_labels(table[labels], path.with_name(name))

    convert_all(convert, sorted(unpacked.rglob('*_labelIds.png')))


def write_context_maps(unpacked: Path, root: Path) -> None:
    """Write Pascal Context's label maps and the lists of its images.

    A map has the class of each pixel, 1 to 59, and 0 for all of the other
    labels. The lists are VOC 2010's own.
    """
    table = np.zeros(65536, np.uint8)
    table[list(PASCAL_CONTEXT_IDS)] = range(1, 1 + len(PASCAL_CONTEXT_IDS))
    maps = unpacked / 'SegmentationClassContext'
    lists = unpacked / 'ImageSets/SegmentationContext'
    for folder in (maps, lists):
        folder.mkdir(parents=True, exist_ok=True)

    def convert(path: Path) -> None:
        labels = loadmat(path)['LabelMap']
        write_labels(table[labels], maps / f'{path.stem}.png')

    convert_all(convert, sorted(unpacked.glob('mats/*.mat')))
    for split in ('train', 'val'):
        names = (root / f'ImageSets/Main/{split}.txt').read_text().split()
        found = [name for name in names if (maps / f'{name}.png').is_file()]
        (lists / f'{split}.txt').write_text('\n'.join(found) + '\n')
    shutil.rmtree(unpacked / 'mats')


def write_labels(labels: 'np.ndarray', path: Path) -> None:
    """Write a label map that has its name only when it is complete."""
    part = path.with_name(f'{path.stem}.part.png')
    if not cv2.imwrite(str(part), labels):
        raise OSError(f'{path} could not be written')
    part.replace(path)


def convert_all(convert: Callable[[Path], None], paths: list[Path]) -> None:
    """Convert files in some threads, and show the progress."""
    report = Report('label maps')
    with ThreadPoolExecutor() as pool:
        for number, _ in enumerate(pool.map(convert, paths), 1):
            report(number, number / len(paths))


@dataclass(frozen=True)
class Archive:
    """An archive of a data set.

    Attributes:
        name: Its file name.
        source: Where it is to be had.
        numbers: How many files and folders fit a pattern afterwards.
        place: Where its files go in the data set's folder; by default, those
            of the patterns' first folders keep their paths.
        nested: Whether it holds an archive for each class.
        finish: Changes the unpacked files, before they move to the data set's
            folder, which is its second argument.
    """

    name: str
    source: str
    numbers: dict[str, int]
    place: Place | None = None
    nested: bool = False
    finish: Callable[[Path, Path], None] | None = None


@dataclass(frozen=True)
class DataSet:
    """A data set: its folder in --out-dir, and the archives of its parts."""

    folder: str
    parts: dict[str, list[Archive]]


def _of_coco(folder: str, name: str, numbers: dict[str, int]) -> Archive:
    return Archive(name, f'{COCO}/{folder}/{name}', numbers)


_IMAGENET = [
    Archive(
        *('ILSVRC2012_img_train.tar', IMAGENET_PAGE),
        {'train/*': 1000, 'train/*/*': 1281167},
        in_folder('train'),
        nested=True,
    ),
    Archive(
        *('ILSVRC2012_devkit_t12.tar.gz', IMAGENET_PAGE, {'devkit/*': 2}),
        last_parts(1, 'data/meta.mat', 'data/*_truth.txt', folder='devkit'),
    ),
    Archive(
        *('ILSVRC2012_img_val.tar', IMAGENET_PAGE),
        {'val/*': 1000, 'val/*/*': 50000},
        last_parts(1, '*.JPEG', folder='val'),
        finish=sort_into_classes,
    ),
]
_IMAGENET_21K = Archive(
    *('fall11_whole.tar', IMAGENET_PAGE),
    {'train/*': 21841, 'meta/train.txt': 1},
    in_folder('train'),
    nested=True,
    finish=list_images,
)
_IMAGENET_V2 = Archive(
    'imagenetv2-matched-frequency.tar.gz',
    'https://huggingface.co/datasets/vaishaal/ImageNetV2',
    {'[0-9]*': 1000, '[0-9]*/*': 10000, 'labels.txt': 1},
    last_parts(2, '*/*.jpeg'),
    finish=list_by_number,
)
_TOKEN_LABELS = Archive(
    'label_top5_train_nfnet.zip',
    'https://github.com/zihangJiang/TokenLabeling',
    {'n*': 1000, 'n*/*': 1281167},
    last_parts(2, '*/*.pt'),
)
_COCO_BOXES = _of_coco(
    *('annotations', 'annotations_trainval2017.zip'),
    {'annotations/instances_*2017.json': 2},
)
_COCO = dict(
    train=[
        _of_coco('zips', 'train2017.zip', {'train2017/*': 118287}),
        _COCO_BOXES,
    ],
    val=[_of_coco('zips', 'val2017.zip', {'val2017/*': 5000}), _COCO_BOXES],
    stuff=[
        Archive(
            'stuffthingmaps_trainval2017.zip',
            'http://calvin.inf.ed.ac.uk/wp-content/uploads/data/'
            'cocostuffdataset/stuffthingmaps_trainval2017.zip',
            {
                'stuffthingmaps/train2017/*': 118287,
                'stuffthingmaps/val2017/*': 5000,
            },
            last_parts(2, '*/*.png', folder='stuffthingmaps'),
        )
    ],
    test=[
        _of_coco('zips', 'test2017.zip', {'test2017/*': 40670}),
        _of_coco(
            *('annotations', 'image_info_test2017.zip'),
            {'annotations/image_info_test-dev2017.json': 1},
        ),
    ],
)
_ADE20K = Archive(
    'ADEChallengeData2016.zip',
    f'{ADE20K}/ADEChallengeData2016.zip',
    {
        f'ADEChallengeData2016/{kind}/{split}/*': number
        for kind in ('images', 'annotations')
        for split, number in (('training', 20210), ('validation', 2000))
    },
)
_ADE20K_TEST = Archive(
    *('release_test.zip', f'{ADE20K}/release_test.zip'),
    {'release_test/testing/*': 3352},
    last_parts(2, '*/*.jpg', folder='release_test'),
)
_CITYSCAPES = dict(
    fine=[
        Archive(
            *('leftImg8bit_trainvaltest.zip', CITYSCAPES_PAGE),
            {
                'leftImg8bit/train/*/*': 2975,
                'leftImg8bit/val/*/*': 500,
                'leftImg8bit/test/*/*': 1525,
            },
        ),
        Archive(
            *('gtFine_trainvaltest.zip', CITYSCAPES_PAGE),
            {
                'gtFine/train/*/*_labelTrainIds.png': 2975,
                'gtFine/val/*/*_labelTrainIds.png': 500,
            },
            finish=write_train_ids,
        ),
    ],
    coarse=[
        Archive(
            *('leftImg8bit_trainextra.zip', CITYSCAPES_PAGE),
            {'leftImg8bit/train_extra/*/*': 19998},
        ),
        Archive(
            *('gtCoarse.zip', CITYSCAPES_PAGE),
            {'gtCoarse/train_extra/*/*_labelTrainIds.png': 19998},
            finish=write_train_ids,
        ),
    ],
)
_PASCAL_CONTEXT = [
    Archive(
        'VOCtrainval_03-May-2010.tar',
        'http://host.robots.ox.ac.uk/pascal/VOC/voc2010/'
        'VOCtrainval_03-May-2010.tar',
        {'ImageSets/Main/train.txt': 1, 'ImageSets/Main/val.txt': 1},
        lambda path: (
            PurePosixPath(*path.parts[2:])
            if path.match('VOC2010/JPEGImages/*.jpg')
            or path.match('VOC2010/ImageSets/Main/*.txt')
            else None
        ),
    ),
    Archive(
        'trainval.tar.gz',
        'https://cs.stanford.edu/~roozbeh/pascal-context/trainval.tar.gz',
        {'SegmentationClassContext/*.png': 10103},
        last_parts(1, '*.mat', folder='mats'),
        finish=write_context_maps,
    ),
]
DATASETS = {
    'imagenet': DataSet(
        'imagenet', dict(train=_IMAGENET[:1], val=_IMAGENET[1:])
    ),
    'imagenet21k': DataSet('imagenet21k', dict(train=[_IMAGENET_21K])),
    'imagenet-v2': DataSet(
        'imagenetv2-matched-frequency-format-val', dict(test=[_IMAGENET_V2])
    ),
    'token-labels': DataSet(
        'imagenet_token_labels', dict(train=[_TOKEN_LABELS])
    ),
    'coco': DataSet('coco', _COCO),
    'ade20k': DataSet('ade', dict(trainval=[_ADE20K], test=[_ADE20K_TEST])),
    'cityscapes': DataSet('cityscapes', _CITYSCAPES),
    'pascal-context': DataSet(
        'VOCdevkit/VOC2010', dict(trainval=_PASCAL_CONTEXT)
    ),
}
# Prepared without --parts: what training and validation need
DEFAULT_PARTS = dict.fromkeys(DATASETS, 1) | {'imagenet': 2, 'coco': 2}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_argument('dataset', choices=list(DATASETS), help='the data set')
    parser.add_argument(
        '--archives',
        type=Path,
        required=True,
        metavar='DIR',
        help='folder with the archives, under the names that they are '
        'published with',
    )
    parser.add_shared(
        '--out-dir',
        type=Path,
        required=False,
        default='data',
        help='folder of all data sets',
    )
    parser.add_argument(
        '--parts',
        nargs='+',
        metavar='PART',
        help='parts to prepare: '
        + '; '.join(
            f'{name}: {", ".join(dataset.parts)}'
            for name, dataset in DATASETS.items()
        )
        + ' (default: what training and validation need)',
    )
    parser.add_argument(
        '--any-number',
        action='store_true',
        help='accept another number of files than the complete data set has, '
        'for a data set that you have cut yourself',
    )
    args = parser.parse_args(argv)
    dataset = DATASETS[args.dataset]
    default = list(dataset.parts)[: DEFAULT_PARTS[args.dataset]]
    args.parts = args.parts or default
    unknown = [part for part in args.parts if part not in dataset.parts]
    if unknown:
        parser.error(
            f'{args.dataset} has no part {", ".join(unknown)}; it has '
            f'{", ".join(dataset.parts)}'
        )
    return args


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import shutil
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from scipy.io import loadmat


class Report:
    """Prints the progress of a long step, a line for each 5 %."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.step = 0

    def __call__(self, number: int, share: float) -> None:
        """Print a line if enough has been done since the last one."""
        if int(share * 20) > self.step:
            self.step = int(share * 20)
            print(
                f'{self.what}: {number} files, {5 * self.step} %',
                file=sys.stderr,
                flush=True,
            )


def wrong_numbers(archive: Archive, folder: Path) -> list[str]:
    """Say which numbers of files differ from those that there must be."""
    found = {
        pattern: sum(
            not path.name.endswith('.part') for path in folder.glob(pattern)
        )
        for pattern in archive.numbers
    }
    return [
        f'{pattern}: {found[pattern]} instead of {number}'
        for pattern, number in archive.numbers.items()
        if found[pattern] != number
    ]


def unpack_completely(
    archive: Archive, path: Path, folder: Path, root: Path, any_number: bool
) -> None:
    """Unpack an archive's file into a folder beside its final place; count.

    Raises:
        ArchiveError: If the archive is damaged or not complete.
    """
    report = Report(archive.name)
    folder.mkdir(parents=True, exist_ok=True)
    folders = {PurePosixPath(p).parts[0] for p in archive.numbers}
    place = archive.place or keep(*folders)
    unpack(path, folder, place, archive.nested, report)
    if archive.finish:
        archive.finish(folder, root)
    wrong = wrong_numbers(archive, folder)
    if not any(folder.iterdir()):
        raise ArchiveError(f'{path} has none of the files of this data set')
    if wrong and not any_number:
        raise ArchiveError(
            f'{path} is not the complete archive ({"; ".join(wrong)}; '
            '--any-number accepts that)'
        )


def prepare(
    archive: Archive, archives: Path, root: Path, any_number: bool = False
) -> None:
    """Bring the files of an archive to their places, if they are not there.

    `archives` is the folder of its file, `root` that of the data set.
    """
    done = root / '.prepared' / archive.name
    if done.is_file() and (any_number or not wrong_numbers(archive, root)):
        print(f'{archive.name}: already in {root}')
        return
    folder = root / '.unpacking' / archive.name
    # While the files move, the folder is no longer complete.
    complete = folder.with_name(f'{archive.name}.complete')
    if not complete.is_file():
        path = archives / archive.name
        if not path.is_file():
            raise ArchiveError(
                f'{root} is no longer complete '
                f'({"; ".join(wrong_numbers(archive, root))}), and there is '
                f'no {path}'
            )
        unpack_completely(archive, path, folder, root, any_number)
        complete.touch()
    if folder.is_dir():
        move_into(folder, root)
    done.parent.mkdir(exist_ok=True)
    done.touch()
    complete.unlink()
    print(f'{archive.name}: now in {root}')


def needed(dataset: DataSet, parts: list[str]) -> list[Archive]:
    """List the archives of some parts, each once."""
    chosen = [a for part in parts for a in dataset.parts[part]]
    return list({archive.name: archive for archive in chosen}.values())


def check_presence(
    dataset: DataSet, args: argparse.Namespace, root: Path
) -> None:
    """Check that all archives that are still needed are there.

    Raises:
        SystemExit: If one is missing; the message says where to get it.
    """
    missing = [
        archive
        for archive in needed(dataset, args.parts)
        if not (args.archives / archive.name).is_file()
        and not (root / '.prepared' / archive.name).is_file()
    ]
    if missing:
        lines = [f'  {archive.name}: {archive.source}' for archive in missing]
        raise SystemExit(
            f'not in {args.archives}:\n' + '\n'.join(lines) + '\nDownload '
            f'there, or choose with --parts: {", ".join(dataset.parts)}'
        )


def main(argv: list[str] | None = None) -> None:
    """Prepare; see --help."""
    args = parse_args(argv)
    dataset = DATASETS[args.dataset]
    root = args.out_dir / dataset.folder
    check_presence(dataset, args, root)
    for archive in needed(dataset, args.parts):
        try:
            prepare(archive, args.archives, root, args.any_number)
        except ArchiveError as error:
            raise SystemExit(
                f'{error}\nDownload {archive.name} again: {archive.source}'
            ) from error
    waiting = root / '.unpacking'
    if waiting.is_dir() and not any(waiting.iterdir()):
        waiting.rmdir()
    print(f'{args.dataset} ({", ".join(args.parts)}): {root}')


if __name__ == '__main__':
    main()
