#ifndef QUANTRY_WORKER_ENGINE_ZOO_NETWORKS_H_
#define QUANTRY_WORKER_ENGINE_ZOO_NETWORKS_H_

#include "worker/engine/graph/graph.h"
#include "worker/engine/zoo/zoo.h"

namespace quantry::engine {

// The builders behind BuildZooModel, one file each; options are already checked.

// Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
// Applications", table 1, with batch norm and ReLU after each convolution. Layers: features.0.0
// convolution, .1 norm, .2 activation; features.K.0.* depthwise, features.K.1.* pointwise;
// classifier.
Graph BuildMobileNetV1(const ZooOptions& options);

// Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", table 2.
Graph BuildMobileNetV2(const ZooOptions& options);

// Howard et al., "Searching for MobileNetV3", tables 1 and 2.
Graph BuildMobileNetV3Large(const ZooOptions& options);
Graph BuildMobileNetV3Small(const ZooOptions& options);

// He et al., "Deep Residual Learning for Image Recognition"; 50 has its stride in the 3x3
// convolution ("v1.5").
Graph BuildResNet18(const ZooOptions& options);
Graph BuildResNet34(const ZooOptions& options);
Graph BuildResNet50(const ZooOptions& options);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_ZOO_NETWORKS_H_
