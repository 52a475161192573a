#include "worker/agent/worker.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/transfer/backoff.h"
#include "client/transfer/channel.h"
#include "common/status_macros.h"
#include "worker/agent/attempt.h"
#include "worker/agent/devices.h"
#include "worker/agent/hostname.h"

namespace quantry::agent {
namespace {

constexpr absl::Duration kSignOfLifeTimeout = absl::Seconds(2);  // Stop waits for it
constexpr absl::Duration kLeastAcquireTime = absl::Milliseconds(100);

absl::Duration FromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Worker>> Worker::Create(const WorkerOptions& options,
                                                       prometheus::Registry& registry,
                                                       const Clock& clock) {
  QUANTRY_RETURN_IF_ERROR(options.Validate());
  QUANTRY_ASSIGN_OR_RETURN(const auto trainable, TrainableDevices(options.trainer));
  QUANTRY_ASSIGN_OR_RETURN(std::vector<v1::Device> devices, FindDevices(options.device, trainable));
  QUANTRY_ASSIGN_OR_RETURN(std::unique_ptr<DataFolder> folder, DataFolder::Open(options.data_dir));
  QUANTRY_ASSIGN_OR_RETURN(auto channel, client::OpenChannel(options.server));
  return std::unique_ptr<Worker>(new Worker(options, registry, clock, std::move(folder),
                                            std::move(devices), std::move(channel)));
}

Worker::Worker(const WorkerOptions& options, prometheus::Registry& registry, const Clock& clock,
               std::unique_ptr<DataFolder> folder, std::vector<v1::Device> devices,
               std::shared_ptr<grpc::Channel> channel)
    : options_(options),
      clock_(clock),
      folder_(std::move(folder)),
      devices_(std::move(devices)),
      channel_(std::move(channel)),
      metrics_(registry),
      cache_(folder_->cache(), options.cache_bytes),
      api_(channel_, folder_->worker_id()) {
  metrics_.SetSlots(static_cast<int>(devices_.size()));
}

void Worker::Run() {
  Register(0);
  std::vector<std::thread> slots;
  for (const v1::Device& device : devices_) {
    slots.emplace_back([this, id = device.id()] { ServeDevice(id); });
  }
  SendSignsOfLife();
  for (std::thread& slot : slots) slot.join();
}

void Worker::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  api_.StopAcquiring();
}

bool Worker::IsStopping() const {
  absl::MutexLock lock(&mutex_);
  return stopping_;
}

Worker::Registration Worker::registration() const {
  absl::MutexLock lock(&mutex_);
  return registration_;
}

absl::StatusOr<LeaseTiming> Worker::TryRegister() {
  v1::RegisterWorkerRequest request;
  request.set_hostname(Hostname());
  request.set_version(QUANTRY_VERSION);
  for (const v1::Device& device : devices_) *request.add_devices() = device;
  QUANTRY_ASSIGN_OR_RETURN(const v1::RegisterWorkerResponse response,
                           api_.Register(std::move(request)));
  const LeaseTiming timing{.lease_duration = FromProto(response.lease_duration()),
                           .heartbeat_interval = FromProto(response.heartbeat_interval())};
  if (timing.heartbeat_interval <= absl::ZeroDuration() ||
      timing.heartbeat_interval >= timing.lease_duration) {
    return absl::InternalError(absl::StrCat(
        "the server's heartbeat_interval is ", absl::FormatDuration(timing.heartbeat_interval),
        ", its lease_duration ", absl::FormatDuration(timing.lease_duration)));
  }
  return timing;
}

void Worker::Register(int seen) {
  absl::MutexLock registering(&registering_);
  if (registration().number != seen) return;
  client::Backoff backoff(options_.retry);
  bool complained = false;
  while (!IsStopping()) {
    const absl::StatusOr<LeaseTiming> timing = TryRegister();
    if (timing.ok()) {
      spdlog::info("registered server={} worker={} devices={} lease={}", options_.server.address,
                   id(), devices_.size(), absl::FormatDuration(timing->lease_duration));
      absl::MutexLock lock(&mutex_);
      registration_ = {.number = seen + 1, .timing = *timing};
      return;
    }
    if (!complained) {
      spdlog::warn("registration failed, trying again server={} error=\"{}\"",
                   options_.server.address,
                   timing.status().ToString(absl::StatusToStringMode::kWithNoExtraData));
    }
    complained = true;
    api_.WaitForRetry(backoff.Next(), [this] { return IsStopping(); });
  }
}

void Worker::ServeDevice(const std::string& device) {
  const WorkerEnvironment environment{.options = options_,
                                      .folder = *folder_,
                                      .cache = cache_,
                                      .api = api_,
                                      .channel = channel_,
                                      .metrics = metrics_,
                                      .clock = clock_,
                                      .stopping = [this] { return IsStopping(); }};
  client::Backoff backoff(options_.retry);
  bool complained = false;
  while (!IsStopping()) {
    const Registration current = registration();
    const absl::Duration start = clock_.Monotonic();
    absl::StatusOr<v1::AcquireLeaseResponse> work = api_.Acquire(device, options_.acquire_wait);
    if (work.ok() && work->has_lease()) {
      metrics_.AddBusySlot(1);
      Attempt(environment, *std::move(work), device, current.timing).Run();
      metrics_.AddBusySlot(-1);
    }
    if (work.ok()) {
      complained = false;
      backoff.Reset();
      // A server that answers "no job" at once must not be asked in a loop.
      if (clock_.Monotonic() - start >= kLeastAcquireTime) continue;
    } else if (IsWorkerUnknown(work.status())) {
      Register(current.number);
    } else if (!complained && !IsStopping()) {
      spdlog::warn("no job could be asked for device={} error=\"{}\"", device,
                   work.status().ToString(absl::StatusToStringMode::kWithNoExtraData));
      complained = true;
    }
    api_.WaitForRetry(backoff.Next(), [this] { return IsStopping(); });
  }
}

void Worker::SendSignsOfLife() {
  while (!IsStopping()) {
    const Registration current = registration();
    const auto response = api_.Heartbeat(
        std::nullopt, std::min(current.timing.heartbeat_interval, kSignOfLifeTimeout));
    if (!response.ok() && IsWorkerUnknown(response.status())) Register(current.number);
    if (!response.ok()) metrics_.CountHeartbeatFailure();
    client::SleepUnlessCancelled(current.timing.heartbeat_interval,
                                 [this] { return IsStopping(); });
  }
}

}  // namespace quantry::agent
