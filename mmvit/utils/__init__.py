"""Small helpers: the environment's description, texts, paths."""


def register_all_modules(init_default_scope: bool = True) -> None:  # noqa: ARG001
    """Register all our modules, as `mmengine.hub.get_model` asks for it.

    Each library has this function; usually nobody needs to call ours, because
    our registries do this when they are first asked for a class.

    Args:
        init_default_scope: Without effect. The names in our configs are those
            of the task's library, so that mmvit is never the default scope.
    """
    # mmengine is slow to import, and other helpers do not need it.
    from mmengine.registry import Registry

    from mmvit import registry  # for the same reason

    for value in vars(registry).values():
        if isinstance(value, Registry) and value.scope == 'mmvit':
            value.import_from_location()
