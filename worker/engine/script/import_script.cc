#include "worker/engine/script/import_script.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/serialization/import.h>

#include <array>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "worker/engine/graph/verify.h"
#include "worker/engine/graph/without_exceptions.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/passes/assign_roles.h"
#include "worker/engine/passes/canonicalize.h"
#include "worker/engine/passes/check_weights.h"
#include "worker/engine/script/archive.h"
#include "worker/engine/script/compute_in_child.h"
#include "worker/engine/script/interpreter.h"
#include "worker/engine/script/lowering.h"
#include "worker/engine/script/tensor_bounds.h"

namespace quantry::engine {
namespace {

constexpr size_t kMaxFileBytes = size_t{1} << 31;

void CollectOutputs(const Lanes& result, Lowering& lowering, std::vector<Operand>& outputs) {
  if (result[0].isTensor()) {
    outputs.push_back(lowering.OperandOf(result));
    return;
  }
  if (result[0].isNone()) return;
  TORCH_CHECK(result[0].isTuple() || result[0].isList(),
              "the model returns something else than tensors");
  const auto elements = [](const c10::IValue& value) {
    return value.isTuple() ? std::vector<c10::IValue>(value.toTupleRef().elements())
                           : value.toListRef().vec();
  };
  const auto first = elements(result[0]);
  const auto second = elements(result[1]);
  TORCH_CHECK(first.size() == second.size(), "the number of outputs depends on the batch size");
  for (size_t i = 0; i < first.size(); ++i) {
    CollectOutputs({first[i], second[i]}, lowering, outputs);
  }
}

void Lower(const torch::jit::Module& module, const ScriptOptions& options, Graph& graph) {
  Lowering lowering(graph);
  for (const auto& parameter : module.named_parameters()) {
    CheckBounds(parameter.value);
    lowering.NameTensor(parameter.value, parameter.name, /*parameter=*/true);
  }
  for (const auto& buffer : module.named_buffers()) {
    CheckBounds(buffer.value);
    lowering.NameTensor(buffer.value, buffer.name, /*parameter=*/false);
  }
  const auto program = module.get_method("forward").graph()->copy();
  torch::jit::Inline(*program);
  std::vector<Lanes> inputs = {{module._ivalue(), module._ivalue()}};
  for (const auto& shape : options.input_shapes) {
    const std::string name = inputs.size() == 1 ? "input" : absl::StrCat("input", inputs.size());
    inputs.push_back(lowering.ToLanes(lowering.AddInput(name, shape)));
  }
  std::vector<Operand> outputs;
  for (const Lanes& result : ScriptInterpreter(lowering).Run(*program, inputs)) {
    CollectOutputs(result, lowering, outputs);
  }
  TORCH_CHECK(!outputs.empty(), "the model returns no tensor");
  for (const Operand& output : outputs) graph.AddOutput(output.value);
  graph.Rename(outputs[0].value, outputs.size() == 1 ? "logits" : "output");
}

torch::jit::Module Load(std::string bytes) {
  std::istringstream stream(std::move(bytes));
  return torch::jit::load(stream, at::Device(at::kCPU));
}

// LibTorch's unpickler and compiler are made for files of friends, and crash on some others, not
// each time. So a child loads the file and saves it again: what is loaded here is what LibTorch
// wrote itself.
absl::StatusOr<std::string> Rewrite(absl::string_view bytes) {
  constexpr int64_t kSpareBytes = int64_t{512} << 20;
  const auto rewrite = [bytes] {
    const torch::jit::Module module = Load(std::string(bytes));
    if (const auto forward = module.find_method("forward")) {
      torch::jit::Inline(*forward->graph()->copy());
    }
    std::ostringstream out;
    module.save(out);
    return std::move(out).str();
  };
  return ComputeInChild(rewrite, {.bytes = 8 * static_cast<int64_t>(bytes.size()) + kSpareBytes});
}

absl::StatusOr<torch::jit::Module> LoadModule(absl::string_view bytes) {
  if (!LooksLikeTorchScript(bytes) || bytes.size() >= kMaxFileBytes) {
    return absl::InvalidArgumentError("not a TorchScript file of less than 2 GiB");
  }
  QUANTRY_RETURN_IF_ERROR(CheckTorchArchive(bytes));
  absl::StatusOr<std::string> rewritten = Rewrite(bytes);
  if (!rewritten.ok()) {
    return WithContext(rewritten.status(), "the TorchScript model can't be read");
  }
  return Load(*std::move(rewritten));
}

absl::StatusOr<Graph> Import(absl::string_view bytes, const ScriptOptions& options) {
  QUANTRY_ASSIGN_OR_RETURN(const torch::jit::Module module, LoadModule(bytes));
  Graph graph;
  graph.name = "torchscript";
  graph.doc = "torchscript";
  Lower(module, options, graph);
  graph.RemoveDead();
  QUANTRY_RETURN_IF_ERROR(VerifyOperators(graph));
  QUANTRY_RETURN_IF_ERROR(SplitMergedInitializers(graph));
  AssignRoles(graph);
  QUANTRY_RETURN_IF_ERROR(Canonicalize(graph));
  AssignRoles(graph);
  QUANTRY_RETURN_IF_ERROR(CheckWeights(graph));
  QUANTRY_RETURN_IF_ERROR(Verify(graph));
  QUANTRY_RETURN_IF_ERROR(VerifyOperators(graph));
  return graph;
}

template <typename Read>
auto Guarded(Read read) -> decltype(read()) {
  const at::NoGradGuard no_grad;
  return WithoutExceptions("the TorchScript model can't be read", read);
}

}  // namespace

bool LooksLikeTorchScript(absl::string_view head) {
  return absl::StartsWith(head, absl::string_view("PK\x03\x04", 4));
}

absl::StatusOr<Graph> ImportTorchScript(absl::string_view bytes, const ScriptOptions& options) {
  return Guarded([&] { return Import(bytes, options); });
}

absl::StatusOr<std::map<std::string, at::Tensor>> ReadTorchScriptTensors(absl::string_view bytes) {
  using Tensors = std::map<std::string, at::Tensor>;
  return Guarded([&]() -> absl::StatusOr<Tensors> {
    QUANTRY_ASSIGN_OR_RETURN(const torch::jit::Module module, LoadModule(bytes));
    Tensors tensors;
    const auto take = [&tensors](const std::string& name, const at::Tensor& tensor) {
      CheckBounds(tensor);
      if (tensor.defined()) tensors[name] = tensor;
    };
    for (const auto& item : module.named_parameters()) take(item.name, item.value);
    for (const auto& item : module.named_buffers()) take(item.name, item.value);
    return tensors;
  });
}

bool IsTorchScriptFile(const std::filesystem::path& path) {
  std::array<char, 4> head = {};
  std::ifstream(path, std::ios::binary).read(head.data(), head.size());
  return LooksLikeTorchScript(absl::string_view(head.data(), head.size()));
}

absl::StatusOr<Graph> ImportTorchScriptFile(const std::filesystem::path& path,
                                            const ScriptOptions& options) {
  QUANTRY_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  absl::StatusOr<Graph> graph = ImportTorchScript(bytes, options);
  if (graph.ok()) return graph;
  return WithContext(graph.status(), absl::StrCat("model ", path.filename().string()));
}

}  // namespace quantry::engine
