#include "worker/engine/evaluate/executor.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <new>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "worker/engine/fuse/fused_operator.h"
#include "worker/engine/fuse/run_value.h"

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

// Steps that follow each other and that a fused operator can take the place of.
struct FusedSteps {
  std::unique_ptr<FusedOperator> fused;
  size_t first = 0;  // among the plan's steps
  size_t end = 0;
  std::vector<Source> inputs;
};

// A computed value. What is integers has its plain form made once, for the first one who needs it.
class Slot {
 public:
  void Set(RunValue value) {
    value_ = std::move(value);
    plain_.reset();
  }
  void Clear() { Set({}); }

  const RunValue& value() const { return value_; }
  const at::Tensor& AsPlain() {
    if (!value_.integers()) return value_.tensor;
    if (!plain_.defined()) plain_ = Plain(value_);
    return plain_;
  }

 private:
  RunValue value_;
  at::Tensor plain_;
};

at::Tensor InitializerAt(const Source& source) {
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

std::vector<at::Tensor> TensorsOf(absl::Span<const RunValue> values) {
  std::vector<at::Tensor> tensors;
  for (const RunValue& value : values) tensors.push_back(value.tensor);
  return tensors;
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

// Calls `compute`, what `node` stands for; the edge where exceptions end.
template <typename Function>
absl::Status Guarded(const Node& node, absl::Span<const at::Tensor> inputs,
                     const Function& compute) {
  try {
    compute();
  } catch (const c10::Error& error) {
    const std::string message =
        absl::StrCat(Describe(node, inputs), ": ", error.what_without_backtrace());
    const bool memory = absl::StrContains(message, "can't allocate memory") ||
                        dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr;
    return memory ? absl::ResourceExhaustedError(message) : absl::InvalidArgumentError(message);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(
        absl::StrCat(Describe(node, inputs), ": there is not enough memory"));
  } catch (const std::runtime_error& error) {  // ATen's, of some shapes
    return absl::InvalidArgumentError(absl::StrCat(Describe(node, inputs), ": ", error.what()));
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat(Describe(node, inputs), ": ", error.what()));
  }
  return absl::OkStatus();
}

// Evaluates one node.
absl::Status Evaluate(const Step& step, absl::Span<const at::Tensor> inputs,
                      const EvaluateContext& context, std::vector<at::Tensor>& outputs) {
  QUANTRY_RETURN_IF_ERROR(
      Guarded(*step.node, inputs, [&] { outputs = Compute(step, inputs, context); }));
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
  std::vector<FusedSteps> fused;  // in the order of their first steps
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

Step PlanStep(const Node& node, Slots& slots) {
  Step step{.node = &node, .def = FindOperator(node.op())};
  for (const Value* input : node.inputs()) step.inputs.push_back(slots.Find(input));
  for (const Value* output : node.outputs()) step.outputs.push_back(slots.Add(output));
  return step;
}

// Where the nodes of fused operators go: all of them to the place of the last one, up to which
// nobody reads what they make. Operators with the same last node are nested, the largest first.
class FusionPlan {
 public:
  FusionPlan(const Graph& graph, absl::Span<Node* const> order, Executor::Fusing fusing) {
    if (fusing == Executor::Fusing::kOff) return;
    for (auto& fused : FindFusedOperators(graph, order)) {
      const std::vector<const Node*>& nodes = fused->nodes();
      moved_.insert(nodes.begin(), nodes.end() - 1);
      by_last_[nodes.back()].push_back(std::move(fused));
    }
  }

  // What is to be run at the place of `node`.
  std::vector<const Node*> NodesAt(const Node* node) const {
    if (moved_.contains(node)) return {};
    const auto found = by_last_.find(node);
    return found == by_last_.end() ? std::vector<const Node*>{node} : found->second[0]->nodes();
  }

  // To be called when the steps of NodesAt(node) have been planned, `end` in all so far.
  void Note(const Node* node, size_t end, const Slots& slots) {
    const auto found = by_last_.find(node);
    if (found == by_last_.end()) return;
    for (auto& fused : found->second) {
      FusedSteps steps = {.fused = std::move(fused), .end = end};
      steps.first = end - steps.fused->nodes().size();
      for (const Value* input : steps.fused->inputs()) steps.inputs.push_back(slots.Find(input));
      fused_.push_back(std::move(steps));
    }
  }

  std::vector<FusedSteps> Take() { return std::move(fused_); }

 private:
  absl::flat_hash_set<const Node*> moved_;
  std::unordered_map<const Node*, std::vector<std::unique_ptr<FusedOperator>>> by_last_;
  std::vector<FusedSteps> fused_;
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

absl::StatusOr<std::unique_ptr<Executor>> Executor::Create(const Graph& graph, Fusing fusing) {
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
  FusionPlan fusion(graph, *order, fusing);
  for (const Node* node : *order) {
    for (const Node* next : fusion.NodesAt(node)) plan->steps.push_back(PlanStep(*next, slots));
    fusion.Note(node, plan->steps.size(), slots);
  }
  plan->fused = fusion.Take();
  for (const Value* output : graph.outputs()) plan->outputs.push_back(slots.Find(output));
  plan->slot_count = slots.size();
  PlanReleases(plan->steps, plan->outputs, plan->slot_count);
  return std::unique_ptr<Executor>(new Executor(std::move(plan)));
}

// One run: the values so far, and how steps change them.
class Executor::Runner {
 public:
  Runner(const Plan& plan, const EvaluateContext& context, const NodeHook& hook)
      : plan_(plan), context_(context), hook_(hook), slots_(plan.slot_count) {}

  absl::StatusOr<std::vector<at::Tensor>> Run(absl::Span<const at::Tensor> inputs) {
    for (size_t i = 0; i < inputs.size(); ++i) slots_[i].Set({.tensor = inputs[i]});
    size_t next = 0;
    auto group = plan_.fused.begin();
    while (next < plan_.steps.size()) {
      while (group != plan_.fused.end() && group->first < next) ++group;
      if (group != plan_.fused.end() && group->first == next) {
        QUANTRY_ASSIGN_OR_RETURN(const bool done, TryFused(*group++));
        if (done) next = std::prev(group)->end;
        if (done) continue;
      }
      QUANTRY_RETURN_IF_ERROR(RunStep(plan_.steps[next++]));
    }
    std::vector<at::Tensor> outputs;
    for (const Source& output : plan_.outputs) outputs.push_back(Fetch(output));
    return outputs;
  }

 private:
  Slot& SlotAt(int slot) { return slots_[static_cast<size_t>(slot)]; }

  // `as_it_is`: integers stay integers.
  at::Tensor Fetch(const Source& source, bool as_it_is = false) {
    if (source.slot == kNoSlot) return InitializerAt(source);
    Slot& slot = SlotAt(source.slot);
    return as_it_is ? slot.value().tensor : slot.AsPlain();
  }

  RunValue FetchAsItIs(const Source& source) {
    if (source.slot == kNoSlot) return {.tensor = InitializerAt(source)};
    return SlotAt(source.slot).value();
  }

  void Release(const Step& step) {
    for (const int slot : step.releases) SlotAt(slot).Clear();
  }

  // The step of the grid that a node leaves its input on, if it does and the input is integers;
  // else 0.
  float KeptGrid(const Step& step) {
    if (hook_ || step.outputs.size() != 1 || !KeepsGrid(step.node->op())) return 0;
    return FetchAsItIs(step.inputs[0]).step;
  }

  absl::Status RunStep(const Step& step) {
    const float grid = KeptGrid(step);
    inputs_.clear();
    for (const Source& source : step.inputs) inputs_.push_back(Fetch(source, grid > 0));
    QUANTRY_RETURN_IF_ERROR(Evaluate(step, inputs_, context_, outputs_));
    if (hook_) QUANTRY_RETURN_IF_ERROR(hook_(*step.node, inputs_, outputs_));
    for (size_t i = 0; i < outputs_.size(); ++i) {
      SlotAt(step.outputs[i]).Set({.tensor = std::move(outputs_[i]), .step = grid});
    }
    Release(step);
    return absl::OkStatus();
  }

  // False if the steps have to be run one by one.
  absl::StatusOr<bool> TryFused(const FusedSteps& group) {
    if (hook_) return false;
    std::vector<RunValue> inputs;
    for (const Source& source : group.inputs) inputs.push_back(FetchAsItIs(source));
    if (!group.fused->Accepts(inputs, context_)) return false;
    const Step& last = plan_.steps[group.end - 1];
    RunValue output;
    QUANTRY_RETURN_IF_ERROR(Guarded(*last.node, TensorsOf(inputs),
                                    [&] { output = group.fused->Run(inputs, context_); }));
    SlotAt(last.outputs[0]).Set(std::move(output));
    for (size_t i = group.first; i < group.end; ++i) Release(plan_.steps[i]);
    return true;
  }

  const Plan& plan_;
  const EvaluateContext& context_;
  const NodeHook& hook_;
  std::vector<Slot> slots_;
  std::vector<at::Tensor> inputs_;
  std::vector<at::Tensor> outputs_;
};

absl::StatusOr<std::vector<at::Tensor>> Executor::Run(absl::Span<const at::Tensor> inputs,
                                                      const EvaluateContext& context,
                                                      const NodeHook& hook) const {
  if (inputs.size() != plan_->input_count) {
    return absl::InvalidArgumentError(
        absl::StrCat("got ", inputs.size(), " inputs; the model has ", plan_->input_count));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined()) {
      return absl::InvalidArgumentError(
          absl::StrCat("input '", plan_->input_names[i], "' is missing"));
    }
  }
  return Runner(*plan_, context, hook).Run(inputs);
}

}  // namespace quantry::engine
