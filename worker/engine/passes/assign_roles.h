#ifndef QUANTRY_WORKER_ENGINE_PASSES_ASSIGN_ROLES_H_
#define QUANTRY_WORKER_ENGINE_PASSES_ASSIGN_ROLES_H_

#include "absl/status/status.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// Gives every float32 initializer its role by what its users do with it (KindOfInput): weights,
// biases and parameters are kParameter, state is kBuffer. A vector that an Add joins to the result
// of a Conv, Gemm or MatMul is a bias. What no user makes one of these is kParameter if it is that
// already (where a file says what is trained), and else kConstant. Initializers of other types are
// kConstant.
void AssignRoles(Graph& graph);

// Whether a user makes a parameter or state of it.
bool HasRoleByUse(const Value& initializer);

// Exporters make initializers of equal content one, which is right for inference and wrong for
// training, where they are separate. Gives each its own again:
//  - a vector read through an Identity is copied (fresh biases and statistics are equal vectors);
//    larger tensors behind an Identity are truly shared and stay so;
//  - state of several nodes, or a tensor that is state of one node and trained by another, is
//    copied for each node.
// INVALID_ARGUMENT where the copies would take more than 1 GiB.
absl::Status SplitMergedInitializers(Graph& graph);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_PASSES_ASSIGN_ROLES_H_
