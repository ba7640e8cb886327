// SPDX-License-Identifier: Apache-2.0
// The ends of the integer types.

template <class T>
constexpr T kLeast = T{0};
template <>
constexpr int8_t kLeast<int8_t> = INT8_MIN;
template <>
constexpr int16_t kLeast<int16_t> = INT16_MIN;
template <>
constexpr int32_t kLeast<int32_t> = INT32_MIN;
template <>
constexpr int64_t kLeast<int64_t> = INT64_MIN;
template <class T>
constexpr T kGreatest = static_cast<T>(~kLeast<T>);
