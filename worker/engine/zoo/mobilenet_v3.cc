#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "worker/engine/zoo/network_builder.h"
#include "worker/engine/zoo/networks.h"

namespace quantry::engine {
namespace {

constexpr absl::string_view kRelu = "Relu";
constexpr absl::string_view kHardSwish = "HardSwish";

// A row of table 1 (large) or 2 (small).
struct Row {
  int64_t in;
  int64_t kernel;
  int64_t expanded;
  int64_t out;
  bool squeeze;
  absl::string_view activation;
  int64_t stride;
};
constexpr std::array<Row, 15> kLarge = {{{16, 3, 16, 16, false, kRelu, 1},
                                         {16, 3, 64, 24, false, kRelu, 2},
                                         {24, 3, 72, 24, false, kRelu, 1},
                                         {24, 5, 72, 40, true, kRelu, 2},
                                         {40, 5, 120, 40, true, kRelu, 1},
                                         {40, 5, 120, 40, true, kRelu, 1},
                                         {40, 3, 240, 80, false, kHardSwish, 2},
                                         {80, 3, 200, 80, false, kHardSwish, 1},
                                         {80, 3, 184, 80, false, kHardSwish, 1},
                                         {80, 3, 184, 80, false, kHardSwish, 1},
                                         {80, 3, 480, 112, true, kHardSwish, 1},
                                         {112, 3, 672, 112, true, kHardSwish, 1},
                                         {112, 5, 672, 160, true, kHardSwish, 2},
                                         {160, 5, 960, 160, true, kHardSwish, 1},
                                         {160, 5, 960, 160, true, kHardSwish, 1}}};
constexpr std::array<Row, 11> kSmall = {{{16, 3, 16, 16, true, kRelu, 2},
                                         {16, 3, 72, 24, false, kRelu, 2},
                                         {24, 3, 88, 24, false, kRelu, 1},
                                         {24, 5, 96, 40, true, kHardSwish, 2},
                                         {40, 5, 240, 40, true, kHardSwish, 1},
                                         {40, 5, 240, 40, true, kHardSwish, 1},
                                         {40, 5, 120, 48, true, kHardSwish, 1},
                                         {48, 5, 144, 48, true, kHardSwish, 1},
                                         {48, 5, 288, 96, true, kHardSwish, 2},
                                         {96, 5, 576, 96, true, kHardSwish, 1},
                                         {96, 5, 576, 96, true, kHardSwish, 1}}};

// What tells the two apart: their blocks and the width of the hidden layer of the classifier.
struct Variant {
  absl::string_view name;
  absl::Span<const Row> rows;
  int64_t hidden;
};

Value* ConvBn(NetworkBuilder& net, const std::string& name, Value* x,
              const NetworkBuilder::ConvOptions& conv) {
  x = net.Conv(name + ".0", x, conv);
  return net.BatchNorm(name + ".1", x, conv.out);
}

// Hu et al., "Squeeze-and-Excitation Networks", with a quarter of the channels and a hard sigmoid.
Value* SqueezeExcite(NetworkBuilder& net, const std::string& name, Value* x, int64_t channels) {
  const int64_t squeezed = RoundChannels(static_cast<double>(channels / 4));
  Value* scale = net.Pool(name + ".avgpool", x);
  scale = net.Conv(name + ".fc1", scale, {.in = channels, .out = squeezed, .bias = true});
  scale = net.Unary(kRelu, name + ".activation", scale);
  scale = net.Conv(name + ".fc2", scale, {.in = squeezed, .out = channels, .bias = true});
  scale = net.Unary("HardSigmoid", name + ".scale_activation", scale);
  return net.Mul(name + ".mul", scale, x);
}

Value* Block(NetworkBuilder& net, const std::string& name, Value* x, const Row& row, double width) {
  const auto scaled = [width](int64_t c) { return RoundChannels(static_cast<double>(c) * width); };
  const int64_t in = scaled(row.in);
  const int64_t expanded = scaled(row.expanded);
  const int64_t out = scaled(row.out);
  Value* input = x;
  int part = 0;
  const auto next_name = [&] { return absl::StrCat(name, ".block.", part++); };
  if (expanded != in) {
    const std::string expand = next_name();
    x = ConvBn(net, expand, x, {.in = in, .out = expanded});
    x = net.Unary(row.activation, expand + ".2", x);
  }
  const std::string depthwise = next_name();
  x = ConvBn(net, depthwise, x,
             {.in = expanded,
              .out = expanded,
              .kernel = row.kernel,
              .stride = row.stride,
              .groups = expanded});
  x = net.Unary(row.activation, depthwise + ".2", x);
  if (row.squeeze) x = SqueezeExcite(net, next_name(), x, expanded);
  x = ConvBn(net, next_name(), x, {.in = expanded, .out = out});
  return row.stride == 1 && in == out ? net.Add(name + ".add", x, input) : x;
}

Graph BuildMobileNetV3(const ZooOptions& options, const Variant& variant) {
  NetworkBuilder net(variant.name, options, {.epsilon = 1e-3f, .momentum = 0.99f});
  const int64_t first = RoundChannels(16 * options.width);
  const int64_t last_in =
      RoundChannels(static_cast<double>(variant.rows.back().out) * options.width);
  const int64_t hidden = RoundChannels(static_cast<double>(variant.hidden) * options.width);
  int feature = 0;
  const auto next_name = [&feature] { return absl::StrCat("features.", feature++); };
  std::string name = next_name();
  Value* x = ConvBn(net, name, net.Input(), {.in = 3, .out = first, .kernel = 3, .stride = 2});
  x = net.Unary(kHardSwish, name + ".2", x);
  for (const Row& row : variant.rows) x = Block(net, next_name(), x, row, options.width);
  name = next_name();
  x = ConvBn(net, name, x, {.in = last_in, .out = 6 * last_in});
  x = net.Unary(kHardSwish, name + ".2", x);
  x = net.Flatten("flatten", net.Pool("avgpool", x));
  x = net.Linear("classifier.0", x, 6 * last_in, hidden, NetworkBuilder::LinearInit::kNormal);
  x = net.Unary(kHardSwish, "classifier.1", x);
  x = net.Dropout("classifier.2", x, 0.2f);
  x = net.Linear("classifier.3", x, hidden, options.num_classes,
                 NetworkBuilder::LinearInit::kNormal);
  return net.Finish(x);
}

}  // namespace

Graph BuildMobileNetV3Large(const ZooOptions& options) {
  return BuildMobileNetV3(options, {"mobilenet_v3_large", kLarge, 1280});
}

Graph BuildMobileNetV3Small(const ZooOptions& options) {
  return BuildMobileNetV3(options, {"mobilenet_v3_small", kSmall, 1024});
}

}  // namespace quantry::engine
