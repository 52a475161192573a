#include "worker/trainer/process_policy.h"

#include <unistd.h>

#include <cstdlib>

namespace quantry::trainer {
namespace {

struct Policy {
  const char* variable;
  const char* value;
};

constexpr Policy kPolicies[] = {
    {"OMP_WAIT_POLICY", "passive"},
    {"GLIBC_TUNABLES",
     "glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:"
     "glibc.malloc.trim_threshold=8589934592:glibc.malloc.top_pad=67108864"},
};

}  // namespace

void UseTrainingPolicies(char** argv) {
  bool changed = false;
  for (const auto& [variable, value] : kPolicies) {
    if (std::getenv(variable) != nullptr) continue;
    if (setenv(variable, value, /*overwrite=*/1) != 0) return;
    changed = true;
  }
  if (changed) execv("/proc/self/exe", argv);
}

}  // namespace quantry::trainer
