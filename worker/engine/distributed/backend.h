#ifndef QUANTRY_WORKER_ENGINE_DISTRIBUTED_BACKEND_H_
#define QUANTRY_WORKER_ENGINE_DISTRIBUTED_BACKEND_H_

#include <c10/core/DeviceType.h>
#include <torch/version.h>

#include <torch/csrc/distributed/c10d/Store.hpp>
#if TORCH_VERSION_MAJOR >= 2
#include <torch/csrc/distributed/c10d/Backend.hpp>
#else
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#endif

#include <chrono>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "worker/engine/distributed/rendezvous.h"

namespace quantry::engine {

#if TORCH_VERSION_MAJOR >= 2
using C10dBackend = c10d::Backend;
#else
using C10dBackend = c10d::ProcessGroup;
#endif

// Of c10d itself. Whether a rank is lost is RankWatch's to say: the others may wait for hours while
// rank 0 evaluates.
inline constexpr std::chrono::milliseconds kBackendTimeout = std::chrono::hours(24 * 7);

// A library over which c10d reduces tensors of one kind of device. A new one: a file with its
// BackendDef and a line in backend_table.cc.
struct BackendDef {
  absl::string_view name;   // "gloo"
  c10::DeviceType device;   // whose tensors it takes
  absl::string_view needs;  // what a build must have for it

  // Joins the ranks, which have all met; `store` is for this alone. Throws std::exception. Null:
  // not in this build.
  c10::intrusive_ptr<C10dBackend> (*open)(const c10::intrusive_ptr<c10d::Store>& store,
                                          const RankOptions& options) = nullptr;
  // Whether `work` is done, after up to `patience`. Throws what it failed with.
  bool (*wait)(c10d::Work& work, std::chrono::milliseconds patience) = nullptr;
};

// All that c10d is used over, of this build or not; the one for CPUs comes first.
absl::Span<const BackendDef* const> BackendTable();

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DISTRIBUTED_BACKEND_H_
