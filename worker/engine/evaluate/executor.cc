#include "worker/engine/evaluate/executor.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"

namespace quantry::engine {
namespace {

constexpr int kNoSlot = -1;

// Where a node finds an input: the slot of a computed value or graph input, else the initializer,
// else (both absent) the input is left out.
struct Source {
  int slot = kNoSlot;
  const Value* initializer = nullptr;
};

struct Step {
  const Node* node = nullptr;
  const OperatorDef* def = nullptr;
  std::vector<Source> inputs;
  std::vector<int> outputs;
  std::vector<int> releases;  // slots that nobody reads after this step
};

at::Tensor Fetch(const Source& source, const std::vector<at::Tensor>& slots) {
  if (source.slot != kNoSlot) return slots[static_cast<size_t>(source.slot)];
  return source.initializer == nullptr ? at::Tensor() : source.initializer->tensor();
}

std::string Describe(const Node& node, absl::Span<const at::Tensor> inputs) {
  const std::string shapes =
      absl::StrJoin(inputs, ", ", [](std::string* out, const at::Tensor& tensor) {
        absl::StrAppend(out, tensor.defined() ? ToString(TypeOf(tensor)) : "nothing");
      });
  return absl::StrCat("node '", node.name(), "' (", node.op(), ") on ", shapes);
}

// `tensors` with those of type `from` as `to`; autograd takes their gradients the way back.
std::vector<at::Tensor> Converted(absl::Span<const at::Tensor> tensors, at::ScalarType from,
                                  at::ScalarType to) {
  std::vector<at::Tensor> converted(tensors.begin(), tensors.end());
  for (at::Tensor& tensor : converted) {
    if (tensor.defined() && tensor.scalar_type() == from) tensor = tensor.to(to);
  }
  return converted;
}

std::vector<at::Tensor> Compute(const Step& step, absl::Span<const at::Tensor> inputs,
                                const EvaluateContext& context) {
  if (!Follows(step.def->precision_use, context.precision)) {
    return step.def->evaluate(*step.node, inputs, context);
  }
  const at::ScalarType type = context.precision == Precision::kBf16 ? at::kBFloat16 : at::kDouble;
  const auto converted = Converted(inputs, at::kFloat, type);
  return Converted(step.def->evaluate(*step.node, converted, context), type, at::kFloat);
}

// Evaluates one node; the edge where exceptions end.
absl::Status Evaluate(const Step& step, absl::Span<const at::Tensor> inputs,
                      const EvaluateContext& context, std::vector<at::Tensor>& outputs) {
  try {
    outputs = Compute(step, inputs, context);
  } catch (const c10::Error& error) {
    const std::string message =
        absl::StrCat(Describe(*step.node, inputs), ": ", error.what_without_backtrace());
    const bool memory = absl::StrContains(message, "can't allocate memory") ||
                        dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr;
    return memory ? absl::ResourceExhaustedError(message) : absl::InvalidArgumentError(message);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(
        absl::StrCat(Describe(*step.node, inputs), ": there is not enough memory"));
  } catch (const std::runtime_error& error) {  // ATen's, of some shapes
    return absl::InvalidArgumentError(
        absl::StrCat(Describe(*step.node, inputs), ": ", error.what()));
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat(Describe(*step.node, inputs), ": ", error.what()));
  }
  if (outputs.size() == step.outputs.size()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(Describe(*step.node, inputs), ": gave ", outputs.size(),
                                          " outputs instead of ", step.outputs.size()));
}

}  // namespace

struct Executor::Plan {
  size_t input_count = 0;  // graph inputs have the first slots
  size_t slot_count = 0;
  std::vector<std::string> input_names;
  std::vector<Step> steps;
  std::vector<Source> outputs;
};

namespace {

// Gives slots to values in the order in which they come to be.
class Slots {
 public:
  int Add(const Value* value) {
    const int slot = static_cast<int>(slots_.size());
    slots_.emplace(value, slot);
    return slot;
  }

  Source Find(const Value* value) const {
    if (value == nullptr) return {};
    if (value->is_initializer()) return {.initializer = value};
    return {.slot = slots_.at(value)};
  }

  size_t size() const { return slots_.size(); }

 private:
  std::unordered_map<const Value*, int> slots_;
};

// Notes in each step the slots that it reads or writes last, other than those of graph outputs.
void PlanReleases(std::vector<Step>& steps, const std::vector<Source>& outputs, size_t slot_count) {
  std::vector<bool> done(slot_count, false);
  const auto release = [&done](Step& step, int slot) {
    if (slot == kNoSlot || done[static_cast<size_t>(slot)]) return;
    done[static_cast<size_t>(slot)] = true;
    step.releases.push_back(slot);
  };
  for (const Source& output : outputs) {
    if (output.slot != kNoSlot) done[static_cast<size_t>(output.slot)] = true;
  }
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    for (const Source& input : step->inputs) release(*step, input.slot);
    for (const int slot : step->outputs) release(*step, slot);
  }
}

}  // namespace

Executor::Executor(std::unique_ptr<Plan> plan) : plan_(std::move(plan)) {}
Executor::~Executor() = default;

absl::StatusOr<std::unique_ptr<Executor>> Executor::Create(const Graph& graph) {
  QUANTRY_RETURN_IF_ERROR(VerifyOperators(graph));
  const absl::StatusOr<std::vector<Node*>> order = graph.TopologicalOrder();
  if (!order.ok()) return absl::InvalidArgumentError(order.status().message());
  auto plan = std::make_unique<Plan>();
  Slots slots;
  for (const Value* input : graph.inputs()) {
    slots.Add(input);
    plan->input_names.push_back(input->name());
  }
  plan->input_count = graph.inputs().size();
  for (const Node* node : *order) {
    Step step{.node = node, .def = FindOperator(node->op())};
    for (const Value* input : node->inputs()) step.inputs.push_back(slots.Find(input));
    for (const Value* output : node->outputs()) step.outputs.push_back(slots.Add(output));
    plan->steps.push_back(std::move(step));
  }
  for (const Value* output : graph.outputs()) plan->outputs.push_back(slots.Find(output));
  plan->slot_count = slots.size();
  PlanReleases(plan->steps, plan->outputs, plan->slot_count);
  return std::unique_ptr<Executor>(new Executor(std::move(plan)));
}

absl::StatusOr<std::vector<at::Tensor>> Executor::Run(absl::Span<const at::Tensor> inputs,
                                                      const EvaluateContext& context,
                                                      const NodeHook& hook) const {
  if (inputs.size() != plan_->input_count) {
    return absl::InvalidArgumentError(
        absl::StrCat("got ", inputs.size(), " inputs; the model has ", plan_->input_count));
  }
  std::vector<at::Tensor> slots(plan_->slot_count);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined()) {
      return absl::InvalidArgumentError(
          absl::StrCat("input '", plan_->input_names[i], "' is missing"));
    }
    slots[i] = inputs[i];
  }
  std::vector<at::Tensor> step_inputs;
  std::vector<at::Tensor> step_outputs;
  for (const Step& step : plan_->steps) {
    for (const Source& source : step.inputs) step_inputs.push_back(Fetch(source, slots));
    QUANTRY_RETURN_IF_ERROR(Evaluate(step, step_inputs, context, step_outputs));
    if (hook) QUANTRY_RETURN_IF_ERROR(hook(*step.node, step_inputs, step_outputs));
    for (size_t i = 0; i < step_outputs.size(); ++i) {
      slots[static_cast<size_t>(step.outputs[i])] = std::move(step_outputs[i]);
    }
    for (const int slot : step.releases) slots[static_cast<size_t>(slot)].reset();
    step_inputs.clear();
    step_outputs.clear();
  }
  std::vector<at::Tensor> outputs;
  for (const Source& source : plan_->outputs) outputs.push_back(Fetch(source, slots));
  return outputs;
}

}  // namespace quantry::engine
