#include "worker/engine/train/adamw.h"

namespace quantry::engine {

void AdamW::StepOne(size_t index, at::Tensor parameter, at::Tensor gradient, double rate,
                    double weight_decay) {
  Update(index, parameter, gradient, rate, {.kept = 1.0 - rate * weight_decay});
}

}  // namespace quantry::engine
