#include "worker/agent/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "common/sha256.h"
#include "tests/worker/agent/fake_server.h"

namespace quantry::agent {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kDeadline = absl::Minutes(1);

bool Poll(const std::function<bool()>& condition) {
  const absl::Time end = absl::Now() + kDeadline;
  while (!condition()) {
    if (absl::Now() > end) return false;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return true;
}

bool HasProgress(const std::vector<v1::TrainerEvent>& events, int64_t step) {
  return std::any_of(events.begin(), events.end(), [step](const v1::TrainerEvent& event) {
    return event.has_progress() && event.progress().step() == step;
  });
}

class WorkerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/quantry_worker_XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    options_.data_dir = pattern;
    options_.device = "cpu";
    options_.trainer = QUANTRY_FAKE_TRAINER;
    options_.dataset_roots = {"/data"};
    options_.dataset_cache_bytes = 7;
    options_.acquire_wait = absl::Seconds(10);
    options_.stop_grace = absl::Seconds(60);
    options_.retry = {.initial_delay = absl::Milliseconds(5), .max_delay = absl::Milliseconds(20)};
  }

  void TearDown() override {
    StopWorker();
    fs::remove_all(options_.data_dir);
  }

  void StartWorker(FakeServer& server) {
    options_.server.address = server.address();
    registry_ = std::make_unique<prometheus::Registry>();
    auto worker = Worker::Create(options_, *registry_);
    ASSERT_TRUE(worker.ok()) << worker.status();
    worker_ = *std::move(worker);
    thread_ = std::thread([this] { worker_->Run(); });
  }

  void StopWorker() {
    if (worker_ == nullptr) return;
    worker_->Stop();
    thread_.join();
    worker_.reset();
  }

  // The Prometheus page.
  std::string Metrics() const {
    return prometheus::TextSerializer().Serialize(registry_->Collect());
  }

  bool WaitForMetric(const std::string& line) {
    return Poll([&] { return Metrics().find(line) != std::string::npos; });
  }

  bool JobFoldersAreGone() {
    return Poll([&] { return fs::is_empty(options_.data_dir / "jobs"); });
  }

  WorkerOptions options_;
  std::unique_ptr<prometheus::Registry> registry_;
  std::unique_ptr<Worker> worker_;
  std::thread thread_;
};

TEST_F(WorkerTest, RunsAJobFromModelToArtifacts) {
  FakeServer server;
  const std::string model = server.blobs().Put("float model");
  const std::string checkpoint = server.blobs().Put("old checkpoint");
  const v1::Lease lease = server.Submit("succeed", model, checkpoint);
  StartWorker(server);
  const auto finish = server.WaitForFinish();
  ASSERT_TRUE(finish.has_value());
  EXPECT_EQ(finish->lease().job(), lease.job());
  EXPECT_EQ(finish->lease().epoch(), lease.epoch());
  EXPECT_EQ(finish->worker_id(), worker_->id());
  ASSERT_TRUE(finish->has_success()) << finish->ShortDebugString();
  EXPECT_DOUBLE_EQ(finish->success().result().artifact_top1(), 0.75);
  ASSERT_EQ(finish->success().artifacts_size(), 2);
  EXPECT_EQ(finish->success().artifacts(0).name(), "model.onnx");
  EXPECT_EQ(server.blobs().Get(finish->success().artifacts(0).blob()), "quantized float model");
  EXPECT_EQ(finish->success().artifacts(0).size_bytes(), 21);
  EXPECT_EQ(server.blobs().Get(finish->success().artifacts(1).blob()),
            "resumed from old checkpoint on cpu roots 1 cache datasets 7");
  EXPECT_TRUE(HasProgress(server.events(), 3));
  EXPECT_TRUE(JobFoldersAreGone());
  EXPECT_TRUE(WaitForMetric("quantry_worker_attempts_total{outcome=\"succeeded\"} 1"));
  EXPECT_THAT(Metrics(), HasSubstr("quantry_worker_trainer_steps_total 3"));
  EXPECT_THAT(Metrics(), HasSubstr("quantry_worker_trainer_images_total 192"));
  EXPECT_THAT(Metrics(), Not(HasSubstr("job1")));
}

TEST_F(WorkerTest, RegistersItsDevices) {
  FakeServer server;
  StartWorker(server);
  ASSERT_TRUE(server.WaitForRegistrations(1));
  const v1::RegisterWorkerRequest registration = server.registration();
  ASSERT_EQ(registration.devices_size(), 1);
  EXPECT_EQ(registration.devices(0).id(), "cpu");
  EXPECT_EQ(registration.devices(0).kind(), "cpu");
  EXPECT_FALSE(registration.hostname().empty());
  EXPECT_FALSE(registration.version().empty());
}

TEST_F(WorkerTest, FetchesAModelOnce) {
  FakeServer server;
  const std::string model = server.blobs().Put("float model");
  StartWorker(server);
  for (int i = 0; i < 3; ++i) {
    server.Submit("succeed", model);
    ASSERT_TRUE(server.WaitForFinish()->has_success());
  }
  EXPECT_EQ(server.blobs().bytes_sent(), 11);
  EXPECT_TRUE(WaitForMetric("quantry_worker_cache_lookups_total{result=\"hit\"} 2"));
}

TEST_F(WorkerTest, FetchesAnewWhatChangedInTheCache) {
  FakeServer server;
  const std::string model = server.blobs().Put("float model");
  StartWorker(server);
  server.Submit("succeed", model);
  ASSERT_TRUE(server.WaitForFinish()->has_success());
  ASSERT_TRUE(JobFoldersAreGone());
  fs::resize_file(options_.data_dir / "cache" / model, 4);
  server.Submit("succeed", model);
  const auto finish = server.WaitForFinish();
  EXPECT_EQ(server.blobs().Get(finish->success().artifacts(0).blob()), "quantized float model");
}

TEST_F(WorkerTest, StartsAgainFromTheFirstStepIfTheCheckpointIsDamaged) {
  FakeServer server;
  const std::string checkpoint = Sha256Hex("was");
  server.blobs().PutDamaged(checkpoint, "is");
  server.Submit("succeed", "", checkpoint);
  StartWorker(server);
  const auto finish = server.WaitForFinish();
  ASSERT_TRUE(finish->has_success());
  EXPECT_THAT(server.blobs().Get(finish->success().artifacts(1).blob()),
              HasSubstr("resumed from none"));
}

TEST_F(WorkerTest, MissingModelIsAnInfrastructureFailure) {
  FakeServer server;
  server.Submit("succeed", Sha256Hex("never stored"));
  StartWorker(server);
  const auto finish = server.WaitForFinish();
  ASSERT_TRUE(finish->has_failure());
  EXPECT_EQ(finish->failure().kind(), v1::FAILURE_KIND_INFRASTRUCTURE);
  EXPECT_EQ(finish->failure().reason(), "INPUT_UNAVAILABLE");
}

TEST_F(WorkerTest, SurvivesACrashedTrainerAndTellsItsLastWords) {
  FakeServer server;
  server.Submit("crash");
  StartWorker(server);
  const auto finish = server.WaitForFinish();
  ASSERT_TRUE(finish->has_failure());
  EXPECT_EQ(finish->failure().kind(), v1::FAILURE_KIND_INFRASTRUCTURE);
  EXPECT_EQ(finish->failure().reason(), "TRAINER_CRASHED");
  EXPECT_THAT(finish->failure().message(), HasSubstr("signal 6"));
  EXPECT_THAT(finish->failure().last_words(), HasSubstr("about to crash ?"));
  const std::vector<v1::TrainerEvent> events = server.events();
  EXPECT_TRUE(std::any_of(events.begin(), events.end(), [](const v1::TrainerEvent& event) {
    return event.log().message() == "about to crash ?";
  }));
  server.Submit("succeed");
  EXPECT_TRUE(server.WaitForFinish()->has_success());
}

TEST_F(WorkerTest, TrainerThatSaysNothingOrNonsenseCrashed) {
  FakeServer server;
  StartWorker(server);
  for (const std::string what : {"mute", "garbage"}) {
    server.Submit(what);
    const auto finish = server.WaitForFinish();
    EXPECT_EQ(finish->failure().reason(), "TRAINER_CRASHED") << what;
  }
}

TEST_F(WorkerTest, TrainerThatVanishesIsAnInfrastructureFailure) {
  FakeServer server;
  const fs::path link = options_.data_dir / "trainer";
  fs::create_symlink(options_.trainer, link);
  options_.trainer = link;
  StartWorker(server);
  fs::remove(link);
  server.Submit("succeed");
  const auto finish = server.WaitForFinish();
  EXPECT_EQ(finish->failure().reason(), "TRAINER_NOT_STARTED");
  EXPECT_THAT(finish->failure().message(), HasSubstr(link.string()));
}

TEST_F(WorkerTest, DoesNotStartWithoutATrainer) {
  prometheus::Registry registry;
  options_.trainer = "/no/such/trainer";
  const auto worker = Worker::Create(options_, registry);
  EXPECT_THAT(std::string(worker.status().message()), HasSubstr("/no/such/trainer"));
}

TEST_F(WorkerTest, ForwardsTheTrainersOwnFailureAsItIs) {
  FakeServer server;
  server.Submit("fail");
  StartWorker(server);
  const auto finish = server.WaitForFinish();
  EXPECT_EQ(finish->failure().kind(), v1::FAILURE_KIND_USER);
  EXPECT_EQ(finish->failure().reason(), "MODEL_INVALID");
  EXPECT_EQ(finish->failure().message(), "the model is no model");
}

TEST_F(WorkerTest, CheckpointOfACrashedTrainerReachesTheServer) {
  FakeServer server;
  server.Submit("checkpoint_then_crash");
  StartWorker(server);
  ASSERT_TRUE(server.WaitForFinish()->has_failure());
  const std::vector<v1::TrainerEvent> events = server.events();
  const auto checkpoint = std::find_if(events.begin(), events.end(),
                                       [](const auto& event) { return event.has_checkpoint(); });
  ASSERT_NE(checkpoint, events.end());
  EXPECT_EQ(server.blobs().Get(checkpoint->checkpoint().blob()), "checkpoint at 5");
  EXPECT_EQ(checkpoint->checkpoint().size_bytes(), 15);
}

TEST_F(WorkerTest, CancelEndsTheTrainer) {
  FakeServer server;
  server.Submit("hang");
  StartWorker(server);
  ASSERT_TRUE(server.WaitForEvents([](const auto& events) { return HasProgress(events, 1); }));
  server.RequestCancel();
  const auto finish = server.WaitForFinish();
  ASSERT_TRUE(finish.has_value());
  EXPECT_TRUE(finish->cancelled());
}

TEST_F(WorkerTest, YieldEndsTheTrainerAndGivesTheJobBack) {
  FakeServer server;
  server.Submit("hang");
  StartWorker(server);
  ASSERT_TRUE(server.WaitForEvents([](const auto& events) { return HasProgress(events, 1); }));
  server.RequestYield();
  const auto finish = server.WaitForFinish();
  ASSERT_TRUE(finish.has_value());
  EXPECT_EQ(finish->failure().kind(), v1::FAILURE_KIND_PREEMPTED);
  EXPECT_EQ(finish->failure().reason(), "YIELDED");
}

TEST_F(WorkerTest, TrainerThatIgnoresSigtermIsKilled) {
  options_.stop_grace = absl::Milliseconds(50);
  FakeServer server;
  server.Submit("ignore_term");
  StartWorker(server);
  ASSERT_TRUE(server.WaitForEvents([](const auto& events) { return HasProgress(events, 1); }));
  server.RequestCancel();
  const auto finish = server.WaitForFinish();
  ASSERT_TRUE(finish.has_value());
  EXPECT_TRUE(finish->cancelled());
}

TEST_F(WorkerTest, LostLeaseKillsTheTrainerAndDropsTheAttempt) {
  FakeServer server;
  server.Submit("ignore_term");
  StartWorker(server);
  ASSERT_TRUE(server.WaitForEvents([](const auto& events) { return HasProgress(events, 1); }));
  server.TakeLeaseAway();
  EXPECT_TRUE(WaitForMetric("quantry_worker_attempts_total{outcome=\"lease_lost\"} 1"));
  EXPECT_TRUE(JobFoldersAreGone());
  EXPECT_EQ(server.finishes(), 0);
  server.Submit("succeed");
  EXPECT_TRUE(server.WaitForFinish()->has_success());
}

TEST_F(WorkerTest, ServerAwayForLongerThanTheLeaseLosesIt) {
  FakeServer server(absl::Seconds(1));
  server.Submit("ignore_term");
  StartWorker(server);
  ASSERT_TRUE(server.WaitForEvents([](const auto& events) { return HasProgress(events, 1); }));
  server.SetAway(true);
  EXPECT_TRUE(WaitForMetric("quantry_worker_leases_lost_total 1"));
  server.SetAway(false);
  server.Submit("mute");
  EXPECT_TRUE(server.WaitForFinish()->has_failure());
}

TEST_F(WorkerTest, ServerAwayForShorterThanTheLeaseLosesNothing) {
  FakeServer server;
  server.Submit("hang");
  StartWorker(server);
  ASSERT_TRUE(server.WaitForEvents([](const auto& events) { return HasProgress(events, 1); }));
  server.SetAway(true);
  worker_->Stop();  // what the trainer does now is reported while the server is away
  EXPECT_TRUE(
      Poll([&] { return Metrics().find("heartbeat_failures_total 0") == std::string::npos; }));
  server.SetAway(false);
  EXPECT_EQ(server.WaitForFinish()->failure().reason(), "WORKER_SHUTDOWN");
}

TEST_F(WorkerTest, RepeatsAfterLostAnswersDoNoHarm) {
  FakeServer server;
  server.LoseAnswers(3);
  server.Submit("succeed");
  StartWorker(server);
  ASSERT_TRUE(server.WaitForFinish()->has_success());
  const std::vector<v1::TrainerEvent> events = server.events();
  EXPECT_EQ(std::count_if(events.begin(), events.end(),
                          [](const v1::TrainerEvent& event) {
                            return event.has_progress() && event.progress().step() == 3;
                          }),
            1);
}

TEST_F(WorkerTest, FloodOfProgressIsThinnedButNothingElseIsLost) {
  FakeServer server;
  server.Submit("flood");
  StartWorker(server);
  ASSERT_TRUE(server.WaitForFinish()->has_success());
  const std::vector<v1::TrainerEvent> events = server.events();
  EXPECT_TRUE(std::any_of(events.begin(), events.end(), [](const v1::TrainerEvent& event) {
    return event.log().message() == "after the flood";
  }));
  EXPECT_TRUE(HasProgress(events, 3));
}

TEST_F(WorkerTest, ShutdownSavesTheCheckpointAndGivesTheJobBack) {
  FakeServer server;
  server.Submit("hang");
  StartWorker(server);
  ASSERT_TRUE(server.WaitForEvents([](const auto& events) { return HasProgress(events, 1); }));
  StopWorker();
  const auto finish = server.WaitForFinish();
  EXPECT_EQ(finish->failure().kind(), v1::FAILURE_KIND_PREEMPTED);
  EXPECT_EQ(finish->failure().reason(), "WORKER_SHUTDOWN");
  const std::vector<v1::TrainerEvent> events = server.events();
  ASSERT_TRUE(events.back().has_checkpoint());
  EXPECT_EQ(server.blobs().Get(events.back().checkpoint().blob()), "checkpoint at 42");
}

TEST_F(WorkerTest, StopsWhileIdleAndWhileTheServerIsAway) {
  FakeServer server;
  StartWorker(server);
  ASSERT_TRUE(server.WaitForRegistrations(1));
  StopWorker();
  server.SetAway(true);
  StartWorker(server);
  StopWorker();
}

TEST_F(WorkerTest, RegistersAgainWhenTheServerForgotIt) {
  FakeServer server;
  StartWorker(server);
  ASSERT_TRUE(server.WaitForRegistrations(1));
  server.ForgetWorker();
  ASSERT_TRUE(server.WaitForRegistrations(2));
  server.Submit("succeed");
  EXPECT_TRUE(server.WaitForFinish()->has_success());
}

TEST_F(WorkerTest, KeepsItsNameAndSharesItsFolderWithNone) {
  FakeServer server;
  StartWorker(server);
  const std::string id = worker_->id();
  prometheus::Registry other;
  EXPECT_EQ(Worker::Create(options_, other).status().code(), absl::StatusCode::kFailedPrecondition);
  StopWorker();
  StartWorker(server);
  EXPECT_EQ(worker_->id(), id);
}

TEST_F(WorkerTest, RefusesWrongOptions) {
  prometheus::Registry registry;
  WorkerOptions options = options_;
  options.device = "gpu";
  EXPECT_THAT(std::string(Worker::Create(options, registry).status().message()),
              HasSubstr("device is 'gpu'; allowed: auto, cpu, cuda:N"));
  options = options_;
  for (const char* root : {"relative", "https://", "ftp://host/", "s3:///x"}) {
    options.dataset_roots = {root};
    EXPECT_EQ(options.Validate().code(), absl::StatusCode::kInvalidArgument) << root;
  }
  options.dataset_roots = {"/data", "https://host:8443/d/", "s3://bucket"};
  EXPECT_TRUE(options.Validate().ok()) << options.Validate();
  options.dataset_cache_bytes = 0;
  EXPECT_THAT(std::string(options.Validate().message()), HasSubstr("dataset-cache-bytes is 0"));
}

}  // namespace
}  // namespace quantry::agent
