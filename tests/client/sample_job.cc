#include "tests/client/sample_job.h"

#include <gtest/gtest.h>

#include <string>

#include "google/protobuf/text_format.h"

namespace quantry::client {
namespace {

// 2026-01-02 03:04:05 UTC.
constexpr int64_t kStart = 1767323045;

v1::Event MakeEvent(int64_t sequence, int64_t second, const std::string& text) {
  v1::Event event;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &event)) << text;
  event.set_sequence(sequence);
  event.mutable_time()->set_seconds(kStart + second);
  return event;
}

}  // namespace

v1::Job SampleJob() {
  v1::Job job;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"pb(
        name: "jobs/0abc"
        spec {
          display_name: "glyphs w4a4"
          mode: MODE_QAT
          model { builtin { name: "mobilenet_v2" width: 0.5 } }
          data { train_uri: "synthetic://glyphs?classes=36" }
          quant_config: "{\"weight_bits\":4}"
          training { epochs: 2 }
          labels { key: "team" value: "vision" }
        }
        state: JOB_STATE_SUCCEEDED
        attempt: 1
        create_time { seconds: 1767323045 }
        start_time { seconds: 1767323047 }
        end_time { seconds: 1767323239 }
        last_sequence: 10
        result {
          float_top1: 0.955
          fake_quant_top1: 0.9482
          artifact_top1: 0.9481
          model_size_bytes: 2411724
          float_model_size_bytes: 9017000
          train_seconds: 180.4
          weight_bits: 4
          activation_bits: 4
          layers { layer: "conv1" op_type: "Conv" tensor: "weight" bits: 4 sqnr_db: 21.5 }
          layers { layer: "conv2" op_type: "Conv" tensor: "activation" bits: 4 sqnr_db: 12.25 }
          layers { layer: "conv3" op_type: "Conv" tensor: "weight" bits: 4 }
          layers { layer: "fc" op_type: "Gemm" tensor: "weight" bits: 4 sqnr_db: 18 }
          layers { layer: "conv4" op_type: "Conv" tensor: "weight" bits: 4 sqnr_db: 19.75 }
        })pb",
      &job));
  return job;
}

std::vector<v1::Event> SampleEvents() {
  return {
      MakeEvent(1, 0, "state_change { state: JOB_STATE_QUEUED }"),
      MakeEvent(2, 1,
                R"(state_change { state: JOB_STATE_LEASED worker: "workers/w1" attempt: 1 })"),
      MakeEvent(3, 2,
                R"(state_change { state: JOB_STATE_RUNNING worker: "workers/w1" attempt: 1 })"),
      MakeEvent(4, 4,
                R"(metrics { subject: "float" examples: 1024 loss: 0.2 top1: 0.955 seconds: 2 })"),
      MakeEvent(5, 5, R"(progress { phase: PHASE_TRAINING epoch: 1 epochs: 2 step: 10 steps: 200
                                    images_per_second: 1234.4 loss: 0.5321 top1: 0.8125
                                    learning_rate: 0.01 eta_seconds: 130 })"),
      MakeEvent(6, 6,
                R"(progress { phase: PHASE_TRAINING epoch: 1 epochs: 2 step: 20 steps: 200 })"),
      MakeEvent(7, 16,
                R"(progress { phase: PHASE_TRAINING epoch: 2 epochs: 2 step: 120 steps: 200 })"),
      MakeEvent(8, 17, R"(log { level: INFO message: "frozen statistics" })"),
      MakeEvent(9, 18, R"(log { level: WARNING message: "1 picture skipped" })"),
      MakeEvent(10, 194, "state_change { state: JOB_STATE_SUCCEEDED attempt: 1 }"),
  };
}

v1::Event TerminalEvent(int64_t sequence, v1::JobState state) {
  v1::Event event = MakeEvent(sequence, 200, "");
  event.mutable_state_change()->set_state(state);
  return event;
}

}  // namespace quantry::client
