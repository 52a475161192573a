#include "worker/engine/distributed/process_group.h"

#ifdef QUANTRY_HAS_GLOO
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#endif

#include <chrono>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"

#ifdef QUANTRY_HAS_GLOO
#include "worker/engine/distributed/rank_watch.h"
#endif

namespace quantry::engine {

#ifdef QUANTRY_HAS_GLOO
namespace {

using std::chrono::milliseconds;

// How often a rank that waits for others looks whether they live.
constexpr milliseconds kPatience{1000};
// Of Gloo itself. Whether a rank is lost is the watch's to say: the others may wait for hours while
// rank 0 evaluates.
constexpr milliseconds kGlooTimeout = std::chrono::hours(24 * 7);

milliseconds ToMilliseconds(absl::Duration duration) {
  return milliseconds(absl::ToInt64Milliseconds(duration));
}

std::vector<uint8_t> Bytes(const std::string& text) {
  return std::vector<uint8_t>(text.begin(), text.end());
}

std::string HereKey(int rank) { return absl::StrCat("here/", rank); }

class GlooGroup final : public ProcessGroup {
 public:
  GlooGroup(const RankOptions& options, c10::intrusive_ptr<c10d::TCPStore> meeting_place,
            c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo,
            c10::intrusive_ptr<c10d::Store> watched)
      : options_(options),
        meeting_place_(std::move(meeting_place)),
        gloo_(std::move(gloo)),
        watch_(std::move(watched), options) {}

  ~GlooGroup() override {
    // With operations that wait for a rank that is lost, its threads would never end.
    if (!failure_.ok() || !watch_.Health().ok()) gloo_.release();
  }

  int rank() const override { return options_.rank; }
  int size() const override { return options_.size; }

  absl::Status AllReduce(at::Tensor tensor, RankReduction reduction) override {
    c10d::AllreduceOptions options;
    options.reduceOp = reduction == RankReduction::kSum ? c10d::ReduceOp::SUM : c10d::ReduceOp::MAX;
    return Do([&] {
      std::vector<at::Tensor> tensors = {tensor};
      return gloo_->allreduce(tensors, options);
    });
  }

  absl::StatusOr<std::unique_ptr<PendingReduction>> StartSum(at::Tensor tensor) override;

  absl::Status Broadcast(at::Tensor tensor) override {
    c10d::BroadcastOptions options;
    options.rootRank = 0;
    return Do([&] {
      std::vector<at::Tensor> tensors = {tensor};
      return gloo_->broadcast(tensors, options);
    });
  }

  absl::Status Health() const override { return failure_.ok() ? watch_.Health() : failure_; }

  void Leave(const absl::Status& how) override { watch_.Leave(how); }

  // Blocks until `work` is done or a rank is lost.
  absl::Status Wait(c10d::Work& work) {
    while (failure_.ok()) {
      try {
        work.wait(kPatience);
        return absl::OkStatus();
      } catch (const std::exception& error) {
        failure_ = work.isCompleted() ? watch_.Explain(error.what()) : watch_.Health();
      }
    }
    return failure_;
  }

 private:
  template <typename Start>
  absl::Status Do(const Start& start) {
    if (!failure_.ok()) return failure_;
    c10::intrusive_ptr<c10d::Work> work;
    try {
      work = start();
    } catch (const std::exception& error) {
      return absl::InternalError(absl::StrCat("the ranks' operation is refused: ", error.what()));
    }
    return Wait(*work);
  }

  const RankOptions options_;
  const c10::intrusive_ptr<c10d::TCPStore> meeting_place_;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo_;
  RankWatch watch_;
  absl::Status failure_;
};

class GlooReduction final : public PendingReduction {
 public:
  GlooReduction(GlooGroup& group, c10::intrusive_ptr<c10d::Work> work)
      : group_(group), work_(std::move(work)) {}
  absl::Status Wait() override { return group_.Wait(*work_); }

 private:
  GlooGroup& group_;
  const c10::intrusive_ptr<c10d::Work> work_;
};

absl::StatusOr<std::unique_ptr<PendingReduction>> GlooGroup::StartSum(at::Tensor tensor) {
  if (!failure_.ok()) return failure_;
  try {
    std::vector<at::Tensor> tensors = {tensor};
    return std::make_unique<GlooReduction>(*this, gloo_->allreduce(tensors));
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("the ranks' sum is refused: ", error.what()));
  }
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

bool IsLoopback(const std::string& host) {
  return host == "localhost" || host == "::1" || absl::StartsWith(host, "127.");
}

absl::StatusOr<std::unique_ptr<ProcessGroup>> JoinOverGloo(const RankOptions& options) {
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

  auto gloo = c10d::ProcessGroupGloo::Options::create(kGlooTimeout);
  gloo->threads = 2;
  gloo->devices.push_back(IsLoopback(options.host)
                              ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                              : c10d::ProcessGroupGloo::createDefaultDevice());
  auto group = c10::make_intrusive<c10d::ProcessGroupGloo>(
      c10::make_intrusive<c10d::PrefixStore>("gloo", store), options.rank, options.size, gloo);
  // A connection of its own: a watch must never wait for another call.
  auto watched =
      c10::make_intrusive<c10d::PrefixStore>(absl::StrCat(prefix, "/watch"), open(false));
  return std::make_unique<GlooGroup>(options, meeting_place, std::move(group), std::move(watched));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ProcessGroup>> ProcessGroup::Join(const RankOptions& options) {
  QUANTRY_RETURN_IF_ERROR(options.Validate());
  try {
    return JoinOverGloo(options);
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
