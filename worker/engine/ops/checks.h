#ifndef QUANTRY_WORKER_ENGINE_OPS_CHECKS_H_
#define QUANTRY_WORKER_ENGINE_OPS_CHECKS_H_

#include <cstdint>
#include <initializer_list>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "worker/engine/graph/node.h"

namespace quantry::engine {

// Checks of attribute values, for OperatorDef::validate. Each is OK if the attribute is absent;
// else INVALID_ARGUMENT names attribute, value and what is allowed. The attribute's type is right
// already.

// least <= value <= most.
absl::Status CheckInt(const Node& node, absl::string_view name, int64_t least, int64_t most);

absl::Status CheckFinite(const Node& node, absl::string_view name);

absl::Status CheckOneOf(const Node& node, absl::string_view name,
                        std::initializer_list<absl::string_view> allowed);

// An axis from -16 to 16: no network has tensors of more dimensions.
absl::Status CheckAxis(const Node& node, absl::string_view name);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_OPS_CHECKS_H_
