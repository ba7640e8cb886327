// SPDX-License-Identifier: Apache-2.0
#include "distributed/nccl_library.h"

#include <dlfcn.h>

#include <string>

#include "base/check.h"

namespace tern {
namespace {

// Stays open as long as the process: threads of NCCL's own may run in it.
void* open_library() {
  std::string why;
  for (const char* path : {"libnccl.so.2", TERN_NCCL_LIBRARY}) {
    if (void* const library = ::dlopen(path, RTLD_NOW | RTLD_LOCAL)) return library;
    if (why.empty()) why = ::dlerror();
  }
  fail("distributed", "expected NCCL on this machine (LD_LIBRARY_PATH names more places to look in), got none: {}",
       why);
}

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  check(function != nullptr, "distributed", "expected an NCCL with {}, this machine's is without", name);
}

NcclLibrary load() {
  void* const library = open_library();
  NcclLibrary out = {};
  find(library, "ncclGetUniqueId", out.get_unique_id);
  find(library, "ncclCommInitRank", out.comm_init_rank);
  find(library, "ncclCommDestroy", out.comm_destroy);
  find(library, "ncclCommAbort", out.comm_abort);
  find(library, "ncclCommGetAsyncError", out.comm_get_async_error);
  find(library, "ncclAllReduce", out.all_reduce);
  find(library, "ncclReduceScatter", out.reduce_scatter);
  find(library, "ncclAllGather", out.all_gather);
  find(library, "ncclBroadcast", out.broadcast);
  find(library, "ncclGetLastError", out.get_last_error);
  find(library, "ncclGetErrorString", out.get_error_string);
  return out;
}

}  // namespace

const NcclLibrary& nccl_library() {
  static const NcclLibrary library = load();
  return library;
}

}  // namespace tern
