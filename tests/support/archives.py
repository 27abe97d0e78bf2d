"""Small made-up archives with the layouts of the published data sets."""

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mmdet.datasets import CocoDataset
from PIL import Image
from scipy.io import savemat

Files = dict[str, bytes]


def picture(ending: str = 'JPEG', size: tuple[int, int] = (16, 16)) -> bytes:
    """Bytes of an image of noise."""
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3))
    return _encoded(noise.astype(np.uint8), ending)


def labels(values: list[int], side: int = 16) -> bytes:
    """Bytes of a PNG whose columns have the values in turn."""
    row = np.resize(np.asarray(values, np.uint8), side)
    return _encoded(np.tile(row, (side, 1)), 'PNG')


def _encoded(array: np.ndarray, ending: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, ending)
    return stream.getvalue()


def tar_bytes(files: Files, mode: str = 'w') -> bytes:
    """Bytes of a tar archive."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def zip_bytes(files: Files) -> bytes:
    """Bytes of a zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w') as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _mat(**values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    savemat(stream, values)
    return stream.getvalue()


def wordnet_id(number: int) -> str:
    """Made-up WordNet id of a class of ImageNet."""
    return f'n{number:08d}'


def imagenet() -> Files:
    """One training and one validation image for each of 1,000 classes."""
    image = picture()
    classes = [wordnet_id(number) for number in range(1000)]
    train = {
        f'{name}.tar': tar_bytes({f'{name}_1.JPEG': image}) for name in classes
    }
    # As in the real file: in another order, and with inner nodes at the end.
    synsets = np.zeros(
        1001, [('ILSVRC2012_ID', 'O'), ('WNID', 'O'), ('num_children', 'O')]
    )
    for index, name in enumerate([*reversed(classes), 'n99999999']):
        synsets[index] = index + 1, name, 0
    truth = '\n'.join(str(number) for number in range(1, 1001)) + '\n'
    kit = 'ILSVRC2012_devkit_t12/data'
    return {
        'ILSVRC2012_img_train.tar': tar_bytes(train),
        'ILSVRC2012_img_val.tar': tar_bytes(
            {
                f'ILSVRC2012_val_{number:08d}.JPEG': image
                for number in range(1, 1001)
            }
        ),
        'ILSVRC2012_devkit_t12.tar.gz': tar_bytes(
            {
                f'{kit}/meta.mat': _mat(synsets=synsets),
                f'{kit}/ILSVRC2012_validation_ground_truth.txt': (
                    truth.encode()
                ),
                f'{kit[:-5]}/readme.txt': b'',
            },
            'w:gz',
        ),
    }


def imagenet21k() -> Files:
    """Three classes of two images."""
    classes = {
        f'{wordnet_id(number)}.tar': tar_bytes(
            {
                f'{wordnet_id(number)}_{index}.JPEG': picture()
                for index in (1, 2)
            }
        )
        for number in (7, 3, 5)
    }
    return {'fall11_whole.tar': tar_bytes(classes)}


def imagenet_v2() -> Files:
    """An image for each of 1,000 numbered folders."""
    folder = 'imagenetv2-matched-frequency-format-val'
    files = {f'{folder}/{n}/a{n}.jpeg': picture() for n in range(1000)}
    name = 'imagenetv2-matched-frequency.tar.gz'
    return {name: tar_bytes(files, 'w:gz')}


def token_labels() -> Files:
    """The label map of each training image of `imagenet`."""
    stream = io.BytesIO()
    scores = torch.arange(10, dtype=torch.half).view(2, 5, 1, 1)
    torch.save(scores.repeat(1, 1, 2, 2), stream)
    names = [wordnet_id(number) for number in range(1000)]
    files = {
        f'label_top5_train_nfnet/{name}/{name}_1.pt': stream.getvalue()
        for name in names
    }
    return {'label_top5_train_nfnet.zip': zip_bytes(files)}


def coco_json(
    split: str,
    number: int,
    annotated: bool,
    size: tuple[int, int] = (16, 16),
) -> bytes:
    """Bytes of an annotation file of some images."""
    names = CocoDataset.METAINFO['classes']
    content = dict(
        images=[
            dict(
                id=n,
                file_name=f'{split}{n:012d}.jpg',
                height=size[0],
                width=size[1],
            )
            for n in range(number)
        ],
        categories=[
            dict(id=index + 1, name=name) for index, name in enumerate(names)
        ],
    )
    if annotated:
        content['annotations'] = [
            dict(
                id=index + 1,
                image_id=index % number,
                category_id=index + 1,
                bbox=[2, 2, 8, 8],
                area=64,
                iscrowd=0,
                segmentation=[[2, 2, 10, 2, 10, 10, 2, 10]],
            )
            for index in range(len(names))
        ]
    return json.dumps(content).encode()


def coco() -> Files:
    """A few images of each split, with boxes, masks and stuff maps."""
    numbers = dict(train=3, val=2, test=2)
    files = {
        f'{split}2017.zip': zip_bytes(
            {
                f'{split}2017/{split}{n:012d}.jpg': picture()
                for n in range(number)
            }
        )
        for split, number in numbers.items()
    }
    files['annotations_trainval2017.zip'] = zip_bytes(
        {
            f'annotations/instances_{split}2017.json': coco_json(
                split, numbers[split], True
            )
            for split in ('train', 'val')
        }
        | {'annotations/captions_val2017.json': b'{}'}
    )
    files['image_info_test2017.zip'] = zip_bytes(
        {
            f'annotations/image_info_{name}2017.json': coco_json(
                'test', 2, False
            )
            for name in ('test', 'test-dev')
        }
    )
    files['stuffthingmaps_trainval2017.zip'] = zip_bytes(
        {
            f'{split}2017/{split}{n:012d}.png': labels([0, 79, 181, 255])
            for split in ('train', 'val')
            for n in range(numbers[split])
        }
    )
    return files


def ade20k() -> Files:
    """Two images of each split."""
    files = {'ADEChallengeData2016/objectInfo150.txt': b''}
    for split, short in (('training', 'train'), ('validation', 'val')):
        for number in (1, 2):
            name = f'{split}/ADE_{short}_{number:08d}'
            folder = 'ADEChallengeData2016'
            files[f'{folder}/images/{name}.jpg'] = picture()
            files[f'{folder}/annotations/{name}.png'] = labels([0, 1, 150])
    tests = {
        f'release_test/testing/ADE_test_{number:08d}.jpg': picture()
        for number in (1, 2)
    }
    return {
        'ADEChallengeData2016.zip': zip_bytes(files),
        'release_test.zip': zip_bytes({**tests, 'release_test/list.txt': b''}),
    }


def cityscapes() -> Files:
    """An image of each split."""
    photos, maps = {}, {}
    for split in ('train', 'val', 'test', 'train_extra'):
        stem = f'{split}/city/city_000000_000019'
        extra = split == 'train_extra'
        kind = 'Coarse' if extra else 'Fine'
        content = photos.setdefault(kind, {'README': b''})
        content[f'leftImg8bit/{stem}_leftImg8bit.png'] = picture('PNG')
        content = maps.setdefault(kind, {'license.txt': b''})
        name = f'gt{kind}/{stem}_gt{kind}'
        content[f'{name}_labelIds.png'] = labels([0, 3, 7, 33])
        content[f'{name}_polygons.json'] = b'{}'
    return {
        'leftImg8bit_trainvaltest.zip': zip_bytes(photos['Fine']),
        'gtFine_trainvaltest.zip': zip_bytes(maps['Fine']),
        'leftImg8bit_trainextra.zip': zip_bytes(photos['Coarse']),
        'gtCoarse.zip': zip_bytes(maps['Coarse']),
    }


def pascal_context() -> Files:
    """Two images to train on, one to validate, and one without labels."""
    names = ('2008_000002', '2008_000003', '2009_000001')
    voc = 'VOCdevkit/VOC2010'
    images = {
        f'{voc}/JPEGImages/{name}.jpg': picture()
        for name in (*names, '2010_000009')
    }
    lists = {
        f'{voc}/ImageSets/Main/train.txt': '\n'.join(names[:2]).encode(),
        f'{voc}/ImageSets/Main/val.txt': names[2].encode(),
        f'{voc}/Annotations/2008_000002.xml': b'',
    }
    # accordion, aeroplane, wood, and what has no label
    row = np.resize(np.asarray([1, 2, 458, 0], np.uint16), 16)
    mat = _mat(LabelMap=np.tile(row, (16, 1)))
    context = {f'trainval/{name}.mat': mat for name in names}
    return {
        'VOCtrainval_03-May-2010.tar': tar_bytes({**images, **lists}),
        'trainval.tar.gz': tar_bytes({'labels.txt': b'', **context}, 'w:gz'),
    }


MAKERS: dict[str, Callable[[], Files]] = {
    'imagenet': imagenet,
    'imagenet21k': imagenet21k,
    'imagenet-v2': imagenet_v2,
    'token-labels': token_labels,
    'coco': coco,
    'ade20k': ade20k,
    'cityscapes': cityscapes,
    'pascal-context': pascal_context,
}


def write_archives(dataset: str, folder: Path) -> Path:
    """Write the archives of a data set, as tools/prepare_data.py names it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in MAKERS[dataset]().items():
        (folder / name).write_bytes(content)
    return folder
