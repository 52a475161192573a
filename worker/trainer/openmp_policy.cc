#include "worker/trainer/openmp_policy.h"

#include <unistd.h>

#include <cstdlib>

namespace quantry::trainer {

void UsePassiveOpenMpWaiting(char** argv) {
  constexpr char kPolicy[] = "OMP_WAIT_POLICY";
  if (std::getenv(kPolicy) != nullptr) return;
  if (setenv(kPolicy, "passive", /*overwrite=*/1) != 0) return;
  execv("/proc/self/exe", argv);
}

}  // namespace quantry::trainer
