"""Published weights by name, `mmvit://pvt-s_in1k`: found, fetched, converted.

python -m mmvit.checkpoints.zoo [NAME]

Without a name, all of them are listed. With one, its file is downloaded and
converted, and the path of the converted file is printed.
"""

import argparse
import difflib
import functools
import os
import os.path as osp
from pathlib import Path

from .released import listing, released_files

if __name__ == '__main__':
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('name', nargs='?', help='such as pvt-s_in1k')
    wanted = parser.parse_args().name
    if not wanted:  # the list needs none of the slow imports
        print(listing())
        parser.exit()

import torch
from mmengine.logging import print_log

from mmvit.version import __version__

from .download import DownloadError, check_container, download, sole_process
from .published import convert
from .reading import SCHEME, read_state_dict, safe_load

# Where files come from instead of the authors' addresses: an address, after
# which NAME.pth stands.
_MIRROR = 'MMVIT_ZOO_MIRROR'


def cache_folder() -> str:
    """Return where the files are kept: $MMVIT_HOME, or in torch hub's."""
    home = os.getenv('MMVIT_HOME')
    home = home or osp.join(torch.hub.get_dir(), 'checkpoints', 'mmvit')
    return osp.abspath(osp.expanduser(home))


def fetch(name: str) -> str:
    """Return the path of a published file under our names.

    The published file is downloaded, or has been put there by hand, as
    `published/NAME.pth` of `cache_folder`; `converted/NAME.pth` is made of it.

    Args:
        name: A name of `released_files`, with or without `mmvit://`.

    Raises:
        ValueError: If there is no such name, or if the file that was put
            there is not the one that the name means.
        DownloadError: If it cannot be downloaded, or is not what it should be.
    """
    name = name.removeprefix(SCHEME)
    released = released_files().get(name)
    if released is None:
        near = difflib.get_close_matches(name, released_files())
        raise ValueError(
            f'the zoo has no {name!r}'
            + (f'; near it: {", ".join(near)}' if near else '')
            + '. `python -m mmvit.checkpoints.zoo` lists all names'
        )
    published, converted = (
        osp.join(cache_folder(), folder, f'{name}.pth')
        for folder in ('published', 'converted')
    )
    # Before the lock too, so that a folder that cannot be written serves.
    if _is_current(converted, published):
        return converted
    convert_into = functools.partial(
        _convert, family=released.family, converted=converted
    )
    with sole_process(published):
        if _is_current(converted, published):
            return converted
        if not osp.isfile(published):
            mirror = os.getenv(_MIRROR, '').rstrip('/')
            mirrors = [f'{mirror}/{name}.pth'] if mirror else []
            addresses = mirrors or released.addresses
            download(addresses, published, convert_into)
            return converted
        try:
            convert_into(published)
        except ValueError as error:
            raise ValueError(
                f'{published} is not the file of {SCHEME}{name}: {error}. '
                'Remove it or replace it'
            ) from error
    return converted


def _convert(published: str, family: str, converted: str) -> None:
    """Write a published file under our names.

    Raises:
        ValueError: If it is not a whole file of the family.
    """
    check_container(published)
    # Trainers have stored their settings in it, too.
    done = convert(read_state_dict(published, foreign=True), family)
    about = [done.task, f'for {done.config}' if done.config else '']
    if done.options:
        about += ['with --cfg-options', *done.options]
    print_log(f'{converted}: {" ".join(about)}', 'current')
    meta = dict(mmvit_version=__version__, published=_facts(published))
    os.makedirs(osp.dirname(converted), exist_ok=True)
    unfinished = f'{converted}.part'
    try:
        torch.save(dict(state_dict=done.weights, meta=meta), unfinished)
        os.replace(unfinished, converted)
    finally:
        Path(unfinished).unlink(missing_ok=True)


def _facts(path: str) -> dict[str, int]:
    """What tells a file that was replaced: renaming keeps it."""
    stat = os.stat(path)
    return dict(size=stat.st_size, mtime=stat.st_mtime_ns)


def _is_current(converted: str, published: str) -> bool:
    """Whether a converted file is whole, and made of the published one.

    It may be used without the published file, which takes space.
    """
    if not osp.isfile(converted):
        return False
    try:
        check_container(converted)
        meta = safe_load(converted)['meta']
    except Exception as error:  # torch has many for a damaged file
        print_log(f'{converted} is made anew: {error}', 'current')
        return False
    if not osp.isfile(published):
        return True
    made_of = (meta['mmvit_version'], meta['published'])
    return made_of == (__version__, _facts(published))


if __name__ == '__main__':
    try:
        print(fetch(wanted))
    except (ValueError, DownloadError) as error:
        raise SystemExit(str(error)) from error
