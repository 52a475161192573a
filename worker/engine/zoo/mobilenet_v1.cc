#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "worker/engine/zoo/network_builder.h"
#include "worker/engine/zoo/networks.h"

namespace quantry::engine {
namespace {

// A depthwise separable convolution of table 1; the depthwise part has the stride.
struct Row {
  int64_t out;
  int64_t stride;
};
constexpr std::array<Row, 13> kRows = {{{64, 1},
                                        {128, 2},
                                        {128, 1},
                                        {256, 2},
                                        {256, 1},
                                        {512, 2},
                                        {512, 1},
                                        {512, 1},
                                        {512, 1},
                                        {512, 1},
                                        {512, 1},
                                        {1024, 2},
                                        {1024, 1}}};

Value* ConvBnRelu(NetworkBuilder& net, const std::string& name, Value* x,
                  const NetworkBuilder::ConvOptions& conv) {
  x = net.Conv(name + ".0", x, conv);
  x = net.BatchNorm(name + ".1", x, conv.out);
  return net.Unary("Relu", name + ".2", x);
}

}  // namespace

Graph BuildMobileNetV1(const ZooOptions& options) {
  NetworkBuilder net("mobilenet_v1", options, {});
  int64_t channels = RoundChannels(32 * options.width);
  int feature = 0;
  Value* x = ConvBnRelu(net, absl::StrCat("features.", feature++), net.Input(),
                        {.in = 3, .out = channels, .kernel = 3, .stride = 2});
  for (const Row& row : kRows) {
    const std::string name = absl::StrCat("features.", feature++);
    const int64_t out = RoundChannels(static_cast<double>(row.out) * options.width);
    x = ConvBnRelu(
        net, name + ".0", x,
        {.in = channels, .out = channels, .kernel = 3, .stride = row.stride, .groups = channels});
    x = ConvBnRelu(net, name + ".1", x, {.in = channels, .out = out});
    channels = out;
  }
  x = net.Flatten("flatten", net.Pool("avgpool", x));
  x = net.Linear("classifier", x, channels, options.num_classes,
                 NetworkBuilder::LinearInit::kNormal);
  return net.Finish(x);
}

}  // namespace quantry::engine
