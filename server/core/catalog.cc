#include "server/core/catalog.h"

namespace quantry::server {
namespace {

using Name = absl::string_view;

constexpr Name kModes[] = {"float", "ptq", "qat", "evaluate"};
constexpr Name kBuiltinModels[] = {"mobilenet_v1",       "mobilenet_v2", "mobilenet_v3_large",
                                   "mobilenet_v3_small", "resnet18",     "resnet34",
                                   "resnet50"};
constexpr Name kOperators[] = {"Add",
                               "AveragePool",
                               "BatchNormalization",
                               "Cast",
                               "Clip",
                               "Concat",
                               "Constant",
                               "Conv",
                               "ConvTranspose",
                               "DequantizeLinear",
                               "Div",
                               "Dropout",
                               "Flatten",
                               "Gather",
                               "Gemm",
                               "GlobalAveragePool",
                               "HardSigmoid",
                               "HardSwish",
                               "Identity",
                               "MatMul",
                               "MaxPool",
                               "Mul",
                               "Pad",
                               "QuantizeLinear",
                               "ReduceMean",
                               "Relu",
                               "Reshape",
                               "Shape",
                               "Sigmoid",
                               "Slice",
                               "Softmax",
                               "Squeeze",
                               "Sub",
                               "Transpose",
                               "Unsqueeze"};

}  // namespace

absl::Span<const Name> JobModes() { return kModes; }
absl::Span<const Name> BuiltinModels() { return kBuiltinModels; }
absl::Span<const Name> OnnxOperators() { return kOperators; }

}  // namespace quantry::server
