#include "worker/engine/data/augment/augment_op.h"

#include "worker/engine/data/augment/colour_ops.h"
#include "worker/engine/data/augment/geometry_ops.h"

namespace quantry::engine {
namespace {

void Identity(double, CounterRng*, cv::Mat*) {}

// The operations of "RandAugment: Practical automated data augmentation with a reduced search
// space" (Cubuk, Zoph, Shlens, Le, 2019).
constexpr AugmentOp kOps[] = {
    {"identity", Identity},
    {"auto_contrast", AutoContrast},
    {"equalize", Equalize},
    {"invert", Invert},
    {"posterize", Posterize},
    {"solarize", Solarize},
    {"brightness", Brightness},
    {"contrast", Contrast},
    {"color", Color},
    {"sharpness", Sharpness},
    {"rotate", Rotate},
    {"shear_x", ShearX},
    {"shear_y", ShearY},
    {"translate_x", TranslateX},
    {"translate_y", TranslateY},
};

}  // namespace

absl::Span<const AugmentOp> AugmentOpTable() { return kOps; }

const AugmentOp* FindAugmentOp(absl::string_view name) {
  for (const AugmentOp& op : kOps) {
    if (op.name == name) return &op;
  }
  return nullptr;
}

}  // namespace quantry::engine
