// SPDX-License-Identifier: Apache-2.0
// Strided operands of any dtype, handed to loops over contiguous ones of one dtype: block by block through a buffer in
// the first-level cache, or in place where an operand lies that way already. So each function has one loop a dtype,
// and mixed dtypes cost no tensor in between.

constexpr int64_t kBlockBytes = 8192;

// Goes through the elements of a shape in order, for one strided operand.
class Cursor {
 public:
  Cursor(const Dims& shape, const Dims& strides, int64_t flat) : shape_(shape), strides_(strides) {
    if (flat == 0) return;
    for (int axis = shape.rank - 1; axis >= 0; --axis) {
      index_[axis] = flat % shape.at[axis];
      flat /= shape.at[axis];
      offset_ += index_[axis] * strides.at[axis];
    }
  }

  int64_t offset() const { return offset_; }
  // Elements left of the run along the last axis.
  int64_t left() const { return last_of(shape_) - index_[shape_.rank - 1]; }

  // Goes on by at most left() elements.
  void advance(int64_t count) {
    const int last = shape_.rank - 1;
    move(last, count);
    for (int axis = last; axis > 0 && index_[axis] == shape_.at[axis]; --axis) {
      move(axis, -index_[axis]);
      move(axis - 1, 1);
    }
  }

 private:
  void move(int axis, int64_t steps) {
    index_[axis] += steps;
    offset_ += steps * strides_.at[axis];
  }

  const Dims& shape_;
  const Dims& strides_;
  int64_t offset_ = 0;
  int64_t index_[8] = {};
};

// An operand of a kernel, and whether its elements lie side by side in order, or are one, or lie side by side and are
// repeated: the first `period`.
struct Operand {
  Operand(const void* from, DType dtype, const Dims& its_shape, const Dims& its_strides)
      : data(static_cast<const char*>(from)),
        shape(its_shape),
        strides(its_strides),
        type(dtype),
        size(static_cast<int64_t>(size_of(dtype))) {
    for (int axis = shape.rank - 1; axis >= 0; --axis) {
      const bool goes_on = is_dense && strides.at[axis] == count;
      is_repeated = is_repeated && (goes_on || strides.at[axis] == 0);
      is_dense = goes_on;
      is_one = is_one && strides.at[axis] == 0;
      count *= shape.at[axis];
      if (goes_on) period = count;
    }
  }

  // Of elements that lie side by side in order: the one of a place.
  const void* at(int64_t flat) const { return data + flat * size; }
  void* room_at(int64_t flat) const { return const_cast<char*>(data) + flat * size; }

  const char* data;
  const Dims& shape;
  const Dims& strides;
  DType type;
  int64_t size;
  int64_t count = 1, period = 1;
  bool is_dense = true, is_one = true, is_repeated = true;
};

template <class T>
void fill_up(void* at, int64_t count) {
  T* y = static_cast<T*>(at);
  const T first = *y;
  for (int64_t i = 1; i < count; ++i) y[i] = first;
}

// Copies the first element, of `size` bytes, over those that follow.
void repeat_first(void* at, int64_t size, int64_t count) {
  switch (size) {
    case 1:
      return fill_up<uint8_t>(at, count);
    case 2:
      return fill_up<uint16_t>(at, count);
    case 4:
      return fill_up<uint32_t>(at, count);
    case 8:
      return fill_up<uint64_t>(at, count);
    default:
      return fill_up<Complex<double>>(at, count);
  }
}

// Gives blocks of an operand, from one place on, as contiguous elements of `dtype`.
class BlockReader {
 public:
  BlockReader(const Operand& x, DType dtype, int64_t flat)
      : x_(x),
        convert_(conversion(x.type, dtype)),
        size_(static_cast<int64_t>(size_of(dtype))),
        same_(x.type == dtype),
        flat_(flat),
        repeats_(x.is_repeated && !x.is_dense && x.period * size_ <= kBlockBytes),
        cursor_(x.shape, x.strides, flat) {
    if (!repeats_) return;
    // A block from any place of the period on.
    const int64_t most = smaller(kBlockBytes / size_, x.count) + x.period - 1;
    convert_(x.data, 1, buffer_, 1, x.period, x.period);
    for (int64_t filled = x.period; filled < most;) {
      const int64_t more = smaller(filled, most - filled);
      memcpy(buffer_ + filled * size_, buffer_, static_cast<size_t>(more * size_));
      filled += more;
    }
  }

  const void* next(int64_t count) {
    const int64_t at = flat_;
    flat_ += count;
    if (repeats_) return buffer_ + at % x_.period * size_;
    if (x_.is_dense) return same_ ? x_.data + at * size_ : converted(x_.data + at * x_.size, count);
    if (same_ && last_of(x_.strides) == 1 && cursor_.left() >= count) {
      const void* run = x_.data + cursor_.offset() * size_;
      cursor_.advance(count);
      return run;
    }
    return gathered(count);
  }

 private:
  const void* converted(const char* from, int64_t count) {
    convert_(from, 1, buffer_, 1, count, count);
    return buffer_;
  }

  const void* gathered(int64_t count) {
    for (int64_t i = 0; i < count;) {
      const int64_t run = smaller(cursor_.left(), count - i);
      const int64_t stride = last_of(x_.strides);
      const int64_t converted = stride == 0 ? 1 : run;
      convert_(x_.data + cursor_.offset() * x_.size, stride, buffer_ + i * size_, 1, converted, converted);
      if (stride == 0) repeat_first(buffer_ + i * size_, size_, run);
      cursor_.advance(run);
      i += run;
    }
    return buffer_;
  }

  const Operand& x_;
  ConvertRun convert_;
  int64_t size_;
  bool same_;
  int64_t flat_;
  bool repeats_;
  Cursor cursor_;
  alignas(64) char buffer_[2 * kBlockBytes];
};

// Takes blocks of contiguous elements of `dtype` and puts them into an operand.
class BlockWriter {
 public:
  BlockWriter(const Operand& y, DType dtype, int64_t flat)
      : y_(y),
        to_(const_cast<char*>(y.data)),
        convert_(conversion(dtype, y.type)),
        size_(static_cast<int64_t>(size_of(dtype))),
        direct_(y.is_dense && y.type == dtype),
        flat_(flat),
        cursor_(y.shape, y.strides, flat) {}

  // Where the next block is to be written, and that it is.
  void* room() { return direct_ ? to_ + flat_ * size_ : buffer_; }
  void done(int64_t count) {
    flat_ += count;
    if (direct_) return;
    for (int64_t i = 0; i < count;) {
      const int64_t run = smaller(cursor_.left(), count - i);
      convert_(buffer_ + i * size_, 1, to_ + cursor_.offset() * y_.size, last_of(y_.strides), run, run);
      cursor_.advance(run);
      i += run;
    }
  }

 private:
  const Operand& y_;
  char* to_;
  ConvertRun convert_;
  int64_t size_;
  bool direct_;
  int64_t flat_;
  Cursor cursor_;
  alignas(64) char buffer_[kBlockBytes];
};

// Elements of a block whose widest elements have `size` bytes.
int64_t block_of(size_t size) { return kBlockBytes / static_cast<int64_t>(size); }

// Loops over operands that need none do without readers and writers, which take 40 ns to make.
bool needs_buffer(const Operand& x, DType dtype) { return !x.is_dense || x.type != dtype; }
