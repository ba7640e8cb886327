// SPDX-License-Identifier: Apache-2.0
#include "distributed/nccl_library.h"

#include <string>

#include "base/check.h"
#include "base/shared_library.h"

namespace tern {
namespace {

// Stays open as long as the process: threads of NCCL's own may run in it.
void* open_library() {
  std::string why;
  void* const library = open_shared_library({"libnccl.so.2", TERN_NCCL_LIBRARY}, why);
  check(library != nullptr, "distributed",
        "expected NCCL on this machine (LD_LIBRARY_PATH names more places to look in), got none: {}", why);
  return library;
}

NcclLibrary load() {
  const SharedLibrary library = {open_library(), "distributed", "an NCCL"};
  NcclLibrary out = {};
  library.find("ncclGetUniqueId", out.get_unique_id);
  library.find("ncclCommInitRank", out.comm_init_rank);
  library.find("ncclCommDestroy", out.comm_destroy);
  library.find("ncclCommAbort", out.comm_abort);
  library.find("ncclCommGetAsyncError", out.comm_get_async_error);
  library.find("ncclAllReduce", out.all_reduce);
  library.find("ncclReduceScatter", out.reduce_scatter);
  library.find("ncclAllGather", out.all_gather);
  library.find("ncclBroadcast", out.broadcast);
  library.find("ncclGroupStart", out.group_start);
  library.find("ncclGroupEnd", out.group_end);
  library.find("ncclGetLastError", out.get_last_error);
  library.find("ncclGetErrorString", out.get_error_string);
  return out;
}

}  // namespace

const NcclLibrary& nccl_library() {
  static const NcclLibrary library = load();
  return library;
}

}  // namespace tern
