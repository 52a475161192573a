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

TEST(JobTextTest, SensitivityIsARankedTable) {
  v1::Job job = SampleJob();
  job.mutable_spec()->set_mode(v1::MODE_SENSITIVITY);
  v1::Result& result = *job.mutable_result();
  result.Clear();
  result.set_float_top1(0.9);
  v1::Sensitivity& sensitivity = *result.mutable_sensitivity();
  sensitivity.set_examples(512);
  sensitivity.set_float_top1(0.91);
  const auto add = [&](int rank, const char* layer, int bits, double top1, double sqnr) {
    v1::LayerSensitivity& row = *sensitivity.add_layers();
    row.set_rank(rank);
    row.set_layer(layer);
    row.set_op_type("Conv");
    row.set_weights(9408);
    row.set_bits(bits);
    row.set_top1(top1);
    if (sqnr > 0) row.set_sqnr_db(sqnr);
  };
  add(1, "stem", 8, 0.9, 41.25);
  add(1, "stem", 4, 0.625, 12);
  add(2, "fc\x1b[31m", 8, 0.9, 0);
  add(2, "fc\x1b[31m", 4, 0.88, 20);
  const std::string text = ResultTable(job);
  EXPECT_THAT(text, HasSubstr("Sensitivity on 512 examples, float top-1 91.00%"));
  EXPECT_THAT(text, HasSubstr("Top-1 at 8"));
  EXPECT_THAT(text, HasSubstr("62.50%"));
  EXPECT_THAT(text, HasSubstr("12.0 dB"));
  EXPECT_LT(text.find("stem"), text.find("fc"));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_THAT(text, Not(HasSubstr("Bits ")));
  EXPECT_THAT(text, Not(HasSubstr("File size")));
}

TEST(JobTextTest, SensitivityOfDataWithoutClassesShowsLossOrSqnrAlone) {
  v1::Job job = SampleJob();
  job.mutable_spec()->set_mode(v1::MODE_SENSITIVITY);
  v1::Result& result = *job.mutable_result();
  result.Clear();
  v1::Sensitivity& sensitivity = *result.mutable_sensitivity();
  sensitivity.set_examples(64);
  sensitivity.set_float_loss(0.25);
  v1::LayerSensitivity& row = *sensitivity.add_layers();
  row.set_layer("stem");
  row.set_bits(4);
  row.set_loss(0.375);
  row.set_sqnr_db(12);
  const std::string losses = ResultTable(job);
  EXPECT_THAT(losses, HasSubstr("Sensitivity on 64 examples, float loss 0.25\n"));
  EXPECT_THAT(losses, HasSubstr("Loss at 4"));
  EXPECT_THAT(losses, HasSubstr("0.375"));
  sensitivity.clear_float_loss();
  row.clear_loss();
  const std::string unlabelled = ResultTable(job);
  EXPECT_THAT(unlabelled, HasSubstr("Sensitivity on 64 examples\n"));
  EXPECT_THAT(unlabelled, HasSubstr("SQNR at 4"));
  EXPECT_THAT(unlabelled, HasSubstr("12.0 dB"));
  EXPECT_THAT(unlabelled, Not(HasSubstr("Loss")));
}

TEST(JobTextTest, MixedPrecisionShowsTheChosenBits) {
  v1::Job job = SampleJob();
  job.mutable_spec()->set_mode(v1::MODE_MIXED_PRECISION);
  v1::MixedPrecision& choice = *job.mutable_result()->mutable_mixed_precision();
  choice.set_budget("mean_weight_bits");
  choice.set_budget_limit(5);
  choice.set_budget_used(4.96);
  choice.set_mean_weight_bits(4.96);
  choice.set_size_bytes(2048);
  v1::LayerBits& layer = *choice.add_layers();
  layer.set_layer("stem");
  layer.set_weight_bits(7);
  layer.set_activation_bits(6);
  layer.set_fixed(true);
  const std::string text = ResultTable(job);
  EXPECT_THAT(text, HasSubstr("W4.96 mixed"));
  EXPECT_THAT(text, HasSubstr("mean_weight_bits 4.96 of at most 5; weights packed 2.0 KiB"));
  EXPECT_THAT(text, HasSubstr("7 (given)"));
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
