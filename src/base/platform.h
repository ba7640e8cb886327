// SPDX-License-Identifier: Apache-2.0
// The only header with conditionals on compiler and architecture.
#pragma once

namespace tern {

// Whether AddressSanitizer or ThreadSanitizer watches this build.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

// Tells the core that the caller spins.
inline void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Makes the compiler take the value for another one, and the computation that led to it for needed.
template <class T>
inline void keep_in_register(T& value) {
  asm volatile("" : "+r"(value));
}

}  // namespace tern
