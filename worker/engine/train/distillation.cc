#include "worker/engine/train/distillation.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/nearest_name.h"
#include "common/status_macros.h"
#include "worker/engine/train/require.h"

namespace quantry::engine {
namespace {

// One way to compare outputs.
struct OutputDistance {
  absl::string_view name;
  at::Tensor (*compute)(const at::Tensor& student, const at::Tensor& teacher, double temperature);
};

at::Tensor KullbackLeibler(const at::Tensor& student, const at::Tensor& teacher,
                           double temperature) {
  // [n, k]; [n, k, height, width]; [n, tokens, k]
  const int64_t classes_dim = student.dim() == 3 ? 2 : std::min<int64_t>(1, student.dim() - 1);
  const at::Tensor log_student = at::log_softmax(student / temperature, classes_dim);
  const at::Tensor shares = at::softmax(teacher / temperature, classes_dim);
  const auto places = static_cast<double>(student.numel() / student.size(classes_dim));
  return at::kl_div(log_student, shares, at::Reduction::Sum) * (temperature * temperature / places);
}

at::Tensor MeanSquaredError(const at::Tensor& student, const at::Tensor& teacher, double) {
  return at::mse_loss(student, teacher);
}

constexpr OutputDistance kDistances[] = {
    {"kl", KullbackLeibler}, {"mse", MeanSquaredError}, {"none", nullptr}};

absl::Span<const OutputDistance> Distances() { return kDistances; }

std::vector<absl::string_view> InnerNames(const Graph& graph) {
  std::vector<absl::string_view> names;
  for (const Node* node : graph.nodes()) {
    for (const Value* output : node->outputs()) names.push_back(output->name());
  }
  return names;
}

}  // namespace

absl::Status DistillationOptions::Validate() const {
  const OutputDistance* distance = FindByName(Distances(), kind);
  if (distance == nullptr) return UnknownName("distillation.kind", kind, Distances());
  QUANTRY_RETURN_IF_ERROR(RequirePositive("distillation.weight", weight));
  QUANTRY_RETURN_IF_ERROR(RequirePositive("distillation.temperature", temperature));
  QUANTRY_RETURN_IF_ERROR(
      RequireNotNegative("distillation.task_weight", task_weight.value_or(1.0)));
  QUANTRY_RETURN_IF_ERROR(RequirePositive("distillation.feature_weight", feature_weight));
  if (distance->compute != nullptr || !features.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "distillation.kind is 'none' and distillation.features is empty, so nothing is compared; set "
      "one of them");
}

absl::StatusOr<FeatureCapture> FeatureCapture::Create(const Graph& graph,
                                                      const std::vector<std::string>& features,
                                                      absl::string_view whose) {
  FeatureCapture capture;
  for (const std::string& feature : features) {
    const Value* value = graph.FindValue(feature);
    const Node* node = value == nullptr ? nullptr : value->producer();
    if (node == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("distillation.features names '", feature,
                                                     "', which no node of ", whose, " computes",
                                                     DidYouMean(feature, InnerNames(graph))));
    }
    const auto& outputs = node->outputs();
    const auto place = std::find(outputs.begin(), outputs.end(), value);
    capture.places_[node].push_back({.output = static_cast<size_t>(place - outputs.begin()),
                                     .feature = capture.values_.size()});
    capture.values_.emplace_back();
  }
  return capture;
}

Executor::NodeHook FeatureCapture::Hook() {
  if (places_.empty()) return nullptr;
  return
      [this](const Node& node, absl::Span<const at::Tensor>, absl::Span<const at::Tensor> outputs) {
        const auto places = places_.find(&node);
        if (places == places_.end()) return absl::OkStatus();
        for (const Place& place : places->second) values_[place.feature] = outputs[place.output];
        return absl::OkStatus();
      };
}

absl::StatusOr<std::unique_ptr<Distiller>> Distiller::Create(const Graph& teacher,
                                                             const Graph& student,
                                                             const DistillationOptions& options) {
  if (teacher.inputs().size() != student.inputs().size() ||
      teacher.outputs().size() != student.outputs().size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the teacher has ", teacher.inputs().size(), " inputs and ",
                     teacher.outputs().size(), " outputs; it must have as many as the student, ",
                     student.inputs().size(), " and ", student.outputs().size()));
  }
  QUANTRY_ASSIGN_OR_RETURN(std::unique_ptr<Executor> executor, Executor::Create(teacher));
  QUANTRY_ASSIGN_OR_RETURN(FeatureCapture teacher_features,
                           FeatureCapture::Create(teacher, options.features, "the float model"));
  QUANTRY_ASSIGN_OR_RETURN(
      FeatureCapture student_features,
      FeatureCapture::Create(student, options.features, "the quantized model"));
  return std::unique_ptr<Distiller>(new Distiller(std::move(executor), std::move(teacher_features),
                                                  std::move(student_features), options));
}

absl::StatusOr<at::Tensor> Distiller::OutputsDistance(absl::Span<const at::Tensor> outputs,
                                                      absl::Span<const at::Tensor> expected) const {
  const auto compute = FindByName(Distances(), options_.kind)->compute;
  at::Tensor sum;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (!expected[i].is_floating_point() || expected[i].dim() == 0) continue;
    if (expected[i].sizes() != outputs[i].sizes()) {
      return absl::InvalidArgumentError(
          "the outputs of the float model and of the quantized one have different shapes");
    }
    const at::Tensor distance = compute(outputs[i], expected[i], options_.temperature);
    sum = sum.defined() ? sum + distance : distance;
  }
  if (sum.defined()) return sum;
  return absl::InvalidArgumentError(
      "no output of the model is of float type, so there is nothing to learn from; set "
      "distillation.kind to 'none' and name distillation.features");
}

absl::StatusOr<at::Tensor> Distiller::Loss(absl::Span<const at::Tensor> inputs,
                                           absl::Span<const at::Tensor> outputs) {
  std::vector<at::Tensor> expected;
  {
    const at::NoGradGuard no_grad;
    QUANTRY_ASSIGN_OR_RETURN(
        expected, executor_->Run(inputs, {.phase = RunPhase::kEvaluate}, teacher_.Hook()));
  }
  at::Tensor loss;
  const auto add = [&loss](const at::Tensor& term) { loss = loss.defined() ? loss + term : term; };
  if (FindByName(Distances(), options_.kind)->compute != nullptr) {
    QUANTRY_ASSIGN_OR_RETURN(const at::Tensor distance, OutputsDistance(outputs, expected));
    add(distance * options_.weight);
  }
  for (size_t i = 0; i < options_.features.size(); ++i) {
    const at::Tensor& ours = student_.values()[i];
    const at::Tensor& theirs = teacher_.values()[i];
    if (ours.sizes() != theirs.sizes() || !ours.is_floating_point()) {
      return absl::InvalidArgumentError(
          absl::StrCat("distillation.features names '", options_.features[i],
                       "', which is no float value of the same shape in both models"));
    }
    add(at::mse_loss(ours, theirs) * options_.feature_weight);
  }
  return loss;
}

}  // namespace quantry::engine
