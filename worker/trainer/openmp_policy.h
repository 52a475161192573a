#ifndef QUANTRY_WORKER_TRAINER_OPENMP_POLICY_H_
#define QUANTRY_WORKER_TRAINER_OPENMP_POLICY_H_

namespace quantry::trainer {

// Makes OpenMP's waiting threads sleep instead of spin, by starting this program again with
// OMP_WAIT_POLICY=passive unless the user chose a policy (libgomp reads it only once, when it is
// loaded). Spinning gains nothing on an idle machine and, as soon as another process wants a core,
// makes each step tens of times slower. Call first in main; returns if there is nothing to do or
// the restart fails.
void UsePassiveOpenMpWaiting(char** argv);

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_OPENMP_POLICY_H_
