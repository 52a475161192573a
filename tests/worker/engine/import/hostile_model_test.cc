// Models made to do harm: each is refused with a message that names what is wrong, or is harmless.
// Truncated files, cycles and random damage: import_onnx_test.cc; tensors and external data:
// onnx_tensor_test.cc; control flow: control_flow_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/worker/engine/import/onnx_model.h"
#include "worker/engine/import/import_onnx.h"

namespace quantry::engine {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

std::string ErrorOf(const onnx::ModelProto& model) {
  const auto graph = ImportOnnx(model.SerializeAsString());
  EXPECT_EQ(graph.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(graph.status().message());
}

onnx::TensorProto Longs(const std::string& name, const std::vector<int64_t>& numbers) {
  onnx::TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::INT64);
  tensor.add_dims(static_cast<int64_t>(numbers.size()));
  for (const int64_t number : numbers) tensor.add_int64_data(number);
  return tensor;
}

int64_t PeakMebibytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

TEST(HostileModel, WeightsThatAreNotFiniteAreNamed) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const auto& [value, word] : {std::pair(kNan, "NaN"), std::pair(-kInfinity, "infinite")}) {
    onnx::ModelProto weight = LinearModel();
    weight.mutable_graph()->mutable_initializer(0)->set_float_data(4, value);
    EXPECT_THAT(ErrorOf(weight), AllOf(HasSubstr("'w' of node 'fc' (Gemm)"), HasSubstr("1 of 6"),
                                       HasSubstr(absl::StrCat("the first, 4, is ", word))));
    onnx::ModelProto bias = LinearModel();
    bias.mutable_graph()->mutable_initializer(1)->set_float_data(2, value);
    EXPECT_THAT(ErrorOf(bias), HasSubstr("'b' of node 'fc'"));
  }
}

// What masks attention is no weight.
TEST(HostileModel, InfiniteConstantsAreFine) {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  *graph.add_initializer() = FloatTensor("mask", {2}, {0, -std::numeric_limits<float>::infinity()});
  AddOnnxNode(graph, "Add", "masked", {"x", "mask"}, {"y"});
  const auto read = ImportOnnx(model.SerializeAsString());
  EXPECT_TRUE(read.ok()) << read.status();
}

TEST(HostileModel, InitializersThatClaimTooMuchAreRefusedBeforeMemoryIsTaken) {
  const int64_t before = PeakMebibytes();
  for (const std::vector<int64_t>& dims :
       std::vector<std::vector<int64_t>>{{int64_t{1} << 60},
                                         {int64_t{1} << 31, int64_t{1} << 31},
                                         {int64_t{1} << 62, 4},
                                         {1 << 30},
                                         {-1, 2},
                                         {std::numeric_limits<int64_t>::min()}}) {
    onnx::ModelProto model = LinearModel();
    auto* tensor = model.mutable_graph()->mutable_initializer(0);
    tensor->clear_dims();
    for (const int64_t dim : dims) tensor->add_dims(dim);
    EXPECT_THAT(ErrorOf(model), HasSubstr("tensor 'w'"));
    tensor->clear_float_data();
    tensor->set_raw_data("abcd");
    EXPECT_THAT(ErrorOf(model), HasSubstr("tensor 'w'"));
  }
  EXPECT_LT(PeakMebibytes() - before, 256);
}

TEST(HostileModel, CyclesAreNamed) {
  onnx::ModelProto itself = LinearModel();
  itself.mutable_graph()->mutable_node(1)->set_input(0, "y");
  EXPECT_THAT(ErrorOf(itself), AllOf(HasSubstr("'act' (Relu)"), HasSubstr("cycle")));
  onnx::ModelProto far = LinearModel();
  far.mutable_graph()->mutable_node(0)->set_input(2, "n99");
  for (int i = 0; i < 100; ++i) {
    AddOnnxNode(*far.mutable_graph(), "Relu", "", {i == 0 ? "y" : absl::StrCat("n", i - 1)},
                {absl::StrCat("n", i)});
  }
  EXPECT_THAT(ErrorOf(far), HasSubstr("cycle"));
}

// Sizes that ask folding for far more than memory has.
TEST(HostileModel, FoldingMakesNothingHuge) {
  const int64_t before = PeakMebibytes();
  const int64_t most = std::numeric_limits<int64_t>::max();
  for (const std::vector<int64_t>& sizes : std::vector<std::vector<int64_t>>{
           {int64_t{1} << 40}, {most}, {1 << 20, 1 << 20, 1 << 20, 1 << 20}, {-1}, {most, 0}}) {
    onnx::ModelProto model = EmptyModel();
    onnx::GraphProto& graph = *model.mutable_graph();
    *graph.add_initializer() = Longs("sizes", sizes);
    *graph.add_initializer() = Longs("one", {1});
    *graph.add_initializer() = Longs("zero", {0});
    AddOnnxNode(graph, "ConstantOfShape", "made", {"sizes"}, {"a"});
    AddOnnxNode(graph, "Expand", "spread", {"one", "sizes"}, {"b"});
    AddOnnxNode(graph, "Tile", "tiled", {"one", "sizes"}, {"c"});
    AddOnnxNode(graph, "Range", "range", {"zero", "sizes", "one"}, {"d"});
    AddOnnxNode(graph, "Shape", "s", {"a"}, {"e"});
    AddOnnxNode(graph, "Add", "sum", {"x", "d"}, {"y"});
    const auto read = ImportOnnx(model.SerializeAsString());
    const absl::StatusCode code = read.status().code();
    EXPECT_TRUE(read.ok() || code == absl::StatusCode::kInvalidArgument) << read.status();
  }
  EXPECT_LT(PeakMebibytes() - before, 1024);
}

// Each node doubles the one before: 40 of them would make 2^40 elements.
TEST(HostileModel, FoldingDoesNotDoubleWithoutEnd) {
  const int64_t before = PeakMebibytes();
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  *graph.add_initializer() = Longs("n0", std::vector<int64_t>(1024, 1));
  for (int i = 0; i < 40; ++i) {
    const std::string from = absl::StrCat("n", i);
    AddInt(*AddOnnxNode(graph, "Concat", "", {from, from}, {absl::StrCat("n", i + 1)}), "axis", 0);
  }
  AddOnnxNode(graph, "Add", "sum", {"x", "n40"}, {"y"});
  const auto read = ImportOnnx(model.SerializeAsString());
  EXPECT_TRUE(read.ok()) << read.status();
  EXPECT_LT(PeakMebibytes() - before, 3072);
}

// Many tensors of the largest size that folding makes.
TEST(HostileModel, FoldingMakesNotTooMuchInAll) {
  const int64_t before = PeakMebibytes();
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  *graph.add_initializer() = Longs("sizes", {1 << 24});
  std::vector<std::string> parts = {"x"};
  for (int i = 0; i < 64; ++i) {
    parts.push_back(absl::StrCat("part", i));
    AddOnnxNode(graph, "ConstantOfShape", "", {"sizes"}, {parts.back()});
  }
  AddOnnxNode(graph, "Sum", "sum", parts, {"y"});
  const auto read = ImportOnnx(model.SerializeAsString());
  EXPECT_TRUE(read.ok()) << read.status();
  EXPECT_LT(PeakMebibytes() - before, 1024);  // all of them would be 4 GiB
}

TEST(HostileModel, TooManyNodesAreRefused) {
  onnx::ModelProto model = EmptyModel();
  for (int i = 0; i < 50001; ++i) AddOnnxNode(*model.mutable_graph(), "Relu", "", {"x"}, {"y"});
  EXPECT_THAT(ErrorOf(model), HasSubstr("50001 nodes; allowed: at most 50000"));
}

// The paths themselves: onnx_tensor_test.cc. Here as whole files, by way of the model's folder.
TEST(HostileModel, ExternalDataOutsideTheFolderIsRefused) {
  const fs::path folder = fs::path(testing::TempDir()) / "quantry_hostile_model";
  fs::remove_all(folder);
  fs::create_directories(folder / "model");
  std::ofstream(folder / "secret.bin") << std::string(24, 's');
  fs::create_symlink(folder / "secret.bin", folder / "model" / "link.bin");
  fs::create_directory_symlink(folder, folder / "model" / "up");
  for (const std::string& location :
       {std::string("../secret.bin"), std::string("/etc/passwd"), std::string("link.bin"),
        std::string("up/secret.bin"), std::string("./../secret.bin"),
        std::string("/proc/self/mem")}) {
    onnx::ModelProto model = LinearModel();
    auto* tensor = model.mutable_graph()->mutable_initializer(0);
    tensor->clear_float_data();
    tensor->set_data_location(onnx::TensorProto::EXTERNAL);
    auto* entry = tensor->add_external_data();
    entry->set_key("location");
    entry->set_value(location);
    std::ofstream(folder / "model" / "m.onnx", std::ios::binary) << model.SerializeAsString();
    const auto read = ImportOnnxFile(folder / "model" / "m.onnx");
    EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument) << location;
    EXPECT_THAT(std::string(read.status().message()),
                AllOf(HasSubstr("m.onnx"), HasSubstr("'w'"), HasSubstr(location),
                      HasSubstr("below the model's folder")));
  }
  fs::remove_all(folder);
}

}  // namespace
}  // namespace quantry::engine
