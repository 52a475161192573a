#include "worker/engine/evaluate/check_model.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/nearest_name.h"
#include "common/status_macros.h"
#include "worker/engine/evaluate/executor.h"

namespace quantry::engine {
namespace {

std::string Shape(const at::Tensor& tensor) {
  return absl::StrCat("[", absl::StrJoin(tensor.sizes(), ", "), "]");
}

std::string Shapes(absl::Span<const at::Tensor> tensors) {
  return absl::StrJoin(tensors, ", ", [](std::string* out, const at::Tensor& tensor) {
    absl::StrAppend(out, DtypeName(tensor.scalar_type()), Shape(tensor));
  });
}

std::vector<absl::string_view> NamesOf(absl::Span<const ArraySpec> arrays) {
  std::vector<absl::string_view> names;
  for (const ArraySpec& array : arrays) names.push_back(array.name);
  return names;
}

std::string InputNames(const Graph& graph) {
  return absl::StrJoin(graph.inputs(), ", ", [](std::string* out, const Value* value) {
    absl::StrAppend(out, value->name());
  });
}

// The place of each input's array, by name; empty if a name is no array's.
std::vector<size_t> PlacesByName(const Graph& graph, absl::Span<const ArraySpec> arrays) {
  std::vector<size_t> places;
  for (const Value* input : graph.inputs()) {
    const auto found = std::find_if(arrays.begin(), arrays.end(), [&](const ArraySpec& array) {
      return array.name == input->name();
    });
    if (found == arrays.end()) return {};
    places.push_back(found - arrays.begin());
  }
  return places;
}

// Whether numbers of type `from` may be given to an input of type `to`.
bool Converts(at::ScalarType from, at::ScalarType to) {
  if (from == to) return true;
  if (at::isFloatingType(to)) return from != at::kBool || to == at::kFloat;
  return at::isIntegralType(from, /*includeBool=*/true) && at::canCast(from, to) &&
         at::elementSize(from) <= at::elementSize(to) && to != at::kBool;
}

absl::Status CheckTaskOutput(const at::Tensor& output, const ModelTask& task,
                             const std::string& given) {
  const std::string wanted = absl::StrCat(
      "float ", task.kind == TargetKind::kValues ? "" : "logits ", "[2, ", task.targets, "]");
  const bool is_float = at::isFloatingType(output.scalar_type());
  const bool has_rows = output.dim() >= 1 && output.size(0) == 2;
  if (task.kind == TargetKind::kValues) {
    if (is_float && has_rows && output.numel() == 2 * task.targets) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("for ", given, " the model gives ", Shape(output),
                     "; for the dataset's targets it must give ", wanted));
  }
  if (output.dim() != 2 || !has_rows || !is_float) {
    return absl::InvalidArgumentError(absl::StrCat("for ", given, " the model gives ",
                                                   Shape(output), "; a classifier gives ", wanted));
  }
  if (output.size(1) == task.targets) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the model has ", output.size(1), " outputs, the dataset has ", task.targets,
                   " ", TargetKindName(task.kind), "; they must be equal"));
}

absl::Status CheckUnlabelled(absl::Span<const at::Tensor> outputs, const std::string& given) {
  const bool any_float = std::any_of(outputs.begin(), outputs.end(), [](const at::Tensor& output) {
    return at::isFloatingType(output.scalar_type()) && output.dim() >= 1 && output.size(0) == 2;
  });
  if (any_float) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "for ", given, " the model gives ", Shapes(outputs),
      "; without labels at least one output must be of float type with the batch as first axis"));
}

}  // namespace

absl::StatusOr<size_t> FindOutput(const Graph& graph, const std::string& name) {
  std::vector<absl::string_view> names;
  for (const Value* output : graph.outputs()) names.push_back(output->name());
  if (name.empty() && !names.empty()) return 0;
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return found - names.begin();
  return absl::InvalidArgumentError(
      absl::StrCat("task_output is '", name, "', which is no output of the model",
                   DidYouMean(name, names), "; allowed: ", absl::StrJoin(names, ", ")));
}

absl::StatusOr<std::vector<ArrayInput>> MatchInputs(const Graph& graph,
                                                    absl::Span<const ArraySpec> arrays) {
  if (graph.inputs().size() != arrays.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the model has ", graph.inputs().size(), " inputs (", InputNames(graph),
        "), the dataset has ", arrays.size(), " arrays (", absl::StrJoin(NamesOf(arrays), ", "),
        "); name the ones to use by the parameter inputs=A,B of the dataset URI"));
  }
  std::vector<size_t> places = PlacesByName(graph, arrays);
  for (size_t i = 0; places.size() < arrays.size(); ++i) places.push_back(i);
  std::vector<ArrayInput> inputs;
  for (size_t i = 0; i < places.size(); ++i) {
    const ArraySpec& array = arrays[places[i]];
    const at::ScalarType dtype = graph.inputs()[i]->type.dtype.value_or(array.dtype);
    if (!Converts(array.dtype, dtype)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "input '", graph.inputs()[i]->name(), "' of the model is ", DtypeName(dtype), ", array '",
          array.name, "' is ", DtypeName(array.dtype),
          ", which does not convert without loss; store the array as ", DtypeName(dtype)));
    }
    inputs.push_back({.array = places[i], .dtype = dtype});
  }
  return inputs;
}

std::vector<at::Tensor> ExamplePictures(int64_t image_size) {
  return {at::zeros({2, 3, image_size, image_size}).contiguous(at::MemoryFormat::ChannelsLast)};
}

std::vector<at::Tensor> ExampleArrays(absl::Span<const ArraySpec> arrays,
                                      absl::Span<const ArrayInput> inputs) {
  std::vector<at::Tensor> examples;
  for (const ArrayInput& input : inputs) {
    std::vector<int64_t> shape = {2};
    const std::vector<int64_t>& rest = arrays[input.array].shape;
    shape.insert(shape.end(), rest.begin(), rest.end());
    examples.push_back(at::zeros(shape, input.dtype));
  }
  return examples;
}

absl::Status CheckModel(const Graph& graph, absl::Span<const at::Tensor> inputs,
                        const ModelTask& task) {
  const at::NoGradGuard no_grad;
  const bool pictures = inputs.size() == 1 && inputs[0].dim() == 4 && inputs[0].size(1) == 3;
  const std::string given = absl::StrCat(pictures ? "pictures " : "inputs ",
                                         pictures ? Shape(inputs[0]) : Shapes(inputs));
  if (graph.inputs().size() != inputs.size() || graph.outputs().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the model has ", graph.inputs().size(), " inputs (", InputNames(graph),
                     ") and ", graph.outputs().size(), " outputs; the dataset gives ", given,
                     "; for several inputs use arrays://"));
  }
  QUANTRY_ASSIGN_OR_RETURN(const std::unique_ptr<Executor> executor, Executor::Create(graph));
  const auto outputs = executor->Run(inputs, {.phase = RunPhase::kEvaluate});
  if (!outputs.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the model does not run on ", given, ": ", outputs.status().message(),
                     "; if the batch size is fixed in the file, export it with a dynamic one "
                     "(torch.onnx.export: dynamic_axes)"));
  }
  return task.kind == TargetKind::kNone ? CheckUnlabelled(*outputs, given)
                                        : CheckTaskOutput((*outputs)[task.output], task, given);
}

}  // namespace quantry::engine
