# SPDX-License-Identifier: Apache-2.0
"""A plugin of pytest for array-api-tests: the functions of an extension module have no signature that `inspect` finds, so the suite
would skip what it has no arguments for. This gives it the one that nanobind keeps, which is in the type stubs as well."""
import inspect

import tern

_inspected = inspect.signature


def _declared(function):
    texts = function.__nb_signature__
    if len(texts) != 1:
        raise ValueError("overloaded")
    scope = {}
    exec(f"from __future__ import annotations\n{texts[0][0]}: ...", dict(vars(tern)), scope)
    return _inspected(scope.popitem()[1])


def signature(function, **options):
    try:
        return _inspected(function, **options)
    except ValueError:
        if not hasattr(function, "__nb_signature__"):
            raise
        found = _declared(function)
        return found.replace(parameters=list(found.parameters.values())[1:]) if hasattr(function, "__self__") else found


inspect.signature = signature
