"""Paths of files to write."""

from pathlib import Path


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
