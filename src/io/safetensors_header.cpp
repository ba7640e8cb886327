// SPDX-License-Identifier: Apache-2.0
#include "io/safetensors_header.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "io/names.h"

namespace tern {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors files are mapped as they are");

constexpr const char* kOp = "safetensors";
constexpr std::string_view kMetadataKey = "__metadata__";
constexpr uint64_t kPrefix = 8;  // the header's length

const SafetensorsDType* find_dtype(std::string_view name) {
  const auto* found = std::find_if(kSafetensorsDTypes.begin(), kSafetensorsDTypes.end(),
                                   [name](const SafetensorsDType& dtype) { return dtype.name == name; });
  return found == kSafetensorsDTypes.end() ? nullptr : found;
}

// Receives the JSON events of nlohmann's parser and fails at the first that does not belong there, so that neither
// depth nor size of a hostile header costs memory. Offsets are left as they stand in the file, counted from the data.
class HeaderReader {
 public:
  HeaderReader(const std::string& source, SafetensorsHeader& header) : source_(source), header_(header) {}

  bool null() { unexpected("null"); }
  bool boolean(bool) { unexpected("a boolean"); }
  bool number_float(double, const std::string&) { unexpected("a number that is no 64-bit integer"); }
  bool binary(nlohmann::json::binary_t&) { unexpected("binary data"); }
  bool number_integer(int64_t value) {
    if (value < 0) unexpected("a negative number");
    return number_unsigned(static_cast<uint64_t>(value));
  }
  bool number_unsigned(uint64_t value);
  bool string(std::string& value);
  bool start_object(size_t);
  bool key(std::string& name);
  bool end_object();
  bool start_array(size_t);
  bool end_array();
  [[noreturn]] bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) {
    fail(kOp, "{}: expected a JSON header, got invalid JSON or UTF-8 at its byte {}", source_, position);
  }

 private:
  enum class Place { outside, header, metadata, entry, shape, offsets };
  enum Field : unsigned { kNone = 0, kDType = 1, kShape = 2, kOffsets = 4, kAll = 7 };

  SafetensorsEntry& entry() { return header_.entries.back(); }
  std::string where() const;
  const char* expected() const;
  [[noreturn]] void unexpected(const char* got) const {
    fail(kOp, "{}: expected {}, got {}", where(), expected(), got);
  }
  void start_field(std::string_view name);
  void start_header_key(std::string& name);

  const std::string& source_;
  SafetensorsHeader& header_;
  Place place_ = Place::outside;
  std::string key_;        // of the header or the metadata
  Field field_ = kNone;    // of the entry, being read
  unsigned seen_ = kNone;  // fields of the entry
  size_t offsets_ = 0;     // numbers in data_offsets
  bool has_metadata_ = false;
};

std::string HeaderReader::where() const {
  if (place_ == Place::outside || key_.empty()) return source_;
  if (key_ == kMetadataKey) return fmt::format("{}: {}", source_, kMetadataKey);
  if (place_ == Place::metadata) return fmt::format("{}: {} {}", source_, kMetadataKey, quote_name(key_));
  return fmt::format("{}: tensor {}", source_, quote_name(key_));
}

const char* HeaderReader::expected() const {
  switch (place_) {
    case Place::outside:
    case Place::header:
      return "an object";
    case Place::metadata:
      return "a string";
    case Place::entry:
      return field_ == kDType   ? "a string as dtype"
             : field_ == kShape ? "an array as shape"
                                : "an array as data_offsets";
    case Place::shape:
      return "non-negative integers as shape";
    case Place::offsets:
      break;
  }
  return "two non-negative integers as data_offsets";
}

bool HeaderReader::number_unsigned(uint64_t value) {
  if (place_ == Place::shape) {
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) unexpected("a number over 2^63");
    check(entry().shape.rank() < kMaxRank, kOp, "{}: expected at most {} axes, got more", where(), kMaxRank);
    entry().shape.push_back(static_cast<int64_t>(value));
  } else if (place_ == Place::offsets && offsets_ < 2) {
    (offsets_ == 0 ? entry().begin : entry().end) = value;
    ++offsets_;
  } else {
    unexpected(place_ == Place::offsets ? "a third number" : "a number");
  }
  return true;
}

bool HeaderReader::string(std::string& value) {
  if (place_ == Place::metadata) {
    const bool is_new = header_.metadata.emplace(key_, std::move(value)).second;
    check(is_new, kOp, "{}: expected each key once, got it twice", where());
  } else if (place_ == Place::entry && field_ == kDType) {
    entry().dtype = find_dtype(value);
    check(entry().dtype != nullptr, kOp, "{}: expected a dtype of the format, got {}", where(), quote_name(value));
  } else {
    unexpected("a string");
  }
  return true;
}

bool HeaderReader::start_object(size_t) {
  if (place_ == Place::outside) {
    place_ = Place::header;
  } else if (place_ == Place::header) {
    place_ = key_ == kMetadataKey ? Place::metadata : Place::entry;
    seen_ = kNone;
  } else {
    unexpected("an object");
  }
  return true;
}

bool HeaderReader::key(std::string& name) {
  if (place_ == Place::entry) {
    start_field(name);
  } else if (place_ == Place::metadata) {
    key_ = std::move(name);
  } else {
    start_header_key(name);
  }
  return true;
}

void HeaderReader::start_field(std::string_view name) {
  field_ = name == "dtype" ? kDType : name == "shape" ? kShape : name == "data_offsets" ? kOffsets : kNone;
  check(field_ != kNone, kOp, "{}: expected dtype, shape and data_offsets, got {}", where(), quote_name(name));
  check((seen_ & field_) == 0, kOp, "{}: expected each field once, got {} twice", where(), quote_name(name));
  seen_ |= field_;
}

void HeaderReader::start_header_key(std::string& name) {
  key_ = std::move(name);
  if (key_ != kMetadataKey) {
    header_.entries.emplace_back().name = key_;
    return;
  }
  check(!has_metadata_, kOp, "{}: expected {} once, got it twice", source_, kMetadataKey);
  has_metadata_ = true;
}

bool HeaderReader::end_object() {
  check(place_ != Place::entry || seen_ == kAll, kOp, "{}: expected dtype, shape and data_offsets, got fewer fields",
        where());
  place_ = place_ == Place::header ? Place::outside : Place::header;
  return true;
}

bool HeaderReader::start_array(size_t) {
  if (place_ != Place::entry || field_ == kDType) unexpected("an array");
  place_ = field_ == kShape ? Place::shape : Place::offsets;
  offsets_ = 0;
  return true;
}

bool HeaderReader::end_array() {
  check(place_ != Place::offsets || offsets_ == 2, kOp, "{}: expected {}, got {}", where(), expected(), offsets_);
  place_ = Place::entry;
  return true;
}

// The JSON text: what lies between the length and the data.
std::string_view header_text(std::span<const std::byte> file, const std::string& source) {
  check(file.size() >= kPrefix, kOp, "{}: expected a safetensors file, got only {} bytes", source, file.size());
  uint64_t length;
  std::memcpy(&length, file.data(), kPrefix);
  check(length <= kLargestSafetensorsHeader, kOp, "{}: expected a header of at most {} bytes, got {}", source,
        kLargestSafetensorsHeader, length);
  check(length <= file.size() - kPrefix, kOp, "{}: expected a header of {} bytes, got a file of {}", source, length,
        file.size());
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + kPrefix, length);
  check(!text.empty() && text[0] == '{', kOp, "{}: expected a header that begins with '{{'", source);
  check(text.find('\0') == text.npos, kOp, "{}: expected a JSON header, got a zero byte in it",
        source);  // ends nlohmann's input
  return text;
}

// Bytes of the entry by dtype and shape. A zero extent does not excuse the others: strides are products, too.
uint64_t checked_bytes(const SafetensorsEntry& entry, const std::string& source) {
  uint64_t bits = entry.dtype->bits;
  bool overflow = false, empty = false;
  for (int64_t dim : entry.shape) {
    empty |= dim == 0;
    overflow |= __builtin_mul_overflow(bits, static_cast<uint64_t>(std::max<int64_t>(dim, 1)), &bits);
  }
  overflow |= bits > static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (overflow) {
    fail(kOp, "{}: tensor {}: expected a shape that fits into memory, got {}", source, quote_name(entry.name),
         to_string(entry.shape));
  }
  if (empty) return 0;
  if (bits % 8 != 0) {
    fail(kOp, "{}: tensor {}: expected a whole number of bytes, got {} {}", source, quote_name(entry.name),
         entry.dtype->name, to_string(entry.shape));
  }
  return bits / 8;
}

// Checks one entry by itself; data_size bytes follow the header.
void check_entry(const SafetensorsEntry& entry, uint64_t data_size, const std::string& source) {
  if (entry.begin > entry.end || entry.end > data_size) {
    fail(kOp, "{}: tensor {}: expected data_offsets in order and within {} bytes of data, got [{}, {}]", source,
         quote_name(entry.name), data_size, entry.begin, entry.end);
  }
  const uint64_t bytes = checked_bytes(entry, source);
  if (bytes != entry.end - entry.begin) {
    fail(kOp, "{}: tensor {}: expected {} bytes for {} {}, got data_offsets [{}, {}]", source, quote_name(entry.name),
         bytes, entry.dtype->name, to_string(entry.shape), entry.begin, entry.end);
  }
}

// Sorts the entries by place and checks that they tile the data.
void check_tiling(std::vector<SafetensorsEntry>& entries, uint64_t data_size, const std::string& source) {
  std::stable_sort(entries.begin(), entries.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  uint64_t end = 0;
  for (const SafetensorsEntry& entry : entries) {
    if (entry.begin != end) {
      fail(kOp, "{}: tensor {}: expected data from byte {} on, where the data before it ends, got {}: {}", source,
           quote_name(entry.name), end, entry.begin, entry.begin < end ? "an overlap" : "a hole");
    }
    end = entry.end;
  }
  check(end == data_size, kOp, "{}: expected tensors that cover all {} bytes of data, got {}", source, data_size, end);
}

std::vector<size_t> sort_by_name(const std::vector<SafetensorsEntry>& entries, const std::string& source) {
  std::vector<size_t> order(entries.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return entries[a].name < entries[b].name; });
  const auto twin = std::adjacent_find(order.begin(), order.end(),
                                       [&](size_t a, size_t b) { return entries[a].name == entries[b].name; });
  if (twin != order.end()) {
    fail(kOp, "{}: expected each tensor once, got {} twice", source, quote_name(entries[*twin].name));
  }
  return order;
}

}  // namespace

const SafetensorsEntry* SafetensorsHeader::find(std::string_view name) const {
  const auto found =
      std::lower_bound(by_name.begin(), by_name.end(), name,
                       [this](size_t index, std::string_view wanted) { return entries[index].name < wanted; });
  return found != by_name.end() && entries[*found].name == name ? &entries[*found] : nullptr;
}

SafetensorsHeader parse_safetensors_header(std::span<const std::byte> file, const std::string& source) {
  const std::string_view text = header_text(file, source);
  SafetensorsHeader header;
  HeaderReader reader(source, header);
  nlohmann::json::sax_parse(text, &reader);
  const uint64_t data_begin = kPrefix + text.size(), data_size = file.size() - data_begin;
  for (const SafetensorsEntry& entry : header.entries) check_entry(entry, data_size, source);
  check_tiling(header.entries, data_size, source);
  for (SafetensorsEntry& entry : header.entries) {
    entry.begin += data_begin;
    entry.end += data_begin;
  }
  header.by_name = sort_by_name(header.entries, source);
  return header;
}

}  // namespace tern
