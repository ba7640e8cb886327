# SPDX-License-Identifier: Apache-2.0
"""The array namespace against NumPy: names, keywords and numbers. Edge by edge, array-api-tests hold it to the standard
(scripts/test-array-api), and the C++ tests the functions themselves."""
import numpy as np
import pytest
import tern

GENERATOR = np.random.default_rng(7)
SHAPES = [(), (1,), (0,), (7,), (17,), (3, 0), (5, 1, 3), (2, 3, 4)]
REALS = ["float32", "float64"]
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


def sample(shape, dtype, low=-4.0, high=4.0):
    if dtype == "bool":
        return np.asarray(GENERATOR.integers(0, 2, shape), dtype)
    if np.dtype(dtype).kind in "iu":
        return np.asarray(GENERATOR.integers(0 if dtype.startswith("u") else -9, 10, shape), dtype)
    if np.dtype(dtype).kind == "c":
        return np.asarray(sample(shape, "float64") + 1j * sample(shape, "float64"), dtype)
    return np.asarray(GENERATOR.uniform(low, high, shape), dtype)


def same(got, wanted, ulps=4):
    """Equal dtypes and shapes, and numbers that differ by some units in the last place at most."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.dtype == wanted.dtype and got.shape == wanted.shape
    if wanted.dtype.kind in "fc":
        eps = np.finfo(wanted.dtype).eps
        np.testing.assert_allclose(got, wanted, rtol=ulps * eps, atol=ulps * eps)
    else:
        np.testing.assert_array_equal(got, wanted)


RENAMED = {"acos": "arccos", "asin": "arcsin", "atan": "arctan", "acosh": "arccosh", "asinh": "arcsinh", "atanh": "arctanh",
           "atan2": "arctan2", "pow": "power", "bitwise_invert": "invert", "bitwise_left_shift": "left_shift",
           "bitwise_right_shift": "right_shift", "concat": "concatenate", "permute_dims": "transpose",
           "cumulative_sum": "cumsum", "cumulative_prod": "cumprod"}


def numpy_function(name):
    return getattr(np, RENAMED.get(name, name))


# name, and where its argument lies
UNARY = [("abs", -4, 4), ("negative", -4, 4), ("positive", -4, 4), ("sign", -4, 4), ("square", -4, 4), ("sqrt", 0, 4), ("floor", -4, 4),
         ("ceil", -4, 4), ("trunc", -4, 4), ("round", -4, 4), ("exp", -4, 4), ("expm1", -4, 4), ("log", 0.1, 4), ("log1p", -0.5, 4),
         ("log2", 0.1, 4), ("log10", 0.1, 4), ("sin", -4, 4), ("cos", -4, 4), ("tan", -1, 1), ("asin", -1, 1), ("acos", -1, 1),
         ("atan", -4, 4), ("sinh", -4, 4), ("cosh", -4, 4), ("tanh", -4, 4), ("asinh", -4, 4), ("acosh", 1, 4), ("atanh", -0.9, 0.9),
         ("isfinite", -4, 4), ("isinf", -4, 4), ("isnan", -4, 4), ("signbit", -4, 4), ("logical_not", -4, 4), ("reciprocal", 0.5, 4)]
BINARY = ["add", "subtract", "multiply", "divide", "minimum", "maximum", "hypot", "copysign", "atan2", "logaddexp", "nextafter", "equal",
          "not_equal", "less", "less_equal", "greater", "greater_equal", "logical_and", "logical_or", "logical_xor"]
INTEGER_BINARY = ["add", "subtract", "multiply", "minimum", "maximum", "bitwise_and", "bitwise_or", "bitwise_xor", "equal", "less"]


@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("name, low, high", UNARY)
def test_unary(name, low, high, dtype):
    for shape in SHAPES:
        x = sample(shape, dtype, low, high)
        same(getattr(tern, name)(tern.asarray(x)), numpy_function(name)(x))


@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("name", BINARY)
def test_binary(name, dtype):
    for shape in SHAPES:
        x, y = sample(shape, dtype), sample(shape[-1:], dtype)
        same(getattr(tern, name)(tern.asarray(x), tern.asarray(y)), numpy_function(name)(x, y))


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", INTEGER_BINARY)
def test_integers(name, dtype):
    for shape in SHAPES:
        x, y = sample(shape, dtype), sample(shape[-1:], dtype)
        same(getattr(tern, name)(tern.asarray(x), tern.asarray(y)), numpy_function(name)(x, y))


@pytest.mark.parametrize("operator", ["+", "-", "*", "/", "//", "%", "**", "==", "<", ">="])
@pytest.mark.parametrize("dtype", [*REALS, "int32"])
def test_operators(operator, dtype):
    x, y = np.abs(sample((3, 4), dtype)) + np.ones((), dtype), np.abs(sample((4,), dtype)) + np.ones((), dtype)
    wanted = eval(f"x {operator} y")
    if operator == "/" and dtype == "int32":  # the standard leaves it open; NumPy has float64
        wanted = wanted.astype(np.float32)
    got = eval(f"a {operator} b", {"a": tern.asarray(x), "b": tern.asarray(y)})
    same(got, wanted, ulps=16)


@pytest.mark.parametrize("operator", ["+", "-", "*", "//", "%", "&", "|", "^", "<<", ">>"])
def test_in_place(operator):
    x, y = np.asarray([9, 8, 7]), np.asarray([1, 2, 3])
    a, b = tern.asarray(x.copy()), tern.asarray(y)
    kept = a
    kept_view = a[1:]
    exec(f"a {operator}= b", scope := {"a": a, "b": b})
    wanted = eval(f"x {operator} y")
    assert scope["a"] is kept
    same(kept, wanted)
    same(kept_view, wanted[1:])


@pytest.mark.parametrize("dtype", [*REALS, "int64"])
@pytest.mark.parametrize("name", ["sum", "prod", "max", "min", "any", "all", "argmax", "argmin", "mean", "var", "std"])
def test_reductions(name, dtype):
    if dtype == "int64" and name in ("mean", "var", "std"):
        pytest.skip("the standard leaves them open for integers")
    for shape in [(1,), (7,), (17,), (5, 1, 3), (2, 3, 4)]:
        x = sample(shape, dtype)
        for axis in [None, 0, -1]:
            for keep in (False, True):
                wanted = numpy_function(name)(x, axis=axis, keepdims=keep)
                same(getattr(tern, name)(tern.asarray(x), axis=axis, keepdims=keep), wanted, ulps=64)


WIDE = {"bool": "int64", **{name: "u" * (name[0] == "u") + "int64" for name in INTEGERS}}


@pytest.mark.parametrize("dtype", WIDE)
def test_sums_of_integers_have_64_bits(dtype):
    """By the standard, whose default integer is int64; NumPy does the same where a C long has 64 bits."""
    x = sample((3, 5), dtype)
    t = tern.asarray(x)
    for got, wanted in [(tern.sum(t), x.sum()), (t.sum(1), x.sum(1)), (tern.prod(t, axis=0), x.prod(0)), (t.prod(), x.prod()),
                        (tern.cumulative_sum(t, axis=1), x.cumsum(1)), (tern.cumulative_prod(t, axis=0), x.cumprod(0)),
                        (tern.linalg.trace(t), np.trace(x))]:
        assert np.asarray(wanted).dtype == WIDE[dtype]
        same(got, wanted)
    for given in ["int16", "uint8", "float32"]:
        for got, wanted in [(tern.sum(t, axis=0, dtype=given), x.sum(0, dtype=given)), (tern.prod(t, dtype=given), x.prod(dtype=given)),
                            (tern.cumulative_sum(t, axis=0, dtype=given), x.cumsum(0, dtype=given)),
                            (tern.cumulative_prod(t, axis=1, dtype=given), x.cumprod(1, dtype=given)),
                            (tern.linalg.trace(t, dtype=given), np.trace(x, dtype=given))]:
            same(got, wanted)


@pytest.mark.parametrize("dtype", REALS)
def test_quantiles(dtype):
    x = sample((5, 8), dtype)
    t = tern.asarray(x)
    for axis in (None, 0, -1, (0, 1)):
        for keep in (False, True):
            same(tern.median(t, axis=axis, keepdims=keep), np.median(x, axis, keepdims=keep))
            same(tern.quantile(t, 0.3, axis=axis, keepdims=keep), np.asarray(np.quantile(x, 0.3, axis, keepdims=keep), dtype), ulps=16)
    for method in ("inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "hazen", "weibull", "linear",
                   "median_unbiased", "normal_unbiased", "lower", "higher", "midpoint", "nearest"):
        q = [0.0, 0.1, 0.5, 0.77, 1.0]
        same(tern.quantile(t, q, axis=1, method=method), np.asarray(np.quantile(x, q, 1, method=method), dtype), ulps=16)
    with pytest.raises(tern.Error, match="expected a method of 'inverted_cdf', .*, got 'middle'"):
        tern.quantile(t, 0.5, method="middle")


def test_running_sums():
    x = sample((3, 5), "float64")
    same(tern.cumulative_sum(tern.asarray(x), axis=1), np.cumsum(x, 1), ulps=16)
    same(tern.cumulative_prod(tern.asarray(x), axis=0), np.cumprod(x, 0), ulps=16)
    assert tern.cumulative_sum(tern.asarray(x), axis=1, include_initial=True).shape == (3, 6)
    same(tern.diff(tern.asarray(x), axis=0), np.diff(x, axis=0))


def test_creation():
    for got, wanted in [
        (tern.arange(5), np.arange(5)), (tern.arange(2, 9, 3), np.arange(2, 9, 3)), (tern.arange(5, -1, -2), np.arange(5, -1, -2)),
        (tern.arange(0.0, 1.0, 0.25), np.arange(0, 1, 0.25, dtype="f4")), (tern.linspace(0, 1, 5), np.linspace(0, 1, 5, dtype="f4")),
        (tern.eye(3, 4, k=1), np.eye(3, 4, k=1, dtype="f4")), (tern.full((2, 2), 7), np.full((2, 2), 7)),
        (tern.ones((2,), dtype=tern.uint8), np.ones(2, "u1")), (tern.zeros_like(tern.ones((3,))), np.zeros(3, "f4")),
        (tern.tril(tern.ones((3, 3)), k=-1), np.tril(np.ones((3, 3), "f4"), -1)), (tern.full_like(tern.arange(3), 2), np.full(3, 2)),
    ]:
        same(got, wanted)
    for got, wanted in zip(tern.meshgrid(tern.arange(3), tern.arange(2)), np.meshgrid(np.arange(3), np.arange(2))):
        same(got, wanted)


def test_manipulation():
    x = sample((2, 3, 4), "float32")
    t = tern.asarray(x)
    for got, wanted in [
        (tern.flip(t), np.flip(x)), (tern.flip(t, axis=1), np.flip(x, 1)), (tern.roll(t, 2), np.roll(x, 2)),
        (tern.roll(t, (1, -1), axis=(0, 2)), np.roll(x, (1, -1), (0, 2))), (tern.moveaxis(t, 0, -1), np.moveaxis(x, 0, -1)),
        (tern.squeeze(t[:, :1], 1), x[:, 0]), (tern.expand_dims(t, axis=-1), x[..., None]), (tern.stack([t, t], axis=1), np.stack([x, x], 1)),
        (tern.concat([t, t], axis=None), np.concatenate([x, x], None)), (tern.repeat(t, 2, axis=1), np.repeat(x, 2, 1)),
        (tern.tile(t, (2, 1, 2)), np.tile(x, (2, 1, 2))), (tern.permute_dims(t, (2, 0, 1)), x.transpose(2, 0, 1)),
        (tern.matrix_transpose(t), x.swapaxes(1, 2)), (tern.unstack(t, axis=2)[3], x[..., 3]),
        (tern.take(t, tern.asarray([2, 0]), axis=1), np.take(x, [2, 0], 1)), (tern.pad(t[0], [(1, 0), (0, 2)]), np.pad(x[0], [(1, 0), (0, 2)])),
        (tern.broadcast_to(t, (5, 2, 3, 4)), np.broadcast_to(x, (5, 2, 3, 4))),
    ]:
        same(got, wanted)
    assert tern.broadcast_shapes((3, 1), 4, (2, 1, 1)) == (2, 3, 4) and tern.broadcast_shapes() == ()
    same(tern.cast_saturating(tern.asarray([-1, 300, 7]), tern.uint8), np.asarray([0, 255, 7], "u1"))
    assert [part.shape for part in tern.split(t, [1, 3], axis=2)] == [(2, 3, 1), (2, 3, 2), (2, 3, 1)] and len(tern.split(t, 2)) == 2
    same(tern.repeat(t, tern.asarray([1, 0, 2]), axis=1), np.repeat(x, [1, 0, 2], 1))
    assert [part.shape for part in tern.broadcast_arrays(tern.ones((3, 1)), tern.ones((4,)))] == [(3, 4), (3, 4)]


KEYS = [np.s_[[2, 0]], np.s_[:, [1, 1, 0]], np.s_[[0, 1], [2, 3]], np.s_[[0, 1], :, [2, 3]], np.s_[..., [0]], np.s_[np.array([[0, 1], [2, 0]])],
        np.s_[np.array([True, False, True])], np.s_[:, np.array([True, False, True, False])], np.s_[np.array(True)], np.s_[0, [1, 2]],
        np.s_[[-1], 1:3], np.s_[[]], np.s_[None, [0, 2], ..., 1]]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_advanced_indexing(key):
    x = sample((3, 4, 5), "int64")
    t = tern.asarray(x.copy())
    own = tuple(map(as_own, key)) if isinstance(key, tuple) else as_own(key)
    same(t[own], x[key])
    same(t[key], x[key])  # NumPy's arrays are indices, too
    t[own] = 77
    x[key] = 77
    same(t, x)


def as_own(part):
    return tern.asarray(part) if isinstance(part, np.ndarray) else part


def test_masks_of_all_axes():
    x = sample((3, 4), "float32")
    t = tern.asarray(x.copy())
    same(t[t > 0], x[x > 0])
    t[t < 0] = 0
    same(t, np.maximum(x, 0))


@pytest.mark.parametrize("dtype", ["float32", "int16", "bool"])
def test_order_and_sets(dtype):
    x = sample((4, 9), dtype)
    t = tern.asarray(x)
    same(tern.sort(t, axis=0), np.sort(x, 0))
    same(tern.argsort(t), np.argsort(x, kind="stable"))
    same(tern.sort(t, descending=True), np.sort(x)[:, ::-1])
    same(tern.unique_values(t), np.unique(x))
    values, indices, inverse, counts = tern.unique_all(t)
    wanted = np.unique(x, return_index=True, return_inverse=True, return_counts=True)
    same(values, wanted[0])
    same(indices, wanted[1])
    same(tern.reshape(inverse, (-1,)), wanted[2].reshape(-1))
    same(counts, wanted[3])
    for got, of in zip(tern.nonzero(t), np.nonzero(x)):
        same(got, of)
    same(tern.searchsorted(values, t), np.searchsorted(wanted[0], x))
    same(tern.isin(t, values[:1]), np.isin(x, wanted[0][:1]))


# subscripts and the shapes of the operands
EINSUMS = [("ij,jk->ik", (3, 4), (4, 5)), ("ij,jk", (3, 4), (4, 5)), ("ii->i", (4, 4)), ("ii", (4, 4)), ("ij->ji", (3, 5)), ("ij->", (3, 5)),
           ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)), ("...ij,...jk->...ik", (2, 1, 3, 4), (6, 4, 5)), ("i,j->ij", (3,), (0,)), ("i,i->", (0,), (0,)),
           ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)), (" b a , b -> a ", (3, 7), (3,)), ("...->...", (2, 3)), (",ij->ij", (), (2, 3)),
           ("abc,cb->a", (2, 3, 4), (4, 3)), ("Ba,aB", (2, 3), (3, 2))]


@pytest.mark.parametrize("dtype", [*REALS, "int32", "complex128"])
@pytest.mark.parametrize("subscripts, shapes", [(subscripts, shapes) for subscripts, *shapes in EINSUMS], ids=[one[0] for one in EINSUMS])
def test_einsum(subscripts, shapes, dtype):
    operands = [sample(shape, dtype) for shape in shapes]
    same(tern.einsum(subscripts, *map(tern.asarray, operands)), np.einsum(subscripts, *operands), ulps=400)


@pytest.mark.parametrize("dtype", [*REALS, "uint8", "complex64"])
def test_products(dtype):
    a, b = sample((2, 3, 4), dtype), sample((3, 4, 5), dtype)
    for axes in (2, ((1, 2), (0, 1)), ([2], [1]), ((-1,), (-2,))):
        same(tern.tensordot(tern.asarray(a), tern.asarray(b), axes=axes), np.tensordot(a, b, axes), ulps=400)
    same(tern.tensordot(tern.asarray(a), tern.asarray(b[0, 0]), axes=0), np.tensordot(a, b[0, 0], 0))
    same(tern.tensordot(tern.asarray(a[:, :, :0]), tern.asarray(b[0, :0]), axes=1), np.zeros((2, 3, 5), dtype))
    c = sample((3, 1), dtype)
    for x, y, axis in [(a, a, -1), (a, a[:1], -2), (a, c, -2), (a[0], a[0], -2)]:
        wanted = np.asarray(np.sum(np.conj(x) * y, axis=axis), dtype)
        same(tern.vecdot(tern.asarray(x), tern.asarray(y), axis=axis), wanted, ulps=200)
    same(tern.linalg.vecdot(tern.asarray(a[:, :, :0]), tern.asarray(a[:, :, :0])), np.zeros((2, 3), dtype))


def test_products_of_what_does_not_fit():
    a = tern.ones((2, 3))
    for call, text in [(lambda: tern.einsum("ij,jk", a, a), r"\[einsum\] expected .*j"), (lambda: tern.einsum("ij", a, a), r"\[einsum\]"),
                       (lambda: tern.tensordot(a, a, axes=1), r"\[tensordot\]"), (lambda: tern.vecdot(a, a[:, :2]), r"\[vecdot\]")]:
        with pytest.raises(tern.Error, match=text):
            call()
    with pytest.raises(tern.Error, match=r"\[einsum\] expected tensors, got <class 'str'>"):
        tern.einsum("i->i", "text")


@pytest.mark.parametrize("dtype", REALS)
def test_linear_algebra(dtype):
    a = sample((3, 5, 5), dtype)
    a = a @ a.swapaxes(1, 2) + 5 * np.eye(5, dtype=dtype)
    t = tern.asarray(a)
    la = tern.linalg
    for got, wanted in [(la.inv(t), np.linalg.inv(a)), (la.det(t), np.linalg.det(a)), (la.cholesky(t), np.linalg.cholesky(a)),
                        (la.eigvalsh(t), np.linalg.eigvalsh(a)), (la.svdvals(t), np.linalg.svd(a, compute_uv=False)),
                        (la.solve(t, t[:1, :, :2]), np.linalg.solve(a, a[:1, :, :2])), (la.matrix_power(t, 3), np.linalg.matrix_power(a, 3)),
                        (la.matrix_norm(t), np.linalg.norm(a, axis=(1, 2))), (la.vector_norm(t, axis=1), np.linalg.norm(a, axis=1)),
                        (la.trace(t), np.trace(a, axis1=1, axis2=2)), (la.pinv(t), np.linalg.pinv(a))]:
        wanted = np.asarray(wanted)
        scale = np.abs(wanted).max()
        assert np.asarray(got).dtype == dtype
        np.testing.assert_allclose(np.asarray(got) / scale, wanted / scale, atol=500 * np.finfo(dtype).eps)
    q, r = map(np.asarray, la.qr(t))
    u, s, vh = map(np.asarray, la.svd(t))
    values, vectors = map(np.asarray, la.eigh(t))
    for product in (q @ r, u @ (s[:, :, None] * vh), vectors @ (values[:, :, None] * vectors.swapaxes(1, 2))):
        np.testing.assert_allclose(product, a, atol=1000 * np.finfo(dtype).eps * np.abs(a).max())
    factors = la.lu_factor(t)
    np.testing.assert_allclose(la.lu_solve(factors, t[:, :, :2]), np.eye(5, dtype=dtype)[None, :, :2].repeat(3, 0), atol=100 * np.finfo(dtype).eps)
    np.testing.assert_allclose(la.solve_triangular(t, t[:1], upper=True), np.linalg.solve(np.triu(a), a[:1]), rtol=1000 * np.finfo(dtype).eps,
                               atol=1000 * np.finfo(dtype).eps)
    for ord, axis in [(None, None), (None, (0, 1)), (3, 1), (1, (-2, -1)), (np.inf, (0, 2))]:
        np.testing.assert_allclose(la.norm(t, ord=ord, axis=axis), np.linalg.norm(a if axis else a.ravel(), ord, axis), rtol=100 * np.finfo(dtype).eps)
    assert la.qr(t).Q.shape == (3, 5, 5) and la.slogdet(t).sign.tolist() == [1, 1, 1]
    with pytest.raises(tern.LinalgError):
        la.inv(tern.zeros((2, 2)))


def test_information():
    info = tern.ones((1,)).__array_namespace__().__array_namespace_info__()
    assert info.default_dtypes()["real floating"] == tern.float32 and info.default_device() in info.devices()
    assert set(info.dtypes(kind="real floating")) == {"float32", "float64"}
    assert tern.isdtype(tern.uint8, ("integral", "bool")) and not tern.isdtype(tern.uint8, "real floating")
    assert tern.finfo(tern.float64).eps == np.finfo(np.float64).eps and tern.iinfo(tern.uint64).max == 2**64 - 1
    assert tern.can_cast(tern.int8, tern.int16) and not tern.can_cast(tern.float64, tern.float32)
    with pytest.raises(ValueError):
        tern.ones((1,)).__array_namespace__(api_version="2030.12")
