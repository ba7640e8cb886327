// SPDX-License-Identifier: Apache-2.0
#include "linalg/blas_library.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/shared_library.h"
#include "linalg/core_check.h"
#include "tern/device.h"
#include "tern/linalg.h"

namespace tern::linalg {
namespace {

constexpr const char* kWho = "linalg";
constexpr const char* kCoreVariable = "OPENBLAS_CORETYPE";
// What OpenBLAS calls its kernels for AVX-512 (it has no others on x86-64 as of 0.3.30).
constexpr std::string_view kAvx512Cores[] = {"SkylakeX", "Cooperlake", "SapphireRapids"};
constexpr const char* kWanted = "SkylakeX";

template <class T>
void find_routines(const SharedLibrary& library, std::string_view prefix, Lapack<T>& to) {
  const bool complex = is_complex_type<T>;
  const auto find = [&](std::string_view name, auto& function) {
    library.find((std::string(prefix) + std::string(name) + "_").c_str(), function);
  };
  find("gemm", to.gemm);
  find("trsm", to.trsm);
  find("getrf", to.getrf);
  find("getrs", to.getrs);
  find("getri", to.getri);
  find("potrf", to.potrf);
  find("gelqf", to.gelqf);
  find(complex ? "unglq" : "orglq", to.unglq);
  find("gesdd", to.gesdd);
  find(complex ? "heevd" : "syevd", to.heevd);
  find("geev", to.geev);
  find("gelsd", to.gelsd);
}

// Sets a variable for as long as it lives; none where the value is null.
class Variable {
 public:
  explicit Variable(const char* value) : set_(value != nullptr) {
    if (set_) ::setenv(kCoreVariable, value, 1);
  }
  ~Variable() {
    if (set_) ::unsetenv(kCoreVariable);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  bool set_;
};

struct OpenLibrary {
  void* handle = nullptr;
  BlasLibrary functions = {};
};

// `core` null leaves the choice to OpenBLAS, or to the variable where it is set.
OpenLibrary open_library(const char* core) {
  const Variable variable(core);
  OpenLibrary out;
  std::string why;
  out.handle = open_shared_library({"libopenblas.so.0", TERN_OPENBLAS_LIBRARY}, why);
  check(
      out.handle != nullptr, kWho,
      "expected OpenBLAS on this machine (Debian: libopenblas0-pthread; LD_LIBRARY_PATH names more places to look in), "
      "got none: {}",
      why);
  const SharedLibrary library = {out.handle, kWho, "an OpenBLAS"};
  BlasLibrary& to = out.functions;
  find_routines(library, "s", to.f32);
  find_routines(library, "d", to.f64);
  find_routines(library, "c", to.c64);
  find_routines(library, "z", to.c128);
  library.find("openblas_set_num_threads", to.set_num_threads);
  char* (*text)() = nullptr;
  library.find("openblas_get_corename", text);
  to.core = text();
  library.find("openblas_get_config", text);
  to.configuration = text();
  to.set_num_threads(1);
  return out;
}

bool leaves_avx512_unused(const std::string& core) {
  const std::vector<std::string> isas = Device::cpu_isas();
  return std::ranges::find(isas, "avx512") != isas.end() &&
         std::ranges::find(kAvx512Cores, core) == std::end(kAvx512Cores);
}

// Closing ends the library's threads and forgets its core, unless someone else in the process holds it, too: then all
// that follows finds the same core again.
BlasLibrary load() {
  OpenLibrary library = open_library(nullptr);
  const bool chosen_by_user = std::getenv(kCoreVariable) != nullptr;
  if (!chosen_by_user && leaves_avx512_unused(library.functions.core)) {
    ::dlclose(library.handle);
    library = open_library(kWanted);
  }
  if (computes_correctly(library.functions)) return library.functions;
  std::string tried = library.functions.core;
  for (const char* core : {"Haswell", "Nehalem", "ARMV8"}) {
    if (chosen_by_user) break;
    ::dlclose(library.handle);
    library = open_library(core);
    if (computes_correctly(library.functions)) return library.functions;
    tried += ", " + library.functions.core;
  }
  fail(kWho,
       "expected OpenBLAS to multiply and to factor small matrices correctly, it does not on this processor with its "
       "cores "
       "{} ({}); the variable {} names another core, a newer OpenBLAS may help",
       tried, library.functions.configuration, kCoreVariable);
}

}  // namespace

const BlasLibrary& blas_library() {
  static const BlasLibrary opened = load();
  return opened;
}

Library library() { return {blas_library().core, blas_library().configuration}; }

}  // namespace tern::linalg
