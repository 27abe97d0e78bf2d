"""What mmengine and mmpretrain learn about mmvit when they are imported.

Each function gets the imported module. What the libraries find without us
stays as it is.
"""

import functools
from types import ModuleType, SimpleNamespace

from .names import (
    find_config,
    list_models,
    name_of,
    near_it,
    published_weights,
    same_name,
)

_SCHEME = 'mmvit://'


def add_prefixes(module: ModuleType) -> None:
    """Let mmengine find `mmseg::` and `mmvit::` configs.

    mmengine resolves `mmseg::` through the name of a distribution, and the
    maintained mmsegmentation has another one. The import name serves both.
    """
    module.MODULE2PACKAGE.update(mmseg='mmseg', mmvit='mmvit')


def keep_scope(module: ModuleType) -> None:
    """Let types in a `mmvit::` config be looked up as in the file itself.

    mmengine marks what it inherits through a prefix with the prefix's scope,
    so that `type='ImageClassifier'` would be looked up in mmvit. Our configs
    name the classes of their task's library, and ours as `mmvit.PVT`.
    """
    resolve = module.Config._get_cfg_path

    @functools.wraps(resolve)
    def resolve_unmarked(
        cfg_path: str, filename: str
    ) -> tuple[str, str | None]:
        path, scope = resolve(cfg_path, filename)
        return path, None if scope == 'mmvit' else scope

    module.Config._get_cfg_path = staticmethod(resolve_unmarked)


def add_scheme(module: ModuleType) -> None:
    """Let mmengine load `mmvit://NAME`, a published file under our names."""

    def load_from_zoo(name: str, map_location: object = None) -> object:
        # Whoever loads a file has imported torch and mmengine.
        from mmvit.checkpoints import reading

        return reading.load_from_zoo(name, map_location)

    module.CheckpointLoader.register_scheme(_SCHEME, load_from_zoo)


def _tell_of_both(name: str, library: str) -> None:
    """Say whose model of a name is taken, if we have one of that name too."""
    theirs = same_name(name, library)
    if name_of(name) and theirs:
        # mmengine, which is being used, has imported it.
        from mmengine.logging import print_log

        print_log(
            f"{name!r} is {library}'s own model here ({theirs}). mmvit's "
            f'model of this name is {find_config(name)}: give this path, or '
            'use mmvit.Inferencer or mmvit.get_model',
            'current',
        )


def _ours(model: str, library: str, config_class: type) -> tuple | None:
    """Find a model of ours for a library: its name and its config."""
    name = name_of(model)
    cfg = name and config_class.fromfile(find_config(name))
    return (name, cfg) if cfg and cfg.default_scope == library else None


def _not_found(error: ValueError, model: str) -> ValueError:
    """Make a library's error for an unknown name tell near names of ours."""
    near = '' if name_of(model) else near_it(model, list_models())
    return ValueError(f'{error}{near}')


def add_names(module: ModuleType) -> None:
    """Let the inferencers of mmdet and mmseg find our models by name."""
    inferencer = module.BaseInferencer
    find = inferencer._load_model_from_metafile

    @functools.wraps(find)
    def find_ours_too(self: object, model: str) -> tuple:
        try:
            found = find(self, model)
        except ValueError as error:
            ours = _ours(model, self.scope, module.Config)
            if ours is None:
                raise _not_found(error, model) from error
            name, cfg = ours
            return cfg, published_weights(name)
        _tell_of_both(model, self.scope)
        return found

    inferencer._load_model_from_metafile = find_ours_too


def add_classifiers(module: ModuleType) -> None:
    """Let `get_model` and `inference_model` of mmpretrain find our models."""
    hub = module.ModelHub
    find = hub.get

    def find_ours_too(model_name: str) -> object:
        try:
            found = find(model_name)
        except ValueError as error:
            ours = _ours(model_name, 'mmpretrain', module.Config)
            if ours is None:
                raise _not_found(error, model_name) from error
            name, cfg = ours
            return describe_classifier(name, cfg, published_weights(name))
        _tell_of_both(model_name, 'mmpretrain')
        return found

    hub.get = staticmethod(find_ours_too)


def describe_classifier(
    name: str, config: object, weights: str | None = None
) -> SimpleNamespace:
    """Make what mmpretrain keeps of a classifier in its hub.

    Args:
        name: The model's name.
        config: Its config, as mmengine has loaded it.
        weights: Where its weights are.
    """
    task = SimpleNamespace(task='Image Classification')
    return SimpleNamespace(
        name=name, config=config, weights=weights, results=[task]
    )


# By the module that is imported
ADDITIONS = {
    'mmengine.config.utils': add_prefixes,
    'mmengine.config.config': keep_scope,
    'mmengine.runner.checkpoint': add_scheme,
    'mmengine.infer.infer': add_names,
    'mmpretrain.apis.model': add_classifiers,
}
