#include "server/core/scheduling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/core/quota_table.h"

namespace quantry::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);
const DeviceView kCpu{.id = "cpu", .kind = "cpu"};
const DeviceView kGpu{.id = "cuda:0", .kind = "cuda", .memory_bytes = int64_t{80} << 30};
const WorkerView kCpuWorker{.id = "cpu", .devices = {kCpu}};
const WorkerView kGpuWorker{.id = "gpu", .devices = {kGpu}};

// A job that began to wait `minutes` after the start.
QueuedJob Job(const std::string& id, int32_t priority, int minutes,
              const std::string& name_space = "default") {
  return {.id = id,
          .name_space = name_space,
          .priority = priority,
          .rank = QueueRank(priority, kStart + absl::Minutes(minutes))};
}

std::optional<size_t> Choose(const std::vector<QueuedJob>& queue, const Shares& shares = {}) {
  return ChooseJob(queue, "cpu", kCpu, {kCpuWorker}, shares, absl::ZeroDuration());
}

TEST(Scheduling, LargestPriorityFirstThenOldest) {
  EXPECT_EQ(Choose({Job("3", 1, 0), Job("1", 0, 0), Job("2", 1, 0)}), 2u);
  EXPECT_EQ(Choose({Job("2", 0, 1), Job("3", 0, 0)}), 1u);
}

TEST(Scheduling, AMinuteOfWaitingIsWorthAPointOfPriority) {
  EXPECT_EQ(Choose({Job("1", 0, 0), Job("2", 9, 10)}), 0u);
  EXPECT_EQ(Choose({Job("1", 0, 0), Job("2", 11, 10)}), 1u);
  EXPECT_EQ(Choose({Job("1", -1000, 0), Job("2", 0, 1001)}), 0u) << "nobody starves";
}

TEST(Scheduling, NamespacesShareDevicesByWeight) {
  const std::vector<QueuedJob> queue = {Job("1", 0, 0, "red"), Job("2", 0, 1, "blue")};
  EXPECT_EQ(Choose(queue), 0u);
  EXPECT_EQ(Choose(queue, {{"red", {.devices_in_use = 2}}, {"blue", {.devices_in_use = 1}}}), 1u);
  EXPECT_EQ(
      Choose(queue, {{"red", {.weight = 4, .devices_in_use = 2}}, {"blue", {.devices_in_use = 1}}}),
      0u);
}

TEST(Scheduling, QuotasAreKept) {
  const std::vector<QueuedJob> queue = {Job("1", 0, 0, "red"), Job("2", 0, 1, "blue")};
  EXPECT_EQ(Choose(queue, {{"red", {.max_devices = 1, .devices_in_use = 1}}}), 1u);
  EXPECT_EQ(Choose(queue, {{"red", {.max_devices = 0}}, {"blue", {.max_devices = 0}}}),
            std::nullopt);
  QueuedJob wide = Job("1", 0, 0, "red");
  wide.device_count = 2;
  EXPECT_EQ(Choose({wide}, {{"red", {.max_devices = 2, .devices_in_use = 1}}}), std::nullopt);
}

TEST(Scheduling, OnlyDevicesThatFit) {
  QueuedJob gpu = Job("1", 0, 0);
  gpu.device_kind = "cuda";
  gpu.device_memory_bytes = int64_t{100} << 30;
  EXPECT_FALSE(FitsDevice(gpu, kCpu));
  EXPECT_FALSE(FitsDevice(gpu, kGpu)) << "too small";
  gpu.device_memory_bytes = int64_t{80} << 30;
  EXPECT_TRUE(FitsDevice(gpu, kGpu));
  EXPECT_TRUE(FitsDevice(gpu, {.id = "cuda:1", .kind = "cuda"})) << "of unknown size";
  EXPECT_EQ(Choose({gpu, Job("2", 0, 5)}), 1u);
}

TEST(Scheduling, WaitsForTheBackOff) {
  QueuedJob job = Job("1", 0, 0);
  job.not_before = absl::Seconds(5);
  EXPECT_EQ(ChooseJob({job}, "cpu", kCpu, {kCpuWorker}, {}, absl::Seconds(4)), std::nullopt);
  EXPECT_EQ(ChooseJob({job}, "cpu", kCpu, {kCpuWorker}, {}, absl::Seconds(5)), 0u);
}

TEST(Scheduling, LeavesACrashedJobToAnotherWorkerIfThereIsOne) {
  WorkerView other{.id = "other", .devices = {kCpu}};
  QueuedJob job = Job("1", 0, 0);
  job.crashed_workers = {"cpu"};
  const auto choose = [&](const std::string& worker, const std::vector<WorkerView>& alive) {
    return ChooseJob({job}, worker, kCpu, alive, {}, absl::ZeroDuration());
  };
  EXPECT_EQ(choose("cpu", {kCpuWorker, other}), std::nullopt);
  EXPECT_EQ(choose("other", {kCpuWorker, other}), 0u);
  EXPECT_EQ(choose("cpu", {kCpuWorker}), 0u);
  other.draining = true;
  EXPECT_EQ(choose("cpu", {kCpuWorker, other}), 0u) << "the other takes no job";
  other.draining = false;
  job.crashed_workers = {"cpu", "other"};
  EXPECT_EQ(choose("cpu", {kCpuWorker, other}), 0u);
  job.crashed_workers = {"cpu"};
  job.device_kind = "cpu";
  EXPECT_EQ(choose("cpu", {kCpuWorker, kGpuWorker}), 0u);
}

TEST(Scheduling, SaysWhyAJobWaits) {
  QueuedJob job = Job("1", 0, 0, "red");
  job.device_kind = "cuda";
  job.not_before = absl::Seconds(3);
  const absl::Duration now = absl::ZeroDuration();
  const absl::Duration later = absl::Seconds(3);
  EXPECT_THAT(ExplainWait(job, 0, {}, {}, now), HasSubstr("none is connected"));
  EXPECT_THAT(ExplainWait(job, 0, {kCpuWorker}, {}, now),
              HasSubstr("a cuda device: none of the 1"));
  EXPECT_THAT(ExplainWait(job, 0, {kGpuWorker}, {}, now), HasSubstr("3 s"));
  EXPECT_THAT(ExplainWait(job, 2, {kGpuWorker}, {}, later), HasSubstr("2 jobs are ahead"));
  EXPECT_THAT(ExplainWait(job, 0, {kGpuWorker}, {}, later), HasSubstr("next"));
  const Shares full = {{"red", {.max_devices = 1, .devices_in_use = 1}}};
  EXPECT_THAT(ExplainWait(job, 0, {kGpuWorker}, full, later), HasSubstr("red uses 1 of 1 devices"));
  WorkerView draining = kGpuWorker;
  draining.draining = true;
  EXPECT_THAT(ExplainWait(job, 0, {draining}, {}, later), HasSubstr("being drained"));
  job.device_memory_bytes = int64_t{100} << 30;
  EXPECT_THAT(ExplainWait(job, 0, {kGpuWorker}, {}, later), HasSubstr("with 100 GiB"));
}

RunningJob Running(const std::string& id, int32_t priority, int since, bool yielding = false) {
  return {.id = id,
          .priority = priority,
          .device = kCpu,
          .since = absl::Seconds(since),
          .yielding = yielding};
}

std::vector<std::string> Plan(const std::vector<QueuedJob>& queue,
                              const std::vector<RunningJob>& running,
                              const std::vector<DeviceView>& free = {}, const Shares& shares = {}) {
  return PlanPreemption(queue, running, free, shares, absl::ZeroDuration());
}

TEST(Preemption, OnlyForAMuchLargerPriority) {
  EXPECT_THAT(Plan({Job("q", 99, 0)}, {Running("r", 0, 0)}), IsEmpty());
  EXPECT_THAT(Plan({Job("q", 100, 0)}, {Running("r", 0, 0)}), ElementsAre("r"));
}

TEST(Preemption, TakesTheLeastThenTheYoungest) {
  EXPECT_THAT(
      Plan({Job("q", 500, 0)}, {Running("a", 5, 9), Running("b", 0, 1), Running("c", 0, 2)}),
      ElementsAre("c"));
}

TEST(Preemption, OneRoomForEachJob) {
  const std::vector<RunningJob> running = {Running("a", 0, 0), Running("b", 0, 1)};
  EXPECT_THAT(Plan({Job("q", 500, 0)}, running, {kCpu}), IsEmpty()) << "a device is free";
  EXPECT_THAT(Plan({Job("q", 500, 0)}, {Running("a", 0, 0, true), Running("b", 0, 1)}), IsEmpty())
      << "room is being made";
  EXPECT_THAT(Plan({Job("q", 500, 0), Job("p", 500, 1)}, running), ElementsAre("b", "a"));
  EXPECT_THAT(Plan({Job("q", 500, 0), Job("p", 500, 1)}, running, {kCpu}), ElementsAre("b"));
}

TEST(Preemption, OnlyWhereTheJobFitsAndMayRun) {
  QueuedJob gpu = Job("q", 500, 0, "red");
  gpu.device_kind = "cuda";
  EXPECT_THAT(Plan({gpu}, {Running("r", 0, 0)}), IsEmpty());
  gpu.device_kind = "";
  EXPECT_THAT(Plan({gpu}, {Running("r", 0, 0)}, {}, {{"red", {.max_devices = 0}}}), IsEmpty());
  gpu.not_before = absl::Seconds(9);
  EXPECT_THAT(Plan({gpu}, {Running("r", 0, 0)}), IsEmpty());
}

TEST(QuotaTable, SharesOutWhatIsInUse) {
  QuotaTable quotas;
  v1::Quota red;
  red.set_namespace_("red");
  red.set_weight(2);
  red.set_max_devices(3);
  quotas.Replace({red});
  const Shares shares = quotas.ShareOut(
      {{.name_space = "red", .device_count = 2}, {.name_space = "blue"}, {.name_space = "blue"}});
  EXPECT_EQ(shares.at("red").devices_in_use, 2);
  EXPECT_EQ(shares.at("red").weight, 2);
  EXPECT_EQ(shares.at("red").max_devices, 3);
  EXPECT_EQ(shares.at("blue").devices_in_use, 2);
  EXPECT_EQ(shares.at("blue").weight, 1);
  EXPECT_FALSE(quotas.Find("blue").has_max_waiting_jobs());
}

TEST(QuotaTable, QuotasThatCannotBeAreRefused) {
  v1::Quota quota;
  quota.set_namespace_("No Such");
  quota.set_weight(-1);
  quota.set_max_devices(-2);
  const absl::Status status = CheckQuota(quota);
  EXPECT_THAT(std::string(status.message()), HasSubstr("quota.namespace"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("quota.weight"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("quota.max_devices"));
}

}  // namespace
}  // namespace quantry::server
