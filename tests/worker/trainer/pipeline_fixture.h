#ifndef QUANTRY_TESTS_WORKER_TRAINER_PIPELINE_FIXTURE_H_
#define QUANTRY_TESTS_WORKER_TRAINER_PIPELINE_FIXTURE_H_

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "tests/worker/trainer/recording_sink.h"
#include "worker/trainer/pipeline.h"

namespace quantry::trainer {

// A tiny ResNet-18 on 64 small pictures.
RunOptions TinyFloat();

// Whole runs in a folder of their own.
class PipelineTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  absl::StatusOr<v1::Result> Run(const RunOptions& options, const std::string& name);

  // Runs, and says yes to the question after the first `questions` whether it is interrupted.
  absl::Status RunInterrupted(const RunOptions& options, const std::string& name, int questions);

  // The float model that the quantized runs start from.
  RunOptions TinyQuantized(RunMode mode);

  nlohmann::json Report(const std::string& name);

  std::filesystem::path folder_;
  RecordingSink sink_;
};

// Metrics of `subject`, by name.
std::map<std::string, double> MetricsOf(const RecordingSink& sink, const std::string& subject);

}  // namespace quantry::trainer

#endif  // QUANTRY_TESTS_WORKER_TRAINER_PIPELINE_FIXTURE_H_
