// Damaged ONNX files, read and, where they can be read, run.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "common/files.h"
#include "common/status_macros.h"
#include "onnx/onnx_pb.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate_bytes.h"
#include "tests/fuzz/mutate_message.h"
#include "tests/worker/engine/import/onnx_model.h"
#include "worker/engine/evaluate/executor.h"
#include "worker/engine/import/import_onnx.h"
#include "worker/engine/import/inspect.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;

constexpr char kCases[] = "/usr/share/libonnx-testdata/data/node";

// The models of ONNX's own operator tests, one of each name up to its last word, and our own.
const std::vector<std::string>& Seeds() {
  static const std::vector<std::string> kSeeds = [] {
    std::vector<std::string> seeds = {LinearModel().SerializeAsString()};
    std::vector<fs::path> folders;
    if (fs::is_directory(kCases)) {
      for (const auto& entry : fs::directory_iterator(kCases)) folders.push_back(entry.path());
    }
    std::sort(folders.begin(), folders.end());
    for (const fs::path& folder : folders) {
      const auto bytes = ReadFile(folder / "model.onnx");
      if (bytes.ok() && bytes->size() < 20000) seeds.push_back(*bytes);
    }
    return seeds;
  }();
  return kSeeds;
}

const std::vector<std::string>& Words() {
  static const std::vector<std::string> kWords = [] {
    std::vector<std::string> words = {"", "x", "y", "axis", "axes", "If", "Loop", "Scan"};
    for (const OperatorDef* def : OperatorTable()) words.emplace_back(def->op);
    return words;
  }();
  return kWords;
}

std::string MutateModel(const std::string& seed, FuzzRng& rng) {
  if (rng.OneIn(6)) return MutateBytes(seed, rng);
  onnx::ModelProto model;
  if (!model.ParseFromString(seed)) return seed;
  const uint64_t changes = 1 + rng.Below(4);
  for (uint64_t i = 0; i < changes; ++i) MutateMessage(model, Words(), rng);
  return model.SerializePartialAsString();
}

absl::Status Read(const std::string& bytes) {
  (void)DescribeOnnx(bytes);
  return ImportOnnx(bytes).status();
}

// Inputs as the model declares them, where these are small.
absl::StatusOr<std::vector<at::Tensor>> SmallInputs(const Graph& graph) {
  std::vector<at::Tensor> inputs;
  for (const Value* input : graph.inputs()) {
    std::vector<int64_t> sizes;
    int64_t elements = 1;
    for (const Dimension& size : input->type.shape.value_or(std::vector<Dimension>{})) {
      sizes.push_back(size.value_or(2));
      if (sizes.back() > 1000) return absl::InvalidArgumentError("large");
      elements *= std::max<int64_t>(sizes.back(), 1);
      if (elements > 100000) return absl::InvalidArgumentError("large");
    }
    inputs.push_back(at::ones(sizes, input->type.dtype.value_or(at::kFloat)));
  }
  return inputs;
}

absl::Status ReadAndRun(const std::string& bytes) {
  QUANTRY_ASSIGN_OR_RETURN(const Graph graph, ImportOnnx(bytes));
  QUANTRY_ASSIGN_OR_RETURN(const auto inputs, SmallInputs(graph));
  QUANTRY_ASSIGN_OR_RETURN(const auto executor, Executor::Create(graph));
  const at::NoGradGuard no_grad;
  return executor->Run(inputs, {}).status();
}

TEST(OnnxFuzz, Import) {
  at::set_num_threads(1);
  ExpectNoFuzzFailures(
      {.name = "onnx_import", .seeds = Seeds(), .mutate = MutateModel, .read = Read}, 3000);
}

TEST(OnnxFuzz, Run) {
  at::set_num_threads(1);
  ExpectNoFuzzFailures(
      {.name = "onnx_run",
       .seeds = Seeds(),
       .mutate = MutateModel,
       .read = ReadAndRun,
       .refusals = {absl::StatusCode::kInvalidArgument, absl::StatusCode::kResourceExhausted},
       .most_mebibytes = 2048},
      3000);
}

}  // namespace
}  // namespace quantry::engine
