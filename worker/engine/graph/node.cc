#include "worker/engine/graph/node.h"

#include <utility>

namespace quantry::engine {
namespace {

template <typename T>
T Get(const AttributeMap& attributes, absl::string_view name, T fallback) {
  const auto found = attributes.find(std::string(name));
  return found == attributes.end() ? std::move(fallback) : std::get<T>(found->second);
}

}  // namespace

bool Node::HasAttribute(absl::string_view name) const {
  return attributes.contains(std::string(name));
}

int64_t Node::Int(absl::string_view name, int64_t fallback) const {
  return Get<int64_t>(attributes, name, fallback);
}

float Node::Float(absl::string_view name, float fallback) const {
  return Get<float>(attributes, name, fallback);
}

std::string Node::String(absl::string_view name, absl::string_view fallback) const {
  return Get<std::string>(attributes, name, std::string(fallback));
}

std::vector<int64_t> Node::Ints(absl::string_view name, std::vector<int64_t> fallback) const {
  return Get<std::vector<int64_t>>(attributes, name, std::move(fallback));
}

}  // namespace quantry::engine
