#include <ATen/ATen.h>

#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/onnx_dtype.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {

extern const OperatorDef kCastOperator = {
    .op = "Cast",
    .attributes = {{"to", AttributeKind::kInt, /*required=*/true}},
    .validate = [](const Node& node) { return CheckDtype(node, "to"); },
    .evaluate = UnaryOf<[](const Node& node, const at::Tensor& x) {
      return x.to(DtypeOf(node.Int("to", 1)).value_or(at::kFloat));
    }>};

extern const OperatorDef kCastLikeOperator = {
    .op = "CastLike",
    .min_inputs = 2,
    .max_inputs = 2,
    .evaluate = Binary<[](const at::Tensor& x, const at::Tensor& like) {
      return x.to(like.scalar_type());
    }>};

}  // namespace quantry::engine
