// One architecture in the forms that export_architecture.py wrote: is each imported, does it
// compute what torch computes, is it trained with fake quantization and exported?
//
// usage: quantry_check_architecture FOLDER FORM...
//
// Every file of the folder (onnx_eval.onnx, traced_train.pt, ...) is imported and compared. The
// FORMs named ("onnx_train") then go through quantization-aware training: FOLDER/FORM.qdq.onnx is
// the artifact, FOLDER/FORM.logits.f32 what the fake-quantized model says to all inputs. Results
// are in FOLDER/checked.json; the exit status is not 0 only where it could not be written.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/match.h"
#include "common/files.h"
#include "common/quant_config.h"
#include "common/status_macros.h"
#include "worker/engine/evaluate/executor.h"
#include "worker/engine/export/deployed_model.h"
#include "worker/engine/export/to_qdq.h"
#include "worker/engine/export/write_onnx.h"
#include "worker/engine/import/import_onnx.h"
#include "worker/engine/passes/annotate.h"
#include "worker/engine/passes/insert_fake_quant.h"
#include "worker/engine/passes/quantize_outputs.h"
#include "worker/engine/script/import_script.h"
#include "worker/engine/train/optimizer.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Reference = std::map<std::string, at::Tensor>;

constexpr int64_t kBatch = 16;
constexpr int64_t kCalibrationInputs = 64;
constexpr double kLearningRate = 1e-4;

absl::StatusOr<Reference> ReadReference(const fs::path& path) {
  QUANTRY_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  Reference reference;
  const auto pickled = torch::jit::pickle_load({bytes.begin(), bytes.end()});
  for (const auto& entry : pickled.toGenericDict()) {
    reference[entry.key().toStringRef()] = entry.value().toTensor();
  }
  return reference;
}

absl::StatusOr<Graph> Import(const fs::path& path, const at::Tensor& input) {
  if (path.extension() == ".onnx") return ImportOnnxFile(path);
  return ImportTorchScriptFile(path, {.input_shapes = {input.sizes().slice(1).vec()}});
}

// The first output for each of `inputs`, batch by batch.
absl::StatusOr<at::Tensor> Answers(const Graph& graph, const at::Tensor& inputs, RunPhase phase) {
  const at::NoGradGuard no_grad;
  QUANTRY_ASSIGN_OR_RETURN(const auto executor, Executor::Create(graph));
  std::vector<at::Tensor> parts;
  for (const at::Tensor& batch : inputs.split(kBatch)) {
    QUANTRY_ASSIGN_OR_RETURN(const auto outputs,
                             executor->Run({batch}, EvaluateContext{.phase = phase}));
    parts.push_back(outputs.at(0));
  }
  return at::cat(parts);
}

double RelativeError(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor wanted = b.to(at::kDouble);
  return (a.to(at::kDouble) - wanted).norm().item<double>() / wanted.norm().item<double>();
}

absl::StatusOr<Json> Compare(const fs::path& path, const Reference& reference) {
  const at::Tensor& logits = reference.at("logits");
  const at::Tensor inputs = reference.at("input").slice(0, 0, logits.size(0));
  QUANTRY_ASSIGN_OR_RETURN(const Graph graph, Import(path, inputs));
  Json result;
  QUANTRY_ASSIGN_OR_RETURN(const at::Tensor answers, Answers(graph, inputs, RunPhase::kEvaluate));
  result["error"] = RelativeError(answers, logits);
  // Another batch size than that of the export.
  QUANTRY_ASSIGN_OR_RETURN(const at::Tensor one,
                           Answers(graph, inputs.slice(0, 0, 1), RunPhase::kEvaluate));
  result["single_error"] = RelativeError(one, logits.slice(0, 0, 1));
  if (absl::StrContains(path.filename().string(), "train")) {
    QUANTRY_ASSIGN_OR_RETURN(const at::Tensor trained,
                             Answers(graph, reference.at("train.input"), RunPhase::kTrain));
    result["train_error"] = RelativeError(trained, reference.at("train.logits"));
  }
  return result;
}

std::vector<ParameterGroup> Parameters(const Graph& graph) {
  ParameterGroup group;
  for (Value* parameter : graph.initializers(InitializerRole::kParameter)) {
    at::Tensor(parameter->tensor()).requires_grad_(true);
    group.parameters.push_back({parameter->name(), parameter->tensor()});
  }
  return {std::move(group)};
}

// One step of SGD on the first inputs. The result counts parameters, and those that got a gradient.
absl::StatusOr<Json> TrainStep(const Graph& graph, const Reference& reference) {
  const auto optimizer = MakeOptimizer(Parameters(graph), {});
  const at::Tensor images = reference.at("input").slice(0, 0, kBatch);
  const at::Tensor labels = reference.at("labels").slice(0, 0, kBatch);
  QUANTRY_ASSIGN_OR_RETURN(const auto executor, Executor::Create(graph));
  QUANTRY_ASSIGN_OR_RETURN(const auto outputs,
                           executor->Run({images}, EvaluateContext{.phase = RunPhase::kTrain}));
  const at::Tensor loss = at::cross_entropy_loss(outputs.at(0), labels);
  loss.backward();
  int64_t reached = 0;
  const std::vector<NamedTensor> parameters = optimizer->Parameters();
  for (const NamedTensor& parameter : parameters) {
    const at::Tensor& gradient = parameter.tensor.grad();
    if (!gradient.defined()) continue;
    if (!gradient.isfinite().all().item<bool>()) {
      return absl::InternalError("the gradient of " + parameter.name + " is not finite");
    }
    ++reached;
  }
  ClipGradientNorm(parameters, 1.0);
  optimizer->Step(kLearningRate);
  optimizer->ZeroGradients();
  return Json{
      {"loss", loss.item<double>()}, {"parameters", parameters.size()}, {"with_gradient", reached}};
}

// How many layers there are that have a matrix or a kernel, and how many got quantized.
Json CountLayers(const Graph& graph) {
  int64_t layers = 0;
  int64_t quantized = 0;
  for (const Node* node : graph.nodes()) {
    const std::set<absl::string_view> kinds = {"Conv", "ConvTranspose", "Gemm", "MatMul"};
    if (!kinds.contains(node->op())) continue;
    const Node* weight = node->input(1)->producer();
    const bool fake = weight != nullptr && weight->op() == kFakeQuantizeOp;
    if (!fake && !node->input(1)->is_initializer()) continue;  // a product of activations
    ++layers;
    quantized += fake ? 1 : 0;
  }
  return {{"layers", layers}, {"quantized", quantized}};
}

absl::StatusOr<Json> Quantize(const fs::path& path, const Reference& reference) {
  const at::Tensor& inputs = reference.at("input");
  QUANTRY_ASSIGN_OR_RETURN(Graph graph, Import(path, inputs));
  QUANTRY_ASSIGN_OR_RETURN(const at::Tensor plain, Answers(graph, inputs, RunPhase::kEvaluate));
  const QuantConfig config;
  QUANTRY_ASSIGN_OR_RETURN(QuantPlan plan, Annotate(graph, config, {}));
  FitToProfile(graph, config, plan);
  InsertFakeQuant(graph, plan);
  Json result = CountLayers(graph);
  QUANTRY_RETURN_IF_ERROR(
      Answers(graph, inputs.slice(0, 0, kCalibrationInputs), RunPhase::kCalibrate).status());
  QUANTRY_ASSIGN_OR_RETURN(result["step"], TrainStep(graph, reference));
  for (Value* parameter : graph.initializers(InitializerRole::kParameter)) {
    at::Tensor(parameter->tensor()).requires_grad_(false);
  }
  QUANTRY_ASSIGN_OR_RETURN(const Graph deployed, DeployedModel(graph));
  QUANTRY_ASSIGN_OR_RETURN(const at::Tensor answers,
                           Answers(deployed, inputs, RunPhase::kEvaluate));
  const at::Tensor labels = reference.at("labels");
  const auto share = [](const at::Tensor& hits) {
    return hits.to(at::kDouble).mean().item<double>();
  };
  result["float_top1"] = share(plain.argmax(1).eq(labels));
  result["fake_quant_top1"] = share(answers.argmax(1).eq(labels));
  result["classes_answered"] = std::get<0>(at::_unique(answers.argmax(1))).numel();
  fs::path stem = path;
  stem.replace_extension("");
  std::ofstream logits(stem.string() + ".logits.f32", std::ios::binary);
  const at::Tensor dense = answers.contiguous();
  logits.write(static_cast<const char*>(dense.data_ptr()),
               static_cast<std::streamsize>(dense.nbytes()));
  if (!logits.flush()) return absl::InternalError("can't write the logits");
  QUANTRY_ASSIGN_OR_RETURN(const Graph lowered, ToQdq(graph));
  QUANTRY_RETURN_IF_ERROR(WriteOnnxFile(lowered, stem.string() + ".qdq.onnx"));
  return result;
}

// Exceptions are failures of the form, not of the program.
template <typename Function>
Json Report(Function function) {
  try {
    const absl::StatusOr<Json> result = function();
    if (result.ok()) return *result;
    return {{"failure", std::string(result.status().message())}};
  } catch (const std::exception& error) {
    return {{"failure", std::string(error.what()).substr(0, 500)}};
  }
}

absl::Status Check(const fs::path& folder, const std::set<std::string>& quantized_forms) {
  QUANTRY_ASSIGN_OR_RETURN(const Reference reference, ReadReference(folder / "reference.pt"));
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string stem = entry.path().stem().string();
    if (stem != "reference" && (absl::EndsWith(stem, "_eval") || absl::EndsWith(stem, "_train"))) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  Json forms;
  for (const fs::path& file : files) {
    const std::string form = file.stem().string();
    forms[form] = Report([&] { return Compare(file, reference); });
    if (!quantized_forms.contains(form)) continue;
    forms[form]["qat"] = Report([&] { return Quantize(file, reference); });
  }
  return WriteFileAtomically(folder / "checked.json", forms.dump(1));
}

int Main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: quantry_check_architecture FOLDER FORM...\n";
    return 2;
  }
  at::set_num_threads(2);
  const absl::Status status = Check(argv[1], {argv + 2, argv + argc});
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace quantry::engine

int main(int argc, char** argv) { return quantry::engine::Main(argc, argv); }
