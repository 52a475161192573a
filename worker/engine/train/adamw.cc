#include "worker/engine/train/adamw.h"

#include <ATen/ATen.h>

namespace quantry::engine {

void AdamW::StepOne(size_t index, at::Tensor parameter, at::Tensor gradient, double rate,
                    double weight_decay) {
  if (weight_decay != 0.0) parameter.mul_(1.0 - rate * weight_decay);
  Update(index, parameter, gradient, rate);
}

}  // namespace quantry::engine
