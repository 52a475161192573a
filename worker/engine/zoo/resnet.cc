#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "worker/engine/zoo/network_builder.h"
#include "worker/engine/zoo/networks.h"

namespace quantry::engine {
namespace {

// One residual block: in channels, the width of its inner convolutions, out channels.
struct Block {
  int64_t in = 0;
  int64_t width = 0;
  int64_t out = 0;
  int64_t stride = 1;
};

Value* ConvBn(NetworkBuilder& net, const std::string& name, int part, Value* x,
              const NetworkBuilder::ConvOptions& conv) {
  x = net.Conv(absl::StrCat(name, ".conv", part), x, conv);
  return net.BatchNorm(absl::StrCat(name, ".bn", part), x, conv.out);
}

Value* Residual(NetworkBuilder& net, const std::string& name, Value* x, Value* input,
                const Block& block) {
  if (block.stride != 1 || block.in != block.out) {
    input = net.Conv(name + ".downsample.0", input,
                     {.in = block.in, .out = block.out, .stride = block.stride});
    input = net.BatchNorm(name + ".downsample.1", input, block.out);
  }
  return net.Unary("Relu", name + ".relu", net.Add(name + ".add", x, input));
}

Value* BasicBlock(NetworkBuilder& net, const std::string& name, Value* input, const Block& block) {
  Value* x = ConvBn(net, name, 1, input,
                    {.in = block.in, .out = block.width, .kernel = 3, .stride = block.stride});
  x = net.Unary("Relu", name + ".relu1", x);
  x = ConvBn(net, name, 2, x, {.in = block.width, .out = block.out, .kernel = 3});
  return Residual(net, name, x, input, block);
}

Value* Bottleneck(NetworkBuilder& net, const std::string& name, Value* input, const Block& block) {
  Value* x = ConvBn(net, name, 1, input, {.in = block.in, .out = block.width});
  x = net.Unary("Relu", name + ".relu1", x);
  x = ConvBn(net, name, 2, x,
             {.in = block.width, .out = block.width, .kernel = 3, .stride = block.stride});
  x = net.Unary("Relu", name + ".relu2", x);
  x = ConvBn(net, name, 3, x, {.in = block.width, .out = block.out});
  return Residual(net, name, x, input, block);
}

struct Depth {
  std::string name;
  std::array<int, 4> blocks;  // of each stage
  int64_t expansion;          // out channels over width
  Value* (*block)(NetworkBuilder&, const std::string&, Value*, const Block&);
};

Graph BuildResNet(const ZooOptions& options, const Depth& depth) {
  NetworkBuilder net(depth.name, options, {});
  int64_t channels = RoundChannels(64 * options.width);
  Value* x = net.Conv("conv1", net.Input(), {.in = 3, .out = channels, .kernel = 7, .stride = 2});
  x = net.Unary("Relu", "relu", net.BatchNorm("bn1", x, channels));
  x = net.MaxPool3x3("maxpool", x);
  for (size_t stage = 0; stage < depth.blocks.size(); ++stage) {
    const int64_t width = RoundChannels(static_cast<double>(int64_t{64} << stage) * options.width);
    for (int i = 0; i < depth.blocks[stage]; ++i) {
      const Block block{.in = channels,
                        .width = width,
                        .out = width * depth.expansion,
                        .stride = stage > 0 && i == 0 ? 2 : 1};
      x = depth.block(net, absl::StrCat("layer", stage + 1, ".", i), x, block);
      channels = block.out;
    }
  }
  x = net.Flatten("flatten", net.Pool("avgpool", x));
  x = net.Linear("fc", x, channels, options.num_classes, NetworkBuilder::LinearInit::kUniform);
  return net.Finish(x);
}

}  // namespace

Graph BuildResNet18(const ZooOptions& options) {
  return BuildResNet(options, {"resnet18", {2, 2, 2, 2}, 1, BasicBlock});
}

Graph BuildResNet34(const ZooOptions& options) {
  return BuildResNet(options, {"resnet34", {3, 4, 6, 3}, 1, BasicBlock});
}

Graph BuildResNet50(const ZooOptions& options) {
  return BuildResNet(options, {"resnet50", {3, 4, 6, 3}, 4, Bottleneck});
}

}  // namespace quantry::engine
