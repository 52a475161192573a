#ifndef QUANTRY_SERVER_RPC_CAPABILITY_SERVICE_H_
#define QUANTRY_SERVER_RPC_CAPABILITY_SERVICE_H_

#include <cstdint>

#include "quantry/v1/capabilities.grpc.pb.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/control_state.h"

namespace quantry::server {

// quantry.v1.CapabilityService. Thread-safe; `state` must outlive it.
class CapabilityService final : public v1::CapabilityService::Service {
 public:
  CapabilityService(ControlState& state, int64_t max_upload_bytes, CallGate& gate)
      : state_(state), max_upload_bytes_(max_upload_bytes), gate_(gate) {}

  grpc::Status GetCapabilities(grpc::ServerContext* context,
                               const v1::GetCapabilitiesRequest* request,
                               v1::Capabilities* response) override;

 private:
  v1::Capabilities Describe() const;
  void AddWorkers(v1::Capabilities& capabilities) const;

  ControlState& state_;
  const int64_t max_upload_bytes_;
  CallGate& gate_;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_CAPABILITY_SERVICE_H_
