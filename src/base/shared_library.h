// SPDX-License-Identifier: Apache-2.0
// Libraries that are looked for when they are needed, not when a program starts. Needs dlopen's library where that is
// one of its own.
#pragma once

#include <dlfcn.h>

#include <initializer_list>
#include <string>

#include "base/check.h"

namespace tern {

// The first of the paths that there is; it stays open as long as the process. Null where there is none, with what the
// system says of the first.
inline void* open_shared_library(std::initializer_list<std::string> paths, std::string& why) {
  for (const std::string& path : paths) {
    if (void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
    if (why.empty()) why = ::dlerror();
  }
  return nullptr;
}

// An open library, which messages call `what` with its article.
struct SharedLibrary {
  void* handle;
  const char* who;
  const char* what;

  // Throws Error where it has no function of that name.
  template <class Function>
  void find(const char* name, Function& function) const {
    function = reinterpret_cast<Function>(::dlsym(handle, name));
    check(function != nullptr, who, "expected {} with {}, this machine's is without", what, name);
  }
};

}  // namespace tern
