#ifndef QUANTRY_WORKER_ENGINE_IMPORT_SUB_GRAPH_NAMES_H_
#define QUANTRY_WORKER_ENGINE_IMPORT_SUB_GRAPH_NAMES_H_

#include <string>

#include "absl/container/flat_hash_map.h"
#include "onnx/onnx_pb.h"

namespace quantry::engine {

// New names of a sub-graph's values, by the ones that it gives them.
using Names = absl::flat_hash_map<std::string, std::string>;

// The name itself where it has no new one.
std::string Renamed(const Names& names, const std::string& name);

// Adds new names of all that `body` makes in itself: with `prefix` those of its nodes' outputs,
// with `fixed` those of its initializers.
void NameInside(const onnx::GraphProto& body, const std::string& prefix, const std::string& fixed,
                Names& names);

// Gives new names to what `node` reads and makes, and to what its sub-graphs take from around them:
// those hide names that they give to values of their own.
void RenameValues(const Names& names, onnx::NodeProto& node);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_IMPORT_SUB_GRAPH_NAMES_H_
