"""Tiny data sets of one set of pictures, in the layouts of all tasks."""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIDE = 64  # pixels
CLASSES = ('round', 'square')
SPLITS = dict(train=8, val=4)


def write_scenes(root: Path) -> Path:
    """Write one set of pictures in the layouts of all tasks.

    Each has a disc and a square, of which the larger names the picture's
    class.
    """
    rng = np.random.default_rng(0)
    for split, number in SPLITS.items():
        coco = dict(
            images=[],
            annotations=[],
            categories=[
                dict(id=index + 1, name=name)
                for index, name in enumerate(CLASSES)
            ],
        )
        for index in range(number):
            noise = rng.integers(0, 80, (SIDE, SIDE, 3), dtype=np.uint8)
            image, label = Image.fromarray(noise), Image.new('L', (SIDE, SIDE))
            sides = (24, 14) if index % 2 else (14, 24)
            for kind, side in enumerate(sides):
                x, y = rng.integers(1, SIDE - side - 1, 2).tolist()
                box = [x, y, x + side, y + side]
                for canvas, fill in (
                    (image, (255, 60 + 150 * kind, 60)),
                    (label, kind + 1),
                ):
                    draw = ImageDraw.Draw(canvas)
                    (draw.rectangle if kind else draw.ellipse)(box, fill=fill)
                corners = [x, y, box[2], y, box[2], box[3], x, box[3]]
                coco['annotations'].append(
                    dict(
                        id=len(coco['annotations']) + 1,
                        image_id=index,
                        category_id=kind + 1,
                        bbox=[x, y, side, side],
                        area=side * side,
                        iscrowd=0,
                        segmentation=[corners],
                    )
                )
            name = f'{split}_{index}.jpg'
            coco['images'].append(
                dict(id=index, file_name=name, width=SIDE, height=SIDE)
            )
            larger = CLASSES[int(sides[1] > sides[0])]
            for folder, picture, suffix in (
                (f'folders/{split}/{larger}', image, '.jpg'),
                (f'img_dir/{split}', image, '.jpg'),
                (f'ann_dir/{split}', label, '.png'),
            ):
                (root / folder).mkdir(parents=True, exist_ok=True)
                file = (root / folder / name).with_suffix(suffix)
                picture.save(file, quality=95)
        (root / f'{split}.json').write_text(json.dumps(coco))
    return root
