// quantry-trainer killed in the middle of a run and started again: the same bytes as in one go, with
// everything on that draws random numbers.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "common/files.h"
#include "common/process.h"

namespace quantry::trainer {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kDeadline = absl::Minutes(4);

// Ten epochs of five steps (the last batch is left out), a checkpoint after every two steps.
constexpr char kSpec[] = R"({"job": {
  "mode": "MODE_QAT",
  "model": {"builtin": {"name": "mobilenet_v2", "width": 0.25}},
  "data": {
    "trainUri": "file://FOLDER?holdout=0.2",
    "imageSize": 16, "randomFlip": true, "decodeThreads": 2,
    "augmentation": {"resizedCropMinArea": 0.3, "brightness": 0.4, "contrast": 0.4,
                     "saturation": 0.4, "hue": 0.1, "randAugmentOps": 2, "randomErasing": 0.5}},
  "training": {"batchSize": 16, "threads": 1, "epochs": 10, "calibrationBatches": 1, "seed": 7,
               "checkpointSteps": 2, "mixup": 0.2, "emaDecay": 0.9}}})";

class ResumeProgramTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/quantry_resume_XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    folder_ = pattern;
    const ExitStatus made = Run({"dataset", "synthetic://glyphs?classes=4&size=20&train=112&val=1",
                                 "--split", "train", "--output", folder_.string()});
    ASSERT_TRUE(made.Succeeded()) << made.ToString();
    const std::string spec =
        absl::StrReplaceAll(kSpec, {{"FOLDER", (folder_ / "train").string()}});
    ASSERT_TRUE(WriteFileAtomically(folder_ / "spec.json", spec).ok());
  }
  void TearDown() override { fs::remove_all(folder_); }

  static std::unique_ptr<Process> Start(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), QUANTRY_TRAINER);
    auto process = Process::Start({.arguments = std::move(arguments)});
    EXPECT_TRUE(process.ok()) << process.status();
    return *std::move(process);
  }

  ExitStatus Run(std::vector<std::string> arguments) {
    const auto process = Start(std::move(arguments));
    Text(*process, "");
    return process->WaitFor(kDeadline).value_or(ExitStatus{.signal = SIGALRM});
  }

  std::vector<std::string> Training(const std::string& output) {
    return {"--spec", (folder_ / "spec.json").string(), "--output", (folder_ / output).string()};
  }

  // What the process writes, up to its end or until it holds `until`.
  static std::string Text(const Process& process, const std::string& until) {
    std::string text;
    const absl::Time end = absl::Now() + kDeadline;
    while (absl::Now() < end) {
      char buffer[4096];
      const ssize_t count = read(process.output_fd(), buffer, sizeof(buffer));
      if (count == 0) break;
      if (count < 0) {
        absl::SleepFor(absl::Milliseconds(2));
        continue;
      }
      text.append(buffer, static_cast<size_t>(count));
      if (!until.empty() && absl::StrContains(text, until)) break;
    }
    return text;
  }

  fs::path folder_;
};

TEST_F(ResumeProgramTest, FourEpochsAKillAndSixAreTheBytesOfTen) {
  ASSERT_TRUE(Run(Training("whole")).Succeeded());
  {
    const auto process = Start(Training("broken"));
    // The fifth epoch has begun, and not all of its steps are in a checkpoint.
    const std::string text = Text(*process, "checkpoint at step 22");
    ASSERT_TRUE(absl::StrContains(text, "checkpoint at step 22")) << text;
    process->Kill();
    ASSERT_TRUE(process->WaitFor(kDeadline).has_value());
  }
  ASSERT_FALSE(fs::exists(folder_ / "broken" / "model.onnx"));
  const auto process = Start(Training("broken"));
  const std::string text = Text(*process, "");
  const auto exit = process->WaitFor(kDeadline);
  ASSERT_TRUE(exit.has_value() && exit->Succeeded()) << text;
  EXPECT_TRUE(absl::StrContains(text, "going on from step 2")) << text;
  for (const char* name : {"model.onnx", "model.float.onnx", "verification.npy", "scales.json"}) {
    EXPECT_TRUE(*ReadFile(folder_ / "broken" / name) == *ReadFile(folder_ / "whole" / name)) << name;
  }
}

// The test above can't pass because nothing of it matters.
TEST_F(ResumeProgramTest, AnotherSeedMakesAnotherModel) {
  ASSERT_TRUE(Run(Training("whole")).Succeeded());
  const std::string spec = *ReadFile(folder_ / "spec.json");
  ASSERT_TRUE(WriteFileAtomically(folder_ / "spec.json",
                                  absl::StrReplaceAll(spec, {{"\"seed\": 7", "\"seed\": 8"}}))
                  .ok());
  ASSERT_TRUE(Run(Training("other")).Succeeded());
  EXPECT_FALSE(*ReadFile(folder_ / "other" / "model.onnx") ==
               *ReadFile(folder_ / "whole" / "model.onnx"));
}

}  // namespace
}  // namespace quantry::trainer
