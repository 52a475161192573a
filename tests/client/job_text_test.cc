#include "client/cli/job_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/sample_job.h"

namespace quantry::client {
namespace {

using testing::HasSubstr;
using testing::Not;

const absl::Time kNow = absl::FromUnixSeconds(1767323045 + 3600);

TEST(JobTextTest, QueuedJobShowsItsPlace) {
  v1::Job job = SampleJob();
  job.set_state(v1::JOB_STATE_QUEUED);
  job.set_queue_position(3);
  job.clear_result();
  job.clear_start_time();
  job.clear_end_time();
  const std::string table = JobListTable({job}, kNow);
  EXPECT_THAT(table, HasSubstr("QUEUED"));
  EXPECT_THAT(table, HasSubstr("#3 in queue"));
  EXPECT_THAT(table, Not(HasSubstr("W0A0")));
}

TEST(JobTextTest, RunningJobShowsProgressAndTime) {
  v1::Job job = SampleJob();
  job.set_state(v1::JOB_STATE_RUNNING);
  job.clear_end_time();
  *job.mutable_progress() = SampleEvents()[4].progress();
  const std::string table = JobListTable({job}, kNow);
  EXPECT_THAT(table, HasSubstr("training 5%"));
  EXPECT_THAT(table, HasSubstr("59m58s"));
}

TEST(JobTextTest, FloatJobHasNoQuantizedFile) {
  v1::Job job = SampleJob();
  job.mutable_result()->Clear();
  job.mutable_result()->set_float_top1(0.9);
  job.mutable_result()->set_float_model_size_bytes(1024);
  const std::string table = ResultTable(job);
  EXPECT_THAT(table, HasSubstr("Bits         float\n"));
  EXPECT_THAT(table, HasSubstr("File size    1.0 KiB\n"));
  EXPECT_THAT(table, Not(HasSubstr("fake-quant")));
  EXPECT_THAT(table, Not(HasSubstr("Worst")));
}

TEST(JobTextTest, DetailsNameSettingsAndArtifacts) {
  v1::Job job = SampleJob();
  v1::Artifact& artifact = *job.add_artifacts();
  artifact.set_name("model.onnx");
  artifact.set_size_bytes(2048);
  artifact.set_blob("ab12");
  const std::string text = JobDetails(job, kNow);
  for (const char* line :
       {"Mode          qat\n", "Dataset       synthetic://glyphs?classes=36\n",
        "Quant config  {\"weight_bits\":4}\n", "Training      epochs: 2\n",
        "Labels        team=vision\n", "Run time      3m12s\n", "model.onnx  2.0 KiB  ab12\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(JobTextTest, NoWorkerSaysSo) {
  EXPECT_THAT(CapabilitiesTable(v1::Capabilities()), HasSubstr("No worker has registered yet"));
}

}  // namespace
}  // namespace quantry::client
