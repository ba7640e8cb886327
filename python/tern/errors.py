# SPDX-License-Identifier: Apache-2.0
"""What tern raises. Every error is an Error and one of Python's own exceptions as well."""


class Error(Exception):
    """Whatever goes wrong: `[operation] expected ..., got ...`."""


class InvalidArgument(Error, ValueError):
    """An Error that is a ValueError; what has no kind of its own."""


class WrongType(Error, TypeError):
    """An Error that is a TypeError: a dtype that an operation does not know."""


class OutOfRange(Error, IndexError):
    """An Error that is an IndexError: an index, an id or an axis that there is not."""


class OutOfMemory(Error, MemoryError):
    """An Error that is a MemoryError."""


class NotFound(Error, FileNotFoundError):
    """An Error that is a FileNotFoundError."""


class LinalgError(InvalidArgument):
    """A matrix for which there is no result: singular, not positive definite, not finite."""
