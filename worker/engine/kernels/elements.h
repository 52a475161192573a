#ifndef QUANTRY_WORKER_ENGINE_KERNELS_ELEMENTS_H_
#define QUANTRY_WORKER_ENGINE_KERNELS_ELEMENTS_H_

#include <cstdint>

namespace quantry::engine {

// Elements of an array in memory. bf16: the upper 16 bits of a float32, rounded to the nearest,
// halves to the even one. Integers up to 256 are exact in it.
enum class ElementType { kFloat32, kBf16 };
struct Elements {
  void* data = nullptr;
  ElementType type = ElementType::kFloat32;
};
struct ConstElements {
  const void* data = nullptr;
  ElementType type = ElementType::kFloat32;
};

// The array from element `first` on; null stays null.
Elements From(Elements elements, int64_t first);
ConstElements From(ConstElements elements, int64_t first);

// Lanes of the widest vectors that kernels are compiled for.
inline constexpr int64_t kMostLanes = 16;

// All of these are single-threaded and thread-safe; arrays don't overlap.

// `count` elements times `factor` as float32.
void ElementsToFloat(ConstElements from, float factor, float* to, int64_t count);
// float32 as elements of either type.
void FloatToElements(const float* from, Elements to, int64_t count);
// How many steps each element is, to the nearest whole number, halves to the even one.
void CountSteps(const float* from, float step, Elements to, int64_t count);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_KERNELS_ELEMENTS_H_
