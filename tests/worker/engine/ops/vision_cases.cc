// Operators without cases of ONNX's own, or with too few.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "tests/worker/engine/ops/operator_cases.h"

namespace quantry::engine {
namespace {

at::Tensor Longs(const Ints& values) { return at::tensor(values, at::kLong); }

at::Tensor Picture(const std::vector<float>& elements, int64_t height, int64_t width) {
  return at::tensor(elements).reshape({1, 1, height, width});
}

void AddRegions(std::vector<OperatorCase>& cases) {
  const at::Tensor x = at::arange(16, at::kFloat).reshape({1, 1, 4, 4});
  // Bins of 2 x 2 whole elements, one bin outside of the picture.
  cases.push_back({"MaxRoiPool",
                   "whole elements",
                   {{"pooled_shape", Ints{2, 2}}},
                   {x, at::tensor({0.f, 0.f, 0.f, 3.f, 3.f}).reshape({1, 5})},
                   Picture({5, 7, 13, 15}, 2, 2)});
  cases.push_back({"MaxRoiPool",
                   "scaled, half outside",
                   {{"pooled_shape", Ints{1, 2}}, {"spatial_scale", 0.5f}},
                   {x, at::tensor({0.f, 4.f, 0.f, 10.f, 6.f}).reshape({1, 5})},
                   Picture({15, 0}, 1, 2)});
  // A plane: the mean of the samples is the value in the middle of the bin, as is their largest in
  // the sample that is farthest along.
  cases.push_back({"RoiAlign",
                   "mean on a plane",
                   {{"coordinate_transformation_mode", std::string("output_half_pixel")},
                    {"sampling_ratio", int64_t{2}}},
                   {x, at::tensor({0.f, 0.f, 2.f, 2.f}).reshape({1, 4}), Longs({0})},
                   Picture({5}, 1, 1)});
  cases.push_back({"RoiAlign",
                   "largest on a plane",
                   {{"coordinate_transformation_mode", std::string("output_half_pixel")},
                    {"mode", std::string("max")},
                    {"sampling_ratio", int64_t{2}}},
                   {x, at::tensor({0.f, 0.f, 2.f, 2.f}).reshape({1, 4}), Longs({0})},
                   Picture({7.5}, 1, 1)});
  cases.push_back({"RoiAlign",
                   "no regions",
                   {{"output_width", int64_t{3}}},
                   {x, at::zeros({0, 4}), at::zeros({0}, at::kLong)},
                   at::zeros({0, 1, 1, 3})});
}

void AddPools(std::vector<OperatorCase>& cases) {
  const at::Tensor x = Picture({3, -4, 1, 0, 2, 2, 5, 12, -1}, 3, 3);
  cases.push_back({"LpPool",
                   "2-norm",
                   {{"kernel_shape", Ints{1, 2}}},
                   {x},
                   Picture({5, std::sqrt(17.f), 2, std::sqrt(8.f), 13, std::sqrt(145.f)}, 3, 2)});
  cases.push_back({"LpPool",
                   "1-norm, dilated, padded",
                   {{"dilations", Ints{1, 2}},
                    {"kernel_shape", Ints{1, 2}},
                    {"p", int64_t{1}},
                    {"pads", Ints{0, 1, 0, 0}}},
                   {x},
                   Picture({4, 4, 2, 2, 12, 6}, 3, 2)});
  cases.push_back({"LpPool",
                   "1-norm, rounded up",
                   {{"ceil_mode", int64_t{1}},
                    {"kernel_shape", Ints{2, 2}},
                    {"p", int64_t{1}},
                    {"strides", Ints{2, 2}}},
                   {x},
                   Picture({9, 3, 17, 1}, 2, 2)});
  cases.push_back({"GlobalLpPool", "1-norm", {{"p", int64_t{1}}}, {x}, Picture({30}, 1, 1)});
  cases.push_back({"AveragePool",
                   "dilated",
                   {{"dilations", Ints{2, 1}}, {"kernel_shape", Ints{2, 1}}},
                   {x},
                   Picture({4, 4, 0}, 1, 3)});
  cases.push_back(
      {"AveragePool",
       "dilated, padding not counted",
       {{"dilations", Ints{1, 2}}, {"kernel_shape", Ints{1, 2}}, {"pads", Ints{0, 1, 0, 1}}},
       {x},
       Picture({-4, 2, -4, 2, 1, 2, 12, 2, 12}, 3, 3)});
}

void AddPlaces(std::vector<OperatorCase>& cases) {
  const at::Tensor x = Picture({1, 2, 3, 4, 5, 6}, 2, 3);
  const AttributeMap spatial = {{"axes", Ints{2, 3}}};
  cases.push_back(
      {"CenterCropPad", "cut", {{"axes", Ints{-1}}}, {x, Longs({1})}, Picture({2, 5}, 2, 1)});
  cases.push_back({"CenterCropPad",
                   "cut and filled",
                   spatial,
                   {x, Longs({1, 6})},
                   Picture({0, 1, 2, 3, 0, 0}, 1, 6)});
  cases.push_back({"Pad",
                   "wrap",
                   {{"mode", std::string("wrap")}},
                   {x, Longs({0, 0, 0, 2, 0, 0, 1, 1})},
                   Picture({2, 3, 1, 2, 3, 1, 5, 6, 4, 5, 6, 4, 2, 3, 1, 2, 3, 1}, 3, 6)});
  cases.push_back({"Pad",
                   "wrap more than once",
                   {{"mode", std::string("wrap")}},
                   {at::tensor({1.f, 2.f}), Longs({3, 3})},
                   at::tensor({2.f, 1.f, 2.f, 1.f, 2.f, 1.f, 2.f, 1.f})});
  // The identity's places are the middles of the elements.
  cases.push_back(
      {"AffineGrid",
       "identity",
       {},
       {at::tensor({1.f, 0.f, 0.f, 0.f, 1.f, 0.f}).reshape({1, 2, 3}), Longs({1, 1, 1, 2})},
       at::tensor({-0.5f, 0.f, 0.5f, 0.f}).reshape({1, 1, 2, 2})});
  const at::Tensor columns = Numbers({2, 12, 6});
  cases.push_back({"Col2Im",
                   "as ATen's",
                   {{"pads", Ints{1, 0, 1, 0}}, {"strides", Ints{2, 1}}},
                   {columns, Longs({3, 5}), Longs({2, 3})},
                   at::col2im(columns, {3, 5}, {2, 3}, {1, 1}, {1, 0}, {2, 1})});
  const at::Tensor dilated = Numbers({1, 8, 6});
  cases.push_back({"Col2Im",
                   "dilated",
                   {{"dilations", Ints{2, 2}}},
                   {dilated, Longs({4, 5}), Longs({2, 2})},
                   at::col2im(dilated, {4, 5}, {2, 2}, {2, 2}, {0, 0}, {1, 1})});
  cases.push_back(
      {"ConvTranspose",
       "output_shape above the full size, with bias",
       {{"output_shape", Ints{4}}},
       {at::tensor({1.f, 2.f}).reshape({1, 1, 2}), at::ones({1, 1, 2}), at::tensor({10.f})},
       at::tensor({11.f, 13.f, 12.f, 10.f}).reshape({1, 1, 4})});
}

void AddResizes(std::vector<OperatorCase>& cases) {
  const at::Tensor x = Numbers({1, 2, 9, 7});
  const AttributeMap antialias = {{"antialias", int64_t{1}}, {"exclude_outside", int64_t{1}}};
  for (const char* mode : {"linear", "cubic"}) {
    AttributeMap attributes = antialias;
    attributes["mode"] = std::string(mode);
    // PyTorch's antialiasing kernel has a = -0.5.
    attributes["cubic_coeff_a"] = -0.5f;
    const bool linear = std::string(mode) == "linear";
    const Ints out = {4, 3};
    cases.push_back({"Resize",
                     std::string("antialias as ATen's, ") + mode,
                     attributes,
                     {x, {}, {}, Longs({1, 2, 4, 3})},
                     linear ? at::_upsample_bilinear2d_aa(x, out, false)
                            : at::_upsample_bicubic2d_aa(x, out, false)});
  }
  const at::Tensor tall = Numbers({1, 1, 2, 4});
  const auto kept = [&](const char* policy, const Ints& sizes) {
    return OperatorCase{"Resize",
                        policy,
                        {{"axes", Ints{2, 3}}, {"keep_aspect_ratio_policy", std::string(policy)}},
                        {tall, {}, {}, Longs({6, 8})},
                        at::upsample_nearest2d(tall, sizes)};
  };
  cases.push_back(kept("not_larger", {4, 8}));
  cases.push_back(kept("not_smaller", {6, 12}));
  // Many input elements to one: the kernel is a matrix.
  cases.push_back({"Resize",
                   "antialias of a constant",
                   {{"antialias", int64_t{1}}, {"mode", std::string("cubic")}},
                   {at::ones({1, 1, 64}), {}, {}, Longs({1, 1, 3})},
                   at::ones({1, 1, 3})});
}

}  // namespace

std::vector<OperatorCase> VisionCases() {
  std::vector<OperatorCase> cases;
  AddRegions(cases);
  AddPools(cases);
  AddPlaces(cases);
  AddResizes(cases);
  return cases;
}

}  // namespace quantry::engine
