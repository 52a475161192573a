#include "worker/engine/distributed/process_group.h"

#ifdef QUANTRY_HAS_GLOO
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#endif

#include <chrono>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"

#ifdef QUANTRY_HAS_GLOO
#include "worker/engine/distributed/backend.h"
#include "worker/engine/distributed/rank_watch.h"
#endif

namespace quantry::engine {

#ifdef QUANTRY_HAS_GLOO
namespace {

using std::chrono::milliseconds;

// How often a rank that waits for others looks whether they live.
constexpr milliseconds kPatience{1000};

milliseconds ToMilliseconds(absl::Duration duration) {
  return milliseconds(absl::ToInt64Milliseconds(duration));
}

std::vector<uint8_t> Bytes(const std::string& text) {
  return std::vector<uint8_t>(text.begin(), text.end());
}

std::string HereKey(int rank) { return absl::StrCat("here/", rank); }

// A backend that is open.
struct OpenBackend {
  const BackendDef* def = nullptr;
  c10::intrusive_ptr<C10dBackend> group;
};

class C10dGroup final : public ProcessGroup {
 public:
  C10dGroup(const RankOptions& options, c10::intrusive_ptr<c10d::TCPStore> meeting_place,
            std::vector<OpenBackend> backends, c10::intrusive_ptr<c10d::Store> watched)
      : options_(options),
        meeting_place_(std::move(meeting_place)),
        backends_(std::move(backends)),
        watch_(std::move(watched), options) {}

  ~C10dGroup() override {
    if (failure_.ok() && watch_.Health().ok()) return;
    // With operations that wait for a rank that is lost, their threads would never end.
    for (OpenBackend& backend : backends_) backend.group.release();
  }

  int rank() const override { return options_.rank; }
  int size() const override { return options_.size; }

  absl::Status AllReduce(at::Tensor tensor, RankReduction reduction) override {
    QUANTRY_ASSIGN_OR_RETURN(const auto pending, Start(tensor, reduction));
    return pending->Wait();
  }

  absl::StatusOr<std::unique_ptr<PendingReduction>> StartSum(at::Tensor tensor) override {
    return Start(tensor, RankReduction::kSum);
  }

  absl::Status Broadcast(at::Tensor tensor) override {
    c10d::BroadcastOptions options;
    options.rootRank = 0;
    QUANTRY_ASSIGN_OR_RETURN(const auto pending, Begin(tensor, [&](C10dBackend& group) {
                               std::vector<at::Tensor> tensors = {tensor};
                               return group.broadcast(tensors, options);
                             }));
    return pending->Wait();
  }

  absl::Status Health() const override { return failure_.ok() ? watch_.Health() : failure_; }

  void Leave(const absl::Status& how) override { watch_.Leave(how); }

  // Blocks until `work` is done or a rank is lost.
  absl::Status Wait(const BackendDef& backend, c10d::Work& work) {
    while (failure_.ok()) {
      try {
        if (backend.wait(work, kPatience)) return absl::OkStatus();
        failure_ = watch_.Health();
      } catch (const std::exception& error) {
        failure_ = watch_.Explain(error.what());
      }
    }
    return failure_;
  }

 private:
  absl::StatusOr<std::unique_ptr<PendingReduction>> Start(at::Tensor tensor,
                                                          RankReduction reduction) {
    c10d::AllreduceOptions options;
    options.reduceOp = reduction == RankReduction::kSum ? c10d::ReduceOp::SUM : c10d::ReduceOp::MAX;
    return Begin(tensor, [&](C10dBackend& group) {
      std::vector<at::Tensor> tensors = {tensor};
      return group.allreduce(tensors, options);
    });
  }

  // Begins an operation on the backend for `tensor`.
  template <typename Operation>
  absl::StatusOr<std::unique_ptr<PendingReduction>> Begin(const at::Tensor& tensor,
                                                          const Operation& operation);

  const RankOptions options_;
  const c10::intrusive_ptr<c10d::TCPStore> meeting_place_;
  std::vector<OpenBackend> backends_;
  RankWatch watch_;
  absl::Status failure_;
};

class C10dReduction final : public PendingReduction {
 public:
  C10dReduction(C10dGroup& group, const BackendDef& backend, c10::intrusive_ptr<c10d::Work> work)
      : group_(group), backend_(backend), work_(std::move(work)) {}
  absl::Status Wait() override { return group_.Wait(backend_, *work_); }

 private:
  C10dGroup& group_;
  const BackendDef& backend_;
  const c10::intrusive_ptr<c10d::Work> work_;
};

template <typename Operation>
absl::StatusOr<std::unique_ptr<PendingReduction>> C10dGroup::Begin(const at::Tensor& tensor,
                                                                   const Operation& operation) {
  if (!failure_.ok()) return failure_;
  for (const OpenBackend& backend : backends_) {
    if (backend.def->device != tensor.device().type()) continue;
    try {
      return std::make_unique<C10dReduction>(*this, *backend.def, operation(*backend.group));
    } catch (const std::exception& error) {
      return absl::InternalError(absl::StrCat("the ranks' operation is refused: ", error.what()));
    }
  }
  return absl::InternalError(absl::StrCat("the ranks joined with device '", options_.device,
                                          "' and can't reduce a tensor on ",
                                          tensor.device().str()));
}

// Every rank is there, once, and means the same run.
absl::Status Meet(c10d::Store& store, const RankOptions& options) {
  if (store.add(absl::StrCat("claim/", options.rank), 1) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("rank ", options.rank, " of ", options.size, " is there already"));
  }
  if (options.rank == 0) store.set("size", Bytes(absl::StrCat(options.size)));
  const auto timeout = ToMilliseconds(options.join_timeout);
  std::vector<std::string> keys = {"size"};
  try {
    store.wait(keys, timeout);
    const std::vector<uint8_t> size = store.get("size");
    if (std::string(size.begin(), size.end()) != absl::StrCat(options.size)) {
      return absl::InvalidArgumentError(absl::StrCat("world size is ", options.size,
                                                     ", but rank 0 has ",
                                                     std::string(size.begin(), size.end())));
    }
    store.set(HereKey(options.rank), Bytes("1"));
    for (int rank = 0; rank < options.size; ++rank) keys.push_back(HereKey(rank));
    store.wait(keys, timeout);
    return absl::OkStatus();
  } catch (const std::exception&) {
    std::vector<int> missing;
    for (int rank = 0; rank < options.size; ++rank) {
      if (!store.check({HereKey(rank)})) missing.push_back(rank);
    }
    return absl::UnavailableError(absl::StrCat(
        "of ", options.size, " ranks these did not come within ",
        absl::FormatDuration(options.join_timeout), ": ", absl::StrJoin(missing, ", ")));
  }
}

// The backends for tensors in CPU memory, which decisions are taken with, and on the ranks' device.
absl::StatusOr<std::vector<OpenBackend>> FindBackends(const std::string& device) {
  std::vector<OpenBackend> backends;
  for (const BackendDef* def : BackendTable()) {
    if (def->device != c10::kCPU &&
        c10::DeviceTypeName(def->device, /*lower_case=*/true) != device) {
      continue;
    }
    if (def->open == nullptr) {
      return absl::UnimplementedError(absl::StrCat("this build can't join processes on device '",
                                                   device, "': it was made without ", def->name,
                                                   ", which takes ", def->needs));
    }
    backends.push_back({.def = def});
  }
  return backends;
}

absl::StatusOr<std::unique_ptr<ProcessGroup>> JoinOverC10d(const RankOptions& options) {
  QUANTRY_ASSIGN_OR_RETURN(std::vector<OpenBackend> backends, FindBackends(options.device));
  const auto open = [&](bool is_server) {
    c10d::TCPStoreOptions store;
    store.port = static_cast<uint16_t>(options.port);
    store.isServer = is_server;
    store.waitWorkers = false;
    store.timeout = ToMilliseconds(options.join_timeout);
    return c10::make_intrusive<c10d::TCPStore>(options.host, store);
  };
  const auto meeting_place = open(options.rank == 0);
  const std::string prefix = absl::StrCat("quantry/", options.token);
  const auto store = c10::make_intrusive<c10d::PrefixStore>(prefix, meeting_place);
  QUANTRY_RETURN_IF_ERROR(Meet(*store, options));

  for (OpenBackend& backend : backends) {
    const auto own = c10::make_intrusive<c10d::PrefixStore>(std::string(backend.def->name), store);
    backend.group = backend.def->open(own, options);
  }
  // A connection of its own: a watch must never wait for another call.
  auto watched =
      c10::make_intrusive<c10d::PrefixStore>(absl::StrCat(prefix, "/watch"), open(false));
  return std::make_unique<C10dGroup>(options, meeting_place, std::move(backends),
                                     std::move(watched));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ProcessGroup>> ProcessGroup::Join(const RankOptions& options) {
  QUANTRY_RETURN_IF_ERROR(options.Validate());
  try {
    return JoinOverC10d(options);
  } catch (const std::exception& error) {
    const std::string what = error.what();
    return absl::UnavailableError(
        absl::StrCat("rank ", options.rank, " of ", options.size, " can't meet the others at ",
                     options.host, ":", options.port, ": ", what.substr(0, what.find('\n'))));
  }
}

#else

absl::StatusOr<std::unique_ptr<ProcessGroup>> ProcessGroup::Join(const RankOptions& options) {
  QUANTRY_RETURN_IF_ERROR(options.Validate());
  return absl::UnimplementedError(
      "this build can't join several processes: it was made without Gloo's headers (libgloo-dev)");
}

#endif

}  // namespace quantry::engine
