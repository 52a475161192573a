#include "worker/engine/distributed/backend.h"

#ifdef USE_C10D_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include "absl/time/clock.h"
#endif

namespace quantry::engine {

#ifdef USE_C10D_NCCL
namespace {

using c10d::ProcessGroupNCCL;

c10::intrusive_ptr<C10dBackend> Open(const c10::intrusive_ptr<c10d::Store>& store,
                                     const RankOptions& options) {
  auto nccl = ProcessGroupNCCL::Options::create();
  nccl->timeout = kBackendTimeout;
  return c10::make_intrusive<ProcessGroupNCCL>(store, options.rank, options.size, nccl);
}

// Work::wait hands over to the CUDA stream and returns at once, and what waits for the stream would
// wait for a rank that is lost for ever. So the work itself is looked at, from the CPU.
bool Wait(c10d::Work& work, std::chrono::milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!work.isCompleted()) {
    if (std::chrono::steady_clock::now() > end) return false;
    absl::SleepFor(absl::Microseconds(20));
  }
  work.wait();  // makes the caller's stream follow; throws what the work failed with
  return true;
}

}  // namespace
#endif

extern const BackendDef kNcclBackend = {
    .name = "nccl",
    .device = c10::kCUDA,
    .needs = "a LibTorch with CUDA and NCCL, and NCCL's header nccl.h",
#ifdef USE_C10D_NCCL
    .open = Open,
    .wait = Wait,
#endif
};

}  // namespace quantry::engine
