// Weights by name from TorchScript files: good ones, ones that do not fit, and hostile ones.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/fuzz/zip_file.h"
#include "worker/engine/weights/load_weights.h"
#include "worker/engine/weights/read_weights.h"
#include "worker/engine/zoo/zoo.h"

namespace quantry::engine {
namespace {

using testing::HasSubstr;

Graph Build(uint64_t seed) {
  return *BuildZooModel("mobilenet_v2", {.num_classes = 10, .width = 0.25, .seed = seed});
}

// "features.0.1.weight" becomes the parameter `weight` of modules in modules.
void Register(torch::jit::Module module, absl::string_view name, const at::Tensor& tensor,
              bool buffer) {
  const std::pair<std::string, absl::string_view> parts =
      absl::StrSplit(name, absl::MaxSplits('.', 1));
  if (!absl::StrContains(name, '.')) return module.register_parameter(parts.first, tensor, buffer);
  if (!module.hasattr(parts.first)) {
    module.register_module(parts.first, torch::jit::Module(absl::StrCat("M", parts.first)));
  }
  Register(module.attr(parts.first).toModule(), parts.second, tensor, buffer);
}

std::string Saved(const WeightMap& weights, const std::string& program = "") {
  torch::jit::Module module("Net");
  for (const auto& [name, tensor] : weights) {
    Register(module, name, tensor, absl::StrContains(name, "running_"));
  }
  if (!program.empty()) module.define(program);
  std::ostringstream out;
  module.save(out);
  return out.str();
}

WeightMap WeightsOf(const Graph& graph) {
  WeightMap weights;
  for (const InitializerRole role : {InitializerRole::kParameter, InitializerRole::kBuffer}) {
    for (const Value* value : graph.initializers(role)) weights[value->name()] = value->tensor();
  }
  return weights;
}

class TorchScriptWeights : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }

  absl::StatusOr<WeightMap> Read(const std::string& content) {
    std::ofstream(path_, std::ios::binary) << content;
    return ReadWeightsFile(path_);
  }
  std::string Error(const std::string& content) {
    const auto weights = Read(content);
    EXPECT_EQ(weights.status().code(), absl::StatusCode::kInvalidArgument) << weights.status();
    return std::string(weights.status().message());
  }
  // What is wrong with a file that has `weights` for the network.
  std::string Problems(const WeightMap& weights) {
    const auto read = Read(Saved(weights));
    EXPECT_TRUE(read.ok()) << read.status();
    Graph graph = Build(2);
    return read.ok() ? std::string(LoadWeights(*read, {}, graph).message()) : "";
  }

  const std::filesystem::path path_ =
      std::filesystem::path(testing::TempDir()) / absl::StrCat("torchscript_weights.", ::getpid());
};

TEST_F(TorchScriptWeights, FillANetworkByName) {
  const Graph source = Build(1);
  WeightMap stored = WeightsOf(source);
  stored["features.0.1.num_batches_tracked"] = at::zeros({}, at::kLong);
  const auto weights = Read(Saved(stored));
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ(weights->size(), stored.size());
  Graph graph = Build(2);
  ASSERT_TRUE(LoadWeights(*weights, {}, graph).ok());
  for (const auto& [name, tensor] : WeightsOf(source)) {
    EXPECT_TRUE(tensor.equal(graph.FindValue(name)->tensor())) << name;
    EXPECT_FALSE(graph.FindValue(name)->tensor().requires_grad()) << name;
  }
}

TEST_F(TorchScriptWeights, FloatingTypesBecomeFloat32) {
  const auto weights = Read(Saved({{"a", at::full({2}, -3.0, at::kHalf)},
                                   {"b", at::full({2}, -3.0, at::kBFloat16)},
                                   {"c", at::full({2}, -3.0, at::kDouble).requires_grad_(true)},
                                   {"n", at::full({2}, -3, at::kLong)}}));
  ASSERT_TRUE(weights.ok()) << weights.status();
  for (const char* name : {"a", "b", "c"}) {
    EXPECT_TRUE(weights->at(name).equal(at::full({2}, -3.0f))) << name;
    EXPECT_FALSE(weights->at(name).requires_grad()) << name;
  }
  EXPECT_EQ(weights->at("n").scalar_type(), at::kLong);
}

TEST_F(TorchScriptWeights, DifferencesFromTheNetworkAreNamed) {
  WeightMap weights = WeightsOf(Build(1));
  weights.erase("features.0.0.weight");
  weights["features.0.0.wieght"] = at::ones({8, 3, 3, 3});
  weights["features.0.1.weight"] = at::ones({9});
  weights["features.0.1.bias"] = at::zeros({8}, at::kLong);
  weights["features.18.1.bias"] = at::full_like(weights["features.18.1.bias"], NAN);
  const std::string problems = Problems(weights);
  EXPECT_THAT(problems, HasSubstr("'features.0.0.weight' is missing in the file (nearest in the "
                                  "file: 'features.0.0.wieght')"));
  EXPECT_THAT(problems, HasSubstr("'features.0.0.wieght' is not in the network"));
  EXPECT_THAT(problems, HasSubstr("'features.0.1.weight' is [9] in the file and [8]"));
  EXPECT_THAT(problems, HasSubstr("'features.0.1.bias' has no floating-point values"));
  EXPECT_THAT(problems, HasSubstr("'features.18.1.bias' holds NaN"));
}

TEST_F(TorchScriptWeights, FilesWithoutWeightsSayWhatToWrite) {
  EXPECT_THAT(Error(Saved({}, "def forward(self, x):\n    return x\n")),
              HasSubstr("weights (TorchScript): the model has neither parameters nor buffers; "
                        "torch.jit.freeze"));
  // torch.save writes a pickle and its data.
  std::vector<ZipMember> saved = ReadZip(Saved({{"weight", at::ones({4})}}));
  std::erase_if(saved, [](const ZipMember& member) {
    return absl::StrContains(member.name, "constants") || absl::StrContains(member.name, "code");
  });
  EXPECT_THAT(Error(WriteZip(saved)), HasSubstr("it has no program, as what torch.save writes"));
  saved.push_back({"archive/MODEL.json", "{}"});
  EXPECT_THAT(Error(WriteZip(saved)), HasSubstr("PyTorch 1.0"));
}

// Changes the members of a file whose name contains `part`.
std::string Changed(const std::string& archive, absl::string_view part,
                    const std::function<void(ZipMember&)>& change) {
  std::vector<ZipMember> members = ReadZip(archive);
  size_t changed = 0;
  for (ZipMember& member : members) {
    if (!absl::StrContains(member.name, part)) continue;
    change(member);
    ++changed;
  }
  EXPECT_GT(changed, 0u) << part;
  return WriteZip(members);
}

TEST_F(TorchScriptWeights, HostileFilesAreRefused) {
  const std::string good = Saved({{"weight", at::ones({4, 4})}});
  ASSERT_TRUE(Read(good).ok());
  const auto shorter = [](ZipMember& member) { member.content.resize(member.content.size() / 2); };
  // A tensor of 16 floats that has memory for 8.
  EXPECT_THAT(Error(Changed(good, "/data/0", shorter)), HasSubstr("weights (TorchScript): "));
  EXPECT_THAT(Error(Changed(good, "data.pkl", shorter)), HasSubstr("weights (TorchScript): "));
  const std::string deep(100000, ']');
  const std::string deep_pickle = "\x80\x02" + deep + std::string(deep.size() - 1, 'a') + ".";
  EXPECT_THAT(Error(Changed(good, "data.pkl",
                            [&](ZipMember& member) {
                              member.content = deep_pickle;
                              member.name = "archive/DATA.PKL";
                            })),
              HasSubstr("the nesting of 'archive/DATA.PKL' is 100000; at most 256"));
  for (size_t size = 0; size < good.size(); size += 1 + good.size() / 23) {
    Error(good.substr(0, size));
  }
}

// LibTorch would run it while the file is read, and it may write files.
TEST_F(TorchScriptWeights, NoProgramRunsWhileAFileIsRead) {
  const std::string program = R"(
def __getstate__(self):
    return (self.weight, self.training)
def __setstate__(self, state: Tuple[Tensor, bool]):
    self.weight = state[0] + 1.0
    self.training = state[1]
)";
  EXPECT_THAT(Error(Saved({{"weight", at::ones({4})}}, program)),
              HasSubstr("has a method __setstate__, which would run while the file is read"));
}

}  // namespace
}  // namespace quantry::engine
