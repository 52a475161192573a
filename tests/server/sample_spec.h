#ifndef QUANTRY_TESTS_SERVER_SAMPLE_SPEC_H_
#define QUANTRY_TESTS_SERVER_SAMPLE_SPEC_H_

#include "quantry/v1/spec.pb.h"

namespace quantry::server {

// The smallest valid spec.
inline v1::JobSpec SampleSpec() {
  v1::JobSpec spec;
  spec.set_mode(v1::MODE_QAT);
  spec.mutable_model()->mutable_builtin()->set_name("resnet18");
  spec.mutable_data()->set_train_uri("synthetic://glyphs?seed=1");
  return spec;
}

}  // namespace quantry::server

#endif  // QUANTRY_TESTS_SERVER_SAMPLE_SPEC_H_
