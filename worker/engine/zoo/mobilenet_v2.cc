#include <algorithm>
#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "worker/engine/zoo/network_builder.h"
#include "worker/engine/zoo/networks.h"

namespace quantry::engine {
namespace {

// A row of table 2: `repeats` blocks, the first with `stride`.
struct Row {
  int64_t expansion;
  int64_t channels;
  int64_t repeats;
  int64_t stride;
};
constexpr std::array<Row, 7> kRows = {{{1, 16, 1, 1},
                                       {6, 24, 2, 2},
                                       {6, 32, 3, 2},
                                       {6, 64, 4, 2},
                                       {6, 96, 3, 1},
                                       {6, 160, 3, 2},
                                       {6, 320, 1, 1}}};

Value* ConvBnRelu6(NetworkBuilder& net, const std::string& name, Value* x,
                   const NetworkBuilder::ConvOptions& conv) {
  x = net.Conv(name + ".0", x, conv);
  x = net.BatchNorm(name + ".1", x, conv.out);
  return net.Relu6(name + ".2", x);
}

Value* InvertedResidual(NetworkBuilder& net, const std::string& name, Value* x, int64_t in,
                        const Row& row, int64_t out, int64_t stride) {
  const int64_t hidden = in * row.expansion;
  Value* input = x;
  int part = 0;
  if (row.expansion != 1) {
    x = ConvBnRelu6(net, absl::StrCat(name, ".conv.", part++), x, {.in = in, .out = hidden});
  }
  x = ConvBnRelu6(net, absl::StrCat(name, ".conv.", part++), x,
                  {.in = hidden, .out = hidden, .kernel = 3, .stride = stride, .groups = hidden});
  x = net.Conv(absl::StrCat(name, ".conv.", part++), x, {.in = hidden, .out = out});
  x = net.BatchNorm(absl::StrCat(name, ".conv.", part), x, out);
  return stride == 1 && in == out ? net.Add(name + ".add", input, x) : x;
}

}  // namespace

Graph BuildMobileNetV2(const ZooOptions& options) {
  NetworkBuilder net("mobilenet_v2", options, {});
  int64_t channels = RoundChannels(32 * options.width);
  const int64_t last = RoundChannels(1280 * std::max(1.0, options.width));
  int feature = 0;
  const auto next_name = [&feature] { return absl::StrCat("features.", feature++); };
  Value* x = ConvBnRelu6(net, next_name(), net.Input(),
                         {.in = 3, .out = channels, .kernel = 3, .stride = 2});
  for (const Row& row : kRows) {
    const int64_t out = RoundChannels(static_cast<double>(row.channels) * options.width);
    for (int64_t i = 0; i < row.repeats; ++i) {
      x = InvertedResidual(net, next_name(), x, channels, row, out, i == 0 ? row.stride : 1);
      channels = out;
    }
  }
  x = ConvBnRelu6(net, next_name(), x, {.in = channels, .out = last});
  x = net.Flatten("flatten", net.Pool("avgpool", x));
  x = net.Dropout("classifier.0", x, 0.2f);
  x = net.Linear("classifier.1", x, last, options.num_classes, NetworkBuilder::LinearInit::kNormal);
  return net.Finish(x);
}

}  // namespace quantry::engine
