#ifndef QUANTRY_WORKER_ENGINE_GRAPH_TYPES_H_
#define QUANTRY_WORKER_ENGINE_GRAPH_TYPES_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace quantry::engine {

// A typed attribute of a node, with ONNX's attribute kinds.
using Attribute = std::variant<int64_t, float, std::string, std::vector<int64_t>,
                               std::vector<float>, std::vector<std::string>, at::Tensor>;
using AttributeMap = std::map<std::string, Attribute>;

// Size of one dimension; absent: known only at run time (dynamic), e.g. the batch.
using Dimension = std::optional<int64_t>;

// What is known of a value before the graph runs.
struct ValueType {
  std::optional<at::ScalarType> dtype;
  std::optional<std::vector<Dimension>> shape;  // absent: the rank is unknown
};

// "float32", "int64", ...: the names that people and ONNX use.
std::string DtypeName(at::ScalarType dtype);

// "float32[?,3,224,224]"; "?" where nothing is known.
std::string ToString(const ValueType& type);

// The type of a tensor that is at hand.
ValueType TypeOf(const at::Tensor& tensor);

// What an initializer is for.
enum class InitializerRole {
  kParameter = 1,  // trained: changed by the optimizer
  kBuffer = 2,     // state: changed by evaluation (running statistics, quantizer state)
  kConstant = 3,   // never changes
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_GRAPH_TYPES_H_
