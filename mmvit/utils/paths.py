"""Paths of images to read and of files to write."""

import os
import os.path as osp
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')


def _images_in(folder: str, out_dir: str | None) -> Iterator[str]:
    """Yield the images in a folder, its subfolders and linked folders.

    The folder that is written to is left out, and so is one that a link leads
    to for a second time.
    """
    seen = {osp.realpath(out_dir)} if out_dir else set()
    for place, folders, names in os.walk(folder, followlinks=True):
        if osp.realpath(place) in seen:
            folders.clear()
            continue
        seen.add(osp.realpath(place))
        folders.sort()
        for name in sorted(names):
            if name.lower().endswith(SUFFIXES):
                yield osp.join(place, name)


def find_images(inputs: list[str], out_dir: str | None = None) -> list[str]:
    """List files, and the images in folders but those of `out_dir`.

    Raises:
        ValueError: If an input does not exist, or there is no image.
    """
    paths = []
    for item in inputs:
        if osp.isfile(item):
            paths.append(item)
        elif osp.isdir(item):
            paths += _images_in(item, out_dir)
        else:
            raise ValueError(f'no file or folder {item}')
    if not paths:
        raise ValueError(
            f'no image in {", ".join(inputs)}: looked for files that end '
            f'with {", ".join(SUFFIXES)}'
        )
    return paths


def path_within(folder: str | Path, name: str | Path) -> str:
    """Join a folder and the name of a file to write in it.

    The name may come from an annotation file, so it is not trusted.

    Raises:
        ValueError: If the file would lie outside of the folder.
    """
    path = Path(folder, name)
    if Path(folder).resolve() not in path.resolve().parents:
        raise ValueError(f'{name} would be written outside of {folder}')
    return str(path)
