"""Exporting models as graphs that run without mmvit."""

import contextlib
import importlib
import operator
import os
import os.path as osp
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .export_boxes import pair_boxes
from .export_formats import DYNAMIC, FORMATS
from .export_models import ExportedModel

#: Range of open heights and widths, in pixels. Below it the last map of a
#: pyramid can be a single token, of which torch.export makes another graph.
SIDES = (64, 8192)
#: What the format onnx needs, and setup.py's extra `export` installs.
ONNX_PACKAGES = ('onnx', 'onnxscript', 'onnxruntime')


class ExportError(ValueError):
    """A model that cannot be exported in the wanted way."""


class Difference(NamedTuple):
    """How far the exported graph is from the model.

    Attributes:
        shape: Shape of the images.
        largest: Largest difference of an output's value, as a share of the
            largest value of that output.
        boxes: Of a detector, the number of boxes that both have, and the
            number of all. Only the boxes that both have are compared.
    """

    shape: tuple[int, ...]
    largest: float
    boxes: tuple[int, int] | None = None


def format_of(path: str) -> str:
    """Tell the format of a file by its ending.

    Raises:
        ExportError: If the ending is that of no format, or if a package that
            the format needs is not installed.
    """
    names = {ending: name for name, ending in FORMATS.items()}
    ending = osp.splitext(path)[1].lower()
    if ending not in names:
        raise ExportError(f'{path} must end with {" or ".join(names)}')
    for package in ONNX_PACKAGES if names[ending] == 'onnx' else ():
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise ExportError(
                f'the format onnx needs {package}: pip install "mmvit[export]"'
            ) from error
    return names[ending]


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
        least, most = SIDES
        for axis, name in ((2, 'height'), (3, 'width')):
            axes[axis] = torch.export.Dim(name, min=least, max=most)
    return axes


@contextlib.contextmanager
def _without_special_cases(is_wanted: bool) -> Iterator[None]:
    """Let torch.export make one graph for one window and for several.

    The first setting is that of torch's exporter to ONNX. The second turns
    off a cache that compares sizes, and so fixes them in the graph. A release
    of torch that does not have them is used as it is: `trace` tells if it
    fixes a size.
    """
    settings = {
        'torch.fx.experimental._config': {'backed_size_oblivious': is_wanted},
        'torch._dynamo.config': {'fake_tensor_cache_enabled': not is_wanted},
    }
    with contextlib.ExitStack() as stack:
        for module, setting in settings.items():
            with contextlib.suppress(ImportError, AttributeError):
                config = importlib.import_module(module)
                stack.enter_context(config.patch(setting))
        yield


def trace(
    model: ExportedModel, shape: tuple[int, int], dynamic: Sequence[str] = ()
) -> torch.export.ExportedProgram:
    """Trace a model with torch.export.

    Args:
        model: What `for_export` has returned, in evaluation mode.
        shape: (H, W) of the images, in pixels.
        dynamic: Axes that stay open: 'batch', 'hw' (height and width, of 64
            to 8192 pixels), or both. Without 'batch' it is 1.

    Raises:
        ExportError: If the graph would hold for this size only.
    """
    axes = _open_sizes(dynamic)
    least, most = SIDES
    if 'hw' in dynamic and not all(least <= n <= most for n in shape):
        raise ExportError(
            f'shape {shape}: open height and width are {least} to {most} '
            'pixels; give such a shape, or leave them fixed'
        )
    images = random_images((2 if 0 in axes else 1, *shape), model)
    other = random_images(sizes_to_check(shape, dynamic)[1], model)
    try:
        with torch.no_grad(), _without_special_cases('hw' in dynamic):
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
            f'{_first_line(error)}'
        ) from error


def random_images(shape: tuple[int, int, int], model: nn.Module) -> Tensor:
    """Draw images of a shape (B, H, W), from 0 to 255."""
    batch, height, width = shape
    generator = torch.Generator().manual_seed(batch + height + width)
    images = torch.rand(batch, 3, height, width, generator=generator) * 255
    return images.to(next(model.parameters()).device)


def _floor_divide(length: Any, divisor: Any) -> Any:
    """Divide integers and round down, as Python does, in ONNX.

    Torch's exporter takes ONNX's division, which rounds towards zero: sizes
    that are rounded up as -(-H // w) would be too small.
    """
    op = importlib.import_module('onnxscript').opset18
    return op.Div(op.Sub(length, op.Mod(length, divisor)), divisor)


def save(
    program: torch.export.ExportedProgram, path: str, outputs: Sequence[str]
) -> None:
    """Write a traced program as .pt2 or, by the file's ending, as .onnx."""
    if format_of(path) == 'onnx':
        try:
            torch.onnx.export(
                program,
                f=path,
                dynamo=True,
                input_names=['images'],
                output_names=list(outputs),
                custom_translation_table={operator.floordiv: _floor_divide},
                external_data=False,  # One file, up to 2 GB
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            reason = _first_line(error.__cause__ or error)
            raise ExportError(f'torch.onnx cannot: {reason}') from error
    else:
        torch.export.save(program, path)


def load(path: str) -> Callable[[Tensor], list[Tensor]]:
    """Load a saved graph, to run it with onnxruntime if it is ONNX.

    Raises:
        ExportError: If onnxruntime cannot load it, or later run it.
    """
    if format_of(path) == 'torch-export':
        module = torch.export.load(path).module()
        return lambda images: list(module(images))
    onnxruntime = importlib.import_module('onnxruntime')

    def run(images: Tensor) -> list[Tensor]:
        with _told(f'run {path} on images of shape {tuple(images.shape)}'):
            found = session.run(None, {'images': images.cpu().numpy()})
        return [torch.from_numpy(part) for part in found]

    with _told(f'load {path}'):
        session = onnxruntime.InferenceSession(
            path, providers=['CPUExecutionProvider']
        )
    return run


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn what onnxruntime raises into an ExportError."""
    try:
        yield
    except Exception as error:
        raise ExportError(
            f'onnxruntime cannot {what}: {_first_line(error)}'
        ) from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def sizes_to_check(
    shape: tuple[int, int], dynamic: Sequence[str] = ()
) -> list[tuple[int, int, int]]:
    """Two shapes (B, H, W) of images, of which the second is not traced."""
    height, width = shape
    batch = 3 if 'batch' in dynamic else 1
    if 'hw' in dynamic:
        # Odd, so that all windows and strides leave a rest
        height, width = height + 51, width + 37
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
    graph, differences = load(path), []
    for size in dict.fromkeys(sizes_to_check(shape, dynamic)):
        images = random_images(size, model)
        with torch.no_grad():
            expected, outputs = model(images), graph(images)
        largest, boxes = _compare(model.outputs, expected, outputs)
        differences.append(Difference(tuple(images.shape), largest, boxes))
    return differences


def _compare(
    names: Sequence[str], expected: Sequence[Tensor], found: Sequence[Tensor]
) -> tuple[float, tuple[int, int] | None]:
    """Compare outputs; return what `Difference` has."""
    # A difference in half precision or of labels is told, too.
    expected, found = (
        [part.cpu().double() for part in parts] for parts in (expected, found)
    )
    pairs, boxes = list(zip(expected, found)), None
    if 'boxes' in names:
        pairs, number = pair_boxes(expected, found)
        boxes = (len(pairs[0][0]), number)
    gaps = [
        (ours - other).abs().max() / ours.abs().max().clamp(min=1e-12)
        for ours, other in pairs
        if len(ours)
    ]
    # Unlike Python's max, that of torch keeps a NaN.
    return torch.stack(gaps).max().item() if gaps else 0.0, boxes


def export_model(
    model: ExportedModel,
    path: str,
    shape: tuple[int, int],
    dynamic: Sequence[str] = (),
) -> list[Difference]:
    """Export a model to a file, and compare the file with the model.

    Args:
        model: What `mmvit.apis.export_models.for_export` has returned.
        path: File to write, .pt2 or .onnx. Its folder is made.
        shape: (H, W) of the images, in pixels.
        dynamic: See `trace`.

    Returns:
        The differences at two sizes, or at one where no axis is open.

    Raises:
        ExportError: If it cannot be exported, with the reason.
    """
    model.eval()
    format_of(path)  # What is missing is told before the graph is traced.
    os.makedirs(osp.dirname(osp.abspath(path)), exist_ok=True)
    save(trace(model, shape, dynamic), path, model.outputs)
    return check(model, path, shape, dynamic)
