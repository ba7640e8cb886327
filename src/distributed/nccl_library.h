// SPDX-License-Identifier: Apache-2.0
// NCCL, opened when it is first needed: it is no part of the CUDA toolkit, and programs are to start without it.
#pragma once

#include <nccl.h>

namespace tern {

struct NcclLibrary {
  decltype(&ncclGetUniqueId) get_unique_id;
  decltype(&ncclCommInitRank) comm_init_rank;
  decltype(&ncclCommDestroy) comm_destroy;
  decltype(&ncclCommAbort) comm_abort;
  decltype(&ncclCommGetAsyncError) comm_get_async_error;
  decltype(&ncclAllReduce) all_reduce;
  decltype(&ncclReduceScatter) reduce_scatter;
  decltype(&ncclAllGather) all_gather;
  decltype(&ncclBroadcast) broadcast;
  decltype(&ncclGroupStart) group_start;
  decltype(&ncclGroupEnd) group_end;
  decltype(&ncclGetLastError) get_last_error;
  decltype(&ncclGetErrorString) get_error_string;
};

// Throws Error when this machine has no libnccl.so.2 where libraries are looked for, nor where this build found one.
const NcclLibrary& nccl_library();

}  // namespace tern
