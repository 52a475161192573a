#include "tests/worker/trainer/pipeline_fixture.h"

#include <unistd.h>

#include "common/files.h"

namespace quantry::trainer {

RunOptions TinyFloat() {
  RunOptions options;
  options.mode = RunMode::kFloat;
  options.builtin = BuiltinOptions{.name = "resnet18", .width = 0.125};
  options.data.train_uri = "synthetic://glyphs?classes=16&size=32&train=64&val=32&seed=1";
  options.train.epochs = 2;
  options.train.schedule.learning_rate = 0.02;
  options.batch_size = 16;
  options.calibration_batches = 2;
  return options;
}

void PipelineTest::SetUp() {
  folder_ = std::filesystem::path(::testing::TempDir()) /
            ("pipeline_test." + std::to_string(::getpid()));
  std::filesystem::create_directories(folder_);
}

void PipelineTest::TearDown() { std::filesystem::remove_all(folder_); }

absl::StatusOr<v1::Result> PipelineTest::Run(const RunOptions& options, const std::string& name) {
  sink_.events.clear();
  return Pipeline(options, folder_ / name, sink_, SystemClock(), [] { return false; }).Run();
}

absl::Status PipelineTest::RunInterrupted(const RunOptions& options, const std::string& name,
                                          int questions) {
  sink_.events.clear();
  int asked = 0;
  return Pipeline(options, folder_ / name, sink_, SystemClock(),
                  [&] { return ++asked > questions; })
      .Run()
      .status();
}

RunOptions PipelineTest::TinyQuantized(RunMode mode) {
  const auto made = Run(TinyFloat(), "float");
  EXPECT_TRUE(made.ok()) << made.status();
  RunOptions options = TinyFloat();
  options.mode = mode;
  options.builtin.reset();
  options.model_path = folder_ / "float" / "model.float.onnx";
  return options;
}

nlohmann::json PipelineTest::Report(const std::string& name) {
  return nlohmann::json::parse(*ReadFile(folder_ / name / "report.json"));
}

std::map<std::string, double> MetricsOf(const RecordingSink& sink, const std::string& subject) {
  std::map<std::string, double> values;
  for (const v1::TrainerEvent& event : sink.events) {
    if (event.metrics().subject() != subject) continue;
    for (const v1::TaskMetric& value : event.metrics().values()) {
      values[value.name()] = value.value();
    }
  }
  return values;
}

}  // namespace quantry::trainer
