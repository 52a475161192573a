#ifndef QUANTRY_WORKER_ENGINE_ZOO_NETWORKS_H_
#define QUANTRY_WORKER_ENGINE_ZOO_NETWORKS_H_

#include "worker/engine/graph/graph.h"
#include "worker/engine/zoo/zoo.h"

namespace quantry::engine {

// The builders behind BuildZooModel, one file each; options are already checked.

// Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", table 2.
Graph BuildMobileNetV2(const ZooOptions& options);

// Howard et al., "Searching for MobileNetV3", table 1.
Graph BuildMobileNetV3Large(const ZooOptions& options);

// He et al., "Deep Residual Learning for Image Recognition"; 50 has its stride in the 3x3
// convolution ("v1.5").
Graph BuildResNet18(const ZooOptions& options);
Graph BuildResNet50(const ZooOptions& options);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_ZOO_NETWORKS_H_
