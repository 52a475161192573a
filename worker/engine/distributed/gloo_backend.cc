#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include <string>

#include "absl/strings/match.h"
#include "worker/engine/distributed/backend.h"

namespace quantry::engine {
namespace {

using c10d::ProcessGroupGloo;

bool IsLoopback(const std::string& host) {
  return host == "localhost" || host == "::1" || absl::StartsWith(host, "127.");
}

c10::intrusive_ptr<C10dBackend> Open(const c10::intrusive_ptr<c10d::Store>& store,
                                     const RankOptions& options) {
  auto gloo = ProcessGroupGloo::Options::create(kBackendTimeout);
  gloo->threads = 2;
  gloo->devices.push_back(IsLoopback(options.host)
                              ? ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                              : ProcessGroupGloo::createDefaultDevice());
  return c10::make_intrusive<ProcessGroupGloo>(store, options.rank, options.size, gloo);
}

bool Wait(c10d::Work& work, std::chrono::milliseconds patience) {
  try {
    work.wait(patience);
    return true;
  } catch (const std::exception&) {  // a failure, or just out of patience
    if (work.isCompleted()) throw;
    return false;
  }
}

}  // namespace

extern const BackendDef kGlooBackend = {.name = "gloo",
                                        .device = c10::kCPU,
                                        .needs = "Gloo's headers (libgloo-dev)",
                                        .open = Open,
                                        .wait = Wait};

}  // namespace quantry::engine
