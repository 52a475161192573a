#ifndef QUANTRY_WORKER_TRAINER_PROCESS_POLICY_H_
#define QUANTRY_WORKER_TRAINER_PROCESS_POLICY_H_

namespace quantry::trainer {

// Sets what libraries read from the environment only once, when they are loaded, by starting this
// program again; what the user has set stays. Call first in main; returns if there is nothing to do
// or the restart fails.
// - OMP_WAIT_POLICY=passive: OpenMP's waiting threads sleep instead of spin. Spinning gains nothing
//   on an idle machine and, as soon as another process wants a core, makes each step tens of times
//   slower.
// - GLIBC_TUNABLES: memory stays with the process and is in huge pages. Each step asks for the same
//   tensors again; by default glibc hands large ones back to the kernel, which clears them page by
//   page the next time (docs/performance.md).
void UseTrainingPolicies(char** argv);

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_PROCESS_POLICY_H_
