#include <gmock/gmock.h>

#include <atomic>
#include <functional>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/server/rpc/server_fixture.h"
#include "tests/server/sample_spec.h"

// A job's life through the real gRPC services, with calls in place of a worker.
namespace quantry::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class JobLifeTest : public ServerFixture {};

TEST_F(JobLifeTest, FromSubmitToSuccessWithAWatcher) {
  const std::string name = Submit(SampleSpec());
  EXPECT_THAT(Get(name).state_reason(), HasSubstr("none is connected"));
  EXPECT_EQ(Get(name).queue_position(), 1);
  std::vector<v1::Event> events;
  grpc::Status watched;
  std::thread watcher([&] { watched = Watch(name, 0, &events); });

  Register("w");
  const v1::AcquireLeaseResponse work = Acquire("w");
  ASSERT_TRUE(work.has_lease());
  EXPECT_EQ(work.lease().job(), name);
  EXPECT_EQ(work.lease().attempt(), 1);
  EXPECT_EQ(work.model_blob(), "");
  ASSERT_TRUE(Report("w", work.lease(), 1, {StepEvent(1), StepEvent(2)}).ok());
  ASSERT_TRUE(Report("w", work.lease(), 1, {StepEvent(1), StepEvent(2), StepEvent(3)}).ok());
  EXPECT_EQ(Get(name).state(), v1::JOB_STATE_RUNNING);
  v1::FinishAttemptRequest finish = SuccessOutcome("w", work.lease());
  v1::Artifact& artifact = *finish.mutable_success()->add_artifacts();
  artifact.set_name("model.float.onnx");
  artifact.set_blob(StoreBlob(FakeModel()));
  artifact.set_size_bytes(static_cast<int64_t>(FakeModel().size()));
  v1::JobState state = v1::JOB_STATE_UNSPECIFIED;
  ASSERT_TRUE(Finish(finish, &state).ok());
  EXPECT_EQ(state, v1::JOB_STATE_SUCCEEDED);
  ASSERT_TRUE(Finish(finish, &state).ok()) << "a repeat after a lost answer";
  watcher.join();

  EXPECT_TRUE(watched.ok()) << watched.error_message();
  // QUEUED, LEASED, RUNNING, 3 steps, artifact, result, SUCCEEDED.
  ASSERT_THAT(events, SizeIs(9));
  for (size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].sequence(), i + 1);
  EXPECT_EQ(events.back().state_change().state(), v1::JOB_STATE_SUCCEEDED);
  std::vector<v1::Event> rest;
  EXPECT_TRUE(Watch(name, 6, &rest).ok());
  ASSERT_THAT(rest, SizeIs(3));
  EXPECT_EQ(rest.front().sequence(), 7);
  std::vector<v1::Event> none;
  EXPECT_TRUE(Watch(name, 9, &none).ok());
  EXPECT_THAT(none, SizeIs(0));
  EXPECT_EQ(ErrorOf(Watch(name, 10, &none)).code, grpc::StatusCode::OUT_OF_RANGE);

  v1::JobSpec next = SampleSpec();
  next.mutable_model()->set_job(name);
  Submit(next);
  EXPECT_EQ(Acquire("w").model_blob(), artifact.blob());
}

TEST_F(JobLifeTest, AJobsModelMustExistAndHaveSucceeded) {
  v1::JobSpec spec = SampleSpec();
  grpc::ClientContext missing;
  v1::CreateJobRequest request;
  spec.mutable_model()->set_job("jobs/00000000000000000001");
  *request.mutable_spec() = spec;
  v1::Job job;
  EXPECT_EQ(ErrorOf(jobs_->CreateJob(&missing, request, &job)).code, grpc::StatusCode::NOT_FOUND);
  request.mutable_spec()->mutable_model()->set_job(Submit(SampleSpec()));
  grpc::ClientContext queued;
  const CallError error = ErrorOf(jobs_->CreateJob(&queued, request, &job));
  EXPECT_EQ(error.code, grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(error.info.reason(), "MODEL_JOB_NOT_SUCCEEDED");
}

TEST_F(JobLifeTest, ABuiltinModelsWeightsMustBeUploadedAndOfAKnownKind) {
  v1::CreateJobRequest request;
  *request.mutable_spec() = SampleSpec();
  v1::BuiltinModel& builtin = *request.mutable_spec()->mutable_model()->mutable_builtin();
  const std::string safetensors("\x02\0\0\0\0\0\0\0{}", 10);
  builtin.set_weights(StoreBlob(safetensors));
  v1::Job job;
  grpc::ClientContext good;
  EXPECT_TRUE(jobs_->CreateJob(&good, request, &job).ok());
  builtin.set_weights(StoreBlob("PK\x03\x04, as TorchScript starts"));
  grpc::ClientContext script;
  EXPECT_TRUE(jobs_->CreateJob(&script, request, &job).ok());
  builtin.set_weights(StoreBlob("this is a text"));
  grpc::ClientContext text;
  const CallError error = ErrorOf(jobs_->CreateJob(&text, request, &job));
  EXPECT_EQ(error.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(error.info.reason(), "MODEL_INVALID");
  ASSERT_EQ(error.bad_request.field_violations_size(), 1);
  EXPECT_EQ(error.bad_request.field_violations(0).field(), "spec.model.builtin.weights");
  builtin.set_weights(std::string(64, '0'));
  grpc::ClientContext missing;
  EXPECT_FALSE(jobs_->CreateJob(&missing, request, &job).ok());
}

TEST_F(JobLifeTest, RefusesAFileThatIsNoModel) {
  v1::CreateJobRequest request;
  *request.mutable_spec() = SampleSpec();
  request.mutable_spec()->mutable_model()->set_blob(StoreBlob("this is a text, not a model"));
  grpc::ClientContext context;
  v1::Job job;
  const CallError error = ErrorOf(jobs_->CreateJob(&context, request, &job));
  EXPECT_EQ(error.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(error.info.domain(), "quantry");
  EXPECT_EQ(error.info.reason(), "MODEL_INVALID");
  ASSERT_THAT(error.bad_request.field_violations(), SizeIs(1));
  EXPECT_EQ(error.bad_request.field_violations(0).field(), "spec.model.blob");
  request.mutable_spec()->mutable_model()->set_blob(StoreBlob(FakeModel()));
  grpc::ClientContext good;
  EXPECT_TRUE(jobs_->CreateJob(&good, request, &job).ok());
}

TEST_F(JobLifeTest, ARequestIdMakesOneJob) {
  v1::CreateJobRequest request;
  *request.mutable_spec() = SampleSpec();
  request.set_request_id("3f2b8c1e-5d4a-4f6b-9c7d-8e9f0a1b2c3d");
  std::atomic<int> failures = 0;
  std::vector<std::string> names(8);
  std::vector<std::thread> clients;
  for (std::string& name : names) {
    clients.emplace_back([&] {
      grpc::ClientContext context;
      v1::Job job;
      if (!jobs_->CreateJob(&context, request, &job).ok()) ++failures;
      name = job.name();
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(failures, 0);
  for (const std::string& name : names) EXPECT_EQ(name, names.front());
  request.mutable_spec()->set_priority(3);
  grpc::ClientContext other;
  v1::Job job;
  EXPECT_EQ(ErrorOf(jobs_->CreateJob(&other, request, &job)).info.reason(), "REQUEST_ID_REUSED");
  request.set_request_id("no uuid");
  grpc::ClientContext wrong;
  EXPECT_EQ(ErrorOf(jobs_->CreateJob(&wrong, request, &job)).info.reason(), "INVALID_REQUEST_ID");
}

TEST_F(JobLifeTest, ValidateOnlyStoresNothing) {
  v1::CreateJobRequest request;
  *request.mutable_spec() = SampleSpec();
  request.set_validate_only(true);
  grpc::ClientContext context;
  v1::Job job;
  ASSERT_TRUE(jobs_->CreateJob(&context, request, &job).ok());
  EXPECT_EQ(job.name(), "");
  grpc::ClientContext list_context;
  v1::ListJobsResponse list;
  ASSERT_TRUE(jobs_->ListJobs(&list_context, v1::ListJobsRequest(), &list).ok());
  EXPECT_THAT(list.jobs(), SizeIs(0));
}

TEST_F(JobLifeTest, ListsInPages) {
  std::vector<std::string> names;
  for (int i = 0; i < 5; ++i) names.push_back(Submit(SampleSpec()));
  std::vector<std::string> listed;
  v1::ListJobsRequest request;
  request.set_page_size(2);
  do {
    grpc::ClientContext context;
    v1::ListJobsResponse page;
    ASSERT_TRUE(jobs_->ListJobs(&context, request, &page).ok());
    for (const v1::Job& job : page.jobs()) listed.push_back(job.name());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(listed, testing::ElementsAreArray(names.rbegin(), names.rend()));
  request.set_page_token("bogus");
  grpc::ClientContext bogus;
  v1::ListJobsResponse page;
  EXPECT_EQ(jobs_->ListJobs(&bogus, request, &page).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  request.clear_page_token();
  for (int i = 0; i < 1000; ++i) request.add_states(v1::JOB_STATE_QUEUED);
  grpc::ClientContext repeats;
  ASSERT_TRUE(jobs_->ListJobs(&repeats, request, &page).ok());
  EXPECT_THAT(page.jobs(), SizeIs(2));
  for (int i = 0; i < 1000; ++i) request.add_states(static_cast<v1::JobState>(1000 + i));
  grpc::ClientContext unknown;
  const CallError error = ErrorOf(jobs_->ListJobs(&unknown, request, &page));
  EXPECT_EQ(error.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(error.bad_request.field_violations(), SizeIs(1));
}

TEST_F(JobLifeTest, CancelOfAQueuedAndOfARunningJob) {
  const std::string queued = Submit(SampleSpec());
  v1::CancelJobRequest request;
  request.set_name(queued);
  v1::Job job;
  for (int i = 0; i < 2; ++i) {
    grpc::ClientContext context;
    ASSERT_TRUE(jobs_->CancelJob(&context, request, &job).ok());
    EXPECT_EQ(job.state(), v1::JOB_STATE_CANCELLED);
  }
  const std::string running = Submit(SampleSpec());
  Register("w");
  const v1::Lease lease = Acquire("w").lease();
  ASSERT_TRUE(Report("w", lease, 1, {StepEvent(1)}).ok());
  v1::HeartbeatResponse beat;
  ASSERT_TRUE(Heartbeat("w", lease, &beat).ok());
  EXPECT_FALSE(beat.cancel());
  request.set_name(running);
  grpc::ClientContext context;
  ASSERT_TRUE(jobs_->CancelJob(&context, request, &job).ok());
  EXPECT_EQ(job.state(), v1::JOB_STATE_RUNNING);
  ASSERT_TRUE(Heartbeat("w", lease, &beat).ok());
  EXPECT_TRUE(beat.cancel());
  v1::FinishAttemptRequest finish;
  finish.set_worker_id("w");
  *finish.mutable_lease() = lease;
  finish.set_cancelled(true);
  v1::JobState state = v1::JOB_STATE_UNSPECIFIED;
  ASSERT_TRUE(Finish(finish, &state).ok());
  EXPECT_EQ(state, v1::JOB_STATE_CANCELLED);
}

TEST_F(JobLifeTest, AJobIsPausedResumedRetriedAndDeleted) {
  const std::string name = Submit(SampleSpec());
  v1::Job job;
  const auto call = [&](auto method, auto request) {
    grpc::ClientContext context;
    request.set_name(name);
    return (jobs_.get()->*method)(&context, request, &job);
  };
  using Stub = v1::JobService::Stub;
  ASSERT_TRUE(call(&Stub::PauseJob, v1::PauseJobRequest()).ok());
  EXPECT_EQ(job.state(), v1::JOB_STATE_PAUSED);
  Register("w");
  EXPECT_FALSE(Acquire("w").has_lease()) << "nobody takes a paused job";
  ASSERT_TRUE(call(&Stub::ResumeJob, v1::ResumeJobRequest()).ok());
  const v1::Lease lease = Acquire("w").lease();
  ASSERT_TRUE(call(&Stub::PauseJob, v1::PauseJobRequest()).ok());
  v1::HeartbeatResponse heartbeat;
  ASSERT_TRUE(Heartbeat("w", lease, &heartbeat).ok());
  EXPECT_TRUE(heartbeat.yield());
  v1::JobState state = v1::JOB_STATE_UNSPECIFIED;
  ASSERT_TRUE(Finish(FailureOutcome("w", lease, v1::FAILURE_KIND_PREEMPTED), &state).ok());
  EXPECT_EQ(state, v1::JOB_STATE_PAUSED);
  EXPECT_EQ(ErrorOf(call(&Stub::DeleteJob, v1::DeleteJobRequest())).info.reason(),
            "BAD_TRANSITION");
  ASSERT_TRUE(call(&Stub::CancelJob, v1::CancelJobRequest()).ok());
  std::vector<v1::Event> events;
  ASSERT_TRUE(Watch(name, 0, &events).ok());
  const size_t first_end = events.size();
  ASSERT_TRUE(call(&Stub::RetryJob, v1::RetryJobRequest()).ok());
  EXPECT_EQ(job.state(), v1::JOB_STATE_QUEUED);
  ASSERT_TRUE(call(&Stub::CancelJob, v1::CancelJobRequest()).ok());
  events.clear();
  ASSERT_TRUE(Watch(name, 0, &events).ok());
  EXPECT_EQ(events.size(), first_end + 2) << "a watch goes on past an end that was taken back";
  ASSERT_TRUE(call(&Stub::DeleteJob, v1::DeleteJobRequest()).ok());
  EXPECT_TRUE(job.has_purge_time());
  ASSERT_TRUE(call(&Stub::UndeleteJob, v1::UndeleteJobRequest()).ok());
  EXPECT_FALSE(job.has_delete_time());
}

TEST_F(JobLifeTest, ListsByFilterAndOrderInPages) {
  for (const int priority : {3, 1, 2}) {
    v1::JobSpec spec = SampleSpec();
    spec.set_priority(priority);
    Submit(spec);
  }
  v1::ListJobsRequest request;
  request.set_filter("priority > 1");
  request.set_order_by("priority");
  request.set_page_size(1);
  const auto list = [&](v1::ListJobsResponse* page) {
    grpc::ClientContext context;
    return jobs_->ListJobs(&context, request, page);
  };
  v1::ListJobsResponse page;
  ASSERT_TRUE(list(&page).ok());
  ASSERT_THAT(page.jobs(), SizeIs(1));
  EXPECT_EQ(page.jobs(0).spec().priority(), 2);
  request.set_page_token(page.next_page_token());
  ASSERT_TRUE(list(&page).ok());
  ASSERT_THAT(page.jobs(), SizeIs(1));
  EXPECT_EQ(page.jobs(0).spec().priority(), 3);
  EXPECT_EQ(page.next_page_token(), "");
  request.set_order_by("create_time");
  const CallError other = ErrorOf(list(&page));
  EXPECT_EQ(other.code, grpc::StatusCode::INVALID_ARGUMENT) << "a token of another request";
  EXPECT_EQ(other.bad_request.field_violations(0).field(), "page_token");
  request.clear_page_token();
  request.set_filter("priority >");
  EXPECT_EQ(ErrorOf(list(&page)).info.reason(), "INVALID_FILTER");
  request.clear_filter();
  request.set_order_by("colour");
  EXPECT_EQ(ErrorOf(list(&page)).info.reason(), "INVALID_ORDER");
}

TEST_F(JobLifeTest, NamespacesDivideJobsAndRequestIds) {
  const auto create = [&](const std::string& name_space, v1::Job* job) {
    grpc::ClientContext context;
    v1::CreateJobRequest request;
    *request.mutable_spec() = SampleSpec();
    request.set_namespace_(name_space);
    request.set_request_id("6f1d0c3e-7d9b-4a42-9a51-0d5a35d2c7b1");
    return jobs_->CreateJob(&context, request, job);
  };
  v1::Job red, blue;
  ASSERT_TRUE(create("red", &red).ok());
  ASSERT_TRUE(create("blue", &blue).ok());
  EXPECT_NE(red.name(), blue.name());
  EXPECT_EQ(ErrorOf(create("No Such", &red)).bad_request.field_violations(0).field(), "namespace");
  v1::ListJobsRequest request;
  request.set_namespace_("blue");
  v1::ListJobsResponse page;
  grpc::ClientContext context;
  ASSERT_TRUE(jobs_->ListJobs(&context, request, &page).ok());
  ASSERT_THAT(page.jobs(), SizeIs(1));
  EXPECT_EQ(page.jobs(0).name(), blue.name());
}

TEST_F(JobLifeTest, AnUrgentJobGetsTheDeviceOfOneThatCanWait) {
  const std::string slow = Submit(SampleSpec());
  Register("w");
  const v1::Lease lease = Acquire("w").lease();
  v1::JobSpec urgent = SampleSpec();
  urgent.set_priority(200);
  const std::string fast = Submit(urgent);
  v1::HeartbeatResponse heartbeat;
  ASSERT_TRUE(Heartbeat("w", lease, &heartbeat).ok());
  server_->Sweep();
  ASSERT_TRUE(Heartbeat("w", lease, &heartbeat).ok());
  EXPECT_TRUE(heartbeat.yield());
  EXPECT_TRUE(Get(slow).preempt_requested());
  ASSERT_TRUE(Finish(FailureOutcome("w", lease, v1::FAILURE_KIND_PREEMPTED)).ok());
  EXPECT_EQ(Get(slow).state(), v1::JOB_STATE_QUEUED);
  EXPECT_FALSE(Get(slow).preempt_requested());
  EXPECT_EQ(Acquire("w").lease().job(), fast);
}

TEST_F(JobLifeTest, AJobThatNobodyTakesInTimeFails) {
  v1::JobSpec spec = SampleSpec();
  spec.mutable_queue_deadline()->set_seconds(60);
  const std::string name = Submit(spec);
  server_->Sweep();
  clock_.Advance(absl::Seconds(59));
  server_->Sweep();
  EXPECT_EQ(Get(name).state(), v1::JOB_STATE_QUEUED);
  clock_.Advance(absl::Seconds(1));
  server_->Sweep();
  const v1::Job job = Get(name);
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.failure().kind(), v1::FAILURE_KIND_QUOTA);
  EXPECT_EQ(job.failure().reason(), "QUEUE_DEADLINE_EXCEEDED");
}

TEST_F(JobLifeTest, QuotasLimitWhatWaitsAndWhatRuns) {
  grpc::ClientContext context;
  v1::SetQuotaRequest request;
  request.mutable_quota()->set_namespace_("default");
  request.mutable_quota()->set_max_waiting_jobs(1);
  request.mutable_quota()->set_max_devices(0);
  v1::Quota quota;
  ASSERT_TRUE(admin_->SetQuota(&context, request, &quota).ok());
  server_->Sweep();
  const std::string name = Submit(SampleSpec());
  v1::CreateJobRequest second;
  *second.mutable_spec() = SampleSpec();
  v1::Job job;
  grpc::ClientContext again;
  EXPECT_EQ(ErrorOf(jobs_->CreateJob(&again, second, &job)).info.reason(), "WAITING_JOBS_QUOTA");
  Register("w");
  EXPECT_FALSE(Acquire("w").has_lease());
  EXPECT_THAT(Get(name).state_reason(), HasSubstr("default uses 0 of 0 devices"));
}

TEST_F(JobLifeTest, ADrainedWorkerTakesNoFurtherJob) {
  Register("w");
  const std::string name = Submit(SampleSpec());
  const auto drain = [&](const std::string& worker, bool undo) {
    grpc::ClientContext context;
    v1::DrainWorkerRequest request;
    request.set_name(worker);
    request.set_undo(undo);
    v1::DrainWorkerResponse response;
    return admin_->DrainWorker(&context, request, &response);
  };
  ASSERT_TRUE(drain("workers/w", false).ok());
  EXPECT_FALSE(Acquire("w").has_lease());
  EXPECT_THAT(Get(name).state_reason(), HasSubstr("being drained"));
  RestartServer();
  Register("w");
  EXPECT_FALSE(Acquire("w").has_lease()) << "it is kept, also when the worker registers again";
  ASSERT_TRUE(drain("workers/w", true).ok());
  EXPECT_EQ(Acquire("w").lease().job(), name);
  EXPECT_EQ(ErrorOf(drain("workers/other", false)).info.reason(), "WORKER_NOT_FOUND");
}

TEST_F(JobLifeTest, CapabilitiesShowWorkersAndLimits) {
  Register("w");
  Submit(SampleSpec());
  const std::string job = Acquire("w").lease().job();
  grpc::ClientContext context;
  v1::Capabilities capabilities;
  ASSERT_TRUE(
      capabilities_->GetCapabilities(&context, v1::GetCapabilitiesRequest(), &capabilities).ok());
  EXPECT_EQ(capabilities.max_upload_bytes(), 4 << 20);
  EXPECT_EQ(capabilities.max_device_count(), 64);
  EXPECT_THAT(capabilities.modes(), SizeIs(6));
  EXPECT_THAT(capabilities.profiles(),
              testing::ElementsAre("onnxruntime", "tensorrt", "openvino", "paddle"));
  EXPECT_THAT(capabilities.layer_types(), testing::Contains("Conv3DTranspose"));
  EXPECT_THAT(capabilities.weight_dtypes(), testing::ElementsAre("int8", "uint8", "int4"));
  EXPECT_THAT(capabilities.activation_dtypes(), testing::ElementsAre("int8", "uint8"));
  EXPECT_THAT(capabilities.calibrators(),
              testing::ElementsAre("abs_max", "percentile", "mse", "kl"));
  EXPECT_THAT(capabilities.pact_settings(),
              testing::ElementsAre("calibrated", "alpha100", "alpha20"));
  EXPECT_EQ(capabilities.max_bits(), 16);
  ASSERT_THAT(capabilities.workers(), SizeIs(1));
  EXPECT_EQ(capabilities.workers(0).name(), "workers/w");
  EXPECT_TRUE(capabilities.workers(0).alive());
  EXPECT_EQ(capabilities.workers(0).job(), job);
}

}  // namespace
}  // namespace quantry::server
