#include "worker/engine/passes/assign_roles.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

constexpr int64_t kMaxCopiedBytes = int64_t{1} << 30;

bool IsLinear(const Node* node) {
  return node != nullptr && (node->op() == "Conv" || node->op() == "ConvTranspose" ||
                             node->op() == "Gemm" || node->op() == "MatMul");
}

// Add(linear(x), v) in either order.
bool IsAddedBias(const Use& use) {
  if (use.node->op() != "Add" || use.node->inputs().size() != 2) return false;
  const Value* other = use.node->input(1 - use.index);
  return other != nullptr && IsLinear(other->producer());
}

InitializerRole RoleOf(const Use& use) {
  if (IsAddedBias(use)) return InitializerRole::kParameter;
  const OperatorDef* def = FindOperator(use.node->op());
  if (def == nullptr) return InitializerRole::kConstant;
  switch (KindOfInput(*def, use.index)) {
    case InputKind::kWeight:
    case InputKind::kBias:
    case InputKind::kParameter:
      return InitializerRole::kParameter;
    case InputKind::kBuffer:
      return InitializerRole::kBuffer;
    case InputKind::kActivation:
    case InputKind::kStatic:
      return InitializerRole::kConstant;
  }
  return InitializerRole::kConstant;
}

// Makes copies of initializers and counts what they take.
class Copier {
 public:
  explicit Copier(Graph& graph) : graph_(graph) {}

  absl::StatusOr<Value*> Copy(const Value& initializer, const std::string& name) {
    const at::Tensor& tensor = initializer.tensor();
    const int64_t bytes = tensor.numel() * static_cast<int64_t>(tensor.element_size());
    if (bytes > kMaxCopiedBytes - copied_) {
      return absl::InvalidArgumentError(absl::StrCat("initializer '", initializer.name(),
                                                     "' is shared by so many nodes that "
                                                     "copies would take more than ",
                                                     kMaxCopiedBytes, " bytes"));
    }
    copied_ += bytes;
    return graph_.AddInitializer(name, tensor.clone(), initializer.role());
  }

 private:
  Graph& graph_;
  int64_t copied_ = 0;
};

absl::Status SplitIdentities(Graph& graph, Copier& copier) {
  for (Node* node : graph.nodes()) {
    if (node->op() != "Identity" || node->inputs().size() != 1) continue;
    Value* source = node->input(0);
    if (source == nullptr || !source->is_initializer() || source->tensor().dim() > 1) continue;
    const std::string name = node->output()->name();
    QUANTRY_ASSIGN_OR_RETURN(Value * copy, copier.Copy(*source, name));
    graph.ReplaceAllUses(node->output(), copy);
    graph.RemoveNode(node);
    graph.Rename(copy, name);
  }
  return absl::OkStatus();
}

absl::Status SplitState(Graph& graph, Copier& copier) {
  for (Value* initializer : graph.initializers()) {
    const std::vector<Use> uses = initializer->uses();
    for (size_t i = 0; i < uses.size(); ++i) {
      const bool alone = initializer->uses().size() == 1;
      if (alone || RoleOf(uses[i]) != InitializerRole::kBuffer) continue;
      const std::string name = absl::StrCat(uses[i].node->name(), ".state", uses[i].index);
      QUANTRY_ASSIGN_OR_RETURN(Value * copy, copier.Copy(*initializer, name));
      graph.SetInput(uses[i].node, uses[i].index, copy);
    }
  }
  return absl::OkStatus();
}

}  // namespace

bool HasRoleByUse(const Value& initializer) {
  return std::any_of(initializer.uses().begin(), initializer.uses().end(), [](const Use& use) {
    return RoleOf(use) != InitializerRole::kConstant;
  });
}

void AssignRoles(Graph& graph) {
  for (Value* initializer : graph.initializers()) {
    InitializerRole role = InitializerRole::kConstant;
    if (initializer->tensor().scalar_type() == at::kFloat) {
      if (initializer->role() == InitializerRole::kParameter) role = initializer->role();
      for (const Use& use : initializer->uses()) {
        const InitializerRole wanted = RoleOf(use);
        if (wanted != InitializerRole::kConstant) role = wanted;
      }
    }
    graph.SetRole(initializer, role);
  }
}

absl::Status SplitMergedInitializers(Graph& graph) {
  Copier copier(graph);
  QUANTRY_RETURN_IF_ERROR(SplitIdentities(graph, copier));
  return SplitState(graph, copier);
}

}  // namespace quantry::engine
