#include <ATen/ATen.h>

#include "tests/worker/engine/ops/operator_cases.h"

namespace quantry::engine {

std::vector<OperatorCase> QuantizeCases() {
  const at::Tensor x = at::tensor({0.24f, 0.25f, 0.75f, -0.25f, 100.0f, -100.0f});
  const at::Tensor half = at::scalar_tensor(0.5f);
  const at::Tensor zero = at::zeros({}, at::kChar);
  const at::Tensor channels = at::tensor({1.0f, 2.0f, 3.0f, 4.0f}).reshape({1, 2, 2});
  const at::Tensor scales = at::tensor({1.0f, 0.5f});
  const at::Tensor points = at::tensor({1, -1}, at::kChar);
  // |x| <= 2 on a grid of 2/127.
  const at::Tensor weight = at::tensor({2.0f, -1.0f, 0.01f});
  return {
      {"QuantizeLinear",
       "int8, halves to even",
       {},
       {x, half, zero},
       at::tensor({0, 0, 2, 0, 127, -128}, at::kChar)},
      {"QuantizeLinear",
       "uint8 without zero point",
       {},
       {x, half},
       at::tensor({0, 0, 2, 0, 200, 0}, at::kByte)},
      {"QuantizeLinear",
       "uint8 with zero point",
       {},
       {x, half, at::full({}, 10, at::kByte)},
       at::tensor({10, 10, 12, 10, 210, 0}, at::kByte)},
      {"QuantizeLinear",
       "per axis",
       {},
       {channels, scales, points},
       at::tensor({2, 3, 5, 7}, at::kChar).reshape({1, 2, 2})},
      {"QuantizeLinear",
       "per last axis",
       {{"axis", int64_t{-1}}},
       {channels, scales, points},
       at::tensor({2, 3, 4, 7}, at::kChar).reshape({1, 2, 2})},
      {"DequantizeLinear",
       "int8",
       {},
       {at::tensor({-128, 127}, at::kChar), half, zero},
       at::tensor({-64.0f, 63.5f})},
      {"DequantizeLinear",
       "uint8 with zero point",
       {},
       {at::tensor({0, 255}, at::kByte), half, at::full({}, 10, at::kByte)},
       at::tensor({-5.0f, 122.5f})},
      {"DequantizeLinear",
       "int32 per axis",
       {{"axis", int64_t{0}}},
       {at::tensor({100000, -3}, at::kInt), scales},
       at::tensor({100000.0f, -1.5f})},
      {"DequantizeLinear",
       "int8 per axis",
       {{"axis", int64_t{0}}},
       {at::tensor({3, 4, 5, 6}, at::kChar).reshape({2, 2}), scales, points},
       at::tensor({2.0f, 3.0f, 3.0f, 3.5f}).reshape({2, 2})},
      {"QuantizeLinear",
       "uint16",
       {{"output_dtype", int64_t{4}}},
       {x, half},
       at::tensor({0, 0, 2, 0, 200, 0}, at::kInt)},
      {"QuantizeLinear",
       "int16",
       {},
       {x * 1000, half, at::zeros({}, at::kShort)},
       at::tensor({480, 500, 1500, -500, 32767, -32768}, at::kShort)},
      {"QuantizeLinear",
       "int4",
       {{"output_dtype", int64_t{22}}},
       {x, half, at::full({}, 1, at::kChar)},
       at::tensor({1, 1, 3, 1, 7, -8}, at::kChar)},
      {"QuantizeLinear",
       "uint4 in blocks of two",
       {{"axis", int64_t{0}}, {"block_size", int64_t{2}}, {"output_dtype", int64_t{21}}},
       {at::tensor({1.0f, 2.0f, 3.0f, 4.0f, 50.0f}), at::tensor({1.0f, 0.5f, 2.0f})},
       at::tensor({1, 2, 6, 8, 15}, at::kByte)},
      {"DequantizeLinear",
       "int16",
       {},
       {at::tensor({-32768, 32767}, at::kShort), half},
       at::tensor({-16384.0f, 16383.5f})},
      {"DequantizeLinear",
       "in blocks of two along the last axis",
       {{"axis", int64_t{-1}}, {"block_size", int64_t{2}}},
       {at::tensor({1, 2, 3, 4, 5, 6}, at::kChar).reshape({2, 3}),
        at::tensor({1.0f, 2.0f, 3.0f, 4.0f}).reshape({2, 2}),
        at::tensor({0, 1, 0, 1}, at::kChar).reshape({2, 2})},
       at::tensor({1.0f, 2.0f, 4.0f, 12.0f, 15.0f, 20.0f}).reshape({2, 3})},
      {"quantry.FakeQuantize",
       "weight",
       {{"quantizer", std::string("abs_max")}, {"bits", int64_t{8}}, {"is_weight", int64_t{1}}},
       {weight, at::scalar_tensor(2.0f), at::Tensor(), at::Tensor(), at::Tensor(),
        at::scalar_tensor(1.0f)},
       at::tensor({2.0f, -64.0f * 2.0f / 127.0f, 2.0f / 127.0f}),
       RunPhase::kTrain},
  };
}

}  // namespace quantry::engine
