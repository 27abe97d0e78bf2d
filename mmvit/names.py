"""Our configs by the names of their models, such as `pvt-s_8xb128-300e_in1k`.

Imports neither torch nor mmengine, so that listing the names is fast.
"""

import difflib
import fnmatch
import functools
import importlib.util
from collections.abc import Iterable
from pathlib import Path

import yaml


def near_it(text: str, known: Iterable[str]) -> str:
    """List names that are like a text, for the end of an error message.

    Upper case, `_` and `-` make no difference. Names that contain the text
    come before those that look like it.

    Returns:
        Such as '; near it: pvt-t, pvt-s', or '' if no name is near.
    """
    plain = {name.lower().replace('_', '-'): name for name in known}
    wanted = text.lower().replace('_', '-')
    near = [name for name in plain if wanted and wanted in name]
    near.sort(key=lambda name: (not name.startswith(wanted), len(name)))
    near += difflib.get_close_matches(wanted, plain, cutoff=0.45)
    names = [plain[name] for name in dict.fromkeys(near)][:3]
    return f'; near it: {", ".join(names)}' if names else ''


@functools.cache
def config_root() -> Path:
    """Return the folder that holds `configs` and `model-index.yml`.

    It is the package's `.mim`, or the repository if nothing is installed.
    """
    package = Path(__file__).parent
    installed = package / '.mim'
    return installed if (installed / 'configs').is_dir() else package.parent


@functools.cache
def config_files() -> dict[str, Path]:
    """Return the files of all models by name, without those of `_base_`."""
    files = sorted((config_root() / 'configs').glob('*/*.py'))
    return {f.stem: f for f in files if f.parent.name != '_base_'}


def list_models(pattern: str = '*') -> list[str]:
    """List the names of our models, in alphabetical order.

    `mmvit.get_model` and `mmvit.Inferencer` take them.

    Args:
        pattern: Which of them, such as `'retinanet_pvt*'`; `*` stands for any
            text and `?` for one character.
    """
    return fnmatch.filter(sorted(config_files()), pattern)


@functools.cache
def backbone_models() -> dict[str, str]:
    """Return our backbones by name, each with a model that has it.

    The name of a classifier begins with its backbone's; that of another model
    begins with its method. The folder of a backbone has its family's name,
    and that of SETR has the plain transformers.
    """
    families = {path.parent.name for path in config_files().values()}
    found = {}
    for name in sorted(config_files(), key=lambda name: name.count('_')):
        parts = name.split('_')
        is_classifier = len(parts) == 3
        backbone = parts[0 if is_classifier else 1]
        ours = backbone.partition('-')[0] in families
        if ours or name.startswith('setr-'):
            found.setdefault(backbone, name)
    return found


def list_backbones(pattern: str = '*') -> list[str]:
    """List the names of our backbones, which `mmvit.get_backbone` takes.

    Args:
        pattern: Which of them, such as `'pvt*'`, as in `list_models`.

    Returns:
        The names in alphabetical order.
    """
    return fnmatch.filter(sorted(backbone_models()), pattern)


def find_config(name: str) -> Path:
    """Return the file of a model's config.

    Raises:
        ValueError: If there is no such name; the message has similar ones.
    """
    files = config_files()
    if name not in files:
        raise ValueError(
            f'mmvit has no model {name!r}{near_it(name, files)}. '
            'mmvit.list_models() has all names'
        )
    return files[name]


def name_of(model: str) -> str | None:
    """Return the name that is a model's, or that its config's path means.

    It is None if the text is neither a name nor such a path.
    """
    files = config_files()
    if model in files:
        return model
    path = Path(model)
    known = files.get(path.stem)
    same = known and path.is_file() and path.samefile(known)
    return path.stem if same else None


def published_weights(name: str) -> str | None:
    """Return the `mmvit://` name of a model's published weights, if any.

    The metafile beside the model's config tells it.
    """
    metafile = find_config(name).with_name('metafile.yml')
    if not metafile.is_file():
        return None
    loader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
    content = loader(metafile.read_text(encoding='utf-8')).get_single_data()
    facts = {model['Name']: model for model in content['Models']}
    return facts.get(name, {}).get('Weights')


def same_name(name: str, library: str) -> str | None:
    """Return where a library has a model of the same name, if it has one.

    It is the config's address, such as `mmdet::pvt/retinanet_pvt-s_...py`.
    """
    spec = importlib.util.find_spec(library)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / '.mim' / 'configs'
    found = next(folder.glob(f'*/{name}.py'), None)
    return found and f'{library}::{found.parent.name}/{found.name}'
