"""Write the list of labels that a test on ImageNet-V2 needs.

ImageNet-V2 names its folders by the numbers of the classes, 0 to 999. A data
set that reads folders sorts them as text, so that folder 10 would become class
2. The list, labels.txt in the folder, gives each image its number.
"""

import argparse
import sys
from pathlib import Path

from mmvit.apis.command_line import CommandLine

SUFFIXES = ('.jpeg', '.jpg', '.png')
EXAMPLES = """
  python tools/dataset_converters/imagenet_v2.py \\
      data/imagenetv2-matched-frequency-format-val
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_argument(
        'folder', type=Path, help='the data set, with folders 0 to 999'
    )
    text = 'number of folders that there must be'
    parser.add_number('--classes', 1000, text)
    return parser.parse_args(argv)


def lines_of(folder: Path, classes: int) -> list[str]:
    """List all images with their classes, the numbers of their folders.

    Raises:
        ValueError: If a class has no folder or no image.
    """
    lines = []
    for number in range(classes):
        images = sorted(
            path
            for path in (folder / str(number)).glob('*')
            if path.suffix.lower() in SUFFIXES
        )
        if not images:
            raise ValueError(f'no image in {folder / str(number)}')
        lines.extend(f'{number}/{path.name} {number}' for path in images)
    return lines


def main(argv: list[str] | None = None) -> int:
    """Write the list; see --help."""
    args = parse_args(argv)
    try:
        lines = lines_of(args.folder, args.classes)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    (args.folder / 'labels.txt').write_text('\n'.join(lines) + '\n')
    print(f'{len(lines)} images listed in {args.folder / "labels.txt"}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
