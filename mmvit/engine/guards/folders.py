"""Files in a data set's folders that it leaves out."""

import os
import os.path as osp
from collections.abc import Iterator

from torch.utils.data import Dataset

from mmvit.utils.text import some_of

from .data_config import is_remote
from .findings import DROPPED, ERROR, Finding

_IMAGES = (
    *('.jpg', '.jpeg', '.jpe', '.jfif', '.jp2', '.png', '.bmp', '.gif'),
    *('.tif', '.tiff', '.webp', '.ppm', '.pgm', '.pbm', '.avif', '.heic'),
)


def parts_of(dataset: Dataset) -> Iterator[Dataset]:
    """Yield the data sets inside of built wrappers."""
    inner = getattr(dataset, 'dataset', None)
    several = getattr(dataset, 'datasets', None)
    for one in [inner] if inner is not None else several or ():
        yield from parts_of(one)
    if inner is None and not several:
        yield dataset


def _images_in(folder: str) -> Iterator[str]:
    for place, _, names in os.walk(folder, followlinks=True):
        for name in names:
            if name.lower().endswith(_IMAGES):
                yield osp.join(place, name)


def _left_out(files: list[str], endings: str, key: str) -> Iterator[Finding]:
    for path in sorted(files):
        yield Finding(
            DROPPED,
            f'image that does not end with {endings}',
            path,
            f'Rename or convert them, or set {key}',
        )


def _of_maps(dataset: Dataset) -> Iterator[Finding]:
    """Check mmseg's folders of images and label maps."""
    images = dataset.data_prefix.get('img_path')
    masks = dataset.data_prefix.get('seg_map_path')
    ending = dataset.img_suffix
    if not images or not osp.isdir(images):
        return
    files = list(_images_in(images))
    others = [path for path in files if not path.endswith(ending)]
    if masks and osp.realpath(masks) == osp.realpath(images):
        # The masks lie beside the images.
        return
    yield from _left_out(others, ending, 'img_suffix')
    if not masks or not osp.isdir(masks):
        return
    # Images with other endings are reported above, and their masks are not.
    stems = {osp.splitext(osp.relpath(path, images))[0] for path in others}
    stems |= {
        osp.relpath(path, images)[: -len(ending)]
        for path in files
        if path.endswith(ending)
    }
    for path in sorted(_images_in(masks)):
        name = osp.relpath(path, masks)
        suffix = dataset.seg_map_suffix
        if name.endswith(suffix) and name[: -len(suffix)] not in stems:
            yield Finding(
                DROPPED,
                'mask without an image',
                path,
                'Add the image, or correct img_suffix and seg_map_suffix',
            )


def _of_classes(dataset: Dataset) -> Iterator[Finding]:
    """Check mmpretrain's folders of classes."""
    root, endings = dataset.img_prefix, dataset.extensions
    hidden = [name for name in dataset.folder_to_idx if name.startswith('.')]
    if hidden:
        yield Finding(
            ERROR,
            'hidden folder that would be a class',
            f'{root}: {some_of(hidden)}',
            'Remove it (.ipynb_checkpoints is made by notebooks)',
        )
    if osp.isdir(root):
        others = [
            path
            for path in _images_in(root)
            if not path.lower().endswith(tuple(endings))
        ]
        yield from _left_out(others, ', '.join(endings), 'extensions')


def folder_findings(dataset: Dataset) -> Iterator[Finding]:
    """Find images and masks that data sets without a list leave out."""
    for one in parts_of(dataset):
        has_list = osp.isfile(getattr(one, 'ann_file', '') or '')
        backend = getattr(one, 'backend_args', None)
        root = getattr(one, 'data_root', '') or ''
        if has_list or is_remote(root, backend):
            continue
        if hasattr(one, 'seg_map_suffix') and hasattr(one, 'img_suffix'):
            yield from _of_maps(one)
        elif hasattr(one, 'folder_to_idx') and hasattr(one, 'extensions'):
            yield from _of_classes(one)
