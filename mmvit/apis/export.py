"""Exporting models as graphs that run without mmvit."""

import importlib
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .export_models import ExportedModel

DYNAMIC = ('batch', 'hw')
#: Open heights and widths are multiples of it, as the strides of all stages
#: are; mmdet pads to it. Pixels.
MULTIPLE = 32


class ExportError(ValueError):
    """A model that cannot be exported in the wanted way."""


class Difference(NamedTuple):
    """How far the exported graph is from the model.

    Attributes:
        shape: Shape of the images.
        largest: Largest difference of an output's value, as a share of the
            largest value of that output.
    """

    shape: tuple[int, ...]
    largest: float


def require(name: str) -> object:
    """Import a package that only the ONNX format needs.

    Raises:
        ExportError: If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ExportError(
            f'the format onnx needs {name}: pip install "mmvit[export]"'
        ) from error


def _open_sizes(dynamic: Sequence[str]) -> dict | None:
    """Name the axes of the images that stay open."""
    wrong = set(dynamic) - set(DYNAMIC)
    if wrong:
        raise ExportError(
            f'dynamic {sorted(wrong)}: choose of {", ".join(DYNAMIC)}'
        )
    axes: dict = {}
    if 'batch' in dynamic:
        axes[0] = torch.export.Dim('batch', min=1, max=1024)
    if 'hw' in dynamic:
        # On smaller maps there is a single window, which is a special case.
        for axis, name in ((2, 'height'), (3, 'width')):
            side = torch.export.Dim(f'{name}_{MULTIPLE}th', min=4, max=256)
            axes[axis] = MULTIPLE * side
    return axes


def trace(
    model: ExportedModel, shape: tuple[int, int], dynamic: Sequence[str] = ()
) -> torch.export.ExportedProgram:
    """Trace a model with torch.export.

    Args:
        model: What `for_export` has returned, in evaluation mode.
        shape: (H, W) of the images, in pixels.
        dynamic: Axes that stay open: 'batch', 'hw' (height and width, which
            are multiples of 32), or both. Without 'batch' it is 1.

    Raises:
        ExportError: If the graph would hold for this size only.
    """
    axes = _open_sizes(dynamic)
    least = 4 * MULTIPLE
    if 'hw' in dynamic and any(n % MULTIPLE or n < least for n in shape):
        raise ExportError(
            f'shape {shape}: with open height and width it must be multiples '
            f'of {MULTIPLE} from {least} on'
        )
    images = random_images((2 if 0 in axes else 1, *shape), model)
    other = random_images(sizes_to_check(shape, dynamic)[1], model)
    try:
        with torch.no_grad():
            program = torch.export.export(
                model, (images,), dynamic_shapes=(axes,), strict=False
            )
            # Torch's guards fail here if a size got fixed; ONNX has none.
            program.module()(other)
        return program
    except Exception as error:
        raise ExportError(
            f'torch.export cannot trace this model with open '
            f'{" and ".join(dynamic) or "nothing"}: '
            f'{str(error).strip().splitlines()[0]}'
        ) from error


def random_images(shape: tuple[int, int, int], model: nn.Module) -> Tensor:
    """Draw images of a shape (B, H, W), from 0 to 255."""
    batch, height, width = shape
    generator = torch.Generator().manual_seed(batch + height + width)
    images = torch.rand(batch, 3, height, width, generator=generator) * 255
    return images.to(next(model.parameters()).device)


def save(
    program: torch.export.ExportedProgram, path: str, outputs: Sequence[str]
) -> None:
    """Write a traced program as .pt2 or, by the file's ending, as .onnx."""
    if path.endswith('.onnx'):
        for name in ('onnx', 'onnxscript'):
            require(name)
        try:
            torch.onnx.export(
                program,
                f=path,
                dynamo=True,
                input_names=['images'],
                output_names=list(outputs),
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            reason = str(error.__cause__ or error).strip().splitlines()[0]
            raise ExportError(f'torch.onnx cannot: {reason}') from error
    else:
        torch.export.save(program, path)


def run(path: str, images: Tensor) -> list[Tensor]:
    """Run a saved graph, with onnxruntime if it is ONNX."""
    if path.endswith('.onnx'):
        session = require('onnxruntime').InferenceSession(
            path, providers=['CPUExecutionProvider']
        )
        found = session.run(None, {'images': images.cpu().numpy()})
        return [torch.from_numpy(part) for part in found]
    with torch.no_grad():
        return list(torch.export.load(path).module()(images))


def sizes_to_check(
    shape: tuple[int, int], dynamic: Sequence[str] = ()
) -> list[tuple[int, int, int]]:
    """Two shapes (B, H, W) of images, of which the second is not traced."""
    height, width = shape
    batch = 3 if 'batch' in dynamic else 1
    if 'hw' in dynamic:
        height, width = height + 2 * MULTIPLE, width + MULTIPLE
    return [(1, *shape), (batch, height, width)]


def check(
    model: ExportedModel,
    path: str,
    shape: tuple[int, int],
    dynamic: Sequence[str] = (),
) -> list[Difference]:
    """Compare a saved graph with the model, at two sizes of images.

    A graph without open axes is compared at its only size.
    """
    differences = []
    for size in dict.fromkeys(sizes_to_check(shape, dynamic)):
        images = random_images(size, model)
        with torch.no_grad():
            expected = model(images)
        largest = 0.0
        for ours, found in zip(expected, run(path, images)):
            # A difference in half precision or of labels is told, too.
            gap = (ours.cpu().double() - found.cpu().double()).abs().max()
            scale = ours.double().abs().max().clamp(min=1e-12).cpu()
            largest = max(largest, (gap / scale).item())
        differences.append(Difference(tuple(images.shape), largest))
    return differences


def export_model(
    model: ExportedModel,
    path: str,
    shape: tuple[int, int],
    dynamic: Sequence[str] = (),
) -> list[Difference]:
    """Export a model to a file, and compare the file with the model.

    Args:
        model: What `mmvit.apis.export_models.for_export` has returned.
        path: File to write, .pt2 or .onnx.
        shape: (H, W) of the images, in pixels.
        dynamic: See `trace`.

    Returns:
        The differences at two sizes, or at one where no axis is open.

    Raises:
        ExportError: If it cannot be exported, with the reason.
    """
    model.eval()
    if path.endswith('.onnx'):
        for name in ('onnx', 'onnxscript', 'onnxruntime'):
            require(name)
    save(trace(model, shape, dynamic), path, model.outputs)
    return check(model, path, shape, dynamic)
