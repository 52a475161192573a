#ifndef QUANTRY_WORKER_ENGINE_DATA_COUNTER_RNG_H_
#define QUANTRY_WORKER_ENGINE_DATA_COUNTER_RNG_H_

#include <cstdint>
#include <initializer_list>

namespace quantry::engine {

// Random numbers as a pure function of a key: SplitMix64 (Steele, Lea, Flood, "Fast splittable
// pseudorandom number generators", OOPSLA 2014), its state the hash of the key's parts. The same
// key gives the same numbers on every machine; other keys give unrelated ones. Not for secrets. Not
// thread-safe: one object per use is cheap.
class CounterRng {
 public:
  explicit CounterRng(std::initializer_list<uint64_t> key) {
    for (const uint64_t part : key) state_ = Mix((state_ ^ Mix(part + kGamma)) + kGamma);
  }

  // 64 uniform bits.
  uint64_t Next() {
    state_ += kGamma;
    return Mix(state_);
  }

  // Uniform in [0, 1), a multiple of 2^-53.
  double Unit() { return static_cast<double>(Next() >> 11) * (1.0 / 9007199254740992.0); }

  // Uniform between `low` and `high`.
  double Uniform(double low, double high) { return low + (high - low) * Unit(); }

  // Uniform in {0, ..., n - 1}; 1 <= n < 2^31. The bias is below n / 2^32.
  int64_t Below(int64_t n) {
    return static_cast<int64_t>(((Next() >> 32) * static_cast<uint64_t>(n)) >> 32);
  }

  // True with the given probability; never for 0 or less, always for 1 or more.
  bool Chance(double probability) { return Unit() < probability; }

 private:
  static constexpr uint64_t kGamma = 0x9e3779b97f4a7c15;

  static uint64_t Mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  uint64_t state_ = 0;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_COUNTER_RNG_H_
